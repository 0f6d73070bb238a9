package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fonster.dev/fonster/internal/version"
	"fonster.dev/fonster/internal/version/versiontest"
)

// TestVersion: the plugin tells people and the API server the same version.
func TestVersion(t *testing.T) {
	versiontest.Asks(t, "kubectl-window", func(url string) {
		kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
		text := "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: \"" + url + "\"}}]\ncontexts: [{name: c, context: {cluster: c}}]\n"
		if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		if code := Run(t.Context(), []string{"version", "--kubeconfig", kubeconfig}, Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, time.Now); code != 0 {
			t.Fatalf("exit code %d: %s", code, errs.String())
		}
		if want := "Plugin: " + version.Get().String() + "\n"; !strings.HasPrefix(out.String(), want) {
			t.Errorf("%q, want %q", out.String(), want)
		}
	})
}

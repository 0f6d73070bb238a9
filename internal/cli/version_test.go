package cli

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fonster.dev/fonster/internal/version"
)

// TestVersion: the plugin tells people and the API server the same version.
func TestVersion(t *testing.T) {
	var told atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		told.Store(request.UserAgent())
		http.NotFound(w, request)
	}))
	defer server.Close()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	text := "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: \"" + server.URL + "\"}}]\ncontexts: [{name: c, context: {cluster: c}}]\n"
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := Run(t.Context(), []string{"version", "--kubeconfig", kubeconfig}, Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, time.Now); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	built := version.Get()
	if want := "Plugin: " + built.String() + "\n"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("%q, want %q", out.String(), want)
	}
	want := fmt.Sprintf("kubectl-window/%s (%s/%s)", built.Version, runtime.GOOS, runtime.GOARCH)
	if got := told.Load(); got != want {
		t.Errorf("User-Agent %v, want %q", got, want)
	}
}

package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fonster.dev/fonster/test/cluster"
)

// TestVersions: the versions of Kubernetes that make test-versions tests are those of which docs/reference/versions.md has a result, none of
// them failed, and documents and chart say that the first of them is the oldest.
func TestVersions(t *testing.T) {
	listed := regexp.MustCompile(`(?m)^VERSIONS \?= (.+)$`).FindStringSubmatch(read(t, "Makefile"))
	if listed == nil {
		t.Fatal("the Makefile has no VERSIONS")
	}
	minors := strings.Fields(listed[1])
	page, module := read(t, "docs/reference/versions.md"), regexp.MustCompile(`k8s\.io/kubernetes v(1\.\d+\.\d+)`)
	rows := regexp.MustCompile(`(?m)^\| 1\..*$`).FindAllString(page, -1)
	if len(rows) != len(minors) {
		t.Errorf("versions.md has results of %d versions, the Makefile tests %s", len(rows), listed[1])
	}
	for i, minor := range minors {
		folder := "hack/versions/v" + minor
		if _, err := os.Stat(filepath.Join(cluster.Root(), folder)); err != nil {
			folder = "hack/controlplane"
		}
		full := module.FindStringSubmatch(read(t, folder+"/go.mod"))[1]
		if want := regexp.MustCompile(`^\| ` + full + ` \| \d{4}-\d\d-\d\d \| [^|]*\d passed[^|]* \| [^|]*\d passed[^|]* \| [^|]*\d passed[^|]* \|$`); i < len(rows) && (!want.MatchString(rows[i]) || strings.Contains(rows[i], "failed")) {
			t.Errorf("of Kubernetes %s versions.md says\n%s\nwant its full version %s, the day, and what passed", minor, rows[i], full)
		}
	}
	oldest := minors[0]
	for file, text := range map[string]string{
		"README.md":                  "It needs Kubernetes " + oldest + " or later",
		"docs/install.md":            "| Kubernetes | " + oldest + " or later;",
		"docs/reference/versions.md": "Fonster needs Kubernetes " + oldest + " or later.",
		"CHANGELOG.md":               "Kubernetes " + oldest + " and later",
		"charts/fonster/README.md":   "Kubernetes " + oldest + " and later",
		"charts/fonster/Chart.yaml":  fmt.Sprintf("kubeVersion: %q", ">="+oldest+".0-0"),
	} {
		if !strings.Contains(read(t, file), text) {
			t.Errorf("%s does not say %q", file, text)
		}
	}
}

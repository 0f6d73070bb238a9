// Package rules tests the rules of config/prometheus with promtool, and that each alert can be acted on.
package rules

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"fonster.dev/fonster/test/cluster"
)

// tool runs one of Prometheus' tools, and fails with what it printed.
func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is missing: install the packages prometheus and prometheus-alertmanager, or run make test-e2e, which builds them", name)
	}
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func TestRules(t *testing.T) {
	tool(t, "promtool", "check", "rules", filepath.Join(cluster.Root(), "config/prometheus/rules.yaml"))
	tool(t, "promtool", "test", "rules", "rules_test.yaml")
}

func TestAlertmanagerExample(t *testing.T) {
	example := filepath.Join(cluster.Root(), "config/prometheus/alertmanager.yaml")
	tool(t, "amtool", "check-config", example)
	for labels, receiver := range map[string]string{
		"alertname=FonsterNamespaceInWindow severity=none": "nobody",
		"alertname=Watchdog severity=none":                 "default", // kube-prometheus' dead man's switch
		"alertname=FonsterDown severity=critical":          "default",
	} {
		tool(t, "amtool", append([]string{"config", "routes", "test", "--config.file=" + example, "--verify.receivers=" + receiver}, strings.Fields(labels)...)...)
	}
}

// TestEveryAlert: each has a test, a severity, a summary, a description, and a runbook that is there and says what to do.
func TestEveryAlert(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(cluster.Root(), "config/prometheus/rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("rules_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Record, Expr string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" {
				continue
			}
			if !strings.Contains(string(tests), "alertname: "+r.Alert+"\n    exp_alerts:") {
				t.Errorf("%s: no test in which it fires", r.Alert)
			}
			if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s: severity, summary or description is missing", r.Alert)
			}
			for _, label := range []string{"window", "namespace"} {
				// The outermost aggregation says what the alert is about.
				_, about, _ := strings.Cut(r.Expr, " ")
				if strings.HasPrefix(about, "by (cluster, "+label+")") && !strings.Contains(r.Annotations["description"], "$labels."+label) {
					t.Errorf("%s: its description does not name the %s", r.Alert, label)
				}
			}
			page, err := os.ReadFile(filepath.Join(cluster.Root(), r.Annotations["runbook_url"]))
			if err != nil || r.Annotations["runbook_url"] != "docs/runbooks/"+r.Alert+".md" {
				t.Errorf("%s: its runbook: %q, %v", r.Alert, r.Annotations["runbook_url"], err)
			}
			for _, heading := range []string{"# " + r.Alert + "\n", "\n## What it means\n", "\n## What to do\n"} {
				if err == nil && !strings.Contains(string(page), heading) {
					t.Errorf("%s: its runbook has no %q", r.Alert, strings.TrimSpace(heading))
				}
			}
		}
	}
}

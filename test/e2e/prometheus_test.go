package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"fonster.dev/fonster/test/cluster"
)

// watchers are a real Prometheus that scrapes the operator and the API server, and a real Alertmanager that it tells.
type watchers struct {
	prometheus, alertmanager string
	// token may read metrics and nothing else.
	token string
}

// startWatchers starts both with the rules and the example of config/prometheus. The rules' waits are shortened, as the test is;
// more are the test's own rules.
func startWatchers(t *testing.T, more string) *watchers {
	t.Helper()
	folder := t.TempDir()
	rules := readConfig(t, "prometheus/rules.yaml")
	rules = regexp.MustCompile(`for: \d+m`).ReplaceAllString(rules, "for: 0s")
	rules = strings.NewReplacer("interval: 1h", "interval: 1s", "fonster_namespace_open[10m]", "fonster_namespace_open[10s]").Replace(rules)
	w := &watchers{prometheus: freeAddress(t), alertmanager: freeAddress(t), token: metricsToken(t)}
	for name, content := range map[string]string{
		"token": w.token, "rules.yaml": rules, "more.yaml": more, "alertmanager.yaml": readConfig(t, "prometheus/alertmanager.yaml"),
		"prometheus.yaml": toYAML(t, map[string]any{
			"global":     map[string]any{"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
			"rule_files": []string{"rules.yaml", "more.yaml"},
			"alerting":   map[string]any{"alertmanagers": []any{map[string]any{"static_configs": targets(w.alertmanager)}}},
			"scrape_configs": []any{
				job("fonster", strings.TrimPrefix(operator.MetricsURL, "https://")), job("apiserver", strings.TrimPrefix(shared.Config.Host, "https://")),
			},
		}),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start(t, folder, "prometheus-alertmanager", "--config.file=alertmanager.yaml", "--storage.path=alerts", "--web.listen-address="+w.alertmanager, "--cluster.listen-address=")
	start(t, folder, "prometheus", "--config.file=prometheus.yaml", "--storage.tsdb.path=series", "--web.listen-address="+w.prometheus,
		"--rules.alert.resend-delay=1s") // what is told before Alertmanager is found is told again soon
	return w
}

func readConfig(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(cluster.Root(), "config", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func toYAML(t *testing.T, content any) string {
	t.Helper()
	text, err := yaml.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func targets(address string) []any {
	return []any{map[string]any{"targets": []string{address}, "labels": map[string]string{"cluster": "e2e"}}}
}

func job(name, address string) map[string]any {
	return map[string]any{
		"job_name": name, "scheme": "https", "tls_config": map[string]any{"insecure_skip_verify": true},
		"authorization": map[string]any{"credentials_file": "token"}, "static_configs": targets(address),
	}
}

// metricsToken is a token of a service account that may read metrics and nothing else.
func metricsToken(t *testing.T) string {
	t.Helper()
	name := testName(t)
	create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}})
	create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "fonster-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: name}},
	})
	token, err := shared.ServiceAccountToken(t.Context(), "default", name)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs a program in a folder until the test ends.
func start(t *testing.T, folder, program string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Fatalf("%s is missing: install the packages prometheus and prometheus-alertmanager, or run make test-e2e, which builds them", program)
	}
	command := exec.Command(program, args...)
	log, err := os.Create(filepath.Join(folder, program+".log"))
	if err != nil {
		t.Fatal(err)
	}
	command.Dir, command.Stdout, command.Stderr = folder, log, log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if content, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s:\n%s", program, content[max(0, len(content)-4000):])
		}
	})
}

// sample is one series of an answer.
type sample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
	Values [][2]any          `json:"values"`
}

// query asks Prometheus at an instant.
func (w *watchers) query(ctx context.Context, expr string, at time.Time) ([]sample, error) {
	return w.ask(ctx, "query", url.Values{"query": {expr}, "time": {at.UTC().Format(time.RFC3339Nano)}})
}

func (w *watchers) ask(ctx context.Context, how string, parameters url.Values) ([]sample, error) {
	var answer struct {
		Status, Error string
		Data          struct{ Result []sample }
	}
	if err := getJSON(ctx, "http://"+w.prometheus+"/api/v1/"+how+"?"+parameters.Encode(), &answer); err != nil {
		return nil, err
	}
	if answer.Status != "success" {
		return nil, fmt.Errorf("%s: %s", parameters.Get("query"), answer.Error)
	}
	return answer.Data.Result, nil
}

// alert is an alert as Alertmanager tells it.
type alert struct {
	Labels map[string]string `json:"labels"`
	Status struct {
		State string `json:"state"`
	} `json:"status"`
}

// states are the states of the alerts of a name in Alertmanager, by the value of a label.
func (w *watchers) states(ctx context.Context, name, label string) (map[string]string, error) {
	var alerts []alert
	if err := getJSON(ctx, "http://"+w.alertmanager+"/api/v2/alerts", &alerts); err != nil {
		return nil, err
	}
	states := map[string]string{}
	for _, a := range alerts {
		if a.Labels["alertname"] == name {
			states[a.Labels[label]] = a.Status.State
		}
	}
	return states, nil
}

func getJSON(ctx context.Context, address string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return json.NewDecoder(response.Body).Decode(into)
}

// question is an expression of a panel or a rule; its name is the panel's title with the letter of the target, or the rule's name.
type question struct {
	name, expr string
	panel      bool
}

// answered says whether there is anything to see: a panel may show 0 where there is nothing.
func (q question) answered(answer []sample) bool {
	return slices.ContainsFunc(answer, func(s sample) bool { return !q.panel || s.Value[1] != "0" })
}

// questions are those of every panel, for one cluster, and of every rule.
func questions(t *testing.T, forCluster string) []question {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal([]byte(readConfig(t, "grafana/fonster.json")), &board); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("$cluster", forCluster, "$__rate_interval", "10s", "$__range", "5m")
	var all []question
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			all = append(all, question{p.Title + " " + target.RefID, fill.Replace(target.Expr), true})
		}
	}
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Record, Expr string }
		}
	}
	if err := yaml.Unmarshal([]byte(readConfig(t, "prometheus/rules.yaml")), &rules); err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			all = append(all, question{r.Alert + r.Record, r.Expr, false})
		}
	}
	names := map[string]bool{}
	for _, q := range all {
		if names[q.name] {
			t.Errorf("two expressions are called %q", q.name)
		}
		names[q.name] = true
	}
	return all
}

package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/test/cluster"
)

// replayed are the namespaces of TestReplay, by what their window does.
var replayed = []string{"replay-deny", "replay-hold", "replay-open", "replay-audit", "replay-frozen"}

// TestReplay: what kubectl window replay decides from an audit log alone is what the API server decided under the same windows, for every
// disruptive request. FONSTER_RECORD is a folder to write the log and the windows to, gzipped, for the test of offline/replay.
func TestReplay(t *testing.T) {
	windows := []client.Object{}
	for _, ns := range replayed {
		namespace(t, ns)
		deployment(t, ns, "web", 2)
		deployment(t, ns, "api", 1)
		runBare(t, ns)
	}
	govern := func(ns string, s v1alpha1.Schedule, options ...windowOption) {
		windows = append(windows, window(t, ns, ns, s, append(options, func(mw *v1alpha1.MaintenanceWindow) {
			mw.Spec.Disruptions = []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.ScaleDown, v1alpha1.Delete, v1alpha1.Evict}
		})...))
	}
	govern("replay-deny", nextYear())
	govern("replay-hold", nextYear(), hold)
	govern("replay-open", always())
	govern("replay-audit", nextYear(), audits)
	govern("replay-frozen", always())
	windows = append(windows, freeze(t, "replay-frozen", "replay-frozen", nil))
	anna, ci := as(t, "anna"), as(t, "ci")
	t.Run("requests", func(t *testing.T) {
		for _, ns := range replayed {
			t.Run(ns, func(t *testing.T) {
				t.Parallel()
				disturb(t, ns, anna, ci)
			})
		}
	})
	log := recordedLog(t, replayed)
	folder := t.TempDir()
	if to := os.Getenv("FONSTER_RECORD"); to != "" {
		folder = to
	}
	logPath, windowsPath := filepath.Join(folder, "audit.log.gz"), filepath.Join(folder, "windows.yaml")
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write(log)
	_ = w.Close()
	for path, content := range map[string][]byte{logPath: zipped.Bytes(), windowsPath: manifests(t, windows)} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command("go", "run", "./cmd/kubectl-window-offline", "replay", "--audit-log", logPath, "-f", windowsPath, "-o", "json")
	command.Dir = filepath.Join(cluster.Root(), "offline")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Requests []struct{ Verb, Kind, Namespace, Name, User, Verdict, Was, Why string }
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, q := range report.Requests {
		count[q.Verdict]++
		if q.Verdict != q.Was {
			t.Errorf("%s %s %s/%s by %s: replayed %s, was %s: %s", q.Verb, q.Kind, q.Namespace, q.Name, q.User, q.Verdict, q.Was, q.Why)
		}
	}
	fmt.Printf("replay: %d disruptive requests: %v\n", len(report.Requests), count)
	for verdict, least := range map[string]int{"Refused": 10, "Allowed": 10, "Audited": 5, "Held": 1} {
		if count[verdict] < least {
			t.Errorf("%d were %s, want %d at least", count[verdict], verdict, least)
		}
	}
}

// runBare makes a pod of no controller, and waits until it runs.
func runBare(t *testing.T, ns string) {
	t.Helper()
	pod := newPod()(ns)
	pod.SetNamespace(ns)
	pod.SetName("bare")
	create(t, pod)
	eventually(t, 30*time.Second, func() error {
		get(t, pod)
		if pod.(*corev1.Pod).Status.Phase != corev1.PodRunning {
			return fmt.Errorf("the pod does not run")
		}
		return nil
	})
}

// disturb makes requests of many kinds; what becomes of each the log tells.
func disturb(t *testing.T, ns string, anna, ci client.Client) {
	t.Helper()
	web := deploymentNamed(ns, "web")
	api := deploymentNamed(ns, "api")
	get(t, web)
	get(t, api)
	try := func(err error) {
		if err != nil && !strings.Contains(err.Error(), "ValidatingAdmissionPolicy 'fonster-") {
			t.Fatalf("%s: %v", ns, err)
		}
		time.Sleep(300 * time.Millisecond) // for the controllers, so that the next request meets what this one came to
	}
	try(annotateWith(t.Context(), anna, web, "note", "harmless"))
	try(setImage(t.Context(), anna, web, "app:2"))
	try(setImage(t.Context(), client.NewDryRunClient(ci), api, "app:2"))
	try(scaleAgain(t, ci, web, 3))
	try(scaleAgain(t, ci, web, 1))
	get(t, api)
	api.Spec.Template.Labels["version"] = "2"
	try(anna.Update(t.Context(), api))
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "bare"}}
	try(client.IgnoreNotFound(ci.SubResource("eviction").Create(t.Context(), pod, eviction(ns, "bare"), client.DryRunAll)))
	try(client.IgnoreNotFound(ci.Delete(t.Context(), pod, client.DryRunAll)))
	try(anna.Patch(t.Context(), deploymentNamed(ns, "web"), client.RawPatch("application/json-patch+json", []byte(`[{"op":"replace","path":"/spec/replicas","value":0}]`))))
	try(anna.Delete(t.Context(), deploymentNamed(ns, "api")))
	try(anna.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, client.DryRunAll))
}

// recordedLog is the audit log of some namespaces, of what windows govern.
func recordedLog(t *testing.T, namespaces []string) []byte {
	t.Helper()
	content, err := os.ReadFile(auditLog)
	if err != nil {
		t.Fatal(err)
	}
	var kept bytes.Buffer
	for line := range bytes.Lines(content) {
		var event struct {
			ObjectRef struct{ Resource, Namespace, Name string }
		}
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatal(err)
		}
		governed := []string{"deployments", "statefulsets", "daemonsets", "replicasets", "pods", "namespaces"}
		within := slices.Contains(namespaces, event.ObjectRef.Namespace) || event.ObjectRef.Resource == "namespaces" && slices.Contains(namespaces, event.ObjectRef.Name)
		if within && slices.Contains(governed, event.ObjectRef.Resource) {
			kept.Write(line)
		}
	}
	return kept.Bytes()
}

// manifests are objects as a person would have written them.
func manifests(t *testing.T, objects []client.Object) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, o := range objects {
		kind, spec := "MaintenanceWindow", any(nil)
		switch o := o.(type) {
		case *v1alpha1.MaintenanceWindow:
			spec = o.Spec
		case *v1alpha1.ChangeFreeze:
			kind, spec = "ChangeFreeze", o.Spec
		}
		content, err := yaml.Marshal(map[string]any{
			"apiVersion": v1alpha1.GroupVersion.String(), "kind": kind, "metadata": map[string]any{"name": o.GetName()}, "spec": spec,
		})
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("---\n")
		b.Write(content)
	}
	return b.Bytes()
}

func deploymentNamed(ns, name string) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
}

func eviction(ns, name string) *policyv1.Eviction {
	return &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
}

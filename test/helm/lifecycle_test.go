package helm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/test/cluster"
)

// release is the name of the release, and namespace that in which it is: neither is what config/ has.
const release, namespace = "window-cleaners", "town-windows"

// governed is a Namespace with a workload in it, over which a window lies that is closed for a year.
type governed struct {
	c      *cluster.Cluster
	name   string
	window *v1alpha1.MaintenanceWindow
	web    *appsv1.Deployment
}

// govern makes one; where enforcement is empty, no window lies over it.
func govern(t *testing.T, c *cluster.Cluster, name string, enforcement v1alpha1.Enforcement) *governed {
	t.Helper()
	g := &governed{c: c, name: name}
	labels := map[string]string{"app": "web"}
	g.web = &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "app:1"}}},
			},
		},
	}
	if err := c.Admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": name}}}); err != nil {
		t.Fatal(err)
	}
	if err := c.Admin.Create(t.Context(), g.web); err != nil {
		t.Fatal(err)
	}
	if enforcement == "" {
		return g
	}
	day := time.Now().AddDate(1, 0, 0).Format(time.DateOnly)
	g.window = &v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone: "UTC", Schedules: []v1alpha1.Schedule{{Dates: []string{day}, StartTime: new("09:00"), EndTime: new("20:00")}},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": name}}, Enforcement: enforcement,
			Overrides: &v1alpha1.OverridePolicy{},
		},
	}
	if err := c.Admin.Create(t.Context(), g.window); err != nil {
		t.Fatal(err)
	}
	return g
}

// change gives the workload another image.
func (g *governed) change(ctx context.Context, c client.Client, image string) error {
	patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":"main","image":%q}]}}}}`, image)
	return c.Patch(ctx, g.web.DeepCopy(), client.RawPatch("application/strategic-merge-patch+json", []byte(patch)))
}

// wouldHold says whether a change is held, of which nothing is kept.
func (g *governed) wouldHold(ctx context.Context) bool {
	d := g.web.DeepCopy()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"template":{"metadata":{"annotations":{"tried":"true"}}}}}`))
	return client.NewDryRunClient(g.c.Admin).Patch(ctx, d, patch) == nil && d.Labels[v1alpha1.HeldLabel] == v1alpha1.HeldWaiting
}

// mark is the label held of the workload.
func (g *governed) mark(t *testing.T) string {
	t.Helper()
	if err := g.c.Admin.Get(t.Context(), client.ObjectKeyFromObject(g.web), g.web); err != nil {
		t.Fatal(err)
	}
	return g.web.Labels[v1alpha1.HeldLabel]
}

// probe asks every 100 ms whether what is closed refuses, and what nothing governs passes, until the returned function is called, which
// returns how often it asked, and what was otherwise.
func probe(closed, free *governed) (stop func() (asked int, wrong []string)) {
	ctx, cancel := context.WithCancel(context.Background())
	var asked int
	var wrong []string
	var group sync.WaitGroup
	dry := client.NewDryRunClient(closed.c.Admin)
	group.Go(func() {
		for ctx.Err() == nil {
			asked++
			if err := closed.change(ctx, dry, "app:2"); err == nil {
				wrong = append(wrong, time.Now().Format(time.TimeOnly)+": a rollout in a closed namespace passed")
			}
			if err := free.change(ctx, dry, "app:2"); err != nil && ctx.Err() == nil {
				wrong = append(wrong, time.Now().Format(time.TimeOnly)+": a rollout that nothing governs did not pass: "+err.Error())
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	return func() (int, []string) {
		cancel()
		group.Wait()
		return asked, wrong
	}
}

// older copies the chart as a version before this one might have been: with a policy less, and one that says something else.
func older(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "fonster")
	if err := os.CopyFS(folder, os.DirFS(chart)); err != nil {
		t.Fatal(err)
	}
	rewrite := func(name string, change func(string) string) {
		path := filepath.Join(folder, name)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		changed := change(string(content))
		if changed == string(content) {
			t.Fatalf("%s is not changed", name)
		}
		if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rewrite("Chart.yaml", func(text string) string { return strings.ReplaceAll(text, "0.1.0", "0.0.9") })
	rewrite("templates/generated/policies.yaml", func(text string) string {
		var kept []string
		for document := range strings.SplitSeq(text, "\n---\n") {
			if !strings.Contains(document, "\n  name: fonster-reasons\n") {
				kept = append(kept, strings.ReplaceAll(document, "only the operator of Fonster", "only Fonster's operator"))
			}
		}
		return strings.Join(kept, "\n---\n")
	})
	return folder
}

// hook runs what a hook of the release would run in a pod, with the rights that it has there.
func hook(t *testing.T, c *cluster.Cluster, h *helm, name string, args ...string) (string, error) {
	t.Helper()
	out, err := h.run("get", "hooks", release, "-n", namespace)
	if err != nil {
		t.Fatal(err)
	}
	var rights, all []string
	command := ""
	for document := range strings.SplitSeq(out, "\n---\n") {
		switch {
		case !strings.Contains(document, "name: "+name+"\n"):
		case strings.Contains(document, "\nkind: Job\n"), strings.Contains(document, "\nkind: Pod\n"):
			command = document
		default:
			rights = append(rights, document)
		}
		all = append(all, document)
	}
	for _, arg := range args {
		if !strings.Contains(command, "- "+arg+"\n") {
			t.Fatalf("the hook does not run %s:\n%s\nof\n%s", arg, command, strings.Join(all, "\n---\n"))
		}
	}
	manifest := strings.Join(rights, "\n---\n")
	if out, err := c.KubectlIn(manifest, "apply", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	defer func() {
		if out, err := c.KubectlIn(manifest, "delete", "-f", "-"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}()
	return c.Once(t.Context(), name, args...)
}

// must runs Helm, which must succeed.
func (h *helm) must(t *testing.T, args ...string) string {
	t.Helper()
	start := time.Now()
	out, err := h.run(args...)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("probe helm%s %s: %s\n", h.version, args[0], time.Since(start).Round(100*time.Millisecond))
	return out
}

// start starts a cluster without Fonster, for a test.
func start(t *testing.T, name string) *cluster.Cluster {
	t.Helper()
	c, err := cluster.StartPlain(fmt.Sprintf("fonster-%s-%d", name, os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// TestTakeOver: what make install has installed, the chart takes over, and what is closed stays closed meanwhile.
func TestTakeOver(t *testing.T) {
	c := start(t, "take-over")
	if err := c.Install(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.StartOperator(t.Context()); err != nil {
		t.Fatal(err)
	}
	closed, free := govern(t, c, "closed", v1alpha1.Deny), govern(t, c, "free", "")
	cluster.Eventually(t, 20*time.Second, func() error {
		if closed.change(t.Context(), client.NewDryRunClient(c.Admin), "app:2") == nil {
			return fmt.Errorf("%s is not closed yet", closed.name)
		}
		return nil
	})
	stop := probe(closed, free)
	for _, h := range both(t) {
		h.kubeconfig = c.Kubeconfig
		h.must(t, "install", release+h.version, chart, "-n", c.Namespace, "--take-ownership", "--wait", "--timeout", "2m")
		if out, err := c.Kubectl("get", "validatingadmissionpolicy", "fonster-gates", "-o", `jsonpath={.metadata.annotations.meta\.helm\.sh/release-name}`); err != nil || out != release+h.version {
			t.Errorf("helm%s: the policies are of release %q: %v", h.version, out, err)
		}
		if out, err := c.Once(t.Context(), "fonster-controller-manager", "check"); err != nil {
			t.Errorf("helm%s: %v\n%s", h.version, err, out)
		}
	}
	if asked, wrong := stop(); len(wrong) > 0 || asked < 10 {
		t.Errorf("asked %d times:\n%s", asked, strings.Join(wrong, "\n"))
	}
}

// TestLifecycle installs the chart in a namespace of another name, where windows then govern; upgrades it, rolls it back and forth, while what
// is closed stays closed and what is free stays free; and removes it, after which nothing is left but CRDs and what users wrote.
func TestLifecycle(t *testing.T) {
	c := start(t, "helm")
	c.Namespace = namespace
	for _, h := range both(t) {
		h.kubeconfig = c.Kubeconfig
		t.Run("helm"+h.version, func(t *testing.T) { lifecycle(t, c, h) })
	}
}

func lifecycle(t *testing.T, c *cluster.Cluster, h *helm) {
	h.must(t, "install", release, older(t), "-n", namespace, "--create-namespace", "--wait", "--timeout", "2m")
	operator, err := c.StartOperator(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { operator.Kill() }()
	prefix := "helm" + h.version
	closed, holds, free := govern(t, c, prefix+"-closed", v1alpha1.Deny), govern(t, c, prefix+"-holds", v1alpha1.Hold), govern(t, c, prefix+"-free", "")
	passed := govern(t, c, prefix+"-passed", v1alpha1.Deny)
	// In another namespace than the usual one, a window governs, holds, and lets an emergency through.
	cluster.Eventually(t, 20*time.Second, func() error {
		if err := closed.change(t.Context(), client.NewDryRunClient(c.Admin), "app:2"); err == nil || !strings.Contains(err.Error(), "Rollout of Deployment") {
			return fmt.Errorf("%s is closed, and a rollout there: %v", closed.name, err)
		}
		if err := passed.change(t.Context(), client.NewDryRunClient(c.Admin), "app:2"); err == nil {
			return fmt.Errorf("%s is not closed yet", passed.name)
		}
		return nil
	})
	cluster.Eventually(t, 20*time.Second, func() error {
		if !holds.wouldHold(t.Context()) {
			return fmt.Errorf("nothing is held in %s", holds.name)
		}
		return nil
	})
	if err := holds.change(t.Context(), c.Admin, "app:2"); err != nil || holds.mark(t) != v1alpha1.HeldWaiting {
		t.Fatalf("not held: %v: %v", holds.web.Labels, err)
	}
	if out, err := c.Kubectl("annotate", "-n", passed.name, "deployment/web", v1alpha1.OverrideAnnotation+"=INC-1"); err != nil {
		t.Fatal(err, out)
	}
	if err := passed.change(t.Context(), c.Admin, "app:2"); err != nil {
		t.Errorf("an override does not let a rollout pass: %v", err)
	}
	announced := func() error {
		return c.Admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "announced-" + closed.name}, &corev1.ConfigMap{})
	}
	cluster.Eventually(t, 10*time.Second, announced)
	// The operator's own namespace is never governed.
	everywhere := govern(t, c, prefix+"-everywhere", v1alpha1.Deny)
	if err := c.Admin.Patch(t.Context(), everywhere.window, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"namespaceSelector":{"matchLabels":null,"matchExpressions":[{"key":"kubernetes.io/metadata.name","operator":"In","values":["`+namespace+`","fonster-system"]}]}}}`))); err != nil {
		t.Fatal(err)
	}

	standing := func(when string) {
		t.Helper()
		if mark := holds.mark(t); mark != v1alpha1.HeldWaiting {
			t.Errorf("%s: what was held is marked %q", when, mark)
		}
		if passed.mark(t); passed.web.Annotations[v1alpha1.OverrideUntilAnnotation] == "" {
			t.Errorf("%s: the override has no end: %v", when, passed.web.Annotations)
		}
		if err := announced(); err != nil {
			t.Errorf("%s: %v", when, err)
		}
		if err := c.Admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: v1alpha1.GateName}, &v1alpha1.Gate{}); err == nil {
			t.Errorf("%s: the operator's namespace has a Gate", when)
		}
	}
	enforced := func(want string) {
		t.Helper()
		cluster.Eventually(t, 20*time.Second, func() error {
			out, err := c.Kubectl("get", "mw", closed.name, "-o", `jsonpath={.status.conditions[?(@.type=="Enforced")].reason}`)
			if err != nil || strings.TrimSpace(out) != want {
				return fmt.Errorf("Enforced: %s, want %s: %v", out, want, err)
			}
			return nil
		})
	}
	enforced(v1alpha1.ReasonPoliciesMissing) // this version's operator, and the policies of an older one
	stop := probe(closed, free)
	for _, step := range []struct {
		name   string
		args   []string
		reason string
	}{
		{"upgrade", []string{"upgrade", release, chart}, v1alpha1.ReasonEnforced},
		{"rollback", []string{"rollback", release, "1"}, v1alpha1.ReasonPoliciesMissing},
		{"upgrade again", []string{"upgrade", release, chart, "--set", "page.enabled=false"}, v1alpha1.ReasonEnforced},
	} {
		h.must(t, append(step.args, "-n", namespace, "--wait", "--timeout", "2m")...)
		enforced(step.reason)
		standing(step.name)
	}
	// The new version's pods start, the old ones end.
	operator.Kill()
	if operator, err = c.StartOperator(t.Context()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	standing("the operator of the new version")
	asked, wrong := stop()
	fmt.Printf("probe helm%s: asked %d times while it was upgraded and rolled back, %d wrong answers\n", h.version, asked, len(wrong))
	if len(wrong) > 0 || asked < 30 {
		t.Errorf("asked %d times:\n%s", asked, strings.Join(wrong, "\n"))
	}

	if out, err := hook(t, c, h, "fonster-check", "check", "--timeout=1m"); err != nil || !strings.Contains(out, "for the operator system:serviceaccount:"+namespace+":") {
		t.Errorf("helm test: %v\n%s", err, out)
	}
	pluginKnows(t, c, closed)
	remove(t, c, h, operator, closed, holds)
	for _, g := range []*governed{closed, holds, free, passed, everywhere} {
		if err := g.change(t.Context(), client.NewDryRunClient(c.Admin), "app:3"); err != nil {
			t.Errorf("%s: %v", g.name, err)
		}
		if g.window != nil {
			_ = c.Admin.Delete(t.Context(), g.window)
		}
	}
}

// pluginKnows: the plugin finds the operator's namespace for whoever may read windows.
func pluginKnows(t *testing.T, c *cluster.Cluster, g *governed) {
	t.Helper()
	folder := t.TempDir()
	build := exec.Command("go", "build", "-o", folder+"/", "./cmd/kubectl-window")
	build.Dir = cluster.Root()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	kubeconfig, _, err := c.NamespaceAdmin(t.Context(), "somebody-of-"+g.name, g.name)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(filepath.Join(folder, "kubectl-window"), "retract", g.window.Name)
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	if out, err := command.CombinedOutput(); err == nil || !strings.Contains(string(out), "fonster-announcements in "+namespace) {
		t.Errorf("%v\n%s", err, out)
	}
}

// remove uninstalls the release as Helm does, with what runs in pods run as a process: refused while something is held.
func remove(t *testing.T, c *cluster.Cluster, h *helm, operator *cluster.Operator, closed, holds *governed) {
	t.Helper()
	args := []string{"remove", "--operator-namespace=" + namespace, "--patience=2m"}
	if out, err := hook(t, c, h, "fonster-removal", args...); err == nil || !strings.Contains(out, "Deployment "+holds.name+"/web") {
		t.Errorf("while something is held: %v\n%s", err, out)
	}
	if err := closed.change(t.Context(), client.NewDryRunClient(c.Admin), "app:2"); err == nil {
		t.Error("refused, and yet what was closed is open")
	}
	if err := c.Admin.Delete(t.Context(), holds.window); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, time.Minute, func() error {
		if mark := holds.mark(t); mark != "" {
			return fmt.Errorf("still %s", mark)
		}
		return nil
	})
	// The process stands for the pods, and ends as they do.
	go func() {
		for range 600 {
			d := &appsv1.Deployment{}
			if err := c.Admin.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: "fonster-controller-manager"}, d); err != nil || *d.Spec.Replicas == 0 {
				operator.Kill()
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	if out, err := hook(t, c, h, "fonster-removal", args...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	operator.Kill()
	h.must(t, "uninstall", release, "-n", namespace, "--no-hooks", "--wait", "--timeout", "1m")
	for _, kinds := range []string{
		"validatingadmissionpolicies,validatingadmissionpolicybindings,mutatingadmissionpolicies,mutatingadmissionpolicybindings", "gates -A", "clusterroles,clusterrolebindings",
		"all,networkpolicies,poddisruptionbudgets,roles,rolebindings,leases,secrets -n " + namespace,
	} {
		cluster.Eventually(t, 30*time.Second, func() error { // the garbage collector takes some
			out, err := c.Kubectl(append(append([]string{"get"}, strings.Fields(kinds)...), "-o", "name")...)
			if err != nil || strings.Contains(out, "/fonster") || strings.Contains(out, "/gate") {
				return fmt.Errorf("left of %s: %w\n%s", kinds, err, out)
			}
			return nil
		})
	}
	if out, err := c.Kubectl("get", "namespaces", "-l", v1alpha1.GatedLabel, "-o", "name"); err != nil || strings.Contains(out, "namespace/") {
		t.Errorf("labelled: %v\n%s", err, out)
	}
	if out, err := c.Kubectl("get", "crds", "-o", "name"); err != nil || strings.Count(out, v1alpha1.GroupName) != 3 {
		t.Errorf("CRDs: %v\n%s", err, out)
	}
	if out, err := c.Kubectl("get", "mw", closed.name, "-o", "name"); err != nil {
		t.Errorf("the windows of users: %v\n%s", err, out)
	}
}

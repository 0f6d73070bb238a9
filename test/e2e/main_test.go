// Package e2e tests what admission, CEL, RBAC and the controllers of Kubernetes decide, against a real kube-apiserver,
// kube-controller-manager and kwok, with the operator as a process under its own ServiceAccount.
package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/hack/policygen"
	"fonster.dev/fonster/internal/policy"
	"fonster.dev/fonster/test/cluster"
)

// shared is the cluster of every test; operator the operator in it, restarted by the tests that end it, and pages the page; auditLog what the
// API server records of auditedNamespaces.
var (
	shared   *cluster.Cluster
	operator *cluster.Operator
	pages    *cluster.Page
	auditLog string
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	flag.Parse()
	if listing() {
		return m.Run()
	}
	if err := chooseShard(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	folder, err := os.MkdirTemp("", "fonster-audit")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	auditLog = filepath.Join(folder, "audit.log")
	audited, err := cluster.Audited(auditLog, auditedNamespaces...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if shared, err = cluster.Start(fmt.Sprintf("fonster-e2e-%d", os.Getpid()), audited); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := shared.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	defer stopLent()
	if operator, err = shared.StartOperator(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if pages, err = shared.StartPage(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// restartOperator runs the operator again after a test has ended it.
func restartOperator(t *testing.T) {
	t.Helper()
	operator.Kill()
	var err error
	if operator, err = shared.StartOperator(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// soak is whether the long tests run in full, as make soak has it: FONSTER_SOAK.
var soak = os.Getenv("FONSTER_SOAK") != ""

// testName makes a name of the test's own.
func testName(t *testing.T) string {
	n := strings.ToLower(strings.NewReplacer("/", "-", "_", "-", " ", "-", ",", "").Replace(strings.TrimPrefix(t.Name(), "Test")))
	return n[max(0, len(n)-40):]
}

// namespace creates a namespace with label team=NAME and more labels. It stays: to delete one takes the control plane as much as many a test.
func namespace(t *testing.T, name string, labels ...string) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": name}}}
	for i := 0; i+1 < len(labels); i += 2 {
		ns.Labels[labels[i]] = labels[i+1]
	}
	if err := shared.Admin.Create(t.Context(), ns); err != nil {
		t.Fatalf("creating namespace %s: %v", name, err)
	}
}

// create creates an object and deletes it after the test; what a binding allows is allowed when it returns.
func create(t *testing.T, object client.Object) {
	t.Helper()
	if err := shared.Admin.Create(t.Context(), object); err != nil {
		t.Fatalf("creating %T %s: %v", object, object.GetName(), err)
	}
	t.Cleanup(func() { // as one who may always, whatever gates the test leaves closed
		if c, err := shared.As("system:kube-controller-manager", "system:masters"); err == nil {
			_ = c.Delete(context.Background(), object)
		}
	})
	wantPassed(t, shared.Bound(t.Context(), object))
}

// eventually is what most tests here say at every step.
var eventually = cluster.Eventually

// windowOption changes a window before it is created.
type windowOption func(*v1alpha1.MaintenanceWindow)

// window creates a window over the namespaces with label team=TEAM, and waits until it is in force.
func window(t *testing.T, name, team string, schedule v1alpha1.Schedule, options ...windowOption) *v1alpha1.MaintenanceWindow {
	t.Helper()
	mw := &v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone:          "UTC",
			Schedules:         []v1alpha1.Schedule{schedule},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": team}},
		},
	}
	for _, option := range options {
		option(mw)
	}
	create(t, mw)
	inForce(t, mw)
	return mw
}

// policies are those of this version.
var policies = sync.OnceValue(func() *policygen.Policies {
	p, err := policygen.Generate()
	if err != nil {
		panic(err)
	}
	return p
})

// governed waits until the API server, which learns of labels and bindings a little later, refuses a client to roll something out.
func governed(t *testing.T, limit time.Duration, c client.Client, d *appsv1.Deployment) {
	t.Helper()
	eventually(t, limit, func() error {
		if setImage(t.Context(), client.NewDryRunClient(c), d, "app:2") == nil {
			return fmt.Errorf("not yet governed")
		}
		return nil
	})
}

// inForce waits until the Gates of the namespaces that a window governs tell of it, and the API server has them.
func inForce(t *testing.T, mw *v1alpha1.MaintenanceWindow) {
	t.Helper()
	eventually(t, 10*time.Second, func() error {
		if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(mw), mw); err != nil {
			return err
		}
		if mw.Status.ObservedGeneration != mw.Generation || len(mw.Status.Conditions) == 0 {
			return fmt.Errorf("no status yet: %+v", mw.Status)
		}
		return nil
	})
	gated(t, mw.Name, mw.Spec.NamespaceSelector)
}

// gated waits until each namespace that a selector matches has a Gate owned by the window or freeze of this name, and the API server knows.
func gated(t *testing.T, name string, namespaces *metav1.LabelSelector) {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(namespaces)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, func() error {
		var list corev1.NamespaceList
		if err := shared.Admin.List(t.Context(), &list, client.MatchingLabelsSelector{Selector: selector}); err != nil {
			return err
		}
		for i := range list.Items {
			ns := &list.Items[i]
			if (policy.Identity{}).Protected(ns.Name) || ns.DeletionTimestamp != nil {
				continue
			}
			var gates v1alpha1.GateList // of what audits the second one tells
			if err := shared.Admin.List(t.Context(), &gates, client.InNamespace(ns.Name)); err != nil {
				return err
			}
			owned := slices.ContainsFunc(gates.Items, func(g v1alpha1.Gate) bool {
				return len(g.OwnerReferences) == 0 || slices.ContainsFunc(g.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Name == name })
			})
			if !owned || ns.Labels[v1alpha1.GatedLabel] != "true" {
				return fmt.Errorf("the Gate of %s does not tell of %s yet", ns.Name, name)
			}
		}
		return nil
	})
	time.Sleep(250 * time.Millisecond) // the API server hears of Gates and labels by its own watches
}

// gateOf is the Gate of a namespace.
func gateOf(t *testing.T, namespace string) *v1alpha1.Gate {
	t.Helper()
	gate := &v1alpha1.Gate{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: v1alpha1.GateName}}
	get(t, gate)
	return gate
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// always is open all day, yesterday to the day after tomorrow.
func always() v1alpha1.Schedule {
	now := time.Now()
	return v1alpha1.Schedule{
		Dates:     []string{day(now.AddDate(0, 0, -1)), day(now), day(now.AddDate(0, 0, 1)), day(now.AddDate(0, 0, 2))},
		StartTime: new("00:00"), EndTime: new("24:00"),
	}
}

// nextYear is closed for months.
func nextYear() v1alpha1.Schedule {
	return v1alpha1.Schedule{
		Dates: []string{fmt.Sprintf("%d-05-13", time.Now().Year()+1)}, StartTime: new("09:00"), EndTime: new("20:00"),
	}
}

// between is open from one instant of today to another, in whole seconds.
func between(from, to time.Time) v1alpha1.Schedule {
	return v1alpha1.Schedule{
		Dates: []string{day(from)}, StartTime: new(from.UTC().Format(time.TimeOnly)), EndTime: new(to.UTC().Format(time.TimeOnly)),
	}
}

func template(app, image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: image}}},
	}
}

func selector(app string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
}

// deployment creates a Deployment with running pods.
func deployment(t *testing.T, namespace, name string, replicas int32, change ...func(*appsv1.Deployment)) *appsv1.Deployment {
	t.Helper()
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}},
		Spec:       appsv1.DeploymentSpec{Replicas: new(replicas), Selector: selector(name), Template: template(name, "app:1")},
	}
	for _, c := range change {
		c(d)
	}
	create(t, d)
	eventually(t, 90*time.Second, func() error {
		if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(d), d); err != nil {
			return err
		}
		if d.Status.ObservedGeneration < d.Generation || d.Status.ReadyReplicas != replicas || d.Status.UpdatedReplicas != replicas {
			return fmt.Errorf("not ready: %+v", d.Status)
		}
		return nil
	})
	return d
}

// setImage tries a rollout as a client, by a patch.
func setImage(ctx context.Context, c client.Client, d *appsv1.Deployment, image string) error {
	patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":"main","image":%q}]}}}}`, image)
	return c.Patch(ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: d.Name}},
		client.RawPatch("application/strategic-merge-patch+json", []byte(patch)))
}

// wantRefused checks that a request was refused by a policy, and that the message says everything in texts.
func wantRefused(t *testing.T, err error, texts ...string) {
	t.Helper()
	if !apierrors.IsForbidden(err) {
		t.Fatalf("want a refusal (403), got: %v", err)
	}
	wantSaid(t, err.Error(), texts...)
}

func wantPassed(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("want the request to pass, got: %v", err)
	}
}

// wantSaid checks that a refusal or warning says everything in texts, and that it is no fallback for an expression that failed.
func wantSaid(t *testing.T, said string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(said, text) {
			t.Errorf("it does not say %q:\n%s", text, said)
		}
	}
	for _, p := range policies().Validating {
		for _, v := range p.Spec.Validations {
			if v.MessageExpression != "" && strings.HasSuffix(said, "denied request: "+v.Message) {
				t.Errorf("the message expression failed:\n%s", said)
			}
		}
	}
	if strings.Contains(said, "failed expression") {
		t.Errorf("the message expression failed:\n%s", said)
	}
}

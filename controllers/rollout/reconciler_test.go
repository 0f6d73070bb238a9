package rollout

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
)

// noon is in the middle of every occurrence of the tests.
var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

type silent struct{}

func (silent) ObserveRelease(string, string)                          {}
func (silent) ObserveOccurrence(string, time.Duration, time.Duration) {}

// openWindow is a window that holds, and is open from 9 to 20.
func openWindow(name string) *v1alpha1.MaintenanceWindow {
	return &v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("window-" + name), Generation: 1},
		Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone: "UTC", Schedules: []v1alpha1.Schedule{{Dates: []string{"2026-11-28"}, StartTime: new("09:00"), EndTime: new("20:00")}},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": name}}, Enforcement: v1alpha1.Hold,
		},
	}
}

// heldDeployment waits, in a namespace of its own with label team=NAME.
func heldDeployment(name string) (*corev1.Namespace, *appsv1.Deployment) {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": name}}},
		&appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "web", UID: types.UID("web-" + name), Labels: map[string]string{
				v1alpha1.HeldLabel: v1alpha1.HeldWaiting, v1alpha1.HeldSinceLabel: noon.Add(-time.Hour).Format(v1alpha1.HeldTime),
			}},
			Spec:   appsv1.DeploymentSpec{Replicas: new(int32(1)), Paused: true},
			Status: appsv1.DeploymentStatus{Replicas: 1},
		}
}

// releasing is a reconciler over a client that is cache and API in one.
func releasing(t *testing.T, funcs interceptor.Funcs, objects ...client.Object) *Reconciler {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&v1alpha1.MaintenanceWindow{}, &appsv1.Deployment{}).
		WithInterceptorFuncs(funcs).Build()
	r := &Reconciler{
		Client: c, Reader: c, Source: &compile.Source{Reader: c}, Recorder: events.NewFakeRecorder(100), Observer: silent{}, Now: func() time.Time { return noon },
	}
	r.forget()
	return r
}

func markOf(t *testing.T, r *Reconciler, namespace string) string {
	t.Helper()
	d := &appsv1.Deployment{}
	if err := r.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "web"}, d); err != nil {
		t.Fatal(err)
	}
	return d.Labels[v1alpha1.HeldLabel]
}

// TestOneAccountCannotBeWritten: the train of that window stands still, and no other does.
func TestOneAccountCannotBeWritten(t *testing.T) {
	badNamespace, bad := heldDeployment("bad")
	goodNamespace, good := heldDeployment("good")
	failing := true
	r := releasing(t, interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, options ...client.SubResourceUpdateOption) error {
			if failing && o.GetName() == "bad" {
				return errors.New("the disk is full")
			}
			return c.SubResource(sub).Update(ctx, o, options...)
		},
	}, badNamespace, bad, goodNamespace, good, openWindow("bad"), openWindow("good"))
	_, err := r.Reconcile(t.Context(), train)
	if err == nil || !strings.Contains(err.Error(), "account of window bad: the disk is full") {
		t.Errorf("the error is not returned: %v", err)
	}
	if got := markOf(t, r, "good"); got != v1alpha1.HeldReleasing {
		t.Errorf("the other train stands still too: %q", got)
	}
	if got := markOf(t, r, "bad"); got != v1alpha1.HeldWaiting {
		t.Errorf("released without an account: %q", got)
	}
	failing = false
	if _, err := r.Reconcile(t.Context(), train); err != nil {
		t.Fatal(err)
	}
	if got := markOf(t, r, "bad"); got != v1alpha1.HeldReleasing {
		t.Errorf("it is not released once its account can be written: %q", got)
	}
}

// TestReleaseWithoutPolicies: where no policy of the API server lets go, the operator writes the mark and what its user had set in
// one request: dying between two would leave what looks like its user's own pause.
func TestReleaseWithoutPolicies(t *testing.T) {
	ns, d := heldDeployment("w")
	marks := map[string]string{v1alpha1.HeldLabel: v1alpha1.HeldWaiting, v1alpha1.HeldSinceLabel: noon.Add(-time.Hour).Format(v1alpha1.HeldTime), v1alpha1.HeldPartitionLabel: "2"}
	s := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "w", Name: "db", UID: "db", Labels: marks},
		Spec: appsv1.StatefulSetSpec{Replicas: new(int32(3)), UpdateStrategy: appsv1.StatefulSetUpdateStrategy{
			Type: appsv1.RollingUpdateStatefulSetStrategyType, RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: new(int32(v1alpha1.HeldPartition))},
		}},
		Status: appsv1.StatefulSetStatus{Replicas: 3},
	}
	ds := &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "w", Name: "agent", UID: "agent", Labels: marks},
		Spec:       appsv1.DaemonSetSpec{UpdateStrategy: appsv1.DaemonSetUpdateStrategy{Type: appsv1.OnDeleteDaemonSetStrategyType}},
		Status:     appsv1.DaemonSetStatus{DesiredNumberScheduled: 1},
	}
	var writing sync.Mutex // writers share it
	var patches []string
	r := releasing(t, interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, options ...client.PatchOption) error {
			writing.Lock()
			patches = append(patches, o.GetName())
			writing.Unlock()
			return c.Patch(ctx, o, patch, options...)
		},
	}, ns, d, s, ds, openWindow("w"))
	if _, err := r.Reconcile(t.Context(), train); err != nil {
		t.Fatal(err)
	}
	for _, o := range []client.Object{d, s, ds} {
		if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			t.Fatal(err)
		}
		if got := o.GetLabels()[v1alpha1.HeldLabel]; got != v1alpha1.HeldReleasing {
			t.Errorf("%s is marked %q", o.GetName(), got)
		}
	}
	if p := s.Spec.UpdateStrategy.RollingUpdate.Partition; d.Spec.Paused || *p != 2 || ds.Spec.UpdateStrategy.Type != appsv1.RollingUpdateDaemonSetStrategyType {
		t.Errorf("paused %v, partition %d, type %s", d.Spec.Paused, *p, ds.Spec.UpdateStrategy.Type)
	}
	if slices.Sort(patches); !slices.Equal(patches, []string{"agent", "db", "web"}) {
		t.Errorf("patches of %v, want one of each", patches)
	}
}

// TestNudge: a rollout that its controller has forgotten is written to, also where it was let go before it was said since when it waits.
func TestNudge(t *testing.T) {
	for title, tc := range map[string]struct {
		since time.Time
		want  time.Time
	}{
		"held for an hour": {noon.Add(-time.Hour), noon.Add(-time.Hour + time.Second)},
		"held and let go":  {time.Time{}, noon},
	} {
		t.Run(title, func(t *testing.T) {
			ns, d := heldDeployment("w")
			d.Labels = map[string]string{v1alpha1.HeldLabel: v1alpha1.HeldReleasing}
			if !tc.since.IsZero() {
				d.Labels[v1alpha1.HeldSinceLabel] = tc.since.Format(v1alpha1.HeldTime)
			}
			d.Spec.Paused = false
			d.Status = appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 1, AvailableReplicas: 2}
			r := releasing(t, interceptor.Funcs{}, ns, d, openWindow("w"))
			if _, err := r.Reconcile(t.Context(), train); err != nil {
				t.Fatal(err)
			}
			if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(d), d); err != nil {
				t.Fatal(err)
			}
			if got, want := d.Labels[v1alpha1.HeldSinceLabel], tc.want.Format(v1alpha1.HeldTime); got != want {
				t.Errorf("since %q, want %q", got, want)
			}
		})
	}
}

// TestClosedOnce: a window that has been closed early is not closed again while the cache does not know of it.
func TestClosedOnce(t *testing.T) {
	mw := openWindow("w")
	mw.Spec.Release = &v1alpha1.ReleasePolicy{EarlyClose: "WhenDone"}
	nine, twenty := metav1.NewTime(noon.Add(-3*time.Hour)), metav1.NewTime(noon.Add(8*time.Hour))
	mw.Status.CurrentOccurrence = &v1alpha1.OccurrenceSummary{Start: nine, End: &twenty, Released: 1}
	r := releasing(t, interceptor.Funcs{}, mw)
	r.Source = &compile.Source{Reader: releasing(t, interceptor.Funcs{}, mw.DeepCopy()).Client} // which never hears of anything
	for i := range 3 {
		r.Now = func() time.Time { return noon.Add(time.Duration(i) * 5 * time.Second) }
		if _, err := r.Reconcile(t.Context(), train); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(mw), mw); err != nil {
		t.Fatal(err)
	}
	if c := mw.Status.ClosedEarly; c == nil || !c.Start.Time.Equal(noon) || !c.End.Equal(&twenty) {
		t.Errorf("closed early: %+v", c)
	}
	if l := mw.Status.LastOccurrence; l == nil || !l.ClosedEarly || l.Released != 1 || !l.End.Equal(&twenty) || mw.Status.CurrentOccurrence != nil {
		t.Errorf("last %+v, current %+v", l, mw.Status.CurrentOccurrence)
	}
	if told := len(r.Recorder.(*events.FakeRecorder).Events); told != 1 {
		t.Errorf("%d Events, want one", told)
	}
}

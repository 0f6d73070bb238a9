package history

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/history"
	"fonster.dev/fonster/internal/policy"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func window(name string, dates ...string) *v1alpha1.MaintenanceWindow {
	return &v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1},
		Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone: "UTC", Schedules: []v1alpha1.Schedule{{Dates: dates, StartTime: new("09:00"), EndTime: new("20:00")}},
			NamespaceSelector: &metav1.LabelSelector{},
		},
	}
}

func fakeClient(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

// bring reconciles a window, and returns its record as it is stored then; nil: none is.
func bring(t *testing.T, cached client.Client, live client.Reader, name string) (*history.Record, ctrl.Result) {
	t.Helper()
	r := &Reconciler{Client: cached, Live: live, Source: &compile.Source{Reader: cached}, Now: func() time.Time { return now }}
	result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Name: name}})
	if err != nil {
		t.Fatal(err)
	}
	return get(t, cached, name), result
}

func get(t *testing.T, c client.Client, name string) *history.Record {
	t.Helper()
	stored := &corev1.ConfigMap{}
	err := c.Get(t.Context(), types.NamespacedName{Namespace: policy.DefaultNamespace, Name: history.ObjectName(windows.prefix, name)}, stored)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	if err == nil && (stored.Labels[v1alpha1.AnnouncedLabel] != "true" || stored.Annotations[v1alpha1.AnnouncedWindowAnnotation] != name) {
		t.Errorf("the object is not marked: %+v", stored.ObjectMeta)
	}
	return history.Parse(stored.Data)
}

func TestReconcile(t *testing.T) {
	c := fakeClient(t, window("w", "2026-12-05", "2026-12-12"))
	if r, _ := bring(t, c, c, "w"); r == nil || r.Sequence != 0 {
		t.Fatalf("at first: %+v", r)
	}
	mw := window("w", "2026-12-05")
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(mw), mw); err != nil {
		t.Fatal(err)
	}
	mw.Spec.Schedules[0].Dates = []string{"2026-12-05"}
	mw.Generation = 2
	if err := c.Update(t.Context(), mw); err != nil {
		t.Fatal(err)
	}
	r, result := bring(t, c, c, "w")
	if r.Sequence != 1 || len(r.Withdrawn) != 1 || result.RequeueAfter != maxWait {
		t.Errorf("after a change: %+v, again after %s", r, result.RequeueAfter)
	}
	if err := c.Delete(t.Context(), mw); err != nil {
		t.Fatal(err)
	}
	if r, _ = bring(t, c, c, "w"); r.Sequence != 2 || len(r.Withdrawn) != 2 {
		t.Errorf("after the deletion: %+v", r)
	}
	now = now.AddDate(0, 3, 0)
	defer func() { now = now.AddDate(0, -3, 0) }()
	if r, _ = bring(t, c, c, "w"); r != nil {
		t.Errorf("long after: %+v", r)
	}
}

// TestACacheThatIsBehind: another replica has recorded a window, or a change, that this one's cache has not heard of.
func TestACacheThatIsBehind(t *testing.T) {
	for title, known := range map[string][]client.Object{"the window is not known yet": nil, "the change is not known yet": {window("w", "2026-12-12")}} {
		t.Run(title, func(t *testing.T) {
			live := fakeClient(t, window("w", "2026-12-05"))
			bring(t, live, live, "w")
			stored := &corev1.ConfigMap{}
			if err := live.Get(t.Context(), types.NamespacedName{Namespace: policy.DefaultNamespace, Name: "announced-w"}, stored); err != nil {
				t.Fatal(err)
			}
			stored.ResourceVersion, stored.UID = "", "stored"
			cached := fakeClient(t, append(known, stored)...)
			if r, _ := bring(t, cached, live, "w"); r.Sequence != 0 || len(r.Withdrawn) != 0 || r.Announced == nil {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestACacheThatIsBehindOnFreezes: another replica has recorded a freeze, or its end, that this one's cache has not heard of.
func TestACacheThatIsBehindOnFreezes(t *testing.T) {
	freeze := func(generation int64) *v1alpha1.ChangeFreeze {
		return &v1alpha1.ChangeFreeze{
			ObjectMeta: metav1.ObjectMeta{Name: "f", UID: "f", Generation: generation},
			Spec: v1alpha1.ChangeFreezeSpec{
				Reason: "Val", TimeZone: "UTC", NamespaceSelector: &metav1.LabelSelector{},
				Schedules: []v1alpha1.Schedule{{Dates: []string{"2026-12-05"}, StartTime: new("00:00"), EndTime: new("24:00")}},
			},
		}
	}
	for title, tc := range map[string]struct{ live, known []client.Object }{
		"it is not known yet":            {[]client.Object{freeze(1)}, nil},
		"its change is not known yet":    {[]client.Object{freeze(2)}, []client.Object{freeze(1)}},
		"its deletion is not known yet":  {nil, []client.Object{freeze(1)}},
		"another one is not known yet":   {[]client.Object{freeze(1), &v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: "e", UID: "e", Generation: 1}, Spec: freeze(1).Spec}}, []client.Object{freeze(1)}},
		"everything that there is known": {[]client.Object{freeze(1)}, []client.Object{freeze(1)}},
	} {
		t.Run(title, func(t *testing.T) {
			live := fakeClient(t, append(tc.live, window("w", "2026-12-05"))...)
			first, _ := bring(t, live, live, "w")
			stored := &corev1.ConfigMap{}
			if err := live.Get(t.Context(), types.NamespacedName{Namespace: policy.DefaultNamespace, Name: "announced-w"}, stored); err != nil {
				t.Fatal(err)
			}
			stored.ResourceVersion = ""
			cached := fakeClient(t, append(tc.known, window("w", "2026-12-05"), stored)...)
			if r, _ := bring(t, cached, live, "w"); r.Sequence != 0 || r.Freezes != first.Freezes {
				t.Errorf("freezes %q, and then %q at sequence %d", first.Freezes, r.Freezes, r.Sequence)
			}
			if want := len(tc.live) > 0; (first.Freezes != "") != want {
				t.Errorf("freezes %q", first.Freezes)
			}
		})
	}
}

// slow is a client behind whose back somebody writes.
type slow struct {
	client.Client
	before func()
}

func (s slow) Update(ctx context.Context, object client.Object, options ...client.UpdateOption) error {
	s.before()
	return s.Client.Update(ctx, object, options...)
}

func TestAnotherReplicaWasFirst(t *testing.T) {
	c := fakeClient(t, window("w", "2026-12-05", "2026-12-12"))
	bring(t, c, c, "w")
	mw := &v1alpha1.MaintenanceWindow{}
	if err := c.Get(t.Context(), types.NamespacedName{Name: "w"}, mw); err != nil {
		t.Fatal(err)
	}
	mw.Spec.Schedules[0].Dates, mw.Generation = []string{"2026-12-05"}, 2
	if err := c.Update(t.Context(), mw); err != nil {
		t.Fatal(err)
	}
	r, result := bring(t, slow{c, func() { bring(t, c, c, "w") }}, c, "w")
	if r.Sequence != 1 || result.RequeueAfter != again {
		t.Errorf("sequence %d, again after %s", r.Sequence, result.RequeueAfter)
	}
}

func TestARecordThatCannotBeRead(t *testing.T) {
	broken := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: policy.DefaultNamespace, Name: "announced-w", UID: "x", Labels: map[string]string{v1alpha1.AnnouncedLabel: "true"}, Annotations: map[string]string{v1alpha1.AnnouncedWindowAnnotation: "w"}},
		Data:       map[string]string{"record.json": "{"},
	}
	c := fakeClient(t, broken.DeepCopy(), window("w", "2026-12-05"))
	if r, _ := bring(t, c, c, "w"); r == nil || r.Announced == nil {
		t.Errorf("it was not replaced: %+v", r)
	}
	c = fakeClient(t, broken)
	if bring(t, c, c, "w"); c.Get(t.Context(), client.ObjectKeyFromObject(broken), &corev1.ConfigMap{}) == nil {
		t.Error("one of no window was kept")
	}
	if history.Parse(broken.Data) != nil {
		t.Error("it was read")
	}
}

func TestObjectName(t *testing.T) {
	long := strings.Repeat("a", 250)
	for _, name := range []string{"w", long, long + "b", strings.Repeat("a.", 126) + "a"} {
		if got := history.ObjectName(windows.prefix, name); len(got) > 253 || !strings.HasPrefix(got, "announced-") {
			t.Errorf("%s: %s", name, got)
		}
		if got := history.ObjectName(freezes.prefix, name); len(got) > 253 || strings.HasPrefix(got, windows.prefix) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if history.ObjectName(windows.prefix, long) == history.ObjectName(windows.prefix, long+"b") {
		t.Error("two windows have one record")
	}
}

// TestFreeze: what becomes of a freeze is remembered as what becomes of a window, beside it.
func TestFreeze(t *testing.T) {
	freeze := &v1alpha1.ChangeFreeze{
		ObjectMeta: metav1.ObjectMeta{Name: "w", UID: "f", Generation: 1},
		Spec: v1alpha1.ChangeFreezeSpec{
			Reason: "Val", TimeZone: "UTC", NamespaceSelector: &metav1.LabelSelector{},
			Schedules: []v1alpha1.Schedule{{Dates: []string{"2026-12-05", "2026-12-12"}, StartTime: new("00:00"), EndTime: new("24:00")}},
		},
	}
	c := fakeClient(t, freeze, window("w", "2026-12-05"))
	r := &Reconciler{Client: c, Live: c, Source: &compile.Source{Reader: c}, Now: func() time.Time { return now }}
	look := func() *history.Record {
		t.Helper()
		if _, err := r.ReconcileFreeze(t.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Name: "w"}}); err != nil {
			t.Fatal(err)
		}
		stored := &corev1.ConfigMap{}
		key := types.NamespacedName{Namespace: policy.DefaultNamespace, Name: history.ObjectName(freezes.prefix, "w")}
		if err := client.IgnoreNotFound(c.Get(t.Context(), key, stored)); err != nil {
			t.Fatal(err)
		}
		return history.Parse(stored.Data)
	}
	bring(t, c, c, "w")
	if got := look(); got == nil || got.Sequence != 0 || got.Announced.Title != "Val" {
		t.Fatalf("at first: %+v", got)
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(freeze), freeze); err != nil {
		t.Fatal(err)
	}
	freeze.Spec.Schedules[0].Dates, freeze.Generation = []string{"2026-12-05"}, 2
	if err := c.Update(t.Context(), freeze); err != nil {
		t.Fatal(err)
	}
	if got := look(); got.Sequence != 1 || len(got.Withdrawn) != 1 || !got.ChangedAt.Equal(now) {
		t.Errorf("shortened: %+v", got)
	}
	if err := c.Delete(t.Context(), freeze); err != nil {
		t.Fatal(err)
	}
	if got := look(); got.Sequence != 2 || len(got.Withdrawn) != 2 {
		t.Errorf("deleted: %+v", got)
	}
	if got := get(t, c, "w"); got == nil || len(got.Withdrawn) != 0 {
		t.Errorf("the window of that name: %+v", got)
	}
}

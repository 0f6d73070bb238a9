package status

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/enforced"
	"fonster.dev/fonster/internal/workload"
)

// TestWindowsTimesNamespaces counts what many windows beside many namespaces cost: namespaces are read and counted once after many
// events, whatever the number of windows; only windows whose own number has changed are looked at; and their status alone is written.
func TestWindowsTimesNamespaces(t *testing.T) {
	const windows, namespaces = 300, 200
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	var objects []client.Object
	for i := range windows {
		objects = append(objects, &v1alpha1.MaintenanceWindow{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("w%03d", i), UID: types.UID(fmt.Sprint(i)), Generation: 1},
			Spec: v1alpha1.MaintenanceWindowSpec{
				TimeZone: "UTC", Schedules: []v1alpha1.Schedule{{RRule: new("FREQ=WEEKLY;BYDAY=SA"), StartTime: new("09:00"), EndTime: new("20:00")}},
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": fmt.Sprintf("t%d", i%10)}},
			},
		})
	}
	for i := range namespaces {
		labels := map[string]string{"team": fmt.Sprintf("t%d", i%10)}
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("ns%03d", i), Labels: labels}})
	}
	var readWindows, readNamespaces, writes atomic.Int64
	builder := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.MaintenanceWindow{}).WithObjects(objects...)
	c := builder.WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			switch l := list.(type) {
			case *v1alpha1.MaintenanceWindowList:
				readWindows.Add(1)
			case *metav1.PartialObjectMetadataList:
				if l.Kind == "NamespaceList" {
					readNamespaces.Add(1)
				}
			}
			return c.List(ctx, list, options...)
		},
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, options ...client.SubResourceUpdateOption) error {
			writes.Add(1)
			return c.SubResource(sub).Update(ctx, o, options...)
		},
	}).Build()
	q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer q.ShutDown()
	told := &enforced.State{}
	told.Tell(enforced.Report{})
	r := &Windows{
		Common: Common{
			Enforced: told, Client: c, Source: &compile.Source{Reader: c}, Recorder: events.NewFakeRecorder(10_000), Now: func() time.Time { return now }, View: &View{},
		},
		Support: workload.Support{Reader: c}, queue: q,
	}
	r.Source.Changes() // somebody listens
	do := func(request reconcile.Request) {
		t.Helper()
		if _, err := r.Reconcile(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	drain := func() (n int) {
		for ; q.Len() > 0; n++ {
			request, _ := q.Get()
			q.Done(request)
			do(request)
		}
		return n
	}
	expect := func(when string, counter *atomic.Int64, most int64, what string) {
		t.Helper()
		if n := counter.Swap(0); n > most {
			t.Errorf("%s: %d %s, want %d at most", when, n, what, most)
		}
	}
	for i := range windows {
		do(ctrl.Request{NamespacedName: types.NamespacedName{Name: fmt.Sprintf("w%03d", i)}})
	}
	expect("at the start", &readWindows, 1, "lists of windows")
	expect("at the start", &readNamespaces, 1, "lists of namespaces")
	expect("at the start", &writes, windows, "writes")
	do(everyone)
	drain() // what was written is looked at once more
	readWindows.Store(0)
	readNamespaces.Store(0)

	do(everyone)
	if n := drain(); n > 0 {
		t.Errorf("%d windows were looked at though nothing has changed", n)
	}
	expect("at rest", &readWindows, 1, "lists of windows")
	expect("at rest", &readNamespaces, 0, "lists of namespaces")

	handler := r.enqueueNamespaces()
	for i := range namespaces {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("new%03d", i), Labels: map[string]string{"team": "t3"}}}
		if err := c.Create(t.Context(), ns); err != nil {
			t.Fatal(err)
		}
		handler.Create(t.Context(), event.CreateEvent{Object: ns}, q)
	}
	time.Sleep(settle + 200*time.Millisecond)
	if q.Len() != 1 {
		t.Errorf("%d requests after %d events, want 1", q.Len(), namespaces)
	}
	if n := drain(); n != 1+windows/10 {
		t.Errorf("%d requests were worked on, want those of %d windows and one for all", n, windows/10)
	}
	expect("after many events", &readWindows, 1, "lists of windows")
	expect("after many events", &readNamespaces, 1, "lists of namespaces")
	expect("after many events", &writes, windows/10, "writes")
	var w v1alpha1.MaintenanceWindow
	if err := c.Get(t.Context(), types.NamespacedName{Name: "w013"}, &w); err != nil || w.Status.Namespaces != namespaces/10+namespaces {
		t.Errorf("%d namespaces, %v", w.Status.Namespaces, err)
	}
}

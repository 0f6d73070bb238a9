// Package rollout lets held rollouts go when their windows open, a few at a time, and tells when they are done. It works on the
// leader alone. All that it must remember is in the marks of the workloads and in the status of the windows: whoever takes over
// finds it there.
package rollout

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/gather"
	"fonster.dev/fonster/internal/leader"
	"fonster.dev/fonster/internal/rollout"
	"fonster.dev/fonster/internal/workload"
)

// Observer is told what became of releases and of occurrences.
type Observer interface {
	// ObserveRelease: a release of a window ended as Done, Failed, HeldAgain or Stopped.
	ObserveRelease(window, outcome string)
	// ObserveOccurrence: an occurrence of a window has ended.
	ObserveOccurrence(window string, planned, used time.Duration)
}

// Reconciler releases. Its requests are one and the same: a train is planned as a whole.
type Reconciler struct {
	Client client.Client
	// Reader reads the API itself: whole workloads are never cached.
	Reader   client.Reader
	Source   *compile.Source
	Recorder events.EventRecorder
	Observer Observer
	Now      func() time.Time
	// Lease says whether this replica leads.
	Lease *leader.Lease
	// Support says whether a policy of the API server holds and lets go; without it the operator does.
	Support workload.Support

	// written is what was written last, until the cache has it: a plan must not rest on what is older.
	mu      sync.Mutex
	written map[types.UID]written
	// checked is what was found out about a version of a workload.
	checked map[types.UID]checked
	// unbooked is what the accounts of windows lack; booked are windows as their accounts were written last.
	unbooked map[string]*change
	booked   map[string]*v1alpha1.MaintenanceWindow
}

type written struct {
	version uint64
	labels  map[string]string
}

type checked struct {
	version  string
	progress rollout.Progress
	message  string
	parked   bool      // its rollout is stopped
	until    time.Time // when to look again though it has not changed; zero: never
	// begun is since when this leader has seen it released; zero: it waits. What the object tells of that, its owner can forge.
	begun time.Time
	// told says that this leader has told that it waits.
	told bool
	// refusedUntil is how long its release is not tried again.
	refusedUntil time.Time
}

const (
	// maxWait bounds the wait for the next edge, so that a step of the clock is noticed.
	maxWait = time.Minute
	// overdue is how long other namespaces wait for one that was let go, and never gets done: as long as a Deployment has for
	// progress, if its owner says nothing. StatefulSets and DaemonSets have no such time, and owners may say 68 years.
	overdue = 10 * time.Minute
	// settle lets what happens at once be planned at once.
	settle = 20 * time.Millisecond
	// parallelism bounds the requests in flight.
	parallelism = 16
)

var train = reconcile.Request{NamespacedName: types.NamespacedName{Name: "train"}}

// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create
// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets;daemonsets,verbs=get;list;watch;patch

// SetupWithManager registers the reconciler, which works while this replica leads.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.forget()
	all := gather.Into(train, settle)
	b := ctrl.NewControllerManagedBy(mgr).Named("releases").
		Watches(&v1alpha1.MaintenanceWindow{}, all, builder.WithPredicates(predicate.Or(r.Source.Changes(), accountChanged))).
		Watches(&v1alpha1.ChangeFreeze{}, all, builder.WithPredicates(r.Source.Changes())).
		WatchesMetadata(&corev1.Namespace{}, all, builder.WithPredicates(predicate.Or(gather.Relabelled, predicate.AnnotationChangedPredicate{})))
	for _, kind := range workload.Kinds {
		b = b.WatchesMetadata(workload.Metadata(kind), all)
	}
	b = b.WatchesRawSource(leader.Began(r.Lease, func(context.Context) []reconcile.Request { return []reconcile.Request{train} }))
	return b.WithOptions(controller.Options{
		NeedLeaderElection: new(false),
		RateLimiter:        workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](20*time.Millisecond, 5*time.Second),
	}).Complete(leader.Only(r.Lease, reconcile.Reconciler(r)))
}

// accountChanged passes the updates of a window's account: of its status, all that a plan reads.
var accountChanged = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	before, was := e.ObjectOld.(*v1alpha1.MaintenanceWindow)
	after, is := e.ObjectNew.(*v1alpha1.MaintenanceWindow)
	return !was || !is || !equality.Semantic.DeepEqual(before.Status.CurrentOccurrence, after.Status.CurrentOccurrence) ||
		!equality.Semantic.DeepEqual(before.Status.LastOccurrence, after.Status.LastOccurrence)
}}

// forget begins without memory, as a new leader does.
func (r *Reconciler) forget() {
	r.written, r.checked = map[types.UID]written{}, map[types.UID]checked{}
	r.unbooked, r.booked = map[string]*change{}, map[string]*v1alpha1.MaintenanceWindow{}
}

// Reconcile plans the train as it stands now, and does what the plan says.
func (r *Reconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	now := r.Now()
	compiled, err := r.Source.Compiled(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	var windows v1alpha1.MaintenanceWindowList
	if err := r.Client.List(ctx, &windows, client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, err
	}
	r.overlay(windows.Items)
	cached := fresh{r, map[types.UID]bool{}}
	all, err := workload.List(ctx, cached, compiled, now)
	if err != nil {
		return ctrl.Result{}, err
	}
	maps.DeleteFunc(r.written, func(uid types.UID, _ written) bool { return !cached.seen[uid] })
	checkErr := r.check(ctx, all, now)
	missing, err := r.Support.Missing(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	run := &run{
		Reconciler: r, canHold: missing == "", now: now, compiled: compiled, windows: map[string]*v1alpha1.MaintenanceWindow{}, byKey: map[string]*workload.Workload{},
		unwritten: map[string]bool{},
	}
	objects := make([]rollout.Object, len(all))
	for i := range all {
		objects[i] = all[i].Object
		run.byKey[all[i].Key] = &all[i]
	}
	for i := range windows.Items {
		run.windows[windows.Items[i].Name] = &windows.Items[i]
	}
	maps.DeleteFunc(r.unbooked, func(window string, _ *change) bool { return run.windows[window] == nil })
	maps.DeleteFunc(r.booked, func(window string, _ *v1alpha1.MaintenanceWindow) bool { return run.windows[window] == nil })
	rules := workload.Windows(compiled, windows.Items, now)
	if !run.canHold { // then nothing is held again
		for name, w := range rules {
			w.PauseOnClose = false
			rules[name] = w
		}
	}
	err = run.execute(ctx, rollout.Next(objects, rules))
	next := wait(r.lookAgain(compiled.Set.Until(now)), r.Now())
	if run.replan {
		next = settle
	}
	return ctrl.Result{RequeueAfter: next}, errors.Join(checkErr, err)
}

// lookAgain is the next edge, or, where that is earlier, when some rollout is to be looked at again though nothing has changed.
func (r *Reconciler) lookAgain(edge time.Time) time.Time {
	for _, c := range r.checked {
		if !c.until.IsZero() && (edge.IsZero() || c.until.Before(edge)) {
			edge = c.until
		}
	}
	return edge
}

// wait is how long to sleep until the next edge; never zero, which would mean not at all.
func wait(until, now time.Time) time.Duration {
	if until.IsZero() {
		return maxWait
	}
	return max(min(until.Sub(now), maxWait), time.Millisecond)
}

// overlay puts what was booked over windows of which the cache has not heard it: a train that was stopped goes on in no plan.
func (r *Reconciler) overlay(windows []v1alpha1.MaintenanceWindow) {
	for i := range windows {
		mw := &windows[i]
		booked := r.booked[mw.Name]
		switch {
		case booked == nil:
		case booked.UID == mw.UID && versionOf(mw.ResourceVersion) < versionOf(booked.ResourceVersion):
			*mw = *booked.DeepCopy()
		default:
			delete(r.booked, mw.Name)
		}
	}
}

// fresh is the cache, with what was written since laid over it.
type fresh struct {
	r    *Reconciler
	seen map[types.UID]bool // what the cache has: what it has no longer, it has caught up with
}

// Get implements client.Reader.
func (f fresh) Get(ctx context.Context, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
	return f.r.Client.Get(ctx, key, o, options...)
}

// List implements client.Reader.
func (f fresh) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if err := f.r.Client.List(ctx, list, options...); err != nil {
		return err
	}
	found, ok := list.(*metav1.PartialObjectMetadataList)
	if !ok || found.Kind == "NamespaceList" {
		return nil
	}
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	kept := make([]metav1.PartialObjectMetadata, 0, len(found.Items))
	for _, o := range found.Items {
		f.seen[o.UID] = true
		w, have := f.r.written[o.UID]
		if have && versionOf(o.ResourceVersion) < w.version {
			o.Labels, o.ResourceVersion = w.labels, strconv.FormatUint(w.version, 10)
		} else if have {
			delete(f.r.written, o.UID)
		}
		if o.Labels[v1alpha1.HeldLabel] != "" {
			kept = append(kept, o)
		}
	}
	found.Items = kept
	return nil
}

// versionOf reads a resourceVersion: KEP-5504 lets clients compare them.
func versionOf(resourceVersion string) uint64 {
	n, _ := strconv.ParseUint(resourceVersion, 10, 64)
	return n
}

// wrote remembers what an object has become.
func (r *Reconciler) wrote(o metav1.Object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.written[o.GetUID()] = written{versionOf(o.GetResourceVersion()), o.GetLabels()}
}

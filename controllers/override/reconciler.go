package override

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/internal/leader"
	"fonster.dev/fonster/internal/override"
	"fonster.dev/fonster/internal/write"
)

const fieldManager = write.FieldManager

// Reconciler records the overrides of workloads and namespaces in the status of the windows that they pass, and ends them. The
// API server refuses after their end by itself; what is noted here as used up never passes again.
type Reconciler struct {
	Client client.Client
	// Live reads past the caches: a record that was written a moment ago must be seen. Overrides are rare.
	Live     client.Reader
	Store    *Store
	Source   *compile.Source
	Recorder events.EventRecorder
	// Lease says whether this replica leads.
	Lease *leader.Lease
	Now   func() time.Time
	// Observe is told of each override that is recorded for a window.
	Observe func(window string)

	// deleted holds, by Request, what was last known of an object that is gone, until its record is closed.
	deleted sync.Map
}

// Request names an object of one of kinds.
type Request struct {
	Kind schema.GroupVersionKind
	types.NamespacedName
}

// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets;daemonsets,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=maintenance.fonster.dev,resources=maintenancewindows/status,verbs=update

// SetupWithManager registers the reconciler. It works while this replica leads; a write carries the resourceVersion that it was worked
// out from, so that of two leaders one makes each change, and tells of it.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	c, err := controller.NewTyped("overrides", mgr, controller.TypedOptions[Request]{
		Reconciler:         leader.Only(r.Lease, reconcile.TypedReconciler[Request](r)),
		NeedLeaderElection: new(false),
		RateLimiter:        workqueue.NewTypedItemExponentialFailureRateLimiter[Request](20*time.Millisecond, 10*time.Second),
	})
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		type queue = workqueue.TypedRateLimitingInterface[Request]
		request := func(o *metav1.PartialObjectMetadata) Request {
			return Request{Kind: kind, NamespacedName: client.ObjectKeyFromObject(o)}
		}
		enqueue := handler.TypedFuncs[*metav1.PartialObjectMetadata, Request]{
			CreateFunc: func(_ context.Context, e event.TypedCreateEvent[*metav1.PartialObjectMetadata], q queue) {
				q.Add(request(e.Object))
			},
			UpdateFunc: func(_ context.Context, e event.TypedUpdateEvent[*metav1.PartialObjectMetadata], q queue) {
				q.Add(request(e.ObjectNew))
			},
			DeleteFunc: func(_ context.Context, e event.TypedDeleteEvent[*metav1.PartialObjectMetadata], q queue) {
				if r.Lease.Had() { // or whoever leads records its end
					r.deleted.Store(request(e.Object), e.Object)
				}
				q.Add(request(e.Object))
			},
		}
		if err := c.Watch(source.TypedKind(r.Store.cache, metadata(kind), enqueue)); err != nil {
			return err
		}
	}
	return c.Watch(leader.Began(r.Lease, r.all))
}

// all are the requests of a leader that begins: what carries an override, and what stands by the record of a window, as it may have
// gone while none led.
func (r *Reconciler) all(ctx context.Context) (requests []Request) {
	marked, err := r.Store.list(ctx)
	for _, o := range marked {
		requests = append(requests, Request{Kind: o.GroupVersionKind(), NamespacedName: client.ObjectKeyFromObject(o)})
	}
	var windows v1alpha1.MaintenanceWindowList
	if err := errors.Join(err, r.Client.List(ctx, &windows, client.UnsafeDisableDeepCopy)); err != nil {
		log.FromContext(ctx).Error(err, "Reading what is overridden")
	}
	for i := range windows.Items {
		for _, object := range standing(windows.Items[i].Status.Overrides) {
			if request, known := requestFor(object); known {
				requests = append(requests, request)
			}
		}
	}
	return requests
}

// requestFor is the request for an object as a record names it.
func requestFor(object string) (Request, bool) {
	kind, namespace, name := override.ParseObjectName(object)
	i := slices.IndexFunc(kinds, func(k schema.GroupVersionKind) bool { return k.Kind == kind })
	if i < 0 {
		return Request{}, false
	}
	return Request{Kind: kinds[i], NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}, true
}

// Reconcile brings the record of one object's override up to date, and ends it at its end.
func (r *Reconciler) Reconcile(ctx context.Context, request Request) (reconcile.Result, error) {
	now := r.Now()
	object, err := r.Store.get(ctx, request.Kind, request.NamespacedName)
	if err != nil {
		return ctrl.Result{}, err
	}
	compiled, err := r.Source.Compiled(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	if object == nil {
		return ctrl.Result{}, r.closeDeleted(ctx, request, compiled, now)
	}
	if compiled.Operator.Protected(cmp.Or(object.Namespace, object.Name)) { // nothing is governed there, and nothing is ours to write
		return ctrl.Result{}, nil
	}
	g, err := governing(ctx, r.Client, object, compiled)
	if err != nil {
		return ctrl.Result{}, err
	}
	d := decide(object, g, now)
	if d.record != nil {
		err := r.writeRecords(ctx, g.windows, func(list []v1alpha1.OverrideRecord) ([]v1alpha1.OverrideRecord, bool) {
			return note(list, *d.record, object, now)
		}, func(window *v1alpha1.MaintenanceWindow) { r.tell(ctx, window, object, *d.record, now) })
		if err != nil {
			return ctrl.Result{}, err
		}
	}
	if err := r.patch(ctx, object, d); err != nil {
		if apierrors.IsConflict(err) { // it has changed: the change comes by itself
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if d.next.IsZero() {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{RequeueAfter: max(min(d.next.Sub(now), time.Minute), time.Millisecond)}, nil
}

// closeDeleted records the end of the override of an object that is gone; or that was cleaned up, and then nothing is open, unless
// by somebody else while no leader ran.
func (r *Reconciler) closeDeleted(ctx context.Context, request Request, compiled *compile.Compiled, now time.Time) error {
	how := v1alpha1.OverrideDeleted
	live := metadata(request.Kind)
	switch err := r.Live.Get(ctx, request.NamespacedName, live); {
	case apierrors.IsNotFound(err):
	case err != nil:
		return err
	case live.Labels[v1alpha1.OverriddenLabel] != "": // the cache is behind, and will tell
		return nil
	default:
		how = v1alpha1.OverrideRemoved
	}
	if last, known := r.deleted.Load(request); known {
		o := last.(*metav1.PartialObjectMetadata).DeepCopy()
		o.SetGroupVersionKind(request.Kind)
		if current := override.Parse(o); current.Stands(now) {
			g, err := governing(ctx, r.Client, o, compiled)
			if err != nil {
				return err
			}
			d := record(o, current, now, now)
			end(d, now, how)
			if !d.From.Time.Before(g.since) { // as decide has it: an earlier one never stood
				err = r.writeRecords(ctx, g.windows, func(list []v1alpha1.OverrideRecord) ([]v1alpha1.OverrideRecord, bool) {
					return note(list, *d, o, now)
				}, nil)
			}
			if err != nil {
				return err
			}
		}
	}
	gone := override.ObjectName(request.Kind.Kind, request.Namespace, request.Name)
	err := r.writeRecords(ctx, compiled.Names("MaintenanceWindow"), func(list []v1alpha1.OverrideRecord) ([]v1alpha1.OverrideRecord, bool) {
		return closeAll(list, gone, how, now), false
	}, nil)
	if err == nil {
		r.deleted.Delete(request)
	}
	return err
}

// governing says what refuses changes of an object, or of something in a namespace; overridable freezes count in how long an
// override stands.
func governing(
	ctx context.Context, reader client.Reader, o *metav1.PartialObjectMetadata, compiled *compile.Compiled,
) (g governed, err error) {
	namespace, objectLabels := o.Name, labels.Set(nil)
	namespaceLabels := o.Labels
	if o.Namespace != "" {
		ns := metadata(corev1.SchemeGroupVersion.WithKind("Namespace"))
		if err := reader.Get(ctx, types.NamespacedName{Name: o.Namespace}, ns); err != nil {
			return g, client.IgnoreNotFound(err)
		}
		namespace, namespaceLabels, objectLabels = o.Namespace, ns.Labels, o.Labels
	}
	if compiled.Operator.Protected(namespace) {
		return g, nil
	}
	shorten := func(d time.Duration) {
		if g.longest == 0 || d < g.longest {
			g.longest = d
		}
	}
	all := compiled.Set.Of(namespaceLabels)
	if all == nil {
		return g, nil
	}
	selects := func(t gate.Target) bool { return o.Namespace == "" || t.Objects.Matches(objectLabels) }
	for _, w := range all.Windows {
		if w.Enforcement == gate.Warn || !selects(w.Target) {
			continue
		}
		var mw v1alpha1.MaintenanceWindow
		if err := reader.Get(ctx, types.NamespacedName{Name: w.Name}, &mw); apierrors.IsNotFound(err) { // gone a moment ago
			continue
		} else if err != nil {
			return governed{}, err
		}
		if created := mw.CreationTimestamp.Time; len(g.windows) == 0 || created.Before(g.since) {
			g.since = created
		}
		g.windows = append(g.windows, w.Name)
		shorten(w.MaxOverride)
	}
	for _, f := range all.Freezes {
		if f.Overridable && f.Enforcement != gate.Warn && selects(f.Target) {
			shorten(f.MaxOverride)
		}
	}
	return g, nil
}

// writeRecords changes the records of windows, where change has something to change; and tells of each that it added. A window
// that somebody else wrote meanwhile is an error, and tried again.
func (r *Reconciler) writeRecords(ctx context.Context, windows []string, change func([]v1alpha1.OverrideRecord) ([]v1alpha1.OverrideRecord, bool), tell func(*v1alpha1.MaintenanceWindow)) error {
	for _, name := range windows {
		var mw v1alpha1.MaintenanceWindow
		if err := r.Live.Get(ctx, types.NamespacedName{Name: name}, &mw); err != nil {
			if apierrors.IsNotFound(err) {
				continue
			}
			return err
		}
		records, added := change(mw.Status.Overrides)
		if records == nil {
			continue
		}
		update := mw.DeepCopy()
		update.Status.Overrides = records
		if err := write.Status(ctx, r.Client, update); err != nil {
			return fmt.Errorf("window %s: %w", name, err)
		}
		r.tellEnded(&mw, records)
		if added {
			r.Observe(name)
			if tell != nil {
				tell(&mw)
			}
		}
	}
	return nil
}

// maxEventText is how much of a reason an Event has room for: its note takes 1,024 bytes in all.
const maxEventText = 100

// tell tells of an override in Events: of each window that it passes, and of the object once.
func (r *Reconciler) tell(
	ctx context.Context, window *v1alpha1.MaintenanceWindow, o *metav1.PartialObjectMetadata, record v1alpha1.OverrideRecord, now time.Time,
) {
	note := fmt.Sprintf("%s is overridden by %s until %s: %s",
		record.Object, clip(record.By, maxEventText), record.Until.UTC().Format(time.RFC3339), clip(record.Reason, maxEventText))
	r.Recorder.Eventf(window, o, corev1.EventTypeWarning, v1alpha1.ReasonOverridden, "Override", "%s", note)
	event := eventsv1.Event{Type: corev1.EventTypeWarning, Reason: v1alpha1.ReasonOverridden, Action: "Override", Note: note}
	if err := write.Event(ctx, r.Client, o, record.From.UTC().Format(time.RFC3339)+record.Reason, event, now); err != nil {
		log.FromContext(ctx).Error(err, "An Event is lost", "object", record.Object)
	}
}

// tellEnded tells, in Events of a window, of the overrides that have ended since its status was written.
func (r *Reconciler) tellEnded(window *v1alpha1.MaintenanceWindow, records []v1alpha1.OverrideRecord) {
	for _, record := range records {
		known := slices.ContainsFunc(window.Status.Overrides, func(e v1alpha1.OverrideRecord) bool {
			return e.Object == record.Object && e.Reason == record.Reason && e.From.Equal(&record.From) && e.EndedAt != nil
		})
		if record.EndedAt != nil && !known {
			r.Recorder.Eventf(window, nil, corev1.EventTypeNormal, v1alpha1.ReasonOverrideEnded, "Override", "the override of %s has ended (%s): %s", record.Object, record.Ended, clip(record.Reason, maxEventText))
		}
	}
}

// patch writes a decision into the object, if it is still the one that was decided about.
func (r *Reconciler) patch(ctx context.Context, o *metav1.PartialObjectMetadata, d decision) error {
	annotations, marks := map[string]any{}, map[string]any{}
	switch {
	case d.end:
		annotations[override.Spent], marks[v1alpha1.OverrideSpentLabel] = override.Parse(o).Spend(), "true"
		fallthrough
	case d.clean:
		annotations[override.Until], annotations[override.By], annotations[override.From] = nil, nil, nil
		marks[v1alpha1.OverriddenLabel] = nil
	case !d.until.IsZero():
		annotations[override.Until] = d.until.UTC().Format(time.RFC3339)
	default:
		return nil
	}
	content, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": o.ResourceVersion, "annotations": annotations, "labels": marks,
	}})
	if err != nil {
		return err
	}
	target := metadata(o.GroupVersionKind())
	target.Namespace, target.Name = o.Namespace, o.Name
	if err := r.Client.Patch(ctx, target, client.RawPatch(types.MergePatchType, content), client.FieldOwner(fieldManager)); err != nil {
		return err
	}
	if (d.end || d.clean) && d.record != nil {
		r.Recorder.Eventf(o, nil, corev1.EventTypeNormal, v1alpha1.ReasonOverrideEnded, "Override", "the override of %s has ended: %s", d.record.Object, clip(d.record.Reason, maxEventText))
	}
	return nil
}

// Package history keeps, for each window and freeze, a record of what was announced, so that the page can tell what was
// cancelled or moved: one ConfigMap in the operator's namespace. Nothing is gated by it. It runs on every replica; a write carries
// the resourceVersion that it was worked out from, so that of several replicas one makes each change. Windows and freezes carry no
// finalizer: one that is gone is known by the record it left.
package history

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/history"
)

const (
	// again is when to come back after another replica was first.
	again = 100 * time.Millisecond
	// maxWait bounds the wait for a record to expire, so that a step of the clock is noticed.
	maxWait = time.Hour
)

// +kubebuilder:rbac:groups="",resources=configmaps,namespace=fonster-system,verbs=get;list;watch;create;update;delete

// kind is what records are kept of: windows or freezes.
type kind struct {
	annotation string
	// prefix begins the names of the records. None begins another's, so that a window and a freeze never share one.
	prefix string
}

var (
	windows = kind{v1alpha1.AnnouncedWindowAnnotation, history.WindowPrefix}
	freezes = kind{v1alpha1.AnnouncedFreezeAnnotation, history.FreezePrefix}
)

// Reconciler writes records. Reconcile is that of a window, ReconcileFreeze that of a freeze.
type Reconciler struct {
	Client client.Client
	// Live reads from the API server. A cache may be behind the record that another replica has written, and would take a window
	// that it has not heard of for one that was deleted: so whatever is written is worked out from a live read.
	Live   client.Reader
	Source *compile.Source
	Now    func() time.Time
}

// SetupWithManager registers both reconcilers.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	options := func() controller.Options {
		return controller.Options{
			NeedLeaderElection: new(false),
			RateLimiter:        workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](50*time.Millisecond, time.Minute),
		}
	}
	return errors.Join(
		ctrl.NewControllerManagedBy(mgr).Named("announcements").
			For(&v1alpha1.MaintenanceWindow{}, builder.WithPredicates(r.Source.Changes())).
			Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(windows.of)).
			Watches(&v1alpha1.ChangeFreeze{}, handler.EnqueueRequestsFromMapFunc(r.windowsUnder), builder.WithPredicates(r.Source.Changes())).
			WithOptions(options()).
			Complete(r),
		ctrl.NewControllerManagedBy(mgr).Named("announced-freezes").
			For(&v1alpha1.ChangeFreeze{}, builder.WithPredicates(r.Source.Changes())).
			Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(freezes.of)).
			WithOptions(options()).
			Complete(reconcile.Func(r.ReconcileFreeze)))
}

// of is what a record is of.
func (k kind) of(_ context.Context, object client.Object) []reconcile.Request {
	if name := object.GetAnnotations()[k.annotation]; name != "" {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: name}}}
	}
	return nil
}

// windowsUnder are the windows that a freeze lies over.
func (r *Reconciler) windowsUnder(ctx context.Context, object client.Object) []reconcile.Request {
	cf, isFreeze := object.(*v1alpha1.ChangeFreeze)
	compiled, err := r.Source.Compiled(ctx)
	if err != nil || !isFreeze {
		return nil // the cache is not filled yet: every window comes by itself
	}
	freeze, problems := compile.Always(cf)
	if !problems.HasTarget() {
		return nil
	}
	var requests []reconcile.Request
	for name, w := range compiled.Windows {
		if w.Problems.HasTarget() && w.BlockedBy(freeze) {
			requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Name: name}})
		}
	}
	return requests
}

// Reconcile brings the record of one window up to date.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var window *v1alpha1.MaintenanceWindow
	now := r.Now()
	next, result, err := r.keep(ctx, windows, req.Name, func(reader client.Reader, old *history.Record) (*history.Record, error) {
		var over history.Over
		var err error
		if window, over, err = r.read(ctx, reader, req.Name, old == nil); err != nil {
			return nil, err
		}
		return history.Next(old, window, over, now), nil
	})
	if err != nil || !result.IsZero() {
		return result, err
	}
	return wait(next, window, now), nil
}

// ReconcileFreeze brings the record of one freeze up to date.
func (r *Reconciler) ReconcileFreeze(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	now := r.Now()
	next, result, err := r.keep(ctx, freezes, req.Name, func(reader client.Reader, old *history.Record) (*history.Record, error) {
		freeze := &v1alpha1.ChangeFreeze{}
		if err := reader.Get(ctx, req.NamespacedName, freeze); client.IgnoreNotFound(err) != nil {
			return nil, err
		} else if err != nil || !freeze.DeletionTimestamp.IsZero() {
			freeze = nil
		}
		return history.NextFreeze(old, freeze, now), nil
	})
	if err != nil || !result.IsZero() {
		return result, err
	}
	return wait(next, nil, now), nil
}

// keep stores what next makes of a record, by the cache and then, where that changes anything, by a live read. A result that is
// not zero says when to try again.
func (r *Reconciler) keep(ctx context.Context, k kind, name string, next func(client.Reader, *history.Record) (*history.Record, error)) (*history.Record, ctrl.Result, error) {
	stored := &corev1.ConfigMap{}
	key := types.NamespacedName{Namespace: r.Source.Operator.In(), Name: history.ObjectName(k.prefix, name)}
	if err := client.IgnoreNotFound(r.Client.Get(ctx, key, stored)); err != nil {
		return nil, ctrl.Result{}, err
	}
	old := history.Parse(stored.Data)
	var after *history.Record
	for _, reader := range []client.Reader{r.Client, r.Live} {
		var err error
		if after, err = next(reader, old); err != nil {
			return nil, ctrl.Result{}, err
		}
		if after == old && (after != nil || stored.ResourceVersion == "") {
			return after, ctrl.Result{}, nil
		}
	}
	switch err := r.write(ctx, stored, k, name, after); {
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err):
		return nil, ctrl.Result{RequeueAfter: again}, nil // another replica was first, or the cache is a moment behind
	case err != nil:
		return nil, ctrl.Result{}, err
	}
	return after, ctrl.Result{}, nil
}

// read returns a window, nil where there is none or it is on its way out, and the freezes over it. first says that nothing is known of
// it yet.
func (r *Reconciler) read(ctx context.Context, reader client.Reader, name string, first bool) (*v1alpha1.MaintenanceWindow, history.Over, error) {
	window, over := &v1alpha1.MaintenanceWindow{}, history.Over{}
	if err := reader.Get(ctx, types.NamespacedName{Name: name}, window); err != nil {
		return nil, over, client.IgnoreNotFound(err)
	}
	if !window.DeletionTimestamp.IsZero() {
		return nil, over, nil
	}
	var freezes v1alpha1.ChangeFreezeList
	if first { // of a first record the cache may be behind: what it lacks comes, and changes the record then
		reader = r.Client
	}
	if err := reader.List(ctx, &freezes, client.UnsafeDisableDeepCopy); err != nil {
		return nil, over, err
	}
	return window, history.OverOf(window, freezes.Items), nil
}

func (r *Reconciler) write(ctx context.Context, stored *corev1.ConfigMap, k kind, name string, next *history.Record) error {
	if next == nil {
		return r.Client.Delete(ctx, stored, client.Preconditions{ResourceVersion: &stored.ResourceVersion})
	}
	data, err := next.Data()
	if err != nil {
		return reconcile.TerminalError(err)
	}
	object := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.Source.Operator.In(), Name: history.ObjectName(k.prefix, name),
			Labels:      map[string]string{v1alpha1.AnnouncedLabel: "true", v1alpha1.ManagedByLabel: v1alpha1.ManagedBy},
			Annotations: map[string]string{k.annotation: name},
		},
		Data: data,
	}
	if stored.ResourceVersion == "" {
		return r.Client.Create(ctx, object)
	}
	object.ResourceVersion = stored.ResourceVersion
	return r.Client.Update(ctx, object)
}

// wait comes back when the record changes by itself: something in it expires, or an occurrence ends that was closed by a clock
// which is ahead.
func wait(r *history.Record, window *v1alpha1.MaintenanceWindow, now time.Time) ctrl.Result {
	if r == nil {
		return ctrl.Result{}
	}
	next := r.Expires()
	if window != nil {
		for _, closed := range compile.Closed(window) {
			if closed.Start.After(now) && (next.IsZero() || closed.Start.Before(next)) {
				next = closed.Start
			}
		}
	}
	if next.IsZero() {
		return ctrl.Result{}
	}
	return ctrl.Result{RequeueAfter: min(max(next.Sub(now), again), maxWait)}
}

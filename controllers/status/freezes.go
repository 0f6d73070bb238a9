package status

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/internal/gather"
	"fonster.dev/fonster/internal/workload"
)

// Freezes writes the status of ChangeFreezes.
type Freezes struct {
	Common
	queue queue
}

// SetupWithManager registers the reconciler.
func (r *Freezes) SetupWithManager(mgr ctrl.Manager) error {
	b := ctrl.NewControllerManagedBy(mgr).Named("freeze-status").
		For(&v1alpha1.ChangeFreeze{}, builder.WithPredicates(r.Source.Changes())).
		WatchesMetadata(&corev1.Namespace{}, r.enqueueNamespaces(), builder.WithPredicates(gather.Relabelled)).
		WatchesRawSource(source.Func(func(_ context.Context, q queue) error { r.queue = q; return nil }))
	for _, kind := range workload.Kinds {
		b = b.WatchesMetadata(workload.Metadata(kind), r.enqueueOf(func(v gate.Verdict) []string {
			if v.Freeze == "" {
				return nil
			}
			return []string{v.Freeze}
		}), builder.WithPredicates(predicate.LabelChangedPredicate{}))
	}
	return b.WatchesRawSource(r.enforcement()).WithOptions(options()).Complete(r)
}

// Reconcile writes the status of one freeze where it has changed, and comes back at its next edge.
func (r *Freezes) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	now := r.Now()
	if req == everyone {
		return ctrl.Result{RequeueAfter: maxWait}, r.lookOver(ctx)
	}
	if _, known := r.Enforced.Report(); !known {
		return ctrl.Result{}, nil // the first report wakes everyone, so that each status is written once
	}
	var cf v1alpha1.ChangeFreeze
	if err := r.Client.Get(ctx, req.NamespacedName, &cf, &client.GetOptions{UnsafeDisableDeepCopy: new(true)}); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	view, ready, err := r.View.freeze(ctx, &r.Common, cf.Name, now)
	if err != nil || !ready {
		return ctrl.Result{RequeueAfter: again}, err
	}
	status, until := freezeStatus(&cf, view, now)
	keepsBack(&cf, &status, view.waiting, now)
	r.setEnforced(&status.Conditions, cf.Generation, view.governs, now)
	if equality.Semantic.DeepEqual(cf.Status, status) {
		return result(until, now), nil
	}
	update := cf.DeepCopy() // it is the cache's
	update.Status = status
	return r.write(ctx, update, func() { r.emit(&cf, status) }, result(until, now))
}

// lookOver asks for every freeze.
func (r *Freezes) lookOver(ctx context.Context) error {
	var freezes v1alpha1.ChangeFreezeList
	if err := r.Client.List(ctx, &freezes, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	for i := range freezes.Items {
		r.queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: freezes.Items[i].Name}})
	}
	return nil
}

// freezeStatus is the status of a freeze at now, and when it changes by itself.
func freezeStatus(cf *v1alpha1.ChangeFreeze, view glance, now time.Time) (v1alpha1.ChangeFreezeStatus, time.Time) {
	freeze := view.compiled.Freezes[cf.Name]
	state, until, _ := view.compiled.Set.Freeze(cf.Name, now)
	status := *cf.Status.DeepCopy()
	status.ObservedGeneration = cf.Generation
	status.Namespaces = int32(view.namespaces.n)
	status.StartsAt, status.EndsAt = apiTime(state.StartsAt), apiTime(state.EndsAt)
	status.Upcoming = occurrences(gate.Upcoming(freeze.Schedule, now, v1alpha1.MaxUpcoming), cf.CreationTimestamp)
	setConditions(&status.Conditions, cf.Generation, now,
		ready(freeze.Problems, freeze.Schedule, now, "; the freeze is in force until this is corrected", "read",
			everybody(freeze.Target, cf.Spec.Audiences)...),
		activeCondition(freeze, state),
		governing(freeze.Target, view.namespaces),
	)
	return status, until
}

// keepsBack tells what waits while the freeze is in force, also what no window governs any more: nothing waits that no condition
// names.
func keepsBack(cf *v1alpha1.ChangeFreeze, status *v1alpha1.ChangeFreezeStatus, names []string, now time.Time) {
	if len(names) == 0 {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionHolding)
		return
	}
	setConditions(&status.Conditions, cf.Generation, now, holding(names))
}

func activeCondition(freeze compile.CompiledFreeze, state gate.FreezeState) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionActive}
	switch {
	case !freeze.Problems.HasTarget():
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, v1alpha1.ReasonNotReady, "nothing is governed: "+unread(freeze.Problems)
	case len(freeze.Problems) > 0:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonFreezeActive, "in force: "+unread(freeze.Problems)
	case state.Active && state.EndsAt.IsZero():
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonFreezeActive, "in force until changed or deleted"
	case state.Active:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonFreezeActive, "ends "+compile.Human(state.EndsAt)
	case state.StartsAt.IsZero():
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, v1alpha1.ReasonFreezeInactive, "no coming freeze"
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, v1alpha1.ReasonFreezeInactive, "begins "+compile.Human(state.StartsAt)
	}
	return c
}

// emit tells of the transitions that the status write made.
func (r *Freezes) emit(cf *v1alpha1.ChangeFreeze, after v1alpha1.ChangeFreezeStatus) {
	before := cf.Status.Conditions
	r.emitFalse(cf, before, after.Conditions, v1alpha1.ConditionReady, v1alpha1.ConditionEnforced, v1alpha1.ConditionGoverning)
	r.emitTurn(cf, before, after.Conditions, v1alpha1.ConditionActive)
}

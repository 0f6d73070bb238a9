package gate

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/write"
)

// untracked takes away the notes of who wrote which field of a Gate, and keeps them away until somebody applies it: nobody needs them, and
// the API server converts all of a Gate for each request that it decides by it. An object is always created with them.
var untracked = []metav1.ManagedFieldsEntry{{}}

// tracked says that a Gate has such notes. The cache keeps no more of them than that there are some.
var tracked = predicate.NewPredicateFuncs(func(o client.Object) bool { return len(o.GetManagedFields()) > 0 })

// setupTrim has Gates rewritten without notes of their fields one after the other, so that thousands that are new keep no edge waiting.
func (r *Reconciler) setupTrim(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).Named("gate-fields").
		For(&v1alpha1.Gate{}, builder.WithPredicates(tracked)).
		WithOptions(controller.Options{
			NeedLeaderElection: new(false),
			RateLimiter:        workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Second, 5*time.Minute), // nothing waits for it
		}).
		Complete(reconcile.Func(r.trim))
}

// trim rewrites a Gate without notes of its fields, if it is still the one that the cache has: of what has changed meanwhile an event tells.
func (r *Reconciler) trim(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	gate := &v1alpha1.Gate{}
	if err := r.Client.Get(ctx, request.NamespacedName, gate); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if len(gate.ManagedFields) == 0 {
		return ctrl.Result{}, nil
	}
	gate.ManagedFields = untracked
	if err := r.Client.Update(ctx, gate, client.FieldOwner(write.FieldManager)); err != nil && !apierrors.IsConflict(err) {
		return ctrl.Result{}, gone(fmt.Errorf("trimming the gate: %w", err))
	}
	return ctrl.Result{}, nil
}

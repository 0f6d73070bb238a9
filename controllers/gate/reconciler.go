// Package gate writes the Gate of each governed namespace, and the label by which policies look at the namespace. It runs on every
// replica, without leader election: what it writes depends only on windows, freezes, namespaces and the time, so two writers agree.
package gate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/enforced"
	"fonster.dev/fonster/internal/gather"
	"fonster.dev/fonster/internal/workload"
)

// Reconciler keeps all Gates as windows and freezes say. A window may govern every namespace, and an edge changes all of them at once, the
// closing ones first: so there is one request for all.
type Reconciler struct {
	Client client.Client
	Source *compile.Source
	Now    func() time.Time
	// Support says whether rollouts can be held: where not, Hold is enforced as Deny.
	Support workload.Support
	// Exempt is who passes every gate, besides the control plane; nil: nobody.
	Exempt *v1alpha1.GateExempt
	// Enforced is told what keeps windows and freezes from being enforced.
	Enforced *enforced.State
	// ObserveTransition is told how long after a schedule's edge a Gate was written.
	ObserveTransition func(delay time.Duration)

	// edge is the next instant at which some gate changes, as of the last reconcile; zero before the first.
	edge time.Time
	// wait is how long to wait before trying again what could not be written.
	wait time.Duration
}

const (
	// maxWait bounds the wait for the next edge, so that a step of the clock is noticed.
	maxWait = time.Minute
	// again is when to look again at what is still being worked out, and at what somebody else has written, of which an event tells.
	again = 50 * time.Millisecond
	// settle lets what changes at once be written at once; an edge never waits for it.
	settle = 20 * time.Millisecond
	// firstRetry and lastRetry bound the wait before trying again what could not be written.
	firstRetry, lastRetry = 10 * time.Millisecond, 5 * time.Second
	// writers bounds the writes in flight at an edge.
	writers = 16
)

var everything = reconcile.Request{NamespacedName: types.NamespacedName{Name: "gates"}}

// +kubebuilder:rbac:groups=maintenance.fonster.dev,resources=maintenancewindows;changefreezes,verbs=get;list;watch
// +kubebuilder:rbac:groups=maintenance.fonster.dev,resources=gates,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingadmissionpolicies;mutatingadmissionpolicies,verbs=get;list;watch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingadmissionpolicybindings;mutatingadmissionpolicybindings,verbs=get;list;watch

// SetupWithManager registers the reconciler.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	all := gather.Into(everything, settle)
	changed := builder.WithPredicates(r.Source.Changes())
	b := ctrl.NewControllerManagedBy(mgr).Named("gates").
		Watches(&v1alpha1.MaintenanceWindow{}, all, changed).
		Watches(&v1alpha1.ChangeFreeze{}, all, changed).
		Watches(&v1alpha1.Gate{}, all, builder.WithPredicates(rewritten)).
		WatchesMetadata(&corev1.Namespace{}, all, builder.WithPredicates(predicate.LabelChangedPredicate{}))
	for _, installed := range r.Support.Policies() {
		b = b.Watches(installed, all, builder.WithPredicates(enforced.Changes))
	}
	return errors.Join(b.WithOptions(options()).Complete(r), r.setupTrim(mgr))
}

// rewritten lets through changes of what the operator writes into a Gate: not that one is trimmed.
var rewritten = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	before, after := e.ObjectOld, e.ObjectNew
	return before.GetUID() != after.GetUID() || before.GetGeneration() != after.GetGeneration() ||
		(before.GetDeletionTimestamp() == nil) != (after.GetDeletionTimestamp() == nil) ||
		!maps.Equal(before.GetLabels(), after.GetLabels()) ||
		!equality.Semantic.DeepEqual(before.GetOwnerReferences(), after.GetOwnerReferences())
}}

// Reconcile brings Gates and labels to what they should be now, and comes back at the next edge.
func (r *Reconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	now := r.Now()
	compiled, err := r.Source.Compiled(ctx)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("reading windows and freezes: %w", err)
	}
	live, err := r.live(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	missing, changed, err := enforced.Installed(ctx, r.Client, r.Support.Mutating)
	if err != nil {
		return ctrl.Result{}, err
	}
	cannotHold, err := r.Support.Missing(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	plan := newPlan(compiled, live, r.Exempt, cannotHold == "", now)
	done := r.execute(ctx, plan, r.edge, now)
	report := enforced.Report{Missing: missing, Changed: changed, Gates: done.problems, Omitted: plan.omitted}
	r.tell(ctx, report)
	if report.Failed() { // the edge stands: what is written later is late since then
		r.wait = min(max(2*r.wait, firstRetry), lastRetry)
		return ctrl.Result{RequeueAfter: r.wait}, nil
	}
	r.wait = 0
	if done.behind { // the edge stands here too: the cache will tell whether it has been written
		return ctrl.Result{RequeueAfter: again}, nil
	}
	r.edge = plan.until
	after := wait(plan.until, r.Now())
	if compiled.Pending { // those that are ready are written, and wait for no other
		after = min(after, again)
	}
	return ctrl.Result{RequeueAfter: after}, nil
}

// tell reports what keeps windows and freezes from being enforced, and logs it when it has changed: not at each retry.
func (r *Reconciler) tell(ctx context.Context, report enforced.Report) {
	before, known := r.Enforced.Report()
	if !r.Enforced.Tell(report) {
		return
	}
	switch {
	case !report.WellEnforced():
		log.FromContext(ctx).Info("not all that windows and freezes say is enforced", "missing", report.Missing, "changed", report.Changed,
			"gates", report.Gates, "omitted", report.Omitted)
	case known && !before.WellEnforced():
		log.FromContext(ctx).Info("all that windows and freezes say is enforced again")
	}
}

// wait is how long to sleep until the next edge; never zero, which would mean not at all.
func wait(until, now time.Time) time.Duration {
	if until.IsZero() {
		return maxWait
	}
	return max(min(until.Sub(now), maxWait), time.Millisecond)
}

// live is what the cluster has: namespaces, and the Gate in each that has one; trials are the second ones, of what audits.
type live struct {
	namespaces    []metav1.PartialObjectMetadata
	gates, trials map[string]*v1alpha1.Gate
}

func (r *Reconciler) live(ctx context.Context) (live, error) {
	var gates v1alpha1.GateList
	if err := r.Client.List(ctx, &gates, client.UnsafeDisableDeepCopy); err != nil {
		return live{}, fmt.Errorf("reading gates: %w", err)
	}
	result := live{gates: make(map[string]*v1alpha1.Gate, len(gates.Items)), trials: map[string]*v1alpha1.Gate{}}
	for i := range gates.Items {
		if g := &gates.Items[i]; g.Name == v1alpha1.AuditGateName {
			result.trials[g.Namespace] = g
		} else {
			result.gates[g.Namespace] = g
		}
	}
	var namespaces metav1.PartialObjectMetadataList
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := r.Client.List(ctx, &namespaces, client.UnsafeDisableDeepCopy); err != nil {
		return live{}, fmt.Errorf("reading namespaces: %w", err)
	}
	result.namespaces = namespaces.Items
	return result, nil
}

// Package gates writes the Gates and the bindings that place them. It runs on every replica, without leader election: what
// it writes depends only on the windows, the freezes and the time, so two writers agree.
package gates

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/apply"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/doors"
	"fonster.dev/fonster/internal/enforced"
	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/internal/gather"
	"fonster.dev/fonster/internal/held"
	"fonster.dev/fonster/internal/parallel"
)

// Reconciler keeps all Gates and bindings as the windows and freezes say. Gates depend on one another through overlapping
// targets, so there is one request for all of them.
type Reconciler struct {
	Client client.Client
	Source *compile.Source
	Now    func() time.Time
	// Support says whether the API server has MutatingAdmissionPolicy v1, without which their bindings are left out; and whether
	// rollouts can be held: where not, Hold is enforced as Deny.
	Support held.Support
	// Exempt is who passes every gate, besides the control plane; nil: nobody.
	Exempt *v1alpha1.GateExempt
	// Enforced is told what keeps windows and freezes from being enforced.
	Enforced *enforced.State
	// ObserveTransition is told how long after a schedule's edge a Gate was written.
	ObserveTransition func(delay time.Duration)

	// retired is since when no window or freeze asks for a gate any more.
	retired map[string]time.Time
	// edge is the next instant at which some gate changes, as of the last reconcile; zero before the first.
	edge time.Time
	// wait is how long to wait before trying again what could not be written.
	wait time.Duration
}

const (
	// maxWait bounds the wait for the next edge, so that a step of the clock is noticed.
	maxWait = time.Minute
	// outlive is how long a gate outlives its bindings: the API server rereads them each second, and a binding without its gate
	// refuses everybody, the control plane too.
	outlive = 2 * time.Second
	// again is when to look again at what is still being worked out.
	again = 50 * time.Millisecond
	// settle lets what changes at once be written at once; an edge never waits for it.
	settle = 20 * time.Millisecond
	// firstRetry and lastRetry bound the wait before trying again what could not be written.
	firstRetry, lastRetry = 10 * time.Millisecond, 5 * time.Second
	// writers bounds the writes in flight at an edge.
	writers = 8
)

var everything = reconcile.Request{NamespacedName: types.NamespacedName{Name: "gates"}}

// +kubebuilder:rbac:groups=maintenance.fonster.dev,resources=maintenancewindows;changefreezes,verbs=get;list;watch
// +kubebuilder:rbac:groups=maintenance.fonster.dev,resources=gates,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingadmissionpolicies;mutatingadmissionpolicies,verbs=get;list;watch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingadmissionpolicybindings;mutatingadmissionpolicybindings,verbs=get;list;watch;create;update;patch;delete

// SetupWithManager registers the reconciler.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	all := gather.Into(everything, settle)
	changed := builder.WithPredicates(r.Source.Changes()) // of a gate: its generation
	b := ctrl.NewControllerManagedBy(mgr).Named("gates").
		Watches(&v1alpha1.MaintenanceWindow{}, all, changed).
		Watches(&v1alpha1.ChangeFreeze{}, all, changed).
		Watches(&v1alpha1.Gate{}, all, changed).
		Watches(&admissionv1.ValidatingAdmissionPolicyBinding{}, all)
	if r.Support.Mutating {
		b = b.Watches(&admissionv1.MutatingAdmissionPolicyBinding{}, all)
	}
	for _, policy := range r.Support.Policies() {
		b = b.Watches(policy, all, builder.WithPredicates(enforced.Changes))
	}
	return b.WithOptions(options()).Complete(r)
}

// Reconcile brings Gates and bindings to what they should be now, and comes back at the next edge.
func (r *Reconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	now := r.Now()
	compiled, err := r.Source.Compiled(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	live, err := r.live(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	gates, until := compiled.Set.At(now)
	missing, err := r.Support.Missing(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	can := capabilities{mutating: r.Support.Mutating, hold: missing == ""}
	plan := newPlan(gates, can, r.Exempt, owners(compiled), live)
	plan.addStatic(can, live)
	pending := r.retire(&plan, now)
	report, err := r.execute(ctx, plan, r.edge, now)
	report.Missing, report.Changed = live.missing, live.changed
	r.tell(ctx, report)
	if err != nil {
		return ctrl.Result{}, err
	}
	if report.Failed() { // the edge stands: what is written later is late since then
		r.wait = min(max(2*r.wait, firstRetry), lastRetry)
		return ctrl.Result{RequeueAfter: r.wait}, nil
	}
	r.edge, r.wait = until, 0
	after := wait(until, r.Now())
	if pending {
		after = min(after, outlive)
	}
	if compiled.Pending { // those that are ready are written, and wait for no other
		after = min(after, again)
	}
	if report.Reduced() {
		after = min(after, lastRetry)
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
			"bindings", report.Bindings, "gates", report.Gates, "withoutOthers", report.WithoutOthers, "omittedOpenings", report.Omitted)
	case known && !before.WellEnforced():
		log.FromContext(ctx).Info("all that windows and freezes say is enforced again")
	}
}

// retire leaves in the plan only those stale gates whose bindings the API server has forgotten by now, and says whether others
// are still to come.
func (r *Reconciler) retire(p *plan, now time.Time) (pending bool) {
	retired := map[string]time.Time{}
	p.staleGates = slices.DeleteFunc(p.staleGates, func(g client.Object) bool {
		since, known := r.retired[g.GetName()]
		if !known {
			since = now
		}
		retired[g.GetName()] = since
		return now.Sub(since) < outlive
	})
	for _, since := range retired {
		pending = pending || now.Sub(since) < outlive
	}
	r.retired = retired
	return pending
}

// wait is how long to sleep until the next edge; never zero, which would mean not at all.
func wait(until, now time.Time) time.Duration {
	if until.IsZero() {
		return maxWait
	}
	return max(min(until.Sub(now), maxWait), time.Millisecond)
}

// live is what the cluster has.
type live struct {
	gates map[string]*v1alpha1.Gate
	// bindings are by name, those of mutating policies among them: they bear the names of their policies, and so differ. The static ones
	// have no GateLabel.
	bindings map[string]client.Object
	// missing and changed are policies of this version; see enforced.Policies.
	missing, changed []string
}

func (r *Reconciler) live(ctx context.Context) (live, error) {
	result := live{gates: map[string]*v1alpha1.Gate{}, bindings: map[string]client.Object{}}
	var err error
	if result.missing, result.changed, err = enforced.Policies(ctx, r.Client, r.Support.Mutating); err != nil {
		return result, err
	}
	var gates v1alpha1.GateList
	if err := r.Client.List(ctx, &gates, client.UnsafeDisableDeepCopy); err != nil {
		return result, err
	}
	for i := range gates.Items {
		result.gates[gates.Items[i].Name] = &gates.Items[i]
	}
	var bindings admissionv1.ValidatingAdmissionPolicyBindingList
	if err := r.Client.List(ctx, &bindings, client.UnsafeDisableDeepCopy); err != nil {
		return result, err
	}
	for i := range bindings.Items {
		result.bindings[bindings.Items[i].Name] = &bindings.Items[i]
	}
	if !r.Support.Mutating {
		return result, nil
	}
	var mutating admissionv1.MutatingAdmissionPolicyBindingList
	if err := r.Client.List(ctx, &mutating, client.UnsafeDisableDeepCopy); err != nil {
		return result, err
	}
	for i := range mutating.Items {
		result.bindings[mutating.Items[i].Name] = &mutating.Items[i]
	}
	return result, nil
}

// capabilities are what the API server can do: whether it has mutating policies, and all of those that hold.
type capabilities struct{ mutating, hold bool }

// bindings returns the bindings that place a gate before its target.
func bindings(g gate.Gate, can capabilities) []client.Object {
	var list []client.Object
	for _, b := range doors.Bindings(g) {
		list = append(list, b)
	}
	if can.mutating {
		for _, b := range doors.MutatingBindings(g) {
			list = append(list, b)
		}
	}
	if can.hold {
		for _, b := range doors.HoldBindings(g) {
			list = append(list, b)
		}
	}
	return list
}

// policyOf names the policy of a binding as reports do.
func policyOf(o client.Object) string {
	switch b := o.(type) {
	case *admissionv1.ValidatingAdmissionPolicyBinding:
		return "ValidatingAdmissionPolicy " + b.Spec.PolicyName
	case *admissionv1.MutatingAdmissionPolicyBinding:
		return "MutatingAdmissionPolicy " + b.Spec.PolicyName
	}
	return ""
}

// specOf is the spec of a binding.
func specOf(o client.Object) any {
	switch b := o.(type) {
	case *admissionv1.ValidatingAdmissionPolicyBinding:
		return b.Spec
	case *admissionv1.MutatingAdmissionPolicyBinding:
		return b.Spec
	}
	return nil
}

// plan lists what to write, and what to delete.
type plan struct {
	gates         []*v1alpha1.Gate
	bindings      []client.Object
	staleGates    []client.Object
	staleBindings []client.Object
	// current holds, as they are, the gates that are to change; turned those of them whose state changes, as opposed to their texts.
	current, turned map[string]*v1alpha1.Gate
	// omitted counts, by gate, the openings of other targets that a gate has no room for.
	omitted map[string]int
}

// newPlan compares what should be with what is. It writes only what differs.
func newPlan(gates []gate.Gate, can capabilities, exempt *v1alpha1.GateExempt, ownersOf func(gate.Gate) []metav1.OwnerReference, have live) plan {
	p := plan{current: map[string]*v1alpha1.Gate{}, turned: map[string]*v1alpha1.Gate{}, omitted: map[string]int{}}
	wanted := map[string]bool{}
	for _, g := range gates {
		owners := ownersOf(g)
		object := compile.Gate(g, exempt)
		bindings := bindings(g, can)
		wanted[object.Name] = true
		if g.Omitted > 0 {
			p.omitted[g.Name] = g.Omitted
		}
		current, exists := have.gates[object.Name]
		if !exists || !equality.Semantic.DeepEqual(current.Spec, object.Spec) || !sameMeta(current, object) {
			p.gates = append(p.gates, object)
			if exists {
				p.current[object.Name] = current
			}
			if exists && turned(current.Spec.Disruptions, object.Spec.Disruptions) {
				p.turned[object.Name] = current
			}
		}
		for _, b := range bindings {
			b.SetOwnerReferences(owners)
			wanted[b.GetName()] = true
			p.addBinding(b, have)
		}
	}
	for _, b := range staticBindings(can) { // also one that somebody has labelled as a gate's
		wanted[b.GetName()] = true
	}
	for name, g := range have.gates {
		if !wanted[name] {
			p.staleGates = append(p.staleGates, g)
		}
	}
	for name, b := range have.bindings {
		if _, ofGate := b.GetLabels()[doors.GateLabel]; ofGate && !wanted[name] {
			p.staleBindings = append(p.staleBindings, b)
		}
	}
	return p
}

// addBinding adds a binding where the cluster has another one, or none.
func (p *plan) addBinding(b client.Object, have live) {
	current, exists := have.bindings[b.GetName()]
	if exists && equality.Semantic.DeepEqual(specOf(current), specOf(b)) && sameMeta(current, b) {
		return
	}
	if exists {
		b.SetResourceVersion(current.GetResourceVersion())
	}
	p.bindings = append(p.bindings, b)
}

// addStatic adds the bindings that need no gate, where somebody has deleted or changed them. Without its policy a binding is nothing,
// and not written: to uninstall takes both away.
func (p *plan) addStatic(can capabilities, have live) {
	for _, b := range staticBindings(can) {
		if !slices.Contains(have.missing, policyOf(b)) {
			p.addBinding(b, have)
		}
	}
}

// staticBindings are the bindings that need no gate, as far as the API server has their kinds.
func staticBindings(can capabilities) []client.Object {
	var list []client.Object
	for _, b := range doors.StaticBindings() {
		list = append(list, b)
	}
	if can.mutating {
		for _, b := range doors.StaticMutatingBindings() {
			list = append(list, b)
		}
	}
	return list
}

// sameMeta compares the metadata that the operator writes.
func sameMeta(current, wanted metav1.Object) bool {
	for key, value := range wanted.GetLabels() {
		if current.GetLabels()[key] != value {
			return false
		}
	}
	return equality.Semantic.DeepEqual(current.GetOwnerReferences(), wanted.GetOwnerReferences())
}

// turned says whether any disruption opened, closed, froze or thawed.
func turned(before, after []v1alpha1.GateDisruption) bool {
	return !slices.EqualFunc(before, after, func(a, b v1alpha1.GateDisruption) bool {
		return a.Disruption == b.Disruption && a.State == b.State
	})
}

// edge is the edge at which a gate has turned: the one that it tells of itself, which a restart does not forget, or else the one
// that was waited for. Zero where none has passed, for then a spec has changed, and where it was told before and the cache lags.
func edge(before *v1alpha1.Gate, passed, now time.Time) time.Time {
	if before == nil {
		return time.Time{}
	}
	own := compile.Overdue(&before.Spec, now)
	switch {
	case own.IsZero() && !now.Before(passed):
		return passed
	case own.Before(passed):
		return time.Time{}
	}
	return own
}

// execute writes gates before bindings, so that a binding never waits for its gate, and takes bindings away before gates; neither
// while something could not be written, which may be what is to take their place. What fails does not keep back the rest, and is
// reported.
func (r *Reconciler) execute(ctx context.Context, p plan, passed, now time.Time) (enforced.Report, error) {
	done := outcome{report: enforced.Report{Omitted: p.omitted}}
	_ = parallel.Each(writers, p.gates, func(g *v1alpha1.Gate) error {
		if !r.writeGate(ctx, g, p.current[g.Name], p.turned[g.Name], &done) {
			return nil
		}
		if edge := edge(p.turned[g.Name], passed, now); !edge.IsZero() {
			r.ObserveTransition(r.Now().Sub(edge))
		}
		return nil
	})
	_ = parallel.Each(writers, p.bindings, func(b client.Object) error {
		if gate := b.GetLabels()[doors.GateLabel]; !done.failed(gate) {
			done.binding(b, r.writeBinding(ctx, b))
		}
		return nil
	})
	if done.report.Failed() || done.behind != nil {
		return done.report, done.behind
	}
	if err := parallel.Each(writers, p.staleBindings, func(o client.Object) error { return r.remove(ctx, o) }); err != nil {
		return done.report, err
	}
	return done.report, parallel.Each(writers, p.staleGates, func(o client.Object) error { return r.remove(ctx, o) })
}

// writeGate writes a gate; where that fails, without what other targets open: whether it closes must not depend on them. It says
// whether the gate has been written, and turned by this write.
func (r *Reconciler) writeGate(ctx context.Context, g, current, turned *v1alpha1.Gate, done *outcome) bool {
	first, err := r.turn(ctx, g, turned)
	if err == nil {
		return first
	}
	if len(g.Spec.AlsoOpen)+len(g.Spec.NextOpenings) == 0 {
		done.gate(g.Name, err)
		return false
	}
	alone := compile.WithoutOthers(g)
	same := current != nil && equality.Semantic.DeepEqual(current.Spec, alone.Spec) && sameMeta(current, alone)
	if !same {
		var failed error
		if first, failed = r.turn(ctx, alone, turned); failed != nil {
			done.gate(g.Name, err)
			return false
		}
	}
	done.withoutOthers(g.Name, err, int(alone.Spec.AlsoOpenOmitted))
	return first && !same
}

// turn writes a gate, and says whether it was the first to turn it from what it was before. A cache that is behind, after a sleep or
// beside another replica, knows of an edge that is long written: what has been written since makes the first attempt a conflict.
func (r *Reconciler) turn(ctx context.Context, g, before *v1alpha1.Gate) (first bool, err error) {
	if before != nil {
		g.ResourceVersion = before.ResourceVersion
		if err := apply.Object(ctx, r.Client, g); !apierrors.IsConflict(err) {
			return err == nil, err
		}
		g.ResourceVersion = ""
	}
	return false, apply.Object(ctx, r.Client, g)
}

// outcome gathers what could not be written; writers share it.
type outcome struct {
	mu     sync.Mutex
	report enforced.Report
	// behind is that somebody else has written since the cache last heard: that comes right by itself.
	behind error
}

func (o *outcome) failed(gate string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.report.Gates[gate] != ""
}

func (o *outcome) gate(name string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	put(&o.report.Gates, name, enforced.Problem(err))
}

func (o *outcome) withoutOthers(name string, err error, omitted int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	put(&o.report.WithoutOthers, name, enforced.Problem(err))
	if omitted > 0 {
		put(&o.report.Omitted, name, omitted)
	}
}

// binding reports a binding that could not be written with its gate, or among the static ones.
func (o *outcome) binding(b client.Object, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch gate := b.GetLabels()[doors.GateLabel]; {
	case err == nil:
	case apierrors.IsConflict(err):
		o.behind = err
	case gate != "":
		put(&o.report.Gates, gate, enforced.Problem(err))
	default:
		put(&o.report.Bindings, b.GetName(), enforced.Problem(err))
	}
}

func put[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = value
}

// writeBinding creates a binding, or replaces one that somebody changed as a whole: to apply would merge, its actions being a
// set.
func (r *Reconciler) writeBinding(ctx context.Context, b client.Object) error {
	if b.GetLabels()[doors.GateLabel] == "" {
		log.FromContext(ctx).Info("restoring a static binding that was deleted or changed", "name", b.GetName())
	}
	var err error
	if b.GetResourceVersion() == "" {
		err = apply.Object(ctx, r.Client, b)
	} else {
		err = r.Client.Update(ctx, b, client.FieldOwner(apply.FieldManager))
	}
	if err != nil {
		return fmt.Errorf("binding %s: %w", b.GetName(), err)
	}
	return nil
}

// remove deletes what no window or freeze asks for any more; that it is gone, or is another one by now, is no error.
func (r *Reconciler) remove(ctx context.Context, o client.Object) error {
	log.FromContext(ctx).Info("removing what no window or freeze asks for any more", "name", o.GetName())
	err := r.Client.Delete(ctx, o, client.Preconditions{UID: new(o.GetUID())})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// owners returns who owns the bindings of a gate: its windows and freezes. When they are all gone, the garbage collector
// removes the bindings, also while no operator runs. It must not remove the gate with them, see outlive: that is the operator's.
func owners(compiled *compile.Compiled) func(gate.Gate) []metav1.OwnerReference {
	return func(g gate.Gate) []metav1.OwnerReference {
		var refs []metav1.OwnerReference
		for _, name := range g.Windows {
			refs = append(refs, ownerReference("MaintenanceWindow", name, compiled.Windows[name].UID))
		}
		for _, name := range g.Freezes {
			refs = append(refs, ownerReference("ChangeFreeze", name, compiled.Freezes[name].UID))
		}
		return refs
	}
}

func ownerReference(kind, name string, uid types.UID) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: kind, Name: name, UID: uid}
}

package status

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
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
	"fonster.dev/fonster/internal/enforced"
	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/internal/gather"
	"fonster.dev/fonster/internal/schedule"
	"fonster.dev/fonster/internal/workload"
)

// Windows writes the status of MaintenanceWindows.
type Windows struct {
	Common
	// Support says whether rollouts can be held.
	Support workload.Support

	// queue takes the requests for the windows that something shared has changed.
	queue queue
	// anew counts the events after which the status of every window is worked out anew.
	anew atomic.Uint64
	mu   sync.Mutex
	// seen is what the status of each window was last worked out from, by name.
	seen map[string]basis
}

// basis is what the status of a window is worked out from. From the same it comes to the same, so that it costs next to nothing to
// look over windows of which nothing has changed.
type basis struct {
	version    string
	anew       uint64
	schedule   *schedule.Schedule
	state      gate.WindowState
	namespaces string
	overruled  string
	waiting    string
	missing    string
	enforced   string
}

// SetupWithManager registers the reconciler.
func (r *Windows) SetupWithManager(mgr ctrl.Manager) error {
	changed := builder.WithPredicates(r.Source.Changes())
	b := ctrl.NewControllerManagedBy(mgr).Named("window-status").
		For(&v1alpha1.MaintenanceWindow{}, changed).
		WatchesMetadata(&corev1.Namespace{}, r.enqueueNamespaces(), builder.WithPredicates(gather.Relabelled)).
		Watches(&v1alpha1.ChangeFreeze{}, enqueueEveryone(func() {}), changed).
		WatchesRawSource(source.Func(func(_ context.Context, q queue) error { r.queue = q; return nil }))
	for _, kind := range workload.Kinds {
		b = b.WatchesMetadata(workload.Metadata(kind), r.enqueueOf(func(v gate.Verdict) []string { return v.Windows }), builder.WithPredicates(predicate.LabelChangedPredicate{}))
	}
	for _, policy := range r.Support.Policies() {
		b = b.Watches(policy, enqueueEveryone(func() { r.anew.Add(1) }), builder.WithPredicates(enforced.Changes))
	}
	return b.WatchesRawSource(r.enforcement()).WithOptions(options()).Complete(r)
}

// Reconcile writes the status of one window where it has changed, and comes back at its next edge.
func (r *Windows) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	now := r.Now()
	if req == everyone {
		return ctrl.Result{RequeueAfter: maxWait}, r.lookOver(ctx, now)
	}
	if _, known := r.Enforced.Report(); !known {
		return ctrl.Result{}, nil // the first report wakes everyone, so that each status is written once
	}
	var mw v1alpha1.MaintenanceWindow
	if err := r.Client.Get(ctx, req.NamespacedName, &mw, &client.GetOptions{UnsafeDisableDeepCopy: new(true)}); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	var missing string
	if mw.Spec.Enforcement == v1alpha1.Hold {
		var err error
		if missing, err = r.Support.Missing(ctx); err != nil {
			return ctrl.Result{}, err
		}
	}
	view, ready, err := r.View.window(ctx, &r.Common, mw.Name, now)
	if err != nil || !ready {
		return ctrl.Result{RequeueAfter: again}, err
	}
	on := r.basis(&mw, view, missing, now)
	status, until := windowStatus(&mw, view, now)
	holds(&mw, &status, view, missing, now)
	r.setEnforced(&status.Conditions, mw.Generation, view.governs, now)
	if equality.Semantic.DeepEqual(mw.Status, status) {
		r.remember(mw.Name, on)
		return result(until, now), nil
	}
	update := mw.DeepCopy() // it is the cache's
	update.Status = status
	return r.write(ctx, update, func() { r.emit(&mw, status, view.compiled.Windows[mw.Name].Schedule) }, result(until, now))
}

// lookOver asks for the windows whose status was worked out from something else than what is so now.
func (r *Windows) lookOver(ctx context.Context, now time.Time) error {
	var windows v1alpha1.MaintenanceWindowList
	if err := r.Client.List(ctx, &windows, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	missing, err := r.Support.Missing(ctx)
	if err != nil {
		return err
	}
	kept := make(map[string]basis, len(windows.Items))
	for i := range windows.Items {
		mw := &windows.Items[i]
		view, ready, err := r.View.window(ctx, &r.Common, mw.Name, now)
		if err != nil {
			return err
		}
		before, known := r.known(mw.Name)
		if known {
			kept[mw.Name] = before
		}
		if !ready || !known || before != r.basis(mw, view, missing, now) {
			r.queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: mw.Name}})
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.seen, func(name string, _ basis) bool { _, is := kept[name]; return !is })
	return nil
}

func (r *Windows) basis(mw *v1alpha1.MaintenanceWindow, view glance, missing string, now time.Time) basis {
	window := view.compiled.Windows[mw.Name]
	b := basis{
		version: mw.ResourceVersion, anew: r.anew.Load(), schedule: window.Schedule, missing: missing, overruled: view.overruled,
		namespaces: governing(window.Target, view.namespaces).Message, waiting: holding(view.waiting).Message,
	}
	if mw.Spec.Enforcement != v1alpha1.Hold {
		b.missing = ""
	}
	b.state, _ = view.compiled.Set.Window(mw.Name, now)
	if report, known := r.Enforced.Report(); known {
		b.enforced = report.Condition(view.governs).Message
	}
	return b
}

func (r *Windows) known(name string) (basis, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, known := r.seen[name]
	return b, known
}

func (r *Windows) remember(name string, b basis) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[string]basis{}
	}
	r.seen[name] = b
}

// windowStatus is the status of a window at now, and when it changes by itself.
func windowStatus(mw *v1alpha1.MaintenanceWindow, view glance, now time.Time) (v1alpha1.MaintenanceWindowStatus, time.Time) {
	window := view.compiled.Windows[mw.Name]
	state, _ := view.compiled.Set.Window(mw.Name, now)
	if !state.NothingNewFrom.Before(state.ClosesAt) { // a freeze closes it before
		state.NothingNewFrom = time.Time{}
	}
	status := *mw.Status.DeepCopy()
	status.ObservedGeneration = mw.Generation
	status.Namespaces = int32(view.namespaces.n)
	status.OpensAt, status.ClosesAt, status.NothingNewFrom = apiTime(state.OpensAt), apiTime(state.ClosesAt), apiTime(state.NothingNewFrom)
	status.Upcoming = upcoming(mw, gate.Upcoming(window.Schedule, now, v1alpha1.MaxUpcoming), now)
	setConditions(&status.Conditions, mw.Generation, now,
		ready(window.Problems, window.Schedule, now, "; the window stays closed", "read; opens and closes as scheduled",
			everybody(window.Target, mw.Spec.Audiences)...),
		openCondition(window, state),
		acceptingCondition(window, state),
		governing(window.Target, view.namespaces),
	)
	return status, state.Until
}

// upcoming lists occurrences with when they became known. An occurrence that was listed already keeps its time; one behind the
// end of a full list, that only moved up, became known with what was listed before it.
func upcoming(mw *v1alpha1.MaintenanceWindow, list []schedule.Occurrence, now time.Time) []v1alpha1.UpcomingOccurrence {
	before := mw.Status.Upcoming
	var result []v1alpha1.UpcomingOccurrence
	for _, o := range list {
		u := v1alpha1.UpcomingOccurrence{Occurrence: occurrence(o, mw.CreationTimestamp)}
		known := slices.IndexFunc(before, func(b v1alpha1.UpcomingOccurrence) bool { return b.Start.Equal(&u.Start) })
		switch {
		case known >= 0:
			u.AnnouncedAt = before[known].AnnouncedAt
		case mw.Status.ObservedGeneration == 0: // the first look: known since the window was created
			u.AnnouncedAt = &metav1.Time{Time: mw.CreationTimestamp.UTC()}
		case len(before) == v1alpha1.MaxUpcoming && u.Start.After(before[v1alpha1.MaxUpcoming-1].Start.Time):
			u.AnnouncedAt = before[v1alpha1.MaxUpcoming-1].AnnouncedAt
		default:
			u.AnnouncedAt = &metav1.Time{Time: now.UTC().Truncate(time.Second)}
		}
		if notice := mw.Spec.Notice; notice != nil && u.AnnouncedAt != nil && mw.Spec.Class != v1alpha1.Emergency {
			u.ShortNotice = u.Start.Sub(u.AnnouncedAt.Time) < notice.Duration
		}
		result = append(result, u)
	}
	return result
}

// holds tells what waits for a window, and what keeps it from holding anything.
func holds(mw *v1alpha1.MaintenanceWindow, status *v1alpha1.MaintenanceWindowStatus, view glance, missing string, now time.Time) {
	names := view.waiting
	status.Held = int32(len(names))
	if mw.Spec.Enforcement != v1alpha1.Hold && len(names) == 0 {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionHolding)
	} else {
		c := holding(names)
		stops := mw.Spec.Release != nil && mw.Spec.Release.OnFailure == "Stop"
		if o := status.CurrentOccurrence; stops && o != nil && o.StoppedBy != "" && len(names) > 0 {
			c.Message += "; " + o.StoppedBy + " failed, so nothing more of its namespace is released in this occurrence"
		}
		setConditions(&status.Conditions, mw.Generation, now, c)
	}
	if mw.Spec.Enforcement != v1alpha1.Hold {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionHoldSupported)
		return
	}
	setConditions(&status.Conditions, mw.Generation, now, holdSupported(mw.Spec.Disruptions, view.overruled, missing))
}

// holdSupported says, of a window with enforcement Hold, whether rollouts are held.
func holdSupported(disruptions []v1alpha1.Disruption, overruled, missing string) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionHoldSupported, Status: metav1.ConditionFalse}
	switch {
	case missing != "":
		c.Reason, c.Message = v1alpha1.ReasonHoldNotSupported, missing+"; Hold is enforced as Deny"
	case len(disruptions) > 0 && !slices.Contains(disruptions, v1alpha1.Rollout):
		c.Reason, c.Message = v1alpha1.ReasonNothingToHold, "only a Rollout can be held, and disruptions does not list it: Hold is enforced as Deny"
	case overruled != "":
		c.Reason, c.Message = v1alpha1.ReasonOverruledByDeny, overruled
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonHoldSupported, "rollouts are held outside the window"
	}
	return c
}

// openCondition is the condition Open. Its message is what kubectl get prints as WHEN.
func openCondition(window compile.CompiledWindow, state gate.WindowState) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionOpen, Status: metav1.ConditionFalse}
	switch {
	case len(window.Problems) > 0:
		c.Reason, c.Message = v1alpha1.ReasonNotReady, "closed: "+unread(window.Problems)
	case state.Open:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonWindowOpen, compile.WhenOpen(state)
	case state.Freeze != "":
		c.Reason, c.Message = v1alpha1.ReasonFrozen, "frozen by "+state.Freeze+", "+opens(state.OpensAt)
	default:
		c.Reason, c.Message = v1alpha1.ReasonWindowClosed, opens(state.OpensAt)
	}
	return c
}

// acceptingCondition is the condition Accepting: where the window is closed, it says what Open says.
func acceptingCondition(window compile.CompiledWindow, state gate.WindowState) metav1.Condition {
	c := openCondition(window, state)
	c.Type = v1alpha1.ConditionAccepting
	switch {
	case c.Status != metav1.ConditionTrue:
	case !state.Accepting:
		c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonCutoff
	default:
		c.Reason, c.Message = v1alpha1.ReasonAccepting, "no end is known"
		if until := cmp.Or(state.NothingNewFrom, state.ClosesAt); !until.IsZero() {
			c.Message = "until " + compile.Human(until)
		}
	}
	return c
}

func opens(at time.Time) string {
	if at.IsZero() {
		return "no coming opening"
	}
	return "opens " + compile.Human(at)
}

// emit tells of the transitions that the status write made.
func (r *Windows) emit(mw *v1alpha1.MaintenanceWindow, after v1alpha1.MaintenanceWindowStatus, s *schedule.Schedule) {
	before := mw.Status.Conditions
	r.emitFalse(mw, before, after.Conditions, v1alpha1.ConditionReady, v1alpha1.ConditionEnforced, v1alpha1.ConditionGoverning, v1alpha1.ConditionHoldSupported)
	r.emitTurn(mw, before, after.Conditions, v1alpha1.ConditionOpen)
	if c, turned := changed(before, after.Conditions, v1alpha1.ConditionAccepting); turned && c.Reason == v1alpha1.ReasonCutoff {
		r.emitTurn(mw, before, after.Conditions, v1alpha1.ConditionAccepting)
	}
	for _, u := range after.Upcoming {
		if u.ShortNotice && !slices.ContainsFunc(mw.Status.Upcoming, func(b v1alpha1.UpcomingOccurrence) bool { return b.ShortNotice && b.Start.Equal(&u.Start) }) {
			r.Recorder.Eventf(mw, nil, corev1.EventTypeWarning, v1alpha1.ReasonShortNotice, "Schedule", "the occurrence of %s became known later than %s before its start",
				compile.Human(u.Start.In(s.Location())), mw.Spec.Notice.Duration)
		}
	}
}

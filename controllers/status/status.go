// Package status tells people and tools what the operator sees of each window and freeze: conditions, times, Events. Nothing
// is decided by it. It runs on every replica; a write carries the resourceVersion it was worked out from, so that of several
// replicas one makes each transition, and that one emits the Event.
package status

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/enforced"
	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/internal/gather"
	"fonster.dev/fonster/internal/schedule"
	"fonster.dev/fonster/internal/write"
)

const (
	// maxWait is how often everyone is looked over at least, so that a step of the clock is noticed.
	maxWait = time.Minute
	// again is when to look again at what is still being worked out, and at what somebody else has written.
	again = 200 * time.Millisecond
	// afterGates lets the gates, which decide, be written before the status, which tells: those of 100 namespaces.
	afterGates = 250 * time.Millisecond
	// settle gathers the events of many namespaces that come at once.
	settle = time.Second

	// writers bounds the writes in flight. A write waits for the disk of etcd, which takes many at once in hardly more time than one.
	writers = 32
)

// everyone is the request to look over all windows, or all freezes: what they share has changed, or the clock may have been set. It
// asks for those whose own status has changed by that. No object is called so, as none of them has a namespace.
var everyone = reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "everyone", Name: "everyone"}}

// +kubebuilder:rbac:groups=maintenance.fonster.dev,resources=maintenancewindows/status;changefreezes/status,verbs=update
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Common is what both reconcilers need.
type Common struct {
	Client   client.Client
	Source   *compile.Source
	Recorder events.EventRecorder
	Enforced *enforced.State
	Now      func() time.Time
	// View is shared by both.
	View *View
}

func options() controller.Options {
	return controller.Options{
		NeedLeaderElection:      new(false),
		MaxConcurrentReconciles: writers,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](50*time.Millisecond, 30*time.Second),
	}
}

// result comes back shortly after the next edge. A step of the clock is noticed when everyone is looked over.
func result(until, now time.Time) ctrl.Result {
	if until.IsZero() {
		return ctrl.Result{}
	}
	return ctrl.Result{RequeueAfter: max(until.Sub(now), 0) + afterGates}
}

// enqueueEveryone asks, a little later and once for many events, to look over every object, of which it tells first.
func enqueueEveryone(tell func()) handler.EventHandler { return gather.Into(everyone, settle, tell) }

// enqueueNamespaces is enqueueEveryone for the namespaces, which are counted.
func (c *Common) enqueueNamespaces() handler.EventHandler {
	return enqueueEveryone(func() { c.View.namespaces.Add(1) })
}

// enforcement looks over every object at once when something else than before keeps what they say from being enforced.
func (c *Common) enforcement() source.Source {
	return source.Channel(c.Enforced.Changes(), gather.Into(everyone, 0))
}

// setEnforced sets the condition Enforced of what governs some namespaces, as soon as it is known; then whoever waits for it is woken.
func (c *Common) setEnforced(conditions *[]metav1.Condition, generation int64, governs func(namespace string) bool, now time.Time) {
	if report, known := c.Enforced.Report(); known {
		setConditions(conditions, generation, now, report.Condition(governs))
	}
}

// enqueueOf enqueues, a little later, the objects that say something of a workload, before or after a change: among many windows
// a train concerns few.
func (c *Common) enqueueOf(names func(gate.Verdict) []string) handler.EventHandler {
	enqueue := func(ctx context.Context, q queue, workloads ...client.Object) {
		c.View.workloads.Add(1)
		compiled, err := c.Source.Compiled(ctx)
		if err != nil {
			return // the cache is not filled yet: every object comes by itself
		}
		for _, o := range workloads {
			ns := &metav1.PartialObjectMetadata{}
			ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
			if err := c.Client.Get(ctx, client.ObjectKey{Name: o.GetNamespace()}, ns); err != nil {
				continue // it comes by itself, and then every object
			}
			for _, name := range names(compiled.Set.Verdict(ns.Labels, o.GetLabels(), gate.Rollout, c.Now())) {
				q.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}, settle)
			}
		}
	}
	return handler.Funcs{
		CreateFunc:  func(ctx context.Context, e event.CreateEvent, q queue) { enqueue(ctx, q, e.Object) },
		UpdateFunc:  func(ctx context.Context, e event.UpdateEvent, q queue) { enqueue(ctx, q, e.ObjectOld, e.ObjectNew) },
		DeleteFunc:  func(ctx context.Context, e event.DeleteEvent, q queue) { enqueue(ctx, q, e.Object) },
		GenericFunc: func(ctx context.Context, e event.GenericEvent, q queue) { enqueue(ctx, q, e.Object) },
	}
}

// maxNamed bounds how many workloads a condition names.
const maxNamed = 5

// holding is the condition Holding, which names what waits.
func holding(names []string) metav1.Condition {
	if len(names) == 0 {
		return metav1.Condition{Type: v1alpha1.ConditionHolding, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNothingHeld, Message: "no rollout waits"}
	}
	message := fmt.Sprintf("%d wait: %s", len(names), strings.Join(names[:min(len(names), maxNamed)], ", "))
	if more := len(names) - maxNamed; more > 0 {
		message += fmt.Sprintf(" and %d more: see kubectl window held -A", more)
	}
	return metav1.Condition{Type: v1alpha1.ConditionHolding, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRolloutsHeld, Message: message}
}

// write writes the status of an object, and then emits what it made true. When another replica was first, or the cache is a
// moment behind, it comes back and finds it done.
func (c *Common) write(ctx context.Context, update client.Object, emit func(), done ctrl.Result) (ctrl.Result, error) {
	switch err := write.Status(ctx, c.Client, update); {
	case apierrors.IsConflict(err):
		return ctrl.Result{RequeueAfter: again}, nil
	case err != nil:
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	emit()
	return done, nil
}

// emitFalse tells of conditions that a status write turned to False.
func (c *Common) emitFalse(object client.Object, before, after []metav1.Condition, conditionTypes ...string) {
	for _, conditionType := range conditionTypes {
		if condition, turned := changed(before, after, conditionType); turned && condition.Status == metav1.ConditionFalse {
			c.Recorder.Eventf(object, nil, corev1.EventTypeWarning, condition.Reason, "Compile", "%s", condition.Message)
		}
	}
}

// emitTurn tells that a window or freeze began or ended; the first status of an object only that it is in progress.
func (c *Common) emitTurn(object client.Object, before, after []metav1.Condition, conditionType string) {
	condition, turned := changed(before, after, conditionType)
	if turned && (len(before) > 0 || condition.Status == metav1.ConditionTrue) {
		c.Recorder.Eventf(object, nil, corev1.EventTypeNormal, condition.Reason, "Schedule", "%s", condition.Message)
	}
}

// ready is the Ready condition of something with these problems, or else what was read and remarks on it.
func ready(problems compile.Problems, s *schedule.Schedule, now time.Time, closed, read string, remarks ...string) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonCompiled}
	if len(problems) > 0 {
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, problems[0].Reason, problems.Error()+closed
		return condition
	}
	said := []string{read}
	state := s.State(now)
	switch next := state.Next.Start; {
	case !state.Open && next.IsZero():
		condition.Reason, said = v1alpha1.ReasonNoFurtherOccurrence, []string{"read, but every occurrence lies in the past"}
	case !state.Open && next.After(now.AddDate(farYears, 0, 0)):
		said = append(said, "the next occurrence is far away: "+compile.Human(next))
	}
	condition.Message = strings.Join(slices.Concat(said, s.Notes(), remarks), "; ")
	return condition
}

// farYears is from how many years on an occurrence is far away: probably another one was meant.
const farYears = 2

// everybody remarks that everybody is told of what concerns some namespaces only; nothing where audiences are named, or all concerned.
func everybody(target gate.Target, audiences []string) []string {
	narrow := slices.ContainsFunc(target.Namespaces, func(r gate.Requirement) bool { return r.Operator == gate.In })
	if len(audiences) > 0 || !narrow {
		return nil
	}
	return []string{"it has no audiences, so everybody is told of it, though it governs " + target.Namespaces.String() + " only"}
}

// unread says of something that could not be read why, as short as a column of kubectl get is: InvalidSchedule, schedules[0].rrule.
func unread(problems compile.Problems) string {
	return problems[0].Reason + ", " + strings.TrimPrefix(problems[0].Path, "spec.")
}

// governing is the condition that says which namespaces match.
func governing(target gate.Target, matching governed) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionGoverning, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonNamespacesMatch}
	selector := target.Namespaces.String()
	switch {
	case matching.n > 0 && len(target.Namespaces) == 0:
		c.Message = fmt.Sprintf("every namespace (%d)", matching.n)
	case matching.n > 0:
		c.Message = matching.String()
	case len(matching.protected) > 0:
		c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonNoNamespaceMatches
		c.Message = fmt.Sprintf("namespaceSelector (%s) matches only what is never governed: %s", selector, strings.Join(matching.protected, ", "))
	default:
		c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonNoNamespaceMatches
		c.Message = fmt.Sprintf("no namespace matches namespaceSelector (%s): nothing is governed until one does", selector)
	}
	return c
}

// setConditions merges conditions into a list, as of a generation and an instant.
func setConditions(list *[]metav1.Condition, generation int64, now time.Time, conditions ...metav1.Condition) {
	for _, c := range conditions {
		c.ObservedGeneration = generation
		c.LastTransitionTime = metav1.Time{Time: now.UTC().Truncate(time.Second)}
		meta.SetStatusCondition(list, c)
	}
}

// changed says whether a condition has another status or reason than before.
func changed(before, after []metav1.Condition, conditionType string) (metav1.Condition, bool) {
	b, a := meta.FindStatusCondition(before, conditionType), meta.FindStatusCondition(after, conditionType)
	if a == nil {
		return metav1.Condition{}, false
	}
	return *a, b == nil || b.Status != a.Status || b.Reason != a.Reason
}

func occurrences(list []schedule.Occurrence, created metav1.Time) []v1alpha1.Occurrence {
	var result []v1alpha1.Occurrence
	for _, o := range list {
		result = append(result, occurrence(o, created))
	}
	return result
}

// occurrence is an occurrence with an end as the API has it. One whose beginning is not known, because it has been there all the
// time, began with its object.
func occurrence(o schedule.Occurrence, created metav1.Time) v1alpha1.Occurrence {
	if o.Start.IsZero() {
		o.Start = created.Time
	}
	return v1alpha1.Occurrence{Start: metav1.NewTime(o.Start.UTC()), End: metav1.NewTime(o.End.UTC())}
}

// apiTime is an instant as the API has it; nil for none.
func apiTime(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.UTC()}
}

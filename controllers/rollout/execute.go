package rollout

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/parallel"
	"fonster.dev/fonster/internal/rollout"
	"fonster.dev/fonster/internal/schedule"
	"fonster.dev/fonster/internal/workload"
	"fonster.dev/fonster/internal/write"
)

// check finds out how far each rollout is whose workload has changed since the last look.
func (r *Reconciler) check(ctx context.Context, all []workload.Workload, now time.Time) error {
	next := make(map[types.UID]checked, len(all))
	var stale []*workload.Workload
	for i := range all {
		w := &all[i]
		if c, known := r.checked[w.Meta.UID]; known && c.version == w.Meta.ResourceVersion && (c.until.IsZero() || now.Before(c.until)) {
			c.judge(w, now)
			next[w.Meta.UID] = c
			continue
		}
		stale = append(stale, w)
	}
	var mu sync.Mutex
	err := parallel.Each(parallelism, stale, func(w *workload.Workload) error {
		o := &unstructured.Unstructured{}
		o.SetGroupVersionKind(w.Meta.GroupVersionKind())
		o.SetAPIVersion("apps/v1")
		o.SetKind(w.Kind)
		if err := r.Reader.Get(ctx, client.ObjectKeyFromObject(w.Meta), o); err != nil {
			return client.IgnoreNotFound(err)
		}
		if o.GetUID() != w.Meta.UID || o.GetLabels()[v1alpha1.HeldLabel] != w.Meta.Labels[v1alpha1.HeldLabel] {
			return nil // the cache is a moment behind, and will say so
		}
		// What was found out is of that version, and what is written next must rest on it.
		w.Meta = w.Meta.DeepCopy()
		w.Meta.ResourceVersion = o.GetResourceVersion()
		c := checked{version: o.GetResourceVersion(), parked: parked(o, v1alpha1.HeldPartition)}
		switch before := r.checked[w.Meta.UID]; {
		case !w.Released:
			c.told = before.told || now.Sub(w.Since) < time.Minute
			if c.told && !before.told {
				r.tellHeld(ctx, w, now)
			}
		case before.begun.IsZero():
			c.begun = now
		default:
			c.begun = before.begun
		}
		c.progress, c.message, c.until = progress(o, w.Released, now)
		c.judge(w, now)
		mu.Lock()
		defer mu.Unlock()
		next[w.Meta.UID] = c
		return nil
	})
	r.checked = next
	return err
}

// judge writes into a workload what was found out about it.
func (c checked) judge(w *workload.Workload, now time.Time) {
	w.Progress = c.progress
	w.Overdue = w.Released && now.Sub(c.begun) > overdue
	w.Refused = !w.Released && now.Before(c.refusedUntil)
}

// tellHeld tells that a workload waits, once for each time that it does, whoever leads.
func (r *Reconciler) tellHeld(ctx context.Context, w *workload.Workload, now time.Time) {
	note := "Held: the rollout waits"
	if !w.Verdict.OpensAt.IsZero() {
		note += " until " + compile.Human(w.Verdict.OpensAt) + ", for " + w.Verdict.OpensWindow
	}
	event := eventsv1.Event{Type: corev1.EventTypeNormal, Reason: v1alpha1.ReasonHeld, Action: "Hold", Note: note}
	if err := write.Event(ctx, r.Client, subject(w), w.Meta.Labels[v1alpha1.HeldSinceLabel], event, now); err != nil {
		log.FromContext(ctx).Error(err, "An Event is lost", "object", w.Key)
	}
}

// tell emits an Event of a workload.
func (r *Reconciler) tell(w *workload.Workload, eventType, reason, action, message string) {
	r.Recorder.Eventf(subject(w), nil, eventType, reason, action, "%s", message)
}

func subject(w *workload.Workload) *metav1.PartialObjectMetadata {
	o := w.Meta.DeepCopy()
	o.APIVersion, o.Kind = "apps/v1", w.Kind
	return o
}

// run is one plan being carried out.
type run struct {
	*Reconciler
	canHold  bool
	now      time.Time
	compiled *compile.Compiled
	windows  map[string]*v1alpha1.MaintenanceWindow
	byKey    map[string]*workload.Workload
	// unwritten are the windows whose accounts could not be written.
	unwritten map[string]bool
	replan    bool // at once: the queue goes on without what was refused
}

// change is what a plan adds to the account of a window.
type change struct {
	released, failed int32
	ended            bool // some release was done
	stopped          []v1alpha1.StoppedNamespace
	turn             string
	close            bool
}

func (r *Reconciler) account(window string) *change {
	c, known := r.unbooked[window]
	if !known {
		c = &change{}
		r.unbooked[window] = c
	}
	return c
}

// windowOf is the window on whose account a workload is released: the first that is open, or else that governs.
func windowOf(w *workload.Workload) string {
	for _, list := range [][]string{w.Accepting, w.Open, w.Windows} {
		if len(list) > 0 {
			return list[0]
		}
	}
	return ""
}

// execute does what a plan says. A train that a failure stops is stopped before the failed one is let out of sight: the train
// of a window whose account cannot be written stands still. What a window has released is counted with the releases, and what
// fails does not keep back the rest.
func (r *run) execute(ctx context.Context, plan rollout.Plan) error {
	for _, s := range plan.Stop {
		c := r.account(s.Window)
		c.stopped = append(c.stopped, v1alpha1.StoppedNamespace{Namespace: s.Namespace, By: s.Key})
	}
	err := r.book(ctx)
	do := func(s step) error { return r.step(ctx, s) }
	over := slices.Concat(r.items(plan.Finish, finished), r.items(plan.Fail, failed), r.items(plan.Yield, yielded))
	r.replan = len(over) > 0 // whose slots are free once their marks are off
	err = errors.Join(err, parallel.Each(parallelism, slices.Concat(over, r.items(plan.Hold, again)), do))
	err = errors.Join(err, parallel.Each(parallelism, slices.Concat(r.items(plan.Release, let), r.items(plan.Pass, passed), r.items(plan.Drop, dropped)), do))
	for _, w := range r.byKey {
		if !w.Released && w.Since.IsZero() {
			err = errors.Join(err, r.stamp(ctx, w, r.now, write.FieldManager))
		}
	}
	for _, key := range plan.Nudge { // the least write that a controller sees; its manager's name tells it from the release
		w := r.byKey[key]
		since := w.Since.Add(time.Second)
		if w.Since.IsZero() { // it was let go in the moment in which it was held
			since = r.now
		}
		err = errors.Join(err, r.stamp(ctx, w, since, write.FieldManager+"-nudge"))
	}
	for window, namespace := range plan.Turn {
		r.account(window).turn = namespace
	}
	for _, name := range plan.Close {
		r.account(name).close = !r.unwritten[name]
	}
	return errors.Join(err, r.book(ctx))
}

// action is what happens to one workload: the labels that it is given, what is told, and how the window accounts for it.
type action struct {
	labels         map[string]any
	reason, action string
	outcome        string
	warning        bool
	// message is what is told; nil: how far the rollout is.
	message func(*workload.Workload) string
	count   func(*change)
}

var (
	let = action{
		labels: letGo(v1alpha1.HeldReleasing), reason: v1alpha1.ReasonReleased, action: "Release", message: whyReleased,
		count: func(c *change) { c.released++ },
	}
	// What has nothing to roll out is let go like the rest: its marks go when its controller has seen it.
	passed   = action{labels: letGo(v1alpha1.HeldLetGo), reason: v1alpha1.ReasonReleased, action: "Release", message: whyReleased}
	dropped  = action{labels: letGo(v1alpha1.HeldLetGo), reason: v1alpha1.ReasonHoldDropped, action: "Release"}
	finished = action{labels: noMarks, reason: v1alpha1.ReasonRolledOut, action: "Release", outcome: "Done", count: func(c *change) { c.ended = true }}
	failed   = action{
		labels: noMarks, reason: v1alpha1.ReasonRolloutFailed, action: "Release", outcome: "Failed", warning: true,
		count: func(c *change) { c.failed, c.ended = c.failed+1, true },
	}
	again = action{
		labels: map[string]any{v1alpha1.HeldLabel: v1alpha1.HeldWaiting}, reason: v1alpha1.ReasonHeldAgain, action: "Hold",
		outcome: "HeldAgain", warning: true, message: whyHeldAgain,
	}
	// What the user has stopped keeps what stops it.
	yielded = action{labels: noMarks, reason: v1alpha1.ReasonHoldDropped, action: "Hold", outcome: "Stopped"}

	noMarks = map[string]any{v1alpha1.HeldLabel: nil, v1alpha1.HeldSinceLabel: nil, v1alpha1.HeldPartitionLabel: nil}
)

func letGo(mark string) map[string]any {
	return map[string]any{v1alpha1.HeldLabel: mark, v1alpha1.HeldPartitionLabel: nil}
}

// whyReleased tells people why a rollout begins.
func whyReleased(w *workload.Workload) string {
	switch {
	case w.Overridden:
		return "Released: an override stands"
	case len(w.Accepting) > 0:
		return "Released: " + w.Accepting[0] + " is open"
	}
	return "Released: no window governs it any more"
}

// whyHeldAgain tells people why a rollout that had begun waits.
func whyHeldAgain(w *workload.Workload) string {
	if w.Frozen {
		return "Held again before it was done: change freeze " + w.Verdict.Freeze + " is in force"
	}
	return "Held again before it was done: " + windowOf(w) + " has closed"
}

type step struct {
	action
	workload *workload.Workload
}

func (r *run) items(keys []string, a action) []step {
	var steps []step
	for _, key := range keys {
		w := r.byKey[key]
		if r.checked[w.Meta.UID].version == "" { // it could not be read, or is gone
			continue
		}
		s := step{a, w}
		if s.counts() && slices.ContainsFunc(w.Windows, func(name string) bool { return r.unwritten[name] }) {
			continue
		}
		steps = append(steps, s)
	}
	return steps
}

// counts says whether a step is on the account of a window. What an override lets through, or what must be held, is not.
func (s step) counts() bool { return s.count != nil && !s.workload.LetGo }

// step writes the marks of one workload. Somebody else's write in between is not written over: the next plan sees it.
func (r *run) step(ctx context.Context, s step) error {
	w := s.workload
	if err := r.mark(ctx, w, s.labels); err != nil {
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) || apierrors.IsInvalid(err) && r.moved(ctx, w) {
			return nil
		}
		if refused(err) && !w.Released {
			r.refuse(w, err)
			return nil
		}
		return fmt.Errorf("%s: %w", w.Key, err)
	}
	r.mu.Lock()
	message := r.checked[w.Meta.UID].message
	r.mu.Unlock()
	if s.message != nil {
		message = s.message(w)
	}
	eventType := corev1.EventTypeNormal
	if s.warning {
		eventType = corev1.EventTypeWarning
	}
	window := windowOf(w)
	r.tell(w, eventType, s.reason, s.action.action, message)
	r.mu.Lock()
	defer r.mu.Unlock()
	if window == "" {
		return nil
	}
	if s.counts() {
		s.count(r.account(window))
	}
	if s.outcome != "" {
		r.Observer.ObserveRelease(window, s.outcome)
	}
	return nil
}

// refused says whether somebody else's policy, quota or webhook refuses a write, and will do so the next time as well. An API
// server that has just started refuses everything: until it has read the rights, and found the params of the policies.
func refused(err error) bool {
	switch message := err.Error(); {
	case strings.Contains(message, "failed to configure"), strings.Contains(message, "not yet ready to handle request"):
		return false
	case apierrors.IsForbidden(err):
		return !strings.Contains(message, "cannot patch resource")
	case apierrors.IsInternalError(err):
		return strings.Contains(message, "webhook")
	}
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)
}

// refuse lets the queue pass over a workload for a while whose release is refused, and says so.
func (r *run) refuse(w *workload.Workload, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.checked[w.Meta.UID]
	c.refusedUntil = r.now.Add(maxWait)
	r.checked[w.Meta.UID] = c
	r.replan = true
	r.tell(w, corev1.EventTypeWarning, v1alpha1.ReasonReleaseRefused, "Release", "its release is refused, and tried again in a minute: "+err.Error())
}

// moved says whether a workload is another one by now.
func (r *run) moved(ctx context.Context, w *workload.Workload) bool {
	o := workload.Metadata(w.Kind)
	err := r.Reader.Get(ctx, client.ObjectKeyFromObject(w.Meta), o)
	return apierrors.IsNotFound(err) || err == nil && o.UID != w.Meta.UID
}

// mark writes labels of a workload, if it is still as it was seen. A policy of the API server does the rest in the same request;
// where there is none, the rest is written with the labels, so that nobody ever sees the one without the other.
func (r *run) mark(ctx context.Context, w *workload.Workload, labels map[string]any) error {
	content := map[string]any{"metadata": r.metadata(w, labels)}
	if labels[v1alpha1.HeldLabel] == nil || labels[v1alpha1.HeldLabel] == v1alpha1.HeldWaiting {
		return r.patch(ctx, w, content, nil)
	}
	r.mu.Lock()
	stopped := r.checked[w.Meta.UID].parked
	r.mu.Unlock()
	if !r.canHold && stopped {
		content["spec"] = unparked(w)
	}
	o := &unstructured.Unstructured{}
	if err := r.patch(ctx, w, content, o); err != nil || !parked(o, v1alpha1.HeldPartition) {
		return err
	}
	return r.patch(ctx, w, map[string]any{"spec": unparked(w)}, o) // the policy was taken away this very second
}

func (r *run) metadata(w *workload.Workload, labels map[string]any) map[string]any {
	return map[string]any{"uid": w.Meta.UID, "resourceVersion": w.Meta.ResourceVersion, "labels": labels}
}

// unparked is what a user had set, for API servers without the policy that gives it back.
func unparked(w *workload.Workload) map[string]any {
	switch w.Kind {
	case "Deployment":
		return map[string]any{"paused": nil}
	case "StatefulSet":
		partition := json.Number("0")
		if p := w.Meta.Labels[v1alpha1.HeldPartitionLabel]; p != "" {
			partition = json.Number(p)
		}
		return map[string]any{"updateStrategy": map[string]any{"rollingUpdate": map[string]any{"partition": partition}}}
	}
	return map[string]any{"updateStrategy": map[string]any{"type": "RollingUpdate"}}
}

// patch patches a workload, and reads the answer into an object where the whole of it is needed.
func (r *run) patch(ctx context.Context, w *workload.Workload, content map[string]any, whole *unstructured.Unstructured, options ...client.PatchOption) error {
	patch, err := json.Marshal(content)
	if err != nil {
		return err
	}
	var o client.Object = workload.Metadata(w.Kind)
	if whole != nil {
		whole.SetAPIVersion("apps/v1")
		whole.SetKind(w.Kind)
		o = whole
	}
	o.SetNamespace(w.Meta.Namespace)
	o.SetName(w.Meta.Name)
	options = append([]client.PatchOption{client.FieldOwner(write.FieldManager)}, options...) // the last one counts
	if err := r.Client.Patch(ctx, o, client.RawPatch(types.MergePatchType, patch), options...); err != nil {
		return err
	}
	r.wrote(o)
	return nil
}

// stamp writes since when a workload waits.
func (r *run) stamp(ctx context.Context, w *workload.Workload, since time.Time, manager string) error {
	labels := map[string]any{v1alpha1.HeldSinceLabel: since.UTC().Format(v1alpha1.HeldTime)}
	err := r.patch(ctx, w, map[string]any{"metadata": r.metadata(w, labels)}, nil, client.FieldOwner(manager))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) || apierrors.IsInvalid(err) {
		return nil
	}
	return err
}

// book writes the account of each window where it has changed: the occurrence in progress, and what became of the last one.
// What cannot be written now is counted when the next plan is carried out.
func (r *run) book(ctx context.Context) error {
	var errs []error
	for name, mw := range r.windows {
		c := r.unbooked[name]
		var ended *v1alpha1.OccurrenceSummary
		var told map[string]string
		if c == nil && !r.turns(mw) {
			continue
		}
		mw = mw.DeepCopy() // it is the cache's
		r.windows[name] = mw
		err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
			base := mw.DeepCopy()
			ended, told = r.settle(mw, c)
			if equal(&base.Status, &mw.Status) {
				return nil
			}
			err := write.Status(ctx, r.Client, mw)
			if err != nil {
				*mw = *base
			}
			if apierrors.IsConflict(err) { // the cache is a moment behind
				*mw = v1alpha1.MaintenanceWindow{}
				return errors.Join(r.Reader.Get(ctx, types.NamespacedName{Name: name}, mw), err)
			}
			return err
		})
		if err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("account of window %s: %w", name, err))
			r.unwritten[name] = true
			if c != nil { // the next plan says these anew, of what is open then
				c.stopped, c.turn, c.close = nil, "", false
			}
			continue
		}
		delete(r.unbooked, name)
		r.booked[name] = mw.DeepCopy()
		if ended != nil {
			r.Observer.ObserveOccurrence(name, ended.End.Sub(ended.Start.Time), time.Duration(ended.UsedSeconds)*time.Second)
		}
		for reason, message := range told {
			eventType := corev1.EventTypeNormal
			if reason == v1alpha1.ReasonReleasesStopped {
				eventType = corev1.EventTypeWarning
			}
			r.Recorder.Eventf(mw, nil, eventType, reason, "Release", "%s", message)
		}
	}
	return errors.Join(errs...)
}

func equal(a, b *v1alpha1.MaintenanceWindowStatus) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

// closedUnseen is the occurrence that was closed by hand before any leader had it on its account; nil if none was.
func (r *run) closedUnseen(mw *v1alpha1.MaintenanceWindow) *v1alpha1.OccurrenceSummary {
	rest, closed := compile.ClosedAt(mw, r.now)
	parsed := r.compiled.Windows[mw.Name].Schedule
	if !closed || parsed == nil {
		return nil
	}
	for _, o := range parsed.Between(rest.Start.Add(-time.Second), rest.Start) {
		start := metav1.NewTime(o.Start.UTC())
		if last := mw.Status.LastOccurrence; !o.Start.IsZero() && (last == nil || last.Start.Before(&start)) {
			return &v1alpha1.OccurrenceSummary{Start: start, End: endOf(rest)}
		}
	}
	return nil
}

// turns says whether an occurrence of a window has begun or ended that its account does not know of.
func (r *run) turns(mw *v1alpha1.MaintenanceWindow) bool {
	if early := mw.Status.ClosedEarly; early != nil && !r.now.Before(early.End.Time) {
		return true
	}
	current, open := workload.Occurrence(r.compiled, mw, r.now)
	account := mw.Status.CurrentOccurrence
	if account == nil {
		_, closed := compile.ClosedAt(mw, r.now)
		return open || closed
	}
	return !open || !account.Start.Time.Equal(current.Start) || !account.End.Equal(endOf(current))
}

// endOf is when an occurrence ends, as the API has it; nil where no end is known.
func endOf(o schedule.Occurrence) *metav1.Time {
	if o.End.IsZero() {
		return nil
	}
	return new(metav1.NewTime(o.End.UTC()))
}

// inProgress says whether a window has released what was not known to be done before now.
func (r *run) inProgress(window string) bool {
	for _, w := range r.byKey {
		if w.Released && !w.LetGo && slices.Contains(w.Windows, window) {
			return true
		}
	}
	return false
}

// stop notes in an account which namespaces have had their train stopped, and says whether that is news.
func stop(account *v1alpha1.OccurrenceSummary, stopped []v1alpha1.StoppedNamespace) (news bool) {
	for _, s := range stopped {
		known := slices.ContainsFunc(account.Stopped, func(k v1alpha1.StoppedNamespace) bool { return k.Namespace == s.Namespace })
		if known || len(account.Stopped) == v1alpha1.MaxStopped {
			continue
		}
		account.StoppedBy, news = cmp.Or(account.StoppedBy, s.By), true
		account.Stopped = append(account.Stopped, s)
	}
	return news
}

// stoppedText tells people of trains that have stopped.
func stoppedText(stopped []v1alpha1.StoppedNamespace) string {
	text := stopped[0].By + " failed: nothing more of namespace " + stopped[0].Namespace + " is released in this occurrence"
	if more := len(stopped) - 1; more > 0 {
		text += fmt.Sprintf(", and of %d more namespaces where a rollout failed", more)
	}
	return text
}

// settle brings the account of a window to now. It returns the occurrence that has ended, if one has, and what to tell.
func (r *run) settle(mw *v1alpha1.MaintenanceWindow, c *change) (ended *v1alpha1.OccurrenceSummary, told map[string]string) {
	status := &mw.Status
	told = map[string]string{}
	current, open := workload.Occurrence(r.compiled, mw, r.now)
	start, end := metav1.NewTime(current.Start.UTC()), endOf(current)
	if status.CurrentOccurrence == nil && !open {
		status.CurrentOccurrence = r.closedUnseen(mw)
	}
	if o := status.CurrentOccurrence; o != nil && (!open || !o.Start.Equal(&start)) {
		if o.End == nil { // its schedule has been changed
			o.End = new(metav1.NewTime(r.now.UTC().Truncate(time.Second)))
		}
		rest, early := compile.ClosedWithin(mw, o.Start.Time, o.End.Time)
		o.ClosedEarly = early
		if rest.End.After(o.End.Time) { // it was closed ahead of the operator's clock: what was planned is the longest
			o.End = endOf(rest)
		}
		if mw.Spec.Enforcement != v1alpha1.Hold || r.inProgress(mw.Name) {
			o.UsedSeconds = int64(o.End.Sub(o.Start.Time).Seconds())
			if early {
				o.UsedSeconds = int64(rest.Start.Sub(o.Start.Time).Seconds())
			}
		}
		status.LastOccurrence, status.CurrentOccurrence, ended = o, nil, o
	}
	if open && status.CurrentOccurrence == nil {
		status.CurrentOccurrence = &v1alpha1.OccurrenceSummary{Start: start, End: end}
		if status.LastOccurrence != nil { // a window too short for all of them begins where the last one has stopped
			status.CurrentOccurrence.Turn = status.LastOccurrence.Turn
		}
	}
	if open {
		status.CurrentOccurrence.End = end
	}
	if status.ClosedEarly != nil && !r.now.Before(status.ClosedEarly.End.Time) {
		status.ClosedEarly = nil
	}
	account := status.CurrentOccurrence
	if account == nil {
		account = status.LastOccurrence
	}
	if c == nil || account == nil {
		return ended, told
	}
	account.Released += c.released
	account.Failed += c.failed
	if c.ended && open && mw.Spec.Enforcement == v1alpha1.Hold {
		account.UsedSeconds = int64(r.now.Sub(account.Start.Time).Round(time.Second).Seconds())
	}
	account.Turn = cmp.Or(c.turn, account.Turn)
	if stop(account, c.stopped) {
		told[v1alpha1.ReasonReleasesStopped] = stoppedText(c.stopped)
	}
	if c.close && open && end != nil {
		closedAt := r.now.UTC().Truncate(time.Second)
		status.ClosedEarly = &v1alpha1.Occurrence{Start: metav1.NewTime(closedAt), End: *end}
		told[v1alpha1.ReasonClosedEarly] = "every held rollout is done: closed before the end at " + compile.Human(current.End)
	}
	return ended, told
}

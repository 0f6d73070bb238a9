// Package decision says what becomes of a disruption, from the Gate of its namespace and as the admission policies decide: for whoever
// asks before a request is made. It is pure: no client, no clock.
package decision

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
)

// Disruptions are those of the API, in its order.
var Disruptions = []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.ScaleDown, v1alpha1.Delete, v1alpha1.Evict}

// Word is what becomes of a request.
type Word string

const (
	// Allowed passes, and nothing is said.
	Allowed Word = "Allowed"
	// Warned passes with a warning.
	Warned Word = "Warned"
	// Held is accepted, and its rollout waits.
	Held Word = "Held"
	// Refused is refused.
	Refused Word = "Refused"
)

// words in order of strictness.
var words = []Word{Allowed, Warned, Held, Refused}

// Begins says that the disruption may begin now.
func (w Word) Begins() bool { return w == Allowed || w == Warned }

// Stricter says whether w is stricter than another word.
func (w Word) Stricter(other Word) bool { return slices.Index(words, w) > slices.Index(words, other) }

// Request is what somebody would do to an object.
type Request struct {
	Disruption v1alpha1.Disruption
	// Selects says whether a selector of the Gate selects the object. Nil: the request does not tell the labels of the workload, as a Scale
	// or an Eviction does not, and everything in the Gate may govern.
	Selects func(*metav1.LabelSelector) bool
	// Holdable: the rollout of the object can be held.
	Holdable bool
	// Unwarned: nobody is warned of such a request, as of one to a Namespace.
	Unwarned bool
	// Exempt: whoever asks passes every gate.
	Exempt bool
	// OverriddenUntil is when the override ends that stands for the object; zero: none stands.
	OverriddenUntil time.Time
	// Passes names the freezes that the caller has the right to override.
	Passes []string
}

// Answer is what becomes of it, and when that changes. Zero times mean: none known.
type Answer struct {
	Disruption v1alpha1.Disruption
	Word       Word
	// Windows names those that govern it.
	Windows []string
	// Until is, of what may begin, the first instant at which it no longer may; UntilBy the freeze that begins then, empty where the windows
	// close or an override ends.
	Until   time.Time
	UntilBy string
	// From is, of what may not begin, when it may: in words, in the zone of the window or freeze FromBy.
	From      time.Time
	FromWords string
	FromBy    string
	// AtLeast says that it may not before From, and that the Gate does not tell whether it may then.
	AtLeast bool
	// Late says that the Gate should have opened by now: it is the operator's to write, and only openings wait for it.
	Late bool
	// Cutoff is a window that is open, and begins nothing new.
	Cutoff *v1alpha1.GateCutoff
	// Frozen are the freezes in force that stop it, or would but for an override; Coming those to come. Those that only warn are told of in
	// Advisory.
	Frozen, Coming, Advisory []v1alpha1.GateFreeze
	// Exempt and Overridden say why it passes, where it would not otherwise.
	Exempt, Overridden bool
}

// Decide answers at an instant of the API server's clock. A nil Gate governs nothing.
func Decide(g *v1alpha1.Gate, r Request, now time.Time) Answer {
	a := Answer{Disruption: r.Disruption, Word: Allowed}
	if g == nil {
		return a
	}
	d := decider{gate: g, request: r, now: now}
	d.targets = d.governing()
	for _, t := range d.targets {
		a.Windows = append(a.Windows, t.Windows...)
	}
	slices.Sort(a.Windows)
	a.Windows = slices.Compact(a.Windows)
	a.Frozen, a.Coming, a.Advisory = d.freezes()
	a.Word = d.word(a.Frozen, a.Advisory)
	overridden := now.Before(r.OverriddenUntil)
	if a.Word == Warned && (r.Unwarned || r.Exempt || overridden && d.passes(a.Advisory)) {
		a.Word = Allowed
	}
	switch {
	case r.Exempt && !a.Word.Begins():
		a.Word, a.Exempt = Allowed, true
	case a.Word.Begins():
		a.Until, a.UntilBy = d.until(a.Coming)
	case overridden && d.passes(a.Frozen):
		a.Word, a.Overridden, a.Until = Allowed, true, r.OverriddenUntil
		if !r.Unwarned && !d.passes(a.Advisory) {
			a.Word = Warned
		}
		for _, f := range a.Coming { // which an override need not pass
			if !d.passes([]v1alpha1.GateFreeze{f}) && f.StartsAt.Time.Before(a.Until) {
				a.Until, a.UntilBy = f.StartsAt.Time, f.Name
			}
		}
	default:
		a.Cutoff = d.cutoff()
		d.from(&a)
	}
	return a
}

// decider is one decision in progress.
type decider struct {
	gate    *v1alpha1.Gate
	request Request
	now     time.Time
	// targets list the disruption and govern the object; or may, where the labels are not told.
	targets []v1alpha1.GateTarget
}

func (d *decider) governing() []v1alpha1.GateTarget {
	var list []v1alpha1.GateTarget
	for _, t := range d.gate.Spec.Targets {
		if slices.Contains(t.Disruptions, d.request.Disruption) && d.selects(t.ObjectSelector) {
			list = append(list, t)
		}
	}
	return list
}

func (d *decider) selects(s *metav1.LabelSelector) bool {
	return s == nil || d.request.Selects == nil || d.request.Selects(s)
}

func (d *decider) reached(t *metav1.Time) bool { return t != nil && !d.now.Before(t.Time) }

func (d *decider) open(t v1alpha1.GateTarget) bool { return t.Open && !d.reached(t.ClosesAt) }

// opens says whether a target lets something begin for certain when it is open.
func (d *decider) opens(t v1alpha1.GateTarget) bool {
	return d.request.Selects != nil || t.ObjectSelector == nil
}

// closed lists the targets that shut the disruption out; none where another one is open.
func (d *decider) closed() []v1alpha1.GateTarget {
	var shut []v1alpha1.GateTarget
	for _, t := range d.targets {
		switch {
		case !d.open(t):
			shut = append(shut, t)
		case d.opens(t):
			return nil
		}
	}
	return shut
}

// refuses says whether an enforcement does more than tell.
func refuses(e v1alpha1.Enforcement) bool { return e == v1alpha1.Deny || e == v1alpha1.Hold }

func (d *decider) word(frozen, advisory []v1alpha1.GateFreeze) Word {
	if len(frozen) > 0 {
		return Refused
	}
	word := Allowed
	if len(advisory) > 0 {
		word = Warned
	}
	for _, t := range d.closed() {
		is := word
		switch {
		case t.Enforcement == v1alpha1.Hold && d.request.Holdable && d.request.Disruption == v1alpha1.Rollout && d.gate.Labels[v1alpha1.HoldsLabel] == "true":
			is = Held
		case refuses(t.Enforcement):
			is = Refused
		case t.Enforcement == v1alpha1.Warn:
			is = Warned
		}
		if is.Stricter(word) {
			word = is
		}
	}
	return word
}

// freezes are those in force that refuse it, those to come that will, and those in force that warn.
func (d *decider) freezes() (frozen, coming, advisory []v1alpha1.GateFreeze) {
	for _, f := range d.gate.Spec.Freezes {
		if !slices.Contains(f.Disruptions, d.request.Disruption) || !d.selects(f.ObjectSelector) {
			continue
		}
		switch active := f.Active || d.reached(f.StartsAt); {
		case active && f.Enforcement == v1alpha1.Deny:
			frozen = append(frozen, f)
		case active && f.Enforcement == v1alpha1.Warn:
			advisory = append(advisory, f)
		case !active && f.StartsAt != nil && f.Enforcement == v1alpha1.Deny:
			coming = append(coming, f)
		}
	}
	return frozen, coming, advisory
}

// passes says whether an override passes freezes: all of them let it, the caller has the right, and they are not too many.
func (d *decider) passes(frozen []v1alpha1.GateFreeze) bool {
	return len(frozen) <= v1alpha1.MaxOverrideFreezes && !slices.ContainsFunc(frozen, func(f v1alpha1.GateFreeze) bool {
		return f.Overrides == nil || !slices.Contains(d.request.Passes, f.Name)
	})
}

// until is when what may begin no longer may: the windows that are open have closed, or a freeze begins.
func (d *decider) until(coming []v1alpha1.GateFreeze) (until time.Time, by string) {
	if slices.ContainsFunc(d.targets, func(t v1alpha1.GateTarget) bool { return refuses(t.Enforcement) }) {
		until = d.closes()
	}
	for _, f := range coming {
		if until.IsZero() || f.StartsAt.Time.Before(until) {
			until, by = f.StartsAt.Time, f.Name
		}
	}
	return until, by
}

// closes is when the last of the targets has closed that let it begin for certain; where there are none, the first of the others.
func (d *decider) closes() time.Time {
	var certain, others []v1alpha1.GateTarget
	for _, t := range d.targets {
		switch {
		case d.open(t) && d.opens(t):
			certain = append(certain, t)
		case d.open(t) && t.ClosesAt != nil:
			others = append(others, t)
		}
	}
	earlier := func(a, b v1alpha1.GateTarget) int { return a.ClosesAt.Compare(b.ClosesAt.Time) }
	switch {
	case slices.ContainsFunc(certain, func(t v1alpha1.GateTarget) bool { return t.ClosesAt == nil }):
		return time.Time{}
	case len(certain) > 0:
		return slices.MaxFunc(certain, earlier).ClosesAt.Time
	case len(others) > 0:
		return slices.MinFunc(others, earlier).ClosesAt.Time
	}
	return time.Time{}
}

func (d *decider) cutoff() *v1alpha1.GateCutoff {
	for _, t := range d.targets {
		if t.Cutoff != nil && !d.open(t) {
			return t.Cutoff
		}
	}
	return nil
}

// from works out when what may not begin may.
func (d *decider) from(a *Answer) {
	thaw, known := thaw(a.Frozen)
	if !known {
		return
	}
	end := opening{at: time.Time{}}
	if thaw != nil {
		end = opening{at: thaw.EndsAt.Time, words: thaw.Ends, by: thaw.Name}
	}
	if len(d.targets) == 0 || !slices.ContainsFunc(d.targets, func(t v1alpha1.GateTarget) bool { return refuses(t.Enforcement) }) {
		a.From, a.FromWords, a.FromBy = end.at, end.words, end.by
		return
	}
	var first, last *opening
	for _, t := range d.targets {
		o, ok := d.opening(t, end)
		switch {
		case !ok:
		case d.opens(t):
			if first == nil || o.at.Before(first.at) {
				first = &o
			}
		case !d.open(t) && (last == nil || o.at.After(last.at)):
			last = &o
		}
	}
	if first == nil && last != nil { // where there are several, others may have closed again by then
		last.atLeast = last.atLeast || len(d.targets) > 1
		first = last
	}
	if first == nil {
		return
	}
	a.From, a.FromWords, a.FromBy, a.AtLeast = first.at, first.words, first.by, first.atLeast
	a.Late = !first.at.After(d.now)
}

// opening is when something may begin.
type opening struct {
	at        time.Time
	words, by string
	atLeast   bool
}

// opening is when a target lets something begin, after the freezes in force have ended at thaw, if there are any.
func (d *decider) opening(t v1alpha1.GateTarget, thaw opening) (opening, bool) {
	if d.open(t) && !thaw.at.IsZero() && (t.ClosesAt == nil || thaw.at.Before(t.ClosesAt.Time)) {
		return thaw, true
	}
	if t.OpensAt == nil {
		return opening{}, false
	}
	if t.OpensAt.Time.Before(thaw.at) { // it may still be open then
		thaw.atLeast = true
		return thaw, true
	}
	return opening{at: t.OpensAt.Time, words: t.Opens, by: t.OpensWindow}, true
}

// thaw is the freeze in force that ends last; not known where one has no known end.
func thaw(frozen []v1alpha1.GateFreeze) (last *v1alpha1.GateFreeze, known bool) {
	for i := range frozen {
		f := &frozen[i]
		if f.EndsAt == nil {
			return nil, false
		}
		if last == nil || last.EndsAt.Before(f.EndsAt) {
			last = f
		}
	}
	return last, true
}

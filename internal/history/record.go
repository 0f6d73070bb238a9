// Package history remembers what was announced of a window or freeze, so that people can be told what has changed since: occurrences
// that were cancelled, moved, or ended early. It is pure, and nothing is gated by it.
package history

import (
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/schedule"
)

const (
	// Horizon is how far ahead occurrences are announced, and so can be withdrawn.
	Horizon = 400 * 24 * time.Hour
	// Memory is how long a withdrawn occurrence is told of after it would have ended.
	Memory = 30 * 24 * time.Hour
	// MaxWithdrawn bounds a record: the soonest are kept.
	MaxWithdrawn = 500
	// moveWithin is how far apart two days may be for one to be called moved to the other.
	moveWithin = 31 * 24 * time.Hour
	// settles is how long something is announced before it counts as known: what is taken back sooner, and begins later than soon, is
	// a mistake, of which nobody needs to be told.
	settles = 15 * time.Minute
	soon    = 24 * time.Hour
)

// Record is what was announced of one window or freeze.
type Record struct {
	// One of Window and Freeze is its name.
	Window string `json:"window,omitempty"`
	Freeze string `json:"freeze,omitempty"`
	// Sequence rises by one whenever what is announced changes: SEQUENCE of RFC 5545, section 3.8.7.4.
	Sequence int `json:"sequence"`
	// ChangedAt is when it last rose; at first, when the object was created.
	ChangedAt time.Time `json:"changedAt"`
	// Since is when it was first announced. Zero in records of before it was kept.
	Since time.Time `json:"since,omitzero"`
	// Announced is what people were told: the spec without what concerns workloads alone. Of a freeze, Title is its reason, and
	// Enforcement whether it only warns. Nil once the object is deleted.
	Announced *v1alpha1.MaintenanceWindowSpec `json:"announced,omitempty"`
	// Settled is what people may be taken to know: what was announced before Unsettled, when it first changed after that.
	Settled   *v1alpha1.MaintenanceWindowSpec `json:"settled,omitempty"`
	Unsettled time.Time                       `json:"unsettled,omitzero"`
	// Stops are the freezes without a schedule over the window: those that stand, and those that stopped some occurrence of it.
	Stops []Stop `json:"stops,omitempty"`
	// Freezes identifies the freezes that lay over the window.
	Freezes string `json:"freezes,omitempty"`
	// Withdrawn are the announced occurrences that are no more, in order of their start.
	Withdrawn []Withdrawn `json:"withdrawn,omitempty"`
}

// Stop is a freeze without a schedule, which is in force from when it is made until it is deleted.
type Stop struct {
	Freeze string    `json:"freeze"`
	Since  time.Time `json:"since"`
	// Until is when it ended; zero while it stands.
	Until time.Time `json:"until,omitzero"`
	// Reason is for people, and Reasons in other languages; empty where the freeze is not announced.
	Reason  string `json:"reason,omitempty"`
	Reasons Titles `json:"reasons,omitempty"`
}

// Withdrawn is an occurrence that was announced and is no more, as it was announced.
type Withdrawn struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// At is when it was withdrawn: with Early, when it ended.
	At time.Time `json:"at"`
	// Early means that it was in progress.
	Early bool `json:"early,omitempty"`
	// MovedTo is the start of the occurrence that took its place; nil: none did.
	MovedTo   *time.Time           `json:"movedTo,omitempty"`
	Title     string               `json:"title,omitempty"`
	Titles    Titles               `json:"titles,omitempty"`
	Class     v1alpha1.WindowClass `json:"class,omitempty"`
	TimeZone  string               `json:"timeZone"`
	Audiences []string             `json:"audiences,omitempty"`
	// Advisory means that it is of a window or freeze that only warned.
	Advisory bool `json:"advisory,omitempty"`
}

// Titles are a title in other languages, by BCP 47 tag.
type Titles = map[string]v1alpha1.Title

// Final is where an occurrence went at last, when what took its place has been moved too; nil where it went nowhere. What was
// cancelled there says so itself. listed says whether one that starts then is announced now.
func (w Withdrawn) Final(all []Withdrawn, listed func(start time.Time) bool) *time.Time {
	to := w.MovedTo
	for range all { // as many steps at most as there are moves
		if to == nil || listed(*to) {
			return to
		}
		i := slices.IndexFunc(all, func(next Withdrawn) bool { return next.Start.Equal(*to) && next.MovedTo != nil })
		if i < 0 {
			return to
		}
		to = all[i].MovedTo
	}
	return to
}

// told is a window or freeze as far as people are told of it.
type told struct {
	window, freeze string // one is its name
	created        time.Time
	announced      *v1alpha1.MaintenanceWindowSpec
	freezes        string
	stops          []Stop
	closed         []schedule.Occurrence
	// hidden means that nothing is told of it, nor was.
	hidden bool
	// always means that it is in force whatever it says of times: nothing is withdrawn.
	always bool
}

// Over are the freezes over a window: Freezes tells one set of them from another, and Stops are those without a schedule.
type Over struct {
	Freezes string
	Stops   []Stop
}

// Next is the record after a look at the window, nil when it is deleted, and at the freezes over it. It returns the very
// same record when nothing has changed, and nil when there is nothing to remember.
func Next(old *Record, mw *v1alpha1.MaintenanceWindow, over Over, now time.Time) *Record {
	if mw == nil {
		return after(old, nil, now)
	}
	return after(old, &told{
		window: mw.Name, created: mw.CreationTimestamp.UTC(), announced: announced(mw), freezes: over.Freezes, stops: over.Stops,
		closed: compile.Closed(mw), hidden: !compile.Announced(mw.Spec.Announce),
	}, now)
}

// NextFreeze is Next for a freeze, nil when it is deleted.
func NextFreeze(old *Record, cf *v1alpha1.ChangeFreeze, now time.Time) *Record {
	if cf == nil {
		return after(old, nil, now)
	}
	s := cf.Spec
	compiled, _ := compile.Freeze(cf)
	spec := &v1alpha1.MaintenanceWindowSpec{
		Title: s.Reason, Titles: TitlesOf(s.Reasons), TimeZone: s.TimeZone, Schedules: s.Schedules, Audiences: s.Audiences,
	}
	if s.Enforcement == v1alpha1.Warn || s.Enforcement == v1alpha1.Audit { // neither stops anything
		spec.Enforcement = v1alpha1.Warn
	}
	return after(old, &told{
		freeze: cf.Name, created: cf.CreationTimestamp.UTC(), announced: spec, always: compiled.Schedule == nil || len(s.Schedules) == 0,
		hidden: !compile.Announced(s.Announce),
	}, now)
}

// TitlesOf are the reasons of a freeze, as titles.
func TitlesOf(reasons map[string]v1alpha1.Reason) Titles {
	if len(reasons) == 0 {
		return nil
	}
	titles := make(Titles, len(reasons))
	for tag, reason := range reasons {
		titles[tag] = v1alpha1.Title(reason)
	}
	return titles
}

// after is the record after a look at an object, nil where it is deleted.
func after(old *Record, is *told, now time.Time) *Record {
	now = now.Truncate(time.Second)
	if is != nil && is.hidden {
		return nil
	}
	if old == nil {
		if is == nil {
			return nil
		}
		first := &Record{
			Window: is.window, Freeze: is.freeze, ChangedAt: is.created, Since: is.created, Unsettled: is.created,
			Announced: is.announced, Freezes: is.freezes, Stops: is.stops,
		}
		first.endEarly(is.closed, now)
		return first
	}
	next := *old
	next.Withdrawn = slices.DeleteFunc(slices.Clone(old.Withdrawn), func(w Withdrawn) bool { return now.Sub(w.End) >= Memory })
	next.Announced = nil
	if is != nil {
		next.Announced, next.Freezes = is.announced, is.freezes
		next.stop(is.stops, now)
	}
	changed := !equal(old.Announced, next.Announced)
	if changed {
		next.settle(old, now)
	}
	if changed = changed || old.Freezes != next.Freezes; changed && (is == nil || !is.always) {
		next.withdraw(old.Announced, now)
	}
	if is != nil {
		changed = next.endEarly(is.closed, now) || changed
	}
	if changed {
		next.Sequence++
		next.ChangedAt = now.UTC()
	}
	switch {
	case next.Announced == nil && len(next.Withdrawn) == 0:
		return nil
	case next.Sequence == old.Sequence && len(next.Withdrawn) == len(old.Withdrawn) && len(next.Stops) == len(old.Stops):
		return old
	}
	return &next
}

// settle keeps what people may be taken to know, now that what is announced changes. Of changes that follow one another quickly the
// first counts: what stood until then.
func (r *Record) settle(old *Record, now time.Time) {
	if now.Sub(old.Unsettled) >= settles {
		r.Settled, r.Unsettled = old.Announced, now
	}
}

// stop notes which stops have come, and which have ended; of those only what they did is remembered.
func (r *Record) stop(are []Stop, now time.Time) {
	var stops []Stop
	for _, s := range r.Stops {
		stands := slices.ContainsFunc(are, func(is Stop) bool { return is.Freeze == s.Freeze && is.Since.Equal(s.Since) })
		if !stands && s.Until.IsZero() {
			s.Until = now.UTC()
		}
		if stands || now.Sub(s.Until) >= Memory || len(occurrences(r.Announced, s.Since, s.Until)) == 0 {
			continue
		}
		stops = append(stops, s)
	}
	r.Stops = slices.Concat(stops, are)
}

// Expires is when Next changes the record by itself; zero when it does not.
func (r *Record) Expires() (at time.Time) {
	for _, w := range r.Withdrawn {
		if t := w.End.Add(Memory); at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for _, s := range r.Stops {
		if t := s.Until.Add(Memory); !s.Until.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	return at
}

// announced is the part of a spec that people are told.
func announced(mw *v1alpha1.MaintenanceWindow) *v1alpha1.MaintenanceWindowSpec {
	s := mw.Spec
	spec := &v1alpha1.MaintenanceWindowSpec{
		Title: s.Title, Titles: s.Titles, Description: s.Description, Descriptions: s.Descriptions, Systems: s.Systems, Class: s.Class,
		TimeZone: s.TimeZone, Schedules: s.Schedules, Exclusions: s.Exclusions, Cutoff: s.Cutoff, Audiences: s.Audiences,
	}
	if s.Enforcement == v1alpha1.Warn {
		spec.Enforcement = v1alpha1.Warn
	}
	return spec
}

// equal compares as JSON: what was stored has been through it, where nil and empty are one.
func equal(a, b *v1alpha1.MaintenanceWindowSpec) bool {
	if (a == nil) != (b == nil) {
		return false
	}
	left, err1 := json.Marshal(a)
	right, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && reflect.DeepEqual(left, right)
}

// withdraw adds what was announced before and is not in r.Announced, and forgets what is there again.
func (r *Record) withdraw(before *v1alpha1.MaintenanceWindowSpec, now time.Time) {
	is := occurrences(r.Announced, now.Add(-Memory), now.Add(Horizon))
	was := occurrences(before, now, now.Add(Horizon))
	starts := func(list []schedule.Occurrence) map[int64]bool {
		set := make(map[int64]bool, len(list))
		for _, o := range list {
			set[o.Start.Unix()] = true
		}
		return set
	}
	still, known := starts(is), starts(was)
	settled := starts(occurrences(r.Settled, now, now.Add(Horizon)))
	r.Withdrawn = slices.DeleteFunc(r.Withdrawn, func(w Withdrawn) bool { return !w.Early && still[w.Start.Unix()] })
	added := slices.DeleteFunc(slices.Clone(is), func(o schedule.Occurrence) bool { return known[o.Start.Unix()] || !o.End.After(now) })
	for _, o := range was {
		if o.Start.IsZero() || o.End.IsZero() {
			continue // it had no day that people could have been told
		}
		if r.endedEarly(o) {
			continue
		}
		running := !o.Start.After(now)
		if still[o.Start.Unix()] && (!running || inProgress(is, now)) {
			continue
		}
		w := withdrawn(before, o, now)
		forgotten := o.Start.After(now.Add(soon)) && !settled[o.Start.Unix()]
		if i := slices.IndexFunc(added, func(a schedule.Occurrence) bool { return near(a, o) && (!running || !a.Start.After(now)) }); i >= 0 {
			w.MovedTo = new(added[i].Start)
			added = slices.Delete(added, i, i+1)
		} else {
			w.Early = running
		}
		if forgotten {
			r.redirect(o.Start, w.MovedTo)
			continue
		}
		r.add(w)
	}
}

// redirect has what was moved to an occurrence that is forgotten go where that went; nil: nowhere.
func (r *Record) redirect(from time.Time, to *time.Time) {
	for i := range r.Withdrawn {
		if w := &r.Withdrawn[i]; w.MovedTo != nil && w.MovedTo.Equal(from) {
			w.MovedTo = to
		}
	}
}

// endEarly adds the occurrences that were closed before their end, and forgets those that are open again. It says whether
// there were any.
func (r *Record) endEarly(closed []schedule.Occurrence, now time.Time) bool {
	changed := false
	for _, c := range closed {
		if c.Start.After(now) {
			continue
		}
		for _, o := range occurrences(r.Announced, c.Start, c.End) {
			if o.Start.IsZero() || o.End.IsZero() || o.Start.After(c.Start) || now.Sub(o.End) >= Memory || r.endedEarly(o) {
				continue
			}
			w := withdrawn(r.Announced, o, c.Start)
			w.Early, changed = true, true
			r.add(w)
		}
	}
	if slices.ContainsFunc(closed, func(c schedule.Occurrence) bool { return within(c, now) }) {
		return changed
	}
	kept := len(r.Withdrawn)
	for _, o := range occurrences(r.Announced, now, now.Add(time.Second)) {
		r.Withdrawn = slices.DeleteFunc(r.Withdrawn, func(w Withdrawn) bool { return w.Early && w.Start.Equal(o.Start) && within(o, now) })
	}
	return changed || len(r.Withdrawn) < kept
}

// endedEarly says whether an occurrence is known to have ended early.
func (r *Record) endedEarly(o schedule.Occurrence) bool {
	return slices.ContainsFunc(r.Withdrawn, func(w Withdrawn) bool { return w.Early && w.Start.Equal(o.Start) })
}

// withdrawn is an occurrence as it was announced, withdrawn at an instant.
func withdrawn(announced *v1alpha1.MaintenanceWindowSpec, o schedule.Occurrence, at time.Time) Withdrawn {
	return Withdrawn{
		Start: o.Start, End: o.End, At: at.UTC(), Title: announced.Title, Titles: announced.Titles, Class: announced.Class, TimeZone: announced.TimeZone,
		Audiences: announced.Audiences, Advisory: announced.Enforcement == v1alpha1.Warn,
	}
}

func (r *Record) add(w Withdrawn) {
	i, _ := slices.BinarySearchFunc(r.Withdrawn, w.Start, func(w Withdrawn, start time.Time) int { return w.Start.Compare(start) })
	r.Withdrawn = slices.Insert(r.Withdrawn, i, w)
	r.Withdrawn = r.Withdrawn[:min(len(r.Withdrawn), MaxWithdrawn)]
}

func near(a, b schedule.Occurrence) bool { return a.Start.Sub(b.Start).Abs() <= moveWithin }

func inProgress(list []schedule.Occurrence, now time.Time) bool {
	return slices.ContainsFunc(list, func(o schedule.Occurrence) bool { return within(o, now) })
}

func within(o schedule.Occurrence, now time.Time) bool {
	return !o.Start.After(now) && (o.End.IsZero() || o.End.After(now))
}

// occurrences are those of a spec that overlap [from, to); none where it has no schedule that can be read.
func occurrences(spec *v1alpha1.MaintenanceWindowSpec, from, to time.Time) []schedule.Occurrence {
	if spec == nil {
		return nil
	}
	window, _ := compile.Window(&v1alpha1.MaintenanceWindow{Spec: *spec}) // the selectors are left out
	if window.Schedule == nil {
		return nil
	}
	return window.Schedule.Between(from, to)
}

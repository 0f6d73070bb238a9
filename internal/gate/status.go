package gate

import (
	"time"

	"fonster.dev/fonster/internal/schedule"
)

// WindowState is the state of one window at one instant. Zero times mean: none known.
type WindowState struct {
	// Open says that an occurrence is in progress and no refusing freeze that governs the whole target is in force.
	Open bool
	// Accepting says that something new may begin: Open, and not in the cutoff.
	Accepting bool
	// NothingNewFrom is when the cutoff of an open window begins, or began; zero without one.
	NothingNewFrom time.Time
	// Freeze is the name of such a freeze; empty when none is in force.
	Freeze string
	// ClosesAt is when an open window closes, by its end or by a freeze; OpensAt when a closed one opens, freezes counted. Like
	// NothingNewFrom, they are in the window's own zone.
	ClosesAt, OpensAt time.Time
	// Until is the next instant at which any of this may change.
	Until time.Time
}

// Window returns the state of a window; false when the set has no such window.
func (s *Set) Window(name string, now time.Time) (WindowState, bool) {
	entry, found := s.windows[name]
	if !found {
		return WindowState{}, false
	}
	var state WindowState
	w := &entry.window
	var freezes []*Freeze
	for _, f := range s.blocking(entry) {
		if !includes(f.Disruptions, w.Disruptions) {
			continue
		}
		freezes = append(freezes, f)
		if f.at(now).Active {
			state.Freeze = f.Name
		}
		if f.Schedule != nil {
			state.Until = earliest(state.Until, f.Schedule.State(now).Until)
		}
	}
	if w.Schedule == nil {
		return state, true
	}
	at := w.Schedule.State(now)
	state.Until = earliest(state.Until, at.Until)
	if state.Open = at.Open && state.Freeze == ""; state.Open {
		state.Accepting = at.Accepting
		state.NothingNewFrom = w.Schedule.NothingNewFrom(at.Current)
		state.ClosesAt = at.Current.End
		for _, f := range freezes {
			state.ClosesAt = earliest(state.ClosesAt, f.at(now).StartsAt)
		}
		if !state.ClosesAt.IsZero() {
			state.ClosesAt = state.ClosesAt.In(w.Schedule.Location())
		}
		return state, true
	}
	_, state.OpensAt = nextOpening([]*Window{w}, freezes, now)
	return state, true
}

// Blocking lists the freezes that keep a whole window shut while they are in force: what Window counts. None when the set has
// no such window.
func (s *Set) Blocking(window string) []Freeze {
	entry, found := s.windows[window]
	if !found {
		return nil
	}
	var list []Freeze
	for _, f := range s.blocking(entry) {
		if includes(f.Disruptions, entry.window.Disruptions) {
			list = append(list, *f)
		}
	}
	return list
}

// BlockedBy says whether a freeze keeps the whole window shut while it is in force: whether Blocking lists it.
func (w Window) BlockedBy(f Freeze) bool {
	return f.Enforcement == Deny && f.Target.Covers(w.Target) && includes(f.Disruptions, w.Disruptions)
}

// Freeze returns the state of a freeze, and the next instant at which it changes; false when the set has no such freeze.
func (s *Set) Freeze(name string, now time.Time) (state FreezeState, until time.Time, found bool) {
	f, found := s.freezes[name]
	if !found {
		return FreezeState{}, time.Time{}, false
	}
	if f.Schedule != nil {
		until = f.Schedule.State(now).Until
	}
	return f.at(now), until, true
}

// Upcoming lists at most n occurrences from now on, the one in progress first. Freezes are not counted: these are the
// occurrences as announced. One without end is left out, as nothing can be listed after it.
func Upcoming(s *schedule.Schedule, now time.Time, n int) []schedule.Occurrence {
	if s == nil {
		return nil
	}
	var upcoming []schedule.Occurrence
	if state := s.State(now); state.Open && !state.Current.End.IsZero() {
		upcoming = append(upcoming, state.Current)
	}
	for _, next := range s.NextAfter(now, n-len(upcoming)) {
		if next.End.IsZero() {
			break
		}
		upcoming = append(upcoming, next)
	}
	return upcoming
}

package gate

import (
	"slices"
	"time"
)

// Verdict is what windows and freezes say of one object. Zero times mean: none known.
type Verdict struct {
	// Windows are the windows that govern the object and do more than warn, in order of name. None: nothing holds it back but
	// Freeze.
	Windows []string
	// Accepting are those of Windows in which something may begin now, Open those with an occurrence in progress.
	Accepting, Open []string
	// Freeze is the name of a refusing freeze in force that governs the object; empty: none.
	Freeze string
	// OpensAt is when it may begin: the next opening of any of Windows, freezes counted, in that window's zone; OpensWindow is the
	// window's name. Zero while it may begin now.
	OpensAt     time.Time
	OpensWindow string
}

// Governing returns what windows and freezes say of an object with these labels, in a namespace with those, about a disruption.
// Whoever must never be governed is not known here.
func (s *Set) Governing(namespace, object map[string]string, d Disruption, now time.Time) Verdict {
	var v Verdict
	var windows []Window
	var freezes []Freeze
	for _, g := range s.groups {
		if !g.target.Namespaces.Matches(namespace) || !g.target.Objects.Matches(object) {
			continue
		}
		windows = append(windows, g.governing(d)...)
		for _, f := range g.freezes {
			if f.Enforcement == Deny && slices.Contains(f.Disruptions, d) {
				freezes = append(freezes, f)
			}
		}
	}
	for _, f := range freezes {
		if f.at(now).Active {
			v.Freeze = f.Name
		}
	}
	strict := slices.ContainsFunc(windows, func(w Window) bool { return w.Enforcement != Warn })
	for _, w := range windows {
		if !strict {
			break // outside them a change would pass with a warning
		}
		v.Windows = append(v.Windows, w.Name)
		if w.Schedule == nil {
			continue
		}
		state := w.Schedule.State(now)
		if state.Open {
			v.Open = append(v.Open, w.Name)
		}
		if state.Accepting {
			v.Accepting = append(v.Accepting, w.Name)
		}
	}
	slices.Sort(v.Windows)
	slices.Sort(v.Open)
	slices.Sort(v.Accepting)
	if v.Freeze != "" || len(v.Windows) > 0 && len(v.Accepting) == 0 {
		v.OpensWindow, v.OpensAt = nextOpening(windows, freezes, now)
	}
	return v
}

// Until is the next instant at which any window or freeze changes; zero when nothing ever will.
func (s *Set) Until(now time.Time) (until time.Time) {
	for _, g := range s.groups {
		until = earliest(until, g.until(now))
	}
	return until
}

// FreezesUntil is the next instant at which any freeze begins or ends; zero when none ever will.
func (s *Set) FreezesUntil(now time.Time) (until time.Time) {
	for _, f := range s.freezes {
		if f.freeze.Schedule != nil {
			until = earliest(until, f.freeze.Schedule.State(now).Until)
		}
	}
	return until
}

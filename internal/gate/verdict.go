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

// Verdict returns what windows and freezes say of an object with these labels, in a namespace with those, about a disruption.
// Whoever must never be governed is not known here.
func (s *Set) Verdict(namespace, object map[string]string, d Disruption, now time.Time) Verdict {
	var v Verdict
	g := s.Of(namespace)
	if g == nil {
		return v
	}
	var freezes []*Freeze
	for _, f := range g.Freezes {
		if f.Enforcement == Deny && slices.Contains(f.Disruptions, d) && f.Target.Objects.Matches(object) {
			freezes = append(freezes, f)
			if f.at(now).Active {
				v.Freeze = f.Name
			}
		}
	}
	var windows []*Window
	strict := false
	for _, w := range g.Windows {
		if slices.Contains(w.Disruptions, d) && w.Target.Objects.Matches(object) {
			windows = append(windows, w)
			strict = strict || w.Enforcement != Warn
		}
	}
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
	if v.Freeze != "" || len(v.Windows) > 0 && len(v.Accepting) == 0 {
		v.OpensWindow, v.OpensAt = nextOpening(windows, freezes, now)
	}
	return v
}

package gate

import "time"

// maxSteps bounds every walk from one edge to the next. Past it the answer is "none known", which closes.
const maxSteps = 512

// accepting is the window by which something may begin from now on, and until when: where one window hands over to the next without a
// gap, the last of them, and its end. It is nil where none lets anything begin; the end is zero when none is known.
func accepting(windows []*Window, now time.Time) (last *Window, end time.Time) {
	end = now
	for range maxSteps {
		var next *Window
		var furthest time.Time
		for _, w := range windows {
			if w.Schedule == nil {
				continue
			}
			s := w.Schedule.State(end)
			switch {
			case !s.Accepting:
			case s.Until.IsZero():
				return w, time.Time{}
			case s.Until.After(furthest):
				next, furthest = w, s.Until
			}
		}
		if next == nil {
			break
		}
		last, end = next, furthest
	}
	if last == nil {
		return nil, time.Time{}
	}
	return last, end
}

// nextOpening is the first instant at or after now at which a window accepts and no freeze is in force, in the zone of that
// window, and the window's name. Zero when none is known.
func nextOpening(windows []*Window, freezes []*Freeze, now time.Time) (string, time.Time) {
	at := now
	for range maxSteps {
		name, opens := firstAccepting(windows, at)
		if opens.IsZero() {
			return "", time.Time{}
		}
		blocked, until := frozen(freezes, opens)
		if !blocked {
			return name, opens
		}
		if until.IsZero() {
			return "", time.Time{}
		}
		at = until
	}
	return "", time.Time{}
}

// firstAccepting is the first instant at or after now at which any window accepts. An occurrence that is all cutoff opens
// nothing.
func firstAccepting(windows []*Window, now time.Time) (name string, opens time.Time) {
	for _, w := range windows {
		if w.Schedule == nil {
			continue
		}
		if at := acceptsFrom(w, now); !at.IsZero() && (opens.IsZero() || at.Before(opens)) {
			name, opens = w.Name, at
		}
	}
	return name, opens
}

func acceptsFrom(w *Window, now time.Time) time.Time {
	at, s := now, w.Schedule
	for range maxSteps {
		state := s.State(at)
		if state.Accepting {
			return at.In(s.Location())
		}
		if at = state.Next.Start; at.IsZero() || s.Accepts(state.Next) {
			return at
		}
	}
	return time.Time{}
}

// frozen says whether any freeze is in force at now, and until when at least; zero when no end is known.
func frozen(freezes []*Freeze, now time.Time) (active bool, until time.Time) {
	for _, f := range freezes {
		state := f.at(now)
		if !state.Active {
			continue
		}
		if state.EndsAt.IsZero() {
			return true, time.Time{}
		}
		active, until = true, latest(until, state.EndsAt)
	}
	return active, until
}

// earliest is the earlier of two instants, a zero one being none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

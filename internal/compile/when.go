package compile

import (
	"time"

	"fonster.dev/fonster/internal/gate"
)

// WhenOpen says of an open window until when it is, and from when on it lets nothing new begin, such as:
// open until Thu 26 Nov 2026 22:00 CET, nothing new since 16:00.
func WhenOpen(state gate.WindowState) string {
	closes := Human(state.ClosesAt)
	switch from := state.NothingNewFrom; {
	case state.ClosesAt.IsZero():
		return "no end is known"
	case from.IsZero() || !from.Before(state.ClosesAt): // a freeze closes it before
		return "closes " + closes
	case state.Accepting:
		return "closes " + closes + ", nothing new from " + Briefly(from, state.ClosesAt)
	default:
		return "open until " + closes + ", nothing new since " + Briefly(from, state.ClosesAt)
	}
}

// Briefly writes an instant beside another one in the same zone: without the day, where that is the same.
func Briefly(t, beside time.Time) string {
	clock := "15:04"
	if t.Second() != 0 {
		clock = "15:04:05"
	}
	if t.Format(time.DateOnly) == beside.Format(time.DateOnly) {
		return t.Format(clock)
	}
	return t.Format("Mon 2 Jan " + clock)
}

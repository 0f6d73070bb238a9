// Package rollout plans which held rollouts to let go next. It is pure: no client, no clock. A plan depends on nothing but
// what is there now, so that whoever takes over in the middle of a train goes on where the last one stopped.
package rollout

import (
	"cmp"
	"slices"
	"time"
)

// Progress is how far a rollout is.
type Progress int

const (
	// Running is a released rollout in progress; or, of one that waits, that there is something to roll out.
	Running Progress = iota
	// Done is a released rollout that has ended well.
	Done
	// Failed is a released rollout that has failed.
	Failed
	// TakenBack is, of one that waits, that nothing is left to roll out.
	TakenBack
	// Stopped is a released rollout that its user has stopped on purpose.
	Stopped
	// Stalled is a released rollout in progress that its controller seems to have forgotten.
	Stalled
)

// ended says that a released rollout is in progress no more.
func (p Progress) ended() bool { return p == Done || p == Failed || p == Stopped }

// Object is a workload whose rollout is held, or released and not yet known to be done.
type Object struct {
	// Key tells objects apart, and orders what is equal otherwise.
	Key string
	// Namespace is where it is: slots are dealt, trains stopped and priorities compared by namespace.
	Namespace string
	// Released says that it has been let go; LetGo, that it was so outside the queue: no window counts it, or holds it again.
	Released, LetGo bool
	// Refused says that its release was refused a moment ago: the others do not wait for it.
	Refused bool
	// Overdue says that it was let go so long ago that other namespaces do not wait for it any more.
	Overdue bool
	// Priority: higher goes first in its namespace; then the longest held. A zero Since goes last.
	Priority int
	Since    time.Time
	Progress Progress
	// Windows govern it; Open are those of them with an occurrence in progress, Accepting those in which something may begin.
	Windows, Open, Accepting []string
	// Frozen says that a freeze governs it that is in force.
	Frozen bool
	// Unknown says that it is not known what governs it, and so it stays as it is.
	Unknown bool
	// Overridden says that an emergency override stands for it.
	Overridden bool
}

// DefaultMaxConcurrent is how many rollouts are in progress at once that no window governs any more, or whose window says nothing.
const DefaultMaxConcurrent = 5

// Window is how a window releases.
type Window struct {
	// MaxConcurrent is how many of its rollouts may be in progress at once; 0: DefaultMaxConcurrent.
	MaxConcurrent int
	// StopOnFailure ends the train of a namespace when a rollout in it fails. Stopped are the namespaces where it has ended so in this
	// occurrence; StoppedForAll says that they are too many to be listed, so that it has ended everywhere.
	StopOnFailure bool
	Stopped       map[string]bool
	StoppedForAll bool
	// Turn is the namespace that was dealt a slot last: the next in order of name is the next in turn.
	Turn string
	// PauseOnClose holds again what is not done when the window closes.
	PauseOnClose bool
	// CloseWhenDone closes the window when its queue has emptied; Open says that an occurrence is in progress, and Released how
	// many it has released.
	CloseWhenDone, Open bool
	Released            int
}

// Ended says that nothing more of a namespace is released in this occurrence.
func (w Window) Ended(namespace string) bool { return w.StoppedForAll || w.Stopped[namespace] }

// Plan is what to do now, by the keys of objects and the names of windows.
type Plan struct {
	// Release lets go, in this order. Pass does so outside the queue, with what an override lets through; Drop with what has
	// nothing to roll out.
	Release, Pass, Drop []string
	// Finish takes the marks off what is done, Fail off what has failed, Yield off what its user has stopped.
	Finish, Fail, Yield []string
	// Hold holds again.
	Hold []string
	// Nudge writes to what has stalled, so that its controller looks again.
	Nudge []string
	// Stop names the trains that end.
	Stop []Stop
	// Turn names, for each window that releases something, the namespace that was dealt a slot last.
	Turn map[string]string
	// Close names the windows that close early.
	Close []string
}

// Stop is the end of the train of a namespace in a window, for the rest of the occurrence: the object of that key has failed.
type Stop struct{ Window, Namespace, Key string }

// nobody stands for the windows of objects that none governs.
const nobody = ""

// Next plans. The order in which objects are given does not matter.
func Next(objects []Object, windows map[string]Window) Plan {
	var plan Plan
	slots := newSlots(windows)
	waiting := map[string]int{} // by window
	var queue []Object
	for _, o := range slices.SortedFunc(slices.Values(objects), Order) {
		switch {
		case !o.Released:
			queue = append(queue, o)
			count(waiting, o)
		case paused(o, windows) && !o.Progress.ended():
			plan.Hold = append(plan.Hold, o.Key)
			count(waiting, o)
		default: // what has ended keeps its slot until its marks are off: whoever counts marks finds no more than there may be
			plan.released(o, windows)
			slots.take(o)
		}
	}
	for _, s := range plan.Stop {
		slots.stopped[place{s.Window, s.Namespace}] = true
	}
	plan.begin(queue, slots)
	for name, w := range windows {
		if w.CloseWhenDone && w.Open && w.Released > 0 && waiting[name] == 0 && slots.unfinished[name] == 0 {
			plan.Close = append(plan.Close, name)
		}
	}
	slices.Sort(plan.Close)
	return plan
}

// released plans what becomes of an object that was let go, by how far it is.
func (p *Plan) released(o Object, windows map[string]Window) {
	switch o.Progress {
	case Done:
		p.Finish = append(p.Finish, o.Key)
	case Stopped:
		p.Yield = append(p.Yield, o.Key)
	case Stalled:
		p.Nudge = append(p.Nudge, o.Key)
	case Failed:
		p.Fail = append(p.Fail, o.Key)
		for _, name := range o.Windows {
			known := slices.ContainsFunc(p.Stop, func(s Stop) bool { return s.Window == name && s.Namespace == o.Namespace })
			if w := windows[name]; w.StopOnFailure && w.Open && !w.Stopped[o.Namespace] && !known && !o.LetGo {
				p.Stop = append(p.Stop, Stop{name, o.Namespace, o.Key})
			}
		}
	}
}

// begin plans what waits, in its order.
func (p *Plan) begin(queue []Object, slots *slots) {
	var begin []Object
	for _, o := range queue {
		switch {
		case o.Refused, o.Unknown:
		case o.Progress == TakenBack:
			p.Drop = append(p.Drop, o.Key)
		case o.Overridden && !o.Frozen:
			p.Pass = append(p.Pass, o.Key)
		default:
			begin = append(begin, o)
		}
	}
	deal(begin, slots, slots.mayBegin, func(o Object) {
		p.Release = append(p.Release, o.Key)
		for _, name := range o.Accepting {
			if p.Turn == nil {
				p.Turn = map[string]string{}
			}
			p.Turn[name] = o.Namespace
		}
	})
}

// Queue puts what waits into the order in which it will be released, as far as that is known now.
func Queue(objects []Object, windows map[string]Window) []Object {
	slots := newSlots(windows)
	var waiting, queue []Object
	for _, o := range slices.SortedFunc(slices.Values(objects), Order) {
		if o.Released {
			slots.take(o)
		} else {
			waiting = append(waiting, o)
		}
	}
	deal(waiting, slots, func(Object) bool { return true }, func(o Object) { queue = append(queue, o) })
	return queue
}

// Order is the order of release in a namespace.
func Order(a, b Object) int {
	if c := cmp.Compare(b.Priority, a.Priority); c != 0 {
		return c
	}
	if a.Since.IsZero() != b.Since.IsZero() {
		if a.Since.IsZero() {
			return 1
		}
		return -1
	}
	return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Key, b.Key))
}

// count counts an object for every window that governs it: the bound of each is kept.
func count(by map[string]int, o Object) {
	for _, name := range o.governing() {
		by[name]++
	}
}

func (o Object) governing() []string {
	if len(o.Windows) == 0 {
		return []string{nobody}
	}
	return o.Windows
}

// paused says whether a rollout in progress is held again: none of its windows is open any more, and one of them says so.
func paused(o Object, windows map[string]Window) bool {
	if o.LetGo || len(o.Windows) == 0 || (len(o.Open) > 0 || o.Overridden) && !o.Frozen {
		return false
	}
	return slices.ContainsFunc(o.Windows, func(name string) bool { return windows[name].PauseOnClose })
}

// Package release plans which held rollouts to let go next. It is pure: no client, no clock. A plan depends on nothing but
// what is there now, so that whoever takes over in the middle of a train goes on where the last one stopped.
package release

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

// Object is a workload whose rollout is held, or released and not yet known to be done.
type Object struct {
	// Key tells objects apart, and orders what is equal otherwise.
	Key string
	// Released says that it has been let go; LetGo, that it was so outside the queue: no window counts it, or holds it again.
	Released, LetGo bool
	// Refused says that its release was refused a moment ago: the others do not wait for it.
	Refused bool
	// Overdue says that it was let go so long ago that what no window governs does not wait for it.
	Overdue bool
	// Priority: higher goes first; then the longest held. A zero Since goes last.
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
	// StopOnFailure ends the train when a rollout fails; Stopped says that it has ended so, in this occurrence.
	StopOnFailure, Stopped bool
	// PauseOnClose holds again what is not done when the window closes.
	PauseOnClose bool
	// CloseWhenDone closes the window when its queue has emptied; Open says that an occurrence is in progress, and Released how
	// many it has released.
	CloseWhenDone, Open bool
	Released            int
}

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
	// Stop names the windows whose train ends, with the object that failed.
	Stop map[string]string
	// Close names the windows that close early.
	Close []string
}

// nobody stands for the windows of objects that none governs.
const nobody = ""

// Next plans. The order in which objects are given does not matter.
func Next(objects []Object, windows map[string]Window) Plan {
	plan := Plan{Stop: map[string]string{}}
	running := map[string]int{} // by window
	waiting := map[string]int{}
	var queue []Object
	sorted := slices.SortedFunc(slices.Values(objects), Order)
	for _, o := range sorted {
		if !o.Released {
			queue = append(queue, o)
			count(waiting, o)
			continue
		}
		switch {
		case o.Progress == Done:
			plan.Finish = append(plan.Finish, o.Key)
		case o.Progress == Stopped:
			plan.Yield = append(plan.Yield, o.Key)
		case o.Progress == Failed:
			plan.Fail = append(plan.Fail, o.Key)
			for _, name := range o.Windows {
				if w := windows[name]; w.StopOnFailure && w.Open && !w.Stopped && !o.LetGo {
					plan.Stop[name] = o.Key
				}
			}
		case paused(o, windows):
			plan.Hold = append(plan.Hold, o.Key)
			count(waiting, o)
		default:
			if o.Progress == Stalled {
				plan.Nudge = append(plan.Nudge, o.Key)
			}
			if !o.LetGo && (!o.Overdue || len(o.Windows) > 0) {
				count(running, o)
			}
		}
	}
	for _, o := range queue {
		switch {
		case o.Refused, o.Unknown:
		case o.Progress == TakenBack:
			plan.Drop = append(plan.Drop, o.Key)
		case o.Overridden && !o.Frozen:
			plan.Pass = append(plan.Pass, o.Key)
		case mayBegin(o, windows, running, plan.Stop):
			plan.Release = append(plan.Release, o.Key)
			count(running, o)
		}
	}
	for name, w := range windows {
		if w.CloseWhenDone && w.Open && w.Released > 0 && waiting[name] == 0 && running[name] == 0 {
			plan.Close = append(plan.Close, name)
		}
	}
	slices.Sort(plan.Close)
	return plan
}

// Order is the order of release.
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

// mayBegin says whether a window lets it begin, or none governs it, and every window that does has room.
func mayBegin(o Object, windows map[string]Window, running map[string]int, stopped map[string]string) bool {
	if o.Frozen || len(o.Windows) > 0 && len(o.Accepting) == 0 {
		return false
	}
	for _, name := range o.Accepting {
		if _, now := stopped[name]; now || windows[name].Stopped {
			return false
		}
	}
	begin := o.Accepting
	if len(o.Windows) == 0 {
		begin = []string{nobody}
	}
	return !slices.ContainsFunc(begin, func(name string) bool {
		return running[name] >= cmp.Or(windows[name].MaxConcurrent, DefaultMaxConcurrent)
	})
}

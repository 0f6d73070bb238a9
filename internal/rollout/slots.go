package rollout

import (
	"cmp"
	"slices"
)

// slots are what is in progress, so that nothing more begins than may. One namespace can neither fill a window with rollouts that
// never end, nor be served before another by having more that wait, or higher priorities.
type slots struct {
	windows map[string]Window
	// running is by window what takes a slot from every namespace; unfinished is all that it has let go.
	running, unfinished map[string]int
	// of is by window and namespace what takes a slot from that namespace: what is overdue too.
	of      map[place]int
	stopped map[place]bool
	// turn is by window the namespace that was dealt a slot last.
	turn map[string]string
}

// place is a namespace as a window sees it.
type place struct{ window, namespace string }

func newSlots(windows map[string]Window) *slots {
	s := &slots{
		windows: windows, turn: map[string]string{},
		running: map[string]int{}, unfinished: map[string]int{}, of: map[place]int{}, stopped: map[place]bool{},
	}
	for name, w := range windows {
		s.turn[name] = w.Turn
	}
	return s
}

// take counts an object for every window that governs it: the bound of each is kept.
func (s *slots) take(o Object) {
	if o.LetGo || o.Overdue && len(o.Windows) == 0 {
		return
	}
	for _, name := range o.governing() {
		s.of[place{name, o.Namespace}]++
		if !o.Progress.ended() {
			s.unfinished[name]++
		}
		if !o.Overdue {
			s.running[name]++
		}
	}
}

// mayBegin says whether a window lets it begin, or none governs it, and every window that does has room.
func (s *slots) mayBegin(o Object) bool {
	if o.Frozen || len(o.Windows) > 0 && len(o.Accepting) == 0 {
		return false
	}
	return !slices.ContainsFunc(o.beginning(), func(name string) bool {
		w, at := s.windows[name], place{name, o.Namespace}
		limit := cmp.Or(w.MaxConcurrent, DefaultMaxConcurrent)
		return w.Ended(o.Namespace) || s.stopped[at] || s.running[name] >= limit || s.of[at] >= limit
	})
}

// beginning are the windows in which an object begins.
func (o Object) beginning() []string {
	if len(o.Windows) == 0 {
		return []string{nobody}
	}
	return o.Accepting
}

// deal deals slots: of the first of each namespace that may begin, to that of the namespace that has fewest, and then to the one
// whose turn it is. Slots only fill up in a plan: what may not begin now will not in it.
func deal(queue []Object, s *slots, mayBegin func(Object) bool, dealt func(Object)) {
	byNamespace := map[string][]Object{}
	for _, o := range queue {
		byNamespace[o.Namespace] = append(byNamespace[o.Namespace], o)
	}
	for {
		var next *Object
		for namespace, waiting := range byNamespace {
			for len(waiting) > 0 && !mayBegin(waiting[0]) {
				waiting = waiting[1:]
			}
			byNamespace[namespace] = waiting
			if len(waiting) == 0 {
				delete(byNamespace, namespace)
			} else if next == nil || s.before(waiting[0], *next) {
				next = &waiting[0]
			}
		}
		if next == nil {
			return
		}
		byNamespace[next.Namespace] = byNamespace[next.Namespace][1:]
		s.take(*next)
		for _, name := range next.governing() {
			s.turn[name] = next.Namespace
		}
		dealt(*next)
	}
}

// before says which of two objects of different namespaces is dealt a slot first.
func (s *slots) before(a, b Object) bool {
	has := func(o Object) int { return s.of[place{o.window(), o.Namespace}] }
	passed := func(o Object) int { // in this round
		if o.Namespace > s.turn[o.window()] {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(has(a), has(b)), cmp.Compare(passed(a), passed(b)), cmp.Compare(a.Namespace, b.Namespace)) < 0
}

// window is the one by whose turns an object is dealt a slot.
func (o Object) window() string {
	for _, list := range [][]string{o.Accepting, o.Open, o.Windows} {
		if len(list) > 0 {
			return list[0]
		}
	}
	return nobody
}

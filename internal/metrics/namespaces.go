package metrics

import (
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fonster.dev/fonster/internal/gate"
)

// kinds is a set of disruptions.
type kinds uint8

func kindsOf(list []gate.Disruption) (k kinds) {
	bits := map[gate.Disruption]kinds{gate.Rollout: 1, gate.ScaleDown: 2, gate.Delete: 4, gate.Evict: 8}
	for _, d := range list {
		k |= bits[d]
	}
	return k
}

// area is what the windows and freezes of one namespace selector do now.
type area struct {
	namespaces gate.Selector
	governed   bool
	// open holds what each open window lets pass, stopped what each freeze in force stops.
	open, stopped map[kinds]bool
}

// areas are by selector. A window or freeze over some objects of a namespace alone says nothing of the rest, and is left out.
func areas(s *Snapshot, now time.Time) map[string]*area {
	all := map[string]*area{}
	at := func(t gate.Target) *area {
		key := t.Namespaces.String()
		if all[key] == nil {
			all[key] = &area{namespaces: t.Namespaces, open: map[kinds]bool{}, stopped: map[kinds]bool{}}
		}
		return all[key]
	}
	for name, w := range s.Compiled.Windows {
		state, found := s.Compiled.Set.Window(name, now)
		if !found || len(w.Target.Objects) > 0 {
			continue
		}
		a := at(w.Target)
		a.governed = true
		if state.Open {
			a.open[kindsOf(w.Disruptions)] = true
		}
	}
	for name, f := range s.Compiled.Freezes {
		state, _, found := s.Compiled.Set.Freeze(name, now)
		if found && state.Active && f.Enforcement == gate.Deny && len(f.Target.Objects) == 0 {
			at(f.Target).stopped[kindsOf(f.Disruptions)] = true
		}
	}
	return all
}

// collectNamespaces tells in which namespaces disturbance is announced: by the windows, not by the gates, which close for what
// is new in the cutoff, while the work goes on. A freeze counts against a window where it stops all that the window lets pass, as
// in gate.Set.Window.
func collectNamespaces(ch chan<- prometheus.Metric, s *Snapshot, now time.Time) {
	all := areas(s, now)
	for name, labels := range s.Namespaces {
		if s.Compiled.Operator.Protected(name) {
			continue
		}
		governed, open, stopped := false, map[kinds]bool{}, map[kinds]bool{}
		for _, a := range all {
			if !a.namespaces.Matches(labels) {
				continue
			}
			governed = governed || a.governed
			maps.Copy(open, a.open)
			maps.Copy(stopped, a.stopped)
		}
		if governed {
			gauge(ch, namespaceOpen, boolean(passes(open, stopped)), name)
		}
	}
}

// passes says whether anything of what is open is not stopped as a whole.
func passes(open, stopped map[kinds]bool) bool {
	for o := range open {
		blocked := false
		for s := range stopped {
			blocked = blocked || o&s == o
		}
		if !blocked {
			return true
		}
	}
	return false
}

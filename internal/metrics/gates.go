package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/equality"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/internal/policy"
)

// collectGates tells what the Gates of the cluster say, which is what is enforced, and for how long it has not been what windows
// and freezes say.
func (m *Metrics) collectGates(ch chan<- prometheus.Metric, s *Snapshot, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	gates, _ := s.Compiled.Set.At(now)
	late := map[string]time.Time{}
	for _, g := range gates {
		live := s.Gates[g.Name]
		if live != nil {
			closed := slices.ContainsFunc(live.Spec.Disruptions, func(d v1alpha1.GateDisruption) bool { return d.State != v1alpha1.GateOpen })
			gauge(ch, gateOpen, boolean(!closed), g.Name)
		}
		since := now
		if !says(live, g) {
			since = lateSince(live, m.late[g.Name], now)
			late[g.Name] = since
		}
		gauge(ch, gateLate, now.Sub(since).Seconds(), g.Name)
		n := 0
		for name, labels := range s.Namespaces {
			if g.Target.Namespaces.Matches(labels) && !policy.Protected(name) {
				n++
			}
		}
		gauge(ch, gateNamespaces, float64(n), g.Name)
	}
	m.late = late
}

// says whether a Gate, nil where there is none, is as windows and freezes have it. Who is exempt is neither's.
func says(live *v1alpha1.Gate, g gate.Gate) bool {
	return live != nil && equality.Semantic.DeepEqual(live.Spec, compile.Gate(g, live.Spec.Exempt).Spec)
}

// lateSince is since when a Gate is late: the edge that it has slept over, or when it was first seen so.
func lateSince(live *v1alpha1.Gate, seen, now time.Time) time.Time {
	since := now
	if !seen.IsZero() {
		since = seen
	}
	if live != nil {
		if edge := compile.Overdue(&live.Spec, now); !edge.IsZero() && edge.Before(since) {
			since = edge
		}
	}
	return since
}

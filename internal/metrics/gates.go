package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/equality"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/gate"
)

// collectGates tells what the Gates of the cluster say, which is what is enforced, and for how long it has not been what windows
// and freezes say.
func (m *Metrics) collectGates(ch chan<- prometheus.Metric, s *Snapshot, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	late := map[string]time.Time{}
	wanted := map[*gate.Governing]*v1alpha1.Gate{}
	keys := s.Compiled.Set.Keys()
	for name, labels := range s.Namespaces {
		if s.Compiled.Operator.Protected(name) {
			continue
		}
		governing := s.Compiled.Set.Of(labels)
		if governing == nil {
			continue
		}
		if wanted[governing] == nil {
			wanted[governing] = compile.Gate("", governing.At(now), keys, nil, false, nil)
		}
		live := s.Gates[name]
		if live != nil {
			gauge(ch, gateOpen, boolean(live.Spec.Summary.State == v1alpha1.GateOpen), name)
		}
		since := now
		if !says(live, wanted[governing]) {
			since = lateSince(live, m.late[name], now)
			late[name] = since
		}
		gauge(ch, gateLate, now.Sub(since).Seconds(), name)
	}
	m.late = late
}

// says whether a Gate, nil where there is none, is as windows and freezes have it. Who is exempt is neither's.
func says(live, wanted *v1alpha1.Gate) bool {
	if live == nil {
		return false
	}
	spec := wanted.Spec
	spec.Exempt = live.Spec.Exempt
	return equality.Semantic.DeepEqual(live.Spec, spec)
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

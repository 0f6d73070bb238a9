package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fonster.dev/fonster/api/v1alpha1"
)

// counts are what is counted of a window since the operator started.
type counts struct {
	// shown says that they have been served as 0: what begins at its first value has no increase.
	shown                    bool
	releases                 map[string]float64
	overrides, planned, used float64
}

func (m *Metrics) count(window string, add func(*counts)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counts[window] == nil {
		m.counts[window] = &counts{releases: map[string]float64{}}
	}
	add(m.counts[window])
}

// ObserveOverride counts an emergency override that passes a window.
func (m *Metrics) ObserveOverride(window string) { m.count(window, func(c *counts) { c.overrides++ }) }

// ObserveRelease counts a release of a window by how it ended.
func (m *Metrics) ObserveRelease(window, outcome string) {
	m.count(window, func(c *counts) { c.releases[outcome]++ })
}

// ObserveOccurrence adds up an occurrence that has ended.
func (m *Metrics) ObserveOccurrence(window string, planned, used time.Duration) {
	m.count(window, func(c *counts) {
		c.planned += planned.Seconds()
		c.used += max(used, 0).Seconds()
	})
}

// collectCounts serves the counters of each window, and forgets those of windows that are gone, so that their number is bounded.
func (m *Metrics) collectCounts(ch chan<- prometheus.Metric, windows []v1alpha1.MaintenanceWindow) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := make(map[string]*counts, len(windows))
	for i := range windows {
		name := windows[i].Name
		known := m.counts[name]
		if known == nil {
			known = &counts{releases: map[string]float64{}}
		}
		kept[name] = known
		served := known
		if !known.shown {
			served, known.shown = &counts{}, true
		}
		for _, outcome := range outcomes {
			counter(ch, releasesTotal, served.releases[outcome], name, outcome)
		}
		counter(ch, overridesTotal, served.overrides, name)
		counter(ch, plannedTotal, served.planned, name)
		counter(ch, usedTotal, served.used, name)
	}
	m.counts = kept
}

// collectDelays serves the histogram, empty the first time, as counters are.
func (m *Metrics) collectDelays(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.delaysShown {
		m.transitionDelay.Collect(ch)
		return
	}
	m.delaysShown = true
	empty := make(map[float64]uint64, len(transitionBounds))
	for _, bound := range transitionBounds {
		empty[bound] = 0
	}
	ch <- prometheus.MustNewConstHistogram(transitionSeconds.desc, 0, 0, empty)
}

func counter(ch chan<- prometheus.Metric, d *Definition, value float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d.desc, prometheus.CounterValue, value, labels...)
}

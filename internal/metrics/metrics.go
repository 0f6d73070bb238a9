// Package metrics exports the state of windows, freezes and gates. State gauges are computed when they are scraped, from the
// same evaluator that writes the gates, so that they cannot lag behind or disagree.
package metrics

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/doors"
	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/internal/held"
)

// Snapshot is what the gauges are computed from.
type Snapshot struct {
	Windows  []v1alpha1.MaintenanceWindow
	Compiled *compile.Compiled
	// Held are the workloads whose rollouts are held or released.
	Held []held.Workload
	// Namespaces are the labels of every namespace, by name.
	Namespaces map[string]map[string]string
	// Overrides are the overrides that stand, each with the windows that it passes.
	Overrides [][]string
}

// Metrics are the operator's metrics. They implement prometheus.Collector.
type Metrics struct {
	source func(context.Context) (*Snapshot, error)
	now    func() time.Time

	transitionDelay                    prometheus.Histogram
	clockSkew                          prometheus.Gauge
	releases, overrides, planned, used *prometheus.CounterVec

	// counted are the windows that have counters.
	mu      sync.Mutex
	counted map[string]bool
}

// New returns metrics that read the state from source, at the instant of the scrape.
func New(source func(context.Context) (*Snapshot, error), now func() time.Time) *Metrics {
	return &Metrics{
		source: source,
		now:    now,
		transitionDelay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: transitionSeconds.Name, Help: transitionSeconds.Help, Buckets: transitionBounds,
		}),
		clockSkew: prometheus.NewGauge(prometheus.GaugeOpts{Name: clockSkewSeconds.Name, Help: clockSkewSeconds.Help}),
		releases:  releasesTotal.counter(),
		overrides: overridesTotal.counter(),
		planned:   plannedTotal.counter(),
		used:      usedTotal.counter(),
		counted:   map[string]bool{},
	}
}

// ObserveTransition records how long after a schedule's edge a Gate was written.
func (m *Metrics) ObserveTransition(delay time.Duration) { m.transitionDelay.Observe(delay.Seconds()) }

// ObserveOverride counts an emergency override that passes a window.
func (m *Metrics) ObserveOverride(window string) { m.overrides.WithLabelValues(window).Inc() }

// ObserveRelease counts a release of a window by how it ended.
func (m *Metrics) ObserveRelease(window, outcome string) {
	m.releases.WithLabelValues(window, outcome).Inc()
}

// ObserveOccurrence adds up an occurrence that has ended.
func (m *Metrics) ObserveOccurrence(window string, planned, used time.Duration) {
	m.planned.WithLabelValues(window).Add(planned.Seconds())
	m.used.WithLabelValues(window).Add(max(used, 0).Seconds())
}

func (m *Metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.transitionDelay, m.clockSkew, m.releases, m.planned, m.used, m.overrides}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range Definitions {
		ch <- d.desc
	}
}

// Collect implements prometheus.Collector. A state that cannot be read is an error of the scrape, not a silence.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	s, err := m.source(ctx)
	if err == nil {
		m.keepCounters(s.Windows)
	}
	for _, c := range m.collectors() {
		c.Collect(ch)
	}
	if err != nil {
		ch <- prometheus.NewInvalidMetric(windowOpen.desc, err)
		return
	}
	now := m.now()
	collectWindows(ch, s, now)
	collectHeld(ch, s)
	for name := range s.Compiled.Freezes {
		state, _, _, found := s.Compiled.Set.Freeze(name, now)
		gauge(ch, freezeActive, boolean(found && state.Active), name)
	}
	collectGates(ch, s, now)
	collectNamespaces(ch, s, now)
	collectOverrides(ch, s)
}

// keepCounters gives each window its counters, at 0 (what begins at its first value has no increase), and takes away those of
// windows that are gone, so that their number is bounded.
func (m *Metrics) keepCounters(windows []v1alpha1.MaintenanceWindow) {
	m.mu.Lock()
	defer m.mu.Unlock()
	gone := m.counted
	m.counted = make(map[string]bool, len(windows))
	for i := range windows {
		name := windows[i].Name
		m.counted[name] = true
		if gone[name] {
			delete(gone, name)
			continue
		}
		for _, outcome := range outcomes {
			m.releases.WithLabelValues(name, outcome)
		}
		for _, c := range []*prometheus.CounterVec{m.overrides, m.planned, m.used} {
			c.WithLabelValues(name)
		}
	}
	for name := range gone {
		for _, c := range []*prometheus.CounterVec{m.releases, m.overrides, m.planned, m.used} {
			c.DeletePartialMatch(prometheus.Labels{"window": name})
		}
	}
}

func collectWindows(ch chan<- prometheus.Metric, s *Snapshot, now time.Time) {
	for i := range s.Windows {
		mw := &s.Windows[i]
		state, _ := s.Compiled.Set.Window(mw.Name, now)
		gauge(ch, windowInfo, 1, mw.Name, string(mw.Spec.Class), string(mw.Spec.Enforcement), mw.Spec.TimeZone)
		gauge(ch, windowReady, boolean(len(s.Compiled.Windows[mw.Name].Problems) == 0), mw.Name)
		gauge(ch, windowOpen, boolean(state.Open), mw.Name)
		gauge(ch, windowFrozen, boolean(state.Freeze != ""), mw.Name)
		timestamp(ch, windowOpens, state.OpensAt, mw.Name)
		timestamp(ch, windowCloses, state.ClosesAt, mw.Name)
	}
}

func collectHeld(ch chan<- prometheus.Metric, s *Snapshot) {
	waiting, releasing, oldest := map[string]int{}, map[string]int{}, map[string]time.Time{}
	for i := range s.Held {
		w := &s.Held[i]
		for _, name := range w.Windows {
			if w.Released {
				releasing[name]++
				continue
			}
			waiting[name]++
			if first := oldest[name]; !w.Since.IsZero() && (first.IsZero() || w.Since.Before(first)) {
				oldest[name] = w.Since
			}
		}
	}
	for i := range s.Windows {
		name, current := s.Windows[i].Name, s.Windows[i].Status.CurrentOccurrence
		gauge(ch, heldRollouts, float64(waiting[name]), name)
		gauge(ch, releasingRollouts, float64(releasing[name]), name)
		gauge(ch, releasesStopped, boolean(current != nil && current.StoppedBy != ""), name)
		timestamp(ch, heldOldest, oldest[name], name)
	}
}

func collectOverrides(ch chan<- prometheus.Metric, s *Snapshot) {
	passed := map[string]int{}
	for _, windows := range s.Overrides {
		for _, name := range windows {
			passed[name]++
		}
	}
	gauge(ch, overridesActive, float64(len(s.Overrides)))
	for i := range s.Windows {
		gauge(ch, windowOverrides, float64(passed[s.Windows[i].Name]), s.Windows[i].Name)
	}
}

func collectGates(ch chan<- prometheus.Metric, s *Snapshot, now time.Time) {
	gates, _ := s.Compiled.Set.At(now)
	for _, g := range gates {
		open := true
		for _, d := range g.Disruptions {
			open = open && compile.Summary(d) == v1alpha1.GateOpen
		}
		gauge(ch, gateOpen, boolean(open), g.Name)
		n := 0
		for name, labels := range s.Namespaces {
			if g.Target.Namespaces.Matches(labels) && !doors.Protected(name) {
				n++
			}
		}
		gauge(ch, gateNamespaces, float64(n), g.Name)
	}
}

// collectNamespaces tells in which namespaces disturbance is announced: by the windows, not by the gates, which close for what
// is new in the cutoff, while the work goes on. A window over some objects of a namespace alone says nothing of the rest.
func collectNamespaces(ch chan<- prometheus.Metric, s *Snapshot, now time.Time) {
	type target struct {
		namespaces   gate.Selector
		open, frozen bool
	}
	targets := map[string]*target{}
	at := func(t gate.Target) *target {
		key := t.Namespaces.String()
		if targets[key] == nil {
			targets[key] = &target{namespaces: t.Namespaces}
		}
		return targets[key]
	}
	governed := map[string]bool{}
	for name, w := range s.Compiled.Windows {
		state, found := s.Compiled.Set.Window(name, now)
		if found && len(w.Target.Objects) == 0 {
			t := at(w.Target)
			t.open = t.open || state.Open
			governed[t.namespaces.String()] = true
		}
	}
	for name, f := range s.Compiled.Freezes {
		state, _, _, found := s.Compiled.Set.Freeze(name, now)
		if found && state.Active && f.Enforcement == gate.Deny && len(f.Target.Objects) == 0 {
			at(f.Target).frozen = true
		}
	}
	for name, labels := range s.Namespaces {
		if doors.Protected(name) {
			continue
		}
		var has, open, frozen bool
		for key, t := range targets {
			if t.namespaces.Matches(labels) {
				has, open, frozen = has || governed[key], open || t.open, frozen || t.frozen
			}
		}
		if has {
			gauge(ch, namespaceOpen, boolean(open && !frozen), name)
		}
	}
}

func gauge(ch chan<- prometheus.Metric, d *Definition, value float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d.desc, prometheus.GaugeValue, value, labels...)
}

func timestamp(ch chan<- prometheus.Metric, d *Definition, t time.Time, labels ...string) {
	if !t.IsZero() {
		gauge(ch, d, float64(t.Unix()), labels...)
	}
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// WrapTransport measures the clock skew on the answers of the API server.
func (m *Metrics) WrapTransport(next http.RoundTripper) http.RoundTripper {
	return skewTransport{next: next, metrics: m}
}

type skewTransport struct {
	next    http.RoundTripper
	metrics *Metrics
}

// RoundTrip implements http.RoundTripper. The Date header (RFC 9110, 6.6.1) has whole seconds: on average the answer was
// written half a second later.
func (t skewTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	if err != nil {
		return response, err
	}
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		t.metrics.clockSkew.Set(t.metrics.now().Sub(date.Add(500 * time.Millisecond)).Seconds())
	}
	return response, nil
}

// Package metrics exports the state of windows, freezes and gates. State gauges are computed when they are scraped, from the
// same evaluator that writes the gates, so that they cannot lag behind or disagree.
package metrics

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/doors"
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
	// Overrides is the number of overrides that stand.
	Overrides int
}

// Metrics are the operator's metrics. They implement prometheus.Collector.
type Metrics struct {
	source func(context.Context) (*Snapshot, error)
	now    func() time.Time

	transitionDelay prometheus.Histogram
	overridesTotal  *prometheus.CounterVec
	clockSkew       prometheus.Gauge
	releases        *prometheus.CounterVec
	planned, used   *prometheus.CounterVec
}

var (
	windowOpen       = describe("fonster_window_open", "Whether the window lets disruption pass now (1) or not (0).", "window")
	windowInfo       = describe("fonster_window_info", "What the window is; always 1.", "window", "class", "enforcement", "time_zone")
	windowOpens      = describe("fonster_window_opens_timestamp_seconds", "When the closed window opens next, change freezes counted; absent when no opening is known.", "window")
	windowCloses     = describe("fonster_window_closes_timestamp_seconds", "When the open window closes; absent while it is closed.", "window")
	freezeActive     = describe("fonster_freeze_active", "Whether the change freeze is in force now (1) or not (0).", "freeze")
	gateOpen         = describe("fonster_gate_open", "Whether every disruption that the gate governs may pass now (1) or not (0).", "gate")
	overridesActive  = describe("fonster_overrides_active", "Number of emergency overrides that stand now.")
	gateNamespaces   = describe("fonster_gate_namespaces", "Number of namespaces that the gate governs.", "gate")
	heldRollouts     = describe("fonster_held_rollouts", "Number of rollouts that wait for the window.", "window")
	heldOldest       = describe("fonster_held_oldest_timestamp_seconds", "Since when the longest held rollout waits for the window; absent when none does.", "window")
	descriptions     = []*prometheus.Desc{windowOpen, windowInfo, windowOpens, windowCloses, freezeActive, gateOpen, gateNamespaces, overridesActive, heldRollouts, heldOldest}
	transitionBounds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// New returns metrics that read the state from source, at the instant of the scrape.
func New(source func(context.Context) (*Snapshot, error), now func() time.Time) *Metrics {
	return &Metrics{
		source: source,
		now:    now,
		transitionDelay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "fonster_transition_delay_seconds", Help: "Time from an edge of a schedule until the Gate was written.", Buckets: transitionBounds,
		}),
		overridesTotal: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fonster_overrides_total", Help: "Emergency overrides that passed the window, since the operator started.",
		}, []string{"window"}),
		clockSkew: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fonster_clock_skew_seconds",
			Help: "The operator's clock minus the API server's, to half a second: positive when the operator is ahead.",
		}),
		releases: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fonster_releases_total", Help: "Releases of held rollouts that have ended, by outcome: Done, Failed, HeldAgain or Stopped.",
		}, []string{"window", "outcome"}),
		planned: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fonster_window_planned_seconds_total", Help: "Planned time of the occurrences that have ended.",
		}, []string{"window"}),
		used: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fonster_window_used_seconds_total", Help: "Time of the occurrences that have ended that was used.",
		}, []string{"window"}),
	}
}

// ObserveTransition records how long after a schedule's edge a Gate was written.
func (m *Metrics) ObserveTransition(delay time.Duration) { m.transitionDelay.Observe(delay.Seconds()) }

// ObserveOverride counts an emergency override that passes a window.
func (m *Metrics) ObserveOverride(window string) { m.overridesTotal.WithLabelValues(window).Inc() }

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
	return []prometheus.Collector{m.transitionDelay, m.clockSkew, m.releases, m.planned, m.used, m.overridesTotal}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range descriptions {
		ch <- d
	}
	for _, c := range m.collectors() {
		c.Describe(ch)
	}
}

// scrapeTimeout bounds the reading of the state; it is in memory.
const scrapeTimeout = 5 * time.Second

// Collect implements prometheus.Collector. A state that cannot be read is an error of the scrape, not a silence.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.collectors() {
		c.Collect(ch)
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	s, err := m.source(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(windowOpen, err)
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
	gauge(ch, overridesActive, float64(s.Overrides))
}

func collectWindows(ch chan<- prometheus.Metric, s *Snapshot, now time.Time) {
	for i := range s.Windows {
		mw := &s.Windows[i]
		gauge(ch, windowInfo, 1, mw.Name, string(mw.Spec.Class), string(mw.Spec.Enforcement), mw.Spec.TimeZone)
		state, _ := s.Compiled.Set.Window(mw.Name, now)
		gauge(ch, windowOpen, boolean(state.Open), mw.Name)
		timestamp(ch, windowOpens, state.OpensAt, mw.Name)
		timestamp(ch, windowCloses, state.ClosesAt, mw.Name)
	}
}

func collectHeld(ch chan<- prometheus.Metric, s *Snapshot) {
	waiting, oldest := map[string]int{}, map[string]time.Time{}
	for _, w := range held.Waiting(s.Held) {
		for _, name := range w.Windows {
			waiting[name]++
			if first := oldest[name]; !w.Since.IsZero() && (first.IsZero() || w.Since.Before(first)) {
				oldest[name] = w.Since
			}
		}
	}
	for i := range s.Windows {
		name := s.Windows[i].Name
		gauge(ch, heldRollouts, float64(waiting[name]), name)
		timestamp(ch, heldOldest, oldest[name], name)
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
			if g.Target.Namespaces.Matches(labels) && !slices.Contains(doors.ProtectedNamespaces, name) {
				n++
			}
		}
		gauge(ch, gateNamespaces, float64(n), g.Name)
	}
}

func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func timestamp(ch chan<- prometheus.Metric, d *prometheus.Desc, t time.Time, labels ...string) {
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

// Package metrics exports the state of windows, freezes and gates. State gauges are computed when they are scraped, from the
// same evaluator that writes the gates, so that they cannot lag behind or disagree.
package metrics

import (
	"context"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/enforced"
	"fonster.dev/fonster/internal/version"
	"fonster.dev/fonster/internal/workload"
)

// Snapshot is what the gauges are computed from.
type Snapshot struct {
	Windows  []v1alpha1.MaintenanceWindow
	Compiled *compile.Compiled
	// Enforced is what keeps windows and freezes from being enforced.
	Enforced enforced.Report
	// Gates are those of the cluster, by namespace.
	Gates map[string]*v1alpha1.Gate
	// Held are the workloads whose rollouts are held or released.
	Held []workload.Workload
	// Namespaces are the labels of every namespace, by name.
	Namespaces map[string]map[string]string
	// Overrides are the overrides that stand, each with the windows that it passes.
	Overrides [][]string
}

// Metrics are the operator's metrics. They implement prometheus.Collector.
type Metrics struct {
	source func(context.Context) (*Snapshot, error)
	now    func() time.Time

	transitionDelay prometheus.Histogram
	clockSkew       prometheus.Gauge

	mu sync.Mutex
	// counts are what is counted of each window.
	counts map[string]*counts
	// delaysShown says that the histogram has been served empty.
	delaysShown bool
	// late is since when a gate has been seen to be late.
	late map[string]time.Time
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
		counts:    map[string]*counts{},
	}
}

// ObserveTransition records how long after a schedule's edge a Gate was written.
func (m *Metrics) ObserveTransition(delay time.Duration) { m.transitionDelay.Observe(delay.Seconds()) }

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
	built := version.Get()
	gauge(ch, buildInfo, 1, built.Version, built.Commit, built.Go)
	m.clockSkew.Collect(ch)
	m.collectDelays(ch)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(windowOpen.desc, err)
		return
	}
	now := m.now()
	m.collectCounts(ch, s.Windows)
	collectWindows(ch, s, now)
	collectHeld(ch, s)
	for name := range s.Compiled.Freezes {
		state, _, found := s.Compiled.Set.Freeze(name, now)
		gauge(ch, freezeActive, boolean(found && state.Active), name)
	}
	m.collectGates(ch, s, now)
	collectNamespaces(ch, s, now)
	collectOverrides(ch, s)
	gauge(ch, policiesMissing, float64(s.Enforced.Deviations()))
	gauge(ch, gatesUnwritten, float64(len(s.Enforced.Gates)))
}

func collectWindows(ch chan<- prometheus.Metric, s *Snapshot, now time.Time) {
	for i := range s.Windows {
		mw := &s.Windows[i]
		state, _ := s.Compiled.Set.Window(mw.Name, now)
		gauge(ch, windowInfo, 1, mw.Name, string(mw.Spec.Class), string(mw.Spec.Enforcement), mw.Spec.TimeZone)
		gauge(ch, windowReady, boolean(len(s.Compiled.Windows[mw.Name].Problems) == 0), mw.Name)
		gauge(ch, windowOpen, boolean(state.Open), mw.Name)
		gauge(ch, windowAccepting, boolean(state.Accepting), mw.Name)
		gauge(ch, windowFrozen, boolean(state.Freeze != ""), mw.Name)
		timestamp(ch, windowOpens, state.OpensAt, mw.Name)
		timestamp(ch, windowCloses, state.ClosesAt, mw.Name)
	}
}

// waiting is what waits for a window.
type waiting struct {
	rollouts int
	oldest   time.Time
	// opens is when the last may begin, in Unix time; 0 when all may now.
	opens float64
}

func (w *waiting) add(o *workload.Workload) {
	w.rollouts++
	if !o.Since.IsZero() && (w.oldest.IsZero() || o.Since.Before(w.oldest)) {
		w.oldest = o.Since
	}
	switch {
	case !o.Verdict.OpensAt.IsZero():
		w.opens = max(w.opens, float64(o.Verdict.OpensAt.Unix()))
	case o.Verdict.Freeze != "" || len(o.Verdict.Accepting) == 0:
		w.opens = math.Inf(1)
	}
}

func collectHeld(ch chan<- prometheus.Metric, s *Snapshot) {
	waits, releasing := make(map[string]*waiting, len(s.Windows)), map[string]int{}
	for i := range s.Windows {
		waits[s.Windows[i].Name] = &waiting{}
	}
	for i := range s.Held {
		for _, name := range s.Held[i].Windows {
			switch o := &s.Held[i]; {
			case o.LetGo: // by an override, not by the window
			case o.Released:
				releasing[name]++
			case waits[name] != nil:
				waits[name].add(o)
			}
		}
	}
	for i := range s.Windows {
		name, current := s.Windows[i].Name, s.Windows[i].Status.CurrentOccurrence
		gauge(ch, heldRollouts, float64(waits[name].rollouts), name)
		gauge(ch, releasingRollouts, float64(releasing[name]), name)
		gauge(ch, releasesStopped, boolean(current != nil && current.StoppedBy != ""), name)
		timestamp(ch, heldOldest, waits[name].oldest, name)
		if opens := waits[name].opens; opens > 0 {
			gauge(ch, heldOpens, opens, name)
		}
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

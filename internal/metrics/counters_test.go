package metrics

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
)

// TestCountersBeginAtZero: what is counted before the first scrape is served after a zero, so that increase() has it.
func TestCountersBeginAtZero(t *testing.T) {
	m := New(func(context.Context) (*Snapshot, error) { return snapshot(), nil }, func() time.Time { return noon })
	m.ObserveRelease("open", "Done")
	m.ObserveOverride("open")
	m.ObserveOccurrence("open", 2*time.Hour, -time.Second)
	m.ObserveTransition(7 * time.Second)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(m)
	for i, want := range []map[string]float64{
		{"fonster_releases_total": 0, "fonster_overrides_total": 0, "fonster_window_planned_seconds_total": 0, "fonster_transition_delay_seconds": 0},
		{"fonster_releases_total": 1, "fonster_overrides_total": 1, "fonster_window_planned_seconds_total": 7200, "fonster_transition_delay_seconds": 1},
	} {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			for _, metric := range f.GetMetric() {
				got[f.GetName()] += counted(metric)
			}
		}
		for name, value := range want {
			if got[name] != value {
				t.Errorf("scrape %d: %s is %v, want %v", i+1, name, got[name], value)
			}
		}
	}
}

// counted is what a counter or histogram has counted.
func counted(m *dto.Metric) float64 {
	return m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
}

// TestCountersOfAbsentWindows: what is counted of a window that is gone, or was never there, leaves nothing.
func TestCountersOfAbsentWindows(t *testing.T) {
	s := snapshot()
	m := New(func(context.Context) (*Snapshot, error) { return s, nil }, func() time.Time { return noon })
	m.ObserveRelease("absent", "Done")
	m.ObserveOccurrence("absent", time.Hour, time.Hour)
	testutil.CollectAndCount(m)
	s.Windows = s.Windows[:1]
	testutil.CollectAndCount(m)
	m.ObserveOverride("later") // its window was deleted
	want := fmt.Sprintf("# HELP %s %s\n# TYPE %[1]s counter\n%[1]s{window=\"open\"} 0\n", overridesTotal.Name, overridesTotal.Help)
	for range 2 {
		if err := testutil.CollectAndCompare(m, strings.NewReader(want), overridesTotal.Name); err != nil {
			t.Error(err)
		}
	}
	if len(m.counts) != 1 {
		t.Errorf("counters are kept of %d windows, want 1", len(m.counts))
	}
}

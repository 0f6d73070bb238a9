package metrics

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/internal/rollout"
	"fonster.dev/fonster/internal/workload"
)

// many is a cluster of n windows, each with a namespace of its own, and one freeze for each; every held rollout waits
// for the first.
func many(n, rollouts int) *Snapshot {
	s := &Snapshot{Namespaces: map[string]map[string]string{}}
	var freezes []v1alpha1.ChangeFreeze
	for i := range n {
		name := fmt.Sprintf("w%d", i)
		s.Windows = append(s.Windows, window(name, "2026-05-14"))
		freezes = append(freezes, freeze("f"+name, name))
		s.Namespaces[name] = map[string]string{"team": name}
	}
	for i := range rollouts {
		s.Held = append(s.Held, workload.Workload{Object: rollout.Object{Key: fmt.Sprint(i), Windows: []string{"w0"}, Since: noon}})
	}
	s.Compiled = new(compile.Cache).Compile(s.Windows, freezes)
	s.Gates = gatesAt(s.Compiled, s.Namespaces, noon)
	return s
}

func freeze(name, team string) v1alpha1.ChangeFreeze {
	return v1alpha1.ChangeFreeze{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.ChangeFreezeSpec{
			Reason: "stop", TimeZone: "UTC", Enforcement: v1alpha1.Deny, NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": team}},
		},
	}
}

// TestCardinality: with 1,000 windows the number of series is what the reference says, whatever the number of rollouts; what is
// deleted takes its series along; and a scrape costs so much for a series, and no more.
func TestCardinality(t *testing.T) {
	const perWindow, perNamespace, histogram, single = 19, 3, 1, 5
	for _, tc := range []struct{ windows, rollouts int }{{1000, 0}, {1000, 5000}, {1, 5000}} {
		s := many(tc.windows, tc.rollouts)
		m := New(func(context.Context) (*Snapshot, error) { return s, nil }, func() time.Time { return noon })
		got := testutil.CollectAndCount(m)
		// A window, a freeze and a namespace for each.
		if limit := tc.windows*(perWindow+1+perNamespace) + histogram + single; got > limit {
			t.Errorf("%d windows, %d held rollouts: %d series, more than %d", tc.windows, tc.rollouts, got, limit)
		}
		perSeries := testing.AllocsPerRun(1, func() { discard(m) }) / float64(got)
		t.Logf("%d windows, %d held rollouts: %d series, %.0f allocations for each", tc.windows, tc.rollouts, got, perSeries)
		if tc.windows > 1 && perSeries > 30 {
			t.Errorf("%d windows, %d held rollouts: a scrape allocates %.0f times for each series", tc.windows, tc.rollouts, perSeries)
		}
		s = many(0, 0)
		if got, want := testutil.CollectAndCount(m), histogram+single; got != want {
			t.Errorf("without windows %d series are left, want %d", got, want)
		}
	}
}

// discard collects and looks at nothing.
func discard(m *Metrics) {
	ch := make(chan prometheus.Metric, 100)
	go func() { m.Collect(ch); close(ch) }()
	for range ch {
	}
}

func BenchmarkCollect(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("windows=%d", n), func(b *testing.B) {
			s := many(n, 5*n)
			m := New(func(context.Context) (*Snapshot, error) { return s, nil }, func() time.Time { return noon })
			b.ReportAllocs()
			for b.Loop() {
				discard(m)
			}
		})
	}
}

// TestDefinitions: what is served is what the reference says, with the labels it says.
func TestDefinitions(t *testing.T) {
	s := snapshot()
	s.Held = []workload.Workload{{Object: rollout.Object{Key: "a", Windows: []string{"later"}, Since: noon}, Verdict: gate.Verdict{OpensAt: noon}}}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(New(func(context.Context) (*Snapshot, error) { return s, nil }, func() time.Time { return noon }))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	served := map[string][]string{}
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		served[f.GetName()] = labels
		if !strings.HasPrefix(f.GetName(), "fonster_") {
			t.Errorf("%s: not with our prefix", f.GetName())
		}
	}
	allowed := []string{"class", "commit", "enforcement", "freeze", "go_version", "namespace", "outcome", "time_zone", "version", "window"}
	for _, d := range Definitions {
		if got, want := served[d.Name], slices.Sorted(slices.Values(d.Labels)); !slices.Equal(got, want) {
			t.Errorf("%s: served with labels %v, want %v", d.Name, got, want)
		}
		for _, l := range d.Labels {
			if !slices.Contains(allowed, l) {
				t.Errorf("%s: the label %s has not been looked at: are its values bounded?", d.Name, l)
			}
		}
	}
	if len(served) != len(Definitions) {
		t.Errorf("%d metrics are served, %d defined", len(served), len(Definitions))
	}
}

// TestNamespaces: a namespace is open while a window over the whole of it is, and no freeze in force over the whole of it that stops
// all that the window lets pass.
func TestNamespaces(t *testing.T) {
	some := window("some", "2026-05-13")
	some.Spec.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "db"}}
	windows := []v1alpha1.MaintenanceWindow{window("open", "2026-05-13"), window("later", "2026-05-14"), window("frozen", "2026-05-13"), some}
	wide := window("wide", "2026-05-13")
	wide.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"region": "north"}}
	windows = append(windows, wide)
	evictions, rollouts, deletes, narrow := freeze("evictions", ""), freeze("rollouts", ""), freeze("deletes", ""), freeze("narrow", "open")
	for f, disruption := range map[*v1alpha1.ChangeFreeze]v1alpha1.Disruption{&evictions: v1alpha1.Evict, &rollouts: v1alpha1.Rollout, &deletes: v1alpha1.Delete} {
		f.Spec.NamespaceSelector.MatchLabels = map[string]string{"freeze": f.Name}
		f.Spec.Disruptions = []v1alpha1.Disruption{disruption}
	}
	deletes.Spec.Disruptions = []v1alpha1.Disruption{v1alpha1.Delete, v1alpha1.Rollout, v1alpha1.Evict}
	narrow.Spec.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "db"}}
	s := &Snapshot{
		Windows:  windows,
		Compiled: new(compile.Cache).Compile(windows, []v1alpha1.ChangeFreeze{freeze("stop", "frozen"), evictions, rollouts, deletes, narrow}),
		Namespaces: map[string]map[string]string{
			"open": {"team": "open"}, "later": {"team": "later"}, "frozen": {"team": "frozen"}, "frozen-north": {"team": "frozen", "region": "north"},
			"some": {"team": "some"}, "north": {"region": "north", "team": "later"}, "none": {}, "kube-system": {"team": "open"},
			"no-evictions": {"team": "open", "freeze": "evictions"}, "no-rollouts": {"team": "open", "freeze": "rollouts"},
			"nothing-goes": {"team": "open", "freeze": "deletes"},
		},
	}
	m := New(func(context.Context) (*Snapshot, error) { return s, nil }, func() time.Time { return noon })
	want := `
# HELP fonster_namespace_open ` + namespaceOpen.Help + `
# TYPE fonster_namespace_open gauge
fonster_namespace_open{namespace="frozen"} 0
fonster_namespace_open{namespace="frozen-north"} 0
fonster_namespace_open{namespace="later"} 0
fonster_namespace_open{namespace="no-evictions"} 1
fonster_namespace_open{namespace="no-rollouts"} 1
fonster_namespace_open{namespace="north"} 1
fonster_namespace_open{namespace="nothing-goes"} 0
fonster_namespace_open{namespace="open"} 1
`
	if err := testutil.CollectAndCompare(m, strings.NewReader(want), "fonster_namespace_open"); err != nil {
		t.Error(err)
	}
}

// TestStates: what is not ready, frozen, released, stopped and overridden is told by window.
func TestStates(t *testing.T) {
	s := snapshot()
	s.Windows[0].Status.CurrentOccurrence = &v1alpha1.OccurrenceSummary{StoppedBy: "Deployment a/b"}
	s.Overrides = [][]string{{"open", "later"}, {"open"}}
	s.Held = []workload.Workload{{Object: rollout.Object{Key: "c", Windows: []string{"open"}, Released: true}},
		{Object: rollout.Object{Key: "d", Windows: []string{"open"}, Released: true, LetGo: true}}} // by an override
	m := New(func(context.Context) (*Snapshot, error) { return s, nil }, func() time.Time { return noon })
	var want strings.Builder
	for _, tc := range []struct {
		d                   *Definition
		broken, later, open int
	}{
		{windowReady, 0, 1, 1}, {windowFrozen, 0, 0, 0}, {releasesStopped, 0, 0, 1}, {releasingRollouts, 0, 0, 1}, {windowOverrides, 0, 1, 2},
	} {
		fmt.Fprintf(&want, "# HELP %s %s\n# TYPE %s gauge\n", tc.d.Name, tc.d.Help, tc.d.Name)
		fmt.Fprintf(&want, "%[1]s{window=\"broken\"} %[2]d\n%[1]s{window=\"later\"} %[3]d\n%[1]s{window=\"open\"} %[4]d\n", tc.d.Name, tc.broken, tc.later, tc.open)
	}
	names := []string{windowReady.Name, windowFrozen.Name, releasesStopped.Name, releasingRollouts.Name, windowOverrides.Name}
	if err := testutil.CollectAndCompare(m, strings.NewReader(want.String()), names...); err != nil {
		t.Error(err)
	}
}

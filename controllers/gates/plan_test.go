package gates

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"

	"fonster.dev/fonster/internal/gate"
)

func compiled(date string) *compile.Compiled {
	return new(compile.Cache).Compile([]v1alpha1.MaintenanceWindow{{
		ObjectMeta: metav1.ObjectMeta{Name: "w", UID: "window-uid"},
		Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone:          "UTC",
			Schedules:         []v1alpha1.Schedule{{Dates: []string{date}, StartTime: new("09:00"), EndTime: new("20:00")}},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "a"}},
		},
	}}, nil)
}

// store makes what a plan writes the live state.
func store(p plan, have live) live {
	next := live{gates: map[string]*v1alpha1.Gate{}, bindings: map[string]client.Object{}}
	for name, g := range have.gates {
		next.gates[name] = g
	}
	for name, b := range have.bindings {
		next.bindings[name] = b
	}
	for _, g := range p.gates {
		next.gates[g.Name] = g
	}
	for _, b := range p.bindings {
		b.SetUID(types.UID("uid of " + b.GetName()))
		next.bindings[b.GetName()] = b
	}
	return next
}

// TestPlan follows a window from nothing to its end: what is equal is never written, an edge writes the gate alone, and what
// nothing asks for is removed.
func TestPlan(t *testing.T) {
	c := compiled("2026-05-13")
	before, during := time.Date(2026, 5, 12, 12, 0, 0, 0, time.UTC), time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	at := func(now time.Time, have live) plan {
		gates, _ := c.Set.At(now)
		return newPlan(gates, capabilities{true, true}, nil, owners(c), have)
	}
	want := func(step string, p plan, gates, bindings, stale, turned int) {
		t.Helper()
		turns := len(p.turned)
		if len(p.gates) != gates || len(p.bindings) != bindings || len(p.staleGates)+len(p.staleBindings) != stale || turns != turned {
			t.Errorf("%s: %d gates, %d bindings, %d stale, %d turned; want %d, %d, %d, %d",
				step, len(p.gates), len(p.bindings), len(p.staleGates)+len(p.staleBindings), turns, gates, bindings, stale, turned)
		}
	}
	p := at(before, live{})
	bindings := len(bindings(gate.Gate{Name: "any", Windows: []string{"w"}, Governs: []gate.Rule{{Disruption: gate.Rollout, Enforcement: gate.Deny}, {Disruption: gate.Delete, Enforcement: gate.Deny}}, Overrides: gate.Overrides{MaxDuration: time.Hour}}, capabilities{true, true}))
	want("nothing is there", p, 1, bindings, 0, 0)
	if owner := p.bindings[0].GetOwnerReferences(); len(owner) != 1 || owner[0].UID != "window-uid" {
		t.Errorf("the binding's owners: %+v", owner)
	}
	have := store(p, live{})
	if owner := p.gates[0].OwnerReferences; len(owner) != 0 {
		t.Errorf("the garbage collector would take the gate before the API server has forgotten its bindings: %+v", owner)
	}
	want("nothing has changed", at(before.Add(time.Hour), have), 0, 0, 0, 0)
	p = at(during, have)
	want("the window opens", p, 1, 0, 0, 1)
	have = store(p, have)
	want("it stays open", at(during.Add(time.Hour), have), 0, 0, 0, 0)
	c = new(compile.Cache).Compile(nil, nil)
	want("the window is gone", at(during, have), 0, 0, 1+bindings, 0)
}

// TestEdge: a gate is late since the edge that it tells of itself, whoever waited for it.
func TestEdge(t *testing.T) {
	c := compiled("2026-05-13")
	eve := time.Date(2026, 5, 12, 12, 0, 0, 0, time.UTC)
	opens := time.Date(2026, 5, 13, 9, 0, 0, 0, time.UTC)
	closes := opens.Add(11 * time.Hour)
	gateAt := func(now time.Time) *v1alpha1.Gate {
		gates, _ := c.Set.At(now)
		return compile.Gate(gates[0], nil)
	}
	silent := gateAt(eve)
	silent.Spec.Disruptions = nil
	for title, tc := range map[string]struct {
		before            *v1alpha1.Gate
		passed, now, want time.Time
	}{
		"a restart over an opening":           {gateAt(eve), time.Time{}, opens.Add(time.Minute), opens},
		"a restart over a closing":            {gateAt(opens), time.Time{}, closes.Add(time.Minute), closes},
		"a restart over both":                 {gateAt(eve), time.Time{}, closes.Add(time.Minute), opens},
		"the edge that was waited for":        {gateAt(eve), opens, opens, opens},
		"a spec that changes before the edge": {gateAt(eve), opens, eve.Add(time.Hour), time.Time{}},
		"a gate that tells of no edge":        {silent, opens, opens.Add(time.Second), opens},
		"told before, and the cache lags":     {gateAt(eve), closes, opens.Add(time.Second), time.Time{}},
		"a new gate":                          {nil, opens, opens, time.Time{}},
	} {
		if got := edge(tc.before, tc.passed, tc.now); !got.Equal(tc.want) {
			t.Errorf("%s: %s, want %s", title, got, tc.want)
		}
	}
}

// TestRetire: a gate outlives its bindings until the API server has forgotten them.
func TestRetire(t *testing.T) {
	r := &Reconciler{}
	now := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	stale := func() *plan {
		return &plan{staleGates: []client.Object{&v1alpha1.Gate{ObjectMeta: metav1.ObjectMeta{Name: "g"}}}}
	}
	for _, tc := range []struct {
		after   time.Duration
		pending bool
		removed int
	}{{0, true, 0}, {time.Second, true, 0}, {outlive, false, 1}} {
		p := stale()
		if pending := r.retire(p, now.Add(tc.after)); pending != tc.pending || len(p.staleGates) != tc.removed {
			t.Errorf("after %s: pending %v, removes %d", tc.after, pending, len(p.staleGates))
		}
	}
	if r.retire(&plan{}, now); len(r.retired) != 0 {
		t.Errorf("still retired: %v", r.retired)
	}
}

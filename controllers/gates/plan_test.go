package gates

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/doors"
	"fonster.dev/fonster/internal/enforced"
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

// TestStaticBindings: what is missing or changed is written, also where somebody has marked it as a gate's; what is as it should be is
// not, nor what has no policy; and what is not this version's is left alone.
func TestStaticBindings(t *testing.T) {
	can := capabilities{true, true}
	look := func(can capabilities, have live) (written []string) {
		p := newPlan(nil, can, nil, nil, have)
		p.addStatic(can, have)
		for _, b := range p.bindings {
			written = append(written, b.GetName())
		}
		if len(p.staleBindings) > 0 {
			t.Errorf("to be removed: %v", p.staleBindings)
		}
		return written
	}
	all := func() live {
		have := live{bindings: map[string]client.Object{}}
		for _, b := range staticBindings(can) {
			have.bindings[b.GetName()] = b
		}
		return have
	}
	have := all()
	have.bindings["fonster-of-another-version"] = &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "fonster-of-another-version"}}
	if got := look(can, have); len(got) > 0 {
		t.Errorf("all are there: writes %v", got)
	}
	if got := look(can, live{}); len(got) != len(staticBindings(can)) {
		t.Errorf("none is there: writes %v", got)
	}
	if got, want := look(capabilities{}, live{}), len(doors.StaticBindings()); len(got) != want {
		t.Errorf("without the API of mutating policies: writes %v", got)
	}
	for title, change := range map[string]func(client.Object){
		"its action": func(b client.Object) { b.(*admissionv1.ValidatingAdmissionPolicyBinding).Spec.ValidationActions = nil },
		"its param":  func(b client.Object) { b.(*admissionv1.ValidatingAdmissionPolicyBinding).Spec.ParamRef = nil },
		"its label":  func(b client.Object) { b.SetLabels(nil) },
		"a gate's mark": func(b client.Object) {
			b.GetLabels()[doors.GateLabel] = "x"
			b.(*admissionv1.ValidatingAdmissionPolicyBinding).Spec.PolicyName = "x"
		},
		"an owner": func(b client.Object) { b.SetOwnerReferences([]metav1.OwnerReference{{Name: "x"}}) },
		"what it matches": func(b client.Object) {
			b.(*admissionv1.ValidatingAdmissionPolicyBinding).Spec.MatchResources = &admissionv1.MatchResources{}
		},
	} {
		have := all()
		change(have.bindings["fonster-namespaces"])
		if got := look(can, have); !slices.Equal(got, []string{"fonster-namespaces"}) {
			t.Errorf("%s: writes %v", title, got)
		}
	}
	have = live{missing: []string{"ValidatingAdmissionPolicy fonster-namespaces"}}
	if got := look(can, have); slices.Contains(got, "fonster-namespaces") || len(got) != len(staticBindings(can))-1 {
		t.Errorf("without its policy: writes %v", got)
	}
}

// refusing is a cluster that refuses some writes.
type refusing struct {
	client.Client
	refuses func(*unstructured.Unstructured) bool
	applied []string
	removed []string
}

func (c *refusing) Apply(_ context.Context, o runtime.ApplyConfiguration, _ ...client.ApplyOption) error {
	content, err := json.Marshal(o)
	if err != nil {
		return err
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(content); err != nil {
		return err
	}
	if c.refuses(u) {
		return errors.New("refused")
	}
	c.applied = append(c.applied, u.GetName())
	return nil
}

func (c *refusing) Delete(_ context.Context, o client.Object, _ ...client.DeleteOption) error {
	c.removed = append(c.removed, o.GetName())
	return nil
}

// TestExecute: a gate that cannot be written with what others open is written without; one that cannot be written at all is reported,
// and nothing that it was to replace is taken away.
func TestExecute(t *testing.T) {
	gateOf := func(name string) *v1alpha1.Gate {
		return &v1alpha1.Gate{
			TypeMeta: metav1.TypeMeta{APIVersion: "maintenance.fonster.dev/v1alpha1", Kind: "Gate"}, ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: v1alpha1.GateSpec{AlsoOpen: make([]v1alpha1.GateOverlap, 3), AlsoOpenOmitted: 2},
		}
	}
	stale := func() []client.Object {
		return []client.Object{&v1alpha1.Gate{ObjectMeta: metav1.ObjectMeta{Name: "old"}}}
	}
	run := func(current *v1alpha1.Gate, refuses func(*unstructured.Unstructured) bool) (*refusing, enforced.Report) {
		t.Helper()
		c := &refusing{refuses: refuses}
		r := &Reconciler{Client: c, Now: func() time.Time { return time.Time{} }}
		p := plan{gates: []*v1alpha1.Gate{gateOf("g")}, current: map[string]*v1alpha1.Gate{}, staleGates: stale()}
		if current != nil {
			p.current["g"] = current
		}
		report, err := r.execute(t.Context(), p, time.Time{}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return c, report
	}
	large := func(u *unstructured.Unstructured) bool {
		others, _, _ := unstructured.NestedSlice(u.Object, "spec", "alsoOpen")
		return len(others) > 0
	}
	c, report := run(nil, func(*unstructured.Unstructured) bool { return false })
	if !report.WellEnforced() || !slices.Equal(c.applied, []string{"g"}) || !slices.Equal(c.removed, []string{"old"}) {
		t.Errorf("nothing is refused: %+v, wrote %v, removed %v", report, c.applied, c.removed)
	}
	c, report = run(nil, large)
	if report.Failed() || !report.Reduced() || report.Omitted["g"] != 5 || !slices.Equal(c.applied, []string{"g"}) || !slices.Equal(c.removed, []string{"old"}) {
		t.Errorf("too large: %+v, wrote %v, removed %v", report, c.applied, c.removed)
	}
	c, report = run(compile.WithoutOthers(gateOf("g")), large)
	if report.Failed() || !report.Reduced() || len(c.applied) != 0 {
		t.Errorf("written without others before: %+v, wrote %v", report, c.applied)
	}
	c, report = run(nil, func(*unstructured.Unstructured) bool { return true })
	if report.Gates["g"] == "" || len(c.removed) != 0 {
		t.Errorf("refused: %+v, removed %v", report, c.removed)
	}
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

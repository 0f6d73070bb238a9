package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/enforced"
	"fonster.dev/fonster/internal/workload"
)

func at(day, hour int) time.Time { return time.Date(2026, 5, day, hour, 0, 0, 0, time.UTC) }

// window is open from 9 to 20 on a day of May 2026, in the namespaces of a team.
func window(name, team string, day int) *v1alpha1.MaintenanceWindow {
	return &v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid of " + name), Generation: 1},
		Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone: "UTC", NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": team}},
			Schedules: []v1alpha1.Schedule{{Dates: []string{fmt.Sprintf("2026-05-%02d", day)}, StartTime: new("09:00"), EndTime: new("20:00")}},
		},
	}
}

func namespace(name, team string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": team}}}
}

// bench is a reconciler over a client that is cache and API in one. It notes each write, and refuses those that refuse says.
type bench struct {
	*Reconciler
	client.Client
	t *testing.T

	mu          sync.Mutex
	now         time.Time
	writes      []string
	transitions []time.Duration
	refuse      func(write string) error
}

func newBench(t *testing.T, now time.Time, objects ...client.Object) *bench {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, now: now, refuse: func(string) error { return nil }}
	b.Client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
			if err := b.note("create " + o.GetNamespace()); err != nil {
				return err
			}
			return c.Create(ctx, o, options...)
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.UpdateOption) error {
			if err := b.note("update " + o.GetNamespace()); err != nil {
				return err
			}
			return c.Update(ctx, o, options...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.DeleteOption) error {
			if err := b.note("delete " + o.GetNamespace()); err != nil {
				return err
			}
			return c.Delete(ctx, o, options...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, options ...client.PatchOption) error {
			content, _ := p.Data(o)
			what := "label "
			if strings.Contains(string(content), "null") {
				what = "unlabel "
			}
			if err := b.note(what + o.GetName()); err != nil {
				return err
			}
			return c.Patch(ctx, o, p, options...)
		},
	}).Build()
	clock := func() time.Time { return b.now }
	b.Reconciler = &Reconciler{
		Client: b.Client, Source: &compile.Source{Reader: b.Client}, Now: clock, Support: workload.Support{Reader: b.Client},
		Enforced: &enforced.State{},
		ObserveTransition: func(delay time.Duration) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.transitions = append(b.transitions, delay)
		},
	}
	return b
}

func (b *bench) note(write string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writes = append(b.writes, write)
	return b.refuse(write)
}

// reconcile returns what was written, in order of time or, sorted, of name.
func (b *bench) reconcile(sorted bool) ([]string, ctrl.Result) {
	b.t.Helper()
	b.writes = nil
	result, err := b.Reconcile(b.t.Context(), everything)
	if err != nil {
		b.t.Fatal(err)
	}
	if sorted {
		slices.Sort(b.writes)
	}
	return b.writes, result
}

func (b *bench) want(step string, want ...string) {
	b.t.Helper()
	slices.Sort(want)
	if got, _ := b.reconcile(true); !slices.Equal(got, want) {
		b.t.Errorf("%s: wrote %v, want %v", step, got, want)
	}
}

func (b *bench) gate(namespace string) *v1alpha1.Gate {
	b.t.Helper()
	g := &v1alpha1.Gate{}
	if err := b.Get(b.t.Context(), types.NamespacedName{Namespace: namespace, Name: v1alpha1.GateName}, g); err != nil {
		b.t.Fatal(err)
	}
	return g
}

func (b *bench) relabel(name string, labels map[string]string) {
	b.t.Helper()
	ns := &corev1.Namespace{}
	if err := b.Get(b.t.Context(), types.NamespacedName{Name: name}, ns); err != nil {
		b.t.Fatal(err)
	}
	for key, value := range labels {
		if ns.Labels[key] = value; value == "" {
			delete(ns.Labels, key)
		}
	}
	if err := b.Update(b.t.Context(), ns); err != nil {
		b.t.Fatal(err)
	}
}

// TestFollow follows windows from nothing to their end: each governed namespace has a Gate and the label, an edge writes Gates alone, what
// is equal is not written, and what nothing governs has neither.
func TestFollow(t *testing.T) {
	leaving := namespace("leaving", "a")
	leaving.DeletionTimestamp, leaving.Finalizers = &metav1.Time{Time: at(1, 0)}, []string{"example.com/x"}
	w := window("w", "a", 13)
	b := newBench(t, at(12, 12), w, namespace("a1", "a"), namespace("a2", "a"), namespace("b1", "b"), namespace("kube-system", "a"), leaving)
	b.want("nothing is there", "create a1", "create a2", "label a1", "label a2")
	b.want("nothing has changed")
	if g := b.gate("a1"); g.Spec.Summary.State != v1alpha1.GateClosed || len(g.OwnerReferences) != 1 || g.OwnerReferences[0].UID != "uid of w" {
		t.Errorf("the gate: %+v", g)
	}
	b.now = at(13, 9)
	b.want("the window opens", "update a1", "update a2")
	if len(b.transitions) != 2 || b.gate("a2").Spec.Summary.State != v1alpha1.GateOpen {
		t.Errorf("%d transitions, %+v", len(b.transitions), b.gate("a2").Spec)
	}
	b.want("it stays open")

	if err := b.Create(t.Context(), namespace("a3", "a")); err != nil {
		t.Fatal(err)
	}
	b.relabel("b1", map[string]string{"team": "a"})
	b.relabel("a2", map[string]string{"team": "b"})
	b.want("a new namespace, one that comes to be governed, one that is no longer",
		"create a3", "label a3", "create b1", "label b1", "unlabel a2", "delete a2")
	b.relabel("a1", map[string]string{v1alpha1.GatedLabel: ""})
	b.relabel("a2", map[string]string{v1alpha1.GatedLabel: "true"})
	b.relabel("kube-system", map[string]string{v1alpha1.GatedLabel: "true"})
	b.want("somebody relabels", "label a1", "unlabel a2")

	g := b.gate("a1")
	delete(g.Labels, v1alpha1.RefusesLabel)
	if err := b.Update(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	b.want("somebody takes a label off a gate", "update a1")
	if err := b.Delete(t.Context(), b.gate("a1")); err != nil {
		t.Fatal(err)
	}
	b.want("somebody deletes a gate", "create a1")
	if err := b.Delete(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	b.want("the window is gone", "unlabel a1", "delete a1", "unlabel a3", "delete a3", "unlabel b1", "delete b1")
	b.want("nothing is left")
}

// TestOrder: what closes is written before what opens, a Gate before its namespace gets the label, and the label is taken off before the
// Gate.
func TestOrder(t *testing.T) {
	closing, opening := window("closing", "closes", 13), window("opening", "opens", 13)
	opening.Spec.Schedules[0].StartTime, opening.Spec.Schedules[0].EndTime = new("20:00"), new("21:00")
	var objects []client.Object
	for i := range 40 {
		objects = append(objects, namespace(fmt.Sprintf("opens-%02d", i), "opens"), namespace(fmt.Sprintf("closes-%02d", i), "closes"))
	}
	b := newBench(t, at(13, 19), append(objects, closing, opening, namespace("away", "closes"))...)
	before := func(writes []string, first, then string) {
		t.Helper()
		last := -1
		for i, w := range writes {
			if strings.HasPrefix(w, first) {
				last = i
			}
		}
		next := slices.IndexFunc(writes, func(w string) bool { return strings.HasPrefix(w, then) })
		if last < 0 || next < 0 || last > next {
			t.Errorf("the last %q is write %d, the first %q write %d: %v", first, last, then, next, writes)
		}
	}
	writes, _ := b.reconcile(false)
	for i := range 40 {
		before(writes, fmt.Sprintf("create opens-%02d", i), fmt.Sprintf("label opens-%02d", i))
	}
	b.now = at(13, 20)
	b.relabel("away", map[string]string{"team": "none"})
	if err := b.Create(t.Context(), namespace("new", "closes")); err != nil {
		t.Fatal(err)
	}
	writes, _ = b.reconcile(false)
	if len(writes) != 84 || len(b.transitions) != 80 {
		t.Errorf("%d writes, %d transitions", len(writes), len(b.transitions))
	}
	before(writes, "update closes", "update opens")
	before(writes, "label new", "update opens")
	before(writes, "update opens", "unlabel away")
	before(writes, "unlabel away", "delete away")
}

// TestFailures: what cannot be written is told by namespace, tried again, and keeps nothing else back; what is gone, about to go, or has
// been written by somebody else is no failure, and nobody's transition.
func TestFailures(t *testing.T) {
	gates := schema.GroupResource{Group: v1alpha1.GroupName, Resource: "gates"}
	terminating := apierrors.NewForbidden(gates, "gate", errors.New("being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	b := newBench(t, at(12, 12), window("w", "a", 13), namespace("a", "a"), namespace("b", "a"), namespace("c", "a"))
	fail := func(write string, err error) {
		b.refuse = func(w string) error {
			if w == write {
				return err
			}
			return nil
		}
	}
	problems := func() map[string]string {
		report, _ := b.Enforced.Report()
		return report.Gates
	}
	fail("label b", errors.New("refused"))
	b.want("the label is refused", "create a", "label a", "create b", "label b", "create c", "label c")
	if p := problems(); len(p) != 1 || !strings.Contains(p["b"], "labelling the namespace: refused") || b.Enforced.Ready() == nil {
		t.Errorf("told: %v", p)
	}
	fail("", nil)
	b.want("tried again", "label b")
	if p := problems(); len(p) != 0 || b.Enforced.Ready() != nil {
		t.Errorf("told: %v", p)
	}
	b.now = at(13, 9)
	fail("update b", errors.New("too large"))
	for i, want := range []time.Duration{firstRetry, 2 * firstRetry, 4 * firstRetry} {
		if _, result := b.reconcile(true); result.RequeueAfter != want || !strings.Contains(problems()["b"], "too large") {
			t.Errorf("attempt %d: %+v, told %v", i, result, problems())
		}
	}
	if len(b.transitions) != 2 {
		t.Errorf("%d transitions while one is refused", len(b.transitions))
	}
	b.now = at(13, 9).Add(time.Minute)
	fail("update b", apierrors.NewConflict(gates, "gate", errors.New("written by another")))
	if _, result := b.reconcile(true); result.RequeueAfter != again || len(problems()) > 0 || len(b.transitions) != 2 {
		t.Errorf("a conflict: %+v, told %v, %d transitions", result, problems(), len(b.transitions))
	}
	fail("", nil)
	b.want("it was not written after all", "update b")
	if len(b.transitions) != 3 || b.transitions[2] != time.Minute {
		t.Errorf("transitions %v", b.transitions)
	}
	for title, err := range map[string]error{
		"gone": apierrors.NewNotFound(gates, "gate"), "about to go": terminating,
	} {
		if err := client.IgnoreAlreadyExists(b.Create(t.Context(), namespace("d", "a"))); err != nil {
			t.Fatal(err)
		}
		fail("create d", err)
		b.want(title, "create d")
		if p := problems(); len(p) > 0 {
			t.Errorf("%s: told %v", title, p)
		}
	}
	fail("delete a", errors.New("refused"))
	b.relabel("a", map[string]string{"team": "none"})
	b.want("it cannot be removed", "unlabel a", "delete a", "create d", "label d")
	if p := problems(); !strings.Contains(p["a"], "removing the gate: refused") {
		t.Errorf("told %v", p)
	}
}

// TestUnknownNamespace: a Gate in a namespace that the cache does not have yet is another replica's.
func TestUnknownNamespace(t *testing.T) {
	b := newBench(t, at(12, 12), &v1alpha1.Gate{ObjectMeta: metav1.ObjectMeta{Namespace: "new", Name: v1alpha1.GateName}})
	b.want("the namespace is not known")
}

// TestTightens: what counts as a closing.
func TestTightens(t *testing.T) {
	web := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "In", Values: []string{"web"}}}}
	target := func(selector *metav1.LabelSelector, e v1alpha1.Enforcement, open bool, d ...v1alpha1.Disruption) v1alpha1.GateTarget {
		return v1alpha1.GateTarget{ObjectSelector: selector, Disruptions: d, Enforcement: e, Open: open}
	}
	spec := func(targets ...v1alpha1.GateTarget) v1alpha1.GateSpec { return v1alpha1.GateSpec{Targets: targets} }
	frozen := func(active bool) v1alpha1.GateSpec {
		s := spec(target(nil, v1alpha1.Deny, true, v1alpha1.Rollout))
		s.Freezes = []v1alpha1.GateFreeze{{Name: "f", Enforcement: v1alpha1.Deny, Active: active}}
		return s
	}
	open, closed := target(nil, v1alpha1.Deny, true, v1alpha1.Rollout), target(nil, v1alpha1.Deny, false, v1alpha1.Rollout)
	for title, tc := range map[string]struct {
		before, after   v1alpha1.GateSpec
		tightens, turns bool
	}{
		"the same":              {spec(closed), spec(closed), false, false},
		"it opens":              {spec(closed), spec(open), false, true},
		"it closes":             {spec(open), spec(closed), true, true},
		"another disruption":    {spec(closed), spec(target(nil, v1alpha1.Deny, false, v1alpha1.Rollout, v1alpha1.Delete)), true, true},
		"stricter":              {spec(target(nil, v1alpha1.Warn, false, v1alpha1.Rollout)), spec(closed), true, true},
		"stricter, but open":    {spec(target(nil, v1alpha1.Warn, true, v1alpha1.Rollout)), spec(open), false, false},
		"less strict":           {spec(closed), spec(target(nil, v1alpha1.Hold, false, v1alpha1.Rollout)), false, true},
		"some more":             {spec(closed), spec(closed, target(web, v1alpha1.Deny, false, v1alpha1.Rollout)), true, true},
		"one opens, one closes": {spec(closed, target(web, v1alpha1.Deny, true, v1alpha1.Rollout)), spec(open, target(web, v1alpha1.Deny, false, v1alpha1.Rollout)), true, true},
		"a freeze begins":       {frozen(false), frozen(true), true, true},
		"a freeze ends":         {frozen(true), frozen(false), false, true},
	} {
		p := plan{}
		marks := metav1.ObjectMeta{Labels: map[string]string{v1alpha1.RefusesLabel: "true"}}
		p.add("ns", &v1alpha1.Gate{ObjectMeta: marks, Spec: tc.after}, &v1alpha1.Gate{ObjectMeta: marks, Spec: tc.before}, false)
		steps := slices.Concat(p.closing, p.opening)
		if title == "the same" {
			if len(steps) > 0 {
				t.Errorf("%s: %+v", title, steps)
			}
			continue
		}
		if len(steps) != 1 || (len(p.closing) == 1) != tc.tightens || steps[0].turns != tc.turns {
			t.Errorf("%s: closes %t, steps %+v", title, len(p.closing) == 1, steps)
		}
	}
}

// TestEdge: a gate is late since the edge that it tells of itself, whoever waited for it.
func TestEdge(t *testing.T) {
	c := new(compile.Cache).Compile([]v1alpha1.MaintenanceWindow{*window("w", "a", 13)}, nil)
	eve, opens, closes := at(12, 12), at(13, 9), at(13, 20)
	gateAt := func(now time.Time) *v1alpha1.Gate {
		return compile.Gate("ns", c.Set.Of(map[string]string{"team": "a"}).At(now), nil, nil, true, nil)
	}
	silent := gateAt(eve)
	silent.Spec.Targets = nil
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

// TestScale: to look over many windows and namespaces of which nothing has changed takes a moment.
func TestScale(t *testing.T) {
	const windows, namespaces = 5000, 2000
	var objects []client.Object
	for i := range windows {
		objects = append(objects, window(fmt.Sprint("w", i), fmt.Sprint("t", i%50), 13))
	}
	var have live
	for i := range namespaces {
		have.namespaces = append(have.namespaces, metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprint("ns", i), Labels: map[string]string{"team": fmt.Sprint("t", i%60), "kubernetes.io/metadata.name": fmt.Sprint("ns", i)},
		}})
	}
	var list []v1alpha1.MaintenanceWindow
	for _, o := range objects {
		list = append(list, *o.(*v1alpha1.MaintenanceWindow))
	}
	c := new(compile.Cache).Compile(list, nil)
	begun := time.Now()
	p := newPlan(c, have, nil, true, at(12, 12))
	first := time.Since(begun)
	if len(p.closing) < namespaces*8/10 || !p.until.Equal(at(13, 9)) {
		t.Errorf("%d to write, until %s", len(p.closing), p.until)
	}
	have.gates = map[string]*v1alpha1.Gate{}
	for _, s := range p.closing {
		have.gates[s.namespace] = s.gate
	}
	for i := range have.namespaces {
		have.namespaces[i].Labels[v1alpha1.GatedLabel] = "true"
	}
	begun = time.Now()
	if p := newPlan(c, have, nil, true, at(12, 13)); len(p.closing)+len(p.opening) > 0 {
		t.Errorf("%d to write though nothing has changed", len(p.closing)+len(p.opening))
	}
	t.Logf("%d windows, %d namespaces: %s the first time, then %s", windows, namespaces, first, time.Since(begun))
}

// TestSecondGate: a namespace where something audits has a second Gate, also alone, and loses it with what audits.
func TestSecondGate(t *testing.T) {
	trial := window("trial", "a", 14)
	trial.Spec.Enforcement = v1alpha1.Audit
	b := newBench(t, at(13, 10), namespace("a", "a"), namespace("b", "b"), trial, window("real", "b", 13))
	gates := func() string {
		var list v1alpha1.GateList
		if err := b.List(t.Context(), &list); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, g := range list.Items {
			names = append(names, g.Namespace+"/"+g.Name)
		}
		var ns corev1.NamespaceList
		if err := b.List(t.Context(), &ns); err != nil {
			t.Fatal(err)
		}
		for _, n := range ns.Items {
			if n.Labels[v1alpha1.GatedLabel] == "true" {
				names = append(names, n.Name)
			}
		}
		return strings.Join(names, " ")
	}
	run := func(want string) {
		t.Helper()
		if _, err := b.Reconcile(t.Context(), ctrl.Request{}); err != nil {
			t.Fatal(err)
		}
		if got := gates(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	run("a/audit b/gate a b")
	real := window("real-too", "a", 13)
	if err := b.Create(t.Context(), real); err != nil {
		t.Fatal(err)
	}
	run("a/audit a/gate b/gate a b")
	if err := b.Delete(t.Context(), trial); err != nil {
		t.Fatal(err)
	}
	run("a/gate b/gate a b")
	if err := b.Delete(t.Context(), real); err != nil {
		t.Fatal(err)
	}
	run("b/gate b")
}

// TestRewritten: whatever the operator writes into a Gate wakes it when it changes; that the notes of its fields are gone does not.
func TestRewritten(t *testing.T) {
	for title, tc := range map[string]struct {
		change func(*v1alpha1.Gate)
		want   bool
	}{
		"trimmed":        {func(g *v1alpha1.Gate) { g.ResourceVersion, g.ManagedFields = "2", nil }, false},
		"another one":    {func(g *v1alpha1.Gate) { g.UID = "another" }, true},
		"its spec":       {func(g *v1alpha1.Gate) { g.Generation++ }, true},
		"its labels":     {func(g *v1alpha1.Gate) { g.Labels = nil }, true},
		"its owners":     {func(g *v1alpha1.Gate) { g.OwnerReferences = nil }, true},
		"on its way out": {func(g *v1alpha1.Gate) { g.DeletionTimestamp = new(metav1.Now()) }, true},
	} {
		before := &v1alpha1.Gate{ObjectMeta: metav1.ObjectMeta{
			UID: "uid", Generation: 1, ResourceVersion: "1", Labels: map[string]string{"a": "b"}, ManagedFields: untracked,
			OwnerReferences: []metav1.OwnerReference{{Name: "w"}},
		}}
		after := before.DeepCopy()
		tc.change(after)
		if got := rewritten.Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}); got != tc.want {
			t.Errorf("%s: %v, want %v", title, got, tc.want)
		}
	}
}

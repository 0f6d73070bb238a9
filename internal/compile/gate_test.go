package compile

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/gate"
)

var osthammar = map[string]string{"kommun": "osthammar"}

// clock is an instant of May 2026, in the zone of the windows.
func clock(t *testing.T, day, hour, minute int) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Stockholm")
	if err != nil {
		t.Fatal(err)
	}
	return time.Date(2026, 5, day, hour, minute, 0, 0, zone)
}

// gateWindow is open from 9 to 20 on some days of May 2026.
func gateWindow(name string, app string, days []int, change ...func(*v1alpha1.MaintenanceWindow)) v1alpha1.MaintenanceWindow {
	mw := v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid of " + name)},
		Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone: "Europe/Stockholm", NamespaceSelector: &metav1.LabelSelector{MatchLabels: osthammar},
			Schedules: []v1alpha1.Schedule{{StartTime: new("09:00"), EndTime: new("20:00")}},
		},
	}
	for _, day := range days {
		mw.Spec.Schedules[0].Dates = append(mw.Spec.Schedules[0].Dates, fmt.Sprintf("2026-05-%02d", day))
	}
	if app != "" {
		mw.Spec.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
	}
	for _, c := range change {
		c(&mw)
	}
	return mw
}

func gateFreezeOf(name, app string, days ...int) v1alpha1.ChangeFreeze {
	mw := gateWindow(name, app, days)
	cf := v1alpha1.ChangeFreeze{ObjectMeta: mw.ObjectMeta, Spec: v1alpha1.ChangeFreezeSpec{
		Reason: "budget", TimeZone: mw.Spec.TimeZone, NamespaceSelector: mw.Spec.NamespaceSelector, ObjectSelector: mw.Spec.ObjectSelector,
	}}
	if len(days) > 0 {
		cf.Spec.Schedules = mw.Spec.Schedules
	}
	return cf
}

func gateAt(windows []v1alpha1.MaintenanceWindow, freezes []v1alpha1.ChangeFreeze, canHold bool, now time.Time) *v1alpha1.Gate {
	c := new(Cache).Compile(windows, freezes)
	g := c.Set.Of(osthammar)
	return Gate("ns", g.At(now), c.Set.Keys(), nil, canHold, c.Owners(g))
}

// TestGate: what is written of a window in its cutoff, and of a freeze.
func TestGate(t *testing.T) {
	mw := gateWindow("w", "web", []int{13, 15}, func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Cutoff, mw.Spec.Enforcement = &metav1.Duration{Duration: 30 * time.Minute}, v1alpha1.Hold
		mw.Spec.Overrides = &v1alpha1.OverridePolicy{MaxDuration: &metav1.Duration{Duration: 2 * time.Hour}, ReasonPattern: "^INC"}
	})
	cf := gateFreezeOf("f", "", 13)
	cf.Spec.Overrides = &v1alpha1.OverridePolicy{ReasonPattern: "^VAL"}
	got := gateAt([]v1alpha1.MaintenanceWindow{mw}, []v1alpha1.ChangeFreeze{cf}, true, clock(t, 13, 19, 45))
	at := func(day, hour int) *metav1.Time { return &metav1.Time{Time: clock(t, day, hour, 0).UTC()} }
	both := []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.Delete}
	want := &v1alpha1.Gate{
		TypeMeta: metav1.TypeMeta{APIVersion: "maintenance.fonster.dev/v1alpha1", Kind: "Gate"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "gate", Labels: map[string]string{
				v1alpha1.ManagedByLabel: "fonster", v1alpha1.RefusesLabel: "true", v1alpha1.HoldsLabel: "true", v1alpha1.NarrowsLabel: "true",
			},
			OwnerReferences: []metav1.OwnerReference{
				{APIVersion: "maintenance.fonster.dev/v1alpha1", Kind: "MaintenanceWindow", Name: "w", UID: "uid of w"},
				{APIVersion: "maintenance.fonster.dev/v1alpha1", Kind: "ChangeFreeze", Name: "f", UID: "uid of f"},
			},
		},
		Spec: v1alpha1.GateSpec{
			Summary:   v1alpha1.GateSummary{State: v1alpha1.GateFrozen, When: "frozen until Wed 13 May 2026 20:00 CEST", By: "f"},
			LabelKeys: []string{"kommun"},
			Targets: []v1alpha1.GateTarget{{
				ObjectSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "In", Values: []string{"web"}}}},
				Disruptions:    both, Enforcement: v1alpha1.Hold, OpensAt: at(15, 9), Opens: "Fri 15 May 2026 09:00 CEST", OpensWindow: "w", Windows: []string{"w"},
				Cutoff:    &v1alpha1.GateCutoff{Window: "w", Since: "Wed 13 May 2026 19:30 CEST", Ends: "Wed 13 May 2026 20:00 CEST"},
				Overrides: &v1alpha1.GateOverrides{MaxDuration: metav1.Duration{Duration: 2 * time.Hour}, Windows: []string{"w"}, ReasonPatterns: []string{"^INC"}},
			}},
			Freezes: []v1alpha1.GateFreeze{{
				Name: "f", Reason: "budget", Disruptions: both, Enforcement: v1alpha1.Deny, Active: true, EndsAt: at(13, 20), Ends: "Wed 13 May 2026 20:00 CEST",
				Overrides: &v1alpha1.GateFreezeOverrides{MaxDuration: metav1.Duration{Duration: time.Hour}, ReasonPattern: "^VAL"},
			}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestGateLabels: by what a Gate enforces at any time, bindings select it.
func TestGateLabels(t *testing.T) {
	enforces := func(e v1alpha1.Enforcement) func(*v1alpha1.MaintenanceWindow) {
		return func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Enforcement = e }
	}
	warning := gateFreezeOf("f", "")
	warning.Spec.Enforcement = v1alpha1.Warn
	for title, tc := range map[string]struct {
		windows    []v1alpha1.MaintenanceWindow
		freezes    []v1alpha1.ChangeFreeze
		cannotHold bool
		want       string
	}{
		"Deny":                       {[]v1alpha1.MaintenanceWindow{gateWindow("a", "", []int{13})}, nil, false, "refuses"},
		"Warn":                       {[]v1alpha1.MaintenanceWindow{gateWindow("a", "", []int{13}, enforces(v1alpha1.Warn))}, nil, false, "warns"},
		"Hold":                       {[]v1alpha1.MaintenanceWindow{gateWindow("a", "", []int{13}, enforces(v1alpha1.Hold))}, nil, false, "holds refuses"},
		"Hold where nothing can":     {[]v1alpha1.MaintenanceWindow{gateWindow("a", "", []int{13}, enforces(v1alpha1.Hold))}, nil, true, "refuses"},
		"Hold, Deny the same":        {[]v1alpha1.MaintenanceWindow{gateWindow("a", "", []int{13}, enforces(v1alpha1.Hold)), gateWindow("b", "", []int{13})}, nil, false, "refuses"},
		"Hold, Warn of others":       {[]v1alpha1.MaintenanceWindow{gateWindow("a", "", []int{13}, enforces(v1alpha1.Hold)), gateWindow("b", "x", []int{13}, enforces(v1alpha1.Warn))}, nil, false, "holds narrows refuses warns"},
		"a freeze":                   {nil, []v1alpha1.ChangeFreeze{gateFreezeOf("f", "")}, false, "refuses"},
		"a freeze to come of some":   {nil, []v1alpha1.ChangeFreeze{gateFreezeOf("f", "web", 20)}, false, "narrows refuses"},
		"a freeze that warns":        {nil, []v1alpha1.ChangeFreeze{warning}, false, "warns"},
		"a window and a warn freeze": {[]v1alpha1.MaintenanceWindow{gateWindow("a", "", []int{13})}, []v1alpha1.ChangeFreeze{warning}, false, "refuses warns"},
	} {
		for _, hour := range []int{8, 10} { // closed and open alike
			g := gateAt(tc.windows, tc.freezes, !tc.cannotHold, clock(t, 13, hour, 0))
			var got []string
			for _, label := range []string{v1alpha1.HoldsLabel, v1alpha1.NarrowsLabel, v1alpha1.RefusesLabel, v1alpha1.WarnsLabel} {
				if g.Labels[label] == "true" {
					got = append(got, strings.TrimPrefix(label, v1alpha1.GroupName+"/"))
				}
			}
			if got := strings.Join(got, " "); got != tc.want || g.Labels[v1alpha1.ManagedByLabel] != v1alpha1.ManagedBy {
				t.Errorf("%s at %d: %s, want %s", title, hour, got, tc.want)
			}
		}
	}
}

// TestSummary: what people read of a Gate.
func TestSummary(t *testing.T) {
	w := func(name, app string, days ...int) v1alpha1.MaintenanceWindow { return gateWindow(name, app, days) }
	type windows = []v1alpha1.MaintenanceWindow
	type freezes = []v1alpha1.ChangeFreeze
	warning := gateFreezeOf("warns", "", 13)
	warning.Spec.Enforcement = v1alpha1.Warn
	for title, tc := range map[string]struct {
		windows windows
		freezes freezes
		day     int
		want    string
	}{
		"closed":                       {windows{w("a", "", 13)}, nil, 12, "Closed, opens Wed 13 May 2026 09:00 CEST, a"},
		"open":                         {windows{w("a", "", 13)}, nil, 13, "Open, closes Wed 13 May 2026 20:00 CEST, a"},
		"over":                         {windows{w("a", "", 13)}, nil, 14, "Closed, no coming opening, "},
		"the sooner opens":             {windows{w("a", "", 15), w("b", "web", 14)}, nil, 13, "Closed, opens Thu 14 May 2026 09:00 CEST, b"},
		"some are open":                {windows{w("a", "", 14), w("b", "web", 13)}, nil, 13, "Mixed, closes Wed 13 May 2026 20:00 CEST, b"},
		"frozen":                       {windows{w("a", "", 13)}, freezes{gateFreezeOf("f", "", 13)}, 13, "Frozen, frozen until Wed 13 May 2026 20:00 CEST, f"},
		"frozen, closed":               {windows{w("a", "", 14)}, freezes{gateFreezeOf("f", "", 13)}, 13, "Frozen, frozen until Wed 13 May 2026 20:00 CEST, f"},
		"frozen for good":              {windows{w("a", "", 13)}, freezes{gateFreezeOf("f", "", 13), gateFreezeOf("g", "")}, 13, "Frozen, frozen until it is changed or deleted, g"},
		"frozen, no window":            {nil, freezes{gateFreezeOf("f", "")}, 13, "Frozen, frozen until it is changed or deleted, f"},
		"some are frozen":              {windows{w("a", "", 13)}, freezes{gateFreezeOf("f", "web")}, 13, "Mixed, closes Wed 13 May 2026 20:00 CEST, a"},
		"some are frozen, no window":   {nil, freezes{gateFreezeOf("f", "web", 13)}, 13, "Mixed, frozen until Wed 13 May 2026 20:00 CEST, f"},
		"some are frozen, all closed":  {windows{w("a", "", 14)}, freezes{gateFreezeOf("f", "web")}, 13, "Closed, opens Thu 14 May 2026 09:00 CEST, a"},
		"a freeze to come":             {nil, freezes{gateFreezeOf("f", "", 14)}, 13, "Open, frozen from Thu 14 May 2026 09:00 CEST, f"},
		"a freeze over":                {nil, freezes{gateFreezeOf("f", "", 12)}, 13, "Open, no coming closing, "},
		"a freeze that warns":          {windows{w("a", "", 13)}, freezes{warning}, 13, "Open, closes Wed 13 May 2026 20:00 CEST, a"},
		"a window that cannot be read": {windows{w("a", "")}, nil, 13, "Closed, no coming opening, "},
	} {
		s := gateAt(tc.windows, tc.freezes, true, clock(t, tc.day, 10, 0)).Spec.Summary
		if got := fmt.Sprintf("%s, %s, %s", s.State, s.When, s.By); got != tc.want {
			t.Errorf("%s: %s, want %s", title, got, tc.want)
		}
	}
}

// TestGatesStayWritable: however many windows and freezes govern a namespace, and however much they select by, its Gate is within the
// bounds of its kind, and small enough to be written and read with each request.
func TestGatesStayWritable(t *testing.T) {
	var windows []v1alpha1.MaintenanceWindow
	var freezes []v1alpha1.ChangeFreeze
	long := strings.Repeat("n", 55)
	for i := range 200 {
		mw := gateWindow(fmt.Sprintf("%s-%d", strings.Repeat("w", 240), i), "", []int{13, 14})
		r := metav1.LabelSelectorRequirement{Key: fmt.Sprintf("%s.example.com/%s%d", long, long, i), Operator: metav1.LabelSelectorOpNotIn}
		for j := range v1alpha1.MaxSelectorValues {
			r.Values = append(r.Values, fmt.Sprintf("%s-%d-%d", long, i, j))
		}
		mw.Spec.ObjectSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{r}}
		mw.Spec.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: fmt.Sprint("k", i), Operator: metav1.LabelSelectorOpDoesNotExist}}}
		mw.Spec.Disruptions = []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.Delete, v1alpha1.ScaleDown, v1alpha1.Evict}
		mw.Spec.Overrides = &v1alpha1.OverridePolicy{ReasonPattern: fmt.Sprintf("%s%d", strings.Repeat("a", 250), i)}
		cf := gateFreezeOf(mw.Name, "")
		cf.Spec.ObjectSelector, cf.Spec.Reason = mw.Spec.ObjectSelector, strings.Repeat("å", 256)
		windows, freezes = append(windows, mw), append(freezes, cf)
	}
	g := gateAt(windows, freezes, true, clock(t, 13, 10, 0))
	if n := len(g.Spec.Targets); n > v1alpha1.MaxGateTargets || n < 32 {
		t.Errorf("%d targets", n)
	}
	if n := len(g.Spec.Freezes); n != v1alpha1.MaxGateFreezes {
		t.Errorf("%d freezes", n)
	}
	for _, f := range g.Spec.Freezes {
		if n := len([]rune(f.Reason)); n > maxReason {
			t.Errorf("the reason of a freeze has %d characters", n)
		}
	}
	if keys := g.Spec.LabelKeys; len(keys) != 1 || keys[0] != v1alpha1.AnyLabelKey {
		t.Errorf("label keys %v", keys)
	}
	if len(g.OwnerReferences) > 0 {
		t.Errorf("%d owners: some of them may go while others govern", len(g.OwnerReferences))
	}
	content, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the largest gate: %d bytes", len(content))
	if len(content) > 512<<10 {
		t.Errorf("a gate of %d bytes", len(content))
	}
}

// TestBoundsAgree: what a state has room for is what the kind has.
func TestBoundsAgree(t *testing.T) {
	for title, tc := range map[string][2]int{
		"targets": {gate.MaxTargets, v1alpha1.MaxGateTargets}, "selectors": {gate.MaxSelectors, v1alpha1.MaxGateSelectors},
		"freezes": {gate.MaxFreezes, v1alpha1.MaxGateFreezes}, "names": {gate.MaxWindowNames, v1alpha1.MaxWindowNames},
	} {
		if tc[0] != tc[1] {
			t.Errorf("%s: %d, of the kind %d", title, tc[0], tc[1])
		}
	}
}

// TestOverdue: a Gate is late from the first of the instants that it tells of itself.
func TestOverdue(t *testing.T) {
	g := gateAt([]v1alpha1.MaintenanceWindow{gateWindow("a", "", []int{13, 15}), gateWindow("b", "web", []int{14})}, []v1alpha1.ChangeFreeze{gateFreezeOf("f", "db", 16)}, true, clock(t, 13, 10, 0))
	ends := gateAt(nil, []v1alpha1.ChangeFreeze{gateFreezeOf("f", "", 13)}, true, clock(t, 13, 10, 0))
	for _, tc := range []struct {
		g         *v1alpha1.Gate
		now, want time.Time
	}{
		{g, clock(t, 13, 19, 59), time.Time{}}, {g, clock(t, 13, 20, 0), clock(t, 13, 20, 0)}, {g, clock(t, 17, 0, 0), clock(t, 13, 20, 0)},
		{ends, clock(t, 13, 19, 0), time.Time{}}, {ends, clock(t, 14, 0, 0), clock(t, 13, 20, 0)},
	} {
		if got := Overdue(&tc.g.Spec, tc.now); !got.Equal(tc.want) {
			t.Errorf("at %s: %s, want %s", tc.now, got, tc.want)
		}
	}
}

// TestAuditGate: what audits is in the second Gate alone, as what would refuse; a window that really governs only opens there, and is not
// named; and what audits opens nothing.
func TestAuditGate(t *testing.T) {
	audits := func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Enforcement = v1alpha1.Audit }
	windows := []v1alpha1.MaintenanceWindow{
		gateWindow("real", "", []int{13}), gateWindow("trial", "", []int{14}, audits, func(mw *v1alpha1.MaintenanceWindow) {
			mw.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"kommun": "osthammar", "trial": "yes"}}
		}),
	}
	stops := gateFreezeOf("trial-stop", "", 15)
	stops.Spec.Enforcement = v1alpha1.Audit
	stops.Spec.Overrides = &v1alpha1.OverridePolicy{}
	c := new(Cache).Compile(windows, []v1alpha1.ChangeFreeze{stops})
	labels := map[string]string{"kommun": "osthammar", "trial": "yes"}
	if keys := strings.Join(c.Set.Keys(), " "); keys != "kommun" {
		t.Errorf("the first Gate guards %s", keys)
	}
	for day, want := range map[int]string{
		12: "real false false; audit Deny closed, trial; ", 13: "real true false; audit Deny open, trial; ", 14: "real false false; audit Deny open, trial; ",
		15: "real false false; audit Deny closed, trial; trial-stop",
	} {
		now := clock(t, day, 10, 0)
		g := c.Set.Of(labels).At(now)
		if len(g.Targets) != 1 || len(g.Freezes) != 0 {
			t.Fatalf("the first Gate: %+v", g)
		}
		second := c.AuditGate(c.Auditing(labels), nil, now)
		target := second.Spec.Targets[0]
		got := fmt.Sprintf("%s %v %v; %s %s %s, %s; ", strings.Join(g.Targets[0].Windows, " "), g.Targets[0].Open, g.Targets[0].Frozen, second.Name, target.Enforcement,
			map[bool]string{true: "open", false: "closed"}[target.Open], strings.Join(target.Windows, " "))
		for _, f := range second.Spec.Freezes {
			if f.Active {
				got += f.Name
			}
			if f.Overrides != nil {
				t.Error("a freeze that stops nothing is overridden")
			}
		}
		if got != want {
			t.Errorf("day %d: %s, want %s", day, got, want)
		}
		if target.Overrides != nil || second.Labels[v1alpha1.AuditsLabel] != "true" || len(second.Labels) != 2 || len(second.OwnerReferences) != 2 {
			t.Errorf("day %d: %+v, labels %v, owners %v", day, target, second.Labels, second.OwnerReferences)
		}
	}
	if c.Auditing(osthammar) == nil {
		t.Error("a freeze audits there")
	}
	if c.Auditing(map[string]string{"kommun": "heby"}) != nil {
		t.Error("nothing audits there")
	}
	if state, _ := c.Set.Window("trial", clock(t, 14, 10, 0)); !state.Open {
		t.Error("the window has no state of its own")
	}
	alone := new(Cache).Compile(windows[1:], nil)
	if alone.Set.Of(labels) != nil || alone.Auditing(labels) == nil {
		t.Error("a window that audits governs")
	}
	if real := new(Cache).Compile(windows[:1], nil); real.Trial != nil || real.Auditing(labels) != nil {
		t.Error("without an Audit there is a second set")
	}
}

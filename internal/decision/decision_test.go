package decision

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"fonster.dev/fonster/api/v1alpha1"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func at(hours int) *metav1.Time {
	return &metav1.Time{Time: noon.Add(time.Duration(hours) * time.Hour)}
}

func web() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: metav1.LabelSelectorOpIn, Values: []string{"web"}}}}
}

func with(set labels.Set) func(*metav1.LabelSelector) bool {
	return func(s *metav1.LabelSelector) bool {
		selector, err := metav1.LabelSelectorAsSelector(s)
		return err == nil && selector.Matches(set)
	}
}

func target(e v1alpha1.Enforcement, change func(*v1alpha1.GateTarget)) v1alpha1.GateTarget {
	t := v1alpha1.GateTarget{Disruptions: []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.Delete}, Enforcement: e, Windows: []string{"w"}}
	change(&t)
	return t
}

func freeze(change func(*v1alpha1.GateFreeze)) v1alpha1.GateFreeze {
	f := v1alpha1.GateFreeze{Name: "f", Reason: "Val", Disruptions: []v1alpha1.Disruption{v1alpha1.Rollout}, Enforcement: v1alpha1.Deny}
	change(&f)
	return f
}

func TestDecide(t *testing.T) {
	opens := func(hours int) func(*v1alpha1.GateTarget) {
		return func(t *v1alpha1.GateTarget) { t.OpensAt, t.Opens, t.OpensWindow = at(hours), "then", "w" }
	}
	open := func(hours int) func(*v1alpha1.GateTarget) {
		return func(t *v1alpha1.GateTarget) {
			t.Open, t.ClosesAt, t.OpensAt, t.OpensWindow = true, at(hours), at(hours+24), "w"
		}
	}
	ofWeb := func(change func(*v1alpha1.GateTarget)) func(*v1alpha1.GateTarget) {
		return func(t *v1alpha1.GateTarget) { t.ObjectSelector = web(); change(t) }
	}
	ends := func(hours int) func(*v1alpha1.GateFreeze) {
		return func(f *v1alpha1.GateFreeze) { f.Active, f.EndsAt, f.Ends = true, at(hours), "its end" }
	}
	overridable := func(f *v1alpha1.GateFreeze) { f.Active, f.Overrides = true, &v1alpha1.GateFreezeOverrides{} }
	const none = -1000
	for title, tc := range map[string]struct {
		targets     []v1alpha1.GateTarget
		freezes     []v1alpha1.GateFreeze
		holds       bool
		request     Request
		word        Word
		until, from int // hours after noon; 0: the default is none
		by          string
		atLeast     bool
		late        bool
	}{
		"nothing governs":                  {word: Allowed},
		"open":                             {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, open(2))}, word: Allowed, until: 2},
		"of another disruption":            {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, opens(2))}, request: Request{Disruption: v1alpha1.Evict}, word: Allowed},
		"closed":                           {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, opens(2))}, word: Refused, from: 2, by: "w"},
		"closed by the clock":              {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, open(-1))}, word: Refused, from: 23, by: "w"},
		"late":                             {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, opens(-1))}, word: Refused, from: -1, by: "w", late: true},
		"no coming opening":                {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, func(*v1alpha1.GateTarget) {})}, word: Refused},
		"only warns":                       {targets: []v1alpha1.GateTarget{target(v1alpha1.Warn, opens(2))}, word: Warned},
		"an enforcement that only records": {targets: []v1alpha1.GateTarget{target("Audit", opens(2))}, word: Allowed},
		"one of two is open":               {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, opens(2)), target(v1alpha1.Hold, open(3))}, word: Allowed, until: 3},
		"both are open":                    {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, open(2)), target(v1alpha1.Hold, open(3))}, word: Allowed, until: 3},
		"the sooner of two":                {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, opens(4)), target(v1alpha1.Hold, opens(3))}, word: Refused, from: 3, by: "w"},
		"held":                             {targets: []v1alpha1.GateTarget{target(v1alpha1.Hold, opens(2))}, holds: true, word: Held, from: 2, by: "w"},
		"nothing is held in this cluster":  {targets: []v1alpha1.GateTarget{target(v1alpha1.Hold, opens(2))}, word: Refused, from: 2, by: "w"},
		"a deletion is not held":           {targets: []v1alpha1.GateTarget{target(v1alpha1.Hold, opens(2))}, holds: true, request: Request{Disruption: v1alpha1.Delete, Holdable: true}, word: Refused, from: 2, by: "w"},
		"nor what Deny governs too":        {targets: []v1alpha1.GateTarget{target(v1alpha1.Hold, opens(2)), target(v1alpha1.Deny, opens(3))}, holds: true, word: Refused, from: 2, by: "w"},
		"nor in a freeze":                  {targets: []v1alpha1.GateTarget{target(v1alpha1.Hold, opens(2))}, freezes: []v1alpha1.GateFreeze{freeze(ends(1))}, holds: true, word: Refused, from: 2, by: "w"},
		"of others' labels":                {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, ofWeb(opens(2)))}, request: Request{Selects: with(labels.Set{"tier": "db"})}, word: Allowed},
		"no labels: may govern":            {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, ofWeb(opens(2)))}, request: Request{Selects: nil, Disruption: v1alpha1.Delete}, word: Refused, from: 2, by: "w"},
		"no labels: the last of several":   {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, ofWeb(opens(2))), target(v1alpha1.Deny, ofWeb(opens(7)))}, request: Request{Disruption: v1alpha1.Delete}, word: Refused, from: 7, by: "w", atLeast: true},
		"no labels: opens not for certain": {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, ofWeb(open(2))), target(v1alpha1.Deny, opens(5))}, request: Request{Selects: nil, Disruption: v1alpha1.Delete}, word: Refused, from: 5, by: "w"},
		"no labels: one opens for certain": {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, ofWeb(opens(2))), target(v1alpha1.Deny, open(5))}, request: Request{Selects: nil, Disruption: v1alpha1.Delete}, word: Allowed, until: 5},
		"no labels: all are open":          {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, ofWeb(open(2)))}, request: Request{Selects: nil, Disruption: v1alpha1.Delete}, word: Allowed, until: 2},
		"frozen":                           {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, open(2))}, freezes: []v1alpha1.GateFreeze{freeze(ends(1))}, word: Refused, from: 1, by: "f"},
		"frozen past the window":           {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, open(2))}, freezes: []v1alpha1.GateFreeze{freeze(ends(5))}, word: Refused, from: 26, by: "w"},
		"frozen over the next window":      {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, opens(2))}, freezes: []v1alpha1.GateFreeze{freeze(ends(5))}, word: Refused, from: 5, by: "f", atLeast: true},
		"frozen without end":               {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, open(2))}, freezes: []v1alpha1.GateFreeze{freeze(func(f *v1alpha1.GateFreeze) { f.Active = true })}, word: Refused},
		"frozen, no window":                {freezes: []v1alpha1.GateFreeze{freeze(ends(1))}, word: Refused, from: 1, by: "f"},
		"a freeze of others":               {freezes: []v1alpha1.GateFreeze{freeze(func(f *v1alpha1.GateFreeze) { f.Active, f.ObjectSelector = true, web() })}, word: Allowed},
		"a freeze that warns":              {freezes: []v1alpha1.GateFreeze{freeze(func(f *v1alpha1.GateFreeze) { f.Active, f.Enforcement = true, v1alpha1.Warn })}, word: Warned},
		"a freeze to come":                 {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, open(2))}, freezes: []v1alpha1.GateFreeze{freeze(func(f *v1alpha1.GateFreeze) { f.StartsAt = at(1) })}, word: Allowed, until: 1, by: "f"},
		"a freeze that has come":           {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, open(2))}, freezes: []v1alpha1.GateFreeze{freeze(func(f *v1alpha1.GateFreeze) { f.StartsAt = at(0) })}, word: Refused},
		"exempt":                           {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, opens(2))}, request: Request{Exempt: true}, word: Allowed},
		"overridden":                       {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, opens(2))}, request: Request{OverriddenUntil: at(1).Time}, word: Allowed, until: 1},
		"an override has ended":            {targets: []v1alpha1.GateTarget{target(v1alpha1.Deny, opens(2))}, request: Request{OverriddenUntil: noon}, word: Refused, from: 2, by: "w"},
		"an override without the freeze's": {freezes: []v1alpha1.GateFreeze{freeze(overridable)}, request: Request{OverriddenUntil: at(1).Time}, word: Refused},
		"an override and the freeze's":     {freezes: []v1alpha1.GateFreeze{freeze(overridable)}, request: Request{OverriddenUntil: at(1).Time, Passes: []string{"f"}}, word: Allowed, until: 1},
		"an override of what none passes":  {freezes: []v1alpha1.GateFreeze{freeze(func(f *v1alpha1.GateFreeze) { f.Active = true })}, request: Request{OverriddenUntil: at(1).Time, Passes: []string{"f"}}, word: Refused},
	} {
		t.Run(title, func(t *testing.T) {
			g := &v1alpha1.Gate{Spec: v1alpha1.GateSpec{Targets: tc.targets, Freezes: tc.freezes}}
			if tc.holds {
				g.Labels = map[string]string{v1alpha1.HoldsLabel: "true"}
			}
			r := tc.request
			if r.Disruption == "" { // a workload without labels
				r.Disruption, r.Holdable = v1alpha1.Rollout, true
				if r.Selects == nil {
					r.Selects = with(labels.Set{})
				}
			}
			a := Decide(g, r, noon)
			hours := func(at time.Time) int {
				if at.IsZero() {
					return none
				}
				return int(at.Sub(noon).Hours())
			}
			want := func(h int) int {
				if h == 0 {
					return none
				}
				return h
			}
			by := a.FromBy + a.UntilBy
			if a.Word != tc.word || hours(a.Until) != want(tc.until) || hours(a.From) != want(tc.from) || by != tc.by || a.AtLeast != tc.atLeast || a.Late != tc.late {
				t.Errorf("got %s, until %d, from %d by %q at least %t late %t; want %+v", a.Word, hours(a.Until), hours(a.From), by, a.AtLeast, a.Late, tc)
			}
		})
	}
	if a := Decide(nil, Request{Disruption: v1alpha1.Rollout}, noon); a.Word != Allowed {
		t.Errorf("without a Gate: %+v", a)
	}
}

package compile

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/gate"
)

// Human writes an instant for people, in its own zone, such as "Sat 28 Nov 2026 09:00 CET"; with seconds where there are
// any, and empty for the zero time.
func Human(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case t.Second() != 0:
		return t.Format("Mon 2 Jan 2006 15:04:05 MST")
	}
	return t.Format("Mon 2 Jan 2006 15:04 MST")
}

// Gate writes the state of a namespace as the object that the admission policies read. The keys are those of gate.Set.Keys; canHold says
// whether rollouts can be held here: where not, Hold is enforced as Deny.
func Gate(
	namespace string, state gate.State, keys []string, exempt *v1alpha1.GateExempt, canHold bool, owners []metav1.OwnerReference,
) *v1alpha1.Gate {
	g := &v1alpha1.Gate{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Gate"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: v1alpha1.GateName, Labels: gateLabels(state, canHold), OwnerReferences: owners,
		},
		Spec: v1alpha1.GateSpec{Summary: Summary(state), LabelKeys: labelKeys(keys), Exempt: exempt},
	}
	for _, t := range state.Targets {
		g.Spec.Targets = append(g.Spec.Targets, gateTarget(t))
	}
	for _, f := range state.Freezes {
		g.Spec.Freezes = append(g.Spec.Freezes, gateFreeze(f))
	}
	return g
}

// AuditGate writes the second Gate of a namespace, by which the API server records what would be refused if what audits refused: its state
// is that of Compiled.Auditing, its keys those of Compiled.Trial. It names what audits alone. Nothing can be overridden that refuses nothing.
func (c *Compiled) AuditGate(auditing *gate.Governing, exempt *v1alpha1.GateExempt, now time.Time) *v1alpha1.Gate {
	windows, freezes := auditing.Refusing()
	g := Gate("", auditing.At(now), c.Trial.Keys(), exempt, false, c.owners(windows, freezes))
	g.Name = v1alpha1.AuditGateName
	g.Labels = map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy, v1alpha1.AuditsLabel: "true"}
	for i := range g.Spec.Targets {
		t := &g.Spec.Targets[i]
		t.Overrides = nil
		t.Windows = slices.DeleteFunc(slices.Clone(t.Windows), func(name string) bool { return c.Windows[name].Enforcement != gate.Audit })
	}
	for i := range g.Spec.Freezes {
		g.Spec.Freezes[i].Overrides = nil
	}
	return g
}

// gateLabels say what a Gate enforces at any time: bindings select by them, so they do not depend on what is open now.
func gateLabels(state gate.State, canHold bool) map[string]string {
	labels := map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}
	mark := func(label string, is bool) {
		if is {
			labels[label] = "true"
		}
	}
	for _, t := range state.Targets {
		mark(v1alpha1.RefusesLabel, t.Enforcement != gate.Warn)
		mark(v1alpha1.HoldsLabel, t.Enforcement == gate.Hold && canHold)
		mark(v1alpha1.WarnsLabel, t.Enforcement == gate.Warn)
		mark(v1alpha1.NarrowsLabel, len(t.Objects) > 0)
	}
	for _, f := range state.Freezes {
		mark(v1alpha1.RefusesLabel, f.Enforcement == gate.Deny)
		mark(v1alpha1.WarnsLabel, f.Enforcement == gate.Warn)
		mark(v1alpha1.NarrowsLabel, len(f.Objects) > 0)
	}
	return labels
}

// labelKeys are the keys that a Gate lists, or that which stands for all where there are too many.
func labelKeys(keys []string) []string {
	if len(keys) > v1alpha1.MaxLabelKeys {
		return []string{v1alpha1.AnyLabelKey}
	}
	return keys
}

func gateTarget(s gate.TargetState) v1alpha1.GateTarget {
	t := v1alpha1.GateTarget{
		ObjectSelector: objectSelector(s.Objects),
		Disruptions:    apiDisruptions(s.Disruptions),
		Enforcement:    v1alpha1.Enforcement(s.Enforcement),
		Open:           s.Open,
		ClosesAt:       apiTime(s.ClosesAt),
		OpensAt:        apiTime(s.OpensAt),
		Opens:          Human(s.OpensAt),
		OpensWindow:    s.OpensWindow,
		Windows:        s.Windows,
	}
	if c := s.Cutoff; c != nil {
		t.Cutoff = &v1alpha1.GateCutoff{Window: c.Window, Since: Human(c.Since), Ends: Human(c.Ends)}
	}
	if o := s.Overrides; o != nil {
		t.Overrides = &v1alpha1.GateOverrides{
			MaxDuration: metav1.Duration{Duration: o.MaxDuration}, Windows: o.Windows, ReasonPatterns: o.ReasonPatterns,
		}
	}
	return t
}

func gateFreeze(s gate.FreezeState) v1alpha1.GateFreeze {
	f := v1alpha1.GateFreeze{
		Name:           s.Name,
		Reason:         clip(s.Reason, maxReason),
		ObjectSelector: objectSelector(s.Objects),
		Disruptions:    apiDisruptions(s.Disruptions),
		Enforcement:    v1alpha1.Enforcement(s.Enforcement),
		Active:         s.Active,
		StartsAt:       apiTime(s.StartsAt),
		EndsAt:         apiTime(s.EndsAt),
		Ends:           Human(s.EndsAt),
	}
	if s.Overridable {
		f.Overrides = &v1alpha1.GateFreezeOverrides{MaxDuration: metav1.Duration{Duration: s.MaxOverride}, ReasonPattern: s.ReasonPattern}
	}
	return f
}

// maxReason is how many characters a Gate has room for of the reason of a freeze: as many as that may have.
const maxReason = 256

// clip shortens a text to n characters.
func clip(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return text
}

func apiDisruptions(list []gate.Disruption) []v1alpha1.Disruption {
	result := make([]v1alpha1.Disruption, len(list))
	for i, d := range list {
		result[i] = v1alpha1.Disruption(d)
	}
	return result
}

// objectSelector writes a selector with expressions alone, which policies need not tell from labels; nil selects everything.
func objectSelector(s gate.Selector) *metav1.LabelSelector {
	if len(s) == 0 {
		return nil
	}
	selector := &metav1.LabelSelector{}
	for _, r := range s {
		selector.MatchExpressions = append(selector.MatchExpressions, metav1.LabelSelectorRequirement{
			Key: r.Key, Operator: metav1.LabelSelectorOperator(r.Operator), Values: r.Values,
		})
	}
	return selector
}

// apiTime is an instant as the API has it: whole seconds of UTC, so that the policies can compare it as text.
func apiTime(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.UTC().Truncate(time.Second)}
}

// Overdue is the first of the instants at which a Gate itself says that something will change, where it has passed at now: the
// edge since which the Gate is late. Zero when none has.
func Overdue(spec *v1alpha1.GateSpec, now time.Time) (edge time.Time) {
	due := func(t *metav1.Time) {
		if t != nil && !t.After(now) && (edge.IsZero() || t.Time.Before(edge)) {
			edge = t.Time
		}
	}
	for _, t := range spec.Targets {
		due(t.OpensAt)
		due(t.ClosesAt)
	}
	for _, f := range spec.Freezes {
		due(f.StartsAt)
		due(f.EndsAt)
	}
	return edge
}

// Owners are the windows and freezes that govern a namespace, as the owners of its Gate: when they are all gone, the garbage collector
// removes it, also while no operator runs. Where more govern than MaxGateOwners there are none, and the Gate stays until the operator
// removes it: some of them alone could be deleted while others still govern.
func (c *Compiled) Owners(g *gate.Governing) []metav1.OwnerReference {
	return c.owners(g.Windows, g.Freezes)
}

func (c *Compiled) owners(windows []*gate.Window, freezes []*gate.Freeze) []metav1.OwnerReference {
	if len(windows)+len(freezes) > v1alpha1.MaxGateOwners {
		return nil
	}
	var owners []metav1.OwnerReference
	add := func(kind, name string, uid types.UID) {
		owners = append(owners, metav1.OwnerReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: kind, Name: name, UID: uid})
	}
	for _, w := range windows {
		add("MaintenanceWindow", w.Name, c.Windows[w.Name].UID)
	}
	for _, f := range freezes {
		add("ChangeFreeze", f.Name, c.Freezes[f.Name].UID)
	}
	return owners
}

// Summary says for people what may pass, and when that changes.
func Summary(state gate.State) v1alpha1.GateSummary {
	s := v1alpha1.GateSummary{State: sumUp(state)}
	var next change
	switch s.State {
	case v1alpha1.GateFrozen:
		next = thaw(state)
		if next.at.IsZero() {
			next.words = "frozen until it is changed or deleted"
		}
	case v1alpha1.GateClosed:
		next = firstOf(openings(state))
		if next.at.IsZero() {
			next.words = "no coming opening"
		}
	case v1alpha1.GateOpen:
		next = firstOf(closings(state))
		if next.at.IsZero() {
			next.words = "no coming closing"
		}
	case v1alpha1.GateMixed:
		next = firstOf(slices.Concat(openings(state), closings(state), []change{thaw(state)}))
	}
	s.When, s.By = next.words, next.by
	if !next.at.IsZero() {
		s.When = next.words + " " + Human(next.at)
	}
	return s
}

// sumUp is the state in one word. What only warns is counted as if it refused, but for freezes.
func sumUp(state gate.State) v1alpha1.GateState {
	open, closed, frozen := 0, 0, 0
	for _, t := range state.Targets {
		switch {
		case t.Frozen:
			frozen++
		case t.Open:
			open++
		default:
			closed++
		}
	}
	stops, stopsAll := false, false
	for _, f := range state.Freezes {
		if f.Active && f.Enforcement == gate.Deny {
			stops, stopsAll = true, stopsAll || len(f.Objects) == 0
		}
	}
	switch n := len(state.Targets); {
	case n == 0 && stopsAll, n > 0 && frozen == n:
		return v1alpha1.GateFrozen
	case open == n && !stops:
		return v1alpha1.GateOpen
	case n > 0 && open == 0:
		return v1alpha1.GateClosed
	}
	return v1alpha1.GateMixed
}

// change is something that is to come, in words, without its time.
type change struct {
	at        time.Time
	words, by string
}

func firstOf(list []change) (first change) {
	for _, c := range list {
		if !c.at.IsZero() && (first.at.IsZero() || c.at.Before(first.at)) {
			first = c
		}
	}
	return first
}

func openings(state gate.State) (list []change) {
	for _, t := range state.Targets {
		if !t.Open || t.Frozen {
			list = append(list, change{t.OpensAt, "opens", t.OpensWindow})
		}
	}
	return list
}

func closings(state gate.State) (list []change) {
	for _, t := range state.Targets {
		if t.Open && !t.Frozen {
			list = append(list, change{t.ClosesAt, "closes", t.ClosesWindow})
		}
	}
	for _, f := range state.Freezes {
		if !f.Active && f.Enforcement == gate.Deny {
			list = append(list, change{f.StartsAt, "frozen from", f.Name})
		}
	}
	return list
}

// thaw is when the last of the refusing freezes in force ends; zero when that is not known.
func thaw(state gate.State) (last change) {
	for _, f := range state.Freezes {
		if !f.Active || f.Enforcement != gate.Deny {
			continue
		}
		if f.EndsAt.IsZero() {
			return change{by: f.Name}
		}
		if f.EndsAt.After(last.at) {
			last = change{f.EndsAt, "frozen until", f.Name}
		}
	}
	return last
}

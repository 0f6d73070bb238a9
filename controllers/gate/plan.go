package gate

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/gate"
)

// plan lists what to write: only what differs. Steps that close come before those that open, and before what is to be removed.
type plan struct {
	closing, opening, removing []step
	// omitted counts, by namespace, the windows and freezes for which its Gate has no room.
	omitted map[string]int
	// until is the next instant at which any Gate changes; zero when none ever will.
	until time.Time
}

// step is what to write in one namespace.
type step struct {
	namespace string
	// gate is the Gate to write, nil where it is as it should be, or is to be removed; before is the one that is there.
	gate, before *v1alpha1.Gate
	// turns says that before changes in what passes, and not only in its texts.
	turns bool
	// label says that the namespace gets the label of those that have a Gate, or, where its Gate is removed, that it loses it.
	label bool
}

// newPlan compares what should be with what is. It leaves alone a Gate whose namespace the cache does not have: either that is gone, and
// the Gate with it, or the cache is behind another replica.
func newPlan(compiled *compile.Compiled, have live, exempt *v1alpha1.GateExempt, canHold bool, now time.Time) plan {
	p := plan{omitted: map[string]int{}}
	known := map[*gate.Governing]*v1alpha1.Gate{}
	keys := compiled.Set.Keys()
	trials := map[*gate.Governing]*v1alpha1.Gate{}
	for i := range have.namespaces {
		ns := &have.namespaces[i]
		if ns.DeletionTimestamp != nil { // nothing can be created there, and its Gate goes with it
			continue
		}
		current, trial := have.gates[ns.Name], have.trials[ns.Name]
		labelled := ns.Labels[v1alpha1.GatedLabel] == "true"
		var governing, auditing *gate.Governing
		if !compiled.Operator.Protected(ns.Name) {
			governing, auditing = compiled.Set.Of(ns.Labels), compiled.Auditing(ns.Labels)
		}
		if auditing != nil {
			p.until = earliest(p.until, auditing.At(now).Until)
			if trials[auditing] == nil {
				trials[auditing] = compiled.AuditGate(auditing, exempt, now)
			}
			p.add(ns.Name, trials[auditing], trial, !labelled && governing == nil)
		} else if trial != nil {
			p.removing = append(p.removing, step{namespace: ns.Name, before: trial})
		}
		if governing == nil {
			_, marked := ns.Labels[v1alpha1.GatedLabel]
			marked = marked && auditing == nil && !compiled.Operator.Protected(ns.Name) // nothing is ours to write there
			if current != nil || marked {
				p.removing = append(p.removing, step{namespace: ns.Name, before: current, label: marked})
			}
			continue
		}
		state := governing.At(now)
		p.until = earliest(p.until, state.Until)
		if state.Omitted > 0 {
			p.omitted[ns.Name] = state.Omitted
		}
		if known[governing] == nil {
			known[governing] = compile.Gate("", state, keys, exempt, canHold, compiled.Owners(governing))
		}
		p.add(ns.Name, known[governing], current, !labelled)
	}
	for _, steps := range [][]step{p.closing, p.opening, p.removing} {
		slices.SortFunc(steps, func(a, b step) int { return cmp.Compare(a.namespace, b.namespace) })
	}
	return p
}

// add plans what a governed namespace lacks.
func (p *plan) add(namespace string, wanted, current *v1alpha1.Gate, label bool) {
	s := step{namespace: namespace, before: current, label: label}
	if current == nil || !same(current, wanted) {
		s.gate = wanted.DeepCopy() // a write reads the answer into it, and others write the same at once
		s.gate.Namespace = namespace
	}
	if s.gate == nil && !label {
		return
	}
	closes := true // also by the label alone
	if s.gate != nil && current != nil {
		before, after := shut(&current.Spec), shut(&wanted.Spec)
		s.turns = !maps.Equal(before, after)
		closes = label || tightens(before, after) || marksMore(current.Labels, wanted.Labels)
	}
	if closes {
		p.closing = append(p.closing, s)
	} else {
		p.opening = append(p.opening, s)
	}
}

// same compares all that the operator writes.
func same(current, wanted *v1alpha1.Gate) bool {
	return maps.Equal(current.Labels, wanted.Labels) && equality.Semantic.DeepEqual(current.OwnerReferences, wanted.OwnerReferences) &&
		equality.Semantic.DeepEqual(current.Spec, wanted.Spec)
}

// shut is what a Gate keeps from passing, each with how strictly: disruptions of an objectSelector of which no window is open, and
// freezes in force.
func shut(spec *v1alpha1.GateSpec) map[string]int {
	list := map[string]int{}
	for _, t := range spec.Targets {
		if t.Open {
			continue
		}
		selector := ""
		if t.ObjectSelector != nil {
			selector = t.ObjectSelector.String()
		}
		for _, d := range t.Disruptions {
			key := "target/" + string(d) + "/" + selector
			list[key] = max(list[key], strictness[t.Enforcement])
		}
	}
	for _, f := range spec.Freezes {
		if f.Active {
			list["freeze/"+f.Name] = strictness[f.Enforcement]
		}
	}
	return list
}

// strictness orders enforcements.
var strictness = map[v1alpha1.Enforcement]int{v1alpha1.Warn: 1, v1alpha1.Hold: 2, v1alpha1.Deny: 3}

// tightens says whether anything is shut that was not before, or not as strictly.
func tightens(before, after map[string]int) bool {
	for key, strict := range after {
		if strict > before[key] {
			return true
		}
	}
	return false
}

// marksMore says whether bindings look at a Gate that did not before.
func marksMore(before, after map[string]string) bool {
	for key, value := range after {
		if before[key] != value {
			return true
		}
	}
	return false
}

// edge is the edge at which a gate has turned: the one that it tells of itself, which a restart does not forget, or else the one
// that was waited for. Zero where none has passed, for then a spec has changed, and where it was told before and the cache lags.
func edge(before *v1alpha1.Gate, passed, now time.Time) time.Time {
	if before == nil {
		return time.Time{}
	}
	own := compile.Overdue(&before.Spec, now)
	switch {
	case own.IsZero() && !now.Before(passed):
		return passed
	case own.Before(passed):
		return time.Time{}
	}
	return own
}

// earliest is the earlier of two instants, a zero one being none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// Package model says in plain Go what becomes of a request, from what the windows and freezes of a namespace are to mean: it knows
// neither the policies nor what they are generated from, so that the two can be held against each other.
package model

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
)

// Kind is what is asked of the API server, as far as it matters who governs it.
type Kind int

const (
	// Workload: a Deployment, StatefulSet or DaemonSet; or what is held by its own labels like one.
	Workload Kind = iota
	// Unlabelled: a request that tells no labels to rely on.
	Unlabelled
	// Namespace: the Namespace itself.
	Namespace
)

// Attempt is a request: what it does is known by how it was made.
type Attempt struct {
	Kind Kind
	// Does are the disruptions.
	Does []v1alpha1.Disruption
	// Holdable: its rollout can be stopped.
	Holdable bool
	// Before and After are the labels of the object. Of a deletion After is nil.
	Before, After map[string]string
	// Deletes: there is nothing afterwards.
	Deletes bool
	// Times are all that the object tells, before and after.
	Times []time.Time
	// ChangedKeys are the labels of a Namespace that are changed.
	ChangedKeys []string
}

// Person is who asks.
type Person struct {
	ControlPlane, Exempt bool
	// Windows and Freezes are what the person may override.
	Windows, Freezes []string
}

// Override is what an object or its Namespace carries.
type Override struct {
	Marked, Spent bool
	Until         time.Time
}

// World is all that a verdict depends on.
type World struct {
	Gate    *v1alpha1.GateSpec
	CanHold bool
	Attempt Attempt
	Person  Person
	// OnObject and OnNamespace are overrides that were there before; nil: none.
	OnObject, OnNamespace *Override
	// Sets: the request sets an override on the object that it is about.
	Sets bool
}

// Verdict is what becomes of a request.
type Verdict struct {
	// Word is allow, warn, hold or deny.
	Word string
	// Freezes are those by which it is refused, or would be.
	Freezes []string
}

// Decide is the one decision.
func Decide(w World) Verdict {
	switch {
	case w.Gate == nil, w.Person.ControlPlane, w.Person.Exempt:
		return Verdict{Word: "allow"}
	case w.Sets && w.bounded() && !w.maySet():
		return Verdict{Word: "deny"}
	}
	overridden := w.Sets && w.bounded() || w.stands(w.OnObject) || w.stands(w.OnNamespace)
	if frozen := w.frozen(v1alpha1.Deny); len(frozen) > 0 && !(overridden && w.mayPass(frozen)) {
		return Verdict{"deny", names(frozen)}
	}
	if overridden {
		if warning := w.frozen(v1alpha1.Warn); len(warning) > 0 && !w.mayPass(warning) && w.Attempt.Kind != Namespace {
			return Verdict{Word: "warn"}
		}
		return Verdict{Word: "allow"}
	}
	held := w.holds()
	for _, d := range w.Attempt.Does {
		if w.refused(d) && !(held && d == v1alpha1.Rollout) {
			return Verdict{Word: "deny"}
		}
	}
	switch {
	case w.escapes():
		return Verdict{Word: "deny"}
	case held:
		return Verdict{Word: "hold"}
	case w.warned() && w.Attempt.Kind != Namespace:
		return Verdict{Word: "warn"}
	}
	return Verdict{Word: "allow"}
}

// labelSets are the labels by which the object is judged: as it was, and as it would be.
func (w World) labelSets() []map[string]string {
	if w.Attempt.Deletes || w.Attempt.After == nil {
		return []map[string]string{w.Attempt.Before}
	}
	return []map[string]string{w.Attempt.Before, w.Attempt.After}
}

func (w World) labelsKnown() bool { return w.Attempt.Kind == Workload }

// reached says whether the request or the object tells of a time at or after an instant.
func (w World) reached(t *metav1.Time) bool {
	return t != nil && slices.ContainsFunc(w.Attempt.Times, func(c time.Time) bool { return !c.Before(t.Time) })
}

func (w World) open(t v1alpha1.GateTarget) bool { return t.Open && !w.reached(t.ClosesAt) }

func (w World) inForce(f v1alpha1.GateFreeze) bool { return f.Active || w.reached(f.StartsAt) }

// governing are the targets that govern an object with such labels in a disruption.
func (w World) governing(d v1alpha1.Disruption, labels map[string]string) []v1alpha1.GateTarget {
	var list []v1alpha1.GateTarget
	for _, t := range w.Gate.Targets {
		if slices.Contains(t.Disruptions, d) && (!w.labelsKnown() || selects(t.ObjectSelector, labels)) {
			list = append(list, t)
		}
	}
	return list
}

// closed lists the targets that are shut for a disruption; none where another one that governs for certain is open.
func (w World) closed(d v1alpha1.Disruption, labels map[string]string) []v1alpha1.GateTarget {
	var shut []v1alpha1.GateTarget
	for _, t := range w.governing(d, labels) {
		switch {
		case !w.open(t):
			shut = append(shut, t)
		case w.labelsKnown() || t.ObjectSelector == nil:
			return nil
		}
	}
	return shut
}

func enforced(targets []v1alpha1.GateTarget, by ...v1alpha1.Enforcement) bool {
	return slices.ContainsFunc(targets, func(t v1alpha1.GateTarget) bool { return slices.Contains(by, t.Enforcement) })
}

func (w World) refusedWith(d v1alpha1.Disruption, labels map[string]string) bool {
	return enforced(w.closed(d, labels), v1alpha1.Deny, v1alpha1.Hold)
}

func (w World) refused(d v1alpha1.Disruption) bool {
	return slices.ContainsFunc(w.labelSets(), func(labels map[string]string) bool { return w.refusedWith(d, labels) })
}

// holds says whether the rollout is accepted and stopped: nothing stricter than Hold is in its way.
func (w World) holds() bool {
	if !w.CanHold || !w.Attempt.Holdable || !slices.Contains(w.Attempt.Does, v1alpha1.Rollout) || !w.refused(v1alpha1.Rollout) {
		return false
	}
	denied := slices.ContainsFunc(w.labelSets(), func(labels map[string]string) bool {
		return enforced(w.closed(v1alpha1.Rollout, labels), v1alpha1.Deny)
	})
	return !denied && len(w.frozenFor(v1alpha1.Deny, v1alpha1.Rollout)) == 0
}

func (w World) warned() bool {
	if len(w.frozen(v1alpha1.Warn)) > 0 {
		return true
	}
	return slices.ContainsFunc(w.Attempt.Does, func(d v1alpha1.Disruption) bool {
		return slices.ContainsFunc(w.labelSets(), func(labels map[string]string) bool { return len(w.closed(d, labels)) > 0 })
	})
}

// frozenFor lists the freezes in force that stop any of some disruptions of the object.
func (w World) frozenFor(e v1alpha1.Enforcement, does ...v1alpha1.Disruption) []v1alpha1.GateFreeze {
	var list []v1alpha1.GateFreeze
	for _, f := range w.Gate.Freezes {
		stops := f.Enforcement == e && w.inForce(f) && slices.ContainsFunc(does,
			func(d v1alpha1.Disruption) bool { return slices.Contains(f.Disruptions, d) })
		selected := !w.labelsKnown() || slices.ContainsFunc(w.labelSets(),
			func(labels map[string]string) bool { return selects(f.ObjectSelector, labels) })
		if stops && selected {
			list = append(list, f)
		}
	}
	return list
}

// frozen are the freezes that stop what the request does; relabelling a Namespace is everything at once.
func (w World) frozen(e v1alpha1.Enforcement) []v1alpha1.GateFreeze {
	if w.Attempt.Kind == Namespace && w.relabels() {
		return w.frozenFor(e, everything...)
	}
	return w.frozenFor(e, w.Attempt.Does...)
}

var everything = []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.ScaleDown, v1alpha1.Delete, v1alpha1.Evict}

// relabels says whether a Namespace loses, gains or changes a label by which windows or freezes select.
func (w World) relabels() bool {
	return slices.ContainsFunc(w.Attempt.ChangedKeys, func(k string) bool {
		return slices.Contains(w.Gate.LabelKeys, k) || slices.Contains(w.Gate.LabelKeys, v1alpha1.AnyLabelKey)
	})
}

// escapes says whether other labels would take the object, or the Namespace, out of what refuses it now.
func (w World) escapes() bool {
	if w.Attempt.Kind == Namespace {
		return w.relabels() && slices.ContainsFunc(everything, w.refused)
	}
	if !w.labelsKnown() || w.Attempt.Deletes {
		return false
	}
	stopped := func(d v1alpha1.Disruption, labels map[string]string) bool {
		return w.refusedWith(d, labels) || slices.ContainsFunc(w.Gate.Freezes, func(f v1alpha1.GateFreeze) bool {
			return f.Enforcement == v1alpha1.Deny && w.inForce(f) && slices.Contains(f.Disruptions, d) && selects(f.ObjectSelector, labels)
		})
	}
	return w.Attempt.After != nil && slices.ContainsFunc(everything, func(d v1alpha1.Disruption) bool {
		return stopped(d, w.Attempt.Before) && !stopped(d, w.Attempt.After)
	})
}

// stands says whether an override stands by the clock of the request.
func (w World) stands(o *Override) bool {
	return o != nil && o.Marked && !o.Spent && !w.reached(&metav1.Time{Time: o.Until})
}

// governed are all targets that govern the object in anything.
func (w World) governed() []v1alpha1.GateTarget {
	var list []v1alpha1.GateTarget
	for _, t := range w.Gate.Targets {
		if !w.labelsKnown() || selects(t.ObjectSelector, w.Attempt.Before) {
			list = append(list, t)
		}
	}
	return list
}

// bounded says whether there is anything that an override could pass; where not, it is text.
func (w World) bounded() bool {
	if slices.ContainsFunc(w.governed(), func(t v1alpha1.GateTarget) bool { return t.Overrides != nil }) {
		return true
	}
	return slices.ContainsFunc(w.Gate.Freezes, func(f v1alpha1.GateFreeze) bool {
		selected := !w.labelsKnown() || selects(f.ObjectSelector, w.Attempt.Before) || selects(f.ObjectSelector, w.Attempt.After)
		return f.Enforcement == v1alpha1.Deny && f.Overrides != nil && selected
	})
}

// maySet: the right on any one of the windows is enough; where there are none, only freezes are in the way, which ask for their own.
func (w World) maySet() bool {
	asked := false
	for _, t := range w.governed() {
		if t.Overrides == nil {
			continue
		}
		for _, name := range t.Overrides.Windows {
			asked = true
			if slices.Contains(w.Person.Windows, name) {
				return true
			}
		}
	}
	return !asked
}

// mayPass: an override passes freezes that all let it, by whoever has the right on each, and not too many of them.
func (w World) mayPass(freezes []v1alpha1.GateFreeze) bool {
	return len(freezes) <= v1alpha1.MaxOverrideFreezes && !slices.ContainsFunc(freezes, func(f v1alpha1.GateFreeze) bool {
		return f.Overrides == nil || !slices.Contains(w.Person.Freezes, f.Name)
	})
}

func names(freezes []v1alpha1.GateFreeze) []string {
	list := make([]string, len(freezes))
	for i, f := range freezes {
		list[i] = f.Name
	}
	return list
}

// selects says whether a selector, which has expressions alone, selects labels. None selects everything.
func selects(s *metav1.LabelSelector, labels map[string]string) bool {
	if s == nil {
		return true
	}
	for _, r := range s.MatchExpressions {
		value, there := labels[r.Key]
		var met bool
		switch r.Operator {
		case metav1.LabelSelectorOpIn:
			met = there && slices.Contains(r.Values, value)
		case metav1.LabelSelectorOpNotIn:
			met = !there || !slices.Contains(r.Values, value)
		case metav1.LabelSelectorOpExists:
			met = there
		case metav1.LabelSelectorOpDoesNotExist:
			met = !there
		}
		if !met {
			return false
		}
	}
	return true
}

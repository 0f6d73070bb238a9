package compile

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/doors"
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

// Gate writes a gate as the object that the admission policies read.
func Gate(g gate.Gate, exempt *v1alpha1.GateExempt) *v1alpha1.Gate {
	object := &v1alpha1.Gate{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Gate"},
		ObjectMeta: metav1.ObjectMeta{
			Name:   g.Name,
			Labels: map[string]string{doors.ManagedByLabel: doors.ManagedBy},
		},
		Spec: v1alpha1.GateSpec{
			NamespaceSelector: *doors.LabelSelector(g.Target.Namespaces),
			ObjectSelector:    objectSelector(g.Target.Objects),
			Exempt:            exempt,
			AlsoOpen:          overlaps(g.AlsoOpen),
			AlsoOpenOmitted:   int32(g.Omitted),
			NextOpenings:      overlaps(g.NextOpenings),
		},
	}
	if o := g.Overrides; o.MaxDuration > 0 {
		object.Spec.Overrides = &v1alpha1.GateOverrides{
			MaxDuration: metav1.Duration{Duration: o.MaxDuration}, Windows: o.Windows, ReasonPatterns: o.ReasonPatterns,
		}
	}
	for _, s := range g.Disruptions {
		object.Spec.Disruptions = append(object.Spec.Disruptions, disruption(s))
	}
	return object
}

// WithoutOthers is a Gate without what other targets open, which only closes it: for where the whole cannot be written.
func WithoutOthers(g *v1alpha1.Gate) *v1alpha1.Gate {
	alone := g.DeepCopy()
	alone.Spec.AlsoOpenOmitted += int32(len(g.Spec.AlsoOpen))
	alone.Spec.AlsoOpen, alone.Spec.NextOpenings = nil, nil
	return alone
}

// Overdue is the first of the instants at which a Gate itself says that something will change, where it has passed at now: the
// edge since which the Gate is late. Zero when none has.
func Overdue(spec *v1alpha1.GateSpec, now time.Time) (edge time.Time) {
	due := func(t *metav1.Time) {
		if t != nil && !t.After(now) && (edge.IsZero() || t.Time.Before(edge)) {
			edge = t.Time
		}
	}
	for _, d := range spec.Disruptions {
		due(d.OpensAt)
		due(d.ClosesAt)
		for _, f := range d.Freezes {
			due(f.StartsAt)
		}
	}
	for _, o := range append(slices.Clone(spec.AlsoOpen), spec.NextOpenings...) {
		due(o.ClosesAt)
		due(o.OpensAt)
	}
	return edge
}

func disruption(s gate.State) v1alpha1.GateDisruption {
	d := v1alpha1.GateDisruption{
		Disruption:  v1alpha1.Disruption(s.Disruption),
		State:       Summary(s),
		Open:        s.Open,
		ClosesAt:    apiTime(s.ClosesAt),
		OpensAt:     apiTime(s.OpensAt),
		Opens:       Human(s.OpensAt),
		OpensWindow: s.OpensWindow,
		Enforcement: v1alpha1.Enforcement(s.Enforcement),
		Windows:     s.Windows,
	}
	for _, f := range s.Freezes {
		d.Freezes = append(d.Freezes, v1alpha1.GateFreeze{
			Enforcement: v1alpha1.Enforcement(f.Enforcement),
			Name:        f.Name,
			Reason:      f.Reason,
			Overridable: f.Overridable,
			Also:        f.Also,
			Active:      f.Active,
			StartsAt:    apiTime(f.StartsAt),
			Ends:        Human(f.EndsAt),
		})
	}
	return d
}

// Summary is the state of a disruption in one word.
func Summary(s gate.State) v1alpha1.GateState {
	switch {
	case s.Frozen:
		return v1alpha1.GateFrozen
	case s.Open || s.Enforcement == "":
		return v1alpha1.GateOpen
	}
	return v1alpha1.GateClosed
}

func overlaps(list []gate.Overlap) []v1alpha1.GateOverlap {
	var result []v1alpha1.GateOverlap
	for _, o := range list {
		overlap := v1alpha1.GateOverlap{
			Window:            o.Window,
			ClosesAt:          apiTime(o.ClosesAt),
			OpensAt:           apiTime(o.OpensAt),
			Opens:             Human(o.OpensAt),
			NamespaceSelector: *doors.LabelSelector(o.Target.Namespaces),
			ObjectSelector:    objectSelector(o.Target.Objects),
		}
		for _, d := range o.Disruptions {
			overlap.Disruptions = append(overlap.Disruptions, v1alpha1.Disruption(d))
		}
		result = append(result, overlap)
	}
	return result
}

func objectSelector(s gate.Selector) *metav1.LabelSelector {
	if len(s) == 0 {
		return nil
	}
	return doors.LabelSelector(s)
}

// apiTime is an instant as the API has it: whole seconds of UTC, so that the policies can compare it as text.
func apiTime(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.UTC().Truncate(time.Second)}
}

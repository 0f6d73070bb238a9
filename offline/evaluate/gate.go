package evaluate

import (
	"k8s.io/apimachinery/pkg/util/version"

	"fonster.dev/fonster/api/v1alpha1"
)

// Label gives a Gate the labels by which bindings find it: what it enforces at any time. Where the API server has no mutating policies,
// nothing can be held.
func Label(g *v1alpha1.Gate, canHold bool) {
	g.Labels = map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}
	mark := func(label string, is bool) {
		if is {
			g.Labels[label] = "true"
		}
	}
	for _, t := range g.Spec.Targets {
		mark(v1alpha1.RefusesLabel, t.Enforcement != v1alpha1.Warn)
		mark(v1alpha1.HoldsLabel, t.Enforcement == v1alpha1.Hold && canHold)
		mark(v1alpha1.WarnsLabel, t.Enforcement == v1alpha1.Warn)
		mark(v1alpha1.NarrowsLabel, t.ObjectSelector != nil)
	}
	for _, f := range g.Spec.Freezes {
		mark(v1alpha1.RefusesLabel, f.Enforcement == v1alpha1.Deny)
		mark(v1alpha1.WarnsLabel, f.Enforcement == v1alpha1.Warn)
		mark(v1alpha1.NarrowsLabel, f.ObjectSelector != nil)
	}
}

// CanHold says whether an API server of a version has mutating policies.
func CanHold(of string) bool { return version.MustParseMajorMinor(of).AtLeast(mutatingSince) }

package doors

import (
	"path"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/internal/gate"
)

// marks are the labels by which the static bindings of a policy select, before the request or after it: one binding for each, as the
// requirements of one selector must all be met. The API server looks at nothing else on their behalf.
var marks = map[string][]string{
	heldPolicyName:      heldLabels,
	overridesPolicyName: {OverriddenLabel},
}

// StaticBindings bind the validating policies that need no gate of their own.
func StaticBindings() []*admissionv1.ValidatingAdmissionPolicyBinding {
	var bindings []*admissionv1.ValidatingAdmissionPolicyBinding
	for _, p := range guards() {
		b := binding(p.Name, admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName:        p.Name,
			ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		})
		if p.Spec.ParamKind != nil { // every gate; none when no window exists
			b.Spec.ParamRef = everyGate()
		}
		labels := marks[p.Name]
		if len(labels) == 0 {
			bindings = append(bindings, b)
		}
		for i, label := range labels {
			of := b.DeepCopy()
			if i > 0 {
				of.Name = "fonster-" + path.Base(label)
			}
			of.Spec.MatchResources = having(label)
			setDefaults(of.Spec.MatchResources)
			bindings = append(bindings, of)
		}
	}
	return bindings
}

// having selects what has a label, whatever its value.
func having(label string) *admissionv1.MatchResources {
	return &admissionv1.MatchResources{ObjectSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: label, Operator: metav1.LabelSelectorOpExists}}}}
}

func everyGate() *admissionv1.ParamRef {
	return &admissionv1.ParamRef{
		Selector:                &metav1.LabelSelector{MatchLabels: map[string]string{ManagedByLabel: ManagedBy}},
		ParameterNotFoundAction: new(admissionv1.AllowAction),
	}
}

func binding(name string, spec admissionv1.ValidatingAdmissionPolicyBindingSpec) *admissionv1.ValidatingAdmissionPolicyBinding {
	setDefaults(spec.MatchResources)
	return &admissionv1.ValidatingAdmissionPolicyBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicyBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{ManagedByLabel: ManagedBy}},
		Spec:       spec,
	}
}

// GateLabel names, on a binding, the gate that it reads.
const GateLabel = group + "/gate"

// Bindings returns the bindings that place a gate before its target: one for each policy that could refuse or warn there at
// any time. They depend on what the windows say, never on the time of day. Every field that the API server would default is
// set, so that a stored binding can be compared with a wanted one.
func Bindings(g gate.Gate) []*admissionv1.ValidatingAdmissionPolicyBinding {
	var bindings []*admissionv1.ValidatingAdmissionPolicyBinding
	for _, f := range Families {
		for _, m := range modes {
			if !needed(f, m, g) {
				continue
			}
			bindings = append(bindings, gateBinding(f, m, g))
		}
	}
	for _, m := range []mode{holdsDeny, holdsWarn} {
		if holdNeeded(m, g) {
			bindings = append(bindings, gateBinding(holds, m, g))
		}
	}
	if takesOverrides(g) {
		b := binding(createdOverrides+"-"+g.Name, admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName:        createdOverrides,
			ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			ParamRef:          &admissionv1.ParamRef{Name: g.Name, ParameterNotFoundAction: new(admissionv1.AllowAction)}, // then it has no end
			MatchResources:    matchTarget(g.Target.Namespaces, g.Target.Objects),
		})
		b.Labels[GateLabel] = g.Name
		bindings = append(bindings, b)
	}
	if len(g.Target.Objects) > 0 && (needed(pods, modes[0], g) || needed(pods, modes[1], g)) {
		bindings = append(bindings, podLabelsBinding(g))
	}
	return bindings
}

func gateBinding(f Family, m mode, g gate.Gate) *admissionv1.ValidatingAdmissionPolicyBinding {
	objects := g.Target.Objects
	if f.ByNamespace || f.OfWorkload != "" {
		objects = nil
	}
	b := binding(m.policyName(f)+"-"+g.Name, admissionv1.ValidatingAdmissionPolicyBindingSpec{
		PolicyName:        m.policyName(f),
		ValidationActions: []admissionv1.ValidationAction{m.action},
		ParamRef:          &admissionv1.ParamRef{Name: g.Name, ParameterNotFoundAction: new(admissionv1.DenyAction)},
		MatchResources:    matchTarget(g.Target.Namespaces, objects),
	})
	b.Labels[GateLabel] = g.Name
	return b
}

// matchTarget is what a gate governs, written with every default. The API server reads these selectors anew for every request that
// a policy matches, so what they need not say, such as the protected namespaces, the policies' own constraints say.
func matchTarget(namespaces, objects gate.Selector) *admissionv1.MatchResources {
	return &admissionv1.MatchResources{
		NamespaceSelector: LabelSelector(namespaces),
		ObjectSelector:    LabelSelector(objects),
		MatchPolicy:       new(admissionv1.Equivalent),
	}
}

// needed says whether the policy of a family and mode could ever act at the gate.
func needed(f Family, m mode, g gate.Gate) bool {
	return slices.ContainsFunc(g.Governs, func(r gate.Rule) bool {
		return slices.Contains(m.enforcements, r.Enforcement) &&
			slices.ContainsFunc(f.Doors, func(d Door) bool { return d.Disruption == r.Disruption })
	})
}

// takesOverrides says whether workloads behind the gate may carry an override that it knows of.
func takesOverrides(g gate.Gate) bool {
	return needed(workloads, modes[0], g) && g.Overrides.MaxDuration > 0
}

// LabelSelector writes a selector as Kubernetes does, with matchExpressions only.
func LabelSelector(s gate.Selector) *metav1.LabelSelector {
	selector := &metav1.LabelSelector{}
	for _, r := range s {
		selector.MatchExpressions = append(selector.MatchExpressions, metav1.LabelSelectorRequirement{
			Key: r.Key, Operator: metav1.LabelSelectorOperator(r.Operator), Values: r.Values,
		})
	}
	return selector
}

package doors

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/internal/gate"
)

// MutatingPolicies returns every static mutating policy, ready to be written to config/mutating. They need the API
// MutatingAdmissionPolicy v1 (Kubernetes 1.36, KEP-3962); without them the rest works.
func MutatingPolicies() []*admissionv1.MutatingAdmissionPolicy {
	return []*admissionv1.MutatingAdmissionPolicy{
		heldKeepPolicy(), holdPolicy(), noteOverridesPolicy(), stampOverridesPolicy(stampWorkloads, "", writtenWorkloads),
		stampOverridesPolicy(stampNamespaces, ` && `+namespaceGoverned, writtenNamespaces),
	}
}

const (
	stampWorkloads  = "fonster-overrides-stamp"
	stampNamespaces = "fonster-overrides-stamp-namespaces"
)

// namespaceGoverned: the gate selects the namespace, by the labels that it has or that the request gives it.
var namespaceGoverned = `(` + matchesLabels("params.spec.namespaceSelector", newLabels) + ` || oldObject != null && ` + matchesLabels("params.spec.namespaceSelector", oldLabels) + `)`

// StaticMutatingBindings bind the mutating policies that need no gate of their own.
func StaticMutatingBindings() []*admissionv1.MutatingAdmissionPolicyBinding {
	return []*admissionv1.MutatingAdmissionPolicyBinding{
		mutatingBinding(heldKeepPolicyName, admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: heldKeepPolicyName, MatchResources: having(HeldLabel)}),
		mutatingBinding(noteOverrides, admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: noteOverrides, MatchResources: having(OverriddenLabel)}),
		mutatingBinding(stampNamespaces, admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: stampNamespaces, ParamRef: everyGate()}),
	}
}

// MutatingBindings returns the bindings of mutating policies that place a gate before its target. Every field that the API
// server would default is set.
func MutatingBindings(g gate.Gate) []*admissionv1.MutatingAdmissionPolicyBinding {
	if !needed(workloads, modes[0], g) {
		return nil
	}
	b := mutatingBinding(stampWorkloads+"-"+g.Name, admissionv1.MutatingAdmissionPolicyBindingSpec{
		PolicyName:     stampWorkloads,
		ParamRef:       &admissionv1.ParamRef{Name: g.Name, ParameterNotFoundAction: new(admissionv1.AllowAction)},
		MatchResources: matchTarget(g.Target.Namespaces, g.Target.Objects),
	})
	b.Labels[GateLabel] = g.Name
	return []*admissionv1.MutatingAdmissionPolicyBinding{b}
}

func mutatingPolicy(name, description string, spec admissionv1.MutatingAdmissionPolicySpec) *admissionv1.MutatingAdmissionPolicy {
	spec.FailurePolicy = new(admissionv1.Fail)
	leaveProtectedAlone(spec.ParamKind, spec.MatchConstraints)
	setDefaults(spec.MatchConstraints)
	return &admissionv1.MutatingAdmissionPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "MutatingAdmissionPolicy"},
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Labels:      map[string]string{ManagedByLabel: ManagedBy},
			Annotations: map[string]string{"kubernetes.io/description": description},
		},
		Spec: spec,
	}
}

func mutatingBinding(name string, spec admissionv1.MutatingAdmissionPolicyBindingSpec) *admissionv1.MutatingAdmissionPolicyBinding {
	setDefaults(spec.MatchResources)
	return &admissionv1.MutatingAdmissionPolicyBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "MutatingAdmissionPolicyBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{ManagedByLabel: ManagedBy}},
		Spec:       spec,
	}
}

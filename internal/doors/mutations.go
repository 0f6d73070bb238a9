package doors

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MutatingPolicies returns every static mutating policy, ready to be written to config/mutating. They need the API
// MutatingAdmissionPolicy v1 (Kubernetes 1.36, KEP-3962); without them the rest works.
func MutatingPolicies() []*admissionv1.MutatingAdmissionPolicy {
	return []*admissionv1.MutatingAdmissionPolicy{keepOverridesPolicy(), heldKeepPolicy(), holdPolicy()}
}

// StaticMutatingBindings bind the mutating policies that need no gate of their own.
func StaticMutatingBindings() []*admissionv1.MutatingAdmissionPolicyBinding {
	return []*admissionv1.MutatingAdmissionPolicyBinding{
		mutatingBinding(keepOverridesPolicy().Name, admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: keepOverridesPolicy().Name}),
		mutatingBinding(heldKeepPolicyName, admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: heldKeepPolicyName}),
	}
}

func mutatingPolicy(name, description string, spec admissionv1.MutatingAdmissionPolicySpec) *admissionv1.MutatingAdmissionPolicy {
	spec.FailurePolicy = new(admissionv1.Fail)
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
	return &admissionv1.MutatingAdmissionPolicyBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "MutatingAdmissionPolicyBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{ManagedByLabel: ManagedBy}},
		Spec:       spec,
	}
}

// keepOverridesPolicy keeps what the operator has noted when somebody replaces an object with a manifest that does not know of
// it, as kubectl replace and some GitOps tools do.
func keepOverridesPolicy() *admissionv1.MutatingAdmissionPolicy {
	lost := list(overrideAnnotations) + `.filter(k, oldObject.metadata.?annotations[?'` + group + `/' + k].hasValue() && !object.metadata.?annotations[?'` + group + `/' + k].hasValue())`
	return mutatingPolicy("fonster-overrides-keep", "Keeps the operator's notes of an override in an object that is replaced. Generated from internal/doors.",
		admissionv1.MutatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{
				rule("apps", "v1", []string{"deployments", "statefulsets", "daemonsets"}, admissionv1.Update),
				rule("", "v1", []string{"namespaces"}, admissionv1.Update),
			}},
			MatchConditions: []admissionv1.MatchCondition{{
				Name: "noted-and-lost", Expression: `request.userInfo.username != '` + OperatorUser + `' && ` + lost + `.size() > 0`,
			}},
			ReinvocationPolicy: admissionv1.NeverReinvocationPolicy,
			Mutations: []admissionv1.Mutation{{
				PatchType: admissionv1.PatchTypeJSONPatch,
				JSONPatch: &admissionv1.JSONPatch{Expression: `(has(object.metadata.annotations) ? [] : [JSONPatch{op: "add", path: "/metadata/annotations", value: {}}])` +
					` + ` + lost + `.map(k, JSONPatch{op: "add", path: "/metadata/annotations/" + jsonpatch.escapeKey('` + group + `/' + k), value: oldObject.metadata.annotations['` + group + `/' + k]})`},
			}},
		})
}

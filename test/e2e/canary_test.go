package e2e

import (
	"fmt"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	refusesCanary = "canary-refuse"
	marksCanary   = "canary-mark"
)

// policiesRead waits until the API server admits by every policy and binding written so far. It tells of that nowhere, and takes
// a second or, on a busy machine, many; but it reads bindings in the order of their writing: when one that is written now is in
// force, those before are too.
func policiesRead(t *testing.T) {
	t.Helper()
	canaryPolicies(t)
	label := map[string]string{"canary": fmt.Sprintf("c%d", time.Now().UnixNano())}
	match := &admissionv1.MatchResources{ObjectSelector: &metav1.LabelSelector{MatchLabels: label}}
	create(t, &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: label["canary"]},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: refusesCanary, MatchResources: match, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	})
	mutates := canMutate(t)
	if mutates {
		create(t, &admissionv1.MutatingAdmissionPolicyBinding{
			ObjectMeta: metav1.ObjectMeta{Name: label["canary"]},
			Spec:       admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: marksCanary, MatchResources: match},
		})
	}
	eventually(t, time.Minute, func() error {
		// Under the name "mark" it is not refused, and comes back as the mutating policy has made it.
		refused := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "canary", Labels: label}}
		if err := shared.Admin.Create(t.Context(), refused, client.DryRunAll); !apierrors.IsForbidden(err) {
			return fmt.Errorf("the bindings of validating policies are not in force: %v", err)
		}
		marked := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "mark", Labels: label}}
		if err := shared.Admin.Create(t.Context(), marked, client.DryRunAll); err != nil || mutates && marked.Data["seen"] == "" {
			return fmt.Errorf("the bindings of mutating policies are not in force: %v %v", marked.Data, err)
		}
		return nil
	})
	time.Sleep(200 * time.Millisecond) // the Gates that they read come by another way
}

// forbid has somebody else's policy refuse updates of a resource, in the namespaces of a team or, without one, everywhere, until the
// returned function is called.
func forbid(t *testing.T, name, team, group, resource string, unless admissionv1.Validation) (allow func()) {
	t.Helper()
	match := &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
		Operations: []admissionv1.OperationType{admissionv1.Update},
		Rule:       admissionv1.Rule{APIGroups: []string{group}, APIVersions: []string{"*"}, Resources: []string{resource}},
	}}}}
	if team != "" {
		match.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": team}}
	}
	create(t, &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       admissionv1.ValidatingAdmissionPolicySpec{MatchConstraints: match, Validations: []admissionv1.Validation{unless}},
	})
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}},
	}
	create(t, binding)
	policiesRead(t)
	return func() { wantPassed(t, shared.Admin.Delete(t.Context(), binding)) }
}

// canaryPolicies makes what the canaries' bindings bind, once in a cluster.
func canaryPolicies(t *testing.T) {
	t.Helper()
	match := &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
		Operations: []admissionv1.OperationType{admissionv1.Create},
		Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
	}}}}
	policies := []client.Object{&admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: refusesCanary},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: match,
			Validations:      []admissionv1.Validation{{Expression: "object.metadata.name != 'canary'", Reason: new(metav1.StatusReasonForbidden)}},
		},
	}}
	if canMutate(t) {
		policies = append(policies, &admissionv1.MutatingAdmissionPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: marksCanary},
			Spec: admissionv1.MutatingAdmissionPolicySpec{
				MatchConstraints: match, ReinvocationPolicy: admissionv1.NeverReinvocationPolicy, FailurePolicy: new(admissionv1.Fail),
				Mutations: []admissionv1.Mutation{{
					PatchType:          admissionv1.PatchTypeApplyConfiguration,
					ApplyConfiguration: &admissionv1.ApplyConfiguration{Expression: `Object{data: {"seen": "yes"}}`},
				}},
			},
		})
	}
	for _, p := range policies {
		if err := shared.Admin.Create(t.Context(), p); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
}

// canMutate says whether the API server has mutating policies.
func canMutate(t *testing.T) bool {
	t.Helper()
	_, err := shared.Admin.RESTMapper().RESTMapping(admissionv1.SchemeGroupVersion.WithKind("MutatingAdmissionPolicy").GroupKind(), "v1")
	return err == nil
}

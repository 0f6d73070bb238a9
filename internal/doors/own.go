package doors

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What is Fonster's own: its identity and its CRDs. The policies that keep them read no gate, so that they hold whatever becomes of the gates.

// operatorPolicy keeps the operator to what it does: marks and notes of ours on workloads and Namespaces, and one field of what it holds.
// Its rights let it patch every workload of the cluster, and whoever has its token has them too. It is asked of nothing but what the
// operator may patch, and lets everybody else pass before it looks at anything.
func operatorPolicy() *admissionv1.ValidatingAdmissionPolicy {
	return policy("fonster-operator", "Keeps the operator to its own marks and notes, whoever has its token. Generated from internal/doors.",
		admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{
				rule("apps", "v1", []string{"deployments", "statefulsets", "daemonsets"}, admissionv1.Update),
				rule("", "v1", []string{"namespaces"}, admissionv1.Update),
			}},
			MatchConditions: []admissionv1.MatchCondition{{Name: "the-operator-asks", Expression: byOperator}},
			Variables:       []admissionv1.Variable{{Name: "held", Expression: `request.resource.resource != 'namespaces' && ` + heldBefore + ` != ''`}},
			Validations: []admissionv1.Validation{
				keeps(`!(request.?namespace.orValue(request.name) in `+list(ProtectedNamespaces)+`)`, "anything in a namespace where nothing is governed"),
				keeps(`!(`+labelsChanged+`) || `+newLabels+`.all(k, `+ownLabel+`) && `+oldLabels+`.all(k, k in `+newLabels+` || `+ownLabel+`)`, "other labels"),
				// Of annotations there may be so many that each expression looks through them once.
				keeps(`!(`+annotationsChanged+`) || `+newAnnotations+`.all(k, `+ownNote+`)`, "other annotations"),
				keeps(`!(`+annotationsChanged+`) || `+oldAnnotations+`.all(k, k in `+newAnnotations+` || `+ownNoteRemoved+`)`, "fewer annotations"),
				keeps(`!(`+ownersChanged+`) && object.metadata.?finalizers == oldObject.metadata.?finalizers`, "ownerReferences or finalizers"),
				keeps(ownSpec, "the spec, but for what stops a rollout that is held, or lets it go"),
			},
		})
}

// keeps refuses what is not allowed by CEL, which would change something that is not the operator's.
func keeps(allowed, what string) admissionv1.Validation {
	const says = "the operator of Fonster writes its own marks and notes, and never "
	return admissionv1.Validation{
		Expression:        allowed,
		MessageExpression: `request.kind.kind + ' ' + oldObject.metadata.name + ': ` + says + what + `'`,
		Message:           says + what,
		Reason:            new(metav1.StatusReasonForbidden),
	}
}

const (
	// ownLabel: label k stays, or is one that the operator writes: the marks of what is held already; and an override is ended, never set.
	ownLabel = `(` + labelKept + ` || variables.held && k in ['` + HeldLabel + `', '` + HeldSinceLabel + `', '` + HeldPartitionLabel + `']` +
		` || k == '` + OverriddenLabel + `' && !(k in ` + newLabels + `))`

	// ownNote: annotation k stays, or is a note of an override that the operator writes: it shortens one, and notes a reason as used up.
	ownNote = `(optional.of(object.metadata.annotations[k]) == oldObject.metadata.?annotations[?k]` +
		` || k == '` + notes + `until' && ` + oldUntil + ` != '' && ` + newUntil + ` < ` + oldUntil +
		` || k == '` + notes + `spent' && ` + newReason + ` in ` + newSpent + `.split('\n'))`

	// ownNoteRemoved: annotation k is one that the operator takes away.
	ownNoteRemoved = `k in ['` + notes + `until', '` + notes + `by', '` + notes + `from']`

	newAnnotations = `object.metadata.?annotations.orValue({})`
	oldAnnotations = `oldObject.metadata.?annotations.orValue({})`

	// ownSpec: the spec stays; or, of what is held or has been let go, all of it but what holding and releasing change.
	ownSpec = `(dyn(object).spec == dyn(oldObject).spec || variables.held && ` + heldAfter + ` != '' && dyn(object).spec.all(k, ` + specKept + `) && dyn(oldObject).spec.all(k, ` + specKept + `)` +
		` && (` + isDeployment + ` || dyn(object).spec.updateStrategy.all(k, ` + strategyKept + `) && dyn(oldObject).spec.updateStrategy.all(k, ` + strategyKept + `)` +
		` && (` + isDaemonSet + ` || dyn(object).spec.updateStrategy.?rollingUpdate.?maxUnavailable == dyn(oldObject).spec.updateStrategy.?rollingUpdate.?maxUnavailable)))`

	specKept = `(k == (` + isDeployment + ` ? 'paused' : 'updateStrategy') || dyn(object).spec[?k] == dyn(oldObject).spec[?k])`

	// Of a StatefulSet it is the partition; of a DaemonSet the type, which may bring the defaults of a rolling update with it.
	strategyKept = `(k == (` + isStatefulSet + ` ? 'rollingUpdate' : 'type') || ` + isDaemonSet + ` && !has(dyn(oldObject).spec.updateStrategy.rollingUpdate)` +
		` || dyn(object).spec.updateStrategy[?k] == dyn(oldObject).spec.updateStrategy[?k])`
)

// crdsPolicy keeps the CRDs from being deleted, or no longer served, while the policies that read their objects are there: without the
// CRD of the Gates the API server refuses what the policies match, to everybody and for good. Of a deletecollection it learns from
// the old object alone.
func crdsPolicy() *admissionv1.ValidatingAdmissionPolicy {
	const (
		ours    = `oldObject.spec.group == '` + group + `'`
		served  = `object.spec.versions.exists(v, v.name == '` + version + `' && v.served)`
		without = `'Without it the API server refuses every change of the workloads that windows govern, to everybody. `
	)
	return policy("fonster-crds", "Keeps the CRDs while the policies are there that read their objects. Generated from internal/doors.",
		admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{
				rule("apiextensions.k8s.io", "v1", []string{"customresourcedefinitions"}, admissionv1.Update, admissionv1.Delete),
				rule("apiextensions.k8s.io", "v1", []string{"customresourcedefinitions/status"}, admissionv1.Update),
			}},
			MatchConditions: []admissionv1.MatchCondition{{Name: "of-fonster", Expression: ours}},
			Validations: []admissionv1.Validation{
				{
					Expression: `request.operation != 'DELETE' && (request.?subResource.orValue('') != '' || ` + served + `)`,
					MessageExpression: `'the CustomResourceDefinition ' + oldObject.metadata.name + (request.operation == 'DELETE' ? ' is not deleted' : ' goes on serving ` + version + `')` +
						` + ' while the policies of Fonster are there. ' + ` + without + `Remove the policies first: make uninstall'`,
					Message: "the policies of Fonster need this CustomResourceDefinition: remove them first, by make uninstall",
					Reason:  new(metav1.StatusReasonForbidden),
				},
				{
					Expression: `request.?subResource.orValue('') == '' || request.userInfo.username == 'system:apiserver'` +
						` || object.status.?conditions == oldObject.status.?conditions && object.status.?acceptedNames == oldObject.status.?acceptedNames`,
					MessageExpression: `'only the API server says whether it serves the CustomResourceDefinition ' + oldObject.metadata.name + '. ' + ` + without + `'`,
					Message:           "only the API server says whether it serves this CustomResourceDefinition",
					Reason:            new(metav1.StatusReasonForbidden),
				},
			},
		})
}

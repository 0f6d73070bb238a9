package doors

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"

	"fonster.dev/fonster/internal/gate"
)

// An objectSelector speaks of a workload's labels, but a pod carries those of the template, and a ReplicaSet too.

// ofWorkload is true for a ReplicaSet or ControllerRevision of a workload, for a new one, and for one that a workload may come to own.
const ofWorkload = `(oldObject == null` +
	` || oldObject.metadata.?ownerReferences.orValue([]).exists(o, o.?controller.orValue(false) && o.kind in ['Deployment', 'StatefulSet', 'DaemonSet'])` +
	` || request.operation == 'UPDATE' && request.resource.resource == 'replicasets' && (` + ownersChanged + ` || ` + labelsChanged + ` && !` + hasController + `))`

const podLabels = "fonster-pod-labels"

// podLabelsPolicy tells whoever writes a workload that a window selects, and whose pods it does not select, that those are not held
// with it.
func podLabelsPolicy() *admissionv1.ValidatingAdmissionPolicy {
	return policy(podLabels, "Warns of pods that do not carry the labels by which a window selects their workload. Generated from internal/doors.",
		admissionv1.ValidatingAdmissionPolicySpec{
			ParamKind:        &admissionv1.ParamKind{APIVersion: apiVersion, Kind: "Gate"},
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{writtenWorkloads}},
			MatchConditions: []admissionv1.MatchCondition{{
				Name: "selected-without-its-pods",
				// Of a Deployment the generation tells of other annotations too.
				Expression: `(oldObject == null || object.metadata.generation != oldObject.metadata.generation || ` + labelsChanged + `) && ` +
					matchesLabels("params.spec.objectSelector", newLabels) + ` && !(` +
					matchesLabels("params.spec.objectSelector", "object.spec.template.metadata.?labels.orValue({})") + `) && ` +
					`(oldObject == null || ` + labelsChanged + ` || object.spec != oldObject.spec) && ` + notExempt(),
			}},
			Variables: []admissionv1.Variable{
				{Name: "windows", Expression: `params.spec.?disruptions.orValue([]).filter(d, d.?windows.orValue([]).size() > 0).map(d, d.windows[0])`},
			},
			Validations: []admissionv1.Validation{{
				Expression: "false",
				MessageExpression: `'the pods of ' + request.kind.kind + ' ' + request.namespace + '/' + object.metadata.?name.orValue('') + ' do not carry the labels by which ' +` +
					` (variables.windows.size() > 0 ? 'maintenance window ' + variables.windows[0] : 'a change freeze') + ' selects it (' +` +
					` params.spec.objectSelector.?matchExpressions.orValue([]).map(r, r.key).join(', ') + '), so deleting or changing a pod is not held to that:` +
					` give spec.template.metadata.labels the same labels. The change of the template is a rollout'`,
				Message: "the pods do not carry the labels by which a maintenance window or change freeze selects their workload: give the pod template the same labels",
			}},
		})
}

// podLabelsBinding places a gate with an objectSelector before its workloads. A gate that is gone is nothing to warn of.
func podLabelsBinding(g gate.Gate) *admissionv1.ValidatingAdmissionPolicyBinding {
	b := binding(podLabels+"-"+g.Name, admissionv1.ValidatingAdmissionPolicyBindingSpec{
		PolicyName:        podLabels,
		ValidationActions: []admissionv1.ValidationAction{admissionv1.Warn},
		ParamRef:          &admissionv1.ParamRef{Name: g.Name, ParameterNotFoundAction: new(admissionv1.AllowAction)},
		MatchResources:    matchTarget(g.Target.Namespaces, g.Target.Objects),
	})
	b.Labels[GateLabel] = g.Name
	return b
}

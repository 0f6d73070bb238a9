package doors

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/internal/gate"
)

// guards are the policies that keep the gates themselves: their bindings are static, see StaticBindings.
func guards() []*admissionv1.ValidatingAdmissionPolicy {
	return []*admissionv1.ValidatingAdmissionPolicy{namespacesPolicy(), statusPolicy(), heldPolicy(), overridesPolicy(), gatesPolicy(), selectorsPolicy(), operatorPolicy(), crdsPolicy()}
}

// namespacesPolicy keeps a namespace from being deleted while a gate is closed that governs what is in it, and from being
// relabelled out of one, or into a window that is open. Its binding is static, and reads every gate: the label selector of a binding on namespaces would
// see the new labels only. Such requests are rare.
func namespacesPolicy() *admissionv1.ValidatingAdmissionPolicy {
	reaches := namespaceOnly + " && " + matchesLabels("o.namespaceSelector", "variables.namespaceLabels")
	closed := func(disruption string) string {
		return `params.spec.?disruptions.orValue([]).filter(d, ` + disruption + `d.?enforcement.orValue('') in ['Deny', 'Hold'] && !` + open + `)`
	}
	frozen := func(disruption string) string {
		return `params.spec.?disruptions.orValue([]).filter(d, ` + disruption + `d.?freezes.orValue([]).exists(f, f.enforcement == 'Deny' && ` + inForce + `))`
	}
	governs := matchesLabels("params.spec.namespaceSelector", "variables.namespaceLabels")
	ofDelete := `d.disruption == '` + string(gate.Delete) + `' && `
	const (
		// deletes: the garbage collector deletes what has owners that do not exist.
		deletes = `(request.operation == 'DELETE' || request.operation == 'UPDATE' && ` + ownersChanged + ` && ` + ownersReplaced + `)`

		attempted = `(variables.leaves ? 'relabelling Namespace ' + oldObject.metadata.name + ', which would take it out of ' + params.metadata.name + ','` +
			` : variables.enters ? 'relabelling Namespace ' + oldObject.metadata.name + ', which would bring it into a window that is open now,'` +
			` : 'Delete of Namespace ' + oldObject.metadata.name + (request.operation == 'DELETE' ? '' : ' by other owner references, which may make the garbage collector delete it,'))`
		relabelWhen = `(!variables.leaves && !variables.enters ? ' In an emergency: kubectl annotate namespace ' + oldObject.metadata.name + ' maintenance.fonster.dev/override=REASON' ` + annotateEnd + ` : ' Relabel it while the gate is open, or change the window.')`
	)
	return policy("fonster-namespaces", "Keeps a namespace from being deleted, or relabelled out, while a gate that governs it is closed. Generated from internal/doors.",
		admissionv1.ValidatingAdmissionPolicySpec{
			ParamKind: &admissionv1.ParamKind{APIVersion: apiVersion, Kind: "Gate"},
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{
				rule("", "v1", []string{"namespaces"}, admissionv1.Create, admissionv1.Update, admissionv1.Delete),
			}},
			MatchConditions: []admissionv1.MatchCondition{{
				Name: "deleted-relabelled-or-overridden",
				Expression: "(request.operation == 'DELETE' ? !has(oldObject.metadata.deletionTimestamp) : " + sets + " || request.operation == 'UPDATE' && (" + labelsChanged + " || " + ownersChanged + "))" +
					" && " + notExempt(),
			}},
			Variables: append([]admissionv1.Variable{
				{Name: "namespaceLabels", Expression: `oldObject == null ? ` + newLabels + ` : ` + oldLabels},
				{Name: "governed", Expression: `has(params.spec.overrides) && object != null && ` + namespaceGoverned},
				{Name: "subject", Expression: `'Namespace ' + request.name`},
				{Name: "newLabels", Expression: `object == null ? {} : ` + newLabels},
				{Name: "stamps", Expression: varStamps},
				{Name: "newStamps", Expression: varNewStamps},
				{Name: "clock", Expression: varClock},
				{Name: "now", Expression: varNow},
				{Name: "leaves", Expression: `request.operation == 'UPDATE' && ` + governs + ` && !(` + matchesLabels("params.spec.namespaceSelector", "variables.newLabels") + `)`},
				{Name: "enters", Expression: `request.operation == 'UPDATE' && ` + labelsChanged + ` && ` + governs +
					` && ` + entered(matchesLabels("o.namespaceSelector", "variables.newLabels"), matchesLabels("o.namespaceSelector", "variables.namespaceLabels"))},
				{Name: "deleted", Expression: deletes + ` && ` + governs},
				{Name: "alsoOpen", Expression: alsoOpen(reaches, "true")},
				{Name: "outside", Expression: `variables.leaves || variables.enters ? ` + closed("") + ` : variables.deleted ? ` + closed(ofDelete) + ` : []`},
				{Name: "freezing", Expression: `variables.leaves ? ` + frozen("") + ` : variables.deleted ? ` + frozen(ofDelete) + ` : []`},
				{Name: "frozen", Expression: `variables.freezing.map(d, d.freezes.filter(f, f.enforcement == 'Deny' && ` + inForce + `))`},
				{Name: "openings", Expression: openings(reaches)},
				{Name: "sets", Expression: sets},
				{Name: "overridden", Expression: `variables.sets || ` + ownStands("variables.clock")},
			}, append(mayPass(4), mayOverride()...)...), // relabelling may be every disruption at once
			Validations: append(settingValidations("variables.governed"), []admissionv1.Validation{
				{
					Expression:        `variables.freezing.size() == 0 || variables.overridden && variables.mayPass`,
					MessageExpression: attempted + ` + ` + frozenText,
					Message:           "a change freeze is in force for the namespace",
					Reason:            new(metav1.StatusReasonForbidden),
				},
				{
					Expression:        `variables.outside.size() == 0 || variables.overridden`,
					MessageExpression: attempted + ` + ` + outsideStart + ` + ` + nextOpening + ` + ` + relabelWhen,
					Message:           "the namespace is governed by a gate that is closed",
					Reason:            new(metav1.StatusReasonForbidden),
				},
			}...),
		})
}

// statusPolicy keeps everybody but the control plane from changing, by a write to the status of an object or to the finalizers
// of a namespace, what the doors and guards watch of its metadata: the API server takes metadata there too. It reads no gate,
// so that no status ever waits for one, and lets the control plane pass before it looks at anything.
func statusPolicy() *admissionv1.ValidatingAdmissionPolicy {
	annotations := list([]string{"override", "override-until", "override-by", "override-from", "override-spent", "override-notice", "release-priority"})
	return policy("fonster-status", "Metadata is changed through the resource itself, not through its status. Generated from internal/doors.",
		admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{
				rule("apps", "v1", []string{"deployments/status", "statefulsets/status", "daemonsets/status", "replicasets/status"}, admissionv1.Update),
				rule("", "v1", []string{"replicationcontrollers/status", "pods/status", "namespaces/status", "namespaces/finalize"}, admissionv1.Update),
			}},
			MatchConditions: []admissionv1.MatchCondition{{
				Name: "metadata-changed",
				Expression: notControlPlane() + " && !(request.?namespace.orValue(request.name) in " + list(ProtectedNamespaces) + ") && (" + labelsChanged + " || " + ownersChanged + " || " +
					annotationsChanged + " && " + annotations + ".exists(k, object.metadata.?annotations[?'" + group + "/' + k] != oldObject.metadata.?annotations[?'" + group + "/' + k]))",
			}},
			Validations: []admissionv1.Validation{{
				Expression: "false",
				MessageExpression: `'labels, ownerReferences and annotations of ' + request.kind.kind + ' ' + oldObject.metadata.name + ' are not changed through its ' + request.subResource` +
					` + ': metadata is changed through the resource itself, not through its status'`,
				Message: "metadata is changed through the resource itself, not through its status",
				Reason:  new(metav1.StatusReasonForbidden),
			}},
		})
}

// gatesPolicy keeps everybody but the operator and the garbage collector from writing gates.
func gatesPolicy() *admissionv1.ValidatingAdmissionPolicy {
	writers := []string{OperatorUser, "system:kube-controller-manager", "system:serviceaccount:kube-system:generic-garbage-collector"}
	return policy("fonster-gates", "Only the operator writes Gates. Generated from internal/doors.",
		admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{
				rule(group, "*", []string{"gates"}, admissionv1.Create, admissionv1.Update, admissionv1.Delete),
			}},
			Validations: []admissionv1.Validation{{
				Expression: "request.userInfo.username in " + list(writers),
				Message:    "a Gate is compiled from MaintenanceWindows and ChangeFreezes: change those, the operator writes the Gate",
				Reason:     new(metav1.StatusReasonForbidden),
			}},
		})
}

// selectorsPolicy refuses windows and freezes whose selectors no binding could carry.
func selectorsPolicy() *admissionv1.ValidatingAdmissionPolicy {
	const (
		expressions = `variables.selectors.map(s, s.?matchExpressions.orValue([])).`
		pairs       = `variables.selectors.map(s, s.?matchLabels.orValue({})).`
	)
	return policy("fonster-selectors", "Refuses windows and freezes whose selectors cannot be read. Generated from internal/doors.",
		admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{
				rule(group, "*", []string{"maintenancewindows", "changefreezes"}, admissionv1.Create, admissionv1.Update),
			}},
			Variables: []admissionv1.Variable{
				{Name: "selectors", Expression: `[object.spec.namespaceSelector] + (has(object.spec.objectSelector) ? [object.spec.objectSelector] : [])`},
			},
			Validations: []admissionv1.Validation{
				{
					Expression: `variables.selectors.all(s, s.?matchExpressions.orValue([]).size() + s.?matchLabels.orValue({}).size() <= 32` +
						` && s.?matchExpressions.orValue([]).map(r, r.?values.orValue([]).size()).sum() <= 64)`,
					Message: "namespaceSelector and objectSelector take at most 32 requirements with 64 values in all: select by a label that the namespaces share",
				},
				{
					Expression: expressions + `all(rs, rs.all(r, r.operator in ['In', 'NotIn', 'Exists', 'DoesNotExist']))`,
					Message:    "the operator of a matchExpression in namespaceSelector or objectSelector must be In, NotIn, Exists or DoesNotExist",
				},
				{
					Expression: expressions + `all(rs, rs.all(r, (r.operator in ['In', 'NotIn']) == (r.?values.orValue([]).size() > 0)))`,
					Message:    "a matchExpression in namespaceSelector or objectSelector needs values with In and NotIn, and takes none with Exists and DoesNotExist",
				},
				{
					Expression: expressions + `all(rs, rs.all(r, !format.qualifiedName().validate(r.key).hasValue())) && ` +
						pairs + `all(m, m.all(k, !format.qualifiedName().validate(k).hasValue()))`,
					Message: "a key in namespaceSelector or objectSelector is not a label key, such as kommun or app.kubernetes.io/name",
				},
				{
					Expression: expressions + `all(rs, rs.all(r, r.?values.orValue([]).all(v, !format.labelValue().validate(v).hasValue()))) && ` +
						pairs + `all(m, m.all(k, !format.labelValue().validate(m[k]).hasValue()))`,
					Message: "a value in namespaceSelector or objectSelector is not a label value: at most 63 letters, digits, '-', '_' and '.'",
				},
			},
		})
}

package doors

import (
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/internal/gate"
)

const (
	group      = "maintenance.fonster.dev"
	apiVersion = group + "/v1alpha1"

	// ManagedByLabel marks everything the project installs or writes.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of ManagedByLabel.
	ManagedBy = "fonster"
)

// mode is what a policy does: refuse (for enforcement Deny, and for Hold where nothing can be held), or warn.
type mode struct {
	name         string
	enforcements []gate.Enforcement
	action       admissionv1.ValidationAction
}

var modes = []mode{
	{name: "deny", enforcements: []gate.Enforcement{gate.Deny, gate.Hold}, action: admissionv1.Deny},
	{name: "warn", enforcements: []gate.Enforcement{gate.Warn}, action: admissionv1.Warn},
}

func (m mode) policyName(f Family) string { return "fonster-" + f.Name + "-" + m.name }

// Policies returns every static policy, ready to be written to config/policies.
func Policies() []*admissionv1.ValidatingAdmissionPolicy {
	var policies []*admissionv1.ValidatingAdmissionPolicy
	for _, f := range Families {
		for _, m := range modes {
			policies = append(policies, familyPolicy(f, m))
		}
	}
	return append(policies, namespacesPolicy(), gatesPolicy(), selectorsPolicy())
}

func policy(name, description string, spec admissionv1.ValidatingAdmissionPolicySpec) *admissionv1.ValidatingAdmissionPolicy {
	spec.FailurePolicy = new(admissionv1.Fail)
	return &admissionv1.ValidatingAdmissionPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicy"},
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Labels:      map[string]string{ManagedByLabel: ManagedBy},
			Annotations: map[string]string{"kubernetes.io/description": description},
		},
		Spec: spec,
	}
}

// familyPolicy holds the requests of a family's doors against the gate that the binding names.
func familyPolicy(f Family, m mode) *admissionv1.ValidatingAdmissionPolicy {
	ofMode := "d.enforcement in " + list(m.enforcements)
	return policy(m.policyName(f),
		"Holds disruptive requests to "+f.Name+" against the Gate that a binding names. Generated from internal/doors.",
		admissionv1.ValidatingAdmissionPolicySpec{
			ParamKind:        &admissionv1.ParamKind{APIVersion: apiVersion, Kind: "Gate"},
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: f.rules()},
			// One condition, cheapest part first: the API server evaluates every condition of a policy, but only the parts of
			// an expression that it needs. It is false for nearly every request, and then costs all that the policy costs.
			MatchConditions: []admissionv1.MatchCondition{{
				Name: "disruptive-and-not-plainly-open",
				Expression: strings.Join([]string{
					"(" + specChanged + ")", "!(" + f.plainlyOpen() + ")", notExempt(), "(" + f.disruptive() + ")",
				}, "\n&& "),
			}},
			Variables: []admissionv1.Variable{
				{Name: "attempted", Expression: f.attempted()},
				{Name: "states", Expression: `params.spec.?disruptions.orValue([]).filter(d, d.disruption in variables.attempted)`},
				{Name: "stamps", Expression: varStamps},
				{Name: "newStamps", Expression: varNewStamps},
				{Name: "clock", Expression: varClock},
				{Name: "namespaceLabels", Expression: varNamespaceLabels},
				{Name: "objectLabels", Expression: varObjectLabels},
				{Name: "reason", Expression: varReason},
				{Name: "subject", Expression: varSubject},
				{Name: "outside", Expression: `variables.states.filter(d, has(d.enforcement) && ` + ofMode + ` && !` + open + `)`},
				{Name: "openings", Expression: `(variables.outside[0].?opensAt.hasValue() ? [variables.outside[0]] : []) + params.spec.?nextOpenings.orValue([]).filter(o, variables.outside[0].disruption in o.disruptions && ` + matches + `)`},
				{Name: "frozen", Expression: `variables.states.map(d, d.?freezes.orValue([]).filter(f, f.enforcement == '` + string(m.enforcements[0]) + `' && ` + inForce + `)).filter(fs, fs.size() > 0)`},
			},
			Validations: []admissionv1.Validation{
				{
					Expression:        `variables.frozen.size() == 0`,
					MessageExpression: frozenMessage,
					Message:           "a change freeze is in force",
					Reason:            new(metav1.StatusReasonForbidden),
				},
				{
					// Here, not in the variable: a message expression has no authorizer.
					Expression:        `variables.outside.all(d, ` + overridden + `)`,
					MessageExpression: outsideMessage,
					Message:           "outside the maintenance windows",
					Reason:            new(metav1.StatusReasonForbidden),
				},
			},
		})
}

const (
	frozenMessage = `variables.attempted[0] + ' of ' + variables.subject + ': change freeze ' + variables.frozen[0][0].name` +
		` + ' is in force' + (has(variables.frozen[0][0].ends) ? ' until ' + variables.frozen[0][0].ends : '') + ' (' + variables.frozen[0][0].reason` +
		` + '). It ends when its ChangeFreeze is changed or deleted.'`

	outsideMessage = `variables.outside[0].disruption + ' of ' + variables.subject + ' is outside its maintenance windows (' + variables.outside[0].?windows.orValue([]).join(', ') + '). '` +
		` + (variables.openings.size() == 0 ? 'No coming opening is known.'` +
		` : variables.openings.filter(o, variables.openings.all(p, o.opensAt <= p.opensAt)).map(o, 'Next opening: ' + o.opens + ', by ' + o.?opensWindow.orValue(o.?window.orValue('')) + '.')[0])` +
		` + (variables.outside[0].disruption == 'Delete'` +
		` ? ' In an emergency: open a MaintenanceWindow of class Emergency for it.'` +
		` : ' In an emergency: send the change together with a new annotation maintenance.fonster.dev/override=REASON'` +
		` + variables.outside[0].?reasonPatterns.orValue([]).map(p, ' (matching ' + p + ')').join('')` +
		` + ', which takes the right to override one of these windows.')`
)

// rules lists, for each operation, the resources that some door watches.
func (f Family) rules() []admissionv1.NamedRuleWithOperations {
	var rules []admissionv1.NamedRuleWithOperations
	for _, operation := range []string{"UPDATE", "DELETE"} {
		var resources []string
		for _, d := range f.Doors {
			if d.Operation == operation && !slices.Contains(resources, d.Resource) {
				resources = append(resources, d.Resource)
			}
		}
		if len(resources) > 0 {
			rules = append(rules, rule(f.Group, f.Version, resources, admissionv1.OperationType(operation)))
		}
	}
	return rules
}

func rule(group, version string, resources []string, operations ...admissionv1.OperationType) admissionv1.NamedRuleWithOperations {
	return admissionv1.NamedRuleWithOperations{RuleWithOperations: admissionv1.RuleWithOperations{
		Operations: operations,
		Rule:       admissionv1.Rule{APIGroups: []string{group}, APIVersions: []string{version}, Resources: resources, Scope: new(admissionv1.AllScopes)},
	}}
}

// expression is true for a request that goes through the door and disrupts.
func (d Door) expression() string {
	e := fmt.Sprintf("request.operation == '%s' && request.resource.resource == '%s'", d.Operation, d.Resource)
	if d.Disrupts != "" {
		e += " && (" + d.Disrupts + ")"
	}
	return e
}

func (f Family) disruptive() string {
	var parts []string
	for _, d := range f.Doors {
		parts = append(parts, d.expression())
	}
	return strings.Join(parts, "\n|| ")
}

// attempted lists the disruptions of a request that disruptive lets through. An operation that can only be one disruption
// needs no second look.
func (f Family) attempted() string {
	var parts []string
	for _, operation := range []string{"UPDATE", "DELETE"} {
		doors := slices.DeleteFunc(slices.Clone(f.Doors), func(d Door) bool { return d.Operation != operation })
		byDisruption := map[gate.Disruption][]string{}
		var order []gate.Disruption
		for _, d := range doors {
			if _, seen := byDisruption[d.Disruption]; !seen {
				order = append(order, d.Disruption)
			}
			byDisruption[d.Disruption] = append(byDisruption[d.Disruption], d.expression())
		}
		for _, disruption := range order {
			condition := fmt.Sprintf("request.operation == '%s'", operation)
			if len(order) > 1 {
				condition = strings.Join(byDisruption[disruption], " || ")
			}
			parts = append(parts, fmt.Sprintf("(%s ? ['%s'] : [])", condition, disruption))
		}
	}
	return strings.Join(parts, " + ")
}

// plainlyOpen is true when every disruption that a request's operation could be passes, by the gate alone: no stamp in the
// object has reached its closing, and no freeze is near. Everything else is for the validations.
func (f Family) plainlyOpen() string {
	var possible []string
	for _, operation := range []string{"UPDATE", "DELETE"} {
		var disruptions []gate.Disruption
		for _, d := range f.Doors {
			if d.Operation == operation && !slices.Contains(disruptions, d.Disruption) {
				disruptions = append(disruptions, d.Disruption)
			}
		}
		possible = append(possible, list(disruptions))
	}
	return "params.spec.?disruptions.orValue([]).all(d, !(d.disruption in (request.operation == 'UPDATE' ? " + possible[0] + " : " + possible[1] + ")) || " + plainlyOpen + ")"
}

func notExempt() string {
	return "!(request.userInfo.username in " + list(ExemptUsers()) + ") && !('" + ExemptGroup + "' in request.userInfo.?groups.orValue([]))"
}

// list writes strings as a CEL list.
func list[S ~string](values []S) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = "'" + string(v) + "'"
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// namespacesPolicy keeps a namespace from being relabelled out of a closed gate. Its binding is static, and reads every gate:
// the label selector of a binding on namespaces would see the new labels only. Updates of namespaces are rare.
func namespacesPolicy() *admissionv1.ValidatingAdmissionPolicy {
	labelsChanged := `object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({})`
	return policy("fonster-namespaces", "Keeps a namespace from being relabelled out of a closed gate. Generated from internal/doors.",
		admissionv1.ValidatingAdmissionPolicySpec{
			ParamKind: &admissionv1.ParamKind{APIVersion: apiVersion, Kind: "Gate"},
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{
				rule("", "v1", []string{"namespaces"}, admissionv1.Update),
			}},
			MatchConditions: []admissionv1.MatchCondition{{
				Name:       "relabelled",
				Expression: "(" + labelsChanged + ") && !(oldObject.metadata.name in " + list(ProtectedNamespaces) + ") && " + notExempt(),
			}},
			Variables: []admissionv1.Variable{
				{Name: "oldLabels", Expression: `oldObject.metadata.?labels.orValue({})`},
				{Name: "newLabels", Expression: `object.metadata.?labels.orValue({})`},
				{Name: "stamps", Expression: varStamps},
				{Name: "newStamps", Expression: varNewStamps},
				{Name: "clock", Expression: varClock},
				{Name: "leaves", Expression: matchesLabels("params.spec.namespaceSelector", "variables.oldLabels") + ` && !(` + matchesLabels("params.spec.namespaceSelector", "variables.newLabels") + `)`},
				{Name: "closed", Expression: `params.spec.?disruptions.orValue([]).filter(d, d.?enforcement.orValue('') in ['Deny', 'Hold'] && !` + ownOpen + ` || d.?freezes.orValue([]).exists(f, f.enforcement == 'Deny' && ` + inForce + `))`},
			},
			Validations: []admissionv1.Validation{{
				Expression: `!variables.leaves || variables.closed.size() == 0`,
				MessageExpression: `'relabelling Namespace ' + oldObject.metadata.name + ' would take it out of ' + params.metadata.name + ' (' + ` +
					`variables.closed[0].?windows.orValue([]).join(', ') + variables.closed[0].?freezes.orValue([]).map(f, ' ' + f.name).join('') + '), which is closed for ' + variables.closed[0].disruption + ` +
					`(has(variables.closed[0].opens) ? '. Next opening: ' + variables.closed[0].opens + ', by ' + variables.closed[0].opensWindow : '') + '. Relabel it while the gate is open, or change the window.'`,
				Message: "relabelling would take the namespace out of a gate that is closed",
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

package doors

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/internal/gate"
)

const (
	group      = "maintenance.fonster.dev"
	version    = "v1alpha1"
	apiVersion = group + "/" + version

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
	policies = append(append(policies, holdPolicies()...), createdOverridesPolicy(), podLabelsPolicy())
	return append(policies, guards()...)
}

func policy(name, description string, spec admissionv1.ValidatingAdmissionPolicySpec) *admissionv1.ValidatingAdmissionPolicy {
	spec.FailurePolicy = new(admissionv1.Fail)
	leaveProtectedAlone(spec.ParamKind, spec.MatchConstraints)
	setDefaults(spec.MatchConstraints)
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

// setDefaults sets what the API server would, so that what is stored can be compared with what is wanted.
func setDefaults(match *admissionv1.MatchResources) {
	if match == nil {
		return
	}
	if match.NamespaceSelector == nil {
		match.NamespaceSelector = &metav1.LabelSelector{}
	}
	if match.ObjectSelector == nil {
		match.ObjectSelector = &metav1.LabelSelector{}
	}
	if match.MatchPolicy == nil {
		match.MatchPolicy = new(admissionv1.Equivalent)
	}
}

// leaveProtectedAlone keeps a policy that reads gates out of the protected namespaces altogether: until an API server that has
// started has found the CRD of the param, about 35 s, it refuses what the policy matches, whatever its bindings select
// (https://github.com/kubernetes/kubernetes/issues/124237). For Namespaces themselves their names do: the API server parses a selector
// anew for every request of any kind.
func leaveProtectedAlone(param *admissionv1.ParamKind, match *admissionv1.MatchResources) {
	switch {
	case param == nil:
	case slices.Equal(match.ResourceRules[0].Resources, []string{"namespaces"}):
		protected := rule("", "v1", []string{"namespaces"}, admissionv1.OperationAll)
		protected.ResourceNames = ProtectedNamespaces
		match.ExcludeResourceRules = []admissionv1.NamedRuleWithOperations{protected}
	default:
		match.NamespaceSelector = LabelSelector(gate.Selector{{Key: corev1.LabelMetadataName, Operator: gate.NotIn, Values: ProtectedNamespaces}})
	}
}

// familyPolicy holds the requests of a family's doors against the gate that the binding names; and, for the workloads, the
// setting of an override.
func familyPolicy(f Family, m mode) *admissionv1.ValidatingAdmissionPolicy {
	ofMode := "d.enforcement in " + list(m.enforcements)
	conditions := []string{"!(" + f.plainlyOpen() + ")", "(" + f.disruptive() + ")"}
	if f.Touches != "" {
		conditions = append([]string{"(" + f.Touches + ")"}, conditions...)
	}
	if f.OfWorkload != "" {
		conditions = append(conditions, f.selects())
	}
	condition := strings.Join(conditions, "\n&& ")
	if f.takesOverrides(m) {
		condition = sets + "\n|| " + condition
	}
	freezes := `d.?freezes.orValue([]).filter(f, f.enforcement == '` + string(m.enforcements[0]) + `' && ` + inForce + `)`
	variables := []admissionv1.Variable{
		{Name: "attempted", Expression: f.attempted()},
		{Name: "states", Expression: `params.spec.?disruptions.orValue([]).filter(d, d.disruption in variables.attempted)`},
		{Name: "stamps", Expression: varStamps},
		{Name: "newStamps", Expression: varNewStamps},
		{Name: "clock", Expression: varClock},
		{Name: "now", Expression: varNow},
		{Name: "namespaceLabels", Expression: varNamespaceLabels},
		{Name: "objectLabels", Expression: oldLabels},
		{Name: "subject", Expression: f.subject()},
		{Name: "because", Expression: f.because()},
		{Name: "alsoOpen", Expression: alsoOpen(f.reaches(), `d in variables.attempted`)},
		{Name: "outside", Expression: `variables.states.filter(d, has(d.enforcement) && ` + ofMode + ` && !` + open + `)`},
		{Name: "openings", Expression: openings(f.reaches())},
		{Name: "freezing", Expression: `variables.states.filter(d, ` + freezes + `.size() > 0)`},
		{Name: "frozen", Expression: `variables.freezing.map(d, ` + freezes + `)`},
		{Name: "sets", Expression: "false"},
		{Name: "overridden", Expression: namespaceStands("variables.clock")},
	}
	if f.Name == workloads.Name {
		variables[len(variables)-2].Expression = sets
		variables[len(variables)-1].Expression = "variables.sets || " + ownStands("variables.clock") + " || " + namespaceStands("variables.clock")
	}
	variables = append(variables, mayPass(len(f.disruptions("")))...)
	validations := []admissionv1.Validation{
		{
			Expression:        `variables.freezing.size() == 0 || variables.overridden && variables.mayPass`,
			MessageExpression: f.frozenMessage(),
			Message:           "a change freeze is in force",
			Reason:            new(metav1.StatusReasonForbidden),
		},
		{
			Expression:        `variables.outside.size() == 0 || variables.overridden`,
			MessageExpression: f.outsideMessage(),
			Message:           "outside the maintenance windows",
			Reason:            new(metav1.StatusReasonForbidden),
		},
	}
	if f.takesOverrides(m) {
		variables = append(variables, mayOverride()...)
		validations = append(settingValidations("has(params.spec.overrides)"), validations...)
	}
	return policy(m.policyName(f),
		"Holds disruptive requests to "+f.Name+" against the Gate that a binding names. Generated from internal/doors.",
		admissionv1.ValidatingAdmissionPolicySpec{
			ParamKind:        &admissionv1.ParamKind{APIVersion: apiVersion, Kind: "Gate"},
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: f.rules()},
			// One condition, cheapest part first: the API server evaluates every condition of a policy, but only the parts of
			// an expression that it needs. It is false for nearly every request, and then costs all that the policy costs.
			MatchConditions: []admissionv1.MatchCondition{{
				Name: "sets-an-override-or-disrupts", Expression: "(" + condition + ")\n&& " + f.notExempt(),
			}},
			Variables:   variables,
			Validations: validations,
		})
}

// takesOverrides says whether a policy is the one that holds the setting of an override against its gate.
func (f Family) takesOverrides(m mode) bool {
	return f.Name == workloads.Name && m.action == admissionv1.Deny
}

// rules lists, for each operation and group, the resources that some door watches.
func (f Family) rules() []admissionv1.NamedRuleWithOperations {
	var rules []admissionv1.NamedRuleWithOperations
	for _, operation := range f.operations() {
		for _, group := range []string{"apps", "", "autoscaling"} {
			var resources []string
			var version string
			for _, d := range f.Doors {
				if d.Operation == operation && d.Group == group && !slices.Contains(resources, d.Resource) {
					resources, version = append(resources, d.Resource), d.version()
				}
			}
			if len(resources) > 0 {
				rules = append(rules, rule(group, version, resources, admissionv1.OperationType(operation)))
			}
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

// notExempt is true unless the control plane itself asks, for what it may do there, or somebody whom the administrator lets pass.
func (f Family) notExempt() string {
	var strict []string
	for _, d := range f.Doors {
		if d.ControlPlane {
			strict = append(strict, d.expression())
		}
	}
	if len(strict) == 0 {
		return notExempt()
	}
	return notExemptByGate() + " && (" + notControlPlane() + " || " + strings.Join(strict, " || ") + ")"
}

func (f Family) disruptive() string {
	var parts []string
	for _, d := range f.Doors {
		parts = append(parts, d.expression())
	}
	return strings.Join(parts, "\n|| ")
}

// attempted lists the disruptions of a request that disruptive lets through. What can only be one needs no second look.
func (f Family) attempted() string {
	var parts []string
	for _, operation := range f.operations() {
		for _, disruption := range append(f.disruptions(operation), "") {
			var doors []string
			for _, d := range f.Doors {
				if d.Operation == operation && d.Disruption == disruption {
					doors = append(doors, d.told())
				}
			}
			switch {
			case len(doors) == 0:
			case disruption == "":
				parts = append(parts, fmt.Sprintf("(%s ? %s : [])", strings.Join(doors, " || "), list(f.disruptions(""))))
			case len(f.disruptions(operation)) == 1:
				parts = append(parts, fmt.Sprintf("(request.operation == '%s' ? ['%s'] : [])", operation, disruption))
			default:
				parts = append(parts, fmt.Sprintf("(%s ? ['%s'] : [])", strings.Join(doors, " || "), disruption))
			}
		}
	}
	return strings.Join(parts, " + ")
}

// subject names the object that is disrupted, which the object of a request on a subresource does not.
func (f Family) subject() string {
	kinds := map[string]string{}
	for _, d := range f.Doors {
		resource, _ := d.split()
		kinds[resource] = d.Kind
	}
	var b strings.Builder
	for _, resource := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(&b, "request.resource.resource == '%s' ? '%s ' : ", resource, kinds[resource])
	}
	return "(" + b.String() + "'') + request.namespace + '/' + (oldObject != null ? oldObject.metadata.name : request.?name.orValue(object.metadata.?name.orValue('')))"
}

// because tells why a request disrupts whose name does not say so.
func (f Family) because() string {
	var b strings.Builder
	for _, d := range f.Doors {
		if d.Because != "" {
			fmt.Fprintf(&b, "(%s) ? ' %s' : ", d.told(), d.Because)
		}
	}
	return b.String() + "''"
}

// plainlyOpen is true when every disruption that a request's operation could be passes, by the gate alone: no stamp in the
// object has reached its closing, and no freeze is near. Everything else is for the validations.
func (f Family) plainlyOpen() string {
	possible := list(f.disruptions(""))
	if operations := f.operations(); len(operations) == 2 && operations[0] == "DELETE" { // and UPDATE
		possible = "(request.operation == 'DELETE' ? " + list(f.disruptions(operations[0])) + " : " + list(f.disruptions("")) + ")"
	}
	return "params.spec.?disruptions.orValue([]).all(d, !(d.disruption in " + possible + ") || " + plainlyOpen + ")"
}

// list writes strings as a CEL list.
func list[S ~string](values []S) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = "'" + string(v) + "'"
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

package policygen

import (
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/policy"
)

// heldLabels are the labels of what is held.
var heldLabels = []string{v1alpha1.HeldLabel, v1alpha1.HeldSinceLabel, v1alpha1.HeldPartitionLabel}

// facts are definitions that come from Go: limits, identities and names, each said once.
func facts() map[string]string {
	all := map[string]string{
		"controlPlaneUsers":       list(policy.Identity{}.ExemptUsers()),
		"operatorUser":            quote(policy.Identity{}.User()),
		"protectedNamespaces":     list(policy.Identity{}.ProtectedNamespaces()),
		"workloadLabels":          list(policy.WorkloadLabels),
		"leaderLabels":            list(policy.LeaderLabels),
		"believedAnnotations":     list(believed),
		"heldLabels":              list(heldLabels),
		"heldPartition":           fmt.Sprint(v1alpha1.HeldPartition),
		"maxSpentReasons":         fmt.Sprint(v1alpha1.MaxSpentReasons),
		"maxOverrideReason":       fmt.Sprint(v1alpha1.MaxOverrideReason),
		"maxOverrideFreezes":      fmt.Sprint(v1alpha1.MaxOverrideFreezes),
		"maxSelectorRequirements": fmt.Sprint(v1alpha1.MaxSelectorRequirements),
		"maxSelectorValues":       fmt.Sprint(v1alpha1.MaxSelectorValues),
		"maxNotedWindows":         fmt.Sprint(v1alpha1.MaxNotedWindows),
		// A right to all windows needs no name. The API server lets one expression ask for two rights at most, but each variable is an
		// expression of its own.
		"mayOverride":       "mayOverrideAny",
		"windowsToOverride": "[]",
		"mayPass":           "frozen.size() <= maxOverrideFreezes && frozen.all(f, has(f.overrides))",
	}
	right := func(resource, name string) string {
		return fmt.Sprintf("authorizer.group('%s').resource('%s')%s.check('override').allowed()", v1alpha1.GroupName, resource, name)
	}
	all["mayOverrideAny"] = right("maintenancewindows", "")
	for i := range v1alpha1.MaxOverrideWindows {
		name := fmt.Sprintf("mayOverride%d", i)
		all[name] = fmt.Sprintf("overridableWindows.size() > %d && %s", i, right("maintenancewindows", fmt.Sprintf(".name(overridableWindows[%d])", i)))
		all["mayOverride"] += " || " + name
		all["windowsToOverride"] += fmt.Sprintf(" + (%s ? [overridableWindows[%d]] : [])", name, i)
	}
	for i := range v1alpha1.MaxOverrideFreezes {
		name := fmt.Sprintf("mayPass%d", i)
		all[name] = fmt.Sprintf("frozen.size() <= %d || %s", i, right("changefreezes", fmt.Sprintf(".name(frozen[%d].name)", i)))
		all["mayPass"] += " && " + name
	}
	return all
}

// validation is one check of a policy. Its expressions are CEL of the library.
type validation struct {
	expression string
	// message is what is told where tells fails; tells is empty where message says it all.
	message, tells string
	// note is the key of an audit annotation, and notes what it says, which names no right: the API server evaluates it with nobody to ask.
	// An error in it refuses the request, whatever the binding does. Empty: none.
	note, notes string
}

// selection is what a policy is about by labels: those of the namespace, or those of the object itself, before the request or after it. Each
// is a binding of its own and selects by one label. Bindings have the selectors, as the API server parses those of a policy for each request
// to whatever resource, and those of a binding for what the rules of its policy name.
type selection struct {
	name                string // what the binding's ends in, after that of the policy
	namespaces, objects *metav1.LabelSelector
}

// ofObjects is what has a label.
func ofObjects(label string) []selection { return []selection{{objects: labelled(label)}} }

func (s selection) match() *admissionv1.MatchResources {
	if s == (selection{}) {
		return nil
	}
	return withDefaults(&admissionv1.MatchResources{NamespaceSelector: s.namespaces, ObjectSelector: s.objects})
}

// selections are those of the bindings of a policy, of which there is one at least.
func selections(about []selection) []selection {
	if len(about) == 0 {
		return []selection{{}}
	}
	return about
}

// validatingPolicy is a policy and its bindings, before the library has been put in.
type validatingPolicy struct {
	name, description string
	// gate is the label by which a Gate is selected; empty: the policy reads none, and holds everywhere.
	gate   string
	action admissionv1.ValidationAction
	// audited binds it a second time, to the Gates of what audits: there it refuses nothing, and the API server records what it would.
	audited bool
	rules   []admissionv1.NamedRuleWithOperations
	// about selects what it is about; empty: everything.
	about       []selection
	condition   string
	own         map[string]string
	validations []validation
}

// validating adds a policy and its bindings.
func (g *generator) validating(p validatingPolicy) {
	if g.err != nil {
		return
	}
	spec, err := p.spec(g.library)
	if err != nil {
		g.err = fmt.Errorf("%s: %w", p.name, err)
		return
	}
	g.policies.Validating = append(g.policies.Validating, &admissionv1.ValidatingAdmissionPolicy{
		TypeMeta: typeMeta(policy.Validating), ObjectMeta: objectMeta(p.name, p.description), Spec: spec,
	})
	bind := func(name, gate string, action admissionv1.ValidationAction) {
		for _, s := range selections(p.about) {
			g.policies.ValidatingBindings = append(g.policies.ValidatingBindings, &admissionv1.ValidatingAdmissionPolicyBinding{
				TypeMeta: typeMeta(policy.ValidatingBinding), ObjectMeta: objectMeta(name+s.name, ""),
				Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
					PolicyName: p.name, ParamRef: ofGate(gate), MatchResources: s.match(), ValidationActions: []admissionv1.ValidationAction{action},
				},
			})
		}
	}
	bind(p.name, p.gate, p.action)
	if p.audited {
		bind(strings.TrimSuffix(p.name, "-"+denying.name)+"-audit", v1alpha1.AuditsLabel, admissionv1.Audit)
	}
}

func (p validatingPolicy) spec(l *library) (spec admissionv1.ValidatingAdmissionPolicySpec, err error) {
	if l, err = l.with(p.own); err != nil {
		return spec, err
	}
	spec = admissionv1.ValidatingAdmissionPolicySpec{
		ParamKind: paramKind(p.gate), MatchConstraints: constraints(p.gate, p.rules), FailurePolicy: new(admissionv1.Fail),
	}
	if p.condition != "" {
		condition, err := l.inline(p.condition)
		if err != nil {
			return spec, err
		}
		spec.MatchConditions = []admissionv1.MatchCondition{{Name: "concerns", Expression: condition}}
	}
	var texts []string
	for _, check := range p.validations {
		texts = append(texts, check.expression)
		for _, text := range []string{check.tells, check.notes} {
			if text != "" {
				texts = append(texts, text)
			}
		}
	}
	v, err := l.variables(texts...)
	if err != nil {
		return spec, err
	}
	for _, check := range p.validations {
		result := admissionv1.Validation{Message: check.message}
		if p.action == admissionv1.Deny {
			result.Reason = new(metav1.StatusReasonForbidden)
		}
		if result.Expression, err = v.expression(check.expression); err != nil {
			return spec, err
		}
		if check.tells != "" {
			if result.MessageExpression, err = v.expression(check.tells); err != nil {
				return spec, err
			}
		}
		spec.Validations = append(spec.Validations, result)
		if check.notes != "" {
			note := admissionv1.AuditAnnotation{Key: check.note}
			if note.ValueExpression, err = v.expression(check.notes); err != nil {
				return spec, err
			}
			spec.AuditAnnotations = append(spec.AuditAnnotations, note)
		}
	}
	for _, name := range v.names {
		spec.Variables = append(spec.Variables, admissionv1.Variable{Name: name, Expression: v.exprs[name]})
	}
	return spec, nil
}

// mutatingPolicy is a mutating policy and its binding, before the library has been put in.
type mutatingPolicy struct {
	name, description string
	gate              string
	rules             []admissionv1.NamedRuleWithOperations
	about             []selection
	condition         string
	own               map[string]string
	patches           []string
	reinvoked         bool
}

// mutating adds a mutating policy and its binding.
func (g *generator) mutating(p mutatingPolicy) {
	if g.err != nil {
		return
	}
	spec, err := p.spec(g.library)
	if err != nil {
		g.err = fmt.Errorf("%s: %w", p.name, err)
		return
	}
	g.policies.Mutating = append(g.policies.Mutating, &admissionv1.MutatingAdmissionPolicy{
		TypeMeta: typeMeta(policy.Mutating), ObjectMeta: objectMeta(p.name, p.description), Spec: spec,
	})
	for _, s := range selections(p.about) {
		g.policies.MutatingBindings = append(g.policies.MutatingBindings, &admissionv1.MutatingAdmissionPolicyBinding{
			TypeMeta: typeMeta(policy.MutatingBinding), ObjectMeta: objectMeta(p.name+s.name, ""),
			Spec: admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: p.name, ParamRef: ofGate(p.gate), MatchResources: s.match()},
		})
	}
}

func (p mutatingPolicy) spec(l *library) (spec admissionv1.MutatingAdmissionPolicySpec, err error) {
	if l, err = l.with(p.own); err != nil {
		return spec, err
	}
	spec = admissionv1.MutatingAdmissionPolicySpec{
		ParamKind: paramKind(p.gate), MatchConstraints: constraints(p.gate, p.rules), FailurePolicy: new(admissionv1.Fail),
		ReinvocationPolicy: admissionv1.NeverReinvocationPolicy,
	}
	if p.reinvoked {
		spec.ReinvocationPolicy = admissionv1.IfNeededReinvocationPolicy
	}
	condition, err := l.inline(p.condition)
	if err != nil {
		return spec, err
	}
	spec.MatchConditions = []admissionv1.MatchCondition{{Name: "concerns", Expression: condition}}
	v, err := l.variables(p.patches...)
	if err != nil {
		return spec, err
	}
	for _, patch := range p.patches {
		expression, err := v.expression(patch)
		if err != nil {
			return spec, err
		}
		spec.Mutations = append(spec.Mutations, admissionv1.Mutation{
			PatchType: admissionv1.PatchTypeJSONPatch, JSONPatch: &admissionv1.JSONPatch{Expression: expression},
		})
	}
	for _, name := range v.names {
		spec.Variables = append(spec.Variables, admissionv1.Variable{Name: name, Expression: v.exprs[name]})
	}
	return spec, nil
}

func paramKind(gate string) *admissionv1.ParamKind {
	if gate == "" {
		return nil
	}
	return &admissionv1.ParamKind{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Gate"}
}

// ofGate selects the Gate of the request's own namespace, by a label that says what it enforces. By label and not by name: where a name is
// missing the API server reads it anew with each request. Where there is none nothing is enforced.
func ofGate(label string) *admissionv1.ParamRef {
	if label == "" {
		return nil
	}
	return &admissionv1.ParamRef{
		Selector:                &metav1.LabelSelector{MatchLabels: map[string]string{label: "true"}},
		ParameterNotFoundAction: new(admissionv1.AllowAction),
	}
}

// constraints are what a policy looks at. One that reads a Gate looks at nothing where there is none: until an API server that has started
// has found the CRD of the Gates, about 35 s, it refuses what such a policy matches (kubernetes/kubernetes#124237), whatever its bindings say. Of a Namespace itself
// the API server takes the labels that the request gives it: that gated stays, a policy of its own sees to.
func constraints(gate string, rules []admissionv1.NamedRuleWithOperations) *admissionv1.MatchResources {
	match := &admissionv1.MatchResources{ResourceRules: rules}
	if gate != "" {
		match.NamespaceSelector = labelled(v1alpha1.GatedLabel) // cheaper to parse than with a value, which the API server does for each request
	}
	return withDefaults(match)
}

// withDefaults sets what the API server would, so that what is stored can be compared with what is wanted.
func withDefaults(match *admissionv1.MatchResources) *admissionv1.MatchResources {
	if match.NamespaceSelector == nil {
		match.NamespaceSelector = &metav1.LabelSelector{}
	}
	if match.ObjectSelector == nil {
		match.ObjectSelector = &metav1.LabelSelector{}
	}
	if match.MatchPolicy == nil {
		match.MatchPolicy = new(admissionv1.Equivalent)
	}
	return match
}

func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: kind}
}

func objectMeta(name, description string) metav1.ObjectMeta {
	part := v1alpha1.PartBinding
	if description != "" {
		part = v1alpha1.PartPolicy
	}
	meta := metav1.ObjectMeta{Name: name, Labels: map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy, v1alpha1.PartLabel: part}}
	if description != "" {
		meta.Annotations = map[string]string{"kubernetes.io/description": description + " Generated from hack/policygen."}
	}
	if description != "" && name == policy.OperatorGuard {
		meta.Annotations[v1alpha1.OperatorAnnotation] = policy.Identity{}.User()
	}
	return meta
}

package policygen

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/policy"
)

// Policies are all that is installed: static, the same in every cluster.
type Policies struct {
	Validating         []*admissionv1.ValidatingAdmissionPolicy
	ValidatingBindings []*admissionv1.ValidatingAdmissionPolicyBinding
	// Mutating and MutatingBindings need the API MutatingAdmissionPolicy v1 (Kubernetes 1.36, KEP-3962); without them the rest works.
	Mutating         []*admissionv1.MutatingAdmissionPolicy
	MutatingBindings []*admissionv1.MutatingAdmissionPolicyBinding
}

// Generate builds every policy and binding. It fails on CEL that cannot be read, or names what is not defined.
func Generate() (*Policies, error) {
	l, err := readLibrary()
	if err != nil {
		return nil, err
	}
	if l, err = l.with(facts()); err != nil {
		return nil, err
	}
	g := &generator{library: l, policies: &Policies{}}
	for _, d := range domains {
		g.decide(d, denying)
		g.decide(d, warning)
	}
	g.namespaces()
	g.holding()
	g.overrides()
	g.advice()
	g.integrity()
	if g.err != nil {
		return nil, g.err
	}
	return g.policies, nil
}

// generator gathers policies, and the first error.
type generator struct {
	library  *library
	policies *Policies
	err      error
}

// mode is what a policy does to a request outside the windows or in a freeze.
type mode struct {
	name   string
	action admissionv1.ValidationAction
	// gate is the label by which the binding selects Gates.
	gate string
	// shuts is the definition that says whether targets close; enforcement that of the freezes that count.
	shuts       string
	enforcement v1alpha1.Enforcement
}

var (
	denying = mode{name: "deny", action: admissionv1.Deny, gate: v1alpha1.RefusesLabel, shuts: "refuses", enforcement: v1alpha1.Deny}
	warning = mode{name: "warn", action: admissionv1.Warn, gate: v1alpha1.WarnsLabel, shuts: "warns", enforcement: v1alpha1.Warn}
)

// decisionDefinitions are what the definitions of gate.cel and message.cel ask of a policy: of every one what rules say that the request
// disrupts (ruled), whether it takes the object to other windows (relabelled), whose override counts, and what messages say.
func decisionDefinitions(m mode, own map[string]string) map[string]string {
	all := map[string]string{
		"shuts(TARGETS, DISRUPTION)": m.shuts + "(TARGETS, DISRUPTION)",
		"counts(FREEZE)":             "FREEZE.enforcement == " + quote(m.enforcement),
		"relabelled":                 "false",
		"overridden":                 "standsOnNamespace",
		"frozenWhat":                 "what(frozenDisruption)",
		"outsideWhat":                "what(outside[0])",
		"outsideEnd":                 "inEmergency",
		"annotatesNamespace":         "true",
		"askedTargets":               "targetsBefore",
		"maySet":                     "mayOverride",
		"whichWindows":               "'any of the windows '",
		"notedByFreezes":             "frozenDisruption in ruled ? frozenDisruption : ''",
		"notedByWindows":             "outside[0] in ruled ? outside[0] : ''",
		"labelsNote":                 "''",
		"because":                    "''",
	}
	for name, text := range own {
		all[name] = text
	}
	if m.action == admissionv1.Warn { // there is nothing to override
		all["outsideEnd"] = "''"
	}
	return all
}

// decide holds the requests of a domain against the Gate; and, for workloads, the setting of an override.
func (g *generator) decide(d domain, m mode) {
	own := decisionDefinitions(m, map[string]string{
		"labelsKnown": d.LabelsKnown, "relabelled": d.Relabelled, "kinds": d.kinds(), "ruled": d.ruled(nil), "because": d.because(),
		"labelsNote": d.labelsNote(), "spared": d.argo(),
	})
	for _, r := range d.rules() {
		own[r.variable()] = r.when()
	}
	rules, condition := d.resourceRules(), d.condition()
	var validations []validation
	if d.AnnotatesWorkload {
		own["annotatesNamespace"] = "false"
		own["overridden"] = "setsOverride && overridable || standsOnObject || standsOnNamespace"
	}
	if d.AnnotatesWorkload && m.action == admissionv1.Deny {
		rules = append(rules, written(admissionv1.Create))
		condition = "setsOverride || request.operation != 'CREATE' && (" + condition + ")"
		validations = append(validations, settingOverride)
	}
	g.validating(validatingPolicy{
		name:        "fonster-" + d.Name + "-" + m.name,
		description: "Holds disruptive requests to " + d.Name + " against the Gate of their namespace.",
		gate:        m.gate, action: m.action, audited: m.action == admissionv1.Deny, rules: joined(rules),
		condition: "(" + condition + ") && " + d.notExempt(),
		own:       own, validations: append(validations, decision(slices.ContainsFunc(d.rules(), byArgo))...),
	})
}

// decision is the heart of every policy that reads a Gate: a freeze first, then the windows. It may define as spared what the client may do
// for having a right, of which messages do not know.
func decision(spares bool) []validation {
	outside, inFreeze := "outside.size() == 0 || overridden", ""
	if spares {
		outside = "outside.all(d, d in spared && argoMay) || overridden"
		inFreeze = " || frozen.all(f, f.disruptions.all(d, !(d in attempted) || d in spared)) && argoMay"
	}
	return []validation{
		{
			expression: "attempted.size() == 0 || frozen.size() == 0 || overridden && mayPass" + inFreeze,
			message:    "A change freeze is in force.",
			tells:      "attempted.size() == 0 || frozen.size() == 0 ? '' : frozenMessage",
			note:       policy.FreezesNote,
			notes:      "attempted.size() == 0 || frozen.size() == 0 ? '' : freezesNote",
		},
		{
			expression: "attempted.size() == 0 || " + outside,
			message:    "Outside the maintenance windows.",
			tells:      "attempted.size() == 0 || outside.size() == 0 ? '' : outsideMessage",
			note:       policy.WindowsNote,
			notes:      "attempted.size() == 0 || outside.size() == 0 || overridden ? '' : windowsNote",
		},
	}
}

var settingOverride = validation{
	expression: "!setsOverride || !overridable || settingProblem == '' && (overridableWindows.size() == 0 || maySet)",
	message:    "The override is refused.",
	tells: "!setsOverride || !overridable ? '' : 'The override of ' + subject + ' is refused. ' +" +
		" (settingProblem != '' ? settingProblem : noRightToOverride)",
}

// condition is false for nearly every request, and then is all that the policy costs: the API server evaluates every match condition of a
// policy, but of an expression only the parts that it needs. The cheapest part is first.
func (d domain) condition() string {
	possible := "disruptions" // a change may take the object out of anything, by another label
	for _, operation := range []string{"CREATE", "DELETE"} {
		if slices.Contains(d.operations(), operation) {
			possible = "request.operation == '" + operation + "' ? " + list(d.disruptions(operation)) + " : " + possible
		}
	}
	condition := "!plainlyOpen(" + possible + ")"
	if d.Touches != "" {
		condition = d.Touches + " && " + condition
	}
	return condition
}

// notExempt is true unless the control plane itself asks, for what it may do there, or somebody whom the administrator lets pass.
func (d domain) notExempt() string {
	var strict []string
	for _, r := range d.rules() {
		if r.ControlPlane {
			strict = append(strict, "("+r.expression()+")")
		}
	}
	if len(strict) == 0 {
		return "!exempt"
	}
	return "!exemptByGate && (!byControlPlane || " + strings.Join(strict, " || ") + ")"
}

// watched are rules that watch the same requests.
type watched struct {
	request string
	rules   []Rule
}

// byRequest groups the rules, so that a request is held against those alone that watch it.
func (d domain) byRequest() []watched {
	var groups []watched
	for _, r := range d.rules() {
		i := slices.IndexFunc(groups, func(w watched) bool { return w.request == r.request() })
		if i < 0 {
			groups = append(groups, watched{request: r.request()})
			i = len(groups) - 1
		}
		groups[i].rules = append(groups[i].rules, r)
	}
	return groups
}

// ruled is CEL that lists the disruptions of a request, by the rules that are not left out.
func (d domain) ruled(leaveOut func(Rule) bool) string {
	var b strings.Builder
	for _, w := range d.byRequest() {
		var parts []string
		for _, disruption := range d.disruptions("") {
			var rules []string
			for _, r := range w.rules {
				if r.Disruption == disruption && (leaveOut == nil || !leaveOut(r)) {
					rules = append(rules, r.variable())
				}
			}
			if len(rules) > 0 {
				parts = append(parts, fmt.Sprintf("(%s ? [%s] : [])", strings.Join(rules, " || "), quote(disruption)))
			}
		}
		if len(parts) > 0 {
			fmt.Fprintf(&b, "%s ? %s : ", w.request, strings.Join(parts, " + "))
		}
	}
	return b.String() + "[]"
}

// argo is CEL that lists what a request to a ReplicaSet of Argo Rollouts may do where its controller asks. A definition, and so a variable:
// a rule is of one kind, and the API server checks the types of a validation, but not of a variable, for every kind that the policy watches.
func (d domain) argo() string {
	return "ownedByArgo ? ruled.filter(a, !(a in (" + d.ruled(byArgo) + "))) : []"
}

func byArgo(r Rule) bool { return r.Argo }

// labelsNote is CEL that explains a refusal to somebody whose workload no window selects, where some select by labels.
func (d domain) labelsNote() string {
	var b strings.Builder
	for _, s := range d.Sets {
		for _, w := range (domain{Sets: []RuleSet{s}}).byRequest() {
			if s.LabelsNote != "" {
				fmt.Fprintf(&b, "%s ? %s : ", w.request, quote(" "+s.LabelsNote))
			}
		}
	}
	if b.Len() == 0 {
		return "''"
	}
	return "!labelsKnown && targets.exists(t, has(t.objectSelector)) ? (" + b.String() + "'') : ''"
}

// because is CEL for why a request disrupts whose name does not say so.
func (d domain) because() string {
	var b strings.Builder
	for _, w := range d.byRequest() {
		var reasons strings.Builder
		for _, r := range w.rules {
			if r.Because != "" {
				fmt.Fprintf(&reasons, "%s ? %s : ", r.variable(), quote(" "+r.Because))
			}
		}
		if reasons.Len() > 0 {
			fmt.Fprintf(&b, "%s ? (%s'') : ", w.request, reasons.String())
		}
	}
	return b.String() + "''"
}

// kinds is CEL for the kinds of the resources, by name.
func (d domain) kinds() string {
	var entries []string
	for _, r := range d.rules() {
		resource, _, _ := strings.Cut(r.Resource, "/")
		if entry := quote(resource) + ": " + quote(r.Kind); !slices.Contains(entries, entry) {
			entries = append(entries, entry)
		}
	}
	return "{" + strings.Join(entries, ", ") + "}"
}

// resourceRules lists, for each operation and group, the resources that some rule watches.
func (d domain) resourceRules() []admissionv1.NamedRuleWithOperations {
	var rules []admissionv1.NamedRuleWithOperations
	for _, operation := range d.operations() {
		for _, group := range []string{"apps", "", "autoscaling"} {
			var resources []string
			var version string
			for _, r := range d.rules() {
				if r.Operation == operation && r.Group == group && !slices.Contains(resources, r.Resource) {
					resources, version = append(resources, r.Resource), r.version()
				}
			}
			if len(resources) > 0 {
				rules = append(rules, on(group, version, resources, admissionv1.OperationType(operation)))
			}
		}
	}
	return rules
}

// joined makes one of the rules that are about the same resources: the API server holds each request against each rule.
func joined(rules []admissionv1.NamedRuleWithOperations) []admissionv1.NamedRuleWithOperations {
	var joined []admissionv1.NamedRuleWithOperations
	for _, r := range rules {
		i := slices.IndexFunc(joined, func(j admissionv1.NamedRuleWithOperations) bool { return reflect.DeepEqual(j.Rule, r.Rule) })
		if i < 0 {
			joined = append(joined, r)
			continue
		}
		joined[i].Operations = append(joined[i].Operations, r.Operations...)
	}
	return joined
}

func on(group, version string, resources []string, operations ...admissionv1.OperationType) admissionv1.NamedRuleWithOperations {
	return admissionv1.NamedRuleWithOperations{RuleWithOperations: admissionv1.RuleWithOperations{
		Operations: operations,
		Rule:       admissionv1.Rule{APIGroups: []string{group}, APIVersions: []string{version}, Resources: resources, Scope: new(admissionv1.AllScopes)},
	}}
}

// written are the workloads that can be held or carry an override.
func written(operations ...admissionv1.OperationType) admissionv1.NamedRuleWithOperations {
	return on("apps", "v1", []string{"deployments", "statefulsets", "daemonsets"}, operations...)
}

func ofNamespaces(operations ...admissionv1.OperationType) admissionv1.NamedRuleWithOperations {
	return on("", "v1", []string{"namespaces"}, operations...)
}

// marked are what can be marked: workloads and Namespaces, when they are created and when they change.
func marked() []admissionv1.NamedRuleWithOperations {
	return []admissionv1.NamedRuleWithOperations{written(admissionv1.Create, admissionv1.Update), ofNamespaces(admissionv1.Create, admissionv1.Update)}
}

// quote writes a string as CEL.
func quote[S ~string](value S) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`).Replace(string(value)) + "'"
}

// list writes strings as a CEL list.
func list[S ~string](values []S) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = quote(v)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// labelled selects what has a label, whatever its value.
func labelled(label string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: label, Operator: metav1.LabelSelectorOpExists}}}
}

// Package policygen generates the admission policies, at build time: from a table of rules, which tell disruptive requests from harmless
// ones, and from the CEL in cel/, which says what is disruptive and how windows and freezes decide. The page docs/rules.md comes from the
// same table. Nothing of it is part of the operator.
package policygen

import (
	"cmp"
	"slices"
	"strings"

	"fonster.dev/fonster/api/v1alpha1"
)

// Rule is one way to disrupt a workload: which requests, and which of those disrupt.
type Rule struct {
	// Name is unique in the table, such as "deployment-rollout".
	Name string
	// Summary tells a reader what is disruptive; the rest passes.
	Summary string
	// Disruption is what such a request does.
	Disruption v1alpha1.Disruption
	// Group and Resource are as in the API, with the subresource: "pods/eviction".
	Group, Resource string
	// Kind is the kind of the object that is disrupted, for messages.
	Kind string
	// Operation is CREATE, UPDATE or DELETE.
	Operation string
	// When names the CEL that is true for a disruptive request; empty: every one is.
	When string
	// Because tells in a refusal why such a request disrupts; empty where its name says so.
	Because string
	// ControlPlane: the control plane does not pass either, as nothing that it has to do here heals.
	ControlPlane bool
	// Argo: of a ReplicaSet that Argo Rollouts owns, its controller passes.
	Argo bool
}

// RuleSet is a group of rules that belong together for readers.
type RuleSet struct {
	// Name is unique, Title says to people what the rules have in common.
	Name, Title string
	// LabelsNote explains a refusal to somebody whose workload no window selects; empty where requests tell the labels of the workload.
	LabelsNote string
	Rules      []Rule
}

// RuleSets is the table.
var RuleSets = []RuleSet{workloads, replicas, creations, pods, scales, autoscalers, evictions}

// domain is what one policy looks at: fonster-NAME-deny and fonster-NAME-warn. There are two, as the API server holds every policy against
// every request of any kind, and its type checker each expression against every kind that the policy looks at.
type domain struct {
	Name string
	Sets []RuleSet
	// LabelsKnown is CEL that says whether a request tells the labels of the workload. A Scale carries none, and an Eviction those that its
	// sender chooses: then every target in the namespace may govern. So it is for ReplicaSets and ControllerRevisions of workloads, which
	// carry the labels of pods.
	LabelsKnown string
	// Relabelled is CEL that says whether a request takes the object to other windows or freezes by its labels.
	Relabelled string
	// Touches is CEL that is false for most harmless requests and costs little; empty: none.
	Touches string
	// AnnotatesWorkload: the object itself carries an override. Others go by that of their namespace.
	AnnotatesWorkload bool
}

var domains = []domain{
	{
		Name: "workloads", Sets: []RuleSet{workloads}, LabelsKnown: "true", Relabelled: "governedByOthers", Touches: "touchesWorkload",
		AnnotatesWorkload: true,
	},
	{
		Name: "replicas", Sets: []RuleSet{replicas, creations, scales, autoscalers, pods, evictions},
		LabelsKnown: "isPod ? request.?subResource.orValue('') != 'eviction' : tellsOwnLabels && !ofWorkload",
		Relabelled:  "governedByOthers && (isPod || tellsOwnLabels && !ownedByWorkload)", Touches: "(!isPod || touchesPod)",
	},
}

// rules are those of all sets.
func (d domain) rules() []Rule {
	var list []Rule
	for _, s := range d.Sets {
		list = append(list, s.Rules...)
	}
	return list
}

// disruptions lists what the rules do on an operation, in the order of the API, in which a refusal names the first; without one, on any.
func (d domain) disruptions(operation string) []v1alpha1.Disruption {
	var list []v1alpha1.Disruption
	for _, disruption := range []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.ScaleDown, v1alpha1.Delete, v1alpha1.Evict} {
		if slices.ContainsFunc(d.rules(), func(r Rule) bool {
			return r.Disruption == disruption && (operation == "" || r.Operation == operation)
		}) {
			list = append(list, disruption)
		}
	}
	return list
}

// operations lists the operations that the rules watch, in order.
func (d domain) operations() []string {
	var list []string
	for _, r := range d.rules() {
		list = append(list, r.Operation)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// version is that of the API of the resource; requests of another one are converted.
func (r Rule) version() string {
	if r.Group == "autoscaling" {
		return "v2"
	}
	return "v1"
}

// rulePrefix begins the names of the variables of rules.
const rulePrefix = "rule"

// variable is the name of the variable that says whether a request is what the rule is about.
func (r Rule) variable() string {
	var b strings.Builder
	b.WriteString(rulePrefix)
	for part := range strings.SplitSeq(r.Name, "-") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

// request is CEL that is true for a request that the rule watches.
func (r Rule) request() string {
	resource, subresource, _ := strings.Cut(r.Resource, "/")
	return map[string]string{
		"CREATE": "creates('" + resource + "')", "DELETE": "deletes('" + resource + "')",
		"UPDATE": "updatesSubresource('" + resource + "', '" + subresource + "')",
	}[r.Operation]
}

// when is CEL that is true for a watched request that disrupts.
func (r Rule) when() string { return cmp.Or(r.When, "true") }

// expression is true for a request that the rule is about.
func (r Rule) expression() string { return r.request() + " && " + r.when() }

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
	// Argo: of a ReplicaSet that Argo Rollouts owns, its controller passes. OldObject or object says which one is asked: "oldObject".
	Argo string
}

// RuleSet is a group of rules that share policies: one that refuses, and one that warns.
type RuleSet struct {
	// Name is part of the names of its policies: fonster-NAME-deny, fonster-NAME-warn.
	Name string
	// Title says to people what the rules have in common.
	Title string
	// LabelsKnown is CEL that says whether requests tell the labels of the workload. A Scale carries none, and an Eviction those that its
	// sender chooses: then every target in the namespace may govern. So it is for ReplicaSets and ControllerRevisions of workloads, which
	// carry the labels of pods.
	LabelsKnown string
	// Relabelled is CEL that says of an update whether it takes the object to other windows or freezes by its labels; empty: never.
	Relabelled string
	// LabelsNote explains a refusal to somebody whose workload no window selects; empty where requests tell labels.
	LabelsNote string
	// Touches is CEL that is false for most harmless requests and costs little; empty: none.
	Touches string
	// AnnotatesWorkload: the object itself carries an override. Others go by that of their namespace.
	AnnotatesWorkload bool
	Rules             []Rule
}

// RuleSets is the table.
var RuleSets = []RuleSet{workloads, replicas, creations, pods, scales, autoscalers, evictions}

// disruptions lists what the rules do on an operation, in order; without one, on any.
func (s RuleSet) disruptions(operation string) []v1alpha1.Disruption {
	var list []v1alpha1.Disruption
	for _, r := range s.Rules {
		if (operation == "" || r.Operation == operation) && !slices.Contains(list, r.Disruption) {
			list = append(list, r.Disruption)
		}
	}
	return list
}

// operations lists the operations that the rules watch, in order.
func (s RuleSet) operations() []string {
	var list []string
	for _, r := range s.Rules {
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

// variable is the name of the variable that says whether a request is what the rule is about.
func (r Rule) variable() string {
	var b strings.Builder
	b.WriteString("rule")
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

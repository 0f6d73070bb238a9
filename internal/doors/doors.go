// Package doors is the table of the ways to disrupt a workload, and what is generated from it: the admission policies
// (CEL, static), the bindings that tie a gate's target to them, and the page docs/doors.md. It is pure.
package doors

import (
	"slices"
	"strings"

	"fonster.dev/fonster/internal/gate"
)

// Door is one way to disrupt a workload: which requests, and which of those disrupt.
type Door struct {
	// Name is unique in the table, such as "deployment-rollout".
	Name string
	// Summary tells a reader what is disruptive; the rest passes.
	Summary string
	// Disruption is what a request through the door does. Empty: it takes the object out of the gate's sight, and is held
	// against whatever the gate governs.
	Disruption gate.Disruption
	// Group and Resource are as in the API, with the subresource: "pods/eviction".
	Group, Resource string
	// Kind is the kind of the object that is disrupted, for messages.
	Kind string
	// Operation is CREATE, UPDATE or DELETE.
	Operation string
	// Disrupts is a CEL expression over object and oldObject, true for a disruptive request; empty: every one is.
	Disrupts string
	// Because tells in a refusal why such a request disrupts; empty where its name says so.
	Because string
	// ControlPlane: the control plane does not pass either, as nothing that it has to do here heals.
	ControlPlane bool
}

// Family is a group of doors that share policies: one for each enforcement.
type Family struct {
	// Name is part of the names of its policies: fonster-NAME-deny, fonster-NAME-warn.
	Name string
	// Title says to people what the doors have in common.
	Title string
	// ByNamespace: the requests carry no labels of the workload (a Scale), or labels that the client chooses (an Eviction).
	// Every such request in a namespace that the gate selects is held against it, whatever its objectSelector.
	ByNamespace bool
	// OfWorkload is CEL that is true for what belongs to a workload, or may come to: it carries other labels than the workload itself, so
	// it is held as by ByNamespace. What it is not true for, is held by its own labels. Empty: all.
	OfWorkload string
	// Touches is CEL that is false for most harmless requests and costs little; empty: none.
	Touches string
	Doors   []Door
}

// Families is the table.
var Families = []Family{workloads, replicas, creations, pods, scales, autoscalers, evictions}

// disruptions lists what the doors of a family do on an operation, in order; without one, on any.
func (f Family) disruptions(operation string) []gate.Disruption {
	var list []gate.Disruption
	for _, d := range f.Doors {
		if d.Disruption != "" && (operation == "" || d.Operation == operation) && !slices.Contains(list, d.Disruption) {
			list = append(list, d.Disruption)
		}
	}
	return list
}

// operations lists the operations that the doors watch, in order.
func (f Family) operations() []string {
	var list []string
	for _, d := range f.Doors {
		if !slices.Contains(list, d.Operation) {
			list = append(list, d.Operation)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// version is that of the API of the resource; requests of another one are converted.
func (d Door) version() string {
	if d.Group == "autoscaling" {
		return "v2"
	}
	return "v1"
}

// split tells a resource from its subresource.
func (d Door) split() (resource, subresource string) {
	resource, subresource, _ = strings.Cut(d.Resource, "/")
	return resource, subresource
}

// expression is true for a request that goes through the door and disrupts.
func (d Door) expression() string {
	e := d.request()
	if d.Disrupts != "" {
		e += " && (" + d.Disrupts + ")"
	}
	return e
}

// told is expression for what a message is made of: that knows no rights, and who is refused for the want of one has none.
func (d Door) told() string { return strings.ReplaceAll(d.expression(), mayFinalizeRollouts, "false") }

// request is true for a request that the door watches.
func (d Door) request() string {
	resource, subresource := d.split()
	e := "request.operation == '" + d.Operation + "' && request.resource.resource == '" + resource + "'"
	if d.Operation == "UPDATE" { // the only one that objects and subresources share
		e += " && request.?subResource.orValue('') == '" + subresource + "'"
	}
	return e
}

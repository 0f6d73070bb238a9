// Package doors is the table of the ways to disrupt a workload, and what is generated from it: the admission policies
// (CEL, static), the bindings that tie a gate's target to them, and the page docs/doors.md. It is pure.
package doors

import (
	"slices"

	"fonster.dev/fonster/internal/gate"
)

// Door is one way to disrupt a workload: which requests, and which of those disrupt.
type Door struct {
	// Name is unique in the table, such as "deployment-rollout".
	Name string
	// Summary tells a reader what passes and what does not.
	Summary string
	// Disruption is what a request through the door does.
	Disruption gate.Disruption
	// Resource is the plural name of the resource in Family.Group.
	Resource string
	// Operation is UPDATE or DELETE.
	Operation string
	// Disrupts is a CEL expression over object and oldObject, true for a disruptive request; empty: every one is.
	Disrupts string
}

// Family is a group of doors that share policies: one for each enforcement.
type Family struct {
	// Name is part of the names of its policies: fonster-NAME-deny, fonster-NAME-warn.
	Name    string
	Group   string
	Version string
	Doors   []Door
}

// Families is the table.
var Families = []Family{{
	Name: "workloads", Group: "apps", Version: "v1",
	Doors: []Door{
		{
			Name: "deployment-rollout", Disruption: gate.Rollout, Resource: "deployments", Operation: "UPDATE",
			Summary:  "a changed pod template; resuming a paused Deployment that has a change to roll out; another strategy in the middle of a rollout",
			Disrupts: deploymentRollout,
		},
		{
			Name: "statefulset-rollout", Disruption: gate.Rollout, Resource: "statefulsets", Operation: "UPDATE",
			Summary:  "a changed pod template; with a change to roll out: a lower partition, RollingUpdate instead of OnDelete, another maxUnavailable; other ordinals",
			Disrupts: statefulSetRollout,
		},
		{
			Name: "daemonset-rollout", Disruption: gate.Rollout, Resource: "daemonsets", Operation: "UPDATE",
			Summary:  "a changed pod template; with a change to roll out: RollingUpdate instead of OnDelete, another maxUnavailable or maxSurge; under OnDelete too: other nodes (nodeSelector, nodeName, affinity, tolerations)",
			Disrupts: daemonSetRollout,
		},
		{
			Name: "deployment-delete", Disruption: gate.Delete, Resource: "deployments", Operation: "DELETE",
			Summary: "kubectl delete with any --cascade, deletecollection, replace --force",
		},
		{
			Name: "statefulset-delete", Disruption: gate.Delete, Resource: "statefulsets", Operation: "DELETE",
			Summary: "kubectl delete with any --cascade, deletecollection, replace --force",
		},
		{
			Name: "daemonset-delete", Disruption: gate.Delete, Resource: "daemonsets", Operation: "DELETE",
			Summary: "kubectl delete with any --cascade, deletecollection, replace --force",
		},
	},
}}

// Enforced says whether any door watches for a disruption.
func Enforced(d gate.Disruption) bool {
	return slices.ContainsFunc(Families, func(f Family) bool {
		return slices.ContainsFunc(f.Doors, func(door Door) bool { return door.Disruption == d })
	})
}

// The operator's own place, and the namespaces that are never governed: a closed gate there could stop the cluster from
// healing itself.
const (
	OperatorNamespace      = "fonster-system"
	OperatorServiceAccount = "fonster-controller-manager"
	// OperatorUser is the user name of the operator's service account.
	OperatorUser = "system:serviceaccount:" + OperatorNamespace + ":" + OperatorServiceAccount
)

// ProtectedNamespaces are never governed, whatever a selector says.
var ProtectedNamespaces = []string{"kube-system", "kube-public", "kube-node-lease", OperatorNamespace}

// controllers are the service accounts that kube-controller-manager uses with --use-service-account-credentials.
var controllers = []string{
	"deployment-controller", "replicaset-controller", "statefulset-controller", "daemon-set-controller", "job-controller",
	"cronjob-controller", "replication-controller", "generic-garbage-collector", "namespace-controller", "node-controller",
	"pod-garbage-collector", "ttl-after-finished-controller", "disruption-controller", "horizontal-pod-autoscaler",
}

// ExemptUsers lists the control plane's own identities, which always pass, by exact name. A prefix would not do: whoever may
// create a service account in kube-system would pass. system:masters does not pass.
func ExemptUsers() []string {
	users := []string{"system:kube-controller-manager", "system:kube-scheduler", "system:apiserver", OperatorUser}
	for _, name := range controllers {
		users = append(users, "system:serviceaccount:kube-system:"+name)
	}
	return users
}

// ExemptGroup is the group of the kubelets.
const ExemptGroup = "system:nodes"

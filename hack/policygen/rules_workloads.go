package policygen

import "fonster.dev/fonster/api/v1alpha1"

// workloads: Deployments, StatefulSets and DaemonSets themselves.
var workloads = RuleSet{
	Name: "workloads", Title: "Workloads",
	Rules: []Rule{
		{
			Name: "deployment-rollout", Disruption: v1alpha1.Rollout, Group: "apps", Resource: "deployments", Kind: "Deployment", Operation: "UPDATE",
			Summary: "a changed pod template; resuming a paused Deployment that has a change to roll out; another strategy in the middle of a rollout",
			When:    "deploymentRolls",
		},
		{
			Name: "deployment-rollback", Disruption: v1alpha1.Rollout, Group: "apps", Resource: "deployments", Kind: "Deployment", Operation: "UPDATE",
			Summary: "the annotation `deprecated.deployment.rollback.to` set or changed; one that has it resumed, or held",
			When:    "rollsBack",
			Because: "(its controller would roll it back, as the annotation deprecated.deployment.rollback.to says)",
		},
		{
			Name: "deployment-strategy", Disruption: v1alpha1.Rollout, Group: "apps", Resource: "deployments", Kind: "Deployment", Operation: "UPDATE",
			Summary: "paused in the middle of a rollout: another type of strategy or maxSurge, by which its controller takes pods away",
			When:    "redistributes",
			Because: "by another strategy, by which its controller may take pods away while it is paused",
		},
		{
			Name: "statefulset-rollout", Disruption: v1alpha1.Rollout, Group: "apps", Resource: "statefulsets", Kind: "StatefulSet", Operation: "UPDATE",
			Summary: "a changed pod template; with a change to roll out: a lower partition, another type of updateStrategy than OnDelete, another maxUnavailable; other ordinals",
			When:    "statefulSetRolls",
		},
		{
			Name: "daemonset-rollout", Disruption: v1alpha1.Rollout, Group: "apps", Resource: "daemonsets", Kind: "DaemonSet", Operation: "UPDATE",
			Summary: "a changed pod template; with a change to roll out: RollingUpdate instead of OnDelete, another maxUnavailable or maxSurge; " +
				"under OnDelete too: other nodes (nodeSelector, nodeName, affinity, tolerations)",
			When: "daemonSetRolls",
		},
		fewerReplicas("deployment", "deployments", "Deployment"),
		fewerReplicas("statefulset", "statefulsets", "StatefulSet"),
		toZero("apps", "deployment", "deployments", "Deployment", "scalesToZero"),
		toZero("apps", "statefulset", "statefulsets", "StatefulSet", "scalesToZero"),
		deleted("deployment", "deployments", "Deployment"),
		deleted("statefulset", "statefulsets", "StatefulSet"),
		deleted("daemonset", "daemonsets", "DaemonSet"),
		newOwner("apps", "deployment", "deployments", "Deployment"),
		newOwner("apps", "statefulset", "statefulsets", "StatefulSet"),
		newOwner("apps", "daemonset", "daemonsets", "DaemonSet"),
	},
}

func fewerReplicas(name, resource, kind string) Rule {
	return Rule{
		Name: name + "-scale-down", Disruption: v1alpha1.ScaleDown, Group: "apps", Resource: resource, Kind: kind, Operation: "UPDATE",
		Summary: "fewer spec.replicas than before",
		When:    "scalesDown",
	}
}

// toZero: no pod is left, so it is a removal as well as a scaling down.
func toZero(group, name, resource, kind, when string) Rule {
	return Rule{
		Name: name + "-to-zero", Disruption: v1alpha1.Delete, Group: group, Resource: resource, Kind: kind, Operation: "UPDATE",
		Summary: "spec.replicas to 0",
		When:    when,
		Because: becauseToZero,
	}
}

const becauseToZero = "by scaling it to zero"

func deleted(name, resource, kind string) Rule {
	return Rule{
		Name: name + "-delete", Disruption: v1alpha1.Delete, Group: "apps", Resource: resource, Kind: kind, Operation: "DELETE",
		Summary: "kubectl delete with any --cascade, deletecollection, replace --force",
	}
}

// newOwner: the garbage collector deletes what has owners, of which none exists.
func newOwner(group, name, resource, kind string) Rule {
	return Rule{
		Name: name + "-owner", Disruption: v1alpha1.Delete, Group: group, Resource: resource, Kind: kind, Operation: "UPDATE",
		Summary: "ownerReferences where there were none, or in the place of one; more of them pass, and none at all",
		When:    "gainsOwner",
		Because: becauseOwner,
	}
}

const becauseOwner = "by other owner references, which may make the garbage collector delete it"

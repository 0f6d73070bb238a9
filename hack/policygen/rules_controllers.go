package policygen

import (
	"strings"

	"fonster.dev/fonster/api/v1alpha1"
)

// replicas: what the controllers of workloads keep for themselves, edited by hand, and ReplicationControllers.
var replicas = RuleSet{
	Name: "replicas", Title: "ReplicaSets, ReplicationControllers, ControllerRevisions",
	LabelsNote: "ReplicaSets and ControllerRevisions do not carry the labels of their workloads, so those of all workloads of the namespace are governed.",
	Rules: []Rule{
		{
			Name: "replicaset-rollout", Disruption: v1alpha1.Rollout, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary: "of a Deployment, or of another controller: anything of its spec, such as more or fewer replicas, and the annotations " +
				strings.Join(believed, ", ") + ". Argo Rollouts may write the spec of its own",
			When: "replicaSetRewritten", Argo: true,
			Because: "(its Deployment would replace the pods)",
		},
		{
			Name: "replicaset-identity", Disruption: v1alpha1.Rollout, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary: "of a Deployment, with pods: other labels or owners",
			When:    "replicaSetTaken",
			Because: "(its Deployment would replace the pods)",
		},
		{
			Name: "replicaset-sleeper", Disruption: v1alpha1.Rollout, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary: "of no controller: another pod template",
			When:    "replicaSetSleeps",
			Because: becauseTakenOver,
		},
		{
			// The garbage collector too: it takes the owner away from what is left behind (--cascade=orphan), and that waits.
			Name: "replicaset-released", Disruption: v1alpha1.Rollout, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary:      "of another controller than a Deployment: that controller is no longer among its ownerReferences, also by the garbage collector",
			When:         "replicaSetLetGo",
			Because:      becauseTakenOver,
			ControlPlane: true,
		},
		{
			Name: "replicaset-controller", Disruption: v1alpha1.Rollout, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary: "of a Deployment, or of no controller: another controller among its ownerReferences",
			When:    "replicaSetGetsController",
			Because: "(a Deployment would take it over, or lose it, and may replace pods)",
		},
		{
			Name: "replicaset-adoption", Disruption: v1alpha1.Rollout, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary: "of no Deployment, or without pods: other labels",
			When:    "replicaSetAdopted",
			Because: becauseTakenOver,
		},
		{
			Name: "replicaset-owner", Disruption: v1alpha1.Delete, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary: "with pods: other ownerReferences in the place of one, or where there were none",
			When:    "replicaSetOwned",
			Because: becauseOwner,
		},
		{
			Name: "replicaset-scale-down", Disruption: v1alpha1.ScaleDown, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary: "of no Deployment: fewer spec.replicas than before",
			When:    "replicaSetScalesDown",
		},
		toZero("apps", "replicaset", "replicasets", "ReplicaSet", "replicaSetToZero"),
		{
			Name: "replicaset-delete", Disruption: v1alpha1.Delete, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "DELETE",
			Summary: "one with pods",
			When:    "replicasExist",
		},
		{
			Name: "replicationcontroller-scale-down", Disruption: v1alpha1.ScaleDown, Resource: "replicationcontrollers", Kind: "ReplicationController", Operation: "UPDATE",
			Summary: "fewer spec.replicas than before",
			When:    "controllerScalesDown",
		},
		toZero("", "replicationcontroller", "replicationcontrollers", "ReplicationController", "controllerToZero"),
		{
			Name: "replicationcontroller-selector", Disruption: v1alpha1.Rollout, Resource: "replicationcontrollers", Kind: "ReplicationController", Operation: "UPDATE",
			Summary: "another spec.selector: it lets pods go, which another may take over and remove",
			When:    "selectorChanged",
			Because: "by another selector, which lets its pods go",
		},
		{
			Name: "replicationcontroller-delete", Disruption: v1alpha1.Delete, Resource: "replicationcontrollers", Kind: "ReplicationController", Operation: "DELETE",
			Summary: "one with pods",
			When:    "replicasExist",
		},
		newOwner("", "replicationcontroller", "replicationcontrollers", "ReplicationController"),
		{
			Name: "controllerrevision-delete", Disruption: v1alpha1.Delete, Group: "apps", Resource: "controllerrevisions", Kind: "ControllerRevision", Operation: "DELETE",
			Summary: "any: the revisions tell a StatefulSet or DaemonSet which of its pods are up to date",
		},
		{
			Name: "controllerrevision-change", Disruption: v1alpha1.Delete, Group: "apps", Resource: "controllerrevisions", Kind: "ControllerRevision", Operation: "UPDATE",
			Summary: "other labels or owners",
			When:    "labelsOrOwnersChanged",
			Because: "(other labels or owners take it from its workload)",
		},
		{
			Name: "controllerrevision-order", Disruption: v1alpha1.Rollout, Group: "apps", Resource: "controllerrevisions", Kind: "ControllerRevision", Operation: "UPDATE",
			Summary: "another revision number: of equal revisions a StatefulSet takes the newest for the current one",
			When:    "revisionChanged",
			Because: "(its StatefulSet may take it for the current one, and replace the pods)",
		},
	},
}

const becauseTakenOver = "(a Deployment that its labels fit would take it over, and may replace pods)"

// creations: what a controller believes that finds it beside its own. Its labels are its creator's choice.
var creations = RuleSet{
	Name: "creations", Title: "Creating what belongs to a workload",
	LabelsNote: "Whoever creates it chooses its labels, so the whole namespace is governed.",
	Rules: []Rule{
		{
			Name: "replicaset-create", Disruption: v1alpha1.Rollout, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "CREATE",
			Summary: "any, but for those of Argo Rollouts: a Deployment takes over what its labels fit, also while it is paused",
			Argo:    true,
			Because: "by creating it (a Deployment that its labels fit would take it over, and may replace pods)",
		},
		{
			Name: "controllerrevision-create", Disruption: v1alpha1.Rollout, Group: "apps", Resource: "controllerrevisions", Kind: "ControllerRevision", Operation: "CREATE",
			Summary: "any: a StatefulSet takes over what its labels fit, and may take it for the current one",
			Because: "by creating it (a StatefulSet that its labels fit would take it over, and may replace pods)",
		},
	},
}

// believed are the annotations of a ReplicaSet that the Deployment controller reads before it scales or rolls back.
var believed = []string{
	"deployment.kubernetes.io/desired-replicas", "deployment.kubernetes.io/max-replicas", "deployment.kubernetes.io/revision",
}

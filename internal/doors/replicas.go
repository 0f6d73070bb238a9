package doors

import "fonster.dev/fonster/internal/gate"

// replicas: what the controllers of workloads keep for themselves, edited by hand, and ReplicationControllers.
var replicas = Family{
	Name:       "replicas",
	Title:      "ReplicaSets, ReplicationControllers, ControllerRevisions",
	OfWorkload: ofWorkload,
	Doors: []Door{
		{
			Name: "replicaset-rollout", Disruption: gate.Rollout, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "UPDATE",
			// Without pods too: a Deployment takes the oldest of its ReplicaSets that has its template for the current one.
			Summary: "of a Deployment: another pod template, or fewer replicas; with pods: other labels or owners",
			Disrupts: ofDeployment + ` && (` + templateChanged + ` || object.spec.?replicas.orValue(1) < oldObject.spec.?replicas.orValue(1)` +
				` || ` + podsExist + ` && (` + labelsChanged + ` || ` + ownersChanged + `))`,
			Because: "(its Deployment would replace the pods)",
		},
		leavesSelector("apps", "replicaset", "replicasets", "ReplicaSet"),
		{
			Name: "replicaset-adoption", Disruption: gate.Rollout, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary:  "of no Deployment, or without pods: other labels",
			Disrupts: `!(` + ofDeployment + ` && ` + podsExist + `) && ` + labelsChanged,
			Because:  "(a Deployment that its labels fit would take it over, and may replace pods)",
		},
		{
			Name: "replicaset-owner", Disruption: gate.Delete, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary:  "with pods: changed ownerReferences, unless all of them go",
			Disrupts: podsExist + ` && ` + ownersChanged + ` && object.metadata.?ownerReferences.orValue([]).size() > 0`,
			Because:  "by other owner references, which may make the garbage collector delete it",
		},
		{
			Name: "replicaset-scale-down", Disruption: gate.ScaleDown, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary:  "of no Deployment: fewer spec.replicas than before",
			Disrupts: `!` + ofDeployment + ` && ` + podsExist + ` && object.spec.?replicas.orValue(1) < oldObject.spec.?replicas.orValue(1)`,
		},
		{
			Name: "replicaset-delete", Disruption: gate.Delete, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "DELETE",
			Summary:  "one with pods",
			Disrupts: podsExist,
		},
		{
			Name: "replicationcontroller-scale-down", Disruption: gate.ScaleDown, Resource: "replicationcontrollers", Kind: "ReplicationController", Operation: "UPDATE",
			Summary:  "fewer spec.replicas than before",
			Disrupts: podsExist + ` && object.spec.?replicas.orValue(1) < oldObject.spec.?replicas.orValue(1)`,
		},
		{
			Name: "replicationcontroller-delete", Disruption: gate.Delete, Resource: "replicationcontrollers", Kind: "ReplicationController", Operation: "DELETE",
			Summary:  "one with pods",
			Disrupts: podsExist,
		},
		newOwner("", "replicationcontroller", "replicationcontrollers", "ReplicationController"),
		leavesSelector("", "replicationcontroller", "replicationcontrollers", "ReplicationController"),
		{
			Name: "controllerrevision-delete", Disruption: gate.Delete, Group: "apps", Resource: "controllerrevisions", Kind: "ControllerRevision", Operation: "DELETE",
			Summary: "any: the revisions tell a StatefulSet or DaemonSet which of its pods are up to date",
		},
		{
			Name: "controllerrevision-change", Disruption: gate.Delete, Group: "apps", Resource: "controllerrevisions", Kind: "ControllerRevision", Operation: "UPDATE",
			Summary:  "other labels or owners",
			Disrupts: labelsChanged + ` || ` + ownersChanged,
			Because:  "(other labels or owners take it from its workload)",
		},
	},
}

const (
	ofDeployment = `oldObject.metadata.?ownerReferences.orValue([]).exists(o, o.kind == 'Deployment' && o.?controller.orValue(false))`
	podsExist    = `(oldObject.status.?replicas.orValue(0) > 0 || oldObject.spec.?replicas.orValue(1) > 0)`
)

package doors

import "fonster.dev/fonster/internal/gate"

// scales: kubectl scale, and everything else that writes a Scale. The horizontal pod autoscaler passes, but for the ReplicaSets of
// Deployments: of the control plane nobody else writes a Scale, and it scales the Deployment itself.
var scales = Family{
	Name:        "scales",
	Title:       "The scale subresource",
	ByNamespace: true,
	Doors: []Door{
		scale("apps", "deployment", "deployments", "Deployment"),
		scale("apps", "statefulset", "statefulsets", "StatefulSet"),
		{
			Name: "replicaset-scale-rollout", Disruption: gate.Rollout, Group: "apps", Resource: "replicasets/scale", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary:      "of a Deployment: more or fewer replicas than before, also by the horizontal pod autoscaler",
			Disrupts:     rescaled + ` && ` + scaleOfDeployment,
			Because:      "(its Deployment would replace the pods)",
			ControlPlane: true,
		},
		{
			// One that a Deployment has taken over need not have its label.
			Name: "replicaset-scale-up", Disruption: gate.Rollout, Group: "apps", Resource: "replicasets/scale", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary:  "more replicas than before: a Scale does not tell whether a Deployment owns the ReplicaSet. spec.replicas of the ReplicaSet itself does",
			Disrupts: scaledUp,
			Because:  "(a Deployment may own it, which would replace the pods: a Scale does not tell. Where none does, change spec.replicas of the ReplicaSet itself)",
		},
		{
			Name: "replicaset-scale", Disruption: gate.ScaleDown, Group: "apps", Resource: "replicasets/scale", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary:  "of no Deployment: fewer replicas than before",
			Disrupts: scaledDown + ` && !` + scaleOfDeployment,
		},
		scale("", "replicationcontroller", "replicationcontrollers", "ReplicationController"),
		scaleToZero("apps", "deployment", "deployments", "Deployment"),
		scaleToZero("apps", "statefulset", "statefulsets", "StatefulSet"),
		scaleToZero("apps", "replicaset", "replicasets", "ReplicaSet"),
		scaleToZero("", "replicationcontroller", "replicationcontrollers", "ReplicationController"),
	},
}

// evictions: kubectl drain, the descheduler, cluster autoscalers, the vertical pod autoscaler.
var evictions = Family{
	Name:        "evictions",
	Title:       "Evictions",
	ByNamespace: true,
	Doors: []Door{{
		Name: "pod-evict", Disruption: gate.Evict, Resource: "pods/eviction", Kind: "Pod", Operation: "CREATE",
		Summary: "kubectl drain, the descheduler, cluster autoscalers, the vertical pod autoscaler",
	}},
}

func scale(group, name, resource, kind string) Door {
	return Door{
		Name: name + "-scale", Disruption: gate.ScaleDown, Group: group, Resource: resource + "/scale", Kind: kind, Operation: "UPDATE",
		Summary:  "fewer replicas than before",
		Disrupts: scaledDown,
	}
}

func scaleToZero(group, name, resource, kind string) Door {
	return Door{
		Name: name + "-scale-to-zero", Disruption: gate.Delete, Group: group, Resource: resource + "/scale", Kind: kind, Operation: "UPDATE",
		Summary:  "replicas to 0",
		Disrupts: scaledDown + ` && object.spec.?replicas.orValue(0) == 0`,
		Because:  becauseToZero,
	}
}

const (
	rescaled = `object.spec.?replicas.orValue(0) != oldObject.spec.?replicas.orValue(0)`
	scaledUp = `object.spec.?replicas.orValue(0) > oldObject.spec.?replicas.orValue(0)`

	// A Scale does not tell whether its controller has seen the last change: what should have pods counts as having them.
	scaledDown = `object.spec.?replicas.orValue(0) < oldObject.spec.?replicas.orValue(0)`

	// A Scale has no owner references, but only the Deployment controller selects by this label.
	scaleOfDeployment = `(',' + oldObject.status.?selector.orValue('')).contains(',pod-template-hash=')`
)

package doors

import "fonster.dev/fonster/internal/gate"

// workloads: Deployments, StatefulSets and DaemonSets themselves. Old status and old spec decide what is there to disrupt; a
// controller that has not yet seen the last change counts as busy, so that a race closes.
var workloads = Family{
	Name:  "workloads",
	Title: "Workloads",
	// The API server counts the generation up before admission, when the spec has changed; clients cannot set it.
	Touches: `request.operation == 'DELETE' || object.metadata.generation != oldObject.metadata.generation || ` + labelsChanged + ` || ` + ownersChanged + ` || ` + rollbackChanged,
	Doors: []Door{
		{
			Name: "deployment-rollout", Disruption: gate.Rollout, Group: "apps", Resource: "deployments", Kind: "Deployment", Operation: "UPDATE",
			Summary:  "a changed pod template; resuming a paused Deployment that has a change to roll out; another strategy in the middle of a rollout",
			Disrupts: deploymentRollout,
		},
		{
			Name: "deployment-rollback", Disruption: gate.Rollout, Group: "apps", Resource: "deployments", Kind: "Deployment", Operation: "UPDATE",
			Summary:  "the annotation `" + rollbackTo + "` set or changed; one that has it resumed, or held",
			Disrupts: rollsBack,
			Because:  "(its controller would roll it back, as the annotation " + rollbackTo + " says)",
		},
		{
			Name: "deployment-strategy", Disruption: gate.Rollout, Group: "apps", Resource: "deployments", Kind: "Deployment", Operation: "UPDATE",
			Summary:  "paused in the middle of a rollout: another type of strategy or maxSurge, by which its controller takes pods away",
			Disrupts: redistributes,
			Because:  "by another strategy, by which its controller may take pods away while it is paused",
		},
		{
			Name: "statefulset-rollout", Disruption: gate.Rollout, Group: "apps", Resource: "statefulsets", Kind: "StatefulSet", Operation: "UPDATE",
			Summary:  "a changed pod template; with a change to roll out: a lower partition, another type of updateStrategy than OnDelete, another maxUnavailable; other ordinals",
			Disrupts: statefulSetRollout,
		},
		{
			Name: "daemonset-rollout", Disruption: gate.Rollout, Group: "apps", Resource: "daemonsets", Kind: "DaemonSet", Operation: "UPDATE",
			Summary:  "a changed pod template; with a change to roll out: RollingUpdate instead of OnDelete, another maxUnavailable or maxSurge; under OnDelete too: other nodes (nodeSelector, nodeName, affinity, tolerations)",
			Disrupts: daemonSetRollout,
		},
		fewerReplicas("deployment", "deployments", "Deployment"),
		fewerReplicas("statefulset", "statefulsets", "StatefulSet"),
		toZero("apps", "deployment", "deployments", "Deployment", replicasExist),
		toZero("apps", "statefulset", "statefulsets", "StatefulSet", replicasExist),
		deleted("deployment", "deployments", "Deployment"),
		deleted("statefulset", "statefulsets", "StatefulSet"),
		deleted("daemonset", "daemonsets", "DaemonSet"),
		newOwner("apps", "deployment", "deployments", "Deployment"),
		newOwner("apps", "statefulset", "statefulsets", "StatefulSet"),
		newOwner("apps", "daemonset", "daemonsets", "DaemonSet"),
		leavesSelector("apps", "deployment", "deployments", "Deployment"),
		leavesSelector("apps", "statefulset", "statefulsets", "StatefulSet"),
		leavesSelector("apps", "daemonset", "daemonsets", "DaemonSet"),
	},
}

func fewerReplicas(name, resource, kind string) Door {
	return Door{
		Name: name + "-scale-down", Disruption: gate.ScaleDown, Group: "apps", Resource: resource, Kind: kind, Operation: "UPDATE",
		Summary:  "fewer spec.replicas than before",
		Disrupts: replicasExist + ` && object.spec.?replicas.orValue(1) < oldObject.spec.?replicas.orValue(1)`,
	}
}

// toZero: no pod is left, so it is a removal as well as a scaling down.
func toZero(group, name, resource, kind, exist string) Door {
	return Door{
		Name: name + "-to-zero", Disruption: gate.Delete, Group: group, Resource: resource, Kind: kind, Operation: "UPDATE",
		Summary:  "spec.replicas to 0",
		Disrupts: exist + ` && object.spec.?replicas.orValue(1) == 0 && oldObject.spec.?replicas.orValue(1) > 0`,
		Because:  becauseToZero,
	}
}

const becauseToZero = "by scaling it to zero"

func deleted(name, resource, kind string) Door {
	return Door{
		Name: name + "-delete", Disruption: gate.Delete, Group: "apps", Resource: resource, Kind: kind, Operation: "DELETE",
		Summary: "kubectl delete with any --cascade, deletecollection, replace --force",
	}
}

// newOwner: the garbage collector deletes what has owners, of which none exists.
func newOwner(group, name, resource, kind string) Door {
	return Door{
		Name: name + "-owner", Disruption: gate.Delete, Group: group, Resource: resource, Kind: kind, Operation: "UPDATE",
		Summary:  "ownerReferences where there were none, or in the place of one; more of them pass, and none at all",
		Disrupts: ownersChanged + ` && ` + ownersReplaced,
		Because:  "by other owner references, which may make the garbage collector delete it",
	}
}

// leavesSelector: what a window selects by label must not walk out of it, nor into another that is open.
func leavesSelector(group, name, resource, kind string) Door {
	return Door{
		Name: name + "-relabel", Group: group, Resource: resource, Kind: kind, Operation: "UPDATE",
		Summary: "labels that take it out of the objectSelector of the window, or into that of another one that is open",
		Disrupts: labelsChanged + ` && (has(params.spec.objectSelector) && ` +
			matchesLabels("params.spec.objectSelector", oldLabels) + ` && !(` + matchesLabels("params.spec.objectSelector", newLabels) + `) || ` +
			entered(`has(o.objectSelector) && `+matchesLabels("o.objectSelector", newLabels)+` && (`+namespaceUnknown+` || `+matchesLabels("o.namespaceSelector", varNamespaceLabels)+`)`,
				matchesLabels("o.objectSelector", oldLabels)) + `)`,
		Because: "(its labels would take it out of the window, or into another that is open)",
	}
}

// namespaceUnknown: a match condition is not told the namespace. It lets through what the namespace then decides.
const namespaceUnknown = `namespaceObject == null || !has(namespaceObject.metadata)`

// ownersReplaced: the garbage collector may find none of the owners. It does not where every one that was there stays: that one it
// would have had to find before. Where only some had to stay, one that does not exist could be added first, and left alone then. A version
// does not tell owners apart, nor do the other fields.
const ownersReplaced = `(object.metadata.?ownerReferences.orValue([]).size() > 0 && (oldObject.metadata.?ownerReferences.orValue([]).size() == 0` +
	` || !oldObject.metadata.?ownerReferences.orValue([]).all(o, object.metadata.ownerReferences.exists(n,` +
	` n.uid == o.uid && n.name == o.name && n.kind == o.kind && n.apiVersion.find('^.*/') == o.apiVersion.find('^.*/')))))`

const (
	oldLabels     = `oldObject.metadata.?labels.orValue({})`
	newLabels     = `object.metadata.?labels.orValue({})`
	labelsChanged = `object.metadata.?labels != oldObject.metadata.?labels`
	// annotationsChanged is false for most requests, and costs less to ask than any one annotation.
	annotationsChanged = `object.metadata.?annotations != oldObject.metadata.?annotations`
	ownersChanged      = `object.metadata.?ownerReferences != oldObject.metadata.?ownerReferences`

	templateChanged = `object.spec.template != oldObject.spec.template`

	settled = `oldObject.status.?observedGeneration.orValue(0) >= oldObject.metadata.generation`

	// replicasExist: pods are there, or will be. A controller that says that it has seen the spec may yet have to count the pods that it has
	// started by then, so none are believed only of who wants none, or says that it cannot start any.
	replicasExist = `(oldObject.status.?replicas.orValue(0) > 0 || oldObject.spec.?replicas.orValue(1) > 0 && !(` + settled + ` && ` + startsNone + `))`
	startsNone    = `oldObject.status.?conditions.orValue([]).exists(c, c.type == 'ReplicaFailure' && c.status == 'True')`
)

const (
	deploymentUnfinished = `(!(` + settled + `) || oldObject.status.?updatedReplicas.orValue(0) < oldObject.status.?replicas.orValue(0))`

	deploymentRollout = replicasExist + ` && !object.spec.?paused.orValue(false) && (` +
		templateChanged +
		` || (oldObject.spec.?paused.orValue(false) || object.spec.?strategy != oldObject.spec.?strategy) && ` + deploymentUnfinished +
		`)`
)

// The Deployment controller still obeys the annotation of an API that is gone: it writes the template itself, as an identity that
// always passes. It does so at once, unless the Deployment is paused. So whoever sets the annotation rolls out; whoever resumes what has it
// does; and what is held must not have it, as it is resumed when its change is taken back too. A Deployment created with it has no pods.
const (
	rollbackTo      = "deprecated.deployment.rollback.to"
	newRollback     = `object.metadata.?annotations[?'` + rollbackTo + `'].orValue('')`
	rollbackChanged = newRollback + ` != oldObject.metadata.?annotations[?'` + rollbackTo + `'].orValue('')`

	rollsBack = newRollback + ` != '' && (` + rollbackChanged + ` || oldObject.spec.?paused.orValue(false) && !object.spec.?paused.orValue(false)` +
		` || ` + heldAfter + ` != '' && ` + heldBefore + ` == '')`

	// A paused Deployment still spreads its replicas over its ReplicaSets, by what its strategy lets be there at most. Where nothing of the
	// change runs and no pod is too many, it has one ReplicaSet with pods, and nothing to spread.
	redistributes = replicasExist + ` && object.spec.?paused.orValue(false) && object.spec.?strategy != oldObject.spec.?strategy` +
		` && (object.spec.?strategy.?type != oldObject.spec.?strategy.?type || object.spec.?strategy.?rollingUpdate.?maxSurge != oldObject.spec.?strategy.?rollingUpdate.?maxSurge)` +
		` && ` + deploymentUnfinished + ` && (!(` + settled + `) || oldObject.status.?updatedReplicas.orValue(0) > 0 || oldObject.status.?replicas.orValue(0) != oldObject.spec.?replicas.orValue(1))`
)

const (
	// A change that is taken back in the middle leaves one revision, and pods that are not of it.
	statefulSetUnfinished = `(!(` + settled + `) || oldObject.status.?currentRevision != oldObject.status.?updateRevision` +
		` || oldObject.status.?updatedReplicas.orValue(0) < oldObject.status.?replicas.orValue(0))`

	newPartition = `object.spec.updateStrategy.?rollingUpdate.?partition.orValue(0)`
	oldPartition = `oldObject.spec.updateStrategy.?rollingUpdate.?partition.orValue(0)`

	// Ordinals run from start; with the partition past the last of them nothing is rolled out. Both sides are held against
	// the old replicas, so that scaling up passes.
	lastOrdinal = `oldObject.spec.?ordinals.?start.orValue(0) + oldObject.spec.?replicas.orValue(1)`
	newParked   = `(object.spec.updateStrategy.?type.orValue('') == 'OnDelete' || ` + newPartition + ` >= ` + lastOrdinal + `)`
	oldParked   = `(oldObject.spec.updateStrategy.?type.orValue('') == 'OnDelete' || ` + oldPartition + ` >= ` + lastOrdinal + `)`

	statefulSetRollout = replicasExist + ` && (object.spec.?ordinals != oldObject.spec.?ordinals || !` + newParked + ` && (` +
		templateChanged +
		` || (` + oldParked + ` || object.spec.updateStrategy.?type != oldObject.spec.updateStrategy.?type || ` + newPartition + ` < ` + oldPartition +
		` || object.spec.updateStrategy.?rollingUpdate.?maxUnavailable != oldObject.spec.updateStrategy.?rollingUpdate.?maxUnavailable) && ` + statefulSetUnfinished +
		`))`
)

const (
	daemonPodsExist = `(oldObject.status.?desiredNumberScheduled.orValue(0) + oldObject.status.?currentNumberScheduled.orValue(0) + oldObject.status.?numberMisscheduled.orValue(0) > 0 || !(` + settled + `))`

	daemonSetUnfinished = `(!(` + settled + `) || oldObject.status.?updatedNumberScheduled.orValue(0) < oldObject.status.?desiredNumberScheduled.orValue(0))`

	// The DaemonSet controller takes pods off nodes that no longer fit at once, also under OnDelete.
	placementChanged = `(object.spec.template.spec.?nodeSelector != oldObject.spec.template.spec.?nodeSelector` +
		` || object.spec.template.spec.?nodeName != oldObject.spec.template.spec.?nodeName` +
		` || object.spec.template.spec.?affinity != oldObject.spec.template.spec.?affinity` +
		` || object.spec.template.spec.?tolerations != oldObject.spec.template.spec.?tolerations)`

	daemonSetRollout = daemonPodsExist + ` && (` + placementChanged +
		` || object.spec.updateStrategy.?type.orValue('') == 'RollingUpdate' && (` +
		templateChanged +
		` || object.spec.?updateStrategy != oldObject.spec.?updateStrategy && ` + daemonSetUnfinished +
		`))`
)

// Package inputs is the table of what the controllers of Kubernetes read before they delete or replace a pod, and of what keeps people
// from writing it while a window is closed; and the page docs/inputs.md that is generated from it. It is pure.
package inputs

// Input is a field, annotation, label or object that a controller of Kubernetes reads before it deletes or replaces a pod.
type Input struct {
	// What it is, and of what.
	What string
	// Reader is the controller, with the function, in Kubernetes 1.37.
	Reader string
	// Does tells what becomes of pods.
	Does string
	// Rules are the rules and protections that hold it, by name.
	Rules []string
	// Rest is what else holds it; without rules, why nothing need, or "Cannot be gated" or "Open" with the risk.
	Rest string
}

// Section is the inputs of one kind of object.
type Section struct {
	Title  string
	Inputs []Input
}

// Sections is the table.
var Sections = []Section{
	{Title: "Deployments", Inputs: deployments},
	{Title: "ReplicaSets", Inputs: replicaSets},
	{Title: "StatefulSets", Inputs: statefulSets},
	{Title: "DaemonSets", Inputs: daemonSets},
	{Title: "ReplicationControllers", Inputs: replicationControllers},
	{Title: "ControllerRevisions", Inputs: revisions},
	{Title: "Pods", Inputs: pods},
	{Title: "HorizontalPodAutoscalers", Inputs: autoscalers},
	{Title: "Owners and garbage collection", Inputs: owners},
	{Title: "Jobs and CronJobs", Inputs: jobs},
	{Title: "Namespaces", Inputs: namespaces},
	{Title: "Nodes, taints and devices", Inputs: nodes},
	{Title: "The scheduler and the kubelet", Inputs: schedulerAndKubelet},
}

var deployments = []Input{
	{
		What: "`spec.template`", Reader: "deployment: FindNewReplicaSet, rolloutRolling, rolloutRecreate",
		Does:  "another template is another ReplicaSet, and all pods are replaced",
		Rules: []string{"deployment-rollout"}, Rest: "Under Hold the rollout is held",
	},
	{
		What: "`spec.paused`", Reader: "deployment: syncDeployment, sync",
		Does:  "resuming rolls out what has waited. While paused it still scales: when the ReplicaSet of its template is full, it takes the pods of all others away",
		Rules: []string{"deployment-rollout", "replicaset-create", "replicaset-rollout"},
	},
	{
		What: "annotation `deprecated.deployment.rollback.to`", Reader: "deployment: rollback, rollbackToTemplate",
		Does:  "writes the template of that revision into the Deployment, as an identity that always passes, with the annotations of that ReplicaSet; of a paused one when it is resumed",
		Rules: []string{"deployment-rollback"}, Rest: "The control plane never sets an override: what it copies is put back",
	},
	{
		What: "`spec.replicas`, by the object or its Scale", Reader: "deployment: scale, reconcileNewReplicaSet",
		Does:  "fewer: the rest is deleted",
		Rules: []string{"deployment-scale-down", "deployment-scale", "deployment-to-zero", "deployment-scale-to-zero"}, Rest: "More of them pass",
	},
	{
		What: "`spec.strategy`", Reader: "deployment: rolloutRolling, MaxSurge, MaxUnavailable",
		Does:  "in the middle of a rollout, more pods at once; `Recreate`, all of the old ones; while paused, another maxSurge spreads pods anew",
		Rules: []string{"deployment-rollout", "deployment-strategy"},
	},
	{
		What: "`spec.minReadySeconds`, `spec.progressDeadlineSeconds`", Reader: "deployment: syncRolloutStatus, reconcileOldReplicaSets",
		Does: "fewer seconds let a rollout that has begun go on sooner; nothing begins by it",
		Rest: "Harmless: what has begun inside the window ends outside it in any case",
	},
	{
		What: "`spec.revisionHistoryLimit`", Reader: "deployment: cleanupDeployment",
		Does: "deletes old ReplicaSets, which have no pods", Rest: "Harmless; nothing is left to roll back to",
	},
	{
		What: "`spec.selector`", Reader: "deployment: getReplicaSetsForDeployment",
		Does: "which ReplicaSets it takes over", Rest: "The API server refuses to change it. At creation, see the next row",
	},
	{
		What: "a new Deployment whose selector fits a ReplicaSet that has no controller", Reader: "deployment: ClaimReplicaSets",
		Does: "takes it over, and scales it to its own replicas, or rolls it to its own template",
		Rest: "Cannot be gated: policies see one object, not which others its selector fits. Whoever may create Deployments in a namespace may so replace or remove the pods of a bare ReplicaSet there. Let no bare ReplicaSet serve",
	},
	{
		What: "`metadata.deletionTimestamp`: a DELETE", Reader: "garbage collector: attemptToDeleteItem",
		Does: "its ReplicaSets and pods go too", Rules: []string{"deployment-delete"},
	},
	{
		What: "`metadata.labels`, of StatefulSets, DaemonSets and ReplicationControllers too", Reader: "no controller; the policies: which windows govern it",
		Does:  "it is governed no more, or by a window that is open",
		Rules: []string{"object-relabelled"},
	},
	{
		What: "`status`", Reader: "deployment: getNewReplicaSet (collisionCount), getReplicaSetFraction",
		Does: "how a rollout that goes on is spread", Rules: []string{"status-metadata"},
		Rest: "Only metadata is guarded there. `edit` and `admin` do not contain the right to write status: keep it so",
	},
}

var replicaSets = []Input{
	{
		What: "a new ReplicaSet", Reader: "deployment: ClaimReplicaSets, FindNewReplicaSet, scale",
		Does:  "a Deployment takes over what its selector fits and has no controller, and what names its UID as the controller, of whatever kind; the oldest with its template is the current one, and when that is full the others lose their pods",
		Rules: []string{"replicaset-create"}, Rest: "Argo Rollouts passes, known by its right to the finalizers of Rollouts",
	},
	{
		What: "`spec.replicas` of a Deployment's, by the object or its Scale, more or fewer", Reader: "deployment: IsSaturated, reconcileOldReplicaSets; replicaset: manageReplicas",
		Does:  "fewer: its Deployment replaces the pods; more, of an old one: the pods are rolled back to it",
		Rules: []string{"replicaset-rollout", "replicaset-scale-rollout", "replicaset-scale-up"}, Rest: "Its Deployment and nobody else: the horizontal pod autoscaler does not pass",
	},
	{
		What: "`spec.replicas` of no Deployment's", Reader: "replicaset: manageReplicas", Does: "fewer: the rest is deleted",
		Rules: []string{"replicaset-scale-down", "replicaset-scale", "replicaset-to-zero", "replicaset-scale-to-zero"},
	},
	{
		What:   "annotations `deployment.kubernetes.io/desired-replicas`, `deployment.kubernetes.io/max-replicas`",
		Reader: "deployment: isScalingEvent, IsSaturated, getReplicaSetFraction",
		Does:   "all pods of the current ReplicaSet are killed at once, as its share of a scaling; or the rollout never goes on",
		Rules:  []string{"replicaset-rollout"},
	},
	{
		What:   "annotations `deployment.kubernetes.io/revision`, `deployment.kubernetes.io/revision-history`",
		Reader: "deployment: rollback, MaxRevision, cleanupDeployment",
		Does:   "which template `rollback.to` and `kubectl rollout undo` mean, and which old ReplicaSets are deleted",
		Rules:  []string{"replicaset-rollout", "deployment-rollback"}, Rest: "The history is read by nobody",
	},
	{
		What: "`spec.template`", Reader: "deployment: FindNewReplicaSet", Does: "its Deployment replaces the pods, or takes an older ReplicaSet for the current one",
		Rules: []string{"replicaset-rollout", "replicaset-sleeper"},
	},
	{
		What: "`metadata.labels`", Reader: "deployment: ClaimReplicaSets", Does: "its Deployment lets it go and makes another; or another one takes it over",
		Rules: []string{"replicaset-identity", "replicaset-adoption", "object-relabelled"},
	},
	{
		What: "`metadata.ownerReferences`", Reader: "deployment: ClaimReplicaSets (by UID alone); garbage collector",
		Does:  "its Deployment loses it, another one takes it over, or it is collected with its pods",
		Rules: []string{"replicaset-identity", "replicaset-controller", "replicaset-owner"},
	},
	{
		What: "the deletion of its controller with `--cascade=orphan`", Reader: "garbage collector: orphanDependents, and attemptToDeleteItem where another owner stays; deployment: ClaimReplicaSets",
		Does:  "the garbage collector, which always passes, takes the controller from its ownerReferences, and a Deployment takes it over",
		Rules: []string{"replicaset-released"}, Rest: "Also to the garbage collector, which tries again",
	},
	{
		What: "a DELETE", Reader: "garbage collector; deployment: getNewReplicaSet", Does: "its pods go, and its Deployment makes it anew",
		Rules: []string{"replicaset-delete"}, Rest: "One without pods may go",
	},
	{
		What: "`spec.minReadySeconds`, `spec.selector`", Reader: "deployment: getNewReplicaSet; replicaset: claimPods",
		Does: "the Deployment puts the first back; the API server refuses to change the second", Rest: "Harmless",
	},
}

var statefulSets = []Input{
	{
		What: "`spec.template`", Reader: "statefulset: getStatefulSetRevisions, updateStatefulSet", Does: "another revision: all pods down to the partition are replaced",
		Rules: []string{"statefulset-rollout"}, Rest: "Under Hold the rollout is held. Under `OnDelete`, or behind the partition, it passes: then a pod that is lost comes back with the new template",
	},
	{
		What: "`spec.updateStrategy`: `type`, `partition`, `maxUnavailable`", Reader: "statefulset: updateStatefulSet, recreateDeleteAndWait",
		Does:  "with a change to roll out: more pods, or more at once; `Recreate` (alpha in 1.37), all at once",
		Rules: []string{"statefulset-rollout"}, Rest: "`Recreate` counts as rolling; RollingUpdate to `Recreate` in the middle of a rollout only makes it faster, and only with the feature gate StatefulSetRecreateStrategy",
	},
	{
		What: "`spec.replicas`, by the object or its Scale", Reader: "statefulset: processCondemned", Does: "fewer: the highest ordinals are deleted",
		Rules: []string{"statefulset-scale-down", "statefulset-scale", "statefulset-to-zero", "statefulset-scale-to-zero"},
		Rest:  "Where a window leaves out ScaleDown, scaling down and up again brings back all but one of the pods with a template that was accepted behind the partition or under `OnDelete`",
	},
	{
		What: "`spec.ordinals`", Reader: "statefulset: podInOrdinalRange", Does: "pods outside the range are deleted, others made", Rules: []string{"statefulset-rollout"},
	},
	{
		What: "`spec.minReadySeconds`, `spec.podManagementPolicy`, `spec.revisionHistoryLimit`", Reader: "statefulset: updateStatefulSetAfterInvariantEstablished, truncateHistory",
		Does: "the pace of a rollout that has begun; old revisions that no pod has are deleted", Rest: "Harmless. The API server refuses to change the second",
	},
	{
		What: "`spec.persistentVolumeClaimRetentionPolicy`", Reader: "statefulset: updateClaimOwnerRefForSetAndPod", Does: "volume claims go with what is deleted or scaled down later; no pod does",
		Rest: "Harmless to what runs; what is deleted later, inside the window, may take its data along",
	},
	{
		What: "a new StatefulSet with the name and labels of bare pods", Reader: "statefulset: claimPods (isMemberOf)", Does: "adopts pods NAME-0, NAME-1, ... that have no controller, and deletes those past its replicas",
		Rest: "Cannot be gated, as with Deployments: whoever may create it may remove bare pods",
	},
	{What: "a DELETE", Reader: "garbage collector", Does: "its pods go too", Rules: []string{"statefulset-delete"}},
	{
		What: "`status.currentRevision`, `status.collisionCount`", Reader: "statefulset: getStatefulSetRevisions, newVersionedStatefulSetPod", Does: "with which template a lost pod comes back",
		Rules: []string{"status-metadata"}, Rest: "Only metadata is guarded there: keep the right to write status to the controllers",
	},
}

var daemonSets = []Input{
	{
		What: "`spec.template`", Reader: "daemon: constructHistory, rollingUpdate; nodeShouldRunDaemonPod", Does: "all pods are replaced; with other nodeSelector, nodeName, affinity or tolerations they leave nodes at once, also under `OnDelete`",
		Rules: []string{"daemonset-rollout"}, Rest: "Under Hold the rollout is held; other nodes are refused",
	},
	{
		What: "`spec.updateStrategy`: `type`, `maxUnavailable`, `maxSurge`", Reader: "daemon: updateDaemonSet, rollingUpdate, podsShouldBeOnNode", Does: "with a change to roll out: more pods at once",
		Rules: []string{"daemonset-rollout"},
	},
	{
		What: "annotation `deprecated.daemonset.template.generation`", Reader: "daemon: GetTemplateGeneration, IsPodUpdated",
		Does: "with label `pod-template-generation` of a pod: an outdated pod counts as up to date. One whose hash is right counts as that in any case",
		Rest: "Harmless: it can keep a pod, not end one",
	},
	{
		What: "`spec.minReadySeconds`, `spec.revisionHistoryLimit`", Reader: "daemon: rollingUpdate, cleanupHistory", Does: "the pace of a rollout that has begun; old revisions that no pod has are deleted", Rest: "Harmless",
	},
	{
		What: "a new DaemonSet whose selector fits bare pods", Reader: "daemon: getDaemonPods (ClaimPods), podsShouldBeOnNode", Does: "adopts them, keeps the oldest of each node, and replaces those that are not of its template",
		Rest: "Cannot be gated, as with Deployments: whoever may create it may remove bare pods",
	},
	{What: "a DELETE", Reader: "garbage collector", Does: "its pods go too", Rules: []string{"daemonset-delete"}},
}

var replicationControllers = []Input{
	{
		What: "`spec.replicas`, by the object or its Scale", Reader: "replication: manageReplicas", Does: "fewer: the rest is deleted",
		Rules: []string{"replicationcontroller-scale-down", "replicationcontroller-scale", "replicationcontroller-to-zero", "replicationcontroller-scale-to-zero"},
	},
	{
		What: "`spec.selector`, which may be changed", Reader: "replication: claimPods", Does: "lets its pods go, and another controller that they fit takes them over and removes what is too many",
		Rules: []string{"replicationcontroller-selector"},
	},
	{What: "`spec.template`, `spec.minReadySeconds`", Reader: "replication: manageReplicas", Does: "only pods to come", Rest: "Harmless"},
	{
		What: "a new ReplicationController whose selector fits bare pods", Reader: "replication: claimPods, manageReplicas", Does: "adopts them, and deletes those past its replicas",
		Rest: "Cannot be gated, as with Deployments: whoever may create it may remove bare pods",
	},
	{What: "a DELETE", Reader: "garbage collector", Does: "its pods go too", Rules: []string{"replicationcontroller-delete"}, Rest: "One without pods may go"},
}

var revisions = []Input{
	{
		What: "a new ControllerRevision", Reader: "statefulset: getStatefulSetRevisions; daemon: dedupCurHistories",
		Does:  "a StatefulSet adopts what its selector fits; one with its template and the highest revision is the current one, by name, and all pods are replaced. A DaemonSet relabels its pods",
		Rules: []string{"controllerrevision-create"},
	},
	{What: "`revision`", Reader: "history: SortControllerRevisions", Does: "which of equal ones is the current one", Rules: []string{"controllerrevision-order"}},
	{
		What: "`metadata.labels` (among them `controller.kubernetes.io/hash` and `controller-revision-hash`), `metadata.ownerReferences`", Reader: "history: EqualRevision, ListControllerRevisions; daemon: constructHistory",
		Does: "takes it from its workload, or gives it another hash", Rules: []string{"controllerrevision-change"},
	},
	{What: "`data`", Reader: "statefulset: ApplyRevision; daemon: Match", Does: "the template itself", Rest: "The API server refuses to change it"},
	{What: "a DELETE", Reader: "statefulset: getStatefulSetRevisions; daemon: constructHistory", Does: "the pods of it count as outdated", Rules: []string{"controllerrevision-delete"}},
}

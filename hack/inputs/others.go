package inputs

var pods = []Input{
	{
		What:   "labels by which a workload knows its pods: those of its selector, `pod-template-hash`, `controller-revision-hash`, `pod-template-generation`, `statefulset.kubernetes.io/pod-name`, `apps.kubernetes.io/pod-index`",
		Reader: "all: ClaimPods; statefulset: getPodRevision, identityMatches; daemon: IsPodUpdated", Does: "the pod is let go and another one made, taken for outdated and replaced, or adopted and deleted as one too many",
		Rules: []string{"pod-label", "object-relabelled"}, Rest: "To the pod's own service account too: whoever has `edit` may impersonate it. It may write leader labels, by name",
	},
	{
		What: "a new label of a pod that has no controller", Reader: "all: ClaimPods; daemon: podsShouldBeOnNode; replicaset: getPodsToDelete",
		Does:  "a workload adopts it, and deletes one of its own that is newer, on a node with more of them, or costs less to delete",
		Rules: []string{"pod-adoption"},
	},
	{
		What: "a new label of a pod whose workload selects by `DoesNotExist` or `NotIn`", Reader: "all: ClaimPods (release)", Does: "the pod is let go and another one made; a ReplicaSet of 0 replicas may then remove it",
		Rest: "Cannot be gated without refusing every new label: select by labels that are there",
	},
	{
		What: "a pod that is created with a foreign controller, and let go by the deletion of that with `--cascade=orphan`", Reader: "garbage collector: orphanDependents; replicaset: claimPods, getPodsToDelete",
		Does:  "runs beside the pods of a ReplicaSet, with any image, until the garbage collector, which otherwise always passes, takes its controller away; the ReplicaSet adopts it and deletes one of its own",
		Rules: []string{"pod-released"}, Rest: "Also to the garbage collector, which tries again",
	},
	{
		What: "annotation `controller.kubernetes.io/pod-deletion-cost`", Reader: "controller: ActivePodsWithRanks.Less", Does: "which pod goes first where some go in any case",
		Rest: "Harmless by itself, as what makes pods too many is held; but whoever may scale up a workload that an autoscaler scales down again can so choose which pods are left",
	},
	{
		What: "`metadata.ownerReferences`", Reader: "garbage collector: classifyReferences; all: FilterPodsByOwner", Does: "the pod is collected, or lost to its workload",
		Rules: []string{"pod-owner"},
	},
	{What: "a DELETE", Reader: "kubelet; all", Does: "the pod ends", Rules: []string{"pod-delete"}, Rest: "One that has ended, or is being deleted, may go"},
	{What: "an Eviction", Reader: "the API server's eviction storage", Does: "the pod ends, as far as its PodDisruptionBudgets let it", Rules: []string{"pod-evict"}, Rest: "Only where the window governs `Evict`"},
	{What: "`spec.containers[*].image`, `spec.initContainers[*].image`", Reader: "kubelet: computePodActions", Does: "the container is restarted", Rules: []string{"pod-image"}},
	{
		What: "`resources`, by `pods/resize`", Reader: "kubelet: computePodResizeAction", Does: "the container is restarted where its resizePolicy says so",
		Rules: []string{"pod-resize"}, Rest: "Less memory or CPU without a restart passes, and may end or starve a container: it is not part of `edit`; keep that right narrow",
	},
	{What: "`spec.activeDeadlineSeconds`", Reader: "kubelet: activeDeadlineHandler", Does: "the pod is ended when it has passed", Rules: []string{"pod-deadline"}},
	{What: "`spec.tolerations`", Reader: "tainteviction: processPodOnNode; devicetainteviction; podgc", Does: "a taint that was tolerated ends the pod", Rules: []string{"pod-toleration"}},
	{
		What: "`spec.terminationGracePeriodSeconds`, `spec.schedulingGates`", Reader: "kubelet; scheduler", Does: "the first may change from a negative number to 1 alone; the second may go before the pod is on a node", Rest: "Harmless",
	},
	{
		What: "`status.phase`, conditions", Reader: "replicaset: FilterActivePods; statefulset: isTerminalPhase; daemon: podsShouldBeOnNode; podgc", Does: "a pod that is said to have failed is replaced",
		Rules: []string{"status-metadata"}, Rest: "Cannot be gated, as every kubelet writes it: only metadata is guarded. `edit` and `admin` do not contain the right to write status: keep it so",
	},
	{
		What: "annotation `kubernetes.io/config.mirror`", Reader: "kubelet: pod manager, deleteOrphanedMirrorPods", Does: "the kubelet deletes a mirror pod whose static pod it does not know",
		Rest: "The API server refuses to add, change or remove it",
	},
	{
		What: "annotations `kubernetes.io/config.source`, `kubernetes.io/config.hash`, `kubernetes.io/config.seen`", Reader: "kubelet: GetPodSource", Does: "a static pod is not evicted",
		Rest: "Harmless: the kubelet overwrites its own copy of them with what it knows",
	},
	{
		What: "an ephemeral container, exec, attach, proxy", Reader: "kubelet", Does: "whatever a process can do in the pod, such as ending the main one",
		Rest: "Cannot be gated: what is done inside a container is not seen at the API. Exec is part of `edit`",
	},
}

var autoscalers = []Input{
	{
		What: "a new HorizontalPodAutoscaler; `spec.minReplicas`, `spec.maxReplicas`, `spec.scaleTargetRef`, `spec.metrics`, `spec.behavior`", Reader: "podautoscaler: reconcileAutoscaler, normalizeDesiredReplicas",
		Does:  "more replicas than maxReplicas are taken away at the first look, without any metric; others down to minReplicas, which may be 0 (on by default since 1.37), as metrics tell",
		Rules: []string{"autoscaler-create", "autoscaler-change", "autoscaler-create-to-zero", "autoscaler-to-zero"}, Rest: "Within the bounds that it has it scales at all times",
	},
	{
		What:   "annotations `autoscaling.alpha.kubernetes.io/metrics`, `autoscaling.alpha.kubernetes.io/behavior`, `autoscaling.alpha.kubernetes.io/scale-down-tolerance` and the like, by autoscaling/v1",
		Reader: "the API server: conversion", Does: "the same fields, in an older version",
		Rules: []string{"autoscaler-change"}, Rest: "Policies see every request in autoscaling/v2",
	},
	{
		What: "one whose `scaleTargetRef` is a ReplicaSet", Reader: "podautoscaler: scaleForResourceMappings", Does: "scales it down against its Deployment, which scales it up, again and again",
		Rules: []string{"autoscaler-create", "autoscaler-change", "replicaset-scale-rollout"}, Rest: "Also to the autoscaler itself",
	},
	{What: "a DELETE", Reader: "podautoscaler", Does: "the workload keeps its replicas", Rest: "Harmless"},
	{
		What: "the metrics themselves", Reader: "podautoscaler: computeReplicasForMetrics", Does: "fewer replicas, within the bounds", Rest: "Cannot be gated: scaling by load is what an autoscaler is for. Whoever makes the load, or serves the metric, decides within its bounds",
	},
}

var owners = []Input{
	{
		What: "`metadata.ownerReferences` of workloads", Reader: "garbage collector: classifyReferences, attemptToDeleteItem", Does: "what has owners of which none exists is deleted, with its pods",
		Rules: []string{"deployment-owner", "statefulset-owner", "daemonset-owner", "replicaset-owner", "replicationcontroller-owner", "namespace-deleted"},
	},
	{
		What: "the owner itself: a custom resource, a ConfigMap, whatever a workload or pod names", Reader: "garbage collector: attemptToDeleteItem", Does: "with the owner go the workload and its pods",
		Rest: "Cannot be gated: windows govern workloads and pods, not every kind that may own them. Whoever may delete the custom resource of a database removes that database at any time: keep that right narrow, or guard the kind by a policy of your own",
	},
	{
		What: "a CustomResourceDefinition or API service", Reader: "garbage collector; the API server", Does: "with a CRD go its objects, without admission, and what they own",
		Rules: []string{"crd-removed"}, Rest: "Cannot be gated for the CRDs of others",
	},
	{
		What: "finalizers `foregroundDeletion`, `orphan`", Reader: "garbage collector: processDeletingDependentsItem, orphanDependents", Does: "how dependents go once the object is being deleted",
		Rest: "Harmless without a DELETE, which is gated",
	},
	{
		What: "a finalizer taken away", Reader: "the API server", Does: "ends the deletion of what has been deleted before", Rest: "Cannot be gated: healing must never be blocked",
	},
	{
		What: "DeleteOptions: propagationPolicy, preconditions, grace period, dryRun", Reader: "the API server", Does: "how a deletion is done, not whether", Rest: "Every DELETE is gated alike, a dry run too",
	},
}

var jobs = []Input{
	{
		What:   "a Job's `spec.parallelism`, `spec.suspend`, `spec.completions`, deadlines, pod failure policy, `ttlSecondsAfterFinished`; a CronJob's `concurrencyPolicy`; their DELETE",
		Reader: "job: manageJob, deleteActivePods; cronjob: syncCronJob; ttlafterfinished: processJob", Does: "the Job's pods are deleted",
		Rest: "Cannot be gated yet: windows do not govern Jobs. Whoever may write a Job ends its pods at any time. Let no Job serve",
	},
	{
		What:   "annotation and label `batch.kubernetes.io/job-completion-index`, annotations `batch.kubernetes.io/job-index-failure-count`, `batch.kubernetes.io/job-index-ignored-failure-count`, finalizer `batch.kubernetes.io/job-tracking` of a Job's pods",
		Reader: "job: appendDuplicatedIndexPodsForRemoval", Does: "of pods with one index all but one are deleted", Rest: "As the Job itself",
	},
	{
		What: "a new Job with `manualSelector` whose selector fits bare pods", Reader: "job: getPodsForJob (ClaimPods)", Does: "adopts them, and deletes those past its parallelism (tried)",
		Rest: "Cannot be gated, as with Deployments: whoever may create Jobs may remove bare pods",
	},
}

var namespaces = []Input{
	{What: "a DELETE", Reader: "namespace: namespacedResourcesDeleter.Delete", Does: "everything in it goes", Rules: []string{"namespace-deleted"}},
	{What: "`metadata.labels`", Reader: "the API server: which policies and windows apply", Does: "it is governed no more, or by a window that is open", Rules: []string{"namespace-relabelled"}},
	{What: "`metadata.ownerReferences`", Reader: "garbage collector", Does: "the namespace is deleted", Rules: []string{"namespace-deleted"}},
	{
		What: "labels of Pod Security, quotas, LimitRanges, annotations of default tolerations and node selectors", Reader: "the API server", Does: "pods to come may be refused: what is lost then does not come back", Rest: "No running pod ends. Not part of `edit` or `admin`",
	},
}

var nodes = []Input{
	{
		What: "a NoExecute taint, also by the node controller for an unreachable node", Reader: "tainteviction: processPodOnNode; daemon: nodeShouldRunDaemonPod", Does: "pods that do not tolerate it are deleted",
		Rest: "Cannot be gated yet: windows select namespaces, not nodes. Whoever may write Nodes ends pods everywhere at any time",
	},
	{
		What: "the Node: its deletion, labels, `spec.unschedulable`, taint `node.kubernetes.io/out-of-service`", Reader: "podgc: gcOrphaned, gcTerminating; daemon: nodeShouldRunDaemonPod", Does: "its pods are deleted; pods of DaemonSets leave nodes that no longer fit",
		Rest: "Cannot be gated yet, as above. Kubelets write their own Node, within NodeRestriction",
	},
	{
		What: "a DeviceTaintRule, the taints of a ResourceSlice, the tolerations in a ResourceClaim's allocation", Reader: "devicetainteviction", Does: "pods that use the device are deleted",
		Rest: "Cannot be gated yet. The first two are not part of `edit`, the third is status",
	},
	{
		What: "a PodDisruptionBudget", Reader: "the API server: eviction; scheduler: preemption", Does: "lets an eviction through that it would have stopped", Rules: []string{"pod-evict"}, Rest: "The eviction is what is gated, where the window governs `Evict`",
	},
}

var schedulerAndKubelet = []Input{
	{
		What: "`spec.priority`, `spec.preemptionPolicy` of a new pod; PriorityClasses", Reader: "scheduler: DefaultPreemption; kubelet: CriticalPodAdmissionHandler", Does: "pods of less priority are deleted where there is no room",
		Rest: "Cannot be gated: whoever may create pods with a higher priority may push out others, also of other namespaces. Bound who may use which PriorityClass, by quotas (scopeSelector PriorityClass)",
	},
	{
		What: "what a node has left: memory, disk, PIDs; restarts of kubelets; static pods", Reader: "kubelet: eviction manager, HandlePodCleanups", Does: "pods are evicted or restarted on the node", Rest: "Cannot be gated: no request",
	},
	{
		What: "liveness probes and restart rules", Reader: "kubelet: prober, computePodActions", Does: "containers are restarted", Rest: "Part of the template: what fails is between the application and its kubelet",
	},
}

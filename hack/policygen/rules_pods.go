package policygen

import "fonster.dev/fonster/api/v1alpha1"

// pods: single pods. One that has ended is nobody's any more.
var pods = RuleSet{
	Name: "pods", Title: "Pods",
	Rules: []Rule{
		{
			Name: "pod-image", Disruption: v1alpha1.Rollout, Resource: "pods", Kind: "Pod", Operation: "UPDATE",
			Summary: "another image of a container: the kubelet restarts it",
			When:    "podImageChanged",
			Because: "by another image",
		},
		{
			Name: "pod-resize", Disruption: v1alpha1.Rollout, Resource: "pods/resize", Kind: "Pod", Operation: "UPDATE",
			Summary: "other resources of a container that restarts for it (resizePolicy RestartContainer), or of the pod as a whole, which that container shares",
			When:    "podResized",
			Because: "by a resize that restarts a container",
		},
		{
			Name: "pod-label", Disruption: v1alpha1.Delete, Resource: "pods", Kind: "Pod", Operation: "UPDATE",
			Summary: "a label changed or taken away: its workload replaces it, or its Service drops it; a label of those by which workloads know their pods added. " +
				"Another new label passes where the pod has a controller; and so does a leader label (below), by the pod's own service account",
			When:    "podRelabelled",
			Because: "by a changed label, for which its workload may replace it or its Service drop it",
		},
		{
			Name: "pod-adoption", Disruption: v1alpha1.Delete, Resource: "pods", Kind: "Pod", Operation: "UPDATE",
			Summary: "a new label of a pod that has no controller: a workload that it fits adopts the pod, and deletes it or an older one as one too many",
			When:    "podAdopted",
			Because: "by a new label, for which a workload may adopt it, and delete it or another pod as one too many",
		},
		{
			Name: "pod-owner", Disruption: v1alpha1.Delete, Resource: "pods", Kind: "Pod", Operation: "UPDATE",
			Summary: "another controller among its ownerReferences, or none any more; ownerReferences where there were none, or in the place of one",
			When:    "podOwned",
			Because: "by other owner references, which may make the garbage collector or a workload delete it",
		},
		{
			Name: "pod-released", Disruption: v1alpha1.Delete, Resource: "pods", Kind: "Pod", Operation: "UPDATE",
			Summary:      "let go by the garbage collector (--cascade=orphan): a ReplicaSet that it fits adopts the pod, and deletes an older one as one too many",
			When:         "podLetGo",
			Because:      "by letting it go, for which a workload may adopt it, and delete another pod as one too many",
			ControlPlane: true,
		},
		{
			Name: "pod-deadline", Disruption: v1alpha1.Delete, Resource: "pods", Kind: "Pod", Operation: "UPDATE",
			Summary: "another activeDeadlineSeconds: the kubelet ends the pod when it has passed",
			When:    "podDeadlineChanged",
			Because: "by a deadline",
		},
		{
			Name: "pod-toleration", Disruption: v1alpha1.Delete, Resource: "pods", Kind: "Pod", Operation: "UPDATE",
			Summary: "fewer tolerationSeconds, or a new toleration with less: a taint that was tolerated ends the pod",
			When:    "podToleratesLess",
			Because: "by tolerating a taint for less time",
		},
		{
			Name: "pod-delete", Disruption: v1alpha1.Delete, Resource: "pods", Kind: "Pod", Operation: "DELETE",
			Summary: "kubectl delete, deletecollection; one that has ended, is on no node yet, or is being deleted already, passes",
			When:    "podDeleted",
		},
	},
}

// evictions: kubectl drain, the descheduler, cluster autoscalers, the vertical pod autoscaler.
var evictions = RuleSet{
	Name: "evictions", Title: "Evictions",
	LabelsNote: "An eviction tells no labels that count, so all pods of the namespace are governed.",
	Rules: []Rule{{
		Name: "pod-evict", Disruption: v1alpha1.Evict, Resource: "pods/eviction", Kind: "Pod", Operation: "CREATE",
		Summary: "kubectl drain, the descheduler, cluster autoscalers, the vertical pod autoscaler",
	}},
}

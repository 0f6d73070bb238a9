package inputs

// Reviewed is a group of annotations, labels and taints that are named in the sources of the controllers, and what was found.
type Reviewed struct {
	Why  string
	Keys []string
}

// Keys lists all of them. A test holds it against the sources, so that no version of Kubernetes adds one unseen: whoever adds a key here
// has looked who reads it before a pod goes, who may write it, and has written a row of the table where it matters.
var Keys = []Reviewed{
	{Why: "Deployments, above", Keys: []string{"deprecated.deployment.rollback.to"}},
	{Why: "ReplicaSets, above", Keys: []string{
		"deployment.kubernetes.io/desired-replicas", "deployment.kubernetes.io/max-replicas", "deployment.kubernetes.io/revision",
		"deployment.kubernetes.io/revision-history",
	}},
	{Why: "Pods, above", Keys: []string{
		"pod-template-hash", "controller-revision-hash", "pod-template-generation", "statefulset.kubernetes.io/pod-name",
		"apps.kubernetes.io/pod-index", "controller.kubernetes.io/pod-deletion-cost", "kubernetes.io/config.mirror",
		"kubernetes.io/config.source", "kubernetes.io/config.hash", "kubernetes.io/config.seen",
	}},
	{Why: "ControllerRevisions, above", Keys: []string{"controller.kubernetes.io/hash"}},
	{Why: "DaemonSets, above", Keys: []string{"deprecated.daemonset.template.generation"}},
	{Why: "HorizontalPodAutoscalers, above", Keys: []string{
		"autoscaling.alpha.kubernetes.io/metrics", "autoscaling.alpha.kubernetes.io/behavior",
		"autoscaling.alpha.kubernetes.io/scale-down-tolerance", "autoscaling.alpha.kubernetes.io/scale-up-tolerance",
	}},
	{Why: "written by the autoscaler as status, read by no controller", Keys: []string{
		"autoscaling.alpha.kubernetes.io/conditions", "autoscaling.alpha.kubernetes.io/current-metrics",
	}},
	{Why: "Jobs, above", Keys: []string{
		"batch.kubernetes.io/job-completion-index", "batch.kubernetes.io/job-index-failure-count",
		"batch.kubernetes.io/job-index-ignored-failure-count", "batch.kubernetes.io/job-tracking",
	}},
	{Why: "names of a Job's pods and of a CronJob's Jobs: labels of their own selectors, or for reading", Keys: []string{
		"batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "batch.kubernetes.io/cronjob-scheduled-timestamp",
	}},
	{Why: "Nodes, above: taints, some set by controllers and kubelets from the state of the node", Keys: []string{
		"node.kubernetes.io/disk-pressure", "node.kubernetes.io/memory-pressure", "node.kubernetes.io/network-unavailable",
		"node.kubernetes.io/not-ready", "node.kubernetes.io/out-of-service", "node.kubernetes.io/pid-pressure",
		"node.kubernetes.io/unreachable", "node.kubernetes.io/unschedulable",
	}},
	{Why: "Nodes, above: labels that say where pods, those of DaemonSets too, may be, and how soon a zone is given up", Keys: []string{
		"beta.kubernetes.io/instance-type", "failure-domain.beta.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone",
		"kubernetes.io/arch", "kubernetes.io/hostname", "kubernetes.io/os", "node.kubernetes.io/exclude-disruption",
		"node.kubernetes.io/instance-type", "node.kubernetes.io/windows-build", "topology.kubernetes.io/region", "topology.kubernetes.io/zone",
	}},
	{Why: "of Nodes: read for caches, balancing, scheduling of new pods or volumes; no pod ends", Keys: []string{
		"kubernetes.io/peer-advertise-address", "node.alpha.kubernetes.io/ttl", "node.kubernetes.io/exclude-from-external-load-balancers",
		"scheduler.alpha.kubernetes.io/preferAvoidPods", "storage.alpha.kubernetes.io/migrated-plugins",
	}},
	{Why: "old places of fields: validated, and read for nothing that ends a pod", Keys: []string{
		"scheduler.alpha.kubernetes.io/taints", "scheduler.alpha.kubernetes.io/tolerations",
	}},
	{Why: "of PodDisruptionBudgets, written by the conversion from policy/v1beta1: a budget that matches nothing, or all. The eviction itself is gated", Keys: []string{
		"pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match",
	}},
	{Why: "of pods: security profiles and image policy. The API server refuses to change the profiles, or nobody reads them any more", Keys: []string{
		"alpha.image-policy.k8s.io/failed-open", "container.apparmor.security.beta.kubernetes.io/",
		"container.seccomp.security.alpha.kubernetes.io/", "seccomp.security.alpha.kubernetes.io/pod",
	}},
	{Why: "of device claims, classes and their pods: names, and a finalizer that keeps a claim in use. A pod that runs is not ended for a claim that goes", Keys: []string{
		"deviceclass.resource.kubernetes.io/", "requests.deviceclass.resource.kubernetes.io/", "resource.kubernetes.io/admin-access",
		"resource.kubernetes.io/delete-protection", "resource.kubernetes.io/extended-resource-claim", "resource.kubernetes.io/pod-claim-name",
	}},
	{Why: "of Services and Endpoints: traffic, not pods", Keys: []string{
		"endpoints.kubernetes.io/last-change-trigger-time", "endpoints.kubernetes.io/over-capacity",
		"service.beta.kubernetes.io/load-balancer-source-ranges", "service.kubernetes.io/headless", "service.kubernetes.io/topology-aware-hints",
		"service.kubernetes.io/topology-mode",
	}},
	{Why: "kubectl's own, copied to no ReplicaSet", Keys: []string{"kubectl.kubernetes.io/last-applied-configuration"}},
	{Why: "the name of a Namespace as a label: the API server puts it back", Keys: []string{"kubernetes.io/metadata.name"}},
	{Why: "of volumes and their claims", Keys: []string{"volume.beta.kubernetes.io/mount-options", "volume.beta.kubernetes.io/storage-class"}},
	{Why: "types of Secrets and their annotations, the name of a controller, prefixes: nothing that a workload or pod has", Keys: []string{
		"batch.kubernetes.io/", "bootstrap.kubernetes.io/token", "kubectl.kubernetes.io/", "kubernetes.io/", "kubernetes.io/basic-auth",
		"kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson", "kubernetes.io/job-controller", "kubernetes.io/service-account-token",
		"kubernetes.io/service-account.name", "kubernetes.io/service-account.uid", "kubernetes.io/ssh-auth", "kubernetes.io/tls",
	}},
	{Why: "pods that are scheduled and preempted as a group: off by default in 1.37 (GenericWorkload, CompositePodGroup); preemption, above", Keys: []string{
		"scheduling.k8s.io/group-template-name", "scheduling.k8s.io/parent-compositepodgroup", "scheduling.k8s.io/podgroup-protection",
	}},
}

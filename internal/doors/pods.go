package doors

import (
	"slices"

	"fonster.dev/fonster/internal/gate"
)

// pods: single pods. One that has ended is nobody's any more.
var pods = Family{
	Name:  "pods",
	Title: "Pods",
	// Before Kubernetes 1.33 pods have no generation.
	Touches: `request.operation == 'DELETE' || request.?subResource.orValue('') != '' || !has(object.metadata.generation) || ` +
		`object.metadata.?generation != oldObject.metadata.?generation || ` + labelsChanged + ` || ` + ownersChanged,
	Doors: []Door{
		{
			Name: "pod-image", Disruption: gate.Rollout, Resource: "pods", Kind: "Pod", Operation: "UPDATE",
			Summary: "another image of a container: the kubelet restarts it",
			Disrupts: running + ` && (` + images("object", "containers") + ` != ` + images("oldObject", "containers") +
				` || ` + images("object", "initContainers") + ` != ` + images("oldObject", "initContainers") + `)`,
			Because: "by another image",
		},
		{
			Name: "pod-resize", Disruption: gate.Rollout, Resource: "pods/resize", Kind: "Pod", Operation: "UPDATE",
			Summary:  "other resources of a container that restarts for it (resizePolicy RestartContainer), or of the pod as a whole, which that container shares",
			Disrupts: running + ` && (` + resized("containers") + ` || ` + resized("initContainers") + `)`,
			Because:  "by a resize that restarts a container",
		},
		{
			Name: "pod-label", Disruption: gate.Delete, Resource: "pods", Kind: "Pod", Operation: "UPDATE",
			Summary: "a label changed or taken away: its workload replaces it, or its Service drops it; a label of those by which workloads know their pods added. " +
				"Another new label passes where the pod has a controller; and so does a leader label (below), by the pod's own service account",
			Disrupts: running + ` && ` + labelsChanged + ` && !(` + oldLabels + `.all(k, ` + labelKept + ` || ` + leads + `) && ` + list(workloadLabels) + `.all(k, ` + labelKept + `))`,
			Because:  "by a changed label, for which its workload may replace it or its Service drop it",
		},
		{
			Name: "pod-adoption", Disruption: gate.Delete, Resource: "pods", Kind: "Pod", Operation: "UPDATE",
			Summary:  "a new label of a pod that has no controller: a workload that it fits adopts the pod, and deletes it or an older one as one too many",
			Disrupts: running + ` && ` + labelsChanged + ` && !` + hasController + ` && !(` + newLabels + `.all(k, k in ` + oldLabels + `))`,
			Because:  "by a new label, for which a workload may adopt it, and delete it or another pod as one too many",
		},
		{
			Name: "pod-owner", Disruption: gate.Delete, Resource: "pods", Kind: "Pod", Operation: "UPDATE",
			Summary:  "another controller among its ownerReferences, or none any more; ownerReferences where there were none, or in the place of one",
			Disrupts: running + ` && ` + ownersChanged + ` && (` + ownersReplaced + ` || ` + controllerChanged + `)`,
			Because:  "by other owner references, which may make the garbage collector or a workload delete it",
		},
		{
			// Not what a workload's own controller lets go, which it does when the pod's labels no longer fit.
			Name: "pod-released", Disruption: gate.Delete, Resource: "pods", Kind: "Pod", Operation: "UPDATE",
			Summary:      "let go by the garbage collector (--cascade=orphan): a ReplicaSet that it fits adopts the pod, and deletes an older one as one too many",
			Disrupts:     running + ` && ` + ownersChanged + ` && ` + byCollector + ` && ` + hasController + ` && ` + controllerChanged,
			Because:      "by letting it go, for which a workload may adopt it, and delete another pod as one too many",
			ControlPlane: true,
		},
		{
			Name: "pod-deadline", Disruption: gate.Delete, Resource: "pods", Kind: "Pod", Operation: "UPDATE",
			Summary:  "another activeDeadlineSeconds: the kubelet ends the pod when it has passed",
			Disrupts: running + ` && object.spec.?activeDeadlineSeconds != oldObject.spec.?activeDeadlineSeconds`,
			Because:  "by a deadline",
		},
		{
			Name: "pod-toleration", Disruption: gate.Delete, Resource: "pods", Kind: "Pod", Operation: "UPDATE",
			Summary: "fewer tolerationSeconds, or a new toleration with less: a taint that was tolerated ends the pod",
			Disrupts: running + ` && object.spec.?tolerations.orValue([]).exists(n, has(n.tolerationSeconds) && !(n in oldObject.spec.?tolerations.orValue([]))` +
				` && oldObject.spec.?tolerations.orValue([]).exists(o, o.?effect.orValue('') in ['', 'NoExecute'] && (o.?key == n.?key || !has(o.key) || !has(n.key))` +
				` && (!has(o.tolerationSeconds) || o.tolerationSeconds > n.tolerationSeconds)))`,
			Because: "by tolerating a taint for less time",
		},
		{
			Name: "pod-delete", Disruption: gate.Delete, Resource: "pods", Kind: "Pod", Operation: "DELETE",
			Summary:  "kubectl delete, deletecollection; one that has ended, is on no node yet, or is being deleted already, passes",
			Disrupts: running + ` && oldObject.spec.?nodeName.orValue('') != '' && !has(oldObject.metadata.deletionTimestamp)`,
		},
		leavesSelector("", "pod", "pods", "Pod"),
	},
}

const (
	running = `!(oldObject.status.?phase.orValue('') in ['Succeeded', 'Failed'])`

	ownAccount = `(request.userInfo.username == 'system:serviceaccount:' + oldObject.metadata.namespace + ':' + oldObject.spec.?serviceAccountName.orValue('default'))`

	labelKept = `object.metadata.?labels[?k] == oldObject.metadata.?labels[?k]`

	hasController = `oldObject.metadata.?ownerReferences.orValue([]).exists(o, o.?controller.orValue(false))`
)

// byCollector is CEL that says whether the garbage collector asks, of a pod that has a controller. Where all controllers are one user, the
// kind of the pod's own tells: workloads let their pods go themselves.
const byCollector = `(request.userInfo.username == 'system:serviceaccount:kube-system:generic-garbage-collector' || request.userInfo.username == 'system:kube-controller-manager'` +
	` && !oldObject.metadata.?ownerReferences.orValue([]).exists(o, o.?controller.orValue(false) && o.kind in ['ReplicaSet', 'ReplicationController', 'StatefulSet', 'DaemonSet', 'Job']))`

// controllerChanged is CEL that says whether a request gives the object another controller, or none.
var controllerChanged = controllerOf("object") + " != " + controllerOf("oldObject")

// workloadLabels are by which workloads know their pods. One that gains or changes such a label may be adopted, released or taken for
// outdated, and is then replaced, whoever writes it.
var workloadLabels = []string{
	"pod-template-hash", "controller-revision-hash", "pod-template-generation", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index",
}

// LeaderLabels are the labels by which databases and the like mark their leader, from within the pods.
var LeaderLabels = []string{
	"role",                                                                    // Patroni
	"spilo-role",                                                              // Spilo, the operator of Zalando
	"postgres-operator.crunchydata.com/role",                                  // the operators of Crunchy Data and Percona
	"cnpg.io/instanceRole",                                                    // CloudNativePG
	"kubedb.com/role",                                                         // KubeDB
	"vault-active", "vault-sealed", "vault-initialized", "vault-perf-standby", // HashiCorp Vault
	"openbao-active", "openbao-sealed", "openbao-initialized", "openbao-perf-standby", // OpenBao
}

// TellsWorkload says whether a label is one of those by which workloads know their pods: it can never be a leader label.
func TellsWorkload(label string) bool { return slices.Contains(workloadLabels, label) }

// leads is CEL that says whether label k marks the leader, and the pod's own account asks: a failover must not wait for a window. Whoever
// administers a namespace can ask as that account, so it may change nothing else; and the pods of what selects by any label, and then
// starts another pod, not at all.
var leads = `(` + ownAccount + ` && (k in ` + list(LeaderLabels) + ` || k in params.spec.?exempt.?leaderLabels.orValue([]))` +
	` && oldObject.metadata.?ownerReferences.orValue([]).exists(o, o.?controller.orValue(false) && !(o.kind in ['ReplicaSet', 'ReplicationController', 'DaemonSet'])))`

// controllerOf is CEL for the controller of an object, by all that the garbage collector knows it by; empty where there is none.
func controllerOf(object string) string {
	return object + `.metadata.?ownerReferences.orValue([]).filter(o, o.?controller.orValue(false)).map(o, o.uid + ' ' + o.kind + ' ' + o.name + ' ' + o.apiVersion.find('^.*/'))`
}

// images is CEL that lists the images of containers, in order; containers are neither added nor reordered in a pod.
func images(object, containers string) string {
	return object + `.spec.?` + containers + `.orValue([]).map(c, c.?image.orValue(''))`
}

// resized is CEL that says whether the resources of some container change that restarts for it.
func resized(containers string) string {
	return `oldObject.spec.?` + containers + `.orValue([]).exists(c, c.?resizePolicy.orValue([]).exists(p, p.restartPolicy == 'RestartContainer')` +
		` && (object.spec.?resources != oldObject.spec.?resources` +
		` || !object.spec.?` + containers + `.orValue([]).exists(n, n.name == c.name && n.?resources == c.?resources)))`
}

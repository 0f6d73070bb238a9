package doors

import "fonster.dev/fonster/internal/gate"

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
			Summary:  "a label changed or taken away: its workload replaces it, or its Service drops it; pod-template-hash or controller-revision-hash added. Another new label passes, and so does the pod's own service account (leader election)",
			Disrupts: running + ` && ` + labelsChanged + ` && !` + ownAccount + ` && !(` + oldLabels + `.all(k, ` + labelKept + `) && ` + list(adoptingLabels) + `.all(k, ` + labelKept + `))`,
			Because:  "by a changed label, for which its workload may replace it or its Service drop it",
		},
		{
			Name: "pod-owner", Disruption: gate.Delete, Resource: "pods", Kind: "Pod", Operation: "UPDATE",
			Summary:  "changed ownerReferences",
			Disrupts: running + ` && ` + ownersChanged,
			Because:  "by other owner references, which may make the garbage collector delete it",
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
			Summary:  "kubectl delete, deletecollection; one that has ended, or is being deleted already, passes",
			Disrupts: running + ` && !has(oldObject.metadata.deletionTimestamp)`,
		},
		leavesSelector("", "pod", "pods", "Pod"),
	},
}

const (
	running = `!(oldObject.status.?phase.orValue('') in ['Succeeded', 'Failed'])`

	// ownAccount: databases mark their leader by a label, from within the pods; a failover must not wait for a window.
	ownAccount = `(request.userInfo.username == 'system:serviceaccount:' + oldObject.metadata.namespace + ':' + oldObject.spec.?serviceAccountName.orValue('default'))`
)

const labelKept = `object.metadata.?labels[?k] == oldObject.metadata.?labels[?k]`

// adoptingLabels mark the pods of workloads: one that gains such a label may be adopted, and then removed as one too many.
var adoptingLabels = []string{"pod-template-hash", "controller-revision-hash"}

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

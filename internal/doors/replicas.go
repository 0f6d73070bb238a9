package doors

import (
	"strings"

	"fonster.dev/fonster/internal/gate"
)

// replicas: what the controllers of workloads keep for themselves, edited by hand, and ReplicationControllers.
var replicas = Family{
	Name:       "replicas",
	Title:      "ReplicaSets, ReplicationControllers, ControllerRevisions",
	OfWorkload: ofWorkload,
	Doors: []Door{
		{
			Name: "replicaset-rollout", Disruption: gate.Rollout, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "UPDATE",
			// Without pods too: a Deployment takes the oldest of its ReplicaSets that has its template for the current one. And up as well as
			// down: it takes the pods of the others away when the one of its template is full, also while it is paused.
			Summary: "of a Deployment, or of another controller: anything of its spec, such as more or fewer replicas, and the annotations " +
				strings.Join(believed, ", ") + "; of a Deployment, with pods: other labels or owners. Argo Rollouts may write the spec of its own",
			Disrupts: `(` + hasController + ` && (` + specChanged + ` || ` + annotationsChanged + ` && ` + believedChanged + `) && !` + byArgoRollouts("oldObject") +
				` || ` + ofDeployment + ` && ` + podsExist + ` && (` + labelsChanged + ` || ` + ownersChanged + `))`,
			Because: "(its Deployment would replace the pods)",
		},
		{
			Name: "replicaset-sleeper", Disruption: gate.Rollout, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary:  "of no controller: another pod template",
			Disrupts: `!` + hasController + ` && ` + templateChanged,
			Because:  "(a Deployment that its labels fit would take it over, and may replace pods)",
		},
		{
			// The garbage collector too: it takes the owner away from what is left behind (--cascade=orphan), and that waits.
			Name: "replicaset-released", Disruption: gate.Rollout, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary:      "of another controller than a Deployment: that controller is no longer among its ownerReferences, also by the garbage collector",
			Disrupts:     ownersChanged + ` && ` + controllerChanged + ` && ` + hasController + ` && !` + ofDeployment,
			Because:      "(a Deployment that its labels fit would take it over, and may replace pods)",
			ControlPlane: true,
		},
		{
			Name: "replicaset-controller", Disruption: gate.Rollout, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary:  "of a Deployment, or of no controller: another controller among its ownerReferences",
			Disrupts: ownersChanged + ` && ` + controllerChanged,
			Because:  "(a Deployment would take it over, or lose it, and may replace pods)",
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
			Summary:  "with pods: other ownerReferences in the place of one, or where there were none",
			Disrupts: podsExist + ` && ` + ownersChanged + ` && ` + ownersReplaced,
			Because:  "by other owner references, which may make the garbage collector delete it",
		},
		{
			Name: "replicaset-scale-down", Disruption: gate.ScaleDown, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary:  "of no Deployment: fewer spec.replicas than before",
			Disrupts: `!` + ofDeployment + ` && ` + podsExist + ` && object.spec.?replicas.orValue(1) < oldObject.spec.?replicas.orValue(1)`,
		},
		toZero("apps", "replicaset", "replicasets", "ReplicaSet", podsExist+` && !`+ofDeployment),
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
		toZero("", "replicationcontroller", "replicationcontrollers", "ReplicationController", podsExist),
		{
			Name: "replicationcontroller-selector", Disruption: gate.Rollout, Resource: "replicationcontrollers", Kind: "ReplicationController", Operation: "UPDATE",
			Summary:  "another spec.selector: it lets pods go, which another may take over and remove",
			Disrupts: podsExist + ` && object.spec.?selector != oldObject.spec.?selector`,
			Because:  "by another selector, which lets its pods go",
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
		{
			Name: "controllerrevision-order", Disruption: gate.Rollout, Group: "apps", Resource: "controllerrevisions", Kind: "ControllerRevision", Operation: "UPDATE",
			Summary:  "another revision number: of equal revisions a StatefulSet takes the newest for the current one",
			Disrupts: `object.revision != oldObject.revision`,
			Because:  "(its StatefulSet may take it for the current one, and replace the pods)",
		},
	},
}

// creations: what a controller believes that finds it beside its own. Its labels are its creator's choice.
var creations = Family{
	Name:        "creations",
	Title:       "Creating what belongs to a workload",
	ByNamespace: true,
	Doors: []Door{
		{
			Name: "replicaset-create", Disruption: gate.Rollout, Group: "apps", Resource: "replicasets", Kind: "ReplicaSet", Operation: "CREATE",
			Summary:  "any, but for those of Argo Rollouts: a Deployment takes over what its labels fit, also while it is paused",
			Disrupts: `!` + byArgoRollouts("object"),
			Because:  "by creating it (a Deployment that its labels fit would take it over, and may replace pods)",
		},
		{
			Name: "controllerrevision-create", Disruption: gate.Rollout, Group: "apps", Resource: "controllerrevisions", Kind: "ControllerRevision", Operation: "CREATE",
			Summary: "any: a StatefulSet takes over what its labels fit, and may take it for the current one",
			Because: "by creating it (a StatefulSet that its labels fit would take it over, and may replace pods)",
		},
	},
}

// believed are the annotations of a ReplicaSet that the Deployment controller reads before it scales or rolls back.
var believed = []string{
	"deployment.kubernetes.io/desired-replicas", "deployment.kubernetes.io/max-replicas", "deployment.kubernetes.io/revision",
}

var believedChanged = list(believed) + `.exists(k, object.metadata.?annotations[?k] != oldObject.metadata.?annotations[?k])`

// byArgoRollouts is CEL that says whether a ReplicaSet belongs to Argo Rollouts, and its controller asks. A Deployment knows its own by
// the UID of the controller alone, whatever kind is named beside it, and nobody checks that: so the kind is believed of who may
// write the finalizers of such objects, as their controller may, and who may edit them may not.
func byArgoRollouts(object string) string {
	return `(` + object + `.metadata.?ownerReferences.orValue([]).exists(o, o.?controller.orValue(false) && o.apiVersion.startsWith('argoproj.io/') && o.kind in ['Rollout', 'Experiment'])` +
		` && ` + mayFinalizeRollouts + `)`
}

const mayFinalizeRollouts = `authorizer.group('argoproj.io').resource('rollouts').subresource('finalizers').namespace(request.namespace).check('update').allowed()`

const (
	// specChanged: the API server counts the generation up when the spec has changed.
	specChanged = `object.metadata.generation != oldObject.metadata.generation`

	ofDeployment = `oldObject.metadata.?ownerReferences.orValue([]).exists(o, o.kind == 'Deployment' && o.?controller.orValue(false))`
	podsExist    = `(oldObject.status.?replicas.orValue(0) > 0 || oldObject.spec.?replicas.orValue(1) > 0)`
)

package policygen

import "fonster.dev/fonster/api/v1alpha1"

// scales: kubectl scale, and everything else that writes a Scale. The horizontal pod autoscaler passes, but for the ReplicaSets of
// Deployments: of the control plane nobody else writes a Scale, and it scales the Deployment itself.
var scales = RuleSet{
	Name: "scales", Title: "The scale subresource",
	LabelsNote: "Scale requests carry no labels, so the whole namespace is governed. If no window selects this workload, change spec.replicas instead.",
	Rules: []Rule{
		scale("apps", "deployment", "deployments", "Deployment"),
		scale("apps", "statefulset", "statefulsets", "StatefulSet"),
		{
			Name: "replicaset-scale-rollout", Disruption: v1alpha1.Rollout, Group: "apps", Resource: "replicasets/scale", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary:      "of a Deployment: more or fewer replicas than before, also by the horizontal pod autoscaler",
			When:         "scaleOfDeploymentChanged",
			Because:      "(its Deployment would replace the pods)",
			ControlPlane: true,
		},
		{
			// One that a Deployment has taken over need not have its label.
			Name: "replicaset-scale-up", Disruption: v1alpha1.Rollout, Group: "apps", Resource: "replicasets/scale", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary: "more replicas than before: a Scale does not tell whether a Deployment owns the ReplicaSet. spec.replicas of the ReplicaSet itself does",
			When:    "scaleHigher",
			Because: "(a Deployment may own it, which would replace the pods: a Scale does not tell. Where none does, change spec.replicas of the ReplicaSet itself)",
		},
		{
			Name: "replicaset-scale", Disruption: v1alpha1.ScaleDown, Group: "apps", Resource: "replicasets/scale", Kind: "ReplicaSet", Operation: "UPDATE",
			Summary: "of no Deployment: fewer replicas than before",
			When:    "scaleOfOthersLower",
		},
		scale("", "replicationcontroller", "replicationcontrollers", "ReplicationController"),
		scaleToZero("apps", "deployment", "deployments", "Deployment"),
		scaleToZero("apps", "statefulset", "statefulsets", "StatefulSet"),
		scaleToZero("apps", "replicaset", "replicasets", "ReplicaSet"),
		scaleToZero("", "replicationcontroller", "replicationcontrollers", "ReplicationController"),
	},
}

func scale(group, name, resource, kind string) Rule {
	return Rule{
		Name: name + "-scale", Disruption: v1alpha1.ScaleDown, Group: group, Resource: resource + "/scale", Kind: kind, Operation: "UPDATE",
		Summary: "fewer replicas than before",
		When:    "scaleLower",
	}
}

func scaleToZero(group, name, resource, kind string) Rule {
	return Rule{
		Name: name + "-scale-to-zero", Disruption: v1alpha1.Delete, Group: group, Resource: resource + "/scale", Kind: kind, Operation: "UPDATE",
		Summary: "replicas to 0",
		When:    "scaleZero",
		Because: becauseToZero,
	}
}

// autoscalers: whoever writes one lets the horizontal pod autoscaler, which always passes, take pods away.
var autoscalers = RuleSet{
	Name: "autoscalers", Title: "HorizontalPodAutoscalers",
	LabelsNote: "The labels of an autoscaler are not those of its workload, so the whole namespace is governed.",
	Rules: []Rule{
		{
			Name: "autoscaler-create", Disruption: v1alpha1.ScaleDown, Group: "autoscaling", Resource: "horizontalpodautoscalers", Kind: "HorizontalPodAutoscaler", Operation: "CREATE",
			Summary: "any: more replicas than its maxReplicas are taken away at once",
			Because: becauseAutoscaler,
		},
		{
			Name: "autoscaler-change", Disruption: v1alpha1.ScaleDown, Group: "autoscaling", Resource: "horizontalpodautoscalers", Kind: "HorizontalPodAutoscaler", Operation: "UPDATE",
			Summary: "a lower maxReplicas or minReplicas, another scaleTargetRef, other metrics, another behavior.scaleDown; of a ReplicaSet, against which a Deployment may scale: anything of its spec",
			When:    "autoscalerLowered",
			Because: becauseAutoscaler,
		},
		{
			Name: "autoscaler-create-to-zero", Disruption: v1alpha1.Delete, Group: "autoscaling", Resource: "horizontalpodautoscalers", Kind: "HorizontalPodAutoscaler", Operation: "CREATE",
			Summary: "one with minReplicas 0",
			When:    "newMinimum == 0",
			Because: becauseNoReplicas,
		},
		{
			Name: "autoscaler-to-zero", Disruption: v1alpha1.Delete, Group: "autoscaling", Resource: "horizontalpodautoscalers", Kind: "HorizontalPodAutoscaler", Operation: "UPDATE",
			Summary: "minReplicas to 0; another scaleTargetRef of one with minReplicas 0",
			When:    "autoscalerToZero",
			Because: becauseNoReplicas,
		},
	},
}

const (
	becauseAutoscaler = "(it would let the autoscaler take pods away)"
	becauseNoReplicas = "(it would let the autoscaler scale to zero)"
)

package doors

import "fonster.dev/fonster/internal/gate"

// autoscalers: whoever writes one lets the horizontal pod autoscaler, which always passes, take pods away. Within the bounds that it has it
// scales at all times, and must be able to.
var autoscalers = Family{
	Name:        "autoscalers",
	Title:       "HorizontalPodAutoscalers",
	ByNamespace: true, // its labels are not those of its workload
	Doors: []Door{
		{
			Name: "autoscaler-create", Disruption: gate.ScaleDown, Group: "autoscaling", Resource: "horizontalpodautoscalers", Kind: "HorizontalPodAutoscaler", Operation: "CREATE",
			Summary: "any: more replicas than its maxReplicas are taken away at once",
			Because: becauseAutoscaler,
		},
		{
			Name: "autoscaler-change", Disruption: gate.ScaleDown, Group: "autoscaling", Resource: "horizontalpodautoscalers", Kind: "HorizontalPodAutoscaler", Operation: "UPDATE",
			Summary: "a lower maxReplicas or minReplicas, another scaleTargetRef, other metrics, another behavior.scaleDown; of a ReplicaSet, against which a Deployment may scale: anything of its spec",
			Disrupts: `object.spec.maxReplicas < oldObject.spec.maxReplicas || ` + newMinimum + ` < ` + oldMinimum + ` || ` + targetChanged +
				` || object.spec.?metrics != oldObject.spec.?metrics || object.spec.?behavior.?scaleDown != oldObject.spec.?behavior.?scaleDown` +
				` || object.spec.scaleTargetRef.kind == 'ReplicaSet' && object.spec != oldObject.spec`,
			Because: becauseAutoscaler,
		},
		{
			Name: "autoscaler-create-to-zero", Disruption: gate.Delete, Group: "autoscaling", Resource: "horizontalpodautoscalers", Kind: "HorizontalPodAutoscaler", Operation: "CREATE",
			Summary:  "one with minReplicas 0",
			Disrupts: newMinimum + ` == 0`,
			Because:  becauseNoReplicas,
		},
		{
			Name: "autoscaler-to-zero", Disruption: gate.Delete, Group: "autoscaling", Resource: "horizontalpodautoscalers", Kind: "HorizontalPodAutoscaler", Operation: "UPDATE",
			Summary:  "minReplicas to 0; another scaleTargetRef of one with minReplicas 0",
			Disrupts: newMinimum + ` == 0 && (` + oldMinimum + ` > 0 || ` + targetChanged + `)`,
			Because:  becauseNoReplicas,
		},
	},
}

const (
	newMinimum    = `object.spec.?minReplicas.orValue(1)`
	oldMinimum    = `oldObject.spec.?minReplicas.orValue(1)`
	targetChanged = `object.spec.scaleTargetRef != oldObject.spec.scaleTargetRef`

	becauseAutoscaler = "(it would let the autoscaler take pods away)"
	becauseNoReplicas = "(it would let the autoscaler scale to zero)"
)

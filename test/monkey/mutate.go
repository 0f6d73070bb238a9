package monkey

import "fmt"

// mutator makes a merge patch that changes one thing.
type mutator func(*generator, target) object

// mutators are what can be changed of each kind, by name.
var mutators map[string]map[string]mutator

const (
	prefix     = "maintenance.fonster.dev/"
	deployment = "deployment.kubernetes.io/"
)

func init() { // the mutators of workloads have others in common
	metadata := map[string]mutator{
		"annotate": func(g *generator, _ target) object { return annotated(g.annotations()) },
		"label":    func(g *generator, t target) object { return labelled(g.labels(t)) },
		"own": func(g *generator, _ target) object {
			return object{"metadata": object{"ownerReferences": g.ownersOrNone()}}
		},
		"finalize": func(g *generator, _ target) object { return object{"metadata": object{"finalizers": g.finalizers()}} },
		"notes":    func(g *generator, _ target) object { return object{"metadata": g.overrideNotes()} },
		"marks":    func(g *generator, _ target) object { return labelled(g.marks()) },
	}
	replicas := func(g *generator, t target) object { return spec("replicas", g.replicas(t)) }
	ready := func(g *generator, _ target) object { return spec("minReadySeconds", one(g, 0, 1, 3600)) }
	history := func(g *generator, _ target) object { return spec("revisionHistoryLimit", one(g, 0, 1, 10)) }
	mutators = map[string]map[string]mutator{
		"any": metadata,
		"apps/deployments": with(metadata, map[string]mutator{
			"template": templated, "template-again": templated, "replicas": replicas, "min-ready": ready, "history": history,
			"rollback": rollback, "pause": pause, "pause-again": pause,
			"strategy": func(g *generator, _ target) object { return spec("strategy", g.strategy()) },
			"deadline": func(g *generator, _ target) object {
				return spec("progressDeadlineSeconds", one(g, 5, 600, 2147483647))
			},
		}),
		"apps/replicasets": with(metadata, map[string]mutator{
			"template": templated, "replicas": replicas, "min-ready": ready,
			"sizes": func(g *generator, _ target) object { return annotated(g.setAnnotations()) },
		}),
		"core/replicationcontrollers": with(metadata, map[string]mutator{
			"template": templated, "replicas": replicas, "min-ready": ready, "selector": replicationSelector,
		}),
		"apps/statefulsets": with(metadata, map[string]mutator{
			"template": templated, "replicas": replicas, "min-ready": ready, "history": history,
			"strategy": func(g *generator, _ target) object { return spec("updateStrategy", g.statefulStrategy()) },
			"ordinals": func(g *generator, _ target) object { return spec("ordinals", object{"start": one(g, 0, 1, 5)}) },
			"management": func(g *generator, _ target) object {
				return spec("podManagementPolicy", one(g, "Parallel", "OrderedReady"))
			},
		}),
		"apps/daemonsets": with(metadata, map[string]mutator{
			"template": templated, "min-ready": ready, "history": history,
			"strategy": func(g *generator, _ target) object { return spec("updateStrategy", g.daemonStrategy()) },
			"nodes":    nodes,
		}),
		"core/pods": with(metadata, map[string]mutator{
			"label-again": metadata["label"], "label-once-more": metadata["label"],
			"image": func(g *generator, _ target) object {
				return spec("containers", []any{object{"name": "main", "image": g.image()}})
			},
			"deadline": func(g *generator, _ target) object { return spec("activeDeadlineSeconds", one(g, 1, 3600)) },
			"tolerate": func(g *generator, _ target) object {
				return spec("tolerations", []any{object{"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": one(g, 0, 300)}})
			},
			"cost": func(g *generator, _ target) object {
				return annotated(object{"controller.kubernetes.io/pod-deletion-cost": one(g, "-1000", "1000")})
			},
		}),
		"autoscaling/horizontalpodautoscalers": with(metadata, map[string]mutator{
			"most":   func(g *generator, _ target) object { return spec("maxReplicas", one(g, 1, 2, many)) },
			"least":  func(g *generator, _ target) object { return spec("minReplicas", one(g, 1, many)) },
			"target": func(g *generator, _ target) object { return g.autoscalerTarget() },
		}),
	}
}

func with(common, more map[string]mutator) map[string]mutator {
	all := map[string]mutator{}
	for name, m := range common {
		all[name] = m
	}
	for name, m := range more {
		all[name] = m
	}
	return all
}

func spec(field string, value any) object { return object{"spec": object{field: value}} }

func annotated(annotations object) object {
	return object{"metadata": object{"annotations": annotations}}
}

func labelled(labels object) object { return object{"metadata": object{"labels": labels}} }

func pause(g *generator, _ target) object { return spec("paused", one[any](g, true, true, false, nil)) }

func rollback(g *generator, t target) object {
	return annotated(object{"deprecated.deployment.rollback.to": one(g, "0", "1", "2", "77",
		fmt.Sprintf("$(of apps/replicasets rs:%s:0 metadata/annotations/deployment.kubernetes.io~1revision)", t.app))})
}

// templated changes the template: another image, an annotation, a label, or as one of the revisions has it.
func templated(g *generator, t target) object {
	var change any
	switch g.rng.IntN(6) {
	case 0, 1, 2:
		change = object{"spec": object{"containers": []any{object{"name": "main", "image": g.image()}}}}
	case 3:
		change = annotated(object{"kubectl.kubernetes.io/restartedAt": one(g, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")})
	case 4:
		change = labelled(object{one(g, "pod-template-hash", "tier", "app"): one(g, "77", "web")})
	default:
		change = object{"spec": g.podSpec(t.app)}
	}
	return spec("template", change)
}

// replicationSelector changes which pods a ReplicationController takes for its own.
func replicationSelector(g *generator, t target) object {
	value := one(g, "1", "2")
	return object{"spec": object{
		"selector": object{"v": value}, "template": labelled(object{"v": value, "app": t.app}),
	}}
}

func nodes(g *generator, _ target) object {
	return spec("template", object{"spec": one(g,
		object{"nodeSelector": object{"kubernetes.io/hostname": one(g, "node-1", "none")}},
		object{"nodeName": "node-1"},
		object{"tolerations": []any{object{"operator": "Exists"}}},
		object{"affinity": object{"nodeAffinity": object{"requiredDuringSchedulingIgnoredDuringExecution": object{
			"nodeSelectorTerms": []any{object{"matchExpressions": []any{
				object{"key": "kubernetes.io/hostname", "operator": "In", "values": []any{"node-1"}},
			}}},
		}}}},
	)})
}

func (g *generator) strategy() object {
	if g.chance(0.3) {
		return object{"type": "Recreate", "rollingUpdate": nil}
	}
	return object{"type": "RollingUpdate", "rollingUpdate": object{
		"maxSurge": one[any](g, 0, 1, "100%"), "maxUnavailable": one[any](g, 1, "25%", "100%"),
	}}
}

// statefulStrategy never parks, which is left out (see Sequence).
func (g *generator) statefulStrategy() object {
	return object{"type": "RollingUpdate", "rollingUpdate": object{
		"partition": one(g, 0, 1), "maxUnavailable": one[any](g, 1, 2, "100%"),
	}}
}

func (g *generator) daemonStrategy() object {
	if g.chance(0.4) {
		return object{"type": "OnDelete", "rollingUpdate": nil}
	}
	return object{"type": "RollingUpdate", "rollingUpdate": one(g,
		object{"maxUnavailable": "100%", "maxSurge": 0}, object{"maxSurge": 1, "maxUnavailable": 0},
	)}
}

func (g *generator) autoscalerTarget() object {
	app := g.label()
	return spec("scaleTargetRef", reference(resourceOf[app], app))
}

// annotations are one that a controller reads, or none of anybody's.
func (g *generator) annotations() object {
	return one(g,
		object{"note": one(g, "1", "2")},
		object{"kubectl.kubernetes.io/last-applied-configuration": one(g,
			`{"spec":{"paused":true}}`, `{"spec":{"updateStrategy":{"type":"OnDelete"}}}`, "{}")},
		object{"deprecated.daemonset.template.generation": one(g, "0", "1", "99")},
		object{deployment + "revision": one(g, "0", "1", "77")},
		object{prefix + "release-priority": "999999999"},
		object{"controller.kubernetes.io/pod-deletion-cost": one(g, "-1000", "1000")},
		object{"batch.kubernetes.io/job-tracking": ""},
		object{"autoscaling.alpha.kubernetes.io/conditions": "[]"},
	)
}

// setAnnotations are those by which a Deployment knows its ReplicaSets.
func (g *generator) setAnnotations() object {
	all := object{
		deployment + "desired-replicas": one(g, "0", "1", "2", "3", "7"),
		deployment + "max-replicas":     one(g, "1", "4", "100000"),
		deployment + "revision":         one(g, "0", "1", "77"),
		deployment + "revision-history": "1,77",
		prefix + "override":             "the admin says so",
	}
	chosen := object{}
	for _, key := range []string{"desired-replicas", "max-replicas", "revision", "revision-history"} {
		if g.chance(0.4) {
			chosen[deployment+key] = all[deployment+key]
		}
	}
	if g.chance(0.2) {
		chosen[prefix+"override"] = all[prefix+"override"]
	}
	return chosen
}

// labels are one that something selects by.
func (g *generator) labels(t target) object {
	return one(g,
		object{"app": one[any](g, "web", "bare", "old", "db", "none", nil)},
		object{"app": t.app},
		object{"app": t.app, "pod-template-hash": g.hash("web")},
		object{"pod-template-hash": one[any](g, "77", "zero", nil)},
		object{"controller-revision-hash": "x", "pod-template-generation": "0"},
		object{"statefulset.kubernetes.io/pod-name": "db-9"},
		object{"apps.kubernetes.io/pod-index": "9"},
		object{"canary": one[any](g, "1", nil)},
		object{"v": one[any](g, "1", "2", nil)},
		object{"batch.kubernetes.io/job-name": "job", "batch.kubernetes.io/controller-uid": "x"},
	)
}

// marks are the labels of ours.
func (g *generator) marks() object {
	return one(g,
		object{prefix + "held": one[any](g, "true", "releasing", "let-go", nil)},
		object{prefix + "held-since": one[any](g, "2020-01-01T00.00.00Z", nil)},
		object{prefix + "held-partition": one[any](g, "0", nil)},
		object{prefix + "held": nil, prefix + "held-since": nil, prefix + "held-partition": nil},
		object{prefix + "overridden": one[any](g, "true", nil)},
	)
}

// overrideNotes are metadata that say that an override stands.
func (g *generator) overrideNotes() object {
	metadata := object{"annotations": object{prefix + "override": one(g, "the admin says so", "another reason")}}
	if g.chance(0.7) {
		merge(metadata, object{"annotations": object{
			prefix + "override-until": "2099-01-01T00:00:00Z", prefix + "override-by": "nobody", prefix + "override-from": "2020-01-01T00:00:00Z/1",
		}})
	}
	if g.chance(0.5) {
		metadata["labels"] = object{prefix + "overridden": "true"}
	}
	return metadata
}

func (g *generator) finalizers() any {
	return one[any](g, []any{"foregroundDeletion"}, []any{"orphan"}, []any{}, nil)
}

func (g *generator) ownersOrNone() any {
	if g.chance(0.4) {
		return nil
	}
	return g.owners()
}

// owners are ownerReferences of some sort: of what is gone, of what is there, as a controller or not.
func (g *generator) owners() []any {
	app := g.label()
	resource, name := resourceOf[app], app
	switch g.rng.IntN(5) {
	case 0:
		resource, name = "core/configmaps", one(g, "cm", "boss")
	case 1:
		resource, name = "apps/replicasets", one(g, "rs-a", "rs-b", "bare")
	case 2:
		resource, name = "apps/deployments", one(g, "web", "new")
	}
	owner := reference(resource, name)
	owner["uid"] = fmt.Sprintf("$(of %s %s metadata/uid)", resource, name)
	if g.chance(0.3) {
		owner["uid"], owner["name"] = "00000000-0000-4000-8000-000000000000", "gone"
	}
	if g.chance(0.5) {
		owner["controller"] = true
	}
	if g.chance(0.3) {
		owner["blockOwnerDeletion"] = true
	}
	return []any{owner}
}

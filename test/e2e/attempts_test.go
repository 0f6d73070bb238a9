package e2e

import (
	"context"
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// relabelled stands for a rule in attempts: the protection of the labels by which windows and freezes select.
const relabelled = "object-relabelled"

// attempts are the rows of docs/rules.md: what is gated, and beside it what passes on purpose.
var attempts = map[string]attempt{
	"deployment: a new image":                               through("deployment-rollout", newDeployment(2), nil, update(newImage), "Rollout of Deployment"),
	"deployment: a new image without pods passes":           beside("deployment-rollout", newDeployment(0), nil, update(newImage)),
	"deployment: a label passes":                            beside(relabelled, newDeployment(2), nil, update(note)),
	"deployment: scaling up passes":                         beside("deployment-scale-down", newDeployment(2), nil, update(replicas(3))),
	"deployment: a new image while paused passes":           beside("deployment-rollout", newDeployment(2), steps(onDeployment(paused)), update(newImage)),
	"deployment: pausing passes":                            beside("deployment-rollout", newDeployment(2), nil, update(onDeployment(paused))),
	"deployment: resuming with a change to roll out":        through("deployment-rollout", newDeployment(2), steps(onDeployment(paused), newImage), update(onDeployment(func(d *appsv1.Deployment) { d.Spec.Paused = false })), "Rollout of Deployment"),
	"deployment: resuming with nothing to roll out passes":  beside("deployment-rollout", newDeployment(2), steps(onDeployment(paused)), update(onDeployment(func(d *appsv1.Deployment) { d.Spec.Paused = false }))),
	"deployment: another strategy with nothing to roll out": beside("deployment-rollout", newDeployment(2), nil, update(onDeployment(surge))),
	"deployment: fewer replicas":                            through("deployment-scale-down", newDeployment(2), nil, update(replicas(1)), "ScaleDown of Deployment"),
	"deployment: a finalizer passes":                        beside("deployment-delete", newDeployment(2), nil, update(func(o client.Object) { o.SetFinalizers([]string{"example.com/guard"}) })),
	"deployment: delete":                                    through("deployment-delete", newDeployment(2), nil, remove, "Delete of Deployment"),
	"deployment: an owner that does not exist":              through("deployment-owner", newDeployment(1), nil, update(deadOwner), "Delete of Deployment", "garbage collector"),
	"deployment: no owner any more passes":                  beside("deployment-owner", newDeployment(1), steps(liveOwner), update(noOwner)),
	"deployment: out of the selector":                       through(relabelled, newDeployment(1), nil, update(leave), "Changing the labels of Deployment", "by which windows and freezes select it"),
	"deployment: a patch of status passes":                  beside("deployment-rollout", newDeployment(1), nil, status(onDeployment(func(d *appsv1.Deployment) { d.Status.CollisionCount = new(int32(0)) }))),

	"deployment: the annotation that rolls back":        through("deployment-rollback", newDeployment(2), nil, update(rollBack), "Rollout of Deployment", "would roll it back"),
	"deployment: resuming with the annotation":          through("deployment-rollback", newDeployment(2), steps(pausedToRollBack), update(onDeployment(func(d *appsv1.Deployment) { d.Spec.Paused = false })), "Rollout of Deployment", "would roll it back"),
	"deployment: without the annotation again passes":   beside("deployment-rollback", newDeployment(2), steps(pausedToRollBack), update(func(o client.Object) { o.SetAnnotations(nil) })),
	"deployment: an annotation passes":                  beside("deployment-rollback", newDeployment(2), nil, update(annotate)),
	"deployment: another strategy, paused in a rollout": through("deployment-strategy", newDeployment(2), steps(onDeployment(stuck), onDeployment(paused)), update(onDeployment(surge)), "Rollout of Deployment", "by another strategy"),
	"deployment: another strategy, paused before one":   beside("deployment-strategy", newDeployment(2), steps(onDeployment(paused), newImage), update(onDeployment(surge))),
	"deployment: to zero":                               through("deployment-to-zero", newDeployment(2), nil, update(replicas(0)), "of Deployment", "by scaling it to zero"),
	"deployment: from zero passes":                      beside("deployment-to-zero", newDeployment(0), nil, update(replicas(1))),

	"statefulset: a new image":                                   through("statefulset-rollout", newStatefulSet(2), nil, update(newImage), "Rollout of StatefulSet"),
	"statefulset: a new image without pods passes":               beside("statefulset-rollout", newStatefulSet(0), nil, update(newImage)),
	"statefulset: a label passes":                                beside(relabelled, newStatefulSet(2), nil, update(note)),
	"statefulset: scaling up passes":                             beside("statefulset-scale-down", newStatefulSet(2), nil, update(replicas(3))),
	"statefulset: a new image under OnDelete passes":             beside("statefulset-rollout", newStatefulSet(2, manual), nil, update(newImage)),
	"statefulset: a new image behind the partition passes":       beside("statefulset-rollout", newStatefulSet(2, parked), nil, update(newImage)),
	"statefulset: a lower partition with a change to roll out":   through("statefulset-rollout", newStatefulSet(2, parked), steps(newImage), update(onStatefulSet(func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy = partition(1) })), "Rollout of StatefulSet"),
	"statefulset: a lower partition with nothing to roll out":    beside("statefulset-rollout", newStatefulSet(2, parked), nil, update(onStatefulSet(func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy = partition(0) }))),
	"statefulset: a higher partition passes":                     beside("statefulset-rollout", newStatefulSet(2), nil, update(onStatefulSet(func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy = partition(2) }))),
	"statefulset: RollingUpdate again with a change to roll out": through("statefulset-rollout", newStatefulSet(2, manual), steps(newImage), update(onStatefulSet(func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy = partition(0) })), "Rollout of StatefulSet"),
	"statefulset: other ordinals":                                through("statefulset-rollout", newStatefulSet(2), nil, update(onStatefulSet(func(s *appsv1.StatefulSet) { s.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: 5} })), "Rollout of StatefulSet"),
	"statefulset: fewer replicas":                                through("statefulset-scale-down", newStatefulSet(2), nil, update(replicas(0)), "ScaleDown of StatefulSet"),
	"statefulset: to zero":                                       through("statefulset-to-zero", newStatefulSet(1), nil, update(replicas(0)), "of StatefulSet", "by scaling it to zero"),
	"statefulset: from zero passes":                              beside("statefulset-to-zero", newStatefulSet(0), nil, update(replicas(1))),
	"statefulset: delete":                                        through("statefulset-delete", newStatefulSet(2), nil, remove, "Delete of StatefulSet"),
	"statefulset: an owner that does not exist":                  through("statefulset-owner", newStatefulSet(1), nil, update(deadOwner), "Delete of StatefulSet", "garbage collector"),
	"statefulset: out of the selector":                           through(relabelled, newStatefulSet(1), nil, update(leave), "Changing the labels of StatefulSet", "by which windows and freezes select it"),

	"daemonset: a new image":                                   through("daemonset-rollout", newDaemonSet(), nil, update(newImage), "Rollout of DaemonSet"),
	"daemonset: a new image without pods passes":               beside("daemonset-rollout", newDaemonSet(nowhere), nil, update(newImage)),
	"daemonset: a label passes":                                beside(relabelled, newDaemonSet(), nil, update(note)),
	"daemonset: a new image under OnDelete passes":             beside("daemonset-rollout", newDaemonSet(onDelete), nil, update(newImage)),
	"daemonset: other nodes under OnDelete":                    through("daemonset-rollout", newDaemonSet(onDelete), nil, update(onDaemonSet(nowhere)), "Rollout of DaemonSet"),
	"daemonset: RollingUpdate again with a change to roll out": through("daemonset-rollout", newDaemonSet(onDelete), steps(newImage), update(onDaemonSet(rolling)), "Rollout of DaemonSet"),
	"daemonset: RollingUpdate again with nothing to roll out":  beside("daemonset-rollout", newDaemonSet(onDelete), nil, update(onDaemonSet(rolling))),
	"daemonset: delete":                                        through("daemonset-delete", newDaemonSet(), nil, remove, "Delete of DaemonSet"),
	"daemonset: an owner that does not exist":                  through("daemonset-owner", newDaemonSet(), nil, update(deadOwner), "Delete of DaemonSet", "garbage collector"),
	"daemonset: out of the selector":                           through(relabelled, newDaemonSet(), nil, update(leave), "Changing the labels of DaemonSet", "by which windows and freezes select it"),

	"replicaset: another template of a Deployment's":        through("replicaset-rollout", newDeployment(2), nil, ofReplicaSet(update(newImage)), "Rollout of ReplicaSet", "its Deployment would replace the pods"),
	"replicaset: the hash of a Deployment's":                through("replicaset-identity", newDeployment(2), nil, ofReplicaSet(update(relabel("pod-template-hash", "0"))), "Rollout of ReplicaSet", "its Deployment would replace the pods"),
	"replicaset: the owner of a Deployment's":               through("replicaset-identity", newDeployment(2), nil, ofReplicaSet(update(deadOwner)), "Rollout of ReplicaSet"),
	"replicaset: fewer replicas of a Deployment's":          through("replicaset-rollout", newDeployment(2), nil, ofReplicaSet(update(replicas(0))), "Rollout of ReplicaSet"),
	"replicaset: more replicas of a Deployment's":           through("replicaset-rollout", newDeployment(2), nil, ofReplicaSet(update(replicas(3))), "Rollout of ReplicaSet", "its Deployment would replace the pods"),
	"replicaset: more replicas of an old one":               through("replicaset-rollout", newDeployment(2), steps(newImage), ofOldReplicaSet(update(replicas(2))), "Rollout of ReplicaSet"),
	"replicaset: what a Deployment believes":                through("replicaset-rollout", newDeployment(2), nil, ofReplicaSet(update(believe("desired-replicas", "1"))), "Rollout of ReplicaSet", "its Deployment would replace the pods"),
	"replicaset: the maximum that a Deployment believes":    through("replicaset-rollout", newDeployment(2), nil, ofReplicaSet(update(believe("max-replicas", "100000"))), "Rollout of ReplicaSet"),
	"replicaset: the revision that a Deployment believes":   through("replicaset-rollout", newDeployment(2), steps(newImage), ofOldReplicaSet(update(believe("revision", "77"))), "Rollout of ReplicaSet"),
	"replicaset: the template of another controller's":      through("replicaset-rollout", newReplicaSet(0), steps(foreignController), update(newImage), "Rollout of ReplicaSet"),
	"replicaset: more replicas of Argo Rollouts' passes":    beside("replicaset-rollout", newReplicaSet(0), steps(ofRollouts), update(replicas(1))),
	"replicaset: no controller any more":                    strict(through("replicaset-released", newReplicaSet(0), steps(foreignController), update(noOwner), "Rollout of ReplicaSet", "would take it over")),
	"replicaset: an owner beside its controller passes":     beside("replicaset-released", newReplicaSet(0), steps(foreignController), update(oneMoreOwner)),
	"replicaset: a controller":                              through("replicaset-controller", newReplicaSet(0), nil, update(foreignController), "Rollout of ReplicaSet", "would take it over"),
	"replicaset: the controller of an old one":              through("replicaset-controller", newDeployment(2), steps(newImage), ofOldReplicaSet(update(noOwner)), "Rollout of ReplicaSet"),
	"replicaset: an owner of one without pods passes":       beside("replicaset-controller", newReplicaSet(0), nil, update(liveOwner)),
	"replicaset: create":                                    through("replicaset-create", newReplicaSet(0), nil, createAnother, "Rollout of ReplicaSet", "by creating it", "chooses its labels"),
	"replicaset: create one of another controller":          through("replicaset-create", newReplicaSet(0), steps(foreignController), createAnother, "Rollout of ReplicaSet"),
	"replicaset: create one of Argo Rollouts passes":        beside("replicaset-create", newReplicaSet(0), steps(ofRollouts), createAnother),
	"replicaset: to zero":                                   through("replicaset-to-zero", newReplicaSet(1), nil, update(replicas(0)), "of ReplicaSet", "by scaling it to zero"),
	"replicaset: from zero passes":                          beside("replicaset-to-zero", newReplicaSet(0), nil, update(replicas(1))),
	"replicaset: a finalizer of a Deployment's passes":      beside("replicaset-identity", newDeployment(1), nil, ofReplicaSet(update(func(o client.Object) { o.SetFinalizers([]string{"example.com/guard"}) }))),
	"replicaset: an annotation of a Deployment's passes":    beside("replicaset-rollout", newDeployment(1), nil, ofReplicaSet(update(annotate))),
	"replicaset: delete a Deployment's":                     through("replicaset-delete", newDeployment(2), nil, ofReplicaSet(remove), "Delete of ReplicaSet"),
	"replicaset: delete one without pods passes":            beside("replicaset-delete", newReplicaSet(0), nil, remove),
	"replicaset: fewer replicas of its own":                 through("replicaset-scale-down", newReplicaSet(2), nil, update(replicas(1)), "ScaleDown of ReplicaSet"),
	"replicaset: another template of its own":               through("replicaset-sleeper", newReplicaSet(1), nil, update(newImage), "Rollout of ReplicaSet", "would take it over"),
	"replicaset: a note on one of its own passes":           beside("replicaset-sleeper", newReplicaSet(1), nil, update(annotate)),
	"replicaset: the hash of an old one":                    through("replicaset-adoption", newDeployment(2), steps(newImage), ofOldReplicaSet(update(relabel("pod-template-hash", "0"))), "Rollout of ReplicaSet", "would take it over"),
	"replicaset: an owner of an old one passes":             beside("replicaset-owner", newDeployment(2), steps(newImage), ofOldReplicaSet(update(oneMoreOwner))),
	"replicaset: another template of an old one":            through("replicaset-rollout", newDeployment(2), steps(newImage), ofOldReplicaSet(update(thirdImage)), "Rollout of ReplicaSet", "its Deployment would replace the pods"),
	"replicaset: another label of its own":                  through("replicaset-adoption", newReplicaSet(1), nil, update(note), "Rollout of ReplicaSet", "would take it over"),
	"replicaset: an annotation of its own passes":           beside("replicaset-adoption", newReplicaSet(1), nil, update(annotate)),
	"replicaset: an owner that does not exist":              through("replicaset-owner", newReplicaSet(1), nil, update(deadOwner), "Delete of ReplicaSet", "garbage collector"),
	"replicaset: no owner any more passes":                  beside("replicaset-owner", newReplicaSet(1), steps(liveOwner), update(noOwner)),
	"replicaset: out of the selector":                       through(relabelled, newReplicaSet(1), nil, update(leave), "of ReplicaSet", "would take it over"),
	"replicaset: a finalizer passes":                        beside(relabelled, newReplicaSet(1), nil, update(func(o client.Object) { o.SetFinalizers([]string{"example.com/guard"}) })),
	"replicationcontroller: fewer replicas":                 through("replicationcontroller-scale-down", newReplicationController(2), nil, update(replicas(1)), "ScaleDown of ReplicationController"),
	"replicationcontroller: another template passes":        beside("replicationcontroller-scale-down", newReplicationController(1), nil, update(newImage)),
	"replicationcontroller: to zero":                        through("replicationcontroller-to-zero", newReplicationController(1), nil, update(replicas(0)), "of ReplicationController", "by scaling it to zero"),
	"replicationcontroller: from zero passes":               beside("replicationcontroller-to-zero", newReplicationController(0), nil, update(replicas(1))),
	"replicationcontroller: another selector":               through("replicationcontroller-selector", newReplicationController(1), nil, update(selectAnew), "Rollout of ReplicationController", "by another selector"),
	"replicationcontroller: another image passes":           beside("replicationcontroller-selector", newReplicationController(1), nil, update(newImage)),
	"replicationcontroller: delete":                         through("replicationcontroller-delete", newReplicationController(1), nil, remove, "Delete of ReplicationController"),
	"replicationcontroller: delete one without pods passes": beside("replicationcontroller-delete", newReplicationController(0), nil, remove),
	"replicationcontroller: an owner that does not exist":   through("replicationcontroller-owner", newReplicationController(1), nil, update(deadOwner), "Delete of ReplicationController", "garbage collector"),
	"replicationcontroller: out of the selector":            through(relabelled, newReplicationController(1), nil, update(leave), "Changing the labels of ReplicationController", "by which windows and freezes select it"),
	"controllerrevision: delete":                            through("controllerrevision-delete", newStatefulSet(1), nil, ofRevision(remove), "Delete of ControllerRevision"),
	"controllerrevision: an owner that does not exist":      through("controllerrevision-change", newStatefulSet(1), nil, ofRevision(update(deadOwner)), "Delete of ControllerRevision", "take it from its workload"),
	"controllerrevision: other labels, of a DaemonSet's":    through("controllerrevision-change", newDaemonSet(), nil, ofRevision(update(relabel("app", "other"))), "Delete of ControllerRevision"),
	"controllerrevision: an annotation passes":              beside("controllerrevision-change", newStatefulSet(1), nil, ofRevision(update(annotate))),
	"controllerrevision: another number":                    through("controllerrevision-order", newStatefulSet(1), nil, ofRevision(update(renumber)), "Rollout of ControllerRevision", "take it for the current one"),
	"controllerrevision: a note passes":                     beside("controllerrevision-order", newStatefulSet(1), nil, ofRevision(update(annotate))),
	"controllerrevision: create":                            through("controllerrevision-create", newStatefulSet(1), nil, ofRevision(createAnother), "Rollout of ControllerRevision", "by creating it"),
	"scale of a deployment: to zero":                        through("deployment-scale-to-zero", newDeployment(1), nil, scaleTo(0), "of Deployment", "by scaling it to zero"),
	"scale of a deployment: from zero passes":               beside("deployment-scale-to-zero", newDeployment(0), nil, scaleTo(1)),
	"scale of a statefulset: to zero":                       through("statefulset-scale-to-zero", newStatefulSet(1), nil, scaleTo(0), "of StatefulSet", "by scaling it to zero"),
	"scale of a statefulset: from zero passes":              beside("statefulset-scale-to-zero", newStatefulSet(0), nil, scaleTo(1)),
	"scale of a replicaset: to zero":                        through("replicaset-scale-to-zero", newReplicaSet(1), nil, scaleTo(0), "of ReplicaSet", "by scaling it to zero"),
	"scale of a replicaset: the same passes":                beside("replicaset-scale-to-zero", newReplicaSet(1), nil, scaleTo(1)),
	"scale of a replicationcontroller: to zero":             through("replicationcontroller-scale-to-zero", newReplicationController(1), nil, scaleTo(0), "of ReplicationController", "by scaling it to zero"),
	"scale of a replicationcontroller: from zero passes":    beside("replicationcontroller-scale-to-zero", newReplicationController(0), nil, scaleTo(1)),
	"autoscaler: create":                                    through("autoscaler-create", newAutoscaler("Deployment"), nil, createAnother, "ScaleDown of HorizontalPodAutoscaler", "take pods away", "are not those of its workload"),
	"autoscaler: a lower maximum":                           through("autoscaler-change", newAutoscaler("Deployment"), nil, update(onAutoscaler(func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Spec.MaxReplicas-- })), "ScaleDown of HorizontalPodAutoscaler"),
	"autoscaler: a lower minimum":                           through("autoscaler-change", newAutoscaler("Deployment"), nil, update(onAutoscaler(func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Spec.MinReplicas = new(int32(1)) })), "ScaleDown of HorizontalPodAutoscaler"),
	"autoscaler: another target":                            through("autoscaler-change", newAutoscaler("Deployment"), nil, update(onAutoscaler(func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Spec.ScaleTargetRef.Name = "other" })), "ScaleDown of HorizontalPodAutoscaler"),
	"autoscaler: other metrics": through("autoscaler-change", newAutoscaler("Deployment"), nil, update(onAutoscaler(func(h *autoscalingv2.HorizontalPodAutoscaler) {
		h.Spec.Metrics[0].Resource.Target.AverageUtilization = new(int32(99))
	})), "ScaleDown of HorizontalPodAutoscaler"),
	"autoscaler: another scaling down": through("autoscaler-change", newAutoscaler("Deployment"), nil, update(onAutoscaler(func(h *autoscalingv2.HorizontalPodAutoscaler) {
		h.Spec.Behavior.ScaleDown.SelectPolicy = new(autoscalingv2.MaxChangePolicySelect)
	})), "ScaleDown of HorizontalPodAutoscaler"),
	"autoscaler: a lower maximum, as version 1": through("autoscaler-change", newAutoscaler("Deployment"), nil, patchV1(`{"spec":{"maxReplicas":5}}`), "ScaleDown of HorizontalPodAutoscaler"),
	"autoscaler: a higher maximum passes":       beside("autoscaler-change", newAutoscaler("Deployment"), nil, update(onAutoscaler(func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Spec.MaxReplicas++ }))),
	"autoscaler: a higher minimum passes":       beside("autoscaler-change", newAutoscaler("Deployment"), nil, update(onAutoscaler(func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Spec.MinReplicas = new(int32(3)) }))),
	"autoscaler: another scaling up passes": beside("autoscaler-change", newAutoscaler("Deployment"), nil, update(onAutoscaler(func(h *autoscalingv2.HorizontalPodAutoscaler) {
		h.Spec.Behavior.ScaleUp.StabilizationWindowSeconds = new(int32(5))
	}))),
	"autoscaler: a label and an annotation pass":    beside("autoscaler-change", newAutoscaler("Deployment"), nil, update(func(o client.Object) { note(o); annotate(o) })),
	"autoscaler: delete passes":                     beside("autoscaler-change", newAutoscaler("Deployment"), nil, remove),
	"autoscaler: create one that goes to zero":      since(37, through("autoscaler-create-to-zero", newAutoscaler("Deployment", toZero), nil, createAnother, "of HorizontalPodAutoscaler")),
	"autoscaler: a label on one of zero passes":     since(37, beside("autoscaler-create-to-zero", newAutoscaler("Deployment", toZero), nil, update(note))),
	"autoscaler: to zero":                           since(37, through("autoscaler-to-zero", newAutoscaler("Deployment"), nil, update(onAutoscaler(toZero)), "of HorizontalPodAutoscaler")),
	"autoscaler: one of zero passes":                since(37, beside("autoscaler-to-zero", newAutoscaler("Deployment", toZero), nil, update(onAutoscaler(func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Spec.MaxReplicas++ })))),
	"autoscaler: a higher maximum for a ReplicaSet": through("autoscaler-change", newAutoscaler("ReplicaSet"), nil, update(onAutoscaler(func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Spec.MaxReplicas++ })), "ScaleDown of HorizontalPodAutoscaler"),
	"autoscaler: a label for a ReplicaSet's passes": beside("autoscaler-change", newAutoscaler("ReplicaSet"), nil, update(note)),
	"scale of a deployment: down":                   through("deployment-scale", newDeployment(2), nil, scaleTo(0), "ScaleDown of Deployment", "Scale requests carry no labels"),
	"scale of a deployment: up passes":              beside("deployment-scale", newDeployment(1), nil, scaleTo(2)),
	"scale of a statefulset: down":                  through("statefulset-scale", newStatefulSet(2), nil, scaleTo(1), "ScaleDown of StatefulSet"),
	"scale of a statefulset: up passes":             beside("statefulset-scale", newStatefulSet(1), nil, scaleTo(2)),
	"scale of a replicaset: down, a Deployment's":   strict(through("replicaset-scale-rollout", newDeployment(2), nil, ofReplicaSet(scaleTo(0)), "Rollout of ReplicaSet", "its Deployment would replace the pods")),
	"scale of a replicaset: down, its own":          through("replicaset-scale", newReplicaSet(2), nil, scaleTo(1), "ScaleDown of ReplicaSet"),
	"scale of a replicaset: up":                     through("replicaset-scale-up", newReplicaSet(1), nil, scaleTo(2), "Rollout of ReplicaSet", "change spec.replicas of the ReplicaSet itself"),
	"scale of a replicaset: no more passes":         beside("replicaset-scale-up", newReplicaSet(2), nil, scaleTo(2)),
	"scale of a replicaset: no fewer passes":        beside("replicaset-scale", newReplicaSet(2), nil, scaleTo(2)),
	"scale of a replicationcontroller: down":        through("replicationcontroller-scale", newReplicationController(2), nil, scaleTo(0), "ScaleDown of ReplicationController"),
	"scale of a replicationcontroller: up passes":   beside("replicationcontroller-scale", newReplicationController(1), nil, scaleTo(2)),
	"pod: delete":                                             through("pod-delete", newPod(), nil, remove, "Delete of Pod"),
	"pod: delete at once":                                     through("pod-delete", newPod(), nil, removeAtOnce, "Delete of Pod"),
	"pod: delete one that has ended passes":                   beside("pod-delete", newPod(), steps(onPod(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })), remove),
	"pod: another image":                                      through("pod-image", newPod(), nil, update(newImage), "Rollout of Pod", "by another image"),
	"pod: another image of one that has ended passes":         beside("pod-image", newPod(), steps(onPod(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })), update(newImage)),
	"pod: a new label passes":                                 beside(relabelled, newStatefulSet(1), nil, ofPod(update(note))),
	"pod: a new label of one without controller":              through("pod-adoption", newPod(), nil, update(note), "Delete of Pod", "by a new label"),
	"pod: a new label of one that has ended passes":           beside("pod-adoption", newPod(), steps(onPod(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })), update(note)),
	"pod: an annotation passes":                               beside("pod-owner", newPod(), nil, update(annotate)),
	"pod: another value of a label":                           through("pod-label", newPod(), nil, update(relabel("app", "other")), "Delete of Pod", "by a changed label"),
	"pod: a label less":                                       through("pod-label", newPod(), nil, update(func(o client.Object) { delete(o.GetLabels(), "app") }), "Delete of Pod", "by a changed label"),
	"pod: the leader by its own account passes":               beside("pod-label", newStatefulSet(1, leading), nil, ofPod(asOwnAccount(update(relabel("role", "primary"))))),
	"pod: the leader by others":                               through("pod-label", newStatefulSet(1, leading), nil, ofPod(update(relabel("role", "primary"))), "Delete of Pod", "by a changed label"),
	"pod: another label by its own account":                   through("pod-label", newPod(), nil, asOwnAccount(update(relabel("app", "leader"))), "Delete of Pod", "by a changed label"),
	"pod: a leader of a ReplicaSet's by its own account":      through("pod-label", newDeployment(1, func(d *appsv1.Deployment) { d.Spec.Template.Labels["role"] = "worker" }), nil, ofPod(asOwnAccount(update(relabel("role", "primary")))), "Delete of Pod", "by a changed label"),
	"pod: the revision of a StatefulSet's by its own account": through("pod-label", newStatefulSet(1), nil, ofPod(asOwnAccount(update(relabel("controller-revision-hash", "0")))), "Delete of Pod", "by a changed label"),
	"pod: a second owner passes":                              beside("pod-owner", newStatefulSet(1), nil, ofPod(update(anotherOwner))),
	"deployment: a second owner passes":                       beside("deployment-owner", newDeployment(1), steps(liveOwner), update(anotherOwner)),
	"deployment: an owner in the place of another":            through("deployment-owner", newDeployment(1), steps(liveOwner), update(deadOwner), "Delete of Deployment", "garbage collector"),
	"pod: out of the selector by its own account":             through(relabelled, newPod(), nil, asOwnAccount(update(leave)), "of Pod", "by a changed label"),
	"pod: the hash of a workload":                             through("pod-label", newPod(), nil, update(relabel("pod-template-hash", "0")), "Delete of Pod", "by a changed label"),
	"pod: the revision of a workload":                         through("pod-label", newPod(), nil, update(relabel("controller-revision-hash", "0")), "Delete of Pod", "by a changed label"),
	"pod: tolerating a taint for less time":                   through("pod-toleration", newPod(), nil, update(tolerateFor(0, "node.kubernetes.io/not-ready")), "Delete of Pod", "by tolerating a taint for less time"),
	"pod: tolerating a taint for longer passes":               beside("pod-toleration", newPod(), nil, update(tolerateFor(600, "node.kubernetes.io/not-ready"))),
	"pod: tolerating another taint for a time passes":         beside("pod-toleration", newPod(), nil, update(tolerateFor(1, "example.com/other"))),
	"pod: let go by its controller's deletion":                strict(through("pod-released", newStatefulSet(1), nil, ofPod(update(noOwner)), "Delete of Pod")),
	"pod: an owner beside its controller passes":              beside("pod-released", newStatefulSet(1), nil, ofPod(update(oneMoreOwner))),
	"pod: an owner that does not exist":                       through("pod-owner", newPod(), nil, update(deadOwner), "Delete of Pod", "garbage collector"),
	"pod: a deadline":                                         through("pod-deadline", newPod(), nil, update(onPod(func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = new(int64(1)) })), "Delete of Pod", "by a deadline"),
	"pod: a resize that restarts":                             since(33, through("pod-resize", newPod(corev1.RestartContainer), steps(resizable), resize, "Rollout of Pod", "by a resize that restarts a container")),
	"pod: a resize in place passes":                           since(33, beside("pod-resize", newPod(corev1.NotRequired), steps(resizable), resize)),
	"pod: evict":                                              through("pod-evict", newPod(), nil, evict(nil), "Evict of Pod", "tells no labels that count"),
	"pod: evict with labels of the client's":                  through("pod-evict", newPod(), nil, evict(map[string]string{"tier": "none"}), "Evict of Pod"),
	"statefulset: no owner any more passes":                   beside("statefulset-owner", newStatefulSet(1), steps(liveOwner), update(noOwner)),
	"daemonset: no owner any more passes":                     beside("daemonset-owner", newDaemonSet(), steps(liveOwner), update(noOwner)),
	"replicaset: more replicas of its own passes":             beside("replicaset-scale-down", newReplicaSet(1), nil, update(replicas(2))),
	"replicationcontroller: no owner any more passes":         beside("replicationcontroller-owner", newReplicationController(1), steps(liveOwner), update(noOwner)),
	"replicationcontroller: a label passes":                   beside(relabelled, newReplicationController(1), nil, update(note)),
	"scale of a replicaset: up, a Deployment's":               strict(through("replicaset-scale-rollout", newDeployment(1), nil, ofReplicaSet(scaleTo(2)), "Rollout of ReplicaSet", "its Deployment would replace the pods")),
	"scale of a replicaset: the same, a Deployment's, passes": beside("replicaset-scale-rollout", newDeployment(1), nil, ofReplicaSet(scaleTo(1))),
	"pod: a toleration more passes":                           beside("pod-deadline", newPod(), nil, update(tolerate)),
}

func through(rule string, object func(string) client.Object, prepare []func(client.Object), act action, says ...string) attempt {
	return attempt{rule: rule, object: object, prepare: prepare, act: act, says: says}
}

// beside is harmless: it looks much like what the rule is about, and passes everywhere.
func beside(rule string, object func(string) client.Object, prepare []func(client.Object), act action) attempt {
	return attempt{rule: rule, harmless: true, object: object, prepare: prepare, act: act}
}

// since: API servers of Kubernetes 1.MINOR and later take such an object, or request.
func since(minor uint, a attempt) attempt {
	a.since = minor
	return a
}

// strict: the control plane does not pass either.
func strict(a attempt) attempt {
	a.strict = true
	return a
}

// action makes a request about an object, as the API has it, as a client.
type action = func(ctx context.Context, c client.Client, o client.Object) error

func update(change func(client.Object)) action {
	return func(ctx context.Context, c client.Client, o client.Object) error {
		change(o)
		return c.Update(ctx, o)
	}
}

func status(change func(client.Object)) action {
	return func(ctx context.Context, c client.Client, o client.Object) error {
		change(o)
		return c.Status().Update(ctx, o)
	}
}

func remove(ctx context.Context, c client.Client, o client.Object) error { return c.Delete(ctx, o) }

func removeAtOnce(ctx context.Context, c client.Client, o client.Object) error {
	return c.Delete(ctx, o, client.GracePeriodSeconds(0))
}

// createAnother creates an object like the one that is there, under another name. It does nothing: its labels are nobody's.
func createAnother(ctx context.Context, c client.Client, o client.Object) error {
	another := o.DeepCopyObject().(client.Object)
	another.SetName(o.GetName() + "-other")
	another.SetResourceVersion("")
	another.SetUID("")
	another.SetManagedFields(nil)
	if r, ok := another.(*appsv1.ReplicaSet); ok {
		name(r, another.GetName())
	}
	return c.Create(ctx, another)
}

// patchV1 patches an autoscaler as version 1 of its API.
func patchV1(patch string) action {
	return func(ctx context.Context, c client.Client, o client.Object) error {
		v1 := &autoscalingv1.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: o.GetNamespace(), Name: o.GetName()}}
		return c.Patch(ctx, v1, client.RawPatch(types.MergePatchType, []byte(patch)))
	}
}

func scaleTo(n int32) action {
	return func(ctx context.Context, c client.Client, o client.Object) error {
		s := &autoscalingv1.Scale{}
		if err := shared.Admin.SubResource("scale").Get(ctx, o, s); err != nil {
			return err
		}
		s.Spec.Replicas = n
		return c.SubResource("scale").Update(ctx, o, client.WithSubResourceBody(s))
	}
}

func evict(labels map[string]string) action {
	return func(ctx context.Context, c client.Client, o client.Object) error {
		return c.SubResource("eviction").Create(ctx, o, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Labels: labels}})
	}
}

func resize(ctx context.Context, c client.Client, o client.Object) error {
	o.(*corev1.Pod).Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("150m")
	return c.SubResource("resize").Update(ctx, o)
}

// ofReplicaSet acts on the ReplicaSet of a Deployment.
func ofReplicaSet(act action) action {
	return func(ctx context.Context, c client.Client, o client.Object) error {
		var list appsv1.ReplicaSetList
		if err := shared.Admin.List(ctx, &list, client.InNamespace(o.GetNamespace()), client.MatchingLabels{"app": o.GetName()}); err != nil {
			return err
		}
		if len(list.Items) != 1 {
			return fmt.Errorf("%d ReplicaSets", len(list.Items))
		}
		return act(ctx, c, &list.Items[0])
	}
}

// ofOldReplicaSet acts on the ReplicaSet that a Deployment has scaled to nothing.
func ofOldReplicaSet(act action) action {
	return func(ctx context.Context, c client.Client, o client.Object) error {
		var list appsv1.ReplicaSetList
		if err := shared.Admin.List(ctx, &list, client.InNamespace(o.GetNamespace()), client.MatchingLabels{"app": o.GetName()}); err != nil {
			return err
		}
		for i := range list.Items {
			if *list.Items[i].Spec.Replicas == 0 && list.Items[i].Status.Replicas == 0 {
				return act(ctx, c, &list.Items[i])
			}
		}
		return fmt.Errorf("no old one among %d ReplicaSets", len(list.Items))
	}
}

// ofPod acts on the first pod of a workload.
func ofPod(act action) action {
	return func(ctx context.Context, c client.Client, o client.Object) error {
		var list corev1.PodList
		if err := shared.Admin.List(ctx, &list, client.InNamespace(o.GetNamespace()), client.MatchingLabels{"app": o.GetName()}); err != nil {
			return err
		}
		if len(list.Items) == 0 {
			return fmt.Errorf("no pods")
		}
		return act(ctx, c, &list.Items[0])
	}
}

// ofRevision acts on the ControllerRevision of a StatefulSet or DaemonSet.
func ofRevision(act action) action {
	return func(ctx context.Context, c client.Client, o client.Object) error {
		var list appsv1.ControllerRevisionList
		if err := shared.Admin.List(ctx, &list, client.InNamespace(o.GetNamespace()), client.MatchingLabels{"app": o.GetName()}); err != nil {
			return err
		}
		if len(list.Items) != 1 {
			return fmt.Errorf("%d ControllerRevisions", len(list.Items))
		}
		return act(ctx, c, &list.Items[0])
	}
}

// asOwnAccount acts as the pod's service account; as a controller of Kubernetes, or for a dry run, it stays that.
func asOwnAccount(act action) action {
	return func(ctx context.Context, c client.Client, o client.Object) error {
		if c == exemptClient {
			return act(ctx, c, o)
		}
		own, err := recordedAs("system:serviceaccount:"+o.GetNamespace()+":default", "system:masters")
		if err != nil {
			return err
		}
		if c != recorded {
			own = client.NewDryRunClient(own)
		}
		return act(ctx, own, o)
	}
}

func newDeployment(n int32, change ...func(*appsv1.Deployment)) func(string) client.Object {
	return func(namespace string) client.Object {
		d := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace},
			Spec:       appsv1.DeploymentSpec{Replicas: new(n), Selector: selector("web"), Template: template("web", "app:1")},
		}
		for _, c := range change {
			c(d)
		}
		return d
	}
}

func newStatefulSet(n int32, change ...func(*appsv1.StatefulSet)) func(string) client.Object {
	return func(namespace string) client.Object {
		s := &appsv1.StatefulSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace},
			Spec: appsv1.StatefulSetSpec{
				Replicas: new(n), Selector: selector("db"), Template: template("db", "app:1"), ServiceName: "db",
				PodManagementPolicy: appsv1.ParallelPodManagement,
			},
		}
		for _, c := range change {
			c(s)
		}
		return s
	}
}

func newDaemonSet(change ...func(*appsv1.DaemonSet)) func(string) client.Object {
	return func(namespace string) client.Object {
		d := &appsv1.DaemonSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace},
			Spec:       appsv1.DaemonSetSpec{Selector: selector("agent"), Template: template("agent", "app:1")},
		}
		for _, c := range change {
			c(d)
		}
		return d
	}
}

func newReplicaSet(n int32) func(string) client.Object {
	return func(namespace string) client.Object {
		return &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace},
			Spec:       appsv1.ReplicaSetSpec{Replicas: new(n), Selector: selector("rs"), Template: template("rs", "app:1")},
		}
	}
}

func newReplicationController(n int32) func(string) client.Object {
	return func(namespace string) client.Object {
		return &corev1.ReplicationController{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace},
			Spec:       corev1.ReplicationControllerSpec{Replicas: new(n), Template: new(template("rc", "app:1"))},
		}
	}
}

// newAutoscaler is an autoscaler of something that is not there.
func newAutoscaler(kind string, change ...func(*autoscalingv2.HorizontalPodAutoscaler)) func(string) client.Object {
	return func(namespace string) client.Object {
		h := &autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace},
			Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
				ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: kind, Name: "nothing"},
				MinReplicas:    new(int32(2)), MaxReplicas: 9,
				Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
					Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: new(int32(80))},
				}}},
				Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{
					ScaleDown: &autoscalingv2.HPAScalingRules{SelectPolicy: new(autoscalingv2.DisabledPolicySelect)},
				},
			},
		}
		for _, c := range change {
			c(h)
		}
		return h
	}
}

// newPod is a pod of nobody's; with a resize policy, one that can be resized.
func newPod(policy ...corev1.ResourceResizeRestartPolicy) func(string) client.Object {
	return func(namespace string) client.Object {
		t := template("pod", "app:1")
		for _, p := range policy {
			t.Spec.Containers[0].ResizePolicy = []corev1.ContainerResizePolicy{{ResourceName: corev1.ResourceCPU, RestartPolicy: p}}
			t.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}
		}
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}, Spec: t.Spec}
	}
}

// name gives an object a name, and its pods a label of their own; all have tier=matrix.
func name(o client.Object, app string) {
	o.SetName(app)
	match := map[string]string{"app": app}
	labels := func() map[string]string { return map[string]string{"app": app, "tier": "matrix"} }
	ofPods := func(before map[string]string) map[string]string {
		all := labels()
		if role := before["role"]; role != "" {
			all["role"] = role
		}
		return all
	}
	o.SetLabels(labels())
	switch w := o.(type) {
	case *appsv1.Deployment:
		w.Spec.Selector.MatchLabels, w.Spec.Template.Labels = match, ofPods(w.Spec.Template.Labels)
	case *appsv1.StatefulSet:
		w.Spec.Selector.MatchLabels, w.Spec.Template.Labels = match, ofPods(w.Spec.Template.Labels)
	case *appsv1.DaemonSet:
		w.Spec.Selector.MatchLabels, w.Spec.Template.Labels = match, labels()
	case *appsv1.ReplicaSet:
		w.Spec.Selector.MatchLabels, w.Spec.Template.Labels = match, labels()
	case *autoscalingv2.HorizontalPodAutoscaler:
		w.Spec.ScaleTargetRef.Name = app
	case *corev1.ReplicationController:
		w.Spec.Selector, w.Spec.Template.Labels = match, labels()
	}
}

func onDeployment(change func(*appsv1.Deployment)) func(client.Object) {
	return func(o client.Object) { change(o.(*appsv1.Deployment)) }
}

func onStatefulSet(change func(*appsv1.StatefulSet)) func(client.Object) {
	return func(o client.Object) { change(o.(*appsv1.StatefulSet)) }
}

func onDaemonSet(change func(*appsv1.DaemonSet)) func(client.Object) {
	return func(o client.Object) { change(o.(*appsv1.DaemonSet)) }
}

func onAutoscaler(change func(*autoscalingv2.HorizontalPodAutoscaler)) func(client.Object) {
	return func(o client.Object) { change(o.(*autoscalingv2.HorizontalPodAutoscaler)) }
}

// toZero lets an autoscaler take the last pod away, which it may by a metric from outside alone.
func toZero(h *autoscalingv2.HorizontalPodAutoscaler) {
	h.Spec.MinReplicas = new(int32(0))
	h.Spec.Metrics = []autoscalingv2.MetricSpec{{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
		Metric: autoscalingv2.MetricIdentifier{Name: "queue"}, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: new(resource.MustParse("1"))},
	}}}
}

func onPod(change func(*corev1.Pod)) func(client.Object) {
	return func(o client.Object) { change(o.(*corev1.Pod)) }
}

func steps(s ...func(client.Object)) []func(client.Object) { return s }

// podSpec is the pod spec in an object.
func podSpec(o client.Object) *corev1.PodSpec {
	switch w := o.(type) {
	case *appsv1.Deployment:
		return &w.Spec.Template.Spec
	case *appsv1.StatefulSet:
		return &w.Spec.Template.Spec
	case *appsv1.DaemonSet:
		return &w.Spec.Template.Spec
	case *appsv1.ReplicaSet:
		return &w.Spec.Template.Spec
	case *corev1.ReplicationController:
		return &w.Spec.Template.Spec
	case *corev1.Pod:
		return &w.Spec
	}
	panic(fmt.Sprintf("%T has no pods", o))
}

func newImage(o client.Object) { podSpec(o).Containers[0].Image = "app:2" }

func thirdImage(o client.Object) { podSpec(o).Containers[0].Image = "app:3" }

func replicas(n int32) func(client.Object) {
	return func(o client.Object) {
		switch w := o.(type) {
		case *appsv1.Deployment:
			w.Spec.Replicas = &n
		case *appsv1.StatefulSet:
			w.Spec.Replicas = &n
		case *appsv1.ReplicaSet:
			w.Spec.Replicas = &n
		case *corev1.ReplicationController:
			w.Spec.Replicas = &n
		}
	}
}

func relabel(key, value string) func(client.Object) {
	return func(o client.Object) { o.GetLabels()[key] = value }
}

// resizable is what a kubelet says of a pod that can be resized.
func resizable(o client.Object) {
	p := o.(*corev1.Pod)
	p.Status.ContainerStatuses[0].Resources = p.Spec.Containers[0].Resources.DeepCopy()
}

func tolerate(o client.Object) {
	p := o.(*corev1.Pod)
	p.Spec.Tolerations = append(p.Spec.Tolerations, corev1.Toleration{Key: "note", Operator: corev1.TolerationOpExists})
}

// tolerateFor makes a pod tolerate a taint for some seconds.
func tolerateFor(seconds int64, key string) func(client.Object) {
	return func(o client.Object) {
		p := o.(*corev1.Pod)
		for i := range p.Spec.Tolerations {
			if p.Spec.Tolerations[i].Key == key {
				p.Spec.Tolerations[i].TolerationSeconds = &seconds
				return
			}
		}
		p.Spec.Tolerations = append(p.Spec.Tolerations, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &seconds})
	}
}

func note(o client.Object)  { o.GetLabels()["note"] = "seen" }
func leave(o client.Object) { o.GetLabels()["tier"] = "none" }
func annotate(o client.Object) {
	annotations := map[string]string{"note": "seen"}
	maps.Copy(annotations, o.GetAnnotations())
	o.SetAnnotations(annotations)
}

// rollBack is the annotation by which the Deployment controller writes an old template back.
func rollBack(o client.Object) {
	o.SetAnnotations(map[string]string{appsv1.DeprecatedRollbackTo: "1"})
}

// pausedToRollBack leaves the annotation on a Deployment whose controller does not obey it yet.
func pausedToRollBack(o client.Object) {
	rollBack(o)
	o.(*appsv1.Deployment).Spec.Paused = true
}

// believe changes an annotation of a ReplicaSet that the Deployment controller keeps for itself.
func believe(key, value string) func(client.Object) {
	return func(o client.Object) {
		annotations := o.GetAnnotations()
		annotations["deployment.kubernetes.io/"+key] = value
		o.SetAnnotations(annotations)
	}
}

func renumber(o client.Object) { o.(*appsv1.ControllerRevision).Revision += 7 }

func selectAnew(o client.Object) {
	w := o.(*corev1.ReplicationController)
	w.Spec.Selector["v"], w.Spec.Template.Labels["v"] = "2", "2"
}

// foreignController gives an object a controller that is none.
func foreignController(o client.Object) {
	liveOwner(o)
	owners := o.GetOwnerReferences()
	owners[0].Controller = new(true)
	o.SetOwnerReferences(owners)
}

// ofRollouts makes an object one of Argo Rollouts', of a kind that this cluster does not know.
func ofRollouts(o client.Object) {
	o.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Name: "web", UID: "00000000-0000-0000-0000-000000000001", Controller: new(true)}})
}

func oneMoreOwner(o client.Object) {
	o.SetOwnerReferences(append(o.GetOwnerReferences(), metav1.OwnerReference{APIVersion: "v1", Kind: "Secret", Name: "gone", UID: "00000000-0000-0000-0000-000000000002"}))
}

func deadOwner(o client.Object) {
	o.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "gone", UID: "00000000-0000-0000-0000-000000000000"}})
}

func liveOwner(o client.Object) {
	owner := &corev1.ConfigMap{}
	if err := shared.Admin.Get(context.Background(), client.ObjectKey{Namespace: o.GetNamespace(), Name: "kube-root-ca.crt"}, owner); err != nil {
		panic(err)
	}
	o.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}})
}

func anotherOwner(o client.Object) {
	before := o.GetOwnerReferences()
	deadOwner(o)
	o.SetOwnerReferences(append(before, o.GetOwnerReferences()...))
}

func leading(s *appsv1.StatefulSet) { s.Spec.Template.Labels["role"] = "replica" }

func noOwner(o client.Object) { o.SetOwnerReferences(nil) }

func partition(n int32) appsv1.StatefulSetUpdateStrategy {
	return appsv1.StatefulSetUpdateStrategy{
		Type: appsv1.RollingUpdateStatefulSetStrategyType, RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: new(n)},
	}
}

var (
	paused   = func(d *appsv1.Deployment) { d.Spec.Paused = true }
	onDelete = func(d *appsv1.DaemonSet) { d.Spec.UpdateStrategy.Type = appsv1.OnDeleteDaemonSetStrategyType }
	manual   = func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType }
)

func surge(d *appsv1.Deployment) {
	d.Spec.Strategy = appsv1.DeploymentStrategy{
		Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: new(intstr.FromInt32(2))},
	}
}

// stuck begins a rollout that cannot finish: its pods find no node.
func stuck(d *appsv1.Deployment) {
	d.Spec.Template.Spec.NodeSelector = map[string]string{"no-such-node": "true"}
}

func parked(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy = partition(2) }

func nowhere(d *appsv1.DaemonSet) {
	d.Spec.Template.Spec.NodeSelector = map[string]string{"no-such-node": "true"}
}

func rolling(d *appsv1.DaemonSet) {
	d.Spec.UpdateStrategy = appsv1.DaemonSetUpdateStrategy{Type: appsv1.RollingUpdateDaemonSetStrategyType}
}

package rollout

import (
	"cmp"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/rollout"
	"fonster.dev/fonster/internal/write"
)

// progress is how far the rollout of a workload is at now, by the whole object; until, when set, is when that is to be asked
// again though nothing has changed.
//
// Done and failed are kstatus' to say: it judges as kubectl rollout status does (observed generation, updated, available and
// old replicas, the progress deadline, partitions), and unlike kubectl's own package it is made to be imported: that one brings
// kubectl's printers and describers along, most of a hundred packages, for the same answer.
func progress(o *unstructured.Unstructured, released bool, now time.Time) (progress rollout.Progress, message string, until time.Time) {
	if !released {
		if nothingToRollOut(o) {
			return rollout.TakenBack, "Nothing is left to roll out: the change was taken back", until
		}
		return rollout.Running, "", until
	}
	if paused, _, _ := unstructured.NestedBool(o.Object, "spec", "paused"); paused || text(o, "spec", "updateStrategy", "type") == "OnDelete" {
		return rollout.Stopped, "Its user has stopped it", until
	}
	result, err := status.Compute(o)
	switch {
	case err != nil:
		return rollout.Running, err.Error(), until
	case result.Status == status.CurrentStatus:
		return rollout.Done, result.Message, until
	case result.Status != status.FailedStatus && onlyOldPodsLeft(o):
		if until = lastWrite(o).Add(stallAfter); now.Before(until) {
			return rollout.Running, result.Message, until
		}
		return rollout.Stalled, result.Message, now.Add(stallAfter)
	case result.Status != status.FailedStatus:
		return rollout.Running, result.Message, until
	}
	if until := mayRecover(o); now.Before(until) {
		return rollout.Running, result.Message, until
	}
	return rollout.Failed, result.Message, until
}

// stallAfter is how long a Deployment may have nothing to do but take old pods away, and not do it: its controller forgets it
// where that one write is refused, as all are for some seconds while an API server starts, and would remember only when the
// progress deadline passes (scaleDownOldReplicaSetsForRollingUpdate in k8s.io/kubernetes/pkg/controller/deployment).
const stallAfter = 10 * time.Second

// onlyOldPodsLeft says whether every new pod of a Deployment is available, and old ones are there still.
func onlyOldPodsLeft(o *unstructured.Unstructured) bool {
	updated := number(o, "status", "updatedReplicas")
	return o.GetKind() == "Deployment" && number(o, "status", "observedGeneration") >= o.GetGeneration() && updated >= number(o, "spec", "replicas") &&
		number(o, "status", "replicas") > updated && number(o, "status", "availableReplicas") == number(o, "status", "replicas")
}

// lastWrite is when anybody last wrote an object or its status.
func lastWrite(o metav1.Object) (at time.Time) {
	for _, m := range o.GetManagedFields() {
		if m.Time != nil && m.Time.After(at) {
			at = m.Time.Time
		}
	}
	return at
}

// mayRecover is until when a Deployment that failed before it was let go is given time: its controller keeps the condition of a
// rollout that came before, also while it is paused, until the new one has got somewhere. Zero where it failed since.
func mayRecover(o *unstructured.Unstructured) (until time.Time) {
	released := releasedAt(o)
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		condition, _ := c.(map[string]any)
		if condition["type"] != "Progressing" {
			continue
		}
		updated, _ := condition["lastUpdateTime"].(string)
		if at, err := time.Parse(time.RFC3339, updated); err == nil && at.Before(released) {
			deadline := cmp.Or(number(o, "spec", "progressDeadlineSeconds"), 600)
			return released.Add(time.Duration(deadline) * time.Second)
		}
	}
	return until
}

// releasedAt is when the operator last wrote a workload: to let it go, where it has been.
func releasedAt(o metav1.Object) (at time.Time) {
	for _, m := range o.GetManagedFields() {
		if m.Manager == write.FieldManager && m.Time != nil && m.Time.After(at) {
			at = m.Time.Time
		}
	}
	return at
}

// number reads an integer of the object; 0 where there is none.
func number(o *unstructured.Unstructured, fields ...string) int64 {
	n, _, _ := unstructured.NestedInt64(o.Object, fields...)
	return n
}

func text(o *unstructured.Unstructured, fields ...string) string {
	s, _, _ := unstructured.NestedString(o.Object, fields...)
	return s
}

// nothingToRollOut says whether what runs is what the template says: then the change has been taken back. A controller that has
// not yet seen the last change has not yet said so.
func nothingToRollOut(o *unstructured.Unstructured) bool {
	if number(o, "status", "observedGeneration") < o.GetGeneration() {
		return false
	}
	// Pods that are missing for a moment are still to be: they will be of the new template, or not.
	wanted := max(number(o, "spec", "replicas"), number(o, "status", "replicas"))
	switch o.GetKind() {
	case "Deployment":
		return number(o, "status", "updatedReplicas") >= wanted
	case "StatefulSet":
		if text(o, "status", "currentRevision") != text(o, "status", "updateRevision") { // its user's partition keeps some as they are
			partition, _ := strconv.ParseInt(o.GetLabels()[v1alpha1.HeldPartitionLabel], 10, 64)
			wanted -= max(0, partition-number(o, "spec", "ordinals", "start"))
		}
		return number(o, "status", "updatedReplicas") >= wanted
	}
	return number(o, "status", "updatedNumberScheduled") >= number(o, "status", "desiredNumberScheduled")
}

// parked says whether the rollout of a workload is stopped as holding does it.
func parked(o *unstructured.Unstructured, partition int64) bool {
	switch o.GetKind() {
	case "Deployment":
		paused, _, _ := unstructured.NestedBool(o.Object, "spec", "paused")
		return paused
	case "StatefulSet":
		return number(o, "spec", "updateStrategy", "rollingUpdate", "partition") == partition
	}
	return text(o, "spec", "updateStrategy", "type") == "OnDelete"
}

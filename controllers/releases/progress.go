package releases

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"fonster.dev/fonster/internal/release"
)

// progress is how far the rollout of a workload is, by the whole object.
//
// Done and failed are kstatus' to say: it judges as kubectl rollout status does (observed generation, updated, available and
// old replicas, the progress deadline, partitions), and unlike kubectl's own package it is made to be imported: that one brings
// kubectl's printers and describers along, most of a hundred packages, for the same answer.
func progress(o *unstructured.Unstructured, released bool) (release.Progress, string) {
	if !released {
		switch {
		case stoppedByUser(o):
			return release.Stopped, "its manifest says that it is stopped"
		case nothingToRollOut(o):
			return release.TakenBack, "nothing is left to roll out"
		}
		return release.Running, ""
	}
	if paused, _, _ := unstructured.NestedBool(o.Object, "spec", "paused"); paused {
		return release.Stopped, "its user has paused it"
	}
	result, err := status.Compute(o)
	switch {
	case err != nil:
		return release.Running, err.Error()
	case result.Status == status.CurrentStatus:
		return release.Done, result.Message
	case result.Status == status.FailedStatus:
		return release.Failed, result.Message
	}
	return release.Running, result.Message
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
	switch o.GetKind() {
	case "Deployment":
		return number(o, "status", "updatedReplicas") >= number(o, "status", "replicas")
	case "StatefulSet":
		return text(o, "status", "currentRevision") == text(o, "status", "updateRevision")
	}
	return number(o, "status", "updatedNumberScheduled") >= number(o, "status", "desiredNumberScheduled")
}

// stoppedByUser says whether the manifest that was applied last stops the rollout itself. Holding has put the same value there,
// so the object alone does not tell.
func stoppedByUser(o *unstructured.Unstructured) bool {
	applied := o.GetAnnotations()["kubectl.kubernetes.io/last-applied-configuration"]
	if applied == "" {
		return false
	}
	var manifest struct {
		Spec struct {
			Paused         bool `json:"paused"`
			UpdateStrategy struct {
				Type string `json:"type"`
			} `json:"updateStrategy"`
		} `json:"spec"`
	}
	if json.Unmarshal([]byte(applied), &manifest) != nil {
		return false
	}
	switch o.GetKind() {
	case "Deployment":
		return manifest.Spec.Paused
	case "DaemonSet":
		return manifest.Spec.UpdateStrategy.Type == "OnDelete"
	}
	return false // a policy sees a StatefulSet's, and lets go of it
}

// stillParked says whether holding has not been undone: then no policy has done so.
func stillParked(o *unstructured.Unstructured, partition int64) bool {
	switch o.GetKind() {
	case "Deployment":
		paused, _, _ := unstructured.NestedBool(o.Object, "spec", "paused")
		return paused
	case "StatefulSet":
		return number(o, "spec", "updateStrategy", "rollingUpdate", "partition") == partition
	}
	return text(o, "spec", "updateStrategy", "type") == "OnDelete"
}

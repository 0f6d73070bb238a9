package evaluate

import (
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// manager is who writes, in managedFields.
const manager = "somebody"

// Stamp writes now into the managedFields of an object, as the API server does with every request that changes something, before
// admission. Of what only takes fields away the API server leaves no new time: a test of that gives no time. An entry that the object
// brings along stays, as the API server cannot tell a forged one.
func Stamp(object, old *unstructured.Unstructured, now time.Time) {
	if old != nil && sameBut(object, old, "managedFields", "generation") {
		return
	}
	entries := object.GetManagedFields()
	stamp := metav1.NewTime(now.UTC().Truncate(time.Second))
	for i := range entries {
		if entries[i].Manager == manager && entries[i].Subresource == "" {
			entries[i].Time = &stamp
			object.SetManagedFields(entries)
			return
		}
	}
	object.SetManagedFields(append(entries, metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: object.GetAPIVersion(), Time: &stamp,
	}))
}

// generation is what the API server makes it between mutation and validation: a client cannot set it, and it is counted up when the spec
// has changed; of Deployments also when the annotations have.
func generation(object, old *unstructured.Unstructured, subresource string) int64 {
	if old == nil {
		if object.GetGeneration() == 0 && generations[object.GetKind()] {
			return 1
		}
		return object.GetGeneration()
	}
	if old.GetGeneration() == 0 {
		return object.GetGeneration() // a kind that has none
	}
	changed := !equality.Semantic.DeepEqual(object.Object["spec"], old.Object["spec"]) ||
		object.GetKind() == "Deployment" && !equality.Semantic.DeepEqual(object.GetAnnotations(), old.GetAnnotations())
	if changed && subresource != "status" {
		return old.GetGeneration() + 1
	}
	return old.GetGeneration()
}

// generations are the kinds that have one from the beginning.
var generations = map[string]bool{"Deployment": true, "StatefulSet": true, "DaemonSet": true, "ReplicaSet": true,
	"ReplicationController": true, "Pod": true}

// sameBut says whether two objects are the same, but for some of their metadata.
func sameBut(a, b *unstructured.Unstructured, fields ...string) bool {
	return equality.Semantic.DeepEqual(without(a, fields), without(b, fields))
}

func without(u *unstructured.Unstructured, fields []string) map[string]any {
	shallow := make(map[string]any, len(u.Object))
	for k, v := range u.Object {
		shallow[k] = v
	}
	metadata, _ := u.Object["metadata"].(map[string]any)
	rest := make(map[string]any, len(metadata))
	for k, v := range metadata {
		rest[k] = v
	}
	for _, f := range fields {
		delete(rest, f)
	}
	shallow["metadata"] = rest
	return shallow
}

package override

import (
	"encoding/json"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/override"
)

// lastChange is the generation of an object by which its spec was last changed under the override of a record, which ends so, if it does:
// that of the record's beginning where it was not. The generation tells it, but for a Deployment, of which it rises with annotations too.
func lastChange(r v1alpha1.OverrideRecord, ended v1alpha1.OverrideEnd, o *metav1.PartialObjectMetadata) int64 {
	if o.Kind != "Deployment" || o.Generation <= r.FromGeneration || len(writers(o, r.From.Time)) > 0 {
		return o.Generation
	}
	var own int64
	if !override.Parse(o).From.IsZero() { // it tells the generation before the override was set
		own++
	}
	if ended == v1alpha1.OverrideRemoved {
		own++
	}
	// A change that only takes fields away names nobody: what nothing else explains is one.
	if o.Generation-r.FromGeneration > own && !annotated(o, r.From.Time, ended) {
		return o.Generation
	}
	return r.FromGeneration
}

// annotated says whether people have written anything but the spec between the beginning and the end of an override. The annotation that
// the Deployment controller writes follows a change of the template.
func annotated(o *metav1.PartialObjectMetadata, since time.Time, ended v1alpha1.OverrideEnd) bool {
	last := lastWrite(o, time.Unix(1<<40, 0))
	for _, m := range o.ManagedFields {
		if m.Time == nil || m.Subresource != "" || ofSpec(m) || m.Manager == fieldManager || m.Manager == "kube-controller-manager" {
			continue
		}
		if m.Time.After(since) && (ended != v1alpha1.OverrideRemoved || m.Time.Time.Before(last)) {
			return true
		}
	}
	return false
}

// specField is what reduceFields leaves of the fields of whoever owns something of a spec.
const specField = `{"f:spec":{}}`

// ofSpec says whether a manager owns something of the spec, as reduceFields has left it.
func ofSpec(m metav1.ManagedFieldsEntry) bool {
	return m.Time != nil && m.Subresource == "" && m.FieldsV1 != nil && m.FieldsV1.GetRawString() == specField
}

// reduceFields keeps of the managed fields who wrote when, and whether they own something of the spec.
func reduceFields(object any) (any, error) {
	o, ok := object.(metav1.Object)
	if !ok {
		return object, nil
	}
	fields := o.GetManagedFields()
	for i := range fields {
		owned := map[string]json.RawMessage{}
		if fields[i].FieldsV1 == nil || json.Unmarshal(fields[i].FieldsV1.GetRawBytes(), &owned) != nil || owned["f:spec"] == nil {
			fields[i].FieldsV1 = nil
			continue
		}
		fields[i].FieldsV1 = metav1.NewFieldsV1(specField)
	}
	return object, nil
}

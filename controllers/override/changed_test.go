package override

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/override"
)

// written is an entry of managed fields as reduceFields leaves it.
func written(manager string, at time.Time, spec bool) metav1.ManagedFieldsEntry {
	m := metav1.ManagedFieldsEntry{Manager: manager, Time: &metav1.Time{Time: at}}
	if spec {
		m.FieldsV1 = metav1.NewFieldsV1(specField)
	}
	return m
}

// TestLastChange: the generation of a Deployment rises with annotations too, also with those that set and end an override.
func TestLastChange(t *testing.T) {
	begun := noon.Add(-time.Hour)
	before := written("kubectl-create", noon.Add(-48*time.Hour), true)
	set := written("kubectl-annotate", begun, false)
	for title, tc := range map[string]struct {
		kind       string
		generation int64 // it was 11 before the override was set
		unstamped  bool
		ended      v1alpha1.OverrideEnd
		fields     []metav1.ManagedFieldsEntry
		want       bool
	}{
		"set, and nothing changed":         {"Deployment", 12, false, "", []metav1.ManagedFieldsEntry{before, set}, false},
		"set, changed":                     {"Deployment", 13, false, "", []metav1.ManagedFieldsEntry{before, set, written("kubectl-set", noon, true)}, true},
		"set and changed at once":          {"Deployment", 12, false, "", []metav1.ManagedFieldsEntry{before, written("argocd", begun, true)}, true},
		"ended, nothing changed":           {"Deployment", 13, false, v1alpha1.OverrideRemoved, []metav1.ManagedFieldsEntry{before, written("kubectl-window", noon, false)}, false},
		"ended, changed":                   {"Deployment", 14, false, v1alpha1.OverrideRemoved, []metav1.ManagedFieldsEntry{before, written("kubectl-set", noon, true), written("kubectl-window", noon, false)}, true},
		"expired, nothing changed":         {"Deployment", 12, false, v1alpha1.OverrideExpired, []metav1.ManagedFieldsEntry{before, set}, false},
		"a field was taken away":           {"Deployment", 13, false, "", []metav1.ManagedFieldsEntry{before, set}, true},
		"a field was taken away, then end": {"Deployment", 14, false, v1alpha1.OverrideRemoved, []metav1.ManagedFieldsEntry{before, written("kubectl-window", noon, false)}, true},
		"a template was taken away from": {"Deployment", 14, false, "",
			[]metav1.ManagedFieldsEntry{before, set, written("kube-controller-manager", noon.Add(-time.Minute), false)}, true},
		"another annotation":        {"Deployment", 13, false, "", []metav1.ManagedFieldsEntry{before, set, written("kubectl-edit", noon, false)}, false},
		"not stamped":               {"Deployment", 11, true, "", []metav1.ManagedFieldsEntry{before, set}, false},
		"not stamped, changed":      {"Deployment", 12, true, "", []metav1.ManagedFieldsEntry{before, set}, true},
		"a StatefulSet":             {"StatefulSet", 11, false, "", []metav1.ManagedFieldsEntry{before, set}, false},
		"a StatefulSet, changed":    {"StatefulSet", 12, false, "", []metav1.ManagedFieldsEntry{before, set}, true},
		"a DaemonSet, ended":        {"DaemonSet", 11, false, v1alpha1.OverrideRemoved, []metav1.ManagedFieldsEntry{before, set}, false},
		"a Namespace":               {"Namespace", 11, false, "", []metav1.ManagedFieldsEntry{before, set}, false},
		"the operator held it back": {"Deployment", 12, false, "", []metav1.ManagedFieldsEntry{before, set, written(fieldManager, noon, true)}, false},
	} {
		t.Run(title, func(t *testing.T) {
			o := object(override.Reason, "INC-1", override.Until, at(noon.Add(time.Hour)))
			if !tc.unstamped {
				o.Annotations[override.From] = at(begun) + "/11"
			}
			o.SetGroupVersionKind(kinds[0].GroupVersion().WithKind(tc.kind))
			o.Generation, o.ManagedFields = tc.generation, tc.fields
			r := v1alpha1.OverrideRecord{From: metav1.NewTime(begun), FromGeneration: 11}
			if got := lastChange(r, tc.ended, o) > r.FromGeneration; got != tc.want {
				t.Errorf("changed: %t, want %t", got, tc.want)
			}
		})
	}
}

// TestReduceFields: of who owns what it stays whether something of the spec is.
func TestReduceFields(t *testing.T) {
	o := object()
	o.ManagedFields = []metav1.ManagedFieldsEntry{
		{Manager: "a", FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:annotations":{"f:spec":{}}}}`)},
		{Manager: "b", FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{},"f:spec":{"f:replicas":{}}}`)},
		{Manager: "c"},
	}
	for i := range 2 { // a transform may see an object twice
		if _, err := reduceFields(o); err != nil {
			t.Fatal(err)
		}
		if m := o.ManagedFields; m[0].FieldsV1 != nil || m[1].FieldsV1.GetRawString() != specField || m[2].FieldsV1 != nil {
			t.Errorf("look %d: %+v", i, m)
		}
	}
}

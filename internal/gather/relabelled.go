package gather

import (
	"maps"

	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"fonster.dev/fonster/api/v1alpha1"
)

// Relabelled lets through changes of the labels by which windows and freezes select a Namespace. The one that says that it has a Gate is the
// operator's, which sets it on thousands when it starts.
var Relabelled = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	before, after := maps.Clone(e.ObjectOld.GetLabels()), maps.Clone(e.ObjectNew.GetLabels())
	delete(before, v1alpha1.GatedLabel)
	delete(after, v1alpha1.GatedLabel)
	return !maps.Equal(before, after)
}}

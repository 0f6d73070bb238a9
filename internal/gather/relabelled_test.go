package gather

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"fonster.dev/fonster/api/v1alpha1"
)

// TestRelabelled: that thousands of Namespaces are said to have a Gate, when the operator starts, is no reason to count any of them anew.
func TestRelabelled(t *testing.T) {
	labelled := func(labels ...string) client.Object {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "web", Labels: map[string]string{}}}
		for _, label := range labels {
			ns.Labels[label] = "true"
		}
		return ns
	}
	for title, tc := range map[string]struct {
		before, after client.Object
		want          bool
	}{
		"the first label of all is the operator's": {&corev1.Namespace{}, labelled(v1alpha1.GatedLabel), false},
		"it has a Gate":                  {labelled("team"), labelled("team", v1alpha1.GatedLabel), false},
		"it has none any more":           {labelled("team", v1alpha1.GatedLabel), labelled("team"), false},
		"another label at the same time": {labelled("team"), labelled("kommun", v1alpha1.GatedLabel), true},
		"a label less":                   {labelled("team", v1alpha1.GatedLabel), labelled(v1alpha1.GatedLabel), true},
		"nothing":                        {labelled("team"), labelled("team"), false},
	} {
		if got := Relabelled.Update(event.UpdateEvent{ObjectOld: tc.before, ObjectNew: tc.after}); got != tc.want {
			t.Errorf("%s: %t", title, got)
		}
	}
}

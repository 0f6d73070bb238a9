package operator

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestServes: one of two resources is not both.
func TestServes(t *testing.T) {
	list := &metav1.APIResourceList{APIResources: []metav1.APIResource{{Name: "policies"}, {Name: "bindings"}}}
	if !serves(list, "policies", "bindings") || serves(list, "policies", "others") || serves(list, "others", "bindings") {
		t.Error("wrong")
	}
}

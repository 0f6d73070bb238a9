package override

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
)

// TestSpend: the last few reasons stay used up, the latest first, each once; what never could stand is not remembered.
func TestSpend(t *testing.T) {
	annotations := map[string]string{}
	parse := func(annotations map[string]string) Override { return Parse(marked(annotations)) }
	for i := range 12 {
		annotations[Reason] = fmt.Sprintf("INC-%d", i)
		annotations[Spent] = parse(annotations).Spend()
		if o := parse(annotations); !o.IsSpent() || o.Stands(time.Time{}) {
			t.Fatalf("not used up: %+v", o)
		}
	}
	o := parse(annotations)
	if len(o.Spent) != v1alpha1.MaxSpentReasons || o.Spent[0] != "INC-11" || o.Spent[7] != "INC-4" {
		t.Errorf("remembered %q", o.Spent)
	}
	annotations[Reason] = "INC-5"
	if o := parse(map[string]string{Spent: parse(annotations).Spend()}); len(o.Spent) != v1alpha1.MaxSpentReasons || o.Spent[0] != "INC-5" || o.Spent[7] != "INC-4" {
		t.Errorf("remembered %q, want INC-5 first and once", o.Spent)
	}
	for _, reason := range []string{strings.Repeat("x", 257), "two\nlines"} {
		annotations[Reason] = reason
		if parse(annotations).Spend() != annotations[Spent] {
			t.Errorf("remembered: %q", reason)
		}
	}
}

func marked(annotations map[string]string) *metav1.ObjectMeta {
	return &metav1.ObjectMeta{Labels: map[string]string{v1alpha1.OverriddenLabel: "true"}, Annotations: annotations}
}

// TestStands: an override stands with its mark, its reason and an end to come; as the policies see it.
func TestStands(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for title, tc := range map[string]struct {
		change func(*metav1.ObjectMeta)
		want   bool
	}{
		"it stands":                {func(*metav1.ObjectMeta) {}, true},
		"it has no mark":           {func(o *metav1.ObjectMeta) { o.Labels = nil }, false},
		"it has another mark":      {func(o *metav1.ObjectMeta) { o.Labels[v1alpha1.OverriddenLabel] = "yes" }, false},
		"it has no reason":         {func(o *metav1.ObjectMeta) { delete(o.Annotations, Reason) }, false},
		"it has no end":            {func(o *metav1.ObjectMeta) { delete(o.Annotations, Until) }, false},
		"its end has come":         {func(o *metav1.ObjectMeta) { o.Annotations[Until] = now.Format(time.RFC3339) }, false},
		"its reason has been used": {func(o *metav1.ObjectMeta) { o.Annotations[Spent] = "INC-0\nINC-1" }, false},
	} {
		t.Run(title, func(t *testing.T) {
			o := marked(map[string]string{Reason: "INC-1", Until: now.Add(time.Minute).Format(time.RFC3339)})
			tc.change(o)
			if got := Parse(o).Stands(now); got != tc.want {
				t.Errorf("it stands: %v", got)
			}
		})
	}
}

func TestObjectName(t *testing.T) {
	for _, want := range [][3]string{{"Deployment", "osthammar", "web"}, {"Namespace", "", "osthammar"}} {
		kind, namespace, name := ParseObjectName(ObjectName(want[0], want[1], want[2]))
		if got := [3]string{kind, namespace, name}; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

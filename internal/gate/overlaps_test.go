package gate

import "testing"

// TestOverlaps: object selectors that contradict each other have nothing in common.
func TestOverlaps(t *testing.T) {
	selector := func(r ...Requirement) Selector {
		s, err := NewSelector(r...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	web := selector(Requirement{Key: "app", Operator: In, Values: []string{"web"}})
	for title, tc := range map[string]struct {
		other Selector
		want  bool
	}{
		"everything":  {nil, true},
		"another key": {selector(Requirement{Key: "tier", Operator: Exists}), true},
		"not web":     {selector(Requirement{Key: "app", Operator: NotIn, Values: []string{"web"}}), false},
		"without app": {selector(Requirement{Key: "app", Operator: DoesNotExist}), false},
	} {
		if got := web.Overlaps(tc.other); got != tc.want {
			t.Errorf("%s: %t", title, got)
		}
	}
}

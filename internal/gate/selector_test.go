package gate

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

func TestNewSelectorRefuses(t *testing.T) {
	for title, tc := range map[string]struct {
		requirement Requirement
		want        string
	}{
		"an unknown operator":   {Requirement{"a", "Is", []string{"b"}}, "use In, NotIn, Exists or DoesNotExist"},
		"In without values":     {Requirement{"a", In, nil}, "set can't be empty"},
		"Exists with values":    {Requirement{"a", Exists, []string{"b"}}, "must be empty"},
		"a key with a space":    {Requirement{"a b", Exists, nil}, "name part"},
		"a value out of bounds": {Requirement{"a", In, []string{"Älvkarleby kommun"}}, "a valid label"},
	} {
		t.Run(title, func(t *testing.T) {
			if _, err := NewSelector(tc.requirement); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v does not say %q", err, tc.want)
			}
		})
	}
}

// TestNormalForm: the same selector is written in one way.
func TestNormalForm(t *testing.T) {
	a := Target{Namespaces: sel(t, Requirement{"b", In, []string{"2", "1", "2"}}, Requirement{"a", Exists, nil})}
	b := Target{Namespaces: sel(t, Requirement{"a", Exists, nil}, Requirement{"b", In, []string{"1", "2"}}, Requirement{"a", Exists, nil})}
	if a.key() != b.key() {
		t.Errorf("%q and %q are the same target", a.key(), b.key())
	}
	if (Target{Objects: a.Namespaces}).key() == a.key() {
		t.Error("a selector of objects and one of namespaces are not the same target")
	}
}

// TestSelectorsAgainstEverySet compares Matches and Covers with what holds over every set of labels of a small
// universe, and Matches with Kubernetes' own selectors.
func TestSelectorsAgainstEverySet(t *testing.T) {
	keys, values := []string{"a", "b"}, []string{"1", "2", "3"}
	var universe []map[string]string
	for _, a := range append(values, "") {
		for _, b := range append(values, "", "other") {
			set := map[string]string{}
			if a != "" {
				set["a"] = a
			}
			if b != "" {
				set["b"] = b
			}
			universe = append(universe, set)
		}
	}
	// A value that no requirement names stands for all such values.
	for _, set := range universe[:len(universe):len(universe)] {
		other := map[string]string{"a": "other"}
		if b, has := set["b"]; has {
			other["b"] = b
		}
		universe = append(universe, other)
	}
	random := rand.New(rand.NewPCG(3, 4))
	draw := func() Selector {
		var requirements []Requirement
		for range random.IntN(4) {
			r := Requirement{Key: keys[random.IntN(2)], Operator: []Operator{In, NotIn, Exists, DoesNotExist}[random.IntN(4)]}
			if r.Operator == In || r.Operator == NotIn {
				for _, v := range values {
					if random.IntN(2) == 0 {
						r.Values = append(r.Values, v)
					}
				}
				if len(r.Values) == 0 {
					r.Values = values[:1]
				}
			}
			requirements = append(requirements, r)
		}
		return sel(t, requirements...)
	}
	for range 5000 {
		s, other := draw(), draw()
		covers := true
		for _, set := range universe {
			if s.Matches(set) != kubernetes(t, s).Matches(labels.Set(set)) {
				t.Fatalf("[%s] and Kubernetes disagree about %v", s, set)
			}
			if other.Matches(set) && !s.Matches(set) {
				covers = false
			}
		}
		if got := s.Covers(other); got != covers {
			t.Fatalf("[%s] covers [%s]: %t, want %t", s, other, got, covers)
		}
	}
}

func kubernetes(t *testing.T, s Selector) labels.Selector {
	t.Helper()
	selector := &metav1.LabelSelector{}
	for _, r := range s {
		selector.MatchExpressions = append(selector.MatchExpressions, metav1.LabelSelectorRequirement{
			Key: r.Key, Operator: metav1.LabelSelectorOperator(r.Operator), Values: r.Values,
		})
	}
	result, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", s, err))
	}
	return result
}

package gate

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
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

// TestNamesOfGates: no two targets share a name, however little of the hash it has, whatever the order; and each is a label value.
func TestNamesOfGates(t *testing.T) {
	name := func(digits, n int) map[string]string {
		groups := map[string]*group{}
		for i := range n {
			target := Target{Namespaces: sel(t, Requirement{"team", In, []string{fmt.Sprintf("%s%d", strings.Repeat("a", 50), i)}})}
			groups[target.key()] = &group{target: target}
		}
		nameGroups(groups, digits)
		names := map[string]string{}
		for key, g := range groups {
			if problems := validation.IsValidLabelValue(g.name); len(problems) > 0 {
				t.Fatalf("%s: %v", g.name, problems)
			}
			if other, shared := names[g.name]; shared {
				t.Fatalf("%s and %s share the name %s", other, key, g.name)
			}
			names[g.name] = key
		}
		return names
	}
	name(1, 200)
	if again := name(1, 200); !maps.Equal(again, name(1, 200)) {
		t.Error("the same targets have other names the next time")
	}
	for n := range name(hashDigits, 3) {
		if hash := n[strings.LastIndex(n, "-")+1:]; len(hash) != 16 {
			t.Errorf("%s: the hash has %d digits", n, len(hash))
		}
	}
	for n := range name(60, 2) {
		if len(n) > 63 {
			t.Errorf("%s is too long for a label", n)
		}
	}
}

func TestNormalFormNamesTargets(t *testing.T) {
	a := Target{Namespaces: sel(t, Requirement{"b", In, []string{"2", "1", "2"}}, Requirement{"a", Exists, nil})}
	b := Target{Namespaces: sel(t, Requirement{"a", Exists, nil}, Requirement{"b", In, []string{"1", "2"}}, Requirement{"a", Exists, nil})}
	if a.Name() != b.Name() {
		t.Errorf("%s and %s are the same target", a.Name(), b.Name())
	}
	if got := (Target{}).Name(); !strings.HasPrefix(got, "all-namespaces-") {
		t.Errorf("the name for everything: %s", got)
	}
	if (Target{Objects: a.Namespaces}).Name() == a.Name() {
		t.Error("a selector of objects and one of namespaces must not share a gate")
	}
}

// TestSelectorsAgainstEverySet compares Matches, Covers and Overlaps with what holds over every set of labels of a small
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
		covers, overlaps := true, false
		for _, set := range universe {
			if s.Matches(set) != kubernetes(t, s).Matches(labels.Set(set)) {
				t.Fatalf("[%s] and Kubernetes disagree about %v", s, set)
			}
			if other.Matches(set) && !s.Matches(set) {
				covers = false
			}
			if other.Matches(set) && s.Matches(set) {
				overlaps = true
			}
		}
		if got := s.Covers(other); got != covers {
			t.Fatalf("[%s] covers [%s]: %t, want %t", s, other, got, covers)
		}
		if got := s.Overlaps(other); got != overlaps {
			t.Fatalf("[%s] overlaps [%s]: %t, want %t", s, other, got, overlaps)
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

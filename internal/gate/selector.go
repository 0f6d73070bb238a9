package gate

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// Operator is one of the four operators of a Kubernetes label selector.
type Operator string

// The operators, spelled as in metav1.LabelSelector.
const (
	In           Operator = "In"
	NotIn        Operator = "NotIn"
	Exists       Operator = "Exists"
	DoesNotExist Operator = "DoesNotExist"
)

// Requirement is one condition on a label. Values is sorted and unique; empty for Exists and DoesNotExist.
type Requirement struct {
	Key      string
	Operator Operator
	Values   []string
}

// Selector is a label selector in normal form: requirements sorted by key, operator and values, none twice. The empty
// selector matches everything.
type Selector []Requirement

var operators = map[Operator]selection.Operator{
	In: selection.In, NotIn: selection.NotIn, Exists: selection.Exists, DoesNotExist: selection.DoesNotExist,
}

// NewSelector brings requirements into normal form. It refuses what the API server would refuse in a binding: unknown
// operators, malformed keys and values, In and NotIn without values, Exists and DoesNotExist with some.
func NewSelector(requirements ...Requirement) (Selector, error) {
	selector := make(Selector, 0, len(requirements))
	for _, r := range requirements {
		operator, known := operators[r.Operator]
		if !known {
			return nil, fmt.Errorf("%q is not an operator: use In, NotIn, Exists or DoesNotExist", r.Operator)
		}
		values := slices.Compact(slices.Sorted(slices.Values(r.Values)))
		if _, err := labels.NewRequirement(r.Key, operator, values); err != nil {
			return nil, err
		}
		selector = append(selector, Requirement{Key: r.Key, Operator: r.Operator, Values: values})
	}
	slices.SortFunc(selector, compareRequirements)
	return slices.CompactFunc(selector, func(a, b Requirement) bool { return compareRequirements(a, b) == 0 }), nil
}

func compareRequirements(a, b Requirement) int {
	if c := strings.Compare(a.Key, b.Key); c != 0 {
		return c
	}
	if c := strings.Compare(string(a.Operator), string(b.Operator)); c != 0 {
		return c
	}
	return slices.Compare(a.Values, b.Values)
}

// Matches says whether labels satisfy every requirement.
func (s Selector) Matches(set map[string]string) bool {
	for _, r := range s {
		value, exists := set[r.Key]
		switch r.Operator {
		case In:
			if !exists || !slices.Contains(r.Values, value) {
				return false
			}
		case NotIn:
			if exists && slices.Contains(r.Values, value) {
				return false
			}
		case Exists:
			if !exists {
				return false
			}
		case DoesNotExist:
			if exists {
				return false
			}
		}
	}
	return true
}

// String is the selector as kubectl writes it, such as "kommun in (osthammar)"; "" matches everything.
func (s Selector) String() string {
	parts := make([]string, len(s))
	for i, r := range s {
		switch r.Operator {
		case In:
			parts[i] = r.Key + " in (" + strings.Join(r.Values, ",") + ")"
		case NotIn:
			parts[i] = r.Key + " notin (" + strings.Join(r.Values, ",") + ")"
		case Exists:
			parts[i] = r.Key
		case DoesNotExist:
			parts[i] = "!" + r.Key
		}
	}
	return strings.Join(parts, ",")
}

// domain is the set of values that the requirements on one key leave to it, "absent" being one more value.
type domain struct {
	absent    bool     // the label may be absent
	only      []string // when bounded: the values it may have
	bounded   bool
	forbidden []string // when not bounded: the values it may not have
}

func (d domain) empty() bool { return !d.absent && d.bounded && len(d.only) == 0 }

func (d domain) with(r Requirement) domain {
	switch r.Operator {
	case In:
		d.absent = false
		allowed := slices.DeleteFunc(slices.Clone(r.Values), func(v string) bool { return !d.admits(v) })
		d.only, d.bounded = allowed, true
	case NotIn:
		if d.bounded {
			d.only = slices.DeleteFunc(slices.Clone(d.only), func(v string) bool { return slices.Contains(r.Values, v) })
		} else {
			d.forbidden = append(slices.Clone(d.forbidden), r.Values...)
		}
	case Exists:
		d.absent = false
	case DoesNotExist:
		d.only, d.bounded = nil, true
	}
	return d
}

func (d domain) admits(value string) bool {
	if d.bounded {
		return slices.Contains(d.only, value)
	}
	return !slices.Contains(d.forbidden, value)
}

// domainOf is what s leaves to key.
func (s Selector) domainOf(key string) domain {
	d := domain{absent: true}
	for _, r := range s {
		if r.Key == key {
			d = d.with(r)
		}
	}
	return d
}

// negations lists requirements, of which at least one holds exactly where r does not.
func (r Requirement) negation() Requirement {
	switch r.Operator {
	case In:
		return Requirement{Key: r.Key, Operator: NotIn, Values: r.Values}
	case NotIn:
		return Requirement{Key: r.Key, Operator: In, Values: r.Values}
	case Exists:
		return Requirement{Key: r.Key, Operator: DoesNotExist}
	default:
		return Requirement{Key: r.Key, Operator: Exists}
	}
}

// Covers says whether everything that other matches is matched by s too. It is exact: each key is independent of the
// others, and values are unbounded.
func (s Selector) Covers(other Selector) bool {
	for _, r := range s {
		if !other.domainOf(r.Key).with(r.negation()).empty() {
			return other.impossible()
		}
	}
	return true
}

// impossible says that no set of labels matches.
func (s Selector) impossible() bool {
	for _, r := range s {
		if s.domainOf(r.Key).empty() {
			return true
		}
	}
	return false
}

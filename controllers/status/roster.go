package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/internal/policy"
)

// maxNamespaces bounds how many namespaces a condition names.
const maxNamespaces = 5

// roster knows the namespaces by their labels, as far as the selectors of a Set ask for them: thousands of namespaces have few different
// sets of those. Once it is built, only what it remembers of selectors changes; that is for whoever holds the View's lock.
type roster struct {
	keys []string
	// operator says which namespaces are never governed.
	operator policy.Identity
	// sets are the distinct sets of labels, by those labels as text; byName has that of each namespace that may be governed.
	sets   map[string]*labelSet
	byName map[string]*labelSet
	// protected are the labels of the namespaces that are never governed.
	protected map[string]map[string]string
	known     map[string]governed
}

// labelSet is what namespaces with the same labels share: how many there are, and the first of their names.
type labelSet struct {
	labels map[string]string
	n      int
	names  []string
}

// governed is which namespaces a selector matches.
type governed struct {
	n int
	// names are the first of them, in order; protected those that match and are never governed.
	names, protected []string
}

func newRoster(keys []string, operator policy.Identity) *roster {
	return &roster{
		keys: keys, operator: operator, sets: map[string]*labelSet{}, byName: map[string]*labelSet{},
		protected: map[string]map[string]string{}, known: map[string]governed{},
	}
}

// covers says whether the roster is good for selectors that ask for these labels, which are in order.
func (r *roster) covers(keys []string) bool { return slices.Equal(r.keys, keys) }

// add takes a namespace in.
func (r *roster) add(name string, labels map[string]string) {
	if r.operator.Protected(name) {
		r.protected[name] = labels
		return
	}
	var b strings.Builder
	for _, key := range r.keys {
		if value, found := labels[key]; found {
			b.WriteString("=" + value)
		}
		b.WriteByte(',') // no label's value has one
	}
	set := r.sets[b.String()]
	if set == nil {
		set = &labelSet{labels: map[string]string{}}
		for _, key := range r.keys {
			if value, found := labels[key]; found {
				set.labels[key] = value
			}
		}
		r.sets[b.String()] = set
	}
	set.n++
	set.names = firstNames(append(set.names, name))
	r.byName[name] = set
}

func firstNames(names []string) []string {
	slices.Sort(names)
	return names[:min(len(names), maxNamespaces)]
}

// of is which namespaces a selector matches.
func (r *roster) of(s gate.Selector) governed {
	key := s.String()
	if known, is := r.known[key]; is {
		return known
	}
	var g governed
	for set := range r.matching(s) {
		g.n += set.n
		g.names = append(g.names, set.names...)
	}
	g.names = firstNames(g.names)
	for _, name := range slices.Sorted(maps.Keys(r.protected)) {
		if s.Matches(r.protected[name]) {
			g.protected = append(g.protected, name)
		}
	}
	r.known[key] = g
	return g
}

// matching are the sets of labels that a selector matches.
func (r *roster) matching(s gate.Selector) func(yield func(*labelSet) bool) {
	return func(yield func(*labelSet) bool) {
		for _, set := range r.sets {
			if s.Matches(set.labels) && !yield(set) {
				return
			}
		}
	}
}

// governs says whether a selector matches a namespace that may be governed. It reads only what never changes.
func (r *roster) governs(s gate.Selector) func(namespace string) bool {
	return func(namespace string) bool {
		set := r.byName[namespace]
		return set != nil && s.Matches(set.labels)
	}
}

// String names the namespaces: 7 namespaces: a, b, c, d, e and 2 more.
func (g governed) String() string {
	if g.n == 1 {
		return "1 namespace: " + g.names[0]
	}
	text := fmt.Sprintf("%d namespaces: %s", g.n, strings.Join(g.names, ", "))
	if more := g.n - len(g.names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

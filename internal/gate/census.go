package gate

import (
	"slices"
	"strings"
)

// Census counts namespaces by their labels, as far as the selectors of a Set ask for them: thousands of namespaces have few different
// sets of those. It is for one goroutine.
type Census struct {
	keys    []string
	sets    map[string]*labelSet
	counted map[string]int
}

type labelSet struct {
	labels map[string]string
	n      int
}

// NewCensus is a census of no namespace, for selectors that ask for these labels.
func NewCensus(keys []string) *Census {
	return &Census{keys: keys, sets: map[string]*labelSet{}, counted: map[string]int{}}
}

// Covers says whether the census is good for selectors that ask for these labels, which are in order.
func (c *Census) Covers(keys []string) bool { return slices.Equal(c.keys, keys) }

// Add counts a namespace with these labels.
func (c *Census) Add(labels map[string]string) {
	var b strings.Builder
	for _, key := range c.keys {
		if value, found := labels[key]; found {
			b.WriteString("=" + value)
		}
		b.WriteByte(',') // no label's value has one
	}
	set := c.sets[b.String()]
	if set == nil {
		set = &labelSet{labels: map[string]string{}}
		for _, key := range c.keys {
			if value, found := labels[key]; found {
				set.labels[key] = value
			}
		}
		c.sets[b.String()] = set
	}
	set.n++
	clear(c.counted)
}

// Count is how many namespaces a selector matches.
func (c *Census) Count(s Selector) int {
	key := s.String()
	if n, known := c.counted[key]; known {
		return n
	}
	n := 0
	for _, set := range c.sets {
		if s.Matches(set.labels) {
			n += set.n
		}
	}
	c.counted[key] = n
	return n
}

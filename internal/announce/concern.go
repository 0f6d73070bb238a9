package announce

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"fonster.dev/fonster/internal/gate"
)

// Everybody in spec.audiences stands for everybody.
const Everybody = "*"

// concern works out whom things concern.
type concern struct {
	// places has the audience of each namespace that has one; labels are those of all.
	places map[string]string
	labels map[string]map[string]string
	// byLabel says that namespaces have audiences.
	byLabel bool
	// known holds the audiences of a selector of namespaces, by its text: windows share them.
	known map[string][]string
}

func newConcern(label string, namespaces map[string]map[string]string) *concern {
	c := &concern{places: map[string]string{}, labels: namespaces, byLabel: label != "", known: map[string][]string{}}
	if !c.byLabel {
		return c
	}
	for name, labels := range namespaces {
		if audience := audienceOf(labels[label]); audience != "" {
			c.places[name] = audience
		}
	}
	return c
}

var audienceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// audienceOf makes the value of a label the name of an audience; nothing where it has none.
func audienceOf(value string) string {
	name := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(value))
	if !audienceName.MatchString(name) {
		return ""
	}
	return name
}

// named are the audiences that an object names; nobody is false.
func (c *concern) named(audiences []string) (list []string, nobody bool) {
	if slices.Contains(audiences, Everybody) {
		return nil, false
	}
	return audiences, false
}

// of is whom an object concerns that governs the namespaces with a selector: whom it names, or else the audiences of those namespaces;
// everybody where it governs every namespace.
func (c *concern) of(audiences []string, namespaces gate.Selector) (list []string, nobody bool) {
	if len(audiences) > 0 || !c.byLabel || len(namespaces) == 0 {
		return c.named(audiences)
	}
	key := namespaces.String()
	list, found := c.known[key]
	if !found {
		set := map[string]bool{}
		for name, audience := range c.places {
			if !set[audience] && namespaces.Matches(c.labels[name]) {
				set[audience] = true
			}
		}
		list = slices.Sorted(maps.Keys(set))
		c.known[key] = list
	}
	return list, len(list) == 0
}

// ofAll has each work concern the audience of its namespace, where that has one.
func (c *concern) ofAll(works []Work) []Work {
	works = slices.Clone(works)
	for i := range works {
		if audience := c.places[works[i].Namespace]; audience != "" {
			works[i].Audiences = []string{audience}
		}
	}
	return works
}

package inputs

import (
	"slices"
	"strings"
	"testing"

	"fonster.dev/fonster/hack/policygen"
)

// TestHeld: every row names rules and protections that exist, and a row without any says why, or what it risks.
func TestHeld(t *testing.T) {
	var names []string
	for _, f := range policygen.RuleSets {
		for _, d := range f.Rules {
			names = append(names, d.Name)
		}
	}
	for _, g := range policygen.Integrity {
		names = append(names, g.Name)
	}
	for _, s := range Sections {
		for _, i := range s.Inputs {
			if i.What == "" || i.Reader == "" || i.Does == "" || len(i.Rules) == 0 && i.Rest == "" {
				t.Errorf("%s: %q is not told in full: what, who reads it, what it does, and what holds it", s.Title, i.What)
			}
			for _, d := range i.Rules {
				if !slices.Contains(names, d) {
					t.Errorf("%s: %s: there is no rule or protection %s", s.Title, i.What, d)
				}
			}
			for _, text := range []string{i.What, i.Reader, i.Does, i.Rest} {
				if strings.ContainsAny(text, "|\n") {
					t.Errorf("%s: %q breaks the table", s.Title, text)
				}
			}
		}
	}
}

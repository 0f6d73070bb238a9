package compile

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"fonster.dev/fonster/api/v1alpha1"
)

func TestExempt(t *testing.T) {
	for title, tc := range map[string]struct {
		users, groups, labels []string
		want                  *v1alpha1.GateExempt
		wantErr               string
	}{
		"nobody":               {nil, nil, nil, nil, ""},
		"sorted, once each":    {[]string{"b", "a", "b"}, []string{"g"}, nil, &v1alpha1.GateExempt{Users: []string{"a", "b"}, Groups: []string{"g"}}, ""},
		"a prefix":             {[]string{"system:serviceaccount:databases:"}, nil, nil, nil, "exact name"},
		"a pattern":            {[]string{"system:*"}, nil, nil, nil, "exact name"},
		"an empty name":        {[]string{""}, nil, nil, nil, "exact name"},
		"every administrator":  {nil, []string{"system:masters"}, nil, nil, "too many"},
		"everybody":            {nil, []string{"system:authenticated"}, nil, nil, "too many"},
		"more than gates hold": {manyNames(33), nil, nil, nil, "at most 32"},
		"a name too long":      {[]string{strings.Repeat("a", 513)}, nil, nil, nil, "at most 512"},
		"leader labels":        {nil, nil, []string{"b/role", "a"}, &v1alpha1.GateExempt{LeaderLabels: []string{"a", "b/role"}}, ""},
		"no key of a label":    {nil, nil, []string{"a/b/c"}, nil, "key of a label"},
		"a workload's label":   {nil, nil, []string{"pod-template-hash"}, nil, "know their pods"},
		"more labels":          {nil, nil, manyNames(33), nil, "at most 32"},
	} {
		t.Run(title, func(t *testing.T) {
			got, err := Exempt(tc.users, tc.groups, tc.labels)
			if (err == nil) != (tc.wantErr == "") || err != nil && !strings.Contains(err.Error(), tc.wantErr) {
				t.Fatalf("error %v, want %q", err, tc.wantErr)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func manyNames(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("user-%02d", i))
	}
	return names
}

// TestExemptFitsTheGate: as many names as the flags take, and as long, is what a Gate has room for.
func TestExemptFitsTheGate(t *testing.T) {
	content, err := os.ReadFile("../../config/crd/bases/maintenance.fonster.dev_gates.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type list struct {
		MaxItems int
		Items    struct{ MaxLength int }
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema struct {
						Properties struct {
							Spec struct {
								Properties struct {
									Exempt struct{ Properties map[string]list }
								}
							}
						}
					}
				}
			}
		}
	}
	if err := yaml.Unmarshal(content, &crd); err != nil {
		t.Fatal(err)
	}
	lists := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties.Spec.Properties.Exempt.Properties
	for _, kind := range []string{"users", "groups"} {
		most, longest := lists[kind].MaxItems, lists[kind].Items.MaxLength
		fits := func(names ...string) bool {
			users, groups := names, []string(nil)
			if kind == "groups" {
				users, groups = nil, names
			}
			_, err := Exempt(users, groups, nil)
			return err == nil
		}
		if !fits(manyNames(most)...) || fits(manyNames(most+1)...) {
			t.Errorf("a Gate has room for %d exempt %s, the flag for another number", most, kind)
		}
		if long := strings.Repeat("a", longest); !fits(long) || fits(long+"a") {
			t.Errorf("the name of one of the exempt %s has at most %d characters in a Gate, in the flag another number", kind, longest)
		}
	}
}

package e2e

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/discovery"

	"fonster.dev/fonster/hack/policygen"
)

// TestEveryWayIsReviewed walks every resource and subresource that the API server serves, with each verb that writes: a policy
// watches it, or it is on the list of those excluded on purpose. So a new version of Kubernetes cannot bring a way in unseen.
func TestEveryWayIsReviewed(t *testing.T) {
	client, err := discovery.NewDiscoveryClientForConfig(shared.Config)
	if err != nil {
		t.Fatal(err)
	}
	_, groups, err := client.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	operations := map[string]string{"create": "CREATE", "update": "UPDATE", "patch": "UPDATE", "delete": "DELETE", "deletecollection": "DELETE"}
	used := map[string]bool{}
	ways := 0
	for _, g := range groups {
		group, _, found := strings.Cut(g.GroupVersion, "/")
		if !found {
			group = "core"
		}
		for _, r := range g.APIResources {
			resource := group + "/" + r.Name
			for _, verb := range r.Verbs {
				operation, writes := operations[verb]
				if !writes {
					continue
				}
				ways++
				reviewed := false
				for _, l := range policygen.Exclusions {
					if l.Covers(resource, operation) {
						reviewed, used[l.Way] = true, true
					}
				}
				if watched := policies().Watches(resource, operation); !watched && !reviewed {
					t.Errorf("%s of %s is watched by no policy, and not on the list of those excluded", operation, resource)
				}
			}
			used[resource] = true
		}
	}
	for _, l := range policygen.Exclusions {
		if !used[l.Way] {
			t.Errorf("the API server serves nothing of %q any more", l.Way)
		}
		for _, r := range l.Resources {
			if !used[r] && !strings.HasPrefix(r, "*") {
				t.Errorf("the API server does not serve %s any more", r)
			}
		}
	}
	for _, f := range policygen.RuleSets {
		for _, d := range f.Rules {
			resource := d.Group + "/" + d.Resource
			if d.Group == "" {
				resource = "core/" + d.Resource
			}
			if !used[resource] {
				t.Errorf("rule %s: the API server does not serve %s", d.Name, resource)
			}
			if slices.ContainsFunc(policygen.Exclusions, func(l policygen.Exclusion) bool { return l.Covers(resource, d.Operation) }) {
				t.Errorf("rule %s is on the list of those excluded too", d.Name)
			}
		}
	}
	t.Logf("%d ways to write", ways)
}

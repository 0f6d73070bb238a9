package compile

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/policy"
)

// everybody holds groups that would open every gate to all, or to every administrator.
var everybody = []string{"system:authenticated", "system:unauthenticated", "system:serviceaccounts", "system:masters"}

// Exempt reads the names of users and groups that pass every gate, and the keys of labels that mark leaders. It refuses what is no exact
// name, groups of which everybody or every administrator is a member, and labels by which workloads know their pods.
func Exempt(users, groups, leaderLabels []string) (*v1alpha1.GateExempt, error) {
	if len(users) == 0 && len(groups) == 0 && len(leaderLabels) == 0 {
		return nil, nil
	}
	for _, name := range slices.Concat(users, groups) {
		if name == "" || strings.ContainsAny(name, "* \t") || strings.HasSuffix(name, ":") {
			return nil, fmt.Errorf("exempt %q: an exact name is needed, such as system:serviceaccount:databases:operator", name)
		}
		if utf8.RuneCountInString(name) > v1alpha1.MaxExemptName {
			return nil, fmt.Errorf("exempt %.40q...: a name has at most %d characters", name, v1alpha1.MaxExemptName)
		}
	}
	for _, group := range groups {
		if slices.Contains(everybody, group) {
			return nil, fmt.Errorf("exempt group %q: too many are its members; the gates would hold nobody back", group)
		}
	}
	for _, label := range leaderLabels {
		if problems := validation.IsQualifiedName(label); len(problems) > 0 {
			return nil, fmt.Errorf("leader label %q: the key of a label is needed, such as example.com/role: %s", label, strings.Join(problems, "; "))
		}
		if slices.Contains(policy.WorkloadLabels, label) {
			return nil, fmt.Errorf("leader label %q: workloads know their pods by it, and replace those that change it", label)
		}
	}
	if len(users) > v1alpha1.MaxExempt || len(groups) > v1alpha1.MaxExempt || len(leaderLabels) > v1alpha1.MaxExempt {
		return nil, fmt.Errorf("%d exempt users, %d groups and %d leader labels: at most %d of each", len(users), len(groups), len(leaderLabels), v1alpha1.MaxExempt)
	}
	return &v1alpha1.GateExempt{Users: sorted(users), Groups: sorted(groups), LeaderLabels: sorted(leaderLabels)}, nil
}

// sorted is a list in order, each once; nil where it is empty.
func sorted(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

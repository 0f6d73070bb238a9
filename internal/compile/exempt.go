package compile

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"fonster.dev/fonster/api/v1alpha1"
)

// everybody holds groups that would open every gate to all, or to every administrator.
var everybody = []string{"system:authenticated", "system:unauthenticated", "system:serviceaccounts", "system:masters"}

// maxExempt and maxName bound the names, as the CRD of the Gates does: each Gate carries them.
const (
	maxExempt = 32
	maxName   = 512
)

// Exempt reads the names of users and groups that pass every gate. It refuses what is no exact name, and groups of which
// everybody or every administrator is a member.
func Exempt(users, groups []string) (*v1alpha1.GateExempt, error) {
	if len(users) == 0 && len(groups) == 0 {
		return nil, nil
	}
	for _, name := range slices.Concat(users, groups) {
		if name == "" || strings.ContainsAny(name, "* \t") || strings.HasSuffix(name, ":") {
			return nil, fmt.Errorf("exempt %q: an exact name is needed, such as system:serviceaccount:databases:operator", name)
		}
		if utf8.RuneCountInString(name) > maxName {
			return nil, fmt.Errorf("exempt %.40q...: a name has at most %d characters", name, maxName)
		}
	}
	for _, group := range groups {
		if slices.Contains(everybody, group) {
			return nil, fmt.Errorf("exempt group %q: too many are its members; the gates would hold nobody back", group)
		}
	}
	if len(users) > maxExempt || len(groups) > maxExempt {
		return nil, fmt.Errorf("%d exempt users and %d groups: at most %d of each", len(users), len(groups), maxExempt)
	}
	return &v1alpha1.GateExempt{Users: slices.Compact(slices.Sorted(slices.Values(users))), Groups: slices.Compact(slices.Sorted(slices.Values(groups)))}, nil
}

package cli

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"fonster.dev/fonster/api/v1alpha1"
)

// gateOf is a gate over the namespaces of a municipality.
func gateOf(name, kommun string, windows []string, freezes ...v1alpha1.GateFreeze) v1alpha1.Gate {
	g := v1alpha1.Gate{ObjectMeta: metav1.ObjectMeta{Name: name}}
	g.Spec.NamespaceSelector.MatchLabels = map[string]string{"kommun": kommun}
	g.Spec.Overrides = &v1alpha1.GateOverrides{Windows: windows}
	g.Spec.Disruptions = []v1alpha1.GateDisruption{{Disruption: v1alpha1.Rollout, Freezes: freezes}, {Disruption: v1alpha1.Delete, Freezes: freezes}}
	return g
}

// TestNeeds: a right for the windows of each gate that governs, and one for each freeze in force.
func TestNeeds(t *testing.T) {
	narrow := gateOf("c", "heby", []string{"web"})
	narrow.Spec.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	gates := []v1alpha1.Gate{
		gateOf("a", "heby", []string{"heby", "alla"}, v1alpha1.GateFreeze{Name: "val", Enforcement: v1alpha1.Deny, Active: true, Overridable: true, Also: []string{"jul"}}),
		gateOf("b", "heby", nil, v1alpha1.GateFreeze{Name: "stopp", Enforcement: v1alpha1.Deny, Active: true}),
		gateOf("d", "heby", nil, v1alpha1.GateFreeze{Name: "warns", Enforcement: v1alpha1.Warn, Active: true},
			v1alpha1.GateFreeze{Name: "begun", Enforcement: v1alpha1.Deny, StartsAt: &metav1.Time{Time: now}, Overridable: true}),
		gateOf("e", "heby", nil, v1alpha1.GateFreeze{Name: "later", Enforcement: v1alpha1.Deny, StartsAt: &metav1.Time{Time: now.AddDate(0, 0, 1)}}),
		narrow, gateOf("f", "tierp", []string{"tierp"}),
	}
	everywhere := []need{
		{Resource: windowsResource, Names: []string{"heby", "alla"}}, {Resource: freezesResource, Names: []string{"val"}}, {Resource: freezesResource, Names: []string{"jul"}},
		{Resource: freezesResource, Names: []string{"stopp"}, Impossible: true}, {Resource: freezesResource, Names: []string{"begun"}},
	}
	web := append(slices.Clone(everywhere), need{Resource: windowsResource, Names: []string{"web"}})
	for title, tc := range map[string]struct {
		namespace string
		object    *labels.Set
		want      []need
	}{
		"a workload":             {"osthammar", &labels.Set{"app": "web"}, web},
		"another workload":       {"osthammar", &labels.Set{}, everywhere},
		"a whole namespace":      {"osthammar", nil, web},
		"what is never governed": {"kube-system", nil, nil},
	} {
		governs, err := governing(gates, tc.namespace, labels.Set{"kommun": "heby"}, tc.object)
		got := needs(governs, now)
		if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v -want +got:\n%s", title, err, diff)
		}
	}
}

// TestLongest: the strictest gate says how long an override may stand.
func TestLongest(t *testing.T) {
	of := func(d time.Duration) v1alpha1.Gate {
		g := gateOf("a", "heby", nil)
		g.Spec.Overrides.MaxDuration.Duration = d
		return g
	}
	if got := longest([]v1alpha1.Gate{of(2 * time.Hour), of(10 * time.Minute), {}, of(time.Hour)}); got != 10*time.Minute {
		t.Errorf("%s, want 10 minutes", got)
	}
	if got := longest([]v1alpha1.Gate{{}}); got != time.Hour {
		t.Errorf("%s where no gate says it", got)
	}
}

// TestHolders: a rule that names other windows or freezes gives no right.
func TestHolders(t *testing.T) {
	role := func(name string, resources []string, names ...string) rbacv1.ClusterRole {
		return rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{v1alpha1.GroupName}, Resources: resources, ResourceNames: names, Verbs: []string{"get", "override"}},
		}}
	}
	roles := []rbacv1.ClusterRole{
		role("all", []string{windowsResource, freezesResource}), role("mine", []string{windowsResource}, "other", "mine"),
		role("another", []string{windowsResource}, "other"), role("freeze", []string{freezesResource}, "mine"), role("any", []string{"*"}),
	}
	roles[4].Rules[0].APIGroups, roles[4].Rules[0].Verbs = []string{"*"}, []string{"*"}
	var bindings []rbacv1.ClusterRoleBinding
	for _, r := range roles {
		bindings = append(bindings, rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: r.Name}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: r.Name},
			Subjects: []rbacv1.Subject{{Kind: "User", Name: r.Name}}})
	}
	for title, tc := range map[string]struct {
		need need
		want string
	}{
		"one window":     {need{Resource: windowsResource, Names: []string{"mine"}}, "all any mine"},
		"one of several": {need{Resource: windowsResource, Names: []string{"some", "other"}}, "all another any mine"},
		"a freeze":       {need{Resource: freezesResource, Names: []string{"mine"}}, "all any freeze"},
		"another freeze": {need{Resource: freezesResource, Names: []string{"other"}}, "all any"},
		"not known":      {need{Resource: windowsResource}, "all another any mine"},
	} {
		var got []string
		for _, line := range holders(tc.need, roles, bindings) {
			got = append(got, line[strings.LastIndex(line, " ")+1:])
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %v, want %s", title, got, tc.want)
		}
	}
}

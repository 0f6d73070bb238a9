package doors

import (
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"

	"fonster.dev/fonster/internal/gate"
)

func TestBindings(t *testing.T) {
	target := gate.Target{Namespaces: gate.Selector{{Key: "kommun", Operator: gate.In, Values: []string{"heby"}}}}
	for title, tc := range map[string]struct {
		governs []gate.Rule
		want    []string
	}{
		"deny":           {[]gate.Rule{{Disruption: gate.Rollout, Enforcement: gate.Deny}}, []string{"workloads-deny", "replicas-deny", "pods-deny", "scales-deny"}},
		"hold is denied": {[]gate.Rule{{Disruption: gate.Rollout, Enforcement: gate.Hold}}, []string{"workloads-deny", "replicas-deny", "pods-deny", "scales-deny"}},
		"warn":           {[]gate.Rule{{Disruption: gate.Delete, Enforcement: gate.Warn}}, []string{"workloads-warn", "replicas-warn", "pods-warn"}},
		"a window and a warning freeze": {
			[]gate.Rule{{Disruption: gate.ScaleDown, Enforcement: gate.Deny}, {Disruption: gate.ScaleDown, Enforcement: gate.Warn}},
			[]string{"workloads-deny", "workloads-warn", "replicas-deny", "replicas-warn", "scales-deny", "scales-warn"},
		},
		"evictions alone": {[]gate.Rule{{Disruption: gate.Evict, Enforcement: gate.Deny}}, []string{"evictions-deny"}},
	} {
		t.Run(title, func(t *testing.T) {
			var names []string
			for _, b := range Bindings(gate.Gate{Name: "g", Target: target, Governs: tc.governs}) {
				names = append(names, strings.TrimSuffix(strings.TrimPrefix(b.Name, "fonster-"), "-g"))
				selector := b.Spec.MatchResources.NamespaceSelector.MatchExpressions
				if protected := selector[len(selector)-1]; !slices.Equal(protected.Values, ProtectedNamespaces) {
					t.Errorf("%s may govern the protected namespaces: %v", b.Name, selector)
				}
				if b.Spec.PolicyName != createdOverrides && *b.Spec.ParamRef.ParameterNotFoundAction != admissionv1.DenyAction {
					t.Errorf("%s opens when its gate is missing", b.Name)
				}
			}
			if !slices.Equal(names, tc.want) {
				t.Errorf("bindings %v, want %v", names, tc.want)
			}
		})
	}
}

// TestPolicies: every policy fails closed, and every door is in the condition of its family's policies.
func TestPolicies(t *testing.T) {
	for _, p := range Policies() {
		if *p.Spec.FailurePolicy != admissionv1.Fail {
			t.Errorf("%s opens when it fails", p.Name)
		}
		for _, v := range p.Spec.Validations {
			if v.Message == "" {
				t.Errorf("%s: a validation has no message to fall back to", p.Name)
			}
		}
	}
	for _, f := range Families {
		for _, m := range modes {
			i := slices.IndexFunc(Policies(), func(p *admissionv1.ValidatingAdmissionPolicy) bool { return p.Name == m.policyName(f) })
			if i < 0 {
				t.Fatalf("no policy %s", m.policyName(f))
			}
			for _, d := range f.Doors {
				if !strings.Contains(Policies()[i].Spec.MatchConditions[0].Expression, d.expression()) {
					t.Errorf("door %s is missing in %s", d.Name, m.policyName(f))
				}
			}
		}
	}
}

func TestExemptIdentitiesAreExactNames(t *testing.T) {
	users := ExemptUsers()
	for _, name := range []string{"system:kube-controller-manager", "system:serviceaccount:kube-system:generic-garbage-collector", OperatorUser} {
		if !slices.Contains(users, name) {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range append(users, ExemptGroup) {
		if name == "system:masters" || strings.HasSuffix(name, ":") || strings.ContainsAny(name, "*") {
			t.Errorf("%s is not the exact name of a control-plane identity", name)
		}
	}
}

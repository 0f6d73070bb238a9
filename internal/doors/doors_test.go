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
		"deny":                       {[]gate.Rule{{Disruption: gate.Rollout, Enforcement: gate.Deny}}, []string{"workloads-deny", "replicas-deny", "creations-deny", "pods-deny", "scales-deny"}},
		"hold, where it is not held": {[]gate.Rule{{Disruption: gate.Rollout, Enforcement: gate.Hold}}, []string{"workloads-deny", "replicas-deny", "creations-deny", "pods-deny", "scales-deny", "holds-warn"}},
		"warn":                       {[]gate.Rule{{Disruption: gate.Delete, Enforcement: gate.Warn}}, []string{"workloads-warn", "replicas-warn", "pods-warn", "scales-warn", "autoscalers-warn"}},
		"a window and a warning freeze": {
			[]gate.Rule{{Disruption: gate.ScaleDown, Enforcement: gate.Deny}, {Disruption: gate.ScaleDown, Enforcement: gate.Warn}},
			[]string{"workloads-deny", "workloads-warn", "replicas-deny", "replicas-warn", "scales-deny", "scales-warn", "autoscalers-deny", "autoscalers-warn"},
		},
		"evictions alone": {[]gate.Rule{{Disruption: gate.Evict, Enforcement: gate.Deny}}, []string{"evictions-deny"}},
	} {
		t.Run(title, func(t *testing.T) {
			var names []string
			for _, b := range Bindings(gate.Gate{Name: "g", Target: target, Governs: tc.governs}) {
				names = append(names, strings.TrimSuffix(strings.TrimPrefix(b.Name, "fonster-"), "-g"))
				if b.Spec.PolicyName != createdOverrides && *b.Spec.ParamRef.ParameterNotFoundAction != admissionv1.DenyAction {
					t.Errorf("%s opens when its gate is missing", b.Name)
				}
			}
			if !slices.Equal(names, tc.want) {
				t.Errorf("bindings %v, want %v", names, tc.want)
			}
			// Also a gate that takes no overrides keeps their notes from being forged.
			stamped := len(MutatingBindings(gate.Gate{Name: "g", Target: target, Governs: tc.governs})) > 0
			if want := slices.Contains(tc.want, "workloads-deny"); stamped != want {
				t.Errorf("notes of overrides are kept: %t, want %t", stamped, want)
			}
		})
	}
}

// TestPolicies: every policy fails closed, no policy that reads gates reaches the protected namespaces, and every door is in the condition
// of its family's policies.
func TestPolicies(t *testing.T) {
	protects := func(name string, param *admissionv1.ParamKind, match *admissionv1.MatchResources) {
		if param == nil {
			return
		}
		if e := match.ExcludeResourceRules; len(e) == 1 && slices.Equal(e[0].ResourceNames, ProtectedNamespaces) && slices.Equal(e[0].Resources, match.ResourceRules[0].Resources) {
			return
		}
		if s := match.NamespaceSelector; s == nil || len(s.MatchExpressions) != 1 || s.MatchExpressions[0].Operator != "NotIn" || !slices.Equal(s.MatchExpressions[0].Values, ProtectedNamespaces) {
			t.Errorf("%s may govern the protected namespaces: %v", name, s)
		}
	}
	for _, p := range MutatingPolicies() {
		protects(p.Name, p.Spec.ParamKind, p.Spec.MatchConstraints)
	}
	for _, p := range Policies() {
		protects(p.Name, p.Spec.ParamKind, p.Spec.MatchConstraints)
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

// TestGuards: every policy that guards is told of.
func TestGuards(t *testing.T) {
	for _, p := range guards() {
		if !slices.ContainsFunc(Guards, func(g Guard) bool { return g.Policy == p.Name }) {
			t.Errorf("%s is not on the list of guards", p.Name)
		}
	}
	for _, g := range Guards {
		if !slices.ContainsFunc(Policies(), func(p *admissionv1.ValidatingAdmissionPolicy) bool { return p.Name == g.Policy }) {
			t.Errorf("guard %s: there is no policy %s", g.Name, g.Policy)
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

// TestHoldBindings: the policy that holds is bound where something may be held, and there fails closed; what it holds is refused
// by another target's gate that denies.
func TestHoldBindings(t *testing.T) {
	deny, hold := gate.Rule{Disruption: gate.Rollout, Enforcement: gate.Deny}, gate.Rule{Disruption: gate.Rollout, Enforcement: gate.Hold}
	for title, tc := range map[string]struct {
		gate  gate.Gate
		holds int
		deny  bool
	}{
		"hold":                     {gate.Gate{Name: "g", Governs: []gate.Rule{hold}, HoldsNearby: true}, 1, false},
		"hold of deletes alone":    {gate.Gate{Name: "g", Governs: []gate.Rule{{Disruption: gate.Delete, Enforcement: gate.Hold}}}, 0, false},
		"deny":                     {gate.Gate{Name: "g", Governs: []gate.Rule{deny}}, 0, false},
		"deny, with hold near it":  {gate.Gate{Name: "g", Governs: []gate.Rule{deny}, HoldsNearby: true}, 0, true},
		"both, of the same target": {gate.Gate{Name: "g", Governs: []gate.Rule{deny, hold}, HoldsNearby: true}, 1, true},
	} {
		t.Run(title, func(t *testing.T) {
			bindings := HoldBindings(tc.gate)
			if len(bindings) != tc.holds {
				t.Errorf("%d bindings, want %d", len(bindings), tc.holds)
			}
			for _, b := range bindings {
				if *b.Spec.ParamRef.ParameterNotFoundAction != admissionv1.DenyAction {
					t.Errorf("%s opens when its gate is missing", b.Name)
				}
			}
			denies := slices.ContainsFunc(Bindings(tc.gate), func(b *admissionv1.ValidatingAdmissionPolicyBinding) bool { return b.Name == "fonster-holds-deny-g" })
			if denies != tc.deny {
				t.Errorf("denied: %v, want %v", denies, tc.deny)
			}
		})
	}
}

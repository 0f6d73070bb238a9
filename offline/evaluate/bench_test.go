package evaluate

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission/plugin/policy/generic"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"

	"fonster.dev/fonster/api/v1alpha1"
)

// BenchmarkPolicies tells what each policy of the repository takes of a change of an image: where nothing governs, and where a window does
// that is open.
func BenchmarkPolicies(b *testing.B) {
	policies, err := Load("../../config/policies", "../../config/mutating")
	if err != nil {
		b.Fatal(err)
	}
	s, err := New("1.37", policies)
	if err != nil {
		b.Fatal(err)
	}
	ungoverned := rollout()
	ungoverned.NamespaceObject, ungoverned.Gate = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team"}}, nil
	governed := rollout()
	governed.Gate = gate(v1alpha1.RefusesLabel, v1alpha1.GateTarget{
		Windows: []string{"nights"}, Disruptions: []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.Delete}, Enforcement: v1alpha1.Deny, Open: true,
	})
	for name, r := range map[string]Request{"ungoverned": ungoverned, "governed": governed} {
		e := s.begin(&r)
		attributes := e.attributes()
		measure := func(policy string, dispatch func(context.Context) error) {
			b.Run(name+"/"+policy, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := dispatch(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		mutates := mutating.NewDispatcher(e, e.matcher, converters{})
		for _, hook := range s.mutating {
			hook.ParamInformer = e.params
			measure(hook.Policy.Name, func(ctx context.Context) error {
				return mutates.Dispatch(ctx, attributes, objects{}, []mutating.PolicyHook{hook})
			})
		}
		validates := validating.NewDispatcher(e, generic.NewPolicyMatcher(e.matcher))
		for _, hook := range s.validating {
			hook.ParamInformer = e.params
			measure(hook.Policy.Name, func(ctx context.Context) error {
				return validates.Dispatch(ctx, attributes, objects{}, []validating.PolicyHook{hook})
			})
		}
	}
}

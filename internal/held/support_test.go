package held

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"fonster.dev/fonster/internal/doors"
	"fonster.dev/fonster/internal/enforced"
)

// TestSupport: rollouts can be held with every policy that it takes, and not with one of them missing.
func TestSupport(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := admissionv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	missing := func(mutating bool, without string) string {
		b := fake.NewClientBuilder().WithScheme(scheme)
		add := func(name string, o client.Object) {
			if name != without {
				digest, err := enforced.Digest(o)
				if err != nil {
					t.Fatal(err)
				}
				b.WithObjects(digest.(client.Object))
			}
		}
		for _, p := range doors.Policies() {
			add(p.Name, p)
		}
		for _, p := range doors.MutatingPolicies() {
			add(p.Name, p)
		}
		got, err := Support{Reader: b.Build(), Mutating: mutating}.Missing(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := missing(true, "fonster-overrides-note"); got != "" {
		t.Errorf("with all of them: %s", got)
	}
	if got := missing(false, ""); !strings.Contains(got, "Kubernetes 1.36") {
		t.Errorf("without the API: %q", got)
	}
	for policy, kind := range map[string]string{
		"fonster-hold": "MutatingAdmissionPolicy", "fonster-held-keep": "MutatingAdmissionPolicy",
		"fonster-held": "ValidatingAdmissionPolicy", "fonster-holds-deny": "ValidatingAdmissionPolicy", "fonster-holds-warn": "ValidatingAdmissionPolicy",
	} {
		if got := missing(true, policy); !strings.HasSuffix(got, ": "+kind+" "+policy) {
			t.Errorf("without %s: %q", policy, got)
		}
	}
}

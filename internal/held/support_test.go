package held

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"fonster.dev/fonster/internal/doors"
	"fonster.dev/fonster/internal/enforced"
)

// TestKnowsMutating: policies without bindings are not enough, nor are those of another version.
func TestKnowsMutating(t *testing.T) {
	v1, v1beta1 := admissionv1.SchemeGroupVersion, schema.GroupVersion{Group: admissionv1.GroupName, Version: "v1beta1"}
	for title, tc := range map[string]struct {
		kinds []schema.GroupVersionKind
		want  bool
	}{
		"both":            {[]schema.GroupVersionKind{v1.WithKind("MutatingAdmissionPolicy"), v1.WithKind("MutatingAdmissionPolicyBinding")}, true},
		"no bindings":     {[]schema.GroupVersionKind{v1.WithKind("MutatingAdmissionPolicy")}, false},
		"another version": {[]schema.GroupVersionKind{v1beta1.WithKind("MutatingAdmissionPolicy"), v1beta1.WithKind("MutatingAdmissionPolicyBinding")}, false},
		"neither":         {[]schema.GroupVersionKind{v1.WithKind("ValidatingAdmissionPolicy")}, false},
	} {
		mapper := meta.NewDefaultRESTMapper(nil)
		for _, kind := range tc.kinds {
			mapper.Add(kind, meta.RESTScopeRoot)
		}
		if got, err := KnowsMutating(mapper); err != nil || got != tc.want {
			t.Errorf("%s: %v, %v", title, got, err)
		}
	}
}

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

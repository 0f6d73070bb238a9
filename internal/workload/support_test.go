package workload

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"fonster.dev/fonster/internal/policy"
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

// TestSupport: rollouts can be held with all that it takes, and not with one of it missing; nothing else matters.
func TestSupport(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := admissionv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	empty := map[string]func(string) client.Object{
		policy.Validating: func(name string) client.Object {
			return &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
		},
		policy.ValidatingBinding: func(name string) client.Object {
			return &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
		},
		policy.Mutating: func(name string) client.Object {
			return &admissionv1.MutatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
		},
		policy.MutatingBinding: func(name string) client.Object {
			return &admissionv1.MutatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
		},
	}
	missing := func(mutating bool, without string) string {
		b := fake.NewClientBuilder().WithScheme(scheme)
		for kind, names := range policy.Installed() {
			for name := range names {
				if kind+" "+name != without {
					b.WithObjects(empty[kind](name))
				}
			}
		}
		got, err := Support{Reader: b.Build(), Mutating: mutating}.Missing(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := missing(true, ""); got != "" {
		t.Errorf("with all of them: %s", got)
	}
	if got := missing(false, ""); !strings.Contains(got, "Kubernetes 1.36") {
		t.Errorf("without the API: %q", got)
	}
	for kind, names := range policy.Installed() {
		for name := range names {
			want := ""
			if policy.Holds(name) {
				want = ": " + kind + " " + name
			}
			if got := missing(true, kind+" "+name); !strings.HasSuffix(got, want) || (got == "") != (want == "") {
				t.Errorf("without %s %s: %q", kind, name, got)
			}
		}
	}
}

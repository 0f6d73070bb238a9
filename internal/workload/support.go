package workload

import (
	"context"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/internal/enforced"
	"fonster.dev/fonster/internal/policy"
)

// Support says whether rollouts can be held here.
type Support struct {
	// Reader reads digested policies and bindings: see enforced.Digest.
	Reader client.Reader
	// Mutating says that the API server has MutatingAdmissionPolicy v1.
	Mutating bool
}

// KnowsMutating says whether an API server has MutatingAdmissionPolicy v1 (Kubernetes 1.36, KEP-3962).
func KnowsMutating(mapper meta.RESTMapper) (bool, error) {
	for _, kind := range []string{policy.Mutating, policy.MutatingBinding} {
		_, err := mapper.RESTMapping(schema.GroupKind{Group: admissionv1.GroupName, Kind: kind}, admissionv1.SchemeGroupVersion.Version)
		if meta.IsNoMatchError(err) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("asking what the API server serves: %w", err)
		}
	}
	return true, nil
}

// Policies are empty policies and bindings of the kinds that this version installs, as far as the API server has them.
func (s Support) Policies() []client.Object { return enforced.Kinds(s.Mutating) }

// Missing says what it takes to hold rollouts and is not there; empty: they can be held.
func (s Support) Missing(ctx context.Context) (string, error) {
	if !s.Mutating {
		return "the API server does not have MutatingAdmissionPolicy v1 (Kubernetes 1.36)", nil
	}
	all, _, err := enforced.Installed(ctx, s.Reader, s.Mutating)
	if err != nil {
		return "", err
	}
	missing := slices.DeleteFunc(all, func(installed string) bool {
		_, name, _ := strings.Cut(installed, " ")
		return !policy.Holds(name)
	})
	if len(missing) == 0 {
		return "", nil
	}
	return "not installed (make install): " + strings.Join(missing, ", "), nil
}

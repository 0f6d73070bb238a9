package held

import (
	"context"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/internal/doors"
)

// Support says whether rollouts can be held here.
type Support struct {
	// Reader reads the metadata of policies.
	Reader client.Reader
	// Mutating says that the API server has MutatingAdmissionPolicy v1.
	Mutating bool
}

// KnowsMutating says whether an API server has MutatingAdmissionPolicy v1 (Kubernetes 1.36, KEP-3962).
func KnowsMutating(mapper meta.RESTMapper) (bool, error) {
	for _, kind := range []string{"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"} {
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

// PolicyKinds are the kinds of policies that hold, as far as the API server has them.
func (s Support) PolicyKinds() []string {
	if !s.Mutating {
		return []string{"ValidatingAdmissionPolicy"}
	}
	return []string{"ValidatingAdmissionPolicy", "MutatingAdmissionPolicy"}
}

// PolicyMetadata is an empty policy of a kind, to be read without its spec.
func PolicyMetadata(kind string) *metav1.PartialObjectMetadata {
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind(kind))
	return o
}

// Missing says what it takes to hold rollouts and is not there; empty: they can be held.
func (s Support) Missing(ctx context.Context) (string, error) {
	if !s.Mutating {
		return "the API server does not have MutatingAdmissionPolicy v1 (Kubernetes 1.36)", nil
	}
	missing := doors.HoldPolicies()
	for _, kind := range s.PolicyKinds() {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind(kind + "List"))
		if err := s.Reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return "", err
		}
		for i := range list.Items {
			delete(missing[kind], list.Items[i].Name)
		}
	}
	var names []string
	for kind, policies := range missing {
		for name := range policies {
			names = append(names, kind+" "+name)
		}
	}
	if len(names) == 0 {
		return "", nil
	}
	slices.Sort(names)
	return "not installed (make install): " + strings.Join(names, ", "), nil
}

// Package enforced knows whether what windows and freezes say is what the API server holds requests against: whether every policy and
// static binding of this version is installed as it should be, and every Gate written. controllers/gates finds it out, and the status
// of windows and freezes, the metrics and the probe of readiness tell it.
package enforced

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"fonster.dev/fonster/internal/doors"
)

const (
	validating = "ValidatingAdmissionPolicy"
	mutating   = "MutatingAdmissionPolicy"

	// digestKey is the annotation under which a digested policy bears the hash of its spec.
	digestKey = "digest"
	// digested is the generation of a digested policy, which no policy of an API server has: a transform may see an object twice.
	digested = -1
)

// Digest is a transform of a cache: of a policy, which may be long, it keeps the name and a hash of the spec. The cache must not select
// by labels: a policy whose label somebody takes off is in force all the same.
func Digest(object any) (any, error) {
	switch p := object.(type) {
	case *admissionv1.ValidatingAdmissionPolicy:
		if p.Generation != digested {
			meta, err := digest(p.ObjectMeta, p.Spec)
			return &admissionv1.ValidatingAdmissionPolicy{TypeMeta: p.TypeMeta, ObjectMeta: meta}, err
		}
	case *admissionv1.MutatingAdmissionPolicy:
		if p.Generation != digested {
			meta, err := digest(p.ObjectMeta, p.Spec)
			return &admissionv1.MutatingAdmissionPolicy{TypeMeta: p.TypeMeta, ObjectMeta: meta}, err
		}
	}
	return object, nil
}

func digest(meta metav1.ObjectMeta, spec any) (metav1.ObjectMeta, error) {
	hash, err := hashOf(spec)
	return metav1.ObjectMeta{
		Name: meta.Name, UID: meta.UID, ResourceVersion: meta.ResourceVersion, Generation: digested, Annotations: map[string]string{digestKey: hash},
	}, err
}

func hashOf(spec any) (string, error) {
	content, err := json.Marshal(spec)
	if err != nil {
		return "", fmt.Errorf("hashing a policy: %w", err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:16]), nil
}

// wanted are the hashes of the specs of this version's policies, by kind and name.
var wanted = sync.OnceValues(func() (map[string]map[string]string, error) {
	hashes := map[string]map[string]string{validating: {}, mutating: {}}
	var err error
	for _, p := range doors.Policies() {
		if hashes[validating][p.Name], err = hashOf(p.Spec); err != nil {
			return nil, err
		}
	}
	for _, p := range doors.MutatingPolicies() {
		if hashes[mutating][p.Name], err = hashOf(p.Spec); err != nil {
			return nil, err
		}
	}
	return hashes, nil
})

// Changes passes of digested policies those of this version, when they come, go, or have another spec: a cluster may have many others.
var Changes = predicate.And[client.Object](
	predicate.NewPredicateFuncs(func(o client.Object) bool {
		want, err := wanted()
		return err != nil || want[validating][o.GetName()] != "" || want[mutating][o.GetName()] != ""
	}),
	predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetAnnotations()[digestKey] != e.ObjectNew.GetAnnotations()[digestKey]
	}},
)

// Policies names the policies of this version, such as ValidatingAdmissionPolicy fonster-gates, that are not installed, and those that
// are not as this version has them. The reader is a cache with the transform Digest. Without MutatingAdmissionPolicy v1 those are not
// expected.
func Policies(ctx context.Context, reader client.Reader, knowsMutating bool) (missing, changed []string, err error) {
	want, err := wanted()
	if err != nil {
		return nil, nil, err
	}
	for _, kind := range []string{mutating, validating} {
		if kind == mutating && !knowsMutating {
			continue
		}
		have, err := installed(ctx, reader, kind)
		if err != nil {
			return nil, nil, err
		}
		for name, hash := range want[kind] {
			switch found, exists := have[name]; {
			case !exists:
				missing = append(missing, kind+" "+name)
			case found != hash:
				changed = append(changed, kind+" "+name)
			}
		}
	}
	slices.Sort(missing)
	slices.Sort(changed)
	return missing, changed, nil
}

// installed are the hashes of the policies that a cache has, by name.
func installed(ctx context.Context, reader client.Reader, kind string) (map[string]string, error) {
	var list client.ObjectList = &admissionv1.MutatingAdmissionPolicyList{}
	if kind == validating {
		list = &admissionv1.ValidatingAdmissionPolicyList{}
	}
	if err := reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing policies: %w", err)
	}
	hashes := map[string]string{}
	err := meta.EachListItem(list, func(o runtime.Object) error {
		policy := o.(client.Object)
		hashes[policy.GetName()] = policy.GetAnnotations()[digestKey]
		return nil
	})
	return hashes, err
}

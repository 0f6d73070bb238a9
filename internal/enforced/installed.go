// Package enforced knows whether what windows and freezes say is what the API server holds requests against: whether every policy and
// binding of this version is installed as it should be, and every Gate written. controllers/gate finds it out, and the status
// of windows and freezes, the metrics and the probe of readiness tell it.
package enforced

import (
	"context"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"fonster.dev/fonster/internal/policy"
)

const (
	// digestKey is the annotation under which what is digested bears the hash of its spec.
	digestKey = "digest"
	// digested is the generation of what is digested, which nothing on an API server has: a transform may see an object twice.
	digested = -1
)

// Digest makes a transform of a cache: of a policy or binding, which may be long, it keeps the name and a hash of the spec, as policies
// that name this operator have it. The cache must not select by labels: a policy whose label somebody takes off is in force all the same.
func Digest(operator policy.Identity) func(object any) (any, error) {
	return func(object any) (any, error) { return digest(object, operator) }
}

func digest(object any, operator policy.Identity) (any, error) {
	o, isObject := object.(client.Object)
	if !isObject || o.GetGeneration() == digested {
		return object, nil
	}
	var kept client.Object
	var spec any
	switch p := o.(type) {
	case *admissionv1.ValidatingAdmissionPolicy:
		kept, spec = &admissionv1.ValidatingAdmissionPolicy{TypeMeta: p.TypeMeta}, p.Spec
	case *admissionv1.ValidatingAdmissionPolicyBinding:
		kept, spec = &admissionv1.ValidatingAdmissionPolicyBinding{TypeMeta: p.TypeMeta}, p.Spec
	case *admissionv1.MutatingAdmissionPolicy:
		kept, spec = &admissionv1.MutatingAdmissionPolicy{TypeMeta: p.TypeMeta}, p.Spec
	case *admissionv1.MutatingAdmissionPolicyBinding:
		kept, spec = &admissionv1.MutatingAdmissionPolicyBinding{TypeMeta: p.TypeMeta}, p.Spec
	default:
		return object, nil
	}
	hash, err := policy.Digest(spec, operator)
	if err != nil {
		return nil, err
	}
	kept.SetName(o.GetName())
	kept.SetUID(o.GetUID())
	kept.SetResourceVersion(o.GetResourceVersion())
	kept.SetGeneration(digested)
	kept.SetAnnotations(map[string]string{digestKey: hash})
	return kept, nil
}

// Changes passes, of what is digested, what this version installs, when it comes, goes, or has another spec: a cluster may have many
// other policies.
var Changes = changesOf(policy.Installed())

// hashes are those of specs, by kind and name: see policy.Installed.
type hashes = map[string]map[string]string

func changesOf(wanted hashes) predicate.Predicate {
	return predicate.And[client.Object](
		predicate.NewPredicateFuncs(func(o client.Object) bool {
			return slices.ContainsFunc(policy.Kinds, func(kind string) bool { return wanted[kind][o.GetName()] != "" })
		}),
		predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
			return e.ObjectOld.GetAnnotations()[digestKey] != e.ObjectNew.GetAnnotations()[digestKey]
		}},
	)
}

// Installed names the policies and bindings of this version, such as ValidatingAdmissionPolicy fonster-gates, that are not installed, and
// those that are not as this version has them. The reader is a cache with the transform Digest. Without MutatingAdmissionPolicy v1
// those are not expected.
func Installed(ctx context.Context, reader client.Reader, knowsMutating bool) (missing, changed []string, err error) {
	return compare(ctx, reader, policy.Installed(), knowsMutating)
}

func compare(ctx context.Context, reader client.Reader, wanted hashes, knowsMutating bool) (missing, changed []string, err error) {
	for _, kind := range policy.Kinds {
		if policy.IsMutating(kind) && !knowsMutating {
			continue
		}
		have, err := digests(ctx, reader, kind)
		if err != nil {
			return nil, nil, err
		}
		for name, hash := range wanted[kind] {
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

// digests are the hashes of what a cache has of a kind, by name.
func digests(ctx context.Context, reader client.Reader, kind string) (map[string]string, error) {
	list := lists[kind].DeepCopyObject().(client.ObjectList)
	if err := reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing what is installed: %w", err)
	}
	byName := map[string]string{}
	err := meta.EachListItem(list, func(o runtime.Object) error {
		accessor, err := meta.Accessor(o)
		if err != nil {
			return err
		}
		byName[accessor.GetName()] = accessor.GetAnnotations()[digestKey]
		return nil
	})
	return byName, err
}

// lists are empty lists, by kind.
var lists = map[string]client.ObjectList{
	policy.Validating:        &admissionv1.ValidatingAdmissionPolicyList{},
	policy.ValidatingBinding: &admissionv1.ValidatingAdmissionPolicyBindingList{},
	policy.Mutating:          &admissionv1.MutatingAdmissionPolicyList{},
	policy.MutatingBinding:   &admissionv1.MutatingAdmissionPolicyBindingList{},
}

// Kinds are empty objects of the kinds that this version installs, as far as the API server has them.
func Kinds(knowsMutating bool) []client.Object {
	kinds := []client.Object{&admissionv1.ValidatingAdmissionPolicy{}, &admissionv1.ValidatingAdmissionPolicyBinding{}}
	if knowsMutating {
		kinds = append(kinds, &admissionv1.MutatingAdmissionPolicy{}, &admissionv1.MutatingAdmissionPolicyBinding{})
	}
	return kinds
}

// Live is Installed for whoever reads from the API server, and keeps no cache.
func Live(ctx context.Context, reader client.Reader, operator policy.Identity, knowsMutating bool) (missing, changed []string, err error) {
	return Installed(ctx, digesting{reader, operator}, knowsMutating)
}

// digesting reads what it lists as a cache with the transform Digest has it.
type digesting struct {
	client.Reader
	operator policy.Identity
}

func (d digesting) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if err := d.Reader.List(ctx, list, options...); err != nil {
		return err
	}
	var items []runtime.Object
	err := meta.EachListItem(list, func(o runtime.Object) error {
		kept, err := digest(o, d.operator)
		if err == nil {
			items = append(items, kept.(runtime.Object))
		}
		return err
	})
	if err != nil {
		return err
	}
	return meta.SetList(list, items)
}

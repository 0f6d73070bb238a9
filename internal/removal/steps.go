package removal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/parallel"
	"fonster.dev/fonster/internal/policy"
)

// writers bounds the writes in flight.
const writers = 8

// stop stops the operator, and takes away what holds. What it returns lets the operator run and hold again, as far as it did; it is never nil.
func (r *run) stop(ctx context.Context) (restore func(context.Context) error, err error) {
	var undo []func(context.Context) error
	restore = func(ctx context.Context) error {
		var errs []error
		for _, do := range undo {
			errs = append(errs, do(ctx))
		}
		return errors.Join(errs...)
	}
	manager := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: r.operator.In(), Name: policy.DefaultServiceAccount}}
	switch err := r.client.Get(ctx, client.ObjectKeyFromObject(manager), manager); {
	case apierrors.IsNotFound(err): // it runs elsewhere, or has been removed
	case err != nil:
		return restore, err
	default:
		replicas := int32(1)
		if manager.Spec.Replicas != nil {
			replicas = *manager.Spec.Replicas
		}
		undo = append(undo, func(ctx context.Context) error { return r.scale(ctx, manager, replicas) })
		r.say("stopping the operator, Deployment %s/%s", manager.Namespace, manager.Name)
		if err := r.scale(ctx, manager, 0); err != nil {
			return restore, err
		}
		if err := r.untilNoPods(ctx, manager); err != nil {
			return restore, err
		}
	}
	if !r.mutating {
		return restore, nil
	}
	holds := &admissionv1.MutatingAdmissionPolicyBinding{}
	if err := r.client.Get(ctx, client.ObjectKey{Name: policy.HoldBinding}, holds); err != nil {
		return restore, client.IgnoreNotFound(err)
	}
	undo = append([]func(context.Context) error{func(ctx context.Context) error {
		bound := &admissionv1.MutatingAdmissionPolicyBinding{
			ObjectMeta: metav1.ObjectMeta{Name: holds.Name, Labels: holds.Labels, Annotations: holds.Annotations}, Spec: holds.Spec,
		}
		if err := r.client.Create(ctx, bound); !apierrors.IsAlreadyExists(err) {
			return err
		}
		return nil
	}}, undo...)
	return restore, client.IgnoreNotFound(r.client.Delete(ctx, holds.DeepCopy()))
}

func (r *run) scale(ctx context.Context, manager *appsv1.Deployment, replicas int32) error {
	patch := fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas)
	return client.IgnoreNotFound(r.client.Patch(ctx, manager.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch))))
}

func (r *run) untilNoPods(ctx context.Context, manager *appsv1.Deployment) error {
	pods := &metav1.PartialObjectMetadataList{}
	pods.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	err := wait.PollUntilContextTimeout(ctx, time.Second, podsEnd, true, func(ctx context.Context) (bool, error) {
		err := r.client.List(ctx, pods, client.InNamespace(manager.Namespace), client.MatchingLabels(manager.Spec.Selector.MatchLabels))
		return err == nil && len(pods.Items) == 0, err
	})
	if wait.Interrupted(err) && len(pods.Items) > 0 {
		return fmt.Errorf("the operator's pod %s/%s has not ended within %s", manager.Namespace, pods.Items[0].Name, podsEnd)
	}
	return err
}

// unhold waits until nothing holds any more, and looks once more. Where policies are kept, what would have been held must not be refused
// instead: a rollout that only Hold stops passes from now on. Freezes go on, and so does what some window refuses.
func (r *run) unhold(ctx context.Context) error {
	if r.KeepPolicies {
		if err := r.letRolloutsPass(ctx); err != nil {
			return err
		}
	}
	if err := pause(ctx, reread); err != nil {
		return err
	}
	left, err := r.marked(ctx)
	if err == nil && len(left) > 0 {
		err = refusal(left)
	}
	return err
}

// letRolloutsPass takes out of the Gates what would refuse the rollouts that nothing holds any more. Gates take it from nobody but the
// operator, in whose name an administrator may write.
func (r *run) letRolloutsPass(ctx context.Context) error {
	config := rest.CopyConfig(r.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: r.operator.User(), Groups: []string{"system:masters"}}
	operator, err := client.New(config, client.Options{Scheme: r.scheme})
	if err != nil {
		return err
	}
	gates, err := r.gates(ctx)
	if err != nil {
		return err
	}
	return parallel.Each(writers, gates, func(g v1alpha1.Gate) error {
		err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
			if !withoutHold(&g.Spec) {
				return nil
			}
			err := operator.Update(ctx, &g)
			if apierrors.IsConflict(err) {
				err = errors.Join(err, r.client.Get(ctx, client.ObjectKeyFromObject(&g), &g))
			}
			return err
		})
		return client.IgnoreNotFound(err)
	})
}

// withoutHold has the targets that hold say nothing of rollouts any more; false where there are none.
func withoutHold(spec *v1alpha1.GateSpec) (changed bool) {
	for i := range spec.Targets {
		t := &spec.Targets[i]
		if t.Enforcement != v1alpha1.Hold || !slices.Contains(t.Disruptions, v1alpha1.Rollout) {
			continue
		}
		changed = true
		if len(t.Disruptions) == 1 {
			t.Enforcement = v1alpha1.Warn
			continue
		}
		t.Disruptions = slices.DeleteFunc(t.Disruptions, func(d v1alpha1.Disruption) bool { return d == v1alpha1.Rollout })
	}
	return changed
}

// gates lists all Gates; none where the API server does not know the kind.
func (r *run) gates(ctx context.Context) ([]v1alpha1.Gate, error) {
	var gates v1alpha1.GateList
	err := r.client.List(ctx, &gates)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil, nil
	}
	return gates.Items, err
}

// ungate removes what refuses: bindings first, so that no policy is bound whose param is on its way out.
func (r *run) ungate(ctx context.Context) error {
	for _, kinds := range [][]string{{policy.MutatingBinding, policy.ValidatingBinding}, {policy.Mutating, policy.Validating}} {
		for _, kind := range kinds {
			if policy.IsMutating(kind) && !r.mutating {
				continue
			}
			if err := r.deleteOurs(ctx, kind); err != nil {
				return err
			}
		}
	}
	if err := pause(ctx, reread); err != nil {
		return err
	}
	if err := r.deleteGates(ctx); err != nil {
		return err
	}
	if r.CRDs {
		if err := r.deleteCRDs(ctx); err != nil {
			return err
		}
	}
	if err := r.unlabel(ctx); err != nil {
		return err
	}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: r.operator.In(), Name: "fonster"}}
	return client.IgnoreNotFound(r.client.Delete(ctx, lease))
}

// deleteOurs deletes the policies or bindings of a kind, those that another version has left too.
func (r *run) deleteOurs(ctx context.Context, kind string) error {
	found := &metav1.PartialObjectMetadataList{}
	found.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind(kind + "List"))
	if err := r.client.List(ctx, found); err != nil {
		return err
	}
	ours := slices.DeleteFunc(found.Items, func(o metav1.PartialObjectMetadata) bool {
		return o.Labels[v1alpha1.PartLabel] == "" && o.Labels[v1alpha1.ManagedByLabel] != v1alpha1.ManagedBy
	})
	if len(ours) > 0 {
		r.say("deleting %d of %s", len(ours), kind)
	}
	return parallel.Each(writers, ours, func(o metav1.PartialObjectMetadata) error {
		o.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind(kind))
		return client.IgnoreNotFound(r.client.Delete(ctx, &o))
	})
}

// deleteGates deletes all Gates: an operator that runs outside the cluster may have written some meanwhile, and will again.
func (r *run) deleteGates(ctx context.Context) error {
	gates, err := r.gates(ctx)
	if err != nil {
		return err
	}
	if len(gates) > 0 {
		r.say("deleting %d Gates", len(gates))
	}
	return parallel.Each(writers, gates, func(g v1alpha1.Gate) error { return client.IgnoreNotFound(r.client.Delete(ctx, &g)) })
}

// deleteCRDs deletes them, and returns when they are gone.
func (r *run) deleteCRDs(ctx context.Context) error {
	for _, plural := range []string{"gates", "maintenancewindows", "changefreezes"} {
		crd := &unstructured.Unstructured{} // the scheme does not know the kind
		crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
		crd.SetName(plural + "." + v1alpha1.GroupName)
		if err := r.client.Delete(ctx, crd.DeepCopy()); err != nil {
			if apierrors.IsNotFound(err) {
				continue
			}
			return err
		}
		r.say("deleting the CRD %s", crd.GetName())
		err := wait.PollUntilContextTimeout(ctx, again/4, time.Minute, true, func(ctx context.Context) (bool, error) {
			err := r.client.Get(ctx, client.ObjectKeyFromObject(crd), crd.DeepCopy())
			return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
		})
		if err != nil {
			return fmt.Errorf("waiting until the CRD %s is gone: %w", crd.GetName(), err)
		}
	}
	return nil
}

// unlabel takes the labels of Namespaces that say that they have a Gate.
func (r *run) unlabel(ctx context.Context) error {
	namespaces := &metav1.PartialObjectMetadataList{}
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := r.client.List(ctx, namespaces, client.HasLabels{v1alpha1.GatedLabel}); err != nil {
		return err
	}
	if len(namespaces.Items) > 0 {
		r.say("taking the label %s from %d Namespaces", v1alpha1.GatedLabel, len(namespaces.Items))
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]any{v1alpha1.GatedLabel: nil}}})
	if err != nil {
		return err
	}
	return parallel.Each(writers, namespaces.Items, func(ns metav1.PartialObjectMetadata) error {
		ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
		return client.IgnoreNotFound(r.client.Patch(ctx, &ns, client.RawPatch(types.MergePatchType, patch)))
	})
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

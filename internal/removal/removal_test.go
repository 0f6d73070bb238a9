package removal

import (
	"context"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/policy"
)

func named(name string, labels ...string) metav1.ObjectMeta {
	meta := metav1.ObjectMeta{Name: name, Labels: map[string]string{}}
	for i := 0; i+1 < len(labels); i += 2 {
		meta.Labels[labels[i]] = labels[i+1]
	}
	return meta
}

// installed is what an installation in the namespace windows has in a cluster, and what others have.
func installed() []client.Object {
	manager := &appsv1.Deployment{ObjectMeta: named(policy.DefaultServiceAccount)}
	manager.Namespace = "windows"
	manager.Spec.Replicas = new(int32(2))
	manager.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": "fonster"}}
	gate := &v1alpha1.Gate{ObjectMeta: named(v1alpha1.GateName)}
	gate.Namespace = "heby"
	return []client.Object{
		manager, gate,
		&admissionv1.MutatingAdmissionPolicyBinding{ObjectMeta: named(policy.HoldBinding, v1alpha1.PartLabel, v1alpha1.PartBinding)},
		&admissionv1.MutatingAdmissionPolicy{ObjectMeta: named(policy.HoldBinding, v1alpha1.PartLabel, v1alpha1.PartPolicy)},
		&admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: named("fonster-gates", v1alpha1.PartLabel, v1alpha1.PartBinding, v1alpha1.ManagedByLabel, "Helm")},
		&admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: named("fonster-older", v1alpha1.ManagedByLabel, v1alpha1.ManagedBy)},
		&admissionv1.ValidatingAdmissionPolicy{ObjectMeta: named("fonster-gates", v1alpha1.PartLabel, v1alpha1.PartPolicy)},
		&admissionv1.ValidatingAdmissionPolicy{ObjectMeta: named("somebody-elses", v1alpha1.ManagedByLabel, "Helm")},
		&corev1.Namespace{ObjectMeta: named("heby", v1alpha1.GatedLabel, "true", "kommun", "heby")},
		&corev1.Namespace{ObjectMeta: named("windows")},
	}
}

func held(how string) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: named("web", v1alpha1.HeldLabel, how)}
	d.Namespace = "heby"
	return d
}

// removing is a removal from a cluster with some objects.
func removing(t *testing.T, functions interceptor.Funcs, objects ...client.Object) (*run, *strings.Builder) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	out := &strings.Builder{}
	return &run{
		Options: Options{Patience: 50 * time.Millisecond, Out: out}, scheme: scheme, operator: policy.Identity{Namespace: "windows"}, mutating: true,
		client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(functions).Build(),
	}, out
}

func exists(t *testing.T, c client.Client, o client.Object) bool {
	t.Helper()
	err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o)
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return err == nil
}

// TestAll: everything of ours that gates goes, also what another version or Helm has labelled; nothing of others.
func TestAll(t *testing.T) {
	r, _ := removing(t, interceptor.Funcs{}, installed()...)
	if err := r.all(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, o := range installed() {
		_, isNamespace := o.(*corev1.Namespace)
		_, isDeployment := o.(*appsv1.Deployment)
		if stays := isNamespace || isDeployment || o.GetName() == "somebody-elses"; exists(t, r.client, o) != stays {
			t.Errorf("%T %s: stays %t", o, o.GetName(), !stays)
		}
	}
	ns := &corev1.Namespace{ObjectMeta: named("heby")}
	if exists(t, r.client, ns); ns.Labels[v1alpha1.GatedLabel] != "" || ns.Labels["kommun"] != "heby" {
		t.Errorf("labels %v", ns.Labels)
	}
	if err := r.all(t.Context()); err != nil {
		t.Errorf("once more: %v", err)
	}
}

// TestHeld: what is held is named, and nothing is changed; what has been let go is waited for.
func TestHeld(t *testing.T) {
	for how, want := range map[string]string{v1alpha1.HeldWaiting: "(deployment.apps/web): held", v1alpha1.HeldReleasing: "(deployment.apps/web): " + v1alpha1.HeldReleasing} {
		r, out := removing(t, interceptor.Funcs{}, append(installed(), held(how))...)
		err := r.all(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "kubectl window held -A") {
			t.Errorf("%s: %v", how, err)
		}
		if waited := strings.Contains(out.String(), "waiting for"); waited != (how != v1alpha1.HeldWaiting) {
			t.Errorf("%s: %s", how, out)
		}
		for _, o := range installed() {
			if !exists(t, r.client, o) {
				t.Errorf("%s: %T %s is gone", how, o, o.GetName())
			}
		}
	}
}

// TestHeldInBetween: where something has been held while the operator stopped, it runs and holds again, as it did.
func TestHeldInBetween(t *testing.T) {
	r, _ := removing(t, interceptor.Funcs{
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.DeleteOption) error {
			if o.GetName() == policy.HoldBinding {
				if err := c.Create(ctx, held(v1alpha1.HeldWaiting)); err != nil {
					return err
				}
			}
			return c.Delete(ctx, o, options...)
		},
	}, installed()...)
	if err := r.all(t.Context()); err == nil || !strings.Contains(err.Error(), "heby/web") {
		t.Errorf("%v", err)
	}
	for _, o := range installed() {
		if !exists(t, r.client, o) {
			t.Errorf("%T %s is gone", o, o.GetName())
		}
		if d, is := o.(*appsv1.Deployment); is && *d.Spec.Replicas != 2 {
			t.Errorf("%d replicas", *d.Spec.Replicas)
		}
	}
}

// TestWithoutHold: a target that holds says nothing of rollouts any more, and of all else what it said.
func TestWithoutHold(t *testing.T) {
	target := func(e v1alpha1.Enforcement, d ...v1alpha1.Disruption) v1alpha1.GateTarget {
		return v1alpha1.GateTarget{Enforcement: e, Disruptions: d}
	}
	spec := v1alpha1.GateSpec{Targets: []v1alpha1.GateTarget{
		target(v1alpha1.Hold, v1alpha1.Rollout), target(v1alpha1.Hold, v1alpha1.Rollout, v1alpha1.Delete), target(v1alpha1.Deny, v1alpha1.Rollout), target(v1alpha1.Hold, v1alpha1.Delete),
	}}
	if !withoutHold(&spec) || withoutHold(&spec) {
		t.Error("it changes once")
	}
	if a := spec.Targets[0]; a.Enforcement != v1alpha1.Warn {
		t.Errorf("%+v", a)
	}
	if b := spec.Targets[1]; b.Enforcement != v1alpha1.Hold || len(b.Disruptions) != 1 || b.Disruptions[0] != v1alpha1.Delete {
		t.Errorf("%+v", b)
	}
	if c := spec.Targets[2]; c.Enforcement != v1alpha1.Deny || len(c.Disruptions) != 1 {
		t.Errorf("%+v", c)
	}
}

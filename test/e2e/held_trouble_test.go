package e2e

import (
	"fmt"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestHeldWithoutPods: a held Deployment that loses its only pod stays held, and gets a pod of what ran before.
func TestHeldWithoutPods(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear(), hold)
	wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:2"))
	wantHeld(t, holdable{d, "Deployment", isParked})
	own := as(t, "system:serviceaccount:kube-system:node-controller")
	for range 10 {
		lost := podsOf(t, d)
		wantPassed(t, own.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(ns), client.GracePeriodSeconds(0)))
		eventually(t, 30*time.Second, func() error {
			now := podsOf(t, d)
			if len(now) != 1 || now[0].UID == lost[0].UID || now[0].Status.Phase != corev1.PodRunning {
				return fmt.Errorf("%d pods", len(now))
			}
			if image := now[0].Spec.Containers[0].Image; image != "app:1" {
				t.Fatalf("a pod of %s while it is held", image)
			}
			return nil
		})
	}
	time.Sleep(time.Second)
	wantHeld(t, holdable{d, "Deployment", isParked})
}

// TestForgottenRelease: the Deployment controller forgets a rollout where its last write is refused once; the operator reminds it.
func TestForgottenRelease(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	mw := window(t, ns, ns, nextYear(), hold)
	wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:2"))
	allow := forbid(t, ns, ns, "apps", "replicasets", admissionv1.Validation{Expression: "object.spec.replicas >= oldObject.spec.replicas"})
	openNow(t, mw, holdable{d, "Deployment", isParked})
	eventually(t, 30*time.Second, func() error {
		get(t, d)
		if s := d.Status; s.UpdatedReplicas != 1 || s.Replicas != 2 || s.AvailableReplicas != 2 {
			return fmt.Errorf("not yet in the middle: %+v", s)
		}
		return nil
	})
	allow()
	eventually(t, time.Minute, func() error { // by itself the controller would come back after ten
		return plainly(t, d)
	})
}

// plainly says whether a Deployment is rolled out, and nothing of ours is left.
func plainly(t *testing.T, d *appsv1.Deployment) error {
	t.Helper()
	get(t, d)
	if len(d.Labels) > 1 {
		return fmt.Errorf("labels %v", d.Labels)
	}
	return rolledOut(d, "app:2")
}

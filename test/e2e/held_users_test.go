package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/override"
)

// wantMark waits until a workload has a value of HeldLabel.
func wantMark(t *testing.T, h holdable, mark string) {
	t.Helper()
	eventually(t, 15*time.Second, func() error {
		get(t, h.object)
		if got := h.object.GetLabels()[v1alpha1.HeldLabel]; got != mark {
			return fmt.Errorf("%s is marked %q, want %q", h.resource(), got, mark)
		}
		return nil
	})
}

// TestHeldAndItsUsers: what people do with workloads that are held or have been let go, and what others forbid.
func TestHeldAndItsUsers(t *testing.T) {
	paused := func(policy v1alpha1.ReleasePolicy) windowOption {
		return func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Release = &policy }
	}

	t.Run("resumed, against the manifest", func(t *testing.T) {
		ns := testName(t)
		namespace(t, ns)
		h := holdable{deployment(t, ns, "web", 2), "Deployment", isParked}
		mw := window(t, ns, ns, nextYear(), hold)
		if out, err := shared.KubectlIn(h.manifest("app:2", `{"paused":true}`), "apply", "-f", "-"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		wantMark(t, h, "")
		if out, err := shared.Kubectl("-n", ns, "rollout", "resume", h.resource()); err != nil || !strings.Contains(out, "held until") {
			t.Fatalf("%v\n%s", err, out)
		}
		stays(t, h)
		openNow(t, mw, h)
		wantPlain(t, h, "app:2")
	})

	t.Run("overridden in a freeze", func(t *testing.T) {
		ns := testName(t)
		_, h := heldIn(t, ns)
		cf := freeze(t, ns+"-freeze", ns, nil)
		overrideNow(t, h.object)
		stays(t, h)
		wantPassed(t, shared.Admin.Delete(t.Context(), cf))
		wantPlain(t, h, "app:2")
	})

	t.Run("overridden, and the override ends", func(t *testing.T) {
		ns := testName(t)
		namespace(t, ns)
		h := holdable{slowDeployment(t, ns, "slow"), "Deployment", isParked}
		mw := window(t, ns, ns, nextYear(), hold, paused(v1alpha1.ReleasePolicy{OnClose: "Pause"}))
		wantPassed(t, patchImage(t.Context(), shared.Admin, h.object, "app:2"))
		wantHeld(t, h)
		overrideNow(t, h.object)
		wantMark(t, h, v1alpha1.HeldLetGo)
		wantPassed(t, shared.Admin.Patch(t.Context(), h.object, mergePatch(`{"metadata":{"annotations":{%q:null}}}`, override.Reason)))
		time.Sleep(2 * time.Second)
		get(t, h.object)
		if d := h.object.(*appsv1.Deployment); d.Spec.Paused || d.Labels[v1alpha1.HeldLabel] == v1alpha1.HeldWaiting {
			t.Errorf("held again: %v", d.Labels)
		}
		wantPlain(t, h, "app:2")
		get(t, mw)
		if l := mw.Status.LastOccurrence; l != nil {
			t.Errorf("it is on the account of an occurrence: %+v", l)
		}
	})

	t.Run("a StatefulSet taken back with a pod of the change", func(t *testing.T) {
		ns := testName(t)
		namespace(t, ns)
		s := holdables(t, ns)[1]
		wantPassed(t, shared.Admin.Patch(t.Context(), s.object, mergePatch(`{"spec":{"updateStrategy":{"rollingUpdate":{"partition":2}}}}`)))
		wantPassed(t, patchImage(t.Context(), shared.Admin, s.object, "app:2"))
		eventually(t, 20*time.Second, func() error {
			get(t, s.object)
			if st := s.object.(*appsv1.StatefulSet).Status; st.UpdatedReplicas != 1 || st.ReadyReplicas != 3 {
				return fmt.Errorf("%+v", st)
			}
			return nil
		})
		mw := window(t, ns, ns, nextYear(), hold)
		before := podUIDs(t, ns)
		wantPassed(t, shared.Admin.Patch(t.Context(), s.object, mergePatch(
			`{"spec":{"updateStrategy":{"rollingUpdate":{"partition":0}},"template":{"spec":{"containers":[{"name":"main","image":"app:1"}]}}}}`)))
		stays(t, s)
		if after := podUIDs(t, ns); !slices.Equal(before, after) {
			t.Error("a pod was replaced outside the window")
		}
		openNow(t, mw, s)
		wantPlain(t, s, "app:1")
	})

	t.Run("stopped while it is released", func(t *testing.T) {
		ns := testName(t)
		namespace(t, ns)
		ds := &appsv1.DaemonSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "agent", Labels: map[string]string{"app": "agent"}, Annotations: map[string]string{v1alpha1.ReleasePriorityAnnotation: "9"}},
			Spec:       appsv1.DaemonSetSpec{Selector: selector("agent"), Template: template("agent", "app:1"), MinReadySeconds: 5},
		}
		create(t, ds)
		eventually(t, 60*time.Second, func() error {
			get(t, ds)
			return rolledOut(ds, "app:1")
		})
		agent, next := holdable{ds, "DaemonSet", isParked}, holdable{deployment(t, ns, "next", 1), "Deployment", isParked}
		mw := window(t, ns, ns, nextYear(), hold, paused(v1alpha1.ReleasePolicy{MaxConcurrent: 1, OnClose: "Pause"}))
		for _, h := range []holdable{agent, next} {
			wantPassed(t, patchImage(t.Context(), shared.Admin, h.object, "app:2"))
			wantHeld(t, h)
		}
		openNow(t, mw, agent)
		wantMark(t, agent, v1alpha1.HeldReleasing)
		wantPassed(t, shared.Admin.Patch(t.Context(), ds, mergePatch(`{"spec":{"updateStrategy":{"type":"OnDelete","rollingUpdate":null}}}`)))
		wantMark(t, agent, "")
		wantPlain(t, next, "app:2")
		get(t, ds)
		if ds.Spec.UpdateStrategy.Type != appsv1.OnDeleteDaemonSetStrategyType {
			t.Errorf("its user's stop was lifted: %+v", ds.Spec.UpdateStrategy)
		}
	})

	t.Run("a release that somebody else refuses", func(t *testing.T) {
		ns := testName(t)
		namespace(t, ns)
		locked := holdable{deployment(t, ns, "locked", 1, func(d *appsv1.Deployment) { d.Annotations = map[string]string{v1alpha1.ReleasePriorityAnnotation: "9"} }), "Deployment", isParked}
		next := holdable{deployment(t, ns, "next", 1), "Deployment", isParked}
		mw := window(t, ns, ns, nextYear(), hold, paused(v1alpha1.ReleasePolicy{MaxConcurrent: 1}))
		for _, h := range []holdable{locked, next} {
			wantPassed(t, patchImage(t.Context(), shared.Admin, h.object, "app:2"))
			wantHeld(t, h)
		}
		allow := forbid(t, ns, ns, "apps", "deployments", admissionv1.Validation{Expression: "object.metadata.name != 'locked'", Message: "locked by the security team"})
		openNow(t, mw, locked)
		wantEvent(t, "locked", v1alpha1.ReasonReleaseRefused)
		wantPlain(t, next, "app:2")
		wantHeld(t, locked)
		allow()
		eventually(t, 10*time.Second, func() error { // whatever changes it has its release tried at once
			return shared.Admin.Patch(t.Context(), locked.object, mergePatch(`{"metadata":{"annotations":{"unlocked":"true"}}}`))
		})
		wantPlain(t, locked, "app:2")
	})
}

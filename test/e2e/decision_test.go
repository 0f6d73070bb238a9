package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/override"
)

// saidOf does something as one whose warnings are recorded, and returns them.
func saidOf(t *testing.T, do func(client.Client) error) ([]string, error) {
	t.Helper()
	c, err := recordedAs("")
	if err != nil {
		t.Fatal(err)
	}
	warnings.take()
	err = do(c)
	return warnings.take(), err
}

// TestHoldAndDeny: where one window holds and another refuses, a change is refused and nothing else: nothing of it is held, and nobody is
// told that it would be. Where one of them is open, it passes.
func TestHoldAndDeny(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns+"-hold", ns, nextYear(), hold)
	deny := window(t, ns+"-deny", ns, nextYear(), func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	})
	said, err := saidOf(t, func(c client.Client) error { return setImage(t.Context(), c, d, "app:2") })
	wantRefused(t, err, "Rollout of Deployment "+ns+"/web is outside its maintenance windows", ns+"-hold", ns+"-deny")
	if len(said) > 0 || strings.Contains(err.Error(), "is held") {
		t.Errorf("said %q and %v, want the refusal alone", said, err)
	}
	if get(t, d); image(d) != "app:1" || d.Spec.Paused || len(d.Labels) > 1 {
		t.Errorf("%s, paused %t, labels %v", image(d), d.Spec.Paused, d.Labels)
	}
	openNow(t, deny, holdable{})
	eventually(t, 5*time.Second, func() error { return setImage(t.Context(), client.NewDryRunClient(shared.Admin), d, "app:2") })
	said, err = saidOf(t, func(c client.Client) error { return setImage(t.Context(), c, d, "app:2") })
	wantPassed(t, err)
	if get(t, d); d.Spec.Paused || len(d.Labels) > 1 || len(said) > 0 {
		t.Errorf("one of its windows is open: paused %t, labels %v, said %q", d.Spec.Paused, d.Labels, said)
	}
}

// TestTwoHolds: what two windows hold is warned about once.
func TestTwoHolds(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear(), hold)
	window(t, ns+"-web", ns, nextYear(), hold, func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	})
	window(t, ns+"-warn", ns, nextYear(), func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Enforcement = v1alpha1.Warn })
	for _, next := range []string{"app:2", "app:3"} {
		said, err := saidOf(t, func(c client.Client) error { return setImage(t.Context(), c, d, next) })
		wantPassed(t, err)
		if len(said) != 1 {
			t.Fatalf("told %d times: %q", len(said), said)
		}
		wantSaid(t, said[0], "The rollout of Deployment "+ns+"/web is held until ", "09:00 UTC, when "+ns+" opens. The change is accepted, and its rollout waits.")
		wantHeld(t, holdable{d, "Deployment", isParked})
	}
}

// TestNamespaceOverrideUnderHold: while no operator runs, an override of the Namespace lets rollouts pass that would be held, and what is
// held already when it is changed again; after its end they are held.
func TestNamespaceOverrideUnderHold(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	all, waiting := holdables(t, ns), []holdable{}
	for _, h := range all {
		held := h.object.DeepCopyObject().(client.Object)
		held.SetName("held-" + h.object.GetName())
		held.SetResourceVersion("")
		held.SetUID("")
		ownLabels(held)
		create(t, held)
		waiting = append(waiting, holdable{held, h.kind, h.parked})
	}
	for _, h := range waiting {
		eventually(t, 60*time.Second, func() error {
			get(t, h.object)
			return rolledOut(h.object, "app:1")
		})
	}
	window(t, ns, ns, nextYear(), hold)
	for _, h := range waiting {
		wantPassed(t, patchImage(t.Context(), shared.Admin, h.object, "app:2"))
		wantHeld(t, h)
	}
	killOperator(t)
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	wantPassed(t, annotateWith(t.Context(), shared.Admin, object, override.Reason, "INC-1"))
	eventually(t, 5*time.Second, func() error { // the API server hears of the Namespace by a watch of its own
		d := all[0].object.DeepCopyObject().(*appsv1.Deployment)
		if err := setImage(t.Context(), client.NewDryRunClient(shared.Admin), d, "app:3"); err != nil {
			return err
		}
		said, err := saidOf(t, func(c client.Client) error { return setImage(t.Context(), client.NewDryRunClient(c), d, "app:3") })
		if err != nil || len(said) > 0 {
			return fmt.Errorf("said %q: %w", said, err)
		}
		return nil
	})
	for _, h := range slices.Concat(all, waiting) {
		said, err := saidOf(t, func(c client.Client) error { return patchImage(t.Context(), c, h.object, "app:3") })
		wantPassed(t, err)
		if len(said) > 0 {
			t.Errorf("%s: told %q", h.resource(), said)
		}
		eventually(t, 60*time.Second, func() error {
			if get(t, h.object); h.parked(h.object) || h.object.GetLabels()[v1alpha1.HeldLabel] == v1alpha1.HeldWaiting {
				return fmt.Errorf("%s is held: %v", h.resource(), h.object.GetLabels())
			}
			return rolledOut(h.object, "app:3")
		})
	}
	if p := *waiting[1].object.(*appsv1.StatefulSet).Spec.UpdateStrategy.RollingUpdate.Partition; p != 1 {
		t.Errorf("partition %d, want its user's 1", p)
	}
	wantPassed(t, annotateWith(t.Context(), shared.Admin, object, override.Reason, ""))
	eventually(t, 10*time.Second, func() error {
		if err := patchImage(t.Context(), shared.Admin, all[0].object, fmt.Sprintf("app:%d", time.Now().UnixNano())); err != nil {
			return err
		}
		if get(t, all[0].object); !all[0].parked(all[0].object) {
			return fmt.Errorf("not held after the end: %v", all[0].object.GetLabels())
		}
		return nil
	})
	restartOperator(t)
	for _, h := range waiting { // its marks go, as of whatever has been let go
		wantPlain(t, h, "app:3")
	}
}

// ownLabels gives a workload that is a copy of another labels of its own.
func ownLabels(o client.Object) {
	name := o.GetName()
	o.SetLabels(map[string]string{"app": name})
	o.SetAnnotations(nil)
	switch o := o.(type) {
	case *appsv1.Deployment:
		o.Spec.Selector, o.Spec.Template.Labels = selector(name), map[string]string{"app": name}
	case *appsv1.StatefulSet:
		o.Spec.Selector, o.Spec.Template.Labels = selector(name), map[string]string{"app": name}
	case *appsv1.DaemonSet:
		o.Spec.Selector, o.Spec.Template.Labels = selector(name), map[string]string{"app": name}
	}
}

// TestUsedUpReasonIsToldOf: who gives a reason again that is used up is told that it opens nothing, and the next refusal stands; of a new
// reason nothing is said.
func TestUsedUpReasonIsToldOf(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear())
	annotate := func(what string) string {
		t.Helper()
		out, err := shared.Kubectl("-n", ns, "annotate", "deployment/web", "--overwrite", override.Reason+what)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return out
	}
	const usedUp = `The reason "INC-1 disken full" is used up and opens nothing: give a new one.`
	if out := annotate("=INC-1 disken full"); strings.Contains(out, "Warning") {
		t.Errorf("of a new reason:\n%s", out)
	}
	annotate("-")
	if out := annotate("=INC-1 disken full"); strings.Count(out, "Warning") != 1 || !strings.Contains(out, usedUp) {
		t.Errorf("of a reason that is used up:\n%s", out)
	}
	wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:2"), "Rollout of Deployment")
	if out := annotate("=INC-2 disken full"); strings.Contains(out, "Warning") {
		t.Errorf("of another new reason:\n%s", out)
	}
	wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:2"))
	annotate("=INC-1 disken full") // it is put back, as another stands
	if o := overrideOf(t, d); o.Reason != "INC-2 disken full" || !o.Stands(time.Now()) {
		t.Errorf("after a used-up reason while another stands: %+v", o)
	}
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}} // and of a Namespace
	for _, reason := range []string{"INC-3", ""} {
		wantPassed(t, annotateWith(t.Context(), shared.Admin, object, override.Reason, reason))
	}
	if out, err := shared.Kubectl("annotate", "namespace", ns, override.Reason+"=INC-3"); err != nil || !strings.Contains(out, `The reason "INC-3" is used up and opens nothing`) {
		t.Errorf("%v\n%s", err, out)
	}
}

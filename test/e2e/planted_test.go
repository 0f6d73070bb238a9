package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/override"
)

// TestPlantedNotes: what a namespace admin writes about an override where nothing guards it (no window governs, or windows only
// warn) is nothing where a window comes to hold: no policy believes it, and the operator does not either.
func TestPlantedNotes(t *testing.T) {
	const until = "2099-01-01T00:00:00Z"
	planted := []string{override.Reason + "=planted", override.Until + "=" + until, override.By + "=tenant", override.From + "=2020-01-01T00:00:00Z/1"}
	for title, before := range map[string][]windowOption{"where nothing governs": nil, "where windows only warn": {warn}} {
		t.Run(title, func(t *testing.T) {
			ns := testName(t)
			namespace(t, ns)
			namespace(t, ns+"-all")
			objects := holdables(t, ns)
			// The third has no notes of its own, but its namespace has.
			inside := holdable{deployment(t, ns+"-all", "web", 1), "Deployment", isParked}
			a := newTenant(t, "tenant", ns, ns+"-all")
			over := func(mw *v1alpha1.MaintenanceWindow) {
				mw.Spec.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
					{Key: "team", Operator: metav1.LabelSelectorOpIn, Values: []string{ns, ns + "-all"}},
				}}
			}
			if before != nil {
				window(t, ns+"-before", ns, nextYear(), append(before, over)...)
			}
			for _, kind := range []string{"deployment/web", "statefulset/db", "daemonset/agent"} {
				if out, err := a.kubectl(t, "", append([]string{"-n", ns, "annotate", kind}, planted...)...); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			owner := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns + "-all"}} // whoever may write Namespaces plants there too
			err := shared.Admin.Patch(t.Context(), owner, mergePatch(`{"metadata":{"annotations":{%q:"planted",%q:%q}}}`, override.Reason, override.Until, until))
			wantPassed(t, err)

			window(t, ns, ns, nextYear(), hold, over)
			waiting := slices.Concat(objects, []holdable{inside})
			for _, h := range waiting {
				wantPassed(t, patchImage(t.Context(), a, h.object, "app:2"))
			}
			time.Sleep(3 * time.Second) // the operator has seen them
			for _, h := range waiting {
				wantHeld(t, h)
			}
			if out := plugin(t, "held", ns, "-A"); strings.Count(out, "\n") != len(waiting)+1 || strings.Contains(out, "an override stands") {
				t.Errorf("kubectl window held:\n%s", out)
			}
			if out := plugin(t, "overrides", "-A"); strings.Contains(out, ns) {
				t.Errorf("kubectl window overrides:\n%s", out)
			}
			if want := fmt.Sprintf("fonster_window_overrides_active{window=%q} 0", ns); !strings.Contains(scrapeMetrics(t), want) {
				t.Errorf("the metrics do not say %s", want)
			}
		})
	}
}

// TestPlantedMark: the mark itself cannot be planted either: where nothing governs, what brings it is ended by the operator at once, and
// what is still there when a window comes to govern was set before anybody could be asked for the right.
func TestPlantedMark(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	h := holdable{deployment(t, ns, "web", 1), "Deployment", isParked}
	a := newTenant(t, "tenant", ns)
	plant := func(reason string) error {
		out, err := a.kubectl(t, "", "-n", ns, "patch", "deployment/web", "--type=merge", "-p", fmt.Sprintf(
			`{"metadata":{"labels":{"maintenance.fonster.dev/overridden":"true"},"annotations":{%q:%q,%q:%q}}}`,
			override.Reason, reason, override.Until, rfc3339(time.Now().Add(23*time.Hour))))
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	wantPassed(t, plant("planted-0"))
	eventually(t, 10*time.Second, func() error {
		if get(t, h.object); overrideOf(t, h.object).Marked {
			return fmt.Errorf("still marked: %v", h.object.GetAnnotations())
		}
		return nil
	})
	wantPassed(t, plant("planted-1")) // a moment before the window
	mw := &v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: ns},
		Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone: "UTC", Schedules: []v1alpha1.Schedule{nextYear()}, Enforcement: v1alpha1.Hold,
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": ns}},
		},
	}
	time.Sleep(time.Second) // stamps have whole seconds
	create(t, mw)
	inForce(t, mw)
	eventually(t, 5*time.Second, func() error {
		if get(t, h.object); overrideOf(t, h.object).Marked {
			return fmt.Errorf("still marked: %v", h.object.GetAnnotations())
		}
		return nil
	})
	wantPassed(t, patchImage(t.Context(), a, h.object, "app:2"))
	time.Sleep(2 * time.Second)
	wantHeld(t, h)
	if out := plugin(t, "overrides", "-A"); strings.Contains(out, ns) {
		t.Errorf("kubectl window overrides:\n%s", out)
	}
}

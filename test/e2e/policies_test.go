package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
)

// TestTypeChecking: the API server's own type checker has nothing to say about any policy.
func TestTypeChecking(t *testing.T) {
	single(t)
	for _, want := range policies().Validating {
		eventually(t, time.Minute, func() error {
			p := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: want.Name}}
			get(t, p)
			if p.Status.ObservedGeneration != p.Generation || p.Status.TypeChecking == nil {
				return fmt.Errorf("%s has not been checked", p.Name)
			}
			for _, w := range p.Status.TypeChecking.ExpressionWarnings {
				t.Errorf("%s: %s: %s", p.Name, w.FieldRef, w.Warning)
			}
			return nil
		})
	}
}

// TestLargeObjects: a Deployment of nearly a mebibyte is refused and passed like any other.
func TestLargeObjects(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	patch := mergePatch(`{"metadata":{"annotations":{"note":%q}},"spec":{"template":{"metadata":{"annotations":{"note":%q}}}}}`,
		strings.Repeat("x", 250_000), strings.Repeat("y", 250_000))
	window(t, ns, ns, nextYear())
	wantRefused(t, shared.Admin.Patch(t.Context(), d.DeepCopy(), patch), "Rollout of Deployment", "Next opening")
	for i := range 20 { // 20 containers with 40 KiB of environment each
		c := template("web", "app:1").Spec.Containers[0]
		c.Name = fmt.Sprintf("c%d", i)
		for j := range 40 {
			c.Env = append(c.Env, corev1.EnvVar{Name: fmt.Sprintf("E%d", j), Value: strings.Repeat("z", 1000)})
		}
		d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, c)
	}
	wantRefused(t, shared.Admin.Update(t.Context(), d.DeepCopy()), "Rollout of Deployment", "Next opening")
	wantPassed(t, as(t, "system:serviceaccount:kube-system:deployment-controller").Update(t.Context(), d))
}

// TestOverrideAmongMany: the right on any one window of a target is enough, also on the last of eight; and whoever has none
// is refused with the message, not with an evaluation that was too expensive.
func TestOverrideAmongMany(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	for i := range 8 {
		mw := &v1alpha1.MaintenanceWindow{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", ns, i)}, Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone: "UTC", Schedules: []v1alpha1.Schedule{nextYear()}, NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": ns}},
		}}
		create(t, mw)
		if i == 7 {
			inForce(t, mw)
		}
	}
	wantRefused(t, overriding(t.Context(), overrider(t, "nobody-"+ns), d, "app:2"), "has no right to override any of the windows "+ns+"-0, "+ns+"-1")
	wantPassed(t, overriding(t.Context(), overrider(t, "last-"+ns, ns+"-7"), d, "app:2"))
}

// TestSelectorBounds: a selector that no gate could carry is refused.
func TestSelectorBounds(t *testing.T) {
	mw := &v1alpha1.MaintenanceWindow{ObjectMeta: metav1.ObjectMeta{Name: testName(t)}, Spec: v1alpha1.MaintenanceWindowSpec{
		TimeZone: "UTC", Schedules: []v1alpha1.Schedule{nextYear()}, NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpIn},
		}},
	}}
	for i := range 65 {
		values := &mw.Spec.NamespaceSelector.MatchExpressions[0].Values
		*values = append(*values, fmt.Sprintf("ns-%d", i))
	}
	dry := client.NewDryRunClient(shared.Admin)
	if err := dry.Create(t.Context(), mw.DeepCopy()); err == nil || !strings.Contains(err.Error(), "at most 32 requirements with 64 values") {
		t.Errorf("65 values: %v", err)
	}
	mw.Spec.NamespaceSelector.MatchExpressions[0].Values = mw.Spec.NamespaceSelector.MatchExpressions[0].Values[:64]
	wantPassed(t, dry.Create(t.Context(), mw))
}

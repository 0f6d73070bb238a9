package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
)

// The lessons of others' advisories. Each test is named after the one it keeps from happening here.

// TestCVE_2023_34091: objects that are being deleted were skipped altogether. A finalizer keeps such an object alive for as
// long as one likes.
func TestCVE_2023_34091(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	wantPassed(t, shared.Admin.Patch(t.Context(), d, mergePatch(`{"metadata":{"finalizers":["example.com/guard"]}}`)))
	t.Cleanup(func() {
		_ = as(t, "system:kube-controller-manager").Patch(context.Background(), d, mergePatch(`{"metadata":{"finalizers":[]}}`))
	})
	wantPassed(t, shared.Admin.Delete(t.Context(), d, client.PropagationPolicy(metav1.DeletePropagationBackground)))
	window(t, ns, ns, nextYear(), all, func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.ObjectSelector = nil })
	wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:2"), "Rollout of Deployment")
	wantRefused(t, shared.Admin.Delete(t.Context(), d), "Delete of Deployment")
	// The finalizer itself may always go: healing is never blocked.
	wantPassed(t, client.NewDryRunClient(shared.Admin).Patch(t.Context(), d, mergePatch(`{"metadata":{"finalizers":[]}}`)))
}

// TestCVE_2024_48921: an exception taken from any namespace counted. Here neither a service account, nor a window, nor an
// override elsewhere opens anything.
func TestCVE_2024_48921(t *testing.T) {
	ns, elsewhere := testName(t), testName(t)+"-elsewhere"
	namespace(t, ns)
	namespace(t, elsewhere)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear())
	window(t, elsewhere, elsewhere, always())
	wantRefused(t, setImage(t.Context(), as(t, "system:serviceaccount:"+elsewhere+":deployment-controller"), d, "app:2"), "Rollout")

	developer := overrider(t, "developer-"+ns, elsewhere)
	wantRefused(t, overriding(t.Context(), developer, d, "app:2"), "has no right to override any of the windows "+ns)
	other := deployment(t, elsewhere, "web", 1)
	wantPassed(t, shared.Admin.Patch(t.Context(), other, mergePatch(`{"metadata":{"annotations":{"maintenance.fonster.dev/override":"INC-1"}}}`)))
	wantPassed(t, shared.Admin.Patch(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: elsewhere}}, mergePatch(`{"metadata":{"annotations":{"maintenance.fonster.dev/override":"INC-1"}}}`)))
	wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:2"), "Rollout")
}

// TestCVE_2025_46342: an error of a lookup was read as "no rule applies". Here a lookup or expression that fails refuses; and a Gate that
// is gone, whoever was let to delete it, is back before anybody could wait for it.
func TestCVE_2025_46342(t *testing.T) {
	for _, p := range policies().Validating {
		if *p.Spec.FailurePolicy != admissionv1.Fail {
			t.Errorf("%s passes what it cannot judge", p.Name)
		}
	}
	for _, p := range policies().Mutating {
		if *p.Spec.FailurePolicy != admissionv1.Fail {
			t.Errorf("%s passes what it cannot judge", p.Name)
		}
	}
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear())
	gate := gateOf(t, ns)
	gc := as(t, "system:serviceaccount:kube-system:generic-garbage-collector")
	wantPassed(t, gc.Delete(t.Context(), gate.DeepCopy()))
	eventually(t, 10*time.Second, func() error {
		if now, err := live(t, gate); err != nil || now.GetUID() == gate.UID {
			return fmt.Errorf("not written anew: %v", err)
		}
		return nil
	})
	eventually(t, 10*time.Second, func() error {
		if err := setImage(t.Context(), client.NewDryRunClient(shared.Admin), d, "app:3"); err == nil {
			return fmt.Errorf("passes the new gate")
		}
		return nil
	})
	// A Gate that no expression can make sense of: its regular expression is none.
	operator.Kill()
	t.Cleanup(func() { restartOperator(t) })
	broken := gateOf(t, ns)
	broken.Spec.Targets[0].Overrides.ReasonPatterns = []string{"("}
	wantPassed(t, as(t, "system:kube-controller-manager").Update(t.Context(), broken))
	time.Sleep(200 * time.Millisecond)
	if err := overriding(t.Context(), shared.Admin, d, "app:3"); err == nil {
		t.Error("an override passes that cannot be judged")
	}
}

// TestGHSA_gg4x_fgg2_h9w9: two exceptions together allowed more than each. Here the right on a window does not override another that
// governs other objects, an override of one object does not open another, and a window for one disruption does not open a second in the
// same request.
func TestGHSA_gg4x_fgg2_h9w9(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d, other := deployment(t, ns, "web", 2), deployment(t, ns, "other", 2)
	window(t, ns+"-web", ns, nextYear(), objects("app", "web"))
	window(t, ns+"-other", ns, nextYear(), objects("app", "other"))
	one := overrider(t, "one-"+ns, ns+"-other")
	wantRefused(t, overriding(t.Context(), one, d, "app:2"), "has no right to override any of the windows "+ns+"-web ")
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	emergency := mergePatch(`{"metadata":{"annotations":{"maintenance.fonster.dev/override":"INC-1"}}}`)
	wantRefused(t, one.Patch(t.Context(), space.DeepCopy(), emergency), "has no right to override")
	wantPassed(t, overriding(t.Context(), one, other, "app:2"))
	wantRefused(t, setImage(t.Context(), one, d, "app:2"), "Rollout of Deployment "+ns+"/web")
	both := overrider(t, "both-"+ns, ns+"-web", ns+"-other")
	wantPassed(t, client.NewDryRunClient(both).Patch(t.Context(), space.DeepCopy(), emergency))
	wantPassed(t, overriding(t.Context(), both, d, "app:2"))

	// The right on any one of the windows that govern an object is enough.
	window(t, ns+"-all", ns, nextYear())
	third := deployment(t, ns, "third", 2, func(d *appsv1.Deployment) { d.Labels["app"] = "web" })
	wantPassed(t, overriding(t.Context(), overrider(t, "all-"+ns, ns+"-all"), third, "app:2"))

	two := ns + "-two"
	namespace(t, two)
	d = deployment(t, two, "web", 2)
	window(t, two+"-rollout", two, always(), func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Disruptions = []v1alpha1.Disruption{v1alpha1.Rollout}
	})
	window(t, two+"-scale", two, nextYear(), func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Disruptions = []v1alpha1.Disruption{v1alpha1.ScaleDown}
	})
	wantPassed(t, setImage(t.Context(), client.NewDryRunClient(shared.Admin), d, "app:2"))
	change := client.RawPatch("application/strategic-merge-patch+json", []byte(`{"spec":{"replicas":1,"template":{"spec":{"containers":[{"name":"main","image":"app:2"}]}}}}`))
	wantRefused(t, shared.Admin.Patch(t.Context(), d, change), "ScaleDown of Deployment")
}

// TestGHSA_wpv2_mpqq_vv52: a label that anyone may set switched the check off. Here no label of an object does: not that of
// a workload, of an Eviction, or one that looks like the label of a protected namespace.
func TestGHSA_wpv2_mpqq_vv52(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear(), func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	})
	for _, labels := range []string{
		`"app":"other"`, `"app":null`, `"app":"other","kubernetes.io/metadata.name":"kube-system"`,
	} {
		patch := mergePatch(`{"metadata":{"labels":{%s}},"spec":{"template":{"metadata":{"annotations":{"restarted":"now"}}}}}`, labels)
		wantRefused(t, shared.Admin.Patch(t.Context(), d.DeepCopy(), patch), "of Deployment")
		wantRefused(t, shared.Admin.Patch(t.Context(), d.DeepCopy(), mergePatch(`{"metadata":{"labels":{%s}}}`, labels)), "Changing the labels of Deployment")
	}
	for _, labels := range []string{
		`"app.kubernetes.io/managed-by":"fonster"`, `"kubernetes.io/metadata.name":"kube-system"`, `"admission.gatekeeper.sh/ignore":"yes"`,
		`"control-plane":"controller-manager"`,
	} {
		patch := mergePatch(`{"metadata":{"labels":{%s}},"spec":{"template":{"metadata":{"annotations":{"restarted":"now"}}}}}`, labels)
		wantRefused(t, shared.Admin.Patch(t.Context(), d.DeepCopy(), patch), "Rollout of Deployment")
	}
	err := shared.Admin.Patch(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, mergePatch(`{"metadata":{"labels":{"kubernetes.io/metadata.name":"kube-system"}}}`))
	if err != nil {
		t.Logf("the API server itself refuses: %v", err)
	}
	wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:2"), "Rollout of Deployment")
}

// overrider is a client of a user who may change Deployments and namespaces everywhere, and override the windows named.
func overrider(t *testing.T, user string, windows ...string) client.Client {
	t.Helper()
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"get", "create", "patch", "update"}},
			{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get", "patch"}},
		},
	}
	if len(windows) > 0 {
		role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{"maintenance.fonster.dev"}, Resources: []string{"maintenancewindows"}, Verbs: []string{"override"}, ResourceNames: windows})
	}
	create(t, role)
	create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	})
	c, err := shared.As(user)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// overriding changes the image together with a new reason to override.
func overriding(ctx context.Context, c client.Client, d *appsv1.Deployment, image string) error {
	return c.Patch(ctx, d.DeepCopy(), client.RawPatch("application/strategic-merge-patch+json", fmt.Appendf(nil,
		`{"metadata":{"annotations":{"maintenance.fonster.dev/override":"INC-1 %s"}},"spec":{"template":{"spec":{"containers":[{"name":"main","image":%q}]}}}}`, image, image)))
}

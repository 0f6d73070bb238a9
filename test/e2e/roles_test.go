package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/override"
)

// bindTo gives a user a ClusterRole.
func bindTo(t *testing.T, user, role string) {
	t.Helper()
	create(t, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: user + "-" + role}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}}})
}

// TestUserRoles: each of the roles for people may do what it is for, and nothing else, by what the API server answers to every verb.
func TestUserRoles(t *testing.T) {
	const reads, writes = "get list watch", "create delete get list patch update watch"
	for role, may := range map[string]map[string]string{
		"fonster-viewer":      {"maintenancewindows": reads, "changefreezes": reads},
		"fonster-gate-viewer": {"maintenancewindows": reads, "changefreezes": reads, "gates": reads}, // the former is everybody's
		"fonster-editor":      {"maintenancewindows": writes, "changefreezes": writes, "gates": reads},
		"fonster-emergency":   {"maintenancewindows": "get list override watch", "changefreezes": "get list override watch", "gates": reads, "/namespaces": "get"},
	} {
		t.Run(role, func(t *testing.T) {
			user := role + "-every-verb"
			bindTo(t, user, role)
			c, err := shared.As(user)
			if err != nil {
				t.Fatal(err)
			}
			for _, resource := range []string{
				"maintenancewindows", "maintenancewindows/status", "changefreezes", "changefreezes/status", "gates", "gates/status",
				"/namespaces", "/pods", "/secrets", "apps/deployments", "rbac.authorization.k8s.io/clusterroles", "admissionregistration.k8s.io/validatingadmissionpolicies",
			} {
				attributes := authorizationv1.ResourceAttributes{Group: v1alpha1.GroupName, Namespace: "default"}
				attributes.Resource, attributes.Subresource, _ = strings.Cut(resource, "/")
				if attributes.Subresource != "" && attributes.Subresource != "status" {
					attributes.Group, attributes.Resource, attributes.Subresource = attributes.Resource, attributes.Subresource, ""
				}
				var allowed []string
				for _, verb := range []string{"create", "delete", "deletecollection", "get", "list", "override", "patch", "update", "watch"} {
					attributes.Verb = verb
					review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: attributes.DeepCopy()}}
					wantPassed(t, c.Create(t.Context(), review))
					if review.Status.Allowed {
						allowed = append(allowed, verb)
					}
				}
				if got := strings.Join(allowed, " "); got != may[resource] {
					t.Errorf("%s: may %q, want %q", resource, got, may[resource])
				}
			}
		})
	}
}

// TestUserRolesAtWork does with each of the roles for people what it is for, and tries what it is not for. All three may change
// workloads besides, as only then an override is theirs to try.
func TestUserRolesAtWork(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	mw := window(t, ns, ns, nextYear())
	clients := map[string]client.Client{}
	for _, role := range []string{"fonster-gate-viewer", "fonster-editor", "fonster-emergency"} {
		user := role + "-" + ns
		clients[role] = overrider(t, user)
		bindTo(t, user, role)
	}
	forbidden := func(role string, err error, what string) {
		t.Helper()
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: %s: %v", role, what, err)
		}
	}
	for role, c := range clients {
		for _, list := range []client.ObjectList{&v1alpha1.MaintenanceWindowList{}, &v1alpha1.ChangeFreezeList{}, &v1alpha1.GateList{}} {
			wantPassed(t, c.List(t.Context(), list))
		}
		wantPassed(t, c.Get(t.Context(), client.ObjectKeyFromObject(mw), mw.DeepCopy()))
		g := gateOf(t, ns)
		wantPassed(t, c.Get(t.Context(), client.ObjectKeyFromObject(g), g.DeepCopy()))
		forbidden(role, c.Patch(t.Context(), g.DeepCopy(), mergePatch(`{"metadata":{"labels":{"x":"y"}}}`)), "writing a Gate")
		forbidden(role, c.Delete(t.Context(), g.DeepCopy()), "deleting a Gate")
		forbidden(role, c.Status().Patch(t.Context(), mw.DeepCopy(), mergePatch(`{"status":{"overrides":[]}}`)), "writing the record")
		forbidden(role, c.Delete(t.Context(), d.DeepCopy()), "deleting a workload")

		written := &v1alpha1.MaintenanceWindow{ObjectMeta: metav1.ObjectMeta{Name: role + "-" + ns}, Spec: *mw.Spec.DeepCopy()}
		written.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": ns + "-none"}}
		stop := &v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: role + "-" + ns}, Spec: v1alpha1.ChangeFreezeSpec{
			Reason: "Felsökning pågår", TimeZone: "UTC", NamespaceSelector: written.Spec.NamespaceSelector,
		}}
		for _, o := range []client.Object{written, stop} {
			err := c.Create(t.Context(), o)
			if role != "fonster-editor" {
				forbidden(role, err, "creating a window or freeze")
				continue
			}
			wantPassed(t, err)
			wantPassed(t, c.Patch(t.Context(), o, mergePatch(`{"metadata":{"labels":{"x":"y"}}}`)))
			wantPassed(t, c.Delete(t.Context(), o))
		}
		if role != "fonster-editor" {
			forbidden(role, c.Patch(t.Context(), mw.DeepCopy(), mergePatch(`{"spec":{"enforcement":"Warn"}}`)), "changing a window")
			forbidden(role, c.Delete(t.Context(), mw.DeepCopy()), "deleting a window")
		}
	}
	for _, role := range []string{"fonster-gate-viewer", "fonster-editor"} {
		wantRefused(t, annotateWith(t.Context(), clients[role], d, override.Reason, "INC-1"), role+"-"+ns+" has no right to override any of the windows "+ns)
		wantRefused(t, setImage(t.Context(), clients[role], d, "app:2"), "Rollout of Deployment")
	}
	user := "fonster-emergency-" + ns
	if code, out, errs := kubectlWindow(t, user, "override", "deploy/web", "-n", ns, "--reason", "INC-1", "--dry-run"); code != 0 || errs != "" {
		t.Errorf("the dry run: code %d %s%s", code, out, errs)
	}
	if code, out, errs := kubectlWindow(t, user, "override", "deploy/web", "-n", ns, "--reason", "INC-1"); code != 0 || errs != "" {
		t.Errorf("the override: code %d %s%s", code, out, errs)
	}
	wantPassed(t, setImage(t.Context(), clients["fonster-emergency"], d, "app:2"))
	for _, command := range []string{"overrides", "status"} {
		eventually(t, 10*time.Second, func() error { // the record follows
			if code, out, errs := kubectlWindow(t, user, command, "-A"); code != 0 || errs != "" || !strings.Contains(out, ns) {
				return fmt.Errorf("%s: code %d %s%s", command, code, out, errs)
			}
			return nil
		})
	}
	alone := "alone-" + ns // the role gives no right to workloads
	bindTo(t, alone, "fonster-emergency")
	c, err := shared.As(alone)
	if err != nil {
		t.Fatal(err)
	}
	forbidden("fonster-emergency", annotateWith(t.Context(), c, d, override.Reason, "INC-2"), "annotating a workload")
	forbidden("fonster-emergency", setImage(t.Context(), c, d, "app:3"), "changing a workload")
	forbidden("fonster-emergency", c.List(t.Context(), &appsv1.DeploymentList{}), "listing workloads")
	if records := overrideOf(t, d); records.By != user || !slices.Equal(records.Spent, nil) {
		t.Errorf("the override: %+v", records)
	}
}

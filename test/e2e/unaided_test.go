package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/override"
)

// TestWithoutMutatingPolicies: an API server that does not serve them gates all the same, and takes overrides from the command,
// which writes the notes itself; the validating policies hold them against the clock, the user and the right. An API server that
// has them is told not to serve them.
func TestWithoutMutatingPolicies(t *testing.T) {
	if canMutate(t) {
		before := operator
		t.Cleanup(func() { operator = before })
		operator = operate(t, alone(t, "old", "API_SERVER_ARGS=disable-admission-plugins=MutatingAdmissionPolicy "+
			"runtime-config=admissionregistration.k8s.io/v1/mutatingadmissionpolicies=false,admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings=false"))
	}
	t.Run("override", unaidedOverride)
	t.Run("hold", unaidedHold)
}

func unaidedOverride(t *testing.T) {
	const ns = "old"
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear())
	oncall, deployer := overrider(t, "oncall", ns), overrider(t, "deployer")
	governed(t, 10*time.Second, deployer, d) // a control plane that has just started is slow to see the first bindings
	wantRefused(t, setImage(t.Context(), deployer, d, "app:2"), "Rollout of Deployment old/web")
	set := func(pairs ...string) error {
		return oncall.Patch(t.Context(), d.DeepCopy(), mergePatch(`{"metadata":{"labels":{"maintenance.fonster.dev/overridden":"true"},"annotations":{%s}}}`, quoted(pairs)))
	}
	soon, late := rfc3339(time.Now().Add(10*time.Minute)), rfc3339(time.Now().Add(2*time.Hour))
	wantRefused(t, annotateWith(t.Context(), oncall, d, override.Reason, "INC-1"), "It has no end, and this cluster does not stamp one", "kubectl window override")
	wantRefused(t, set(override.Reason, "INC-1", override.By, "oncall", override.Until, late), "It may end at ")
	// Two policies refuse it, in no fixed order, and the API server tells of the first.
	forged := set(override.Reason, "INC-1", override.By, "anna", override.Until, soon)
	wantRefused(t, forged)
	if !strings.Contains(forged.Error(), "override-by") && !strings.Contains(forged.Error(), "must say who sets it") {
		t.Errorf("it does not say what is wrong: %v", forged)
	}
	wantRefused(t, annotateWith(t.Context(), oncall, d, override.Reason, "INC-1", override.By, "oncall", override.Until, soon), "must say who sets it", "carry the label")
	wantRefused(t, set(override.Reason, "INC-1", override.Until, soon), "must say who sets it")
	wantRefused(t, set(override.Until, soon), "is managed by Fonster and cannot be changed")

	// The control plane, which copies what others wrote, sets none: it is asked for no right.
	for _, user := range []string{"system:serviceaccount:kube-system:deployment-controller", "system:kube-controller-manager"} {
		wantRefused(t, as(t, user).Patch(t.Context(), d.DeepCopy(), mergePatch(`{"metadata":{"labels":{"maintenance.fonster.dev/overridden":"true"},"annotations":{%s}}}`,
			quoted([]string{override.Reason, "INC-1", override.By, user, override.Until, soon}))), "is managed by Fonster and cannot be changed", override.Reason)
	}

	// Without the mark notes are nothing; and the mark is not set over notes that were forged before.
	wantPassed(t, annotateWith(t.Context(), deployer, d, override.By, "oncall", override.From, "2020-01-01T00:00:00Z/1", override.Until, late))
	wantRefused(t, annotateWith(t.Context(), oncall, d, override.Reason, "INC-1"), "must say who sets it", "carry the label")
	wantRefused(t, setImage(t.Context(), deployer, d, "app:2"), "Rollout of Deployment old/web")
	wantRefused(t, set(), "is managed by Fonster and cannot be changed")
	wantRefused(t, set(override.Reason, "INC-1"), "It may end at ")
	wantPassed(t, deployer.Patch(t.Context(), d.DeepCopy(), mergePatch(`{"metadata":{"annotations":{%q:null,%q:null,%q:null}}}`, override.By, override.From, override.Until)))

	// Nor do they become something where a window comes to govern.
	namespace(t, ns+"-new")
	brought, inside := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns + "-new"}}, deployment(t, ns+"-new", "web", 1)
	wantPassed(t, annotateWith(t.Context(), deployer, brought, override.Reason, "INC-1", override.By, "deployer", override.Until, "2099-01-01T00:00:00Z"))
	wantPassed(t, deployer.Patch(t.Context(), brought.DeepCopy(), mergePatch(`{"metadata":{"labels":{"team":%q}}}`, ns)))
	governed(t, 5*time.Second, deployer, inside)
	wantRefused(t, setImage(t.Context(), deployer, inside, "app:2"), "Rollout of Deployment old-new/web")

	if code, out, errs := kubectlWindow(t, "deployer", "override", "deploy/web", "-n", ns, "--reason", "INC-1"); code != 1 || !strings.Contains(errs, "has no right") {
		t.Errorf("without the right: code %d %s%s", code, out, errs)
	}
	code, out, errs := kubectlWindow(t, "oncall", "override", "deploy/web", "-n", ns, "--reason", "INC-1")
	if code != 0 || !strings.Contains(out, "overridden by oncall until") {
		t.Fatalf("code %d %s%s", code, out, errs)
	}
	wantPassed(t, setImage(t.Context(), deployer, d, "app:2"))
	eventually(t, 10*time.Second, func() error {
		_, out, _ := kubectlWindow(t, "", "overrides", "-A")
		if !strings.Contains(out, "Deployment old/web") || !strings.Contains(out, "oncall") {
			return fmt.Errorf("no record:\n%s", out)
		}
		return nil
	})
	if code, _, errs := kubectlWindow(t, "oncall", "override", "deploy/web", "-n", ns, "--end"); code != 0 {
		t.Fatal(errs)
	}
	wantRefused(t, setImage(t.Context(), deployer, d, "app:3"), "Rollout of Deployment")
	unaidedLengths(t, ns, d)
}

// unaidedHold: a window that would hold says that it cannot, and refuses.
func unaidedHold(t *testing.T) {
	const ns = "old-hold"
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	mw := window(t, ns, ns, nextYear(), hold)
	wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:2"), "Rollout of Deployment old-hold/web", "Next opening")
	if s := meta.FindStatusCondition(mw.Status.Conditions, v1alpha1.ConditionHoldSupported); s == nil || s.Status != metav1.ConditionFalse || s.Reason != v1alpha1.ReasonHoldNotSupported {
		t.Errorf("condition HoldSupported: %+v", s)
	}
}

// unaidedLengths: as long as is asked for, and never longer than the windows allow.
func unaidedLengths(t *testing.T, ns string, d *appsv1.Deployment) {
	t.Helper()
	create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "oncall-viewer"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "fonster-gate-viewer"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "oncall"}},
	})
	mw := &v1alpha1.MaintenanceWindow{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	wantPassed(t, shared.Admin.Patch(t.Context(), mw, mergePatch(`{"spec":{"overrides":{"maxDuration":"10m"}}}`)))
	inForce(t, mw)
	for i, tc := range []struct {
		length      string
		least, most time.Duration
	}{{"2m", 90 * time.Second, 2 * time.Minute}, {"2h", 8 * time.Minute, 10 * time.Minute}, {"", 8 * time.Minute, 10 * time.Minute}} {
		args := []string{"override", "deploy/web", "-n", ns, "--reason", fmt.Sprintf("INC-%d", 10+i)}
		if tc.length != "" {
			args = append(args, "--for", tc.length)
		}
		code, out, errs := kubectlWindow(t, "oncall", args...)
		if left := time.Until(overrideOf(t, d).Until); code != 0 || left < tc.least || left > tc.most {
			t.Errorf("--for %q: code %d, it stands for %s, want %s to %s\n%s%s", tc.length, code, left, tc.least, tc.most, out, errs)
		}
	}
	namespace(t, ns+"-free")
	free := deployment(t, ns+"-free", "web", 1)
	code, out, errs := kubectlWindow(t, "oncall", "override", "deploy/web", "-n", ns+"-free", "--reason", "INC-20", "--for", "5m")
	if code != 0 || !strings.Contains(out, "no window governs it") || overrideOf(t, free).Marked {
		t.Errorf("where nothing governs: code %d %s%s", code, out, errs)
	}
}

// quoted writes pairs as the fields of a JSON object.
func quoted(pairs []string) string {
	var fields []string
	for i := 0; i+1 < len(pairs); i += 2 {
		fields = append(fields, fmt.Sprintf("%q:%q", pairs[i], pairs[i+1]))
	}
	return strings.Join(fields, ",")
}

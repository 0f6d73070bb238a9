package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/cli"
)

// kubectlWindow runs the plugin as a user, or as the administrator.
func kubectlWindow(t *testing.T, user string, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	args = append(args, "--kubeconfig", shared.Kubeconfig)
	if user != "" {
		args = append(args, "--as", user)
	}
	code = cli.Run(t.Context(), args, cli.Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr}, time.Now)
	return code, stdout.String(), stderr.String()
}

// TestOverrideCommand: an on-call engineer with the emergency role gets through, a developer does not, and the record shows it.
func TestOverrideCommand(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear())
	oncall := "system:serviceaccount:" + ns + ":oncall"
	developer := overrider(t, "developer-"+ns)
	overrider(t, oncall)
	create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "oncall"}})
	create(t, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: ns + "-emergency"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "fonster-emergency"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: ns, Name: "oncall"}}})
	has := func(text string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("it does not say %q:\n%s", part, text)
			}
		}
	}

	var code int
	var out, errs string
	eventually(t, 5*time.Second, func() error { // the window may not be in force yet on a loaded machine
		if code, out, errs = kubectlWindow(t, "developer-"+ns, "override", "deploy/web", "-n", ns, "--reason", "INC-1", "--dry-run"); code != 1 {
			return fmt.Errorf("a developer's dry run: code %d: %s%s", code, out, errs)
		}
		return nil
	})
	has(errs, "has no right to override any of the windows "+ns, "You may not read who has the right")
	_, _, errs = kubectlWindow(t, "developer-"+ns, "override", "deploy/web", "-n", ns, "--reason", "INC-1", "--as-group", "system:masters", "--dry-run")
	if errs != "" {
		t.Errorf("system:masters hold every right: %s", errs)
	}
	create(t, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: ns + "-view"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "system:aggregate-to-view"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "developer-" + ns}}})
	create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: ns + "-rbac"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles", "clusterrolebindings"}, Verbs: []string{"list"}},
	}})
	create(t, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: ns + "-rbac"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: ns + "-rbac"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "developer-" + ns}}})
	eventually(t, 5*time.Second, func() error {
		_, _, errs = kubectlWindow(t, "developer-"+ns, "override", "deploy/web", "-n", ns, "--reason", "INC-1")
		if !strings.Contains(errs, "These have it:") || !strings.Contains(errs, "ServiceAccount "+ns+"/oncall, by ClusterRoleBinding "+ns+"-emergency") {
			return fmt.Errorf("it does not tell who may:\n%s", errs)
		}
		return nil
	})

	code, out, errs = kubectlWindow(t, oncall, "override", "deploy/web", "-n", ns, "--reason", "INC-1 disken full", "--for", "10m", "--dry-run")
	if code != 0 {
		t.Fatalf("code %d: %s", code, errs)
	}
	has(out, "you may override it, until ", "(dry run)")
	wantRefused(t, setImage(t.Context(), developer, d, "app:2"), "Rollout of Deployment")
	code, out, errs = kubectlWindow(t, oncall, "override", "deployments/web", "-n", ns, "--reason", "INC-1 disken full", "--for", "10m")
	if code != 0 {
		t.Fatalf("code %d: %s", code, errs)
	}
	has(out, "Deployment "+ns+"/web: overridden by "+oncall+" until ", "--end")
	wantPassed(t, setImage(t.Context(), developer, d, "app:2"))
	eventually(t, 10*time.Second, func() error {
		_, out, _ = kubectlWindow(t, "", "overrides", "-A", "-o", "json")
		var list []struct {
			v1alpha1.OverrideRecord
			Stands  bool
			Windows []string
		}
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			return err
		}
		for _, r := range list {
			if r.Object == "Deployment "+ns+"/web" && r.Stands && r.By == oncall && r.Reason == "INC-1 disken full" && r.ToGeneration > r.FromGeneration {
				return nil
			}
		}
		return fmt.Errorf("no record:\n%s", out)
	})
	if code, out, errs = kubectlWindow(t, oncall, "override", "deploy/web", "-n", ns, "--end"); code != 0 || !strings.Contains(out, "has ended") {
		t.Errorf("--end: code %d %s%s", code, out, errs)
	}
	wantRefused(t, setImage(t.Context(), developer, d, "app:3"), "Rollout of Deployment")
	if code, _, errs = kubectlWindow(t, oncall, "override", "deploy/web", "-n", ns, "--reason", "INC-1 disken full"); code != 1 || !strings.Contains(errs, "is used up") {
		t.Errorf("the same reason again: code %d %s", code, errs)
	}
	eventually(t, 10*time.Second, func() error {
		_, out, _ = kubectlWindow(t, "", "overrides", "-A")
		if !strings.Contains(out, "Removed") || !strings.Contains(out, "INC-1 disken full") {
			return fmt.Errorf("the end is not recorded:\n%s", out)
		}
		return nil
	})
	for _, args := range [][]string{{"override", "web"}, {"override", "pod/web", "--reason", "x"}, {"override", "deploy/web"}, {"override", "deploy/web", "--end", "--for", "1m"}} {
		if code, _, _ := kubectlWindow(t, "", args...); code != 2 {
			t.Errorf("%v: code %d, want 2", args, code)
		}
	}
	if code, _, errs := kubectlWindow(t, "", "override", "deploy/none", "-n", ns, "--reason", "INC-2"); code != 1 || !strings.Contains(errs, "not found") {
		t.Errorf("a workload that does not exist: code %d %s", code, errs)
	}
}

// TestOverrideCommandInAFreeze: a dry run tells that the right to one of the windows that govern is needed, and to each freeze, and who
// has it; one that names others is not told of.
func TestOverrideCommandInAFreeze(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear())
	anyone := func(mw *v1alpha1.MaintenanceWindow) { // of another target
		mw.Spec.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: metav1.LabelSelectorOpIn, Values: []string{ns, ns + "-other"}}}}
		mw.Spec.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	}
	window(t, ns+"-web", ns, nextYear(), anyone)
	window(t, ns+"-other", ns+"-other", nextYear())
	user := "oncall-" + ns
	overrider(t, user)
	overrider(t, "other-"+ns, ns+"-other")
	overrider(t, "all-"+ns, ns)
	overrider(t, "web-"+ns, ns+"-web")
	grant := func(name, user string, rules ...rbacv1.PolicyRule) {
		create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules})
		create(t, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}}})
	}
	freezes := func(names ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{"maintenance.fonster.dev"}, Resources: []string{"changefreezes"}, ResourceNames: names, Verbs: []string{"override"}}
	}
	dryRun := func() (int, string) {
		code, out, errs := kubectlWindow(t, user, "override", "deploy/web", "-n", ns, "--reason", "INC-1", "--dry-run")
		return code, out + errs
	}
	says := func(wantCode int, not string, parts ...string) {
		t.Helper()
		eventually(t, 10*time.Second, func() error {
			code, text := dryRun()
			for _, part := range parts {
				if !strings.Contains(text, part) {
					return fmt.Errorf("it does not say %q:\n%s", part, text)
				}
			}
			if code != wantCode || not != "" && strings.Contains(text, not) {
				return fmt.Errorf("code %d, and it must not say %q:\n%s", code, not, text)
			}
			return nil
		})
	}
	// Only the error of the API server tells what is needed to one who may read neither gates nor roles.
	says(1, "These have it", "has no right to override any of the windows "+ns+", "+ns+"-web (", "You may not read who has the right")
	grant("reads-"+ns, user, rbacv1.PolicyRule{APIGroups: []string{"maintenance.fonster.dev"}, Resources: []string{"gates"}, Verbs: []string{"get"}},
		rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles", "clusterrolebindings"}, Verbs: []string{"list"}})
	says(1, "other-"+ns,
		"Requires the `override` verb on any one of the maintenancewindows "+ns+", "+ns+"-web. You do not have it.",
		"User all-"+ns+", by ClusterRoleBinding all-"+ns, "User web-"+ns+", by ClusterRoleBinding web-"+ns)
	var refused struct {
		Refused string
		Needs   []struct {
			Resource string
			Names    []string
			Have     bool
		}
	}
	_, out, _ := kubectlWindow(t, user, "override", "deploy/web", "-n", ns, "--reason", "INC-1", "--dry-run", "-o", "json")
	if err := json.Unmarshal([]byte(out), &refused); err != nil || refused.Refused == "" || len(refused.Needs) != 1 || refused.Needs[0].Have || len(refused.Needs[0].Names) != 2 {
		t.Errorf("%v: %s", err, out)
	}
	grant("either-"+ns, user, rbacv1.PolicyRule{APIGroups: []string{"maintenance.fonster.dev"}, Resources: []string{"maintenancewindows"}, ResourceNames: []string{ns + "-web"}, Verbs: []string{"override"}})
	says(0, "hange freeze ", "you may override it, until ")

	freeze(t, ns+"-a", ns, nil, func(cf *v1alpha1.ChangeFreeze) { cf.Spec.Overrides = &v1alpha1.OverridePolicy{} })
	grant("freezer-"+ns, "freezer-"+ns, freezes(ns+"-a"))
	grant("elsewhere-"+ns, "elsewhere-"+ns, freezes(ns+"-elsewhere"))
	says(1, "elsewhere-"+ns, "you may set the override, but a change freeze stops what you change under it",
		"Change freeze "+ns+"-a is in force: changing anything under the override requires the `override` verb on changefreezes/"+ns+"-a. You do not have it.",
		"User freezer-"+ns+", by ClusterRoleBinding freezer-"+ns)
	grant("passes-"+ns, user, freezes(ns+"-a"))
	says(0, "hange freeze ", "you may override it, until ")
	freeze(t, ns+"-b", ns, nil)
	says(1, "you may override it", "Change freeze "+ns+"-b is in force, and no override passes it")
}

// TestStopButton: one command stops everything within two seconds, also where nothing was governed; another one lets it go.
func TestStopButton(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:2"))
	pressed := time.Now()
	code, out, errs := kubectlWindow(t, "", "freeze", ns, "--namespaces", "team="+ns, "--reason", "Felsökning pågår")
	if code != 0 || !strings.Contains(out, "is stopped") || !strings.Contains(out, "kubectl window unfreeze "+ns) {
		t.Fatalf("code %d %s%s", code, out, errs)
	}
	dry := client.NewDryRunClient(shared.Admin)
	eventually(t, 5*time.Second, func() error {
		if setImage(t.Context(), dry, d, "app:3") == nil {
			return fmt.Errorf("not stopped")
		}
		return nil
	})
	took := time.Since(pressed)
	t.Logf("in force %d ms after the command began", took.Milliseconds())
	if took > 2*time.Second {
		t.Errorf("in force after %s, want two seconds at most", took)
	}
	wantRefused(t, setImage(t.Context(), dry, d, "app:3"), "change freeze "+ns+" is in force", "(Felsökning pågår)")
	if code, out, errs := kubectlWindow(t, "", "unfreeze", ns); code != 0 {
		t.Fatalf("code %d %s%s", code, out, errs)
	}
	eventually(t, 5*time.Second, func() error { return setImage(t.Context(), dry, d, "app:3") })

	window(t, ns, ns, always()) // now the namespace has a Gate
	wantPassed(t, setImage(t.Context(), dry, d, "app:3"))
	pressed = time.Now()
	create(t, &v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: ns + "-again"}, Spec: v1alpha1.ChangeFreezeSpec{
		Reason: "Felsökning pågår", TimeZone: "UTC", NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": ns}},
	}})
	eventually(t, 5*time.Second, func() error {
		if setImage(t.Context(), dry, d, "app:3") == nil {
			return fmt.Errorf("not stopped")
		}
		return nil
	})
	if took = time.Since(pressed); took > time.Second {
		t.Errorf("in force after %s where there is a Gate, want it at once", took)
	}
	t.Logf("in force %d ms after it was created, where there is a Gate", took.Milliseconds())
}

// TestShortNotice: an occurrence that becomes known later than promised opens, and is marked; of an Emergency window it is not.
func TestShortNotice(t *testing.T) {
	ns := testName(t)
	soon := time.Now().AddDate(0, 0, 2)
	dates := v1alpha1.Schedule{Dates: []string{day(soon), day(soon.AddDate(0, 1, 0))}, StartTime: new("09:00"), EndTime: new("20:00")}
	noticed := func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Notice = &metav1.Duration{Duration: 7 * 24 * time.Hour} }
	planned := window(t, ns, ns, dates, noticed)
	if u := planned.Status.Upcoming; len(u) != 2 || !u[0].ShortNotice || u[1].ShortNotice || u[0].AnnouncedAt == nil {
		t.Errorf("upcoming %+v", u)
	}
	urgent := window(t, ns+"-urgent", ns, dates, noticed, func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Class = v1alpha1.Emergency })
	if u := urgent.Status.Upcoming; len(u) != 2 || u[0].ShortNotice {
		t.Errorf("upcoming of an Emergency window %+v", u)
	}
	eventually(t, 10*time.Second, func() error {
		out, err := shared.Kubectl("get", "events", "-A", "--field-selector", "reason=ShortNotice")
		if err != nil || !strings.Contains(out, "maintenancewindow/"+ns+" ") {
			return fmt.Errorf("%v\n%s", err, out)
		}
		return nil
	})
	wantPassed(t, shared.Admin.Patch(t.Context(), planned, mergePatch(`{"spec":{"schedules":[{"dates":[%q,%q,%q],"startTime":"09:00","endTime":"20:00"}]}}`,
		day(soon), day(soon.AddDate(0, 0, 1)), day(soon.AddDate(0, 1, 0)))))
	eventually(t, 10*time.Second, func() error {
		get(t, planned)
		u := planned.Status.Upcoming
		if len(u) != 3 || !u[1].ShortNotice || u[2].ShortNotice || !u[0].AnnouncedAt.Before(u[1].AnnouncedAt) && !u[0].AnnouncedAt.Equal(u[1].AnnouncedAt) {
			return fmt.Errorf("upcoming %+v", u)
		}
		return nil
	})
}

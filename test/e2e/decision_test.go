package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
)

// only makes a window govern some disruptions alone.
func only(disruptions ...v1alpha1.Disruption) windowOption {
	return func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Disruptions = disruptions }
}

// TestOneAnswer: whatever windows govern an object, with whatever selectors and disruptions, it gets one answer: a freeze first, and then all
// windows that close it, with the soonest opening.
func TestOneAnswer(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	web := deployment(t, ns, "web", 2, func(d *appsv1.Deployment) { d.Labels["tier"] = "front" })
	batch := deployment(t, ns, "batch", 2)
	soon := time.Now().AddDate(0, 0, 3)
	window(t, ns+"-all", ns, nextYear(), everyDisruption)
	window(t, ns+"-front", ns, v1alpha1.Schedule{Dates: []string{day(soon)}, StartTime: new("09:00"), EndTime: new("20:00")}, objects("tier", "front"))
	window(t, ns+"-hold", ns, nextYear(), objects("app", "web"), hold)
	window(t, ns+"-warn", ns, nextYear(), warn)
	window(t, ns+"-batch", ns, always(), objects("app", "batch"), only(v1alpha1.Rollout))
	window(t, ns+"-none", ns, always(), objects("app", "none"), everyDisruption)
	dry := client.NewDryRunClient(shared.Admin)
	pod := podsOf(t, web)[0]
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	requests := map[string]func() error{
		"Rollout of Deployment": func() error { return setImage(t.Context(), dry, web, "app:2") },
		"Delete of Deployment":  func() error { return dry.Delete(t.Context(), web.DeepCopy()) },
		"ScaleDown of Deployment": func() error {
			return dry.Patch(t.Context(), web.DeepCopy(), mergePatch(`{"spec":{"replicas":1}}`))
		},
		"Changing the labels of Deployment": func() error {
			return dry.Patch(t.Context(), web.DeepCopy(), mergePatch(`{"metadata":{"labels":{"tier":"back"}}}`))
		},
		"Delete of Pod": func() error { return dry.Delete(t.Context(), pod.DeepCopy()) },
		"Evict of Pod":  func() error { return evict(nil)(t.Context(), dry, pod.DeepCopy()) },
		"Delete of Namespace": func() error {
			return dry.Delete(t.Context(), space.DeepCopy())
		},
		"Changing the labels of Namespace": func() error {
			return dry.Patch(t.Context(), space.DeepCopy(), mergePatch(`{"metadata":{"labels":{"team":"another"}}}`))
		},
		"Rollout of ReplicaSet": func() error {
			return ofReplicaSet(update(newImage))(t.Context(), dry, web)
		},
		"ScaleDown of HorizontalPodAutoscaler": func() error {
			h := newAutoscaler("Deployment")(ns)
			h.SetName("web")
			return dry.Create(t.Context(), h)
		},
	}

	front := setImage(t.Context(), dry, web, "app:2")
	wantRefused(t, front, "Rollout of Deployment "+ns+"/web is outside its maintenance windows (", ns+"-all", ns+"-front", ns+"-hold",
		"Next opening: "+soon.UTC().Format("Mon 2 Jan 2006")+" 09:00 UTC, by "+ns+"-front.", "on one of these windows")
	for _, other := range []string{ns + "-batch", ns + "-none"} {
		if strings.Contains(front.Error(), other) {
			t.Errorf("%s does not govern it:\n%v", other, front)
		}
	}
	// Any open window opens, what it governs alone.
	wantPassed(t, setImage(t.Context(), dry, batch, "app:2"))
	wantRefused(t, dry.Delete(t.Context(), batch.DeepCopy()), "Delete of Deployment "+ns+"/batch", ns+"-all")
	for what, request := range requests {
		wantRefused(t, request(), what, "is outside its maintenance windows (", ns+"-all", "Next opening: ")
	}

	freeze(t, ns+"-freeze", ns, nil, func(cf *v1alpha1.ChangeFreeze) {
		cf.Spec.Disruptions = []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.ScaleDown, v1alpha1.Delete, v1alpha1.Evict}
	})
	requests["Rollout of Deployment "+ns+"/batch"] = func() error { return setImage(t.Context(), dry, batch, "app:2") }
	for what, request := range requests {
		err := request()
		wantRefused(t, err, what, "is refused: change freeze "+ns+"-freeze is in force (Val: röstning pågår)")
		if strings.Contains(err.Error(), "override=REASON") || strings.Contains(err.Error(), "Next opening") {
			t.Errorf("it speaks of what does not help in a freeze:\n%v", err)
		}
	}
}

// TestDeniedIsRefusedAlone: where windows that hold and windows that refuse govern an object, a rollout is refused, and nobody is told that it is
// held; nor is it held where a freeze refuses it.
func TestDeniedIsRefusedAlone(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d, other := deployment(t, ns, "web", 1), deployment(t, ns, "other", 1)
	window(t, ns+"-hold", ns, nextYear(), hold)
	window(t, ns+"-deny", ns, nextYear(), objects("app", "web"))
	try := func(d *appsv1.Deployment) (string, error) {
		return shared.Kubectl("-n", ns, "set", "image", "deployment/"+d.Name, "main=app:2", "--dry-run=server")
	}
	refusedAlone := func(d *appsv1.Deployment, texts ...string) {
		t.Helper()
		out, err := try(d)
		if err == nil || strings.Contains(out, "Warning") || strings.Contains(out, "is held") {
			t.Errorf("want a refusal alone: %v\n%s", err, out)
		}
		wantSaid(t, out, texts...)
		get(t, d)
		if d.Labels[v1alpha1.HeldLabel] != "" {
			t.Errorf("held: %v", d.Labels)
		}
	}
	refusedAlone(d, "Rollout of Deployment "+ns+"/web is outside its maintenance windows", ns+"-hold", ns+"-deny")
	out, err := try(other)
	if err != nil || !strings.Contains(out, "Warning: ") {
		t.Fatalf("not held: %v\n%s", err, out)
	}
	wantSaid(t, out, "The rollout of Deployment "+ns+"/other is held until Thu 13 May")
	cf := freeze(t, ns+"-freeze", ns, nil)
	refusedAlone(d, "change freeze "+cf.Name+" is in force")
	refusedAlone(other, "change freeze "+cf.Name+" is in force")
}

// TestCutoffIsNamed: a refusal in the cutoff says that the window is open, until when, and since when nothing new begins.
func TestCutoffIsNamed(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	now := time.Now().UTC()
	begins, ends := now.Add(-2*time.Hour).Truncate(time.Hour), now.Add(time.Hour).Truncate(time.Hour)
	if day(begins) != day(ends) {
		t.Skip("midnight is near")
	}
	window(t, ns, ns, between(begins, ends), func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Cutoff = &metav1.Duration{Duration: 2 * time.Hour} })
	window(t, ns+"-closed", ns, nextYear())
	const form = "Mon 2 Jan 2006 15:04 MST"
	wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:2"), "Rollout of Deployment "+ns+"/web is outside its maintenance windows",
		fmt.Sprintf("%s is open until %s, but nothing new may begin since %s (cutoff).", ns, ends.Format(form), ends.Add(-2*time.Hour).Format(form)),
		"Next opening: Thu 13 May")
}

// TestTenantSeesTheGate: who may view a namespace sees its Gate: what is open, until when or from when, and by which window; and nobody else's.
func TestTenantSeesTheGate(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	namespace(t, ns+"-other", "team", ns)
	window(t, ns, ns, nextYear())
	create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "viewer"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "viewer-" + ns}},
	})
	as := "--as=viewer-" + ns
	eventually(t, 10*time.Second, func() error { // ClusterRole view is aggregated by a controller
		out, err := shared.Kubectl("-n", ns, "get", "gate", as)
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		for _, text := range []string{"gate", "Closed", "opens Thu 13 May", "09:00 UTC", ns} {
			if !strings.Contains(out, text) {
				t.Errorf("it does not say %q:\n%s", text, out)
			}
		}
		return nil
	})
	freeze(t, ns, ns, nil)
	if out, err := shared.Kubectl("-n", ns, "get", "gate", as); err != nil || !strings.Contains(out, "Frozen") || !strings.Contains(out, "frozen until it is changed or deleted") {
		t.Errorf("in a freeze: %v\n%s", err, out)
	}
	if out, err := shared.Kubectl("-n", ns+"-other", "get", "gate", as); err == nil {
		t.Errorf("somebody else's Gate:\n%s", out)
	}
	for _, verb := range []string{"create", "update", "patch", "delete", "deletecollection"} {
		if out, _ := shared.Kubectl("-n", ns, "auth", "can-i", verb, "gates.maintenance.fonster.dev", as); strings.TrimSpace(out) != "no" {
			t.Errorf("may %s: %s", verb, out)
		}
	}
}

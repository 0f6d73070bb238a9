package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/override"
)

// annotateWith sets annotations of an object, and nothing else.
func annotateWith(ctx context.Context, c client.Client, o client.Object, pairs ...string) error {
	var list []string
	for i := 0; i+1 < len(pairs); i += 2 {
		value := fmt.Sprintf("%q", pairs[i+1])
		if pairs[i+1] == "" {
			value = "null"
		}
		list = append(list, fmt.Sprintf("%q:%s", pairs[i], value))
	}
	return c.Patch(ctx, o.DeepCopyObject().(client.Object), mergePatch(`{"metadata":{"annotations":{%s}}}`, strings.Join(list, ",")))
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// overrideOf reads the override of an object as it is now.
func overrideOf(t *testing.T, o client.Object) override.Override {
	t.Helper()
	get(t, o)
	current := override.Parse(o)
	return current
}

// TestOverrides is the matrix of emergency overrides, with the operator and without it: the API server decides.
func TestOverrides(t *testing.T) {
	for _, up := range []bool{true, false} {
		state := map[bool]string{true: "operator up", false: "operator killed"}[up]
		t.Run(state, func(t *testing.T) { testOverrides(t, up) })
	}
}

func testOverrides(t *testing.T, up bool) {
	ns := fmt.Sprintf("overrides-%t", up)
	namespace(t, ns)
	workloads := map[string]*appsv1.Deployment{}
	for _, name := range []string{
		"no-right", "another", "right", "revoked", "expired", "spent", "source", "copied", "forged", "pattern", "empty", "long", "one-request", "two", "manifest", "removed", "delete", "by-pod", "later", "undo",
	} {
		workloads[name] = deployment(t, ns, name, 1)
	}
	window(t, ns, ns, nextYear(), func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Disruptions = []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.ScaleDown, v1alpha1.Delete, v1alpha1.Evict}
		mw.Spec.Overrides = &v1alpha1.OverridePolicy{MaxDuration: &metav1.Duration{Duration: 30 * time.Minute}, ReasonPattern: "^(INC|CHG)-[0-9]+"}
	})
	namespace(t, ns+"-other")
	window(t, ns+"-other", ns+"-other", nextYear())
	ctx := t.Context()
	nobody, oncall, other, deployer := overrider(t, "nobody-"+ns), overrider(t, "oncall-"+ns, ns), overrider(t, "other-"+ns, ns+"-other"), overrider(t, "deployer-"+ns)
	second := overrider(t, "second-"+ns, ns)
	if !up {
		killOperator(t)
	}
	closed := func(t *testing.T, c client.Client, d *appsv1.Deployment) {
		t.Helper()
		wantRefused(t, setImage(ctx, c, d, "app:refused"), "Rollout of Deployment "+ns+"/"+d.Name, "In an emergency: kubectl annotate -n "+ns+" deployments/"+d.Name, "(matching ^(INC|CHG)-[0-9]+)")
	}
	open := func(t *testing.T, c client.Client, d *appsv1.Deployment, image string) {
		t.Helper()
		wantPassed(t, setImage(ctx, c, d, image))
	}
	set := func(c client.Client, d client.Object, reason string, more ...string) error {
		return annotateWith(ctx, c, d, append([]string{override.Reason, reason}, more...)...)
	}

	t.Run("one after another", func(t *testing.T) {
		d := workloads["two"]
		wantPassed(t, set(oncall, d, "INC-1"))
		wantPassed(t, set(second, d, "CHG-2"))
		if o := overrideOf(t, d); o.By != "second-"+ns || o.Reason != "CHG-2" || !slices.Equal(o.Spent, []string{"INC-1"}) {
			t.Errorf("the second replaces the first, which is used up: %+v", o)
		}
		open(t, deployer, d, "app:2")
	})
	t.Run("two at once", func(t *testing.T) {
		d := workloads["two"]
		for round := range 6 {
			first, other := fmt.Sprintf("INC-%d0", round+1), fmt.Sprintf("CHG-%d0", round+1)
			for _, err := range atOnce(func() error { return set(oncall, d, first) }, func() error { return set(second, d, other) }, func() error { return set(nobody, d, "INC-99") }) {
				if err != nil && !strings.Contains(err.Error(), "nobody-"+ns+" has no right") {
					t.Errorf("of two with the right at once: %v", err)
				}
			}
			o := overrideOf(t, d) // one stands, as who set it; the other was before it, and is used up
			want := map[string]override.Override{
				first: {By: "oncall-" + ns, Spent: []string{other}}, other: {By: "second-" + ns, Spent: []string{first}},
			}[o.Reason]
			if !o.Stands(time.Now()) || o.By != want.By || len(o.Spent) == 0 || o.Spent[0] != want.Spent[0] || slices.Contains(o.Spent, "INC-99") {
				t.Errorf("round %d: %+v, want %+v", round, o, want)
			}
		}
		open(t, deployer, d, "app:3")
	})
	t.Run("one reason by two at once", func(t *testing.T) {
		d := workloads["two"]
		for _, err := range atOnce(func() error { return set(oncall, d, "INC-100") }, func() error { return set(second, d, "INC-100") }) {
			wantPassed(t, err)
		}
		if o := overrideOf(t, d); !o.Stands(time.Now()) || o.Reason != "INC-100" || o.By != "oncall-"+ns && o.By != "second-"+ns {
			t.Errorf("%+v", o)
		}
		wantPassed(t, set(oncall, d, "")) // and one hand ends it
		closed(t, deployer, d)
	})
	t.Run("no right", func(t *testing.T) {
		d := workloads["no-right"]
		wantRefused(t, set(nobody, d, "INC-1"), "The override of Deployment "+ns+"/no-right is refused", "nobody-"+ns+" has no right to override any of the windows "+ns, "verb override on maintenancewindows.maintenance.fonster.dev")
		closed(t, deployer, d)
	})
	t.Run("right on another window", func(t *testing.T) {
		wantRefused(t, set(other, workloads["another"], "INC-1"), "other-"+ns+" has no right to override any of the windows "+ns+" (")
		closed(t, other, workloads["another"])
	})
	t.Run("right", func(t *testing.T) {
		d := workloads["right"]
		before := time.Now().Truncate(time.Second)
		wantPassed(t, set(oncall, d, "INC-1 disken full"))
		o := overrideOf(t, d)
		if o.By != "oncall-"+ns || o.Until.Before(before.Add(30*time.Minute)) || o.Until.After(time.Now().Add(30*time.Minute)) {
			t.Errorf("stamped %+v, want oncall-%s and half an hour", o, ns)
		}
		open(t, deployer, d, "app:2")         // whoever may change it anyway
		closed(t, oncall, workloads["later"]) // and nothing else
		wantRefused(t, shared.Admin.Delete(ctx, &podsOf(t, d)[0]), "Delete of Pod", "kubectl annotate namespace "+ns)
	})
	t.Run("right revoked afterwards", func(t *testing.T) {
		d := workloads["revoked"]
		revoked := overrider(t, "revoked-"+ns, ns)
		eventually(t, 5*time.Second, func() error { return set(client.NewDryRunClient(revoked), d, "INC-1") }) // its right is seen
		wantPassed(t, set(revoked, d, "INC-1"))
		wantPassed(t, shared.Admin.Delete(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "revoked-" + ns}}))
		open(t, deployer, d, "app:2") // it stands until its end
		eventually(t, 5*time.Second, func() error {
			if err := set(client.NewDryRunClient(revoked), d, "INC-2"); err == nil { // what passes once would be no new reason
				return fmt.Errorf("set again without the right")
			}
			return nil
		})
	})
	t.Run("expired", func(t *testing.T) {
		d := workloads["expired"]
		until := time.Now().Add(4 * time.Second).Truncate(time.Second)
		wantPassed(t, set(oncall, d, "INC-1", override.Until, rfc3339(until)))
		if o := overrideOf(t, d); !o.Until.Equal(until) {
			t.Errorf("until %s, want the earlier end that was asked for, %s", o.Until, until)
		}
		open(t, deployer, d, "app:2")
		time.Sleep(time.Until(until.Add(50 * time.Millisecond)))
		closed(t, deployer, d)
		wantPassed(t, set(oncall, d, "INC-1")) // the same text is no new reason
		closed(t, oncall, d)
	})
	t.Run("spent reason applied again", func(t *testing.T) {
		d := workloads["spent"]
		wantPassed(t, set(oncall, d, "INC-1"))
		open(t, deployer, d, "app:2")
		wantPassed(t, set(oncall, d, "")) // ends it
		closed(t, deployer, d)
		applied := fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"spent","namespace":%q,"annotations":{%q:"INC-1"}}}`, ns, override.Reason)
		wantPassed(t, nobody.Patch(ctx, d.DeepCopy(), client.RawPatch("application/apply-patch+yaml", []byte(applied)), client.FieldOwner("gitops"), client.ForceOwnership))
		if o := overrideOf(t, d); !slices.Equal(o.Spent, []string{"INC-1"}) || o.Stands(time.Now()) {
			t.Errorf("after the same text came from Git: %+v", o)
		}
		closed(t, deployer, d)
		wantRefused(t, set(nobody, d, "INC-2"), "has no right")
		wantPassed(t, set(oncall, d, "INC-2"))
		open(t, deployer, d, "app:3")
		reapply := func() error {
			return nobody.Patch(ctx, d.DeepCopy(), client.RawPatch("application/apply-patch+yaml", []byte(applied)), client.FieldOwner("gitops"), client.ForceOwnership)
		}
		wantPassed(t, reapply()) // it neither stands nor ends the other
		if o := overrideOf(t, d); o.Reason != "INC-2" || !o.Stands(time.Now()) {
			t.Errorf("after a used-up reason came from Git: %+v", o)
		}
		open(t, deployer, d, "app:4")
		wantPassed(t, set(oncall, d, ""))
		wantPassed(t, reapply())
		if o := overrideOf(t, d); !slices.Equal(o.Spent, []string{"INC-2", "INC-1"}) || o.Stands(time.Now()) {
			t.Errorf("after the end of the second, with the first in Git: %+v", o)
		}
		closed(t, deployer, d)
	})
	t.Run("the same manifest applied again", func(t *testing.T) {
		d := workloads["manifest"]
		until := time.Now().Add(6 * time.Second).Truncate(time.Second)
		apply := func(c client.Client, image string) error {
			manifest := fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"manifest","namespace":%q,"annotations":{%q:"INC-1",%q:%q}},`+
				`"spec":{"template":{"spec":{"containers":[{"name":"main","image":%q}]}}}}`, ns, override.Reason, override.Until, rfc3339(until), image)
			return c.Patch(ctx, d.DeepCopy(), client.RawPatch("application/apply-patch+yaml", []byte(manifest)), client.FieldOwner("gitops"), client.ForceOwnership)
		}
		opensNothing := func(when string) {
			t.Helper()
			wantPassed(t, apply(nobody, "app:3")) // it changes nothing
			if o := overrideOf(t, d); o.Stands(time.Now()) || image(d) != "app:3" {
				t.Errorf("%s: %s, %+v", when, image(d), o)
			}
			for _, c := range []client.Client{nobody, oncall} { // nor for whoever has the right: it is no new reason
				wantRefused(t, apply(c, "app:4"), "Rollout of Deployment "+ns+"/manifest")
			}
		}
		wantRefused(t, apply(nobody, "app:2"), "has no right")
		wantPassed(t, apply(oncall, "app:2"))
		wantPassed(t, apply(nobody, "app:3"))
		if o := overrideOf(t, d); o.By != "oncall-"+ns || !o.Until.Equal(until) {
			t.Errorf("applied by another one while it stands: %+v", o)
		}
		time.Sleep(time.Until(until.Add(50 * time.Millisecond)))
		opensNothing("after its end")
		if up {
			eventually(t, 10*time.Second, func() error {
				if o := overrideOf(t, d); !o.IsSpent() {
					return fmt.Errorf("not noted as used up: %+v", o)
				}
				return nil
			})
			opensNothing("once it is noted as used up")
		}
		wantPassed(t, set(oncall, d, "")) // taken away by hand, and Git brings it back
		opensNothing("after it was taken away")
		if o := overrideOf(t, d); !slices.Equal(o.Spent, []string{"INC-1"}) {
			t.Errorf("used up: %+v", o)
		}
	})
	t.Run("rollout undo while it stands", func(t *testing.T) {
		d := workloads["undo"]
		wantPassed(t, overriding(ctx, oncall, d, "app:2"))
		settledRollout(t, d)
		before := overrideOf(t, d)
		undo(t, d)
		if o := overrideOf(t, d); !cmp.Equal(o, before) || image(d) != "app:1" {
			t.Errorf("after the undo: %s, %+v, it was %+v", image(d), o, before)
		}
		wantPassed(t, set(oncall, d, ""))
		closed(t, deployer, d)
	})
	t.Run("copied to another object", func(t *testing.T) {
		wantPassed(t, set(oncall, workloads["source"], "INC-1"))
		get(t, workloads["source"])
		a := workloads["source"].Annotations
		time.Sleep(1100 * time.Millisecond) // a copy in the very second of the original looks like one of its own, and needs the right
		copied := workloads["copied"]
		wantRefused(t, set(nobody, copied, "INC-1", override.Until, a[override.Until], override.By, a[override.By]), "has no right")
		wantPassed(t, annotateWith(ctx, nobody, copied, override.Until, a[override.Until], override.By, a[override.By]))
		wantPassed(t, annotateWith(ctx, nobody, copied, override.Reason, "INC-1", override.Until, a[override.Until], override.By, a[override.By], override.From, a[override.From]))
		get(t, copied)
		for _, key := range []string{override.Reason, override.Until, override.By, override.From} {
			if a[key] == "" || copied.Annotations[key] != "" {
				t.Errorf("%s is copied: %q from %q", key, copied.Annotations[key], a[key])
			}
		}
		closed(t, deployer, copied)
		restored := workloads["source"].DeepCopy()
		restored.Name, restored.ResourceVersion, restored.UID = "restored", "", ""
		wantPassed(t, nobody.Create(ctx, restored))
		if o := overrideOf(t, restored); o.Reason != "" || o.By != "" || !o.Until.IsZero() || restored.Labels["maintenance.fonster.dev/overridden"] != "" {
			t.Errorf("a copy carries the override: %+v %v", o, restored.Labels)
		}
	})
	t.Run("forged until and by", func(t *testing.T) {
		d := workloads["forged"]
		wantPassed(t, annotateWith(ctx, oncall, d, override.Until, "2099-01-01T00:00:00Z"))
		if o := overrideOf(t, d); !o.Until.IsZero() {
			t.Errorf("an end without a reason is kept: %+v", o)
		}
		wantPassed(t, set(oncall, d, "INC-1", override.Until, "2099-01-01T00:00:00Z", override.By, "anna"))
		if o := overrideOf(t, d); o.By != "oncall-"+ns || o.Until.After(time.Now().Add(30*time.Minute)) {
			t.Errorf("the forgery is believed: %+v", o)
		}
		before := overrideOf(t, d)
		wantPassed(t, annotateWith(ctx, oncall, d, override.Until, rfc3339(time.Now().Add(24*time.Hour)), override.By, "anna", override.Spent, "INC-7", override.From, "2026-01-01T00:00:00Z/1"))
		if o := overrideOf(t, d); !cmp.Equal(o, before) {
			t.Errorf("the notes are forged: %+v, they were %+v", o, before)
		}
	})
	t.Run("wrong pattern", func(t *testing.T) {
		wantRefused(t, set(oncall, workloads["pattern"], "bara för att"), "Its reason must match ^(INC|CHG)-[0-9]+")
		closed(t, oncall, workloads["pattern"])
	})
	t.Run("empty", func(t *testing.T) {
		d := workloads["empty"]
		wantPassed(t, shared.Admin.Patch(ctx, d.DeepCopy(), mergePatch(`{"metadata":{"annotations":{%q:""}}}`, override.Reason)))
		closed(t, oncall, d)
		wantRefused(t, set(oncall, d, "   "), "Its reason must")
	})
	t.Run("ten kilobytes of reason", func(t *testing.T) {
		wantRefused(t, set(oncall, workloads["long"], "INC-1 "+strings.Repeat("x", 10_000)), "at most 256 characters")
		closed(t, oncall, workloads["long"])
	})
	t.Run("object created with it", func(t *testing.T) {
		created := func(name string) *appsv1.Deployment {
			return &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Annotations: map[string]string{override.Reason: "INC-1"}},
				Spec:       appsv1.DeploymentSpec{Replicas: new(int32(1)), Selector: selector(name), Template: template(name, "app:1")},
			}
		}
		wantRefused(t, nobody.Create(ctx, created("created-without")), "has no right")
		wantRefused(t, other.Create(ctx, created("created-other")), "has no right to override any of the windows "+ns)
		wrong := created("created-wrong")
		wrong.Annotations[override.Reason] = "bara för att"
		wantRefused(t, oncall.Create(ctx, wrong), "Its reason must match")
		d := created("created-with")
		d.Annotations[override.Until], d.Annotations[override.By] = "2099-01-01T00:00:00Z", "anna"
		wantPassed(t, oncall.Create(ctx, d))
		if o := overrideOf(t, d); o.By != "oncall-"+ns || !o.Stands(time.Now()) || o.Until.After(time.Now().Add(30*time.Minute)) {
			t.Errorf("created with a reason by one with the right: %+v", o)
		}
		eventually(t, 20*time.Second, func() error {
			get(t, d)
			if d.Status.ReadyReplicas != 1 {
				return fmt.Errorf("not ready: %+v", d.Status)
			}
			return nil
		})
		open(t, deployer, d, "app:2")
		wantPassed(t, set(oncall, d, ""))
		closed(t, deployer, d)
	})
	t.Run("set and used in one request", func(t *testing.T) {
		d := workloads["one-request"]
		wantRefused(t, overriding(ctx, nobody, d, "app:2"), "has no right")
		wantPassed(t, overriding(ctx, oncall, d, "app:2"))
	})
	t.Run("taken away", func(t *testing.T) {
		d := workloads["removed"]
		wantPassed(t, set(oncall, d, "INC-1"))
		open(t, deployer, d, "app:2")
		out, err := shared.Kubectl("-n", ns, "annotate", "deployment/removed", override.Reason+"-")
		if err != nil {
			t.Fatal(out)
		}
		closed(t, deployer, d)
	})
	t.Run("deleted under it", func(t *testing.T) {
		d := workloads["delete"]
		wantRefused(t, shared.Admin.Delete(ctx, d), "Delete of Deployment")
		wantPassed(t, set(oncall, d, "INC-1"))
		wantPassed(t, shared.Admin.Delete(ctx, d))
	})
	t.Run("namespace-wide", func(t *testing.T) {
		object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
		d := workloads["by-pod"]
		pod := podsOf(t, d)[0]
		wantRefused(t, set(nobody, object, "INC-1"), "The override of Namespace "+ns+" is refused", "has no right")
		wantRefused(t, set(other, object, "INC-1"), "has no right to override any of the windows "+ns+" (")
		wantRefused(t, set(oncall, object, "bara för att"), "Its reason must match")
		wantPassed(t, set(oncall, object, "INC-1 hela kommunen"))
		if o := overrideOf(t, object); o.By != "oncall-"+ns || o.Until.After(time.Now().Add(30*time.Minute)) {
			t.Errorf("stamped %+v", o)
		}
		eventually(t, 10*time.Second, func() error { return setImage(ctx, deployer, workloads["later"], "app:2") })
		wantPassed(t, evict(nil)(ctx, shared.Admin, &pod))
		eventually(t, 5*time.Second, func() error { return scaleTo(0)(ctx, shared.Admin, d) }) // again where a controller wrote meanwhile
		wantPassed(t, client.NewDryRunClient(shared.Admin).Delete(ctx, object))
		wantPassed(t, set(oncall, object, ""))
		eventually(t, 10*time.Second, func() error {
			if err := setImage(ctx, client.NewDryRunClient(shared.Admin), workloads["later"], "app:3"); err == nil {
				return fmt.Errorf("still overridden")
			}
			return nil
		})
	})
	t.Run("the record", func(t *testing.T) {
		if !up {
			restartOperator(t)
		}
		testRecord(t, ns, workloads, up)
	})
}

// killOperator ends the operator until the test restarts it, or ends.
func killOperator(t *testing.T) {
	t.Helper()
	operator.Kill()
	t.Cleanup(func() {
		select {
		case <-operator.Ended():
			restartOperator(t)
		default:
		}
	})
}

// atOnce calls functions at the same moment, and returns what each returns.
func atOnce(do ...func() error) []error {
	errs := make([]error, len(do))
	var ready, done sync.WaitGroup
	ready.Add(len(do))
	for i := range do {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			errs[i] = do[i]()
		})
	}
	done.Wait()
	return errs
}

// undo runs kubectl rollout undo, which brings back the annotations of the ReplicaSet too.
func undo(t *testing.T, d *appsv1.Deployment) {
	t.Helper()
	if out, err := shared.Kubectl("-n", d.Namespace, "rollout", "undo", "deployment/"+d.Name); err != nil {
		t.Fatal(out)
	}
	get(t, d)
}

func image(d *appsv1.Deployment) string { return d.Spec.Template.Spec.Containers[0].Image }

func settledRollout(t *testing.T, d *appsv1.Deployment) {
	t.Helper()
	eventually(t, 20*time.Second, func() error {
		get(t, d)
		if d.Status.ObservedGeneration != d.Generation || d.Status.UpdatedReplicas != *d.Spec.Replicas || d.Status.ReadyReplicas != d.Status.Replicas {
			return fmt.Errorf("not rolled out: %+v", d.Status)
		}
		return nil
	})
}

// TestUndoAfterAnOverride: kubectl rollout undo works in an open window after an override, whose notes stay what they are.
func TestUndoAfterAnOverride(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, always())
	wantPassed(t, annotateWith(t.Context(), shared.Admin, d, override.Reason, "INC-1"))
	wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:2"))
	settledRollout(t, d)
	wantPassed(t, annotateWith(t.Context(), shared.Admin, d, override.Reason, ""))
	undo(t, d)
	if o := overrideOf(t, d); o.Stands(time.Now()) || !slices.Equal(o.Spent, []string{"INC-1"}) || image(d) != "app:1" {
		t.Errorf("after the undo: %s, %+v", image(d), o)
	}
}

// TestStrictFreezeOverAnOverridable: of two freezes of one target the one counts that no override passes, though it ends sooner.
func TestStrictFreezeOverAnOverridable(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, always())
	freeze(t, ns, ns, nil, func(cf *v1alpha1.ChangeFreeze) { cf.Spec.Overrides = &v1alpha1.OverridePolicy{} })
	wantPassed(t, annotateWith(t.Context(), shared.Admin, d, override.Reason, "INC-1"))
	dry := client.NewDryRunClient(shared.Admin)
	eventually(t, 5*time.Second, func() error { return setImage(t.Context(), dry, d, "app:2") })
	today := time.Now().UTC()
	freeze(t, ns+"-strict", ns, []v1alpha1.Schedule{{Dates: []string{day(today), day(today.AddDate(0, 0, 1))}, StartTime: new("00:00"), EndTime: new("24:00")}}, func(cf *v1alpha1.ChangeFreeze) { cf.Spec.TimeZone = "UTC" })
	wantRefused(t, setImage(t.Context(), dry, d, "app:2"), "change freeze "+ns+"-strict is in force")
}

// TestStrictFreezeOfAnotherTarget: nor does the one that may be overridden lead past a strict one of another target; and where both may be
// overridden, each takes its right.
func TestStrictFreezeOfAnotherTarget(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, always())
	overridable := func(cf *v1alpha1.ChangeFreeze) { cf.Spec.Overrides = &v1alpha1.OverridePolicy{} }
	freeze(t, ns, ns, nil, overridable)
	wide := freeze(t, ns+"-wide", ns, nil, func(cf *v1alpha1.ChangeFreeze) {
		cf.Spec.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: metav1.LabelSelectorOpIn, Values: []string{ns, ns + "-other"}}}}
	})
	testTwoFreezes(t, d, wide)
}

// TestTwoFreezesOfOneTarget: two freezes that may be overridden take the right to each.
func TestTwoFreezesOfOneTarget(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, always())
	freeze(t, ns, ns, nil, func(cf *v1alpha1.ChangeFreeze) { cf.Spec.Overrides = &v1alpha1.OverridePolicy{} })
	testTwoFreezes(t, d, freeze(t, ns+"-wide", ns, nil))
}

// testTwoFreezes: an overridden workload in a freeze that may be overridden and in another, strict one; which then may be too.
func testTwoFreezes(t *testing.T, d *appsv1.Deployment, strict *v1alpha1.ChangeFreeze) {
	t.Helper()
	ns := d.Namespace
	one, both := overrider(t, "one-"+ns, ns), overrider(t, "both-"+ns, ns)
	for user, names := range map[string][]string{"one-" + ns: {ns}, "both-" + ns: {ns, strict.Name}} {
		create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "freezes-" + user}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"maintenance.fonster.dev"}, Resources: []string{"changefreezes"}, ResourceNames: names, Verbs: []string{"override"}},
		}})
		create(t, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "freezes-" + user}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "freezes-" + user},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}}})
	}
	wantPassed(t, annotateWith(t.Context(), both, d, override.Reason, "INC-1"))
	for _, c := range []client.Client{one, both, shared.Admin} {
		wantRefused(t, setImage(t.Context(), client.NewDryRunClient(c), d, "app:2"), "change freeze "+strict.Name+" is in force")
	}
	wantPassed(t, shared.Admin.Patch(t.Context(), strict, mergePatch(`{"spec":{"overrides":{"maxDuration":"1h"}}}`)))
	eventually(t, 5*time.Second, func() error { return setImage(t.Context(), client.NewDryRunClient(both), d, "app:2") })
	wantRefused(t, setImage(t.Context(), one, d, "app:2"), strict.Name, "is in force", "To override it takes the `override` verb on changefreezes ")
	wantPassed(t, setImage(t.Context(), both, d, "app:2"))
}

// TestForgedEndOnTheUngoverned: who labels a namespace into a window cannot bring an override along: where there is no Gate yet, a reason
// is text, whatever is written beside it, and stays text.
func TestForgedEndOnTheUngoverned(t *testing.T) {
	ns := testName(t)
	window(t, ns, ns, nextYear())
	namespace(t, ns+"-new")
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns + "-new"}}
	nobody := overrider(t, "nobody-"+ns)
	forged := func(until, label string) error {
		return nobody.Patch(t.Context(), object.DeepCopy(), mergePatch(`{"metadata":{"labels":{"team":%q},"annotations":{%q:"INC-1",%q:%q}}}`, label, override.Reason, override.Until, until))
	}
	wantPassed(t, nobody.Patch(t.Context(), object.DeepCopy(), mergePatch(`{"metadata":{"labels":{%q:"true"}}}`, v1alpha1.OverriddenLabel)))
	if get(t, object); object.Labels[v1alpha1.OverriddenLabel] != "" {
		t.Errorf("anybody marks what carries no override: %v", object.Labels)
	}
	soon := rfc3339(time.Now().Add(time.Hour))
	marked := func(o client.Object, until, label string) error {
		return nobody.Patch(t.Context(), o.DeepCopyObject().(client.Object), mergePatch(`{"metadata":{"labels":{%q:"true","team":%q},"annotations":{%q:"INC-1",%q:%q,%q:%q}}}`,
			v1alpha1.OverriddenLabel, label, override.Reason, override.Until, until, override.By, "nobody-"+ns))
	}
	text := func(o client.Object) {
		t.Helper()
		if o := overrideOf(t, o); o.Marked || o.Stands(time.Now()) {
			t.Errorf("of %T it is more than text: %+v", o, o)
		}
	}
	d, own := deployment(t, ns+"-new", "web", 1), deployment(t, ns+"-new", "own", 1)
	wantPassed(t, marked(own, soon, "own"))
	text(own)
	for _, until := range []string{"2099-01-01T00:00:00Z", soon} {
		wantPassed(t, marked(object, until, "other"))
		text(object)
	}
	wantPassed(t, forged("2099-01-01T00:00:00Z", "other"))

	// And in the very request that labels it into the window.
	wantPassed(t, marked(object, soon, ns))
	governed(t, 5*time.Second, nobody, d)
	text(object)
	wantRefused(t, setImage(t.Context(), nobody, d, "app:2"), "Rollout of Deployment")
	wantRefused(t, setImage(t.Context(), nobody, own, "app:2"), "Rollout of Deployment")
	wantRefused(t, annotateWith(t.Context(), nobody, object, override.Reason, "INC-2"), "has no right to override any of the windows "+ns)
}

// testRecord: what has been overridden is in the window's status, in Events, in the metrics, and gone from the objects. An
// operator that did not run meanwhile finds all that left a note: only what went with its object did not.
func testRecord(t *testing.T, ns string, workloads map[string]*appsv1.Deployment, observed bool) {
	want := map[string]v1alpha1.OverrideEnd{
		"Deployment " + ns + "/right": "", "Deployment " + ns + "/expired": v1alpha1.OverrideExpired, "Deployment " + ns + "/removed": v1alpha1.OverrideRemoved,
		"Namespace " + ns: v1alpha1.OverrideRemoved, "Deployment " + ns + "/created-with": v1alpha1.OverrideRemoved, "Deployment " + ns + "/manifest": v1alpha1.OverrideRemoved,
	}
	ends := []string{"expired has ended (Expired)", "removed has ended (Removed)"}
	if observed {
		want["Deployment "+ns+"/delete"], want["Deployment "+ns+"/manifest"] = v1alpha1.OverrideDeleted, v1alpha1.OverrideExpired
		ends = append(ends, "delete has ended (Deleted)")
	}
	eventually(t, 20*time.Second, func() error {
		mw := &v1alpha1.MaintenanceWindow{ObjectMeta: metav1.ObjectMeta{Name: ns}}
		get(t, mw)
		found := map[string]v1alpha1.OverrideRecord{}
		for _, r := range mw.Status.Overrides {
			if _, newer := found[r.Object]; !newer {
				found[r.Object] = r
			}
		}
		for object, end := range want {
			r, ok := found[object]
			if !ok || r.Ended != end || (end == "") != (r.EndedAt == nil) || r.By == "" || r.Reason == "" {
				return fmt.Errorf("%s: record %+v, want end %q; all:\n%+v", object, r, end, mw.Status.Overrides)
			}
		}
		if r := found["Deployment "+ns+"/undo"]; r.ToGeneration == r.FromGeneration {
			return fmt.Errorf("the change in the request that set the override is not recorded: %+v", r)
		}
		if r := found["Deployment "+ns+"/right"]; r.ToGeneration == r.FromGeneration {
			return fmt.Errorf("the change under the override is not recorded: %+v", r)
		}
		if n := len(mw.Status.Overrides); n > 20 {
			return fmt.Errorf("%d records", n)
		}
		return nil
	})
	d := workloads["expired"]
	eventually(t, 10*time.Second, func() error {
		get(t, d)
		if d.Annotations[override.Spent] != "INC-1" || d.Annotations[override.Until] != "" || d.Annotations[override.By] != "" || d.Labels["maintenance.fonster.dev/overridden"] != "" {
			return fmt.Errorf("not cleaned up: %v %v", d.Annotations, d.Labels)
		}
		return nil
	})
	out, err := shared.Kubectl("-n", ns, "get", "events", "--field-selector", "reason=Overridden")
	if err != nil || !strings.Contains(out, "deployment/right") || !strings.Contains(out, "INC-1 disken full") {
		t.Errorf("%v\n%s", err, out)
	}
	eventually(t, 10*time.Second, func() error {
		out, err := shared.Kubectl("get", "events", "-A", "--field-selector", "reason=OverrideEnded,involvedObject.kind=MaintenanceWindow,involvedObject.name="+ns)
		for _, how := range ends {
			if err != nil || !strings.Contains(out, how) {
				return fmt.Errorf("no %q: %v\n%s", how, err, out)
			}
		}
		return nil
	})
	metrics := scrapeMetrics(t)
	if !strings.Contains(metrics, `fonster_overrides_total{window="`+ns+`"}`) || !strings.Contains(metrics, "fonster_overrides_active ") || strings.Contains(metrics, "INC-") {
		t.Errorf("metrics:\n%s", metrics)
	}
}

// TestVanishedWhileNoLeaderRan: the next leader ends the record of an override whose object is gone, and leaves the others.
func TestVanishedWhileNoLeaderRan(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	gone, kept := deployment(t, ns, "gone", 1), deployment(t, ns, "kept", 1)
	window(t, ns, ns, nextYear())
	records := func() map[string]v1alpha1.OverrideRecord {
		mw := &v1alpha1.MaintenanceWindow{ObjectMeta: metav1.ObjectMeta{Name: ns}}
		get(t, mw)
		found := map[string]v1alpha1.OverrideRecord{}
		for _, r := range mw.Status.Overrides {
			found[r.Object] = r
		}
		return found
	}
	for _, d := range []*appsv1.Deployment{gone, kept} {
		wantPassed(t, annotateWith(t.Context(), shared.Admin, d, override.Reason, "INC-1 "+d.Name))
	}
	eventually(t, 10*time.Second, func() error {
		if r := records(); len(r) != 2 {
			return fmt.Errorf("recorded %+v", r)
		}
		return nil
	})
	killOperator(t)
	wantPassed(t, shared.Admin.Delete(t.Context(), gone))
	restartOperator(t)
	eventually(t, 20*time.Second, func() error {
		if r := records()["Deployment "+ns+"/gone"]; r.Ended != v1alpha1.OverrideDeleted || r.EndedAt == nil || r.Reason != "INC-1 gone" {
			return fmt.Errorf("the record of what is gone: %+v", r)
		}
		return nil
	})
	if r := records()["Deployment "+ns+"/kept"]; r.EndedAt != nil {
		t.Errorf("the record of what stands: %+v", r)
	}
	eventually(t, 10*time.Second, func() error {
		out, err := shared.Kubectl("get", "events", "-A", "--field-selector", "reason=OverrideEnded,involvedObject.kind=MaintenanceWindow,involvedObject.name="+ns)
		if err != nil || !strings.Contains(out, "gone has ended (Deleted)") || strings.Contains(out, "kept has ended") {
			return fmt.Errorf("%v\n%s", err, out)
		}
		return nil
	})
}

// TestUndoUnderHold: kubectl rollout undo goes through at once while an override stands, also without the operator, and leaves no mark of
// a hold; after the end of the override it is held.
func TestUndoUnderHold(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear(), func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Enforcement = v1alpha1.Hold })
	marks := func() (found []string) {
		for key := range d.Labels {
			if strings.HasPrefix(key, "maintenance.fonster.dev/held") {
				found = append(found, key+"="+d.Labels[key])
			}
		}
		return found
	}
	wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:2"))
	get(t, d)
	if !d.Spec.Paused || len(marks()) == 0 {
		t.Fatalf("not held: paused %t, %v", d.Spec.Paused, d.Labels)
	}
	wantPassed(t, annotateWith(t.Context(), shared.Admin, d, override.Reason, "INC-1"))
	eventually(t, 20*time.Second, func() error {
		if get(t, d); d.Spec.Paused || len(marks()) > 0 {
			return fmt.Errorf("still held: paused %t, %v", d.Spec.Paused, d.Labels)
		}
		return nil
	})
	settledRollout(t, d)
	undone := func(want string) {
		t.Helper()
		before := overrideOf(t, d)
		undo(t, d)
		if image(d) != want || d.Spec.Paused || len(marks()) > 0 {
			t.Errorf("after the undo: %s, paused %t, %v", image(d), d.Spec.Paused, d.Labels)
		}
		if o := overrideOf(t, d); !cmp.Equal(o, before) {
			t.Errorf("after the undo: %+v, it was %+v", o, before)
		}
		settledRollout(t, d)
	}
	undone("app:1")
	killOperator(t)
	for i := range 6 { // the API server puts its policies into another order whenever a binding changes
		shuffle := &admissionv1.MutatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "fonster-overrides-note"}}
		wantPassed(t, shared.Admin.Patch(t.Context(), shuffle, mergePatch(`{"metadata":{"annotations":{"order":"%d"}}}`, i)))
		time.Sleep(1200 * time.Millisecond)                          // it looks each second
		before, next := overrideOf(t, d), fmt.Sprintf("app:%d", 3+i) // as an undo to a revision from before the override
		wantPassed(t, shared.Admin.Patch(t.Context(), d.DeepCopy(), client.RawPatch(types.JSONPatchType, fmt.Appendf(nil,
			`[{"op":"replace","path":"/metadata/annotations","value":{}},{"op":"replace","path":"/spec/template/spec/containers/0/image","value":%q}]`, next))))
		if o := overrideOf(t, d); !cmp.Equal(o, before) || image(d) != next || d.Spec.Paused || len(marks()) > 0 {
			t.Errorf("after all annotations were replaced: %s, paused %t, %v, %+v, it was %+v", image(d), d.Spec.Paused, d.Labels, o, before)
		}
		settledRollout(t, d)
	}
	undone("app:7")
	wantPassed(t, annotateWith(t.Context(), shared.Admin, d, override.Reason, ""))
	undo(t, d)
	if image(d) != "app:8" || !d.Spec.Paused || d.Labels["maintenance.fonster.dev/held"] != "true" {
		t.Errorf("an undo after the end: %s, paused %t, %v", image(d), d.Spec.Paused, d.Labels)
	}
}

// TestOverridePage: emergency work is announced at once, with its public sentence, and without names.
func TestOverridePage(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "hemligt-system", 1)
	window(t, ns, ns, nextYear(), func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Audiences = []string{"heby"} })
	body := func() string {
		_, text := page(t, "/sv/heby/")
		return text
	}
	if text := body(); strings.Contains(text, "Akut arbete pågår") {
		t.Fatalf("emergency work before there is any:\n%s", text)
	}
	wantPassed(t, annotateWith(t.Context(), shared.Admin, d, override.Reason, "INC-4711 hemligt", override.Notice, "Säkerhetsuppdatering av e-tjänster."))
	eventually(t, 15*time.Second, func() error {
		if text := body(); !strings.Contains(text, "Akut arbete pågår") || !strings.Contains(text, "Säkerhetsuppdatering av e-tjänster.") {
			return fmt.Errorf("not announced")
		}
		return nil
	})
	for _, secret := range []string{"hemligt", "INC-4711", "kubernetes-admin"} {
		if strings.Contains(body(), secret) {
			t.Errorf("the page tells %q", secret)
		}
	}
	wantPassed(t, annotateWith(t.Context(), shared.Admin, d, override.Reason, ""))
	eventually(t, 15*time.Second, func() error {
		if strings.Contains(body(), "Akut arbete pågår") {
			return fmt.Errorf("still announced")
		}
		return nil
	})
}

// TestOverrideInAFreeze: an override passes a freeze only where the freeze says so, and for whoever may override it.
func TestOverrideInAFreeze(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, always())
	cf := freeze(t, ns, ns, nil)
	wantPassed(t, annotateWith(t.Context(), shared.Admin, d, override.Reason, "INC-1"))
	wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:2"), "change freeze "+ns+" is in force", "It ends when its ChangeFreeze is edited or deleted.", "No override passes it.")
	wantPassed(t, shared.Admin.Patch(t.Context(), cf, mergePatch(`{"spec":{"overrides":{"maxDuration":"1h"}}}`)))
	deployer := overrider(t, "deployer-"+ns)
	eventually(t, 5*time.Second, func() error { return setImage(t.Context(), shared.Admin, d, "app:2") })
	wantRefused(t, setImage(t.Context(), deployer, d, "app:3"), "change freeze "+ns, "To override it takes the `override` verb on changefreezes "+ns)
	create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: ns}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"maintenance.fonster.dev"}, Resources: []string{"changefreezes"}, ResourceNames: []string{ns}, Verbs: []string{"override"}},
	}})
	create(t, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: ns}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: ns},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "deployer-" + ns}}})
	eventually(t, 5*time.Second, func() error { return setImage(t.Context(), deployer, d, "app:3") })
}

// TestOverrideInAFreezeOfAnotherTarget: the shortest of the window's and the freeze's durations counts, whatever their targets.
func TestOverrideInAFreezeOfAnotherTarget(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear(), func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Overrides = &v1alpha1.OverridePolicy{MaxDuration: &metav1.Duration{Duration: 4 * time.Hour}}
	})
	freeze(t, ns, ns, nil, func(cf *v1alpha1.ChangeFreeze) {
		cf.Spec.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: metav1.LabelSelectorOpIn, Values: []string{ns, ns + "-other"}}}}
		cf.Spec.Overrides = &v1alpha1.OverridePolicy{MaxDuration: &metav1.Duration{Duration: time.Hour}}
	})
	eventually(t, 5*time.Second, func() error { // the API server reads new bindings each second
		return annotateWith(t.Context(), client.NewDryRunClient(shared.Admin), d, override.Reason, "INC-1")
	})
	wantPassed(t, annotateWith(t.Context(), shared.Admin, d, override.Reason, "INC-1"))
	if o := overrideOf(t, d); o.Until.After(time.Now().Add(time.Hour)) || o.Until.Before(time.Now().Add(59*time.Minute)) {
		t.Errorf("until %s, want an hour", o.Until)
	}
	wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:2"))
}

// TestOverrideEndsMidRollout: a rollout that began under an override ends though the override has.
func TestOverrideEndsMidRollout(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := slowDeployment(t, ns, "web")
	window(t, ns, ns, nextYear())
	until := time.Now().Add(4 * time.Second).Truncate(time.Second)
	wantPassed(t, annotateWith(t.Context(), shared.Admin, d, override.Reason, "INC-1", override.Until, rfc3339(until)))
	wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:2"))
	time.Sleep(time.Until(until.Add(100 * time.Millisecond)))
	wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:3"), "Rollout of Deployment")
	get(t, d)
	if d.Status.UpdatedReplicas == *d.Spec.Replicas {
		t.Fatalf("the rollout ended before the override: %+v", d.Status)
	}
	eventually(t, 60*time.Second, func() error {
		get(t, d)
		if d.Status.UpdatedReplicas != *d.Spec.Replicas || d.Status.AvailableReplicas != *d.Spec.Replicas {
			return fmt.Errorf("not rolled out: %+v", d.Status)
		}
		return nil
	})
}

// TestOverrideOfTheUngoverned: where nothing governs, a reason is text, and stays text when something does; and a restored backup of what
// carried an override is restored without it.
func TestOverrideOfTheUngoverned(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d, nobody := deployment(t, ns, "web", 1), overrider(t, "nobody-"+ns)
	wantPassed(t, annotateWith(t.Context(), nobody, d, override.Reason, "INC-1"))
	if code, out, errs := kubectlWindow(t, "nobody-"+ns, "override", "deploy/web", "-n", ns, "--reason", "INC-2", "--for", "10m"); code != 0 || !strings.Contains(out, "no window governs it") {
		t.Errorf("code %d %s%s", code, out, errs)
	}
	restored := newDeployment(1)(ns)
	name(restored, "restored")
	restored.SetLabels(map[string]string{v1alpha1.OverriddenLabel: "true"})
	restored.SetAnnotations(map[string]string{override.Reason: "INC-1", override.By: "anna", override.From: "2026-01-01T00:00:00Z/1", override.Until: rfc3339(time.Now().Add(time.Hour))})
	wantPassed(t, nobody.Create(t.Context(), restored))
	if o := overrideOf(t, restored); o.Reason != "" || o.By != "" || !o.Until.IsZero() || restored.GetLabels()[v1alpha1.OverriddenLabel] != "" {
		t.Errorf("a copy carries the override: %+v %v", o, restored.GetLabels())
	}
	window(t, ns, ns, nextYear())
	governed(t, 5*time.Second, shared.Admin, d)
	wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:2"), "Rollout of Deployment")
}

// scrapeMetrics reads the operator's metrics as the administrator's own service account would.
func scrapeMetrics(t *testing.T) string {
	t.Helper()
	return metricsReader(t)()
}

// metricsReader returns what scrapes the operator's metrics as Prometheus does.
func metricsReader(t *testing.T) func() string {
	t.Helper()
	create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "scraper"}})
	create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "scraper"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "fonster-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "scraper"}},
	})
	token, err := shared.ServiceAccountToken(t.Context(), "default", "scraper")
	if err != nil {
		t.Fatal(err)
	}
	return func() (text string) {
		eventually(t, 10*time.Second, func() error {
			status, body, err := operator.Metrics(t.Context(), token)
			if err != nil || status != 200 {
				return fmt.Errorf("status %d: %w", status, err)
			}
			text = body
			return nil
		})
		return text
	}
}

// TestOverrideOfTheHeld: an override lifts a hold at once; a change that brings one is not held; what comes after its end is.
func TestOverrideOfTheHeld(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 2)
	window(t, ns, ns, nextYear(), func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Enforcement = v1alpha1.Hold })
	deployer := overrider(t, "deployer-"+ns)
	isHeld := func() bool {
		get(t, d)
		return d.Spec.Paused && d.Labels["maintenance.fonster.dev/held"] == "true"
	}
	rolledOut := func(image string) {
		t.Helper()
		eventually(t, 20*time.Second, func() error {
			get(t, d)
			if d.Spec.Paused || d.Status.UpdatedReplicas != 2 || d.Status.ReadyReplicas != 2 || d.Spec.Template.Spec.Containers[0].Image != image || d.Labels["maintenance.fonster.dev/held"] != "" {
				return fmt.Errorf("not rolled out: paused %t, %v, %+v", d.Spec.Paused, d.Labels, d.Status)
			}
			return nil
		})
	}
	wantPassed(t, setImage(t.Context(), deployer, d, "app:2"))
	if !isHeld() {
		t.Fatalf("not held: %v, paused %t", d.Labels, d.Spec.Paused)
	}
	wantRefused(t, annotateWith(t.Context(), deployer, d, override.Reason, "INC-1"), "has no right")
	wantPassed(t, annotateWith(t.Context(), shared.Admin, d, override.Reason, "INC-1"))
	rolledOut("app:2")
	wantPassed(t, setImage(t.Context(), deployer, d, "app:3")) // it stands
	rolledOut("app:3")
	wantPassed(t, annotateWith(t.Context(), shared.Admin, d, override.Reason, ""))
	wantPassed(t, setImage(t.Context(), deployer, d, "app:4"))
	if !isHeld() {
		t.Errorf("after the end: not held: %v, paused %t", d.Labels, d.Spec.Paused)
	}
	wantPassed(t, overriding(t.Context(), shared.Admin, d, "app:5"))
	rolledOut("app:5")
	wantPassed(t, annotateWith(t.Context(), shared.Admin, d, override.Reason, ""))
	wantPassed(t, setImage(t.Context(), deployer, d, "app:6"))
	if !isHeld() {
		t.Errorf("after the second end: not held: %v, paused %t", d.Labels, d.Spec.Paused)
	}
	wantPassed(t, annotateWith(t.Context(), shared.Admin, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, override.Reason, "INC-3 hela namnrymden"))
	rolledOut("app:6")
}

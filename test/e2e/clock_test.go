package e2e

import (
	"fmt"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestClosedStaysClosed: the gate holds with the operator killed.
func TestClosedStaysClosed(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear())
	operator.Kill()
	t.Cleanup(func() { restartOperator(t) })
	wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:2"), "Rollout of Deployment")
	wantRefused(t, shared.Admin.Delete(t.Context(), d), "Delete of Deployment")
}

// TestOpenClosesByTheClock: with the operator killed while a window is open, rollouts are refused from the second on at which
// it should close, by the API server's own clock: for every way to write, and for two writes in one second.
func TestOpenClosesByTheClock(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	other := deployment(t, ns, "other", 1)
	now := time.Now()
	closes := now.Add(9 * time.Second).Truncate(time.Second)
	if day(now) != day(closes) {
		t.Skip("midnight is near")
	}
	window(t, ns, ns, between(now.Add(-time.Minute), closes))
	wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:2"))
	operator.Kill()
	t.Cleanup(func() { restartOperator(t) })

	image := 2
	var lastPassed, firstRefused time.Time
	for firstRefused.IsZero() && time.Now().Before(closes.Add(5*time.Second)) {
		image++
		sent := time.Now()
		switch err := setImage(t.Context(), shared.Admin, d, fmt.Sprintf("app:%d", image)); {
		case err == nil:
			lastPassed = sent
		case apierrors.IsForbidden(err):
			firstRefused = time.Now()
			wantRefused(t, err, "Rollout of Deployment "+ns+"/web")
		default:
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // several writes in each second
	}
	t.Logf("closes %s; last passed %s; first refused %s", closes.Format(time.TimeOnly), lastPassed.Format("15:04:05.000"), firstRefused.Format("15:04:05.000"))
	if firstRefused.Before(closes) {
		t.Errorf("refused %s before the end", closes.Sub(firstRefused))
	}
	if !lastPassed.Before(closes) {
		t.Errorf("passed %s after the end", lastPassed.Sub(closes))
	}
	if firstRefused.IsZero() || firstRefused.After(closes.Add(time.Second)) {
		t.Errorf("not refused within a second of the end")
	}

	t.Run("update", func(t *testing.T) {
		eventually(t, 3*time.Second, func() error { return shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(other), other) })
		other.Spec.Template.Spec.Containers[0].Image = "app:9"
		wantRefused(t, shared.Admin.Update(t.Context(), other), "Rollout of Deployment")
	})
	t.Run("server-side apply", func(t *testing.T) {
		manifest := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: other, namespace: " + ns + "}\n" +
			"spec: {template: {spec: {containers: [{name: main, image: 'app:10'}]}}}\n"
		if out, err := shared.KubectlIn(manifest, "apply", "--server-side", "--force-conflicts", "-f", "-"); err == nil {
			t.Errorf("passed: %s", out)
		}
	})
	t.Run("forged times of the past", func(t *testing.T) {
		eventually(t, 3*time.Second, func() error { return shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(other), other) })
		for i := range other.ManagedFields {
			other.ManagedFields[i].Time = &metav1.Time{Time: closes.Add(-time.Hour - time.Duration(i)*time.Second)}
		}
		other.Spec.Template.Spec.Containers[0].Image = "app:11"
		wantRefused(t, shared.Admin.Update(t.Context(), other), "Rollout of Deployment")
	})
}

// TestClockIsBlind holds what docs/design.md says the clock cannot see: with the operator dead at closing time, a change that
// only takes fields away, and one that empties managedFields, leave no time to read.
func TestClockIsBlind(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	d.Spec.Template.Annotations = map[string]string{"note": "to be taken away"}
	wantPassed(t, shared.Admin.Update(t.Context(), d))
	now := time.Now()
	closes := now.Add(5 * time.Second).Truncate(time.Second)
	if day(now) != day(closes) {
		t.Skip("midnight is near")
	}
	window(t, ns, ns, between(now.Add(-time.Minute), closes))
	operator.Kill()
	t.Cleanup(func() { restartOperator(t) })
	time.Sleep(time.Until(closes.Add(time.Second)))
	dry := client.NewDryRunClient(shared.Admin)
	wantRefused(t, setImage(t.Context(), dry, d, "app:2"), "Rollout of Deployment")
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"template":{"metadata":{"annotations":null}}}}`))
	wantPassed(t, dry.Patch(t.Context(), d.DeepCopy(), patch))
	patch = client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"managedFields":[{}]},"spec":{"template":{"metadata":{"annotations":null}}}}`))
	wantPassed(t, dry.Patch(t.Context(), d.DeepCopy(), patch))
}

// TestForgedClock: whatever a client writes into managedFields, an open gate stays open and a closed one closed.
func TestForgedClock(t *testing.T) {
	ns := testName(t)
	open, closed := ns+"-open", ns+"-closed"
	namespace(t, open)
	namespace(t, closed)
	workloads := map[string]*appsv1.Deployment{open: deployment(t, open, "web", 1), closed: deployment(t, closed, "web", 1)}
	window(t, open, open, always())
	window(t, closed, closed, nextYear())
	for title, forge := range map[string]func(*appsv1.Deployment){
		"no managedFields":    func(d *appsv1.Deployment) { d.ManagedFields = nil },
		"reset managedFields": func(d *appsv1.Deployment) { d.ManagedFields = []metav1.ManagedFieldsEntry{{}} },
		"entries without a time": func(d *appsv1.Deployment) {
			for i := range d.ManagedFields {
				d.ManagedFields[i].Time = nil
			}
		},
	} {
		t.Run(title, func(t *testing.T) {
			for ns, d := range workloads {
				eventually(t, 5*time.Second, func() error {
					if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(d), d); err != nil {
						return err
					}
					forge(d)
					d.Spec.Template.Spec.Containers[0].Image = "app:" + fmt.Sprint(time.Now().UnixNano())
					err := shared.Admin.Update(t.Context(), d)
					if apierrors.IsConflict(err) {
						return err
					}
					if ns == open {
						wantPassed(t, err)
					} else {
						wantRefused(t, err, "Rollout of Deployment")
					}
					return nil
				})
			}
		})
	}
}

// TestTwoWritesInOneSecond: the second leaves no new time, and must neither fail nor be refused for that.
func TestTwoWritesInOneSecond(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, always())
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			if err := setImage(t.Context(), shared.Admin, d, fmt.Sprintf("app:%d", i+2)); err != nil {
				t.Errorf("write %d: %v", i, err)
			}
		})
	}
	group.Wait()
}

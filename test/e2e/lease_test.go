package e2e

import (
	"context"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/policy"
	"fonster.dev/fonster/test/cluster"
)

// TestLeaseLost: etcd stands still for 20 s, over an opening and longer than a lease lasts. No operator ends, alone or one of two;
// gates, status and page need no lease; and a train goes on when one is had again.
func TestLeaseLost(t *testing.T) {
	c := alone(t, "lease")
	page, err := c.StartPage(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, replicas := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d replicas", replicas), func(t *testing.T) { leaseLost(t, replicas, page) })
	}
}

func leaseLost(t *testing.T, replicas int, page *cluster.Page) {
	var all []*cluster.Operator
	for range replicas {
		all = append(all, operate(t, shared))
	}
	ns := testName(t)
	namespace(t, ns)
	namespace(t, ns+"-opens")
	waiting := holdable{deployment(t, ns, "web", 1), "Deployment", isParked}
	gated := deployment(t, ns+"-opens", "web", 1)
	window(t, ns, ns, nextYear(), hold)
	wantPassed(t, patchImage(t.Context(), shared.Admin, waiting.object, "app:2"))
	wantHeld(t, waiting)
	opens := time.Now().Add(10 * time.Second).Truncate(time.Second)
	window(t, ns+"-opens", ns+"-opens", between(opens, opens.Add(time.Hour)))
	governed(t, 6*time.Second, shared.Admin, gated)

	time.Sleep(time.Until(opens.Add(-3 * time.Second)))
	if time.Until(opens) < time.Second {
		t.Fatal("the window opens before etcd stands still: the machine is too busy")
	}
	wantPassed(t, shared.Signal("etcd", syscall.SIGSTOP))
	t.Cleanup(func() { _ = shared.Signal("etcd", syscall.SIGCONT) })
	time.Sleep(20 * time.Second)
	if response, err := http.Get(page.URL + "/"); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("the page does not go on meanwhile: %v", err)
	}
	wantPassed(t, shared.Signal("etcd", syscall.SIGCONT))
	resumed := time.Now()
	dry := client.NewDryRunClient(shared.Admin)
	eventually(t, 10*time.Second, func() error { return setImage(t.Context(), dry, gated, "app:2") })
	fmt.Printf("lease %s: open %s after etcd went on\n", t.Name(), time.Since(resumed).Round(time.Millisecond))
	eventually(t, 10*time.Second, func() error {
		mw := &v1alpha1.MaintenanceWindow{}
		mw.Name = ns
		get(t, mw)
		mw.Spec.Schedules = []v1alpha1.Schedule{always()}
		return shared.Admin.Update(t.Context(), mw)
	})
	eventually(t, 30*time.Second, func() error { // as soon as somebody leads
		if get(t, waiting.object); waiting.object.GetLabels()[v1alpha1.HeldLabel] == v1alpha1.HeldWaiting {
			return fmt.Errorf("not released: %v", waiting.object.GetLabels())
		}
		return nil
	})
	fmt.Printf("lease %s: the train went on %s after etcd did\n", t.Name(), time.Since(resumed).Round(time.Millisecond))
	wantPlain(t, waiting, "app:2")
	for i, o := range all {
		select {
		case <-o.Ended():
			t.Errorf("operator %d has ended:\n%s", i, o.Log())
		default:
		}
	}
}

// TestOwnLease: an operator that has crashed and comes back under its name, as a container of the same pod, does not wait for the
// lease that it left; one of another name does.
func TestOwnLease(t *testing.T) {
	t.Cleanup(func() { // and no later leader waits for a minute
		operator.Kill()
		_, _ = shared.Kubectl("-n", policy.DefaultNamespace, "delete", "lease", "fonster")
		restartOperator(t)
	})
	start := func() {
		t.Helper()
		operator.Kill()
		var err error
		if operator, err = shared.StartOperator(context.Background(), "--leader-elect-identity=pod-1", "--leader-elect-lease-duration=60s",
			"--leader-elect-renew-deadline=5s", "--leader-elect-retry-period=500ms"); err != nil {
			t.Fatal(err)
		}
	}
	start()
	mw, h := heldIn(t, testName(t))
	eventually(t, 20*time.Second, func() error { // it has the lease, and the one before has run out
		if out, err := shared.Kubectl("-n", policy.DefaultNamespace, "get", "lease", "fonster", "-o", "jsonpath={.spec.holderIdentity}"); err != nil || out != "pod-1" {
			return fmt.Errorf("the lease is of %s: %w", out, err)
		}
		return nil
	})
	start()
	openNow(t, mw, h)
	eventually(t, 20*time.Second, func() error {
		if get(t, h.object); h.object.GetLabels()[v1alpha1.HeldLabel] == v1alpha1.HeldWaiting {
			return fmt.Errorf("not released: %v", h.object.GetLabels())
		}
		return nil
	})
	wantPlain(t, h, "app:2")
}

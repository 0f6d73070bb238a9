package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
)

// TestTenantsShareATrain: the admin of one namespace, with the highest priority and a rollout that never gets done, keeps the other
// namespace of the window waiting neither when it fails nor with all else that waits in hers.
func TestTenantsShareATrain(t *testing.T) {
	for _, onFailure := range []string{"Stop", "Continue"} {
		t.Run(onFailure, func(t *testing.T) {
			base := testName(t)
			a, b := base+"-hall-a", base+"-hall-b"
			for _, ns := range []string{a, b} {
				namespace(t, ns, "halls", base)
			}
			broken, more, other := deployment(t, a, "web", 1), deployment(t, a, "more", 1), deployment(t, b, "web", 1)
			mw := window(t, base, "", nextYear(), hold, func(mw *v1alpha1.MaintenanceWindow) {
				mw.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"halls": base}}
				mw.Spec.Release = &v1alpha1.ReleasePolicy{MaxConcurrent: 1, OnFailure: onFailure}
			})
			tenant := newTenant(t, "tenant", a)
			for _, args := range [][]string{
				{"annotate", "deployment/web", v1alpha1.ReleasePriorityAnnotation + "=999999999"},
				{"patch", "deployment/web", "--type=strategic", "-p", `{"spec":{"progressDeadlineSeconds":5,"template":{"spec":{"nodeSelector":{"no-such":"node"},"containers":[{"name":"main","image":"app:2"}]}}}}`},
				{"set", "image", "deployment/more", "main=app:2"},
			} {
				if out, err := tenant.kubectl(t, "", append([]string{"-n", a}, args...)...); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			wantHeld(t, holdable{broken, "Deployment", isParked})
			time.Sleep(1100 * time.Millisecond)
			wantPassed(t, patchImage(t.Context(), shared.Admin, other, "app:2")) // it waits for less time, too
			openNow(t, mw, holdable{})
			wantPlain(t, holdable{other, "Deployment", isParked}, "app:2")
			wantEvent(t, "web", v1alpha1.ReasonRolloutFailed) // hers came first
			if onFailure == "Continue" {
				wantPlain(t, holdable{more, "Deployment", isParked}, "app:2")
				return
			}
			stays(t, holdable{more, "Deployment", isParked})
			get(t, mw)
			failed := "Deployment " + a + "/web"
			if c := mw.Status.CurrentOccurrence; c == nil || c.StoppedBy != failed || len(c.Stopped) != 1 || c.Stopped[0] != (v1alpha1.StoppedNamespace{Namespace: a, By: failed}) {
				t.Errorf("current occurrence %+v", c)
			}
			if out := plugin(t, "held", base, "-A"); !strings.Contains(out, "a rollout of its namespace failed") {
				t.Errorf("kubectl window held:\n%s", out)
			}
			wantHolding(t, mw, failed+" failed")
		})
	}
}

// TestTurns: of what waits in several namespaces, each is served before one is served again, however many wait in it, and for how long.
func TestTurns(t *testing.T) {
	base := testName(t)
	count := map[string]int{base + "-a": 4, base + "-b": 1, base + "-c": 2}
	for ns := range count {
		namespace(t, ns, "halls", base)
	}
	var all []holdable
	for _, ns := range []string{base + "-a", base + "-b", base + "-c"} {
		for i := range count[ns] {
			all = append(all, holdable{deployment(t, ns, fmt.Sprintf("web-%d", i), 1), "Deployment", isParked})
		}
	}
	mw := window(t, base, "", nextYear(), hold, func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"halls": base}}
		mw.Spec.Release = &v1alpha1.ReleasePolicy{MaxConcurrent: 1}
	})
	for i, h := range all {
		wantPassed(t, patchImage(t.Context(), shared.Admin, h.object, "app:2"))
		if i == count[base+"-a"]-1 {
			time.Sleep(1100 * time.Millisecond) // theirs wait longest
		}
	}
	want := []string{base + "-a", base + "-b", base + "-c", base + "-a", base + "-c", base + "-a", base + "-a"}
	var said []string
	for _, line := range strings.Split(strings.TrimSpace(plugin(t, "held", base, "-A")), "\n")[1:] {
		namespace, _, _ := strings.Cut(strings.Fields(line)[1], "/")
		said = append(said, namespace)
	}
	if fmt.Sprint(said) != fmt.Sprint(want) {
		t.Errorf("kubectl window held says %v, want %v", said, want)
	}
	openNow(t, mw, holdable{})
	var released []string
	for _, ns := range want { // one after another: as many are plain as have had their turn
		released = append(released, ns)
		eventually(t, 30*time.Second, func() error {
			got := map[string]int{}
			for _, h := range all {
				if get(t, h.object); h.object.GetLabels()[v1alpha1.HeldLabel] == "" {
					got[h.object.GetNamespace()]++
				}
			}
			sum := 0
			for _, n := range got {
				sum += n
			}
			if sum < len(released) {
				return fmt.Errorf("%v are done, want one more in %s", got, ns)
			}
			wanted := map[string]int{}
			for _, r := range released {
				wanted[r]++
			}
			if sum == len(released) && fmt.Sprint(got) != fmt.Sprint(wanted) {
				t.Errorf("done %v, want %v", got, wanted)
			}
			return nil
		})
	}
	wantPassed(t, client.IgnoreNotFound(shared.Admin.Delete(t.Context(), mw)))
}

package bench

import (
	"fmt"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/doors"
	"fonster.dev/fonster/test/cluster"
)

// concurrently runs do for 0 to n-1, several at a time.
func concurrently(n int, do func(i int)) {
	slots := make(chan struct{}, 16)
	var group sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	group.Wait()
}

// deployments creates n Deployments in a namespace.
func deployments(b *testing.B, c *cluster.Cluster, namespace string, n int) {
	concurrently(n, func(i int) {
		d := deployment(namespace)
		d.Name = fmt.Sprintf("web-%05d", i)
		if err := c.Admin.Create(b.Context(), d); err != nil {
			b.Error(err)
		}
	})
}

// holdAll changes n Deployments of a namespace, and waits until every one is held.
func holdAll(b *testing.B, c *cluster.Cluster, namespace string, n int) {
	concurrently(n, func(i int) {
		o := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("web-%05d", i)}}
		err := c.Admin.Patch(b.Context(), o, client.RawPatch("application/strategic-merge-patch+json",
			[]byte(`{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"app:2"}]}}}}`)))
		if err != nil || !o.Spec.Paused || o.Labels[doors.HeldLabel] != doors.HeldWaiting {
			b.Errorf("not held: %v %v", err, o.Labels)
		}
	})
}

func holding(name string, maxConcurrent int32) *v1alpha1.MaintenanceWindow {
	w := window(name, metav1.LabelSelector{MatchLabels: map[string]string{"team": name}})
	w.Spec.Schedules = []v1alpha1.Schedule{{Dates: []string{"2099-01-01"}, StartTime: new("00:00"), EndTime: new("24:00")}}
	w.Spec.Enforcement, w.Spec.Release = v1alpha1.Hold, &v1alpha1.ReleasePolicy{MaxConcurrent: maxConcurrent}
	return w
}

// waitHolding waits until a window is in force.
func waitHolding(b *testing.B, c *cluster.Cluster, w *v1alpha1.MaintenanceWindow) {
	b.Helper()
	for range 100 {
		if err := c.Admin.Get(b.Context(), client.ObjectKeyFromObject(w), w); err == nil && w.Status.Gate != "" {
			time.Sleep(2500 * time.Millisecond) // the API server reads new bindings each second
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	b.Fatal("the window is not in force")
}

// BenchmarkReleases compares releases a second, with no bound on how many are in progress, with a loop of patches that resume as
// many Deployments which nobody governs.
func BenchmarkReleases(b *testing.B) {
	const n, rounds = 500, 3
	c := start(b, "releases", cluster.Start)
	if _, err := c.StartOperator(b.Context()); err != nil {
		b.Fatal(err)
	}
	var ours, raw time.Duration
	for b.Loop() {
		for round := range rounds {
			name, free := fmt.Sprintf("held-%d", round), fmt.Sprintf("free-%d", round)
			create(b, c, namespace(name, map[string]string{"team": name}), namespace(free, nil))
			deployments(b, c, name, n)
			deployments(b, c, free, n)
			w := holding(name, n)
			create(b, c, w)
			waitHolding(b, c, w)
			holdAll(b, c, name, n)
			time.Sleep(5 * time.Second) // what has been held has been seen

			w.Spec.Schedules = []v1alpha1.Schedule{{RRule: new("FREQ=DAILY"), StartTime: new("00:00"), EndTime: new("24:00")}}
			begin := time.Now()
			patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"schedules":[{"rrule":"FREQ=DAILY","startTime":"00:00","endTime":"24:00"}]}}`))
			if err := c.Admin.Patch(b.Context(), w, patch); err != nil {
				b.Fatal(err)
			}
			for {
				list := &metav1.PartialObjectMetadataList{}
				list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("DeploymentList"))
				if err := c.Admin.List(b.Context(), list, client.InNamespace(name), client.MatchingLabels{doors.HeldLabel: doors.HeldWaiting}, client.Limit(1)); err != nil {
					b.Fatal(err)
				}
				if len(list.Items) == 0 {
					break
				}
				if time.Since(begin) > 2*time.Minute {
					b.Fatal("not all were released")
				}
				time.Sleep(20 * time.Millisecond)
			}
			ours += time.Since(begin)

			concurrently(n, func(i int) {
				o := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: free, Name: fmt.Sprintf("web-%05d", i)}}
				if err := c.Admin.Patch(b.Context(), o, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"paused":true}}`))); err != nil {
					b.Error(err)
				}
			})
			begin = time.Now()
			for i := range n {
				o := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: free, Name: fmt.Sprintf("web-%05d", i)}}
				if err := c.Admin.Patch(b.Context(), o, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"paused":null}}`))); err != nil {
					b.Fatal(err)
				}
			}
			raw += time.Since(begin)
		}
	}
	perSecond := func(d time.Duration) float64 { return n * rounds / d.Seconds() }
	b.Logf("releases: %.0f a second; a loop of patches: %.0f a second; ratio %.2f", perSecond(ours), perSecond(raw), perSecond(ours)/perSecond(raw))
	b.ReportMetric(perSecond(ours)/perSecond(raw), "of-raw-patches")
}

// BenchmarkHeldMemory compares what the operator holds in memory with 10,000 Deployments, of which 100 are held, with the same
// with 100 Deployments, all held.
func BenchmarkHeldMemory(b *testing.B) {
	resident := map[int]float64{}
	for b.Loop() {
		for _, total := range []int{100, 10000} {
			c := start(b, fmt.Sprintf("memory-%d", total), cluster.Start)
			operator, err := c.StartOperator(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			create(b, c, namespace("held", map[string]string{"team": "held"}))
			deployments(b, c, "held", total)
			w := holding("held", 5)
			create(b, c, w)
			waitHolding(b, c, w)
			holdAll(b, c, "held", 100)
			time.Sleep(20 * time.Second)
			resident[total] = residentMiB(b, operator.PID())
			_ = c.Stop()
		}
	}
	b.Logf("operator's resident memory, 100 held: of 100 Deployments %.1f MiB, of 10,000 %.1f MiB, ratio %.2f", resident[100], resident[10000], resident[10000]/resident[100])
	b.ReportMetric(resident[10000]/resident[100], "10000/100")
}

package bench

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
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
		if err != nil || !o.Spec.Paused || o.Labels[v1alpha1.HeldLabel] != v1alpha1.HeldWaiting {
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

// waitHolding waits until a window over the namespace of its name is in force.
func waitHolding(b *testing.B, c *cluster.Cluster, w *v1alpha1.MaintenanceWindow) {
	b.Helper()
	waitGoverned(b, c, w.Name, w.Name)
	if err := c.Admin.Get(b.Context(), client.ObjectKeyFromObject(w), w); err != nil {
		b.Fatal(err)
	}
}

// What the project promises of holding: what the benchmarks below fail by.
const (
	leastReleases = 0.8 // of the rate of a loop of patches
	mostMemory    = 1.2 // of that with as many Deployments as are held
)

func median(sample []float64) float64 {
	sorted := slices.Sorted(slices.Values(sample))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// BenchmarkReleases compares releases a second, with no bound on how many are in progress, with a loop of patches that resume as
// many Deployments which nobody governs. The two take turns, and which one begins too; the median of the rounds counts.
func BenchmarkReleases(b *testing.B) {
	const n, rounds = 500, 5
	c := start(b, "releases", cluster.Start)
	if _, err := c.StartOperator(b.Context()); err != nil {
		b.Fatal(err)
	}
	var ratios []float64
	for b.Loop() {
		ratios = nil
		for round := range rounds {
			name, free := fmt.Sprintf("held-%d", round), fmt.Sprintf("free-%d", round)
			create(b, c, namespace(name, map[string]string{"team": name}), namespace(free, nil))
			deployments(b, c, name, n)
			deployments(b, c, free, n)
			w := holding(name, n)
			create(b, c, w)
			waitHolding(b, c, w)
			holdAll(b, c, name, n)
			pauseAll(b, c, free, n)
			time.Sleep(5 * time.Second) // what has been held has been seen

			measure := []func() time.Duration{
				func() time.Duration { return releaseAll(b, c, w, name) },
				func() time.Duration { return resumeAll(b, c, free, n) },
			}
			var took [2]time.Duration
			for i := range measure {
				which := (i + round) % 2
				took[which] = measure[which]()
			}
			ratios = append(ratios, took[1].Seconds()/took[0].Seconds())
			b.Logf("round %d: %.0f releases a second, %.0f patches a second, ratio %.2f", round, n/took[0].Seconds(), n/took[1].Seconds(), ratios[round])
		}
	}
	ratio := median(ratios)
	b.ReportMetric(ratio, "of-raw-patches")
	if ratio < leastReleases {
		b.Errorf("releases a second are %.2f of a loop of patches, want at least %.2f", ratio, leastReleases)
	}
}

// releaseAll opens a window, and waits until nothing waits for it any more.
func releaseAll(b *testing.B, c *cluster.Cluster, w *v1alpha1.MaintenanceWindow, namespace string) time.Duration {
	b.Helper()
	begin := time.Now()
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"schedules":[{"rrule":"FREQ=DAILY","startTime":"00:00","endTime":"24:00"}]}}`))
	if err := c.Admin.Patch(b.Context(), w, patch); err != nil {
		b.Fatal(err)
	}
	for {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("DeploymentList"))
		if err := c.Admin.List(b.Context(), list, client.InNamespace(namespace), client.MatchingLabels{v1alpha1.HeldLabel: v1alpha1.HeldWaiting}, client.Limit(1)); err != nil {
			b.Fatal(err)
		}
		if len(list.Items) == 0 {
			return time.Since(begin)
		}
		if time.Since(begin) > 2*time.Minute {
			b.Fatal("not all were released")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func pauseAll(b *testing.B, c *cluster.Cluster, namespace string, n int) {
	concurrently(n, func(i int) {
		o := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("web-%05d", i)}}
		if err := c.Admin.Patch(b.Context(), o, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"paused":true}}`))); err != nil {
			b.Error(err)
		}
	})
}

// resumeAll is a loop of patches.
func resumeAll(b *testing.B, c *cluster.Cluster, namespace string, n int) time.Duration {
	b.Helper()
	begin := time.Now()
	for i := range n {
		o := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("web-%05d", i)}}
		if err := c.Admin.Patch(b.Context(), o, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"paused":null}}`))); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begin)
}

// BenchmarkHeldMemory compares what the operator holds in memory with 10,000 Deployments, of which 100 are held, with the same
// with 100 Deployments, all held. The two take turns, each time with a new operator; the median of each counts.
func BenchmarkHeldMemory(b *testing.B) {
	const rounds = 5
	totals := []int{100, 10000}
	clusters := map[int]*cluster.Cluster{}
	for _, total := range totals {
		c := start(b, fmt.Sprintf("memory-%d", total), cluster.Start)
		clusters[total] = c
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
		operator.Kill()
	}
	resident := map[int][]float64{}
	for b.Loop() {
		clear(resident)
		for range rounds {
			for _, total := range totals {
				operator, err := clusters[total].StartOperator(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				time.Sleep(20 * time.Second)
				resident[total] = append(resident[total], statusMiB(b, operator.PID(), "VmRSS"))
				operator.Kill()
			}
		}
	}
	few, many := median(resident[100]), median(resident[10000])
	b.Logf("operator's resident memory, 100 held: of 100 Deployments %.1f MiB %.1f, of 10,000 %.1f MiB %.1f, ratio %.2f", few, resident[100], many, resident[10000], many/few)
	b.ReportMetric(many/few, "10000/100")
	if many/few > mostMemory {
		b.Errorf("the operator's memory grows by %.2f with what is not held, want at most %.2f", many/few, mostMemory)
	}
}

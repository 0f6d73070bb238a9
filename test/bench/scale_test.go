package bench

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/policy"
	"fonster.dev/fonster/test/cluster"
)

// What the project promises of many windows: what BenchmarkScale fails by.
const (
	mostStart    = time.Minute // until every Gate is in force
	mostStatuses = 1.3         // until every status is written too, in times of what as many take that are written and nothing else
	mostResident = 384         // MiB, the limit in config/manager
	mostGrowth   = 1.5         // of the time and work for each window, from 1,000 windows to 10,000
)

// scale is what some number of windows cost.
type scale struct {
	gates, all        time.Duration
	records           time.Duration // since the next start
	bare              time.Duration // until somebody else has written as many statuses
	page              time.Duration // until a reader has the page, as first drawn
	peakMiB           float64
	startCPU, restCPU float64 // seconds, until all is written, and in a minute at rest
}

// BenchmarkScale measures, with 2,000 namespaces and 50 targets, how long the operator takes to write all gates and all status of
// 1,000 windows and then of 10,000, what memory it holds at most, and what CPU it takes in a minute in which nothing changes.
func BenchmarkScale(b *testing.B) {
	var small, large scale
	for b.Loop() {
		small, large = measureScale(b, 1000), measureScale(b, 10_000)
	}
	growth := (large.all.Seconds() / 10) / small.all.Seconds()
	work := (large.startCPU / 10) / small.startCPU
	b.Logf("for each window, with 10,000 as against 1,000: %.2f of the time, %.2f of the CPU to start", growth, work)
	b.ReportMetric(growth, "time-growth")
	b.ReportMetric(work, "cpu-growth")
	b.ReportMetric(large.gates.Seconds(), "gates-s")
	b.ReportMetric(large.all.Seconds(), "start-s")
	b.ReportMetric(large.peakMiB, "MiB")
	b.ReportMetric(large.restCPU, "cpu-s/min")
	statuses := large.all.Seconds() / large.bare.Seconds()
	b.ReportMetric(statuses, "start/bare")
	if large.gates > mostStart || statuses > mostStatuses || large.peakMiB > mostResident || work > mostGrowth {
		b.Errorf("10,000 windows: %v until every Gate is written, %v until all is, which is %.2f times what as many bare statuses take; %.0f MiB at most",
			large.gates, large.all, statuses, large.peakMiB)
	}
}

func measureScale(b *testing.B, windows int) scale {
	const namespaces, targets = 2000, 50
	c := start(b, fmt.Sprintf("scale-%d", windows), cluster.Start)
	defer func() { _ = c.Stop() }()
	team := func(i int) map[string]string { return map[string]string{"team": fmt.Sprintf("t%02d", i%targets)} }
	concurrently(namespaces, func(i int) { create(b, c, namespace(fmt.Sprintf("ns-%04d", i), team(i))) })
	concurrently(windows, func(i int) {
		w := window(fmt.Sprintf("w%05d", i), metav1.LabelSelector{MatchLabels: team(i)})
		weekend := fmt.Sprintf("FREQ=MONTHLY;BYDAY=%dSA,%dSU", i%4+1, i%4+1)
		w.Spec.Schedules = []v1alpha1.Schedule{{RRule: &weekend, StartTime: new("09:00"), EndTime: new("20:00")}}
		create(b, c, w)
	})
	exists := func(*metav1.PartialObjectMetadata) bool { return true }
	gates := count(b, c, v1alpha1.GroupVersion.WithKind("GateList"), exists)
	written := count(b, c, v1alpha1.GroupVersion.WithKind("MaintenanceWindowList"), func(o *metav1.PartialObjectMetadata) bool {
		return slices.ContainsFunc(o.ManagedFields, func(m metav1.ManagedFieldsEntry) bool { return m.Subresource == "status" })
	})
	records := count(b, c, corev1.SchemeGroupVersion.WithKind("ConfigMapList"), exists, client.InNamespace(policy.DefaultNamespace))
	b.Setenv("GOMEMLIMIT", "320MiB") // as in config/manager
	if _, err := cluster.Build(); err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	operator, err := c.StartOperator(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var s scale
	since := func(what *time.Duration, done func() bool) {
		for !done() {
			if time.Since(begin) > 5*time.Minute {
				b.Fatalf("%d windows: not done after %v\n%s", windows, time.Since(begin), tail(operator.Log()))
			}
			time.Sleep(100 * time.Millisecond)
		}
		*what = time.Since(begin)
	}
	since(&s.gates, func() bool { return gates() == namespaces })
	since(&s.all, func() bool { return written() == windows })
	s.startCPU = cpuSeconds(b, operator.PID())
	s.peakMiB = statusMiB(b, operator.PID(), "VmHWM")
	operator.Kill()
	s.bare = writeBare(b, c) // at once: the machine's speed changes within minutes
	begin = time.Now()
	if operator, err = c.StartOperator(b.Context()); err != nil {
		b.Fatal(err)
	}
	since(&s.records, func() bool { return records() >= windows })
	page, err := c.StartPage(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	s.page = firstPage(b, page.URL)
	s.peakMiB = max(s.peakMiB, statusMiB(b, operator.PID(), "VmHWM"))
	s.restCPU = restCPU(b, operator.PID())
	pageMiB := statusMiB(b, page.PID(), "VmHWM")
	operator.Kill()
	page.Kill()
	b.Logf("%d windows: gates after %.1f s, all status after %.1f s (%.1f s of CPU), all records %.1f s after the next start; the page in %.1f s, %.0f MiB at most; "+
		"%.0f MiB at most; %.1f s of CPU in a minute at rest; as many bare statuses in %.1f s",
		windows, s.gates.Seconds(), s.all.Seconds(), s.startCPU, s.records.Seconds(), s.page.Seconds(), pageMiB, s.peakMiB, s.restCPU, s.bare.Seconds())
	return s
}

// writeBare changes the status of every window, as a plain client does, and returns how long that takes.
func writeBare(b *testing.B, c *cluster.Cluster) time.Duration {
	b.Helper()
	var list v1alpha1.MaintenanceWindowList
	if err := c.Admin.List(b.Context(), &list); err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	concurrently(len(list.Items), func(i int) {
		w := &list.Items[i]
		for k := range w.Status.Conditions {
			w.Status.Conditions[k].LastTransitionTime = metav1.Now()
		}
		if err := c.Admin.Status().Update(b.Context(), w); err != nil {
			b.Error(err)
		}
	})
	return time.Since(begin)
}

// firstPage reads the page as a person does who comes first.
func firstPage(b *testing.B, url string) time.Duration {
	b.Helper()
	begin := time.Now()
	response, err := http.Get(url + "/")
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
		b.Fatalf("the page: %d, %v", response.StatusCode, err)
	}
	return time.Since(begin)
}

func tail(log string) string { return log[max(0, len(log)-2000):] }

// restCPU is what a process takes in a minute, once it has come to rest.
func restCPU(b *testing.B, pid int) float64 {
	time.Sleep(20 * time.Second)
	before := cpuSeconds(b, pid)
	time.Sleep(time.Minute)
	return cpuSeconds(b, pid) - before
}

// count watches the objects of a kind, which is less work for the API server than to list them again and again, and returns how many there
// are by now of which something has become so.
func count(b *testing.B, c *cluster.Cluster, kind schema.GroupVersionKind, is func(*metav1.PartialObjectMetadata) bool, options ...client.ListOption) func() int {
	b.Helper()
	watching, err := client.NewWithWatch(c.Config, client.Options{Scheme: cluster.Scheme()})
	if err != nil {
		b.Fatal(err)
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind)
	w, err := watching.Watch(b.Context(), list, options...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.Stop)
	var mu sync.Mutex
	found := map[types.NamespacedName]bool{}
	go func() {
		for event := range w.ResultChan() {
			if o, ok := event.Object.(*metav1.PartialObjectMetadata); ok && is(o) {
				mu.Lock()
				found[client.ObjectKeyFromObject(o)] = true
				mu.Unlock()
			}
		}
	}()
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(found)
	}
}

// cpuSeconds is what a process has taken of the processors since it began.
func cpuSeconds(b *testing.B, pid int) float64 {
	b.Helper()
	const ticksPerSecond = 100 // USER_HZ, on every architecture that Go runs on
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ") // the name may hold blanks
	fields := strings.Fields(after)
	user, err1 := strconv.ParseFloat(fields[11], 64)
	system, err2 := strconv.ParseFloat(fields[12], 64)
	if err1 != nil || err2 != nil {
		b.Fatal(err1, err2)
	}
	return (user + system) / ticksPerSecond
}

// Package bench measures, on a real control plane and in one run, what the gates cost: each figure that the documents state
// comes from here. A figure is a ratio between things measured side by side, because machines differ and are noisy.
package bench

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/test/cluster"
)

func start(b *testing.B, name string, begin func(string, ...string) (*cluster.Cluster, error)) *cluster.Cluster {
	b.Helper()
	c, err := begin(fmt.Sprintf("fonster-bench-%s-%d", name, os.Getpid()), "API_SERVER_ONLY=true")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Stop() })
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) { // it finds the CRD of Gates a little later
		err := c.Admin.Create(b.Context(), namespace("probe", nil), client.DryRunAll)
		if err == nil {
			return c
		}
		if time.Now().After(deadline) {
			b.Fatal(err)
		}
	}
}

func create(b *testing.B, c *cluster.Cluster, objects ...client.Object) {
	b.Helper()
	for _, o := range objects {
		if err := c.Admin.Create(b.Context(), o); err != nil {
			b.Fatal(err)
		}
	}
}

func namespace(name string, labels map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

func deployment(namespace string) *appsv1.Deployment {
	labels := map[string]string{"app": "web"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web", Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "app:1"}}},
			},
		},
	}
}

// window is open for years, so that a rollout passes after the whole evaluation.
func window(name string, namespaces metav1.LabelSelector) *v1alpha1.MaintenanceWindow {
	return &v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone:          "Europe/Stockholm",
			Schedules:         []v1alpha1.Schedule{{RRule: new("FREQ=DAILY"), StartTime: new("00:00"), EndTime: new("24:00")}},
			NamespaceSelector: &namespaces,
		},
	}
}

// rollout patches the image of a Deployment, a disruptive change, and returns how long that took.
func rollout(b *testing.B, c *cluster.Cluster, namespace string, image int) time.Duration {
	patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"app:%d"}]}}}}`, image)
	begin := time.Now()
	err := c.Admin.Patch(b.Context(), &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"}},
		client.RawPatch("application/strategic-merge-patch+json", []byte(patch)))
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(begin)
}

func quantile(sample []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(sample))
	return sorted[int(q*float64(len(sorted)-1))]
}

// BenchmarkPatch compares a rollout where no policy exists with the same in a namespace governed by 1 window, by 100 windows
// over 10 targets that all overlap there, and in an ungoverned namespace of that last cluster. The requests take turns.
func BenchmarkPatch(b *testing.B) {
	plain, one, hundred := start(b, "plain", cluster.StartPlain), start(b, "one", cluster.Start), start(b, "hundred", cluster.Start)
	for _, c := range []*cluster.Cluster{plain, one, hundred} {
		create(b, c, namespace("governed", map[string]string{"kommun": "osthammar"}), namespace("free", nil), deployment("governed"), deployment("free"))
	}
	create(b, one, window("w", metav1.LabelSelector{MatchLabels: map[string]string{"kommun": "osthammar"}}))
	for i := range 100 {
		create(b, hundred, window(fmt.Sprintf("w%02d", i), metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "kommun", Operator: metav1.LabelSelectorOpExists},
			{Key: "tier", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"t" + strconv.Itoa(i%10)}},
		}}))
	}
	for _, c := range []*cluster.Cluster{one, hundred} {
		if _, err := c.StartOperator(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	time.Sleep(5 * time.Second) // the bindings are in force after a second
	var gates v1alpha1.GateList
	if err := hundred.Admin.List(b.Context(), &gates); err != nil || len(gates.Items) != 10 {
		b.Fatalf("want 10 gates, got %d: %v", len(gates.Items), err)
	}
	compare(b, 600, []contender{
		{name: "no-policy", cluster: plain, namespace: "governed"}, {name: "1-window", cluster: one, namespace: "governed"},
		{name: "100-windows", cluster: hundred, namespace: "governed"}, {name: "ungoverned", cluster: hundred, namespace: "free"},
		{name: "no-policy-again", cluster: plain, namespace: "free"},
	})
}

// contender is where a rollout is measured.
type contender struct {
	name      string
	cluster   *cluster.Cluster
	namespace string
	took      []time.Duration
}

// compare measures rollouts that take turns, and tells the medians as ratios to the first contender's.
func compare(b *testing.B, rounds int, contenders []contender) {
	image := 1
	for b.Loop() {
		for round := range rounds + 50 {
			image++
			for i := range contenders {
				c := &contenders[(i+round)%len(contenders)]
				took := rollout(b, c.cluster, c.namespace, image)
				if round >= 50 { // the first ones warm up
					c.took = append(c.took, took)
				}
			}
		}
	}
	first, base := contenders[0].name, quantile(contenders[0].took, .5)
	for _, c := range contenders {
		p50 := quantile(c.took, .5)
		ratio := float64(p50) / float64(base)
		b.Logf("%-16s p50 %6.2f ms  p99 %6.2f ms  %.2f of %s", c.name, ms(p50), ms(quantile(c.took, .99)), ratio, first)
		b.ReportMetric(ratio, c.name+"/"+first)
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// BenchmarkTargets compares a rollout in an ungoverned namespace where no window exists with the same where windows have 10, 100 and 1,000
// targets elsewhere: the API server matches the bindings of each.
func BenchmarkTargets(b *testing.B) {
	var contenders []contender
	for _, targets := range []int{0, 10, 100, 1000} {
		name := fmt.Sprintf("%d-targets", targets)
		c := start(b, name, cluster.Start)
		contenders = append(contenders, contender{name: name, cluster: c, namespace: "free"})
		create(b, c, namespace("free", nil), deployment("free"))
		for i := range targets {
			create(b, c, window(fmt.Sprintf("w%d", i), metav1.LabelSelector{MatchLabels: map[string]string{"kommun": fmt.Sprintf("k%d", i)}}))
		}
		if _, err := c.StartOperator(b.Context()); err != nil {
			b.Fatal(err)
		}
		for gates := new(v1alpha1.GateList); ; time.Sleep(time.Second) {
			if err := c.Admin.List(b.Context(), gates); err != nil {
				b.Fatal(err)
			}
			if len(gates.Items) == targets {
				break
			}
		}
	}
	time.Sleep(10 * time.Second) // the bindings are written after the gates, and in force after a second
	compare(b, 400, contenders)
}

// BenchmarkEdge measures from an edge of a schedule to the first request that passes, with 100 gates that open two a second;
// and then what the operator holds in memory with 100 windows and 1,000 namespaces.
func BenchmarkEdge(b *testing.B) {
	const gates, perSecond = 100, 2
	c := start(b, "edge", cluster.Start)
	operator, err := c.StartOperator(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	first := time.Now().Add(25 * time.Second).Truncate(time.Second)
	opens := func(i int) time.Time { return first.Add(time.Duration(i/perSecond) * time.Second) }
	for i := range gates {
		name := fmt.Sprintf("edge-%02d", i)
		create(b, c, namespace(name, map[string]string{"team": name}), deployment(name))
		w := window(name, metav1.LabelSelector{MatchLabels: map[string]string{"team": name}})
		w.Spec.TimeZone = "UTC"
		w.Spec.Schedules = []v1alpha1.Schedule{{
			Dates: []string{opens(i).UTC().Format(time.DateOnly)}, StartTime: new(opens(i).UTC().Format(time.TimeOnly)), EndTime: new("24:00"),
		}}
		create(b, c, w)
	}
	if time.Now().After(first.Add(-2 * time.Second)) {
		b.Fatal("setting up took too long")
	}
	delays := make([]time.Duration, gates)
	for b.Loop() {
		var group sync.WaitGroup
		for i := range gates {
			group.Go(func() { delays[i] = firstSuccess(b, c, fmt.Sprintf("edge-%02d", i), opens(i)) })
		}
		group.Wait()
	}
	b.Logf("edge to first success, %d gates: p50 %.0f ms, p99 %.0f ms, most %.0f ms", gates, ms(quantile(delays, .5)), ms(quantile(delays, .99)), ms(slices.Max(delays)))
	b.ReportMetric(ms(quantile(delays, .5)), "p50-ms")
	b.ReportMetric(ms(quantile(delays, .99)), "p99-ms")

	for i := range 1000 - gates {
		create(b, c, namespace(fmt.Sprintf("more-%03d", i), map[string]string{"team": "more"}))
	}
	time.Sleep(10 * time.Second)
	resident := statusMiB(b, operator.PID(), "VmRSS")
	b.Logf("operator's resident memory, 100 windows and 1,000 namespaces: %.0f MiB", resident)
	b.ReportMetric(resident, "MiB")
}

// firstSuccess asks for a rollout from just before the edge until one passes.
func firstSuccess(b *testing.B, c *cluster.Cluster, namespace string, edge time.Time) time.Duration {
	dry := client.NewDryRunClient(c.Admin)
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"}}
	patch := client.RawPatch("application/strategic-merge-patch+json", []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"app:2"}]}}}}`))
	time.Sleep(time.Until(edge.Add(-20 * time.Millisecond)))
	ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
	defer cancel()
	for dry.Patch(ctx, d, patch) != nil {
		if ctx.Err() != nil {
			b.Errorf("%s did not open", namespace)
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	passed := time.Since(edge)
	if passed < 0 {
		b.Errorf("%s let a rollout pass %s before its edge", namespace, -passed)
	}
	return passed
}

// statusMiB reads an amount of memory of a process: VmRSS is what is resident now, VmHWM what was at most.
func statusMiB(b *testing.B, pid int, field string) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == field+":" {
			kib, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib / 1024
		}
	}
	b.Fatal("no " + field)
	return 0
}

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
	c, err := begin(fmt.Sprintf("fonster-bench-%s-%d", name, os.Getpid()), append(cluster.AsShipped, "API_SERVER_ONLY=true")...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Stop() })
	return c
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

// rollout changes the image of the Deployment in a namespace, which is disruptive.
func rollout(ctx context.Context, c *cluster.Cluster, namespace string, image int, options ...client.PatchOption) error {
	patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"app:%d"}]}}}}`, image)
	return c.Admin.Patch(ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"}},
		client.RawPatch("application/strategic-merge-patch+json", []byte(patch)), options...)
}

// waitGoverned waits until the Gate of a namespace names a window, or more windows than a Gate names, and the API server has heard of it.
func waitGoverned(b *testing.B, c *cluster.Cluster, window, namespace string) {
	b.Helper()
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		g, ns := &v1alpha1.Gate{}, &corev1.Namespace{}
		if c.Admin.Get(b.Context(), client.ObjectKey{Namespace: namespace, Name: v1alpha1.GateName}, g) != nil ||
			c.Admin.Get(b.Context(), client.ObjectKey{Name: namespace}, ns) != nil || ns.Labels[v1alpha1.GatedLabel] != "true" {
			continue
		}
		if slices.ContainsFunc(g.Spec.Targets, func(t v1alpha1.GateTarget) bool {
			return slices.Contains(t.Windows, window) || len(t.Windows) == v1alpha1.MaxWindowNames
		}) {
			time.Sleep(500 * time.Millisecond)
			return
		}
	}
	b.Fatalf("the Gate of %s does not name %s", namespace, window)
}

func quantile(sample []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(sample))
	return sorted[int(q*float64(len(sorted)-1))]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

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
	time.Sleep(time.Until(edge.Add(-20 * time.Millisecond)))
	ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
	defer cancel()
	for rollout(ctx, c, namespace, 2, client.DryRunAll) != nil {
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

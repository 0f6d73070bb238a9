package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/test/cluster"
)

// What the project promises of a change of a workload, as a part of the same where no policy exists: what BenchmarkChange fails by.
const (
	mostGoverned   = 1.3
	mostUngoverned = 1.1
)

// contender is where changes are measured.
type contender struct {
	name      string
	cluster   *cluster.Cluster
	namespace string
	// most is what it may take of the first contender's; zero: whatever it likes.
	most float64

	pid  int
	took []time.Duration
	cpu  float64 // seconds of the API server
}

// BenchmarkChange compares a change of a workload where no policy exists with the same where 1, 10 and 1,000 windows have as many targets:
// in a namespace that one of them governs, in one that all of them do, and in one that none does; and in namespaces that windows with 10
// and 32 object selectors govern, all of which select the workload. All windows are open, so that the change passes after the whole
// evaluation, and is written; no controllers run, which would go on. The API server's CPU and the median time count, once the operator has done
// what new windows ask of it. The contenders take turns. With -short there are few rounds, and no bounds.
func BenchmarkChange(b *testing.B) {
	sizes, rounds := []int{1, 10, 1000}, 20
	if testing.Short() {
		sizes, rounds = []int{1, 10}, 4
	}
	plain := start(b, "change-plain", cluster.StartPlain)
	create(b, plain, namespace("free", nil), deployment("free"), namespace("free-too", nil), deployment("free-too"))
	contenders := []contender{
		{name: "no-policy", cluster: plain, namespace: "free"}, {name: "no-policy-again", cluster: plain, namespace: "free-too"},
	}
	for _, n := range sizes {
		c := start(b, fmt.Sprintf("change-%d", n), cluster.Start)
		if _, err := c.StartOperator(b.Context()); err != nil {
			b.Fatal(err)
		}
		for name, kommun := range map[string]string{"one": "k0", "all": "all", "free": "none"} {
			create(b, c, namespace(name, map[string]string{"kommun": kommun}), deployment(name))
		}
		concurrently(n, func(i int) {
			create(b, c, window(fmt.Sprintf("w%04d", i), metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: "kommun", Operator: metav1.LabelSelectorOpIn, Values: []string{fmt.Sprintf("k%d", i), "all"}},
			}}))
		})
		last := fmt.Sprintf("w%04d", n-1)
		waitGoverned(b, c, "w0000", "one")
		waitGoverned(b, c, last, "all")
		name := func(what string) string { return fmt.Sprintf("%d-windows-%s", n, what) }
		contenders = append(contenders,
			contender{name: name("governed-by-one"), cluster: c, namespace: "one", most: mostGoverned},
			contender{name: name("governed-by-all"), cluster: c, namespace: "all", most: mostGoverned},
			contender{name: name("ungoverned"), cluster: c, namespace: "free", most: mostUngoverned})
		if n != 10 {
			continue
		}
		for _, selectors := range []int{10, 32} {
			ns := fmt.Sprintf("selectors-%d", selectors)
			create(b, c, namespace(ns, map[string]string{"kommun": ns}), deployment(ns))
			for i := range selectors {
				w := window(fmt.Sprintf("%s-%d", ns, i), metav1.LabelSelector{MatchLabels: map[string]string{"kommun": ns}})
				w.Spec.ObjectSelector = &metav1.LabelSelector{
					MatchLabels:      map[string]string{"app": "web"},
					MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: metav1.LabelSelectorOpNotIn, Values: []string{fmt.Sprintf("t%d", i)}}},
				}
				create(b, c, w)
			}
			waitGoverned(b, c, fmt.Sprintf("%s-%d", ns, selectors-1), ns)
			contenders = append(contenders, contender{name: fmt.Sprintf("%d-object-selectors", selectors), cluster: c, namespace: ns})
		}
	}
	compare(b, rounds, contenders)
}

// compare measures changes that take turns, and tells medians and CPU as ratios to those of the first two contenders, which have no policy:
// what lies between those is the noise. A turn is so long that the API server collects its garbage more than once in it, and the order is
// another in each round: else what one contender leaves behind is always collected in the turn of the same other one.
func compare(b *testing.B, rounds int, contenders []contender) {
	const turn = 150
	order, shuffle := make([]int, len(contenders)), rand.New(rand.NewPCG(1, 1))
	for i := range contenders {
		order[i] = i
		pid, err := contenders[i].cluster.PID("kube-apiserver")
		if err != nil {
			b.Fatal(err)
		}
		contenders[i].pid = pid
		rest(b, pid)
	}
	image := 1
	for b.Loop() {
		for round := range rounds + 1 {
			shuffle.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			for _, i := range order {
				c := &contenders[i]
				cpu := cpuSeconds(b, c.pid)
				took := make([]time.Duration, turn)
				for j := range took {
					image++
					begin := time.Now()
					if err := rollout(b.Context(), c.cluster, c.namespace, image); err != nil {
						b.Fatalf("%s: %v", c.name, err)
					}
					took[j] = time.Since(begin)
				}
				if round > 0 { // the first one warms up
					c.took, c.cpu = append(c.took, took...), c.cpu+cpuSeconds(b, c.pid)-cpu
				}
			}
		}
	}
	plain := slices.Concat(contenders[0].took, contenders[1].took)
	base, baseCPU := quantile(plain, .5), (contenders[0].cpu+contenders[1].cpu)/float64(len(plain))
	for _, c := range contenders {
		p50, cpu := quantile(c.took, .5), c.cpu/float64(len(c.took))
		time, work := float64(p50)/float64(base), cpu/baseCPU
		b.Logf("%-32s p50 %6.2f ms (%.2f)  p99 %6.2f ms  CPU %6.2f ms (%.2f)", c.name, ms(p50), time, ms(quantile(c.took, .99)), 1000*cpu, work)
		b.ReportMetric(time, c.name+"-time")
		b.ReportMetric(work, c.name+"-cpu")
		if c.most > 0 && max(time, work) > c.most && !testing.Short() {
			b.Errorf("%s takes %.2f of the time and %.2f of the CPU of no policy, want at most %.1f", c.name, time, work, c.most)
		}
	}
}

// rest waits until a process uses little CPU: what an API server does for others is not to count as a part of the requests measured.
func rest(b *testing.B, pid int) {
	const interval, most = 2 * time.Second, 0.1 // of a core
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); {
		before := cpuSeconds(b, pid)
		time.Sleep(interval)
		if cpuSeconds(b, pid)-before < most*interval.Seconds() {
			return
		}
	}
	b.Fatal("the API server does not come to rest")
}

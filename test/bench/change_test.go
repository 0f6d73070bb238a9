package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
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

// contender is where changes are measured: an API server that answers nobody else meanwhile.
type contender struct {
	name      string
	cluster   *cluster.Cluster
	namespace string

	pid  int
	took []time.Duration
	cpu  float64 // seconds of the API server, less what it takes at rest
}

// BenchmarkChange compares a change of a workload where no policy exists with the same where 1, 10 and 1,000 windows have as many targets:
// in a namespace that none of them governs, in one that one does, and in one that all do; and in namespaces that windows with 10 and 32 object
// selectors govern, all of which select the workload. All windows are open, so that the change passes after the whole evaluation, and is
// written; no controllers run, which would go on. The API server's CPU and the median time count, once the operator has done what
// new windows ask of it. With -short there are few changes, and no bounds.
func BenchmarkChange(b *testing.B) {
	sizes, changes := []int{1, 10, 1000}, 2000
	if testing.Short() {
		sizes, changes = []int{1, 10}, 200
	}
	plain := contenders{}
	for _, name := range []string{"no policy", "no policy again"} {
		c := start(b, "change-"+strings.ReplaceAll(name, " ", "-"), cluster.StartPlain)
		create(b, c, namespace("free", nil), deployment("free"))
		plain = append(plain, contender{name: name, cluster: c, namespace: "free"})
	}
	var ungoverned, byOne, byAll contenders
	bySelectors := map[int]contenders{}
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
		waitGoverned(b, c, "w0000", "one")
		waitGoverned(b, c, fmt.Sprintf("w%04d", n-1), "all")
		in := func(namespace string) contender {
			return contender{name: fmt.Sprintf("%d windows", n), cluster: c, namespace: namespace}
		}
		ungoverned, byOne, byAll = append(ungoverned, in("free")), append(byOne, in("one")), append(byAll, in("all"))
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
			bySelectors[selectors] = contenders{in(ns)}
		}
	}
	time.Sleep(time.Minute) // after CRDs and policies are new, an API server has work of its own
	for b.Loop() {
		slices.Concat(plain, ungoverned).compare(b, "ungoverned", changes, mostUngoverned)
		slices.Concat(plain, byOne).compare(b, "governed by one", changes, mostGoverned)
		slices.Concat(plain, byAll).compare(b, "governed by all", changes, mostGoverned)
		for selectors, c := range bySelectors {
			slices.Concat(plain, c).compare(b, fmt.Sprintf("by %d object selectors", selectors), changes, math.Inf(1))
		}
	}
}

// contenders are measured side by side; the first two have no policy: what lies between those is the noise.
type contenders []contender

// compare tells medians and CPU of so many changes as ratios to those of the contenders without policies, and fails where one is more
// than most. They take turns so short that none has a faster machine than the others. Each has its own API server, all of whose CPU counts, as
// garbage is collected when it is another's turn.
func (all contenders) compare(b *testing.B, what string, changes int, most float64) {
	const turn, parts = 5, 8 // after each part they rest: what an API server does by itself is a good part of its CPU
	for i := range all {
		pid, err := all[i].cluster.PID("kube-apiserver")
		if err != nil {
			b.Fatal(err)
		}
		all[i].pid = pid
		rest(b, pid)
	}
	shuffle := rand.New(rand.NewPCG(1, 1))
	for range 20 { // warms up
		all.change(b, turn, shuffle.Perm(len(all)))
	}
	for i := range all {
		all[i].took, all[i].cpu = nil, 0
	}
	for range parts {
		before, begin := all.cpu(b), time.Now()
		for range changes / turn / parts {
			all.change(b, turn, shuffle.Perm(len(all)))
		}
		after, took := all.cpu(b), time.Since(begin).Seconds()
		for i, resting := range all.atRest(b) {
			all[i].cpu += after[i] - before[i] - resting*took
		}
	}
	base := quantile(slices.Concat(all[0].took, all[1].took), .5)
	baseCPU := (all[0].cpu + all[1].cpu) / 2
	for i, c := range all {
		p50 := quantile(c.took, .5)
		time, work := float64(p50)/float64(base), c.cpu/baseCPU
		b.Logf("%-24s %-16s p50 %6.2f ms (%.2f)  p99 %6.2f ms  CPU %6.2f ms (%.2f)", what, c.name, ms(p50), time, ms(quantile(c.took, .99)), 1000*c.cpu/float64(changes), work)
		name := strings.ReplaceAll(what+"-"+c.name, " ", "-")
		b.ReportMetric(time, name+"-time")
		b.ReportMetric(work, name+"-cpu")
		if i > 1 && max(time, work) > most && !testing.Short() {
			b.Errorf("%s, %s: %.2f of the time and %.2f of the CPU of no policy, want at most %.1f", what, c.name, time, work, most)
		}
	}
}

// change has each contender change its workload so many times, in an order.
func (all contenders) change(b *testing.B, times int, order []int) {
	for _, i := range order {
		c := &all[i]
		for range times {
			image++
			begin := time.Now()
			if err := rollout(b.Context(), c.cluster, c.namespace, image); err != nil {
				b.Fatalf("%s: %v", c.name, err)
			}
			c.took = append(c.took, time.Since(begin))
		}
	}
}

// image is what was last written: another than all before, or nothing would be.
var image = 1

// atRest is what each contender's API server takes when nobody asks, in seconds a second.
func (all contenders) atRest(b *testing.B) []float64 {
	const long = 20 * time.Second
	before := all.cpu(b)
	time.Sleep(long)
	share := all.cpu(b)
	for i := range share {
		share[i] = (share[i] - before[i]) / long.Seconds()
	}
	return share
}

// cpu is what each contender's API server has taken since it began, in seconds.
func (all contenders) cpu(b *testing.B) []float64 {
	seconds := make([]float64, len(all))
	for i, c := range all {
		seconds[i] = cpuSeconds(b, c.pid)
	}
	return seconds
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

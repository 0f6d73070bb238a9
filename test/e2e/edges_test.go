package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/test/cluster"
)

// TestEdgesAreCountedOnce: of two replicas the one that turns the gate counts the edge; one that slept over it, and wakes with a cache
// that is behind, does not count it as late.
func TestEdgesAreCountedOnce(t *testing.T) {
	second := operate(t, shared)
	ns, token := testName(t), metricsToken(t)
	namespace(t, ns)
	opens := time.Now().Add(8 * time.Second).Truncate(time.Second)
	closes := opens.Add(10 * time.Second)
	if day(opens) != day(closes) {
		t.Skip("midnight is near")
	}
	mw := window(t, ns, ns, between(opens, closes))
	replicas := []*cluster.Operator{operator, second}
	for _, o := range replicas {
		delays(t, o, token) // the first scrape is always 0
	}
	before := [2][2]float64{}
	for i, o := range replicas {
		before[i][0], before[i][1] = delays(t, o, token)
	}
	time.Sleep(time.Until(opens.Add(-time.Second)))
	if err := syscall.Kill(second.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(opens.Add(5 * time.Second)))
	if err := syscall.Kill(second.PID(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(closes))
	eventually(t, 5*time.Second, func() error { return openIs(t.Context(), mw, metav1.ConditionFalse) })
	time.Sleep(2 * time.Second)
	count, sum := 0.0, 0.0
	for i, o := range replicas {
		n, s := delays(t, o, token)
		count, sum = count+n-before[i][0], sum+s-before[i][1]
	}
	if count != 2 || sum > 3 {
		t.Errorf("an opening and a closing were counted as %v edges, %v s late in all", count, sum)
	}
}

// delays are the number and the sum of the delays that a replica has counted.
func delays(t *testing.T, o *cluster.Operator, token string) (count, sum float64) {
	t.Helper()
	var text string
	eventually(t, 5*time.Second, func() error {
		status, body, err := o.Metrics(t.Context(), token)
		if err != nil || status != 200 {
			return fmt.Errorf("status %d: %w", status, err)
		}
		text = body
		return nil
	})
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		v, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "fonster_transition_delay_seconds_count":
			count = v
		case "fonster_transition_delay_seconds_sum":
			sum = v
		}
	}
	return count, sum
}

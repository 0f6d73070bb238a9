package cluster

import (
	"testing"
	"time"
)

// Eventually waits until do returns nil, and ends the test where it does not within limit.
func Eventually(t *testing.T, limit time.Duration, do func() error) {
	t.Helper()
	deadline, pause := time.Now().Add(limit), 20*time.Millisecond
	for {
		err := do()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %v", limit, err)
		}
		time.Sleep(pause)
		pause = min(pause*3/2, 100*time.Millisecond) // to ask takes CPU from what is waited for
	}
}

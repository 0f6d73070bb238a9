package parallel

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

// TestEach: every item has its turn, never more at once than allowed, and every error is told.
func TestEach(t *testing.T) {
	var running, most, done atomic.Int32
	first, second := errors.New("first"), errors.New("second")
	err := Each(3, []error{first, nil, nil, nil, nil, second, nil, nil}, func(err error) error {
		n := running.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(5 * time.Millisecond)
		running.Add(-1)
		done.Add(1)
		return err
	})
	if done.Load() != 8 || most.Load() != 3 {
		t.Errorf("%d done, %d at once", done.Load(), most.Load())
	}
	if !errors.Is(err, first) || !errors.Is(err, second) {
		t.Errorf("error %v", err)
	}
}

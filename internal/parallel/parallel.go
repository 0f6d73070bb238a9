// Package parallel does things a bounded number at a time.
package parallel

import (
	"errors"
	"sync"
)

// Each runs do for each item, at most limit at a time, and joins the errors: what fails does not keep back the rest.
func Each[T any](limit int, items []T, do func(T) error) error {
	errs := make([]error, len(items))
	slots := make(chan struct{}, limit)
	var group sync.WaitGroup
	for i, item := range items {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			errs[i] = do(item)
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

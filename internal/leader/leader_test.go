package leader

import (
	"context"
	"slices"
	"testing"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// TestTerms: a reconciler works in terms alone, its context ends with the term, a term ends when its work has, and each begins with
// everything there is to do.
func TestTerms(t *testing.T) {
	l := &Lease{}
	begun, ended := make(chan string), make(chan string)
	worker := Only(l, reconcile.TypedFunc[string](func(ctx context.Context, request string) (reconcile.Result, error) {
		begun <- request
		<-ctx.Done()
		time.Sleep(10 * time.Millisecond)
		ended <- request
		return reconcile.Result{}, ctx.Err()
	}))
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]())
	t.Cleanup(queue.ShutDown)
	if err := Began(l, func(context.Context) []string { return []string{"a", "b"} }).Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	rests := func(when string) {
		t.Helper()
		if _, err := worker.Reconcile(t.Context(), "dropped"); err != nil { // it would block on begun
			t.Errorf("%s: %v", when, err)
		}
		if n := queue.Len(); n != 0 {
			t.Errorf("%s: %d requests", when, n)
		}
	}
	rests("before the first term")
	for range 2 {
		term, lose := context.WithCancel(t.Context())
		l.begin(term)
		var asked []string
		for range 2 {
			request, _ := queue.Get()
			queue.Done(request)
			asked = append(asked, request)
		}
		if slices.Sort(asked); !slices.Equal(asked, []string{"a", "b"}) {
			t.Errorf("a term begins with %v", asked)
		}
		go func() {
			if _, err := worker.Reconcile(context.WithoutCancel(t.Context()), "x"); err != nil {
				t.Errorf("a term that ends is an error: %v", err)
			}
		}()
		<-begun
		lose()
		over := make(chan struct{})
		go func() {
			l.end()
			close(over)
		}()
		select {
		case <-over:
			t.Error("the term has ended before its work")
		case <-ended:
		}
		<-over
		rests("after a term")
		l.begin(term) // told of too late
		rests("after a term that has ended before it was told of")
	}
}

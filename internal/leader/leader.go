// Package leader lets one of several replicas do what one alone should. Nothing ends where the lease is lost: what needs it rests
// until it is had again, and the rest of the process goes on.
package leader

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Lease is what a replica has while it leads: a term after another, with others' terms in between. Two replicas may believe that they
// have it, for as long as one cannot reach the API server: what they write must bear it.
type Lease struct {
	// mu is held for reading by whatever works in a term, so that the term ends when all of it has.
	mu    sync.RWMutex
	term  context.Context
	began []func()
}

// Config is how the lease is had.
type Config struct {
	Rest            *rest.Config
	Namespace, Name string
	// Identity tells replicas apart. Who comes back under the same one, as a container that has crashed, need not wait for its own lease.
	Identity string
	// Duration is how long a leader that has died is waited for, RenewDeadline how long one tries to renew, RetryPeriod how often.
	Duration, RenewDeadline, RetryPeriod time.Duration
}

// Run has the lease whenever it can, until the context ends; and then gives it up.
func (l *Lease) Run(ctx context.Context, c Config) error {
	logger := log.FromContext(ctx).WithName("leader").WithValues("identity", c.Identity)
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, c.Namespace, c.Name,
		resourcelock.ResourceLockConfig{Identity: c.Identity}, c.Rest, c.RenewDeadline)
	if err != nil {
		return fmt.Errorf("the lease %s: %w", c.Name, err)
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, Name: c.Name, LeaseDuration: c.Duration, RenewDeadline: c.RenewDeadline, RetryPeriod: c.RetryPeriod,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(term context.Context) {
				logger.Info("Leading: what is held is released by this replica")
				l.begin(term)
			},
			OnStoppedLeading: func() {
				l.end()
				logger.Info("Not leading: gates, status and page go on without; what is held is released by whoever has the lease next")
			},
		},
	})
	if err != nil {
		return fmt.Errorf("the lease %s: %w", c.Name, err)
	}
	for ctx.Err() == nil {
		elector.Run(ctx)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.RetryPeriod)
	defer cancel()
	if err := giveUp(last, lock); err != nil {
		logger.Error(err, "The lease could not be given up: the next leader waits until it has run out")
	}
	return nil
}

// giveUp lets the next leader begin at once. It is done last, when nothing works in the term any more.
func giveUp(ctx context.Context, lock resourcelock.Interface) error {
	record, _, err := lock.Get(ctx)
	if err != nil || record.HolderIdentity != lock.Identity() {
		return err
	}
	record.HolderIdentity, record.LeaseDurationSeconds = "", 1
	return lock.Update(ctx, *record)
}

// Always leads until the context ends: there is one replica.
func (l *Lease) Always(ctx context.Context) {
	l.begin(ctx)
	<-ctx.Done()
	l.end()
}

func (l *Lease) begin(term context.Context) {
	l.mu.Lock()
	if term.Err() != nil { // it has ended before it was told of
		l.mu.Unlock()
		return
	}
	l.term = term
	began := l.began
	l.mu.Unlock()
	for _, do := range began {
		do()
	}
}

// end waits until what works in the term, whose context has ended, has stopped.
func (l *Lease) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.term = nil
}

// onBegin names what to do when a term begins, the one that is had already too.
func (l *Lease) onBegin(do func()) {
	l.mu.Lock()
	l.began = append(l.began, do)
	had := l.term != nil
	l.mu.Unlock()
	if had {
		do()
	}
}

// Had says whether the lease is had now.
func (l *Lease) Had() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.term != nil && l.term.Err() == nil
}

// enter begins some work in the term, if one is had: its context ends with the term.
func (l *Lease) enter(ctx context.Context) (_ context.Context, done func(), had bool) {
	l.mu.RLock()
	if l.term == nil || l.term.Err() != nil {
		l.mu.RUnlock()
		return ctx, nil, false
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(l.term, cancel)
	return ctx, func() {
		stop()
		cancel()
		l.mu.RUnlock()
	}, true
}

// Only lets a reconciler work while the lease is had. What is asked for meanwhile is dropped: Began asks for everything anew.
func Only[R comparable](l *Lease, inner reconcile.TypedReconciler[R]) reconcile.TypedReconciler[R] {
	return reconcile.TypedFunc[R](func(ctx context.Context, request R) (reconcile.Result, error) {
		ctx, done, had := l.enter(ctx)
		if !had {
			return reconcile.Result{}, nil
		}
		defer done()
		result, err := inner.Reconcile(ctx, request)
		if ctx.Err() != nil { // the term has ended, and with it what was asked for
			return reconcile.Result{}, nil
		}
		return result, err
	})
}

// Began is a source of everything that there is to do, whenever a term begins.
func Began[R comparable](l *Lease, all func(context.Context) []R) source.TypedSource[R] {
	return source.TypedFunc[R](func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[R]) error {
		l.onBegin(func() {
			for _, request := range all(ctx) {
				queue.Add(request)
			}
		})
		return nil
	})
}

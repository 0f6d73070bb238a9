package compile

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/policy"
)

// Source reads the windows and freezes of a cluster, and compiles what has changed since the last time.
type Source struct {
	// Reader is the manager's cache; a read costs no request.
	Reader client.Reader
	// Operator is that of the cluster.
	Operator policy.Identity

	cache Cache
	// reading lets one read at a time: whoever waits finds what it has read.
	reading sync.Mutex

	mu sync.Mutex
	// told is what events have said of each object; nil while nobody listens to any. changes counts what was new of it.
	told    map[types.UID]version
	changes uint64
	// last was compiled from what the cache had after lastChanges changes.
	last        *Compiled
	lastChanges uint64
}

// Compiled returns all windows and freezes as the cache has them now. As long as no event that Changes has passed says otherwise, it
// is what was compiled before, which costs nothing however many they are.
func (s *Source) Compiled(ctx context.Context) (*Compiled, error) {
	if last, _ := s.upToDate(); last != nil {
		return last, nil
	}
	s.reading.Lock()
	defer s.reading.Unlock()
	last, changes := s.upToDate()
	if last != nil {
		return last, nil
	}
	var windows v1alpha1.MaintenanceWindowList
	if err := s.Reader.List(ctx, &windows, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	var freezes v1alpha1.ChangeFreezeList
	if err := s.Reader.List(ctx, &freezes, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	s.cache.Operator = s.Operator
	compiled := s.cache.Compile(windows.Items, freezes.Items)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.lastChanges = compiled, changes
	return compiled, nil
}

// upToDate is what was compiled last, nil where something may have changed since, and how many changes have been told of by now.
func (s *Source) upToDate() (*Compiled, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told == nil || s.last == nil || s.last.Pending || s.lastChanges != s.changes {
		return nil, s.changes
	}
	return s.last, s.changes
}

// Changes passes the events of a window or freeze that change what it is compiled to: its spec, or that an occurrence is
// closed early. Whoever acts on one that was passed finds it in what Compiled returns: that is why everybody who compiles asks here.
func (s *Source) Changes() predicate.Predicate {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told == nil {
		s.told = map[types.UID]version{}
		s.cache.aside = true
	}
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { s.Tell(e.Object, false); return true },
		DeleteFunc: func(e event.DeleteEvent) bool { s.Tell(e.Object, true); return true },
		UpdateFunc: func(e event.UpdateEvent) bool {
			s.Tell(e.ObjectNew, false)
			before, after := objectVersion(e.ObjectOld), objectVersion(e.ObjectNew)
			return before != after
		},
	}
}

// Tell says what an event has said of an object, which may be gone. The same event is told by everybody who hears of it.
func (s *Source) Tell(object client.Object, gone bool) {
	if !compiles(object) {
		return
	}
	v := objectVersion(object)
	s.mu.Lock()
	defer s.mu.Unlock()
	known, had := s.told[v.uid]
	switch {
	case s.told == nil || !gone && had && known == v || gone && !had:
		return
	case gone:
		delete(s.told, v.uid)
	default:
		s.told[v.uid] = v
	}
	s.changes++
}

// compiles says whether an object is one of those that are compiled.
func compiles(object client.Object) bool {
	switch object.(type) {
	case *v1alpha1.MaintenanceWindow, *v1alpha1.ChangeFreeze:
		return true
	}
	return false
}

// objectVersion tells what changes the compilation of an object, or the spec of another one, from what does not.
func objectVersion(object client.Object) version {
	v := version{uid: object.GetUID(), generation: object.GetGeneration()}
	if mw, isWindow := object.(*v1alpha1.MaintenanceWindow); isWindow {
		v.closed = ClosedVersion(mw)
	}
	return v
}

package compile

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"fonster.dev/fonster/api/v1alpha1"
)

// Source reads the windows and freezes of a cluster, and compiles what has changed since the last time.
type Source struct {
	// Reader is the manager's cache; a read costs no request.
	Reader client.Reader
	cache  Cache
}

// Compiled returns all windows and freezes as the cache has them now.
func (s *Source) Compiled(ctx context.Context) (*Compiled, error) {
	var windows v1alpha1.MaintenanceWindowList
	if err := s.Reader.List(ctx, &windows, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	var freezes v1alpha1.ChangeFreezeList
	if err := s.Reader.List(ctx, &freezes, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	return s.cache.Compile(windows.Items, freezes.Items), nil
}

// Changes passes the updates of a window or freeze that change what it is compiled to: its spec, or that an occurrence is
// closed early.
var Changes = predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	before, isWindow := e.ObjectOld.(*v1alpha1.MaintenanceWindow)
	after, still := e.ObjectNew.(*v1alpha1.MaintenanceWindow)
	return isWindow && still && ClosedVersion(before) != ClosedVersion(after)
}})

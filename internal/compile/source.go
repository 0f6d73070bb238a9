package compile

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

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

package override

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/override"
)

// Standing is an override that stands, with what the public may know of it, and the windows that it passes.
type Standing struct {
	Since, Until time.Time
	Notice       string
	// Audiences are those of the windows that are overridden; empty: everybody's.
	Audiences []string
	Windows   []string
}

// Standing lists the overrides that stand at now, and pass some window.
func (s *Store) Standing(ctx context.Context, reader client.Reader, source *compile.Source, now time.Time) ([]Standing, error) {
	objects, err := s.list(ctx)
	if err != nil || len(objects) == 0 {
		return nil, err
	}
	compiled, err := source.Compiled(ctx)
	if err != nil {
		return nil, err
	}
	var standing []Standing
	for _, o := range objects {
		current := override.Parse(o)
		if !current.Stands(now) {
			continue
		}
		g, err := governing(ctx, reader, o, compiled)
		if err != nil {
			return nil, err
		}
		if len(g.windows) == 0 {
			continue
		}
		audiences, err := audiencesOf(ctx, reader, g.windows)
		if err != nil {
			return nil, err
		}
		standing = append(standing, Standing{Since: began(o, current, now), Until: current.Until, Notice: current.Notice, Audiences: audiences, Windows: g.windows})
	}
	return standing, nil
}

// audiencesOf are the audiences of windows together; none where one of them is for everybody.
func audiencesOf(ctx context.Context, reader client.Reader, windows []string) ([]string, error) {
	var audiences []string
	for _, name := range windows {
		var mw v1alpha1.MaintenanceWindow
		if err := reader.Get(ctx, types.NamespacedName{Name: name}, &mw); err != nil {
			return nil, client.IgnoreNotFound(err)
		}
		if len(mw.Spec.Audiences) == 0 {
			return nil, nil
		}
		audiences = append(audiences, mw.Spec.Audiences...)
	}
	slices.Sort(audiences)
	return slices.Compact(audiences), nil
}

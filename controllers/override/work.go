package override

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/override"
)

// Standing lists, for each override that stands at now and passes some window, the names of the windows that it passes.
func (s *Store) Standing(ctx context.Context, reader client.Reader, source *compile.Source, now time.Time) ([][]string, error) {
	objects, err := s.list(ctx)
	if err != nil || len(objects) == 0 {
		return nil, err
	}
	compiled, err := source.Compiled(ctx)
	if err != nil {
		return nil, err
	}
	var standing [][]string
	for _, o := range objects {
		if !override.Parse(o).Stands(now) {
			continue
		}
		g, err := governing(ctx, reader, o, compiled)
		if err != nil {
			return nil, err
		}
		if len(g.windows) > 0 {
			standing = append(standing, g.windows)
		}
	}
	return standing, nil
}

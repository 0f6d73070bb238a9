package operator

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/controllers/override"
	"fonster.dev/fonster/internal/announce"
	"fonster.dev/fonster/internal/compile"
)

// work is the emergency work under way, for the page and the metrics of every replica.
type work struct {
	store  *override.Store
	reader client.Reader
	source *compile.Source
	now    func() time.Time
}

var _ announce.WorkSource = (*work)(nil)

func (w *work) standing(ctx context.Context) ([]override.Standing, error) {
	return w.store.Standing(ctx, w.reader, w.source, w.now())
}

// Work implements announce.WorkSource.
func (w *work) Work(ctx context.Context) ([]announce.Work, error) {
	standing, err := w.standing(ctx)
	if err != nil {
		return nil, err
	}
	var list []announce.Work
	for _, s := range standing {
		list = append(list, announce.Work{Since: s.Since, Until: s.Until, Notice: s.Notice, Audiences: s.Audiences})
	}
	return list, nil
}

// OnChange implements announce.WorkSource.
func (w *work) OnChange(ctx context.Context, changed func()) error {
	return w.store.OnChange(ctx, changed)
}

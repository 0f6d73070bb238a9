package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/history"
)

// retract takes back what the page says was cancelled or moved.
type retract struct {
	*root
	format
	name   string
	freeze bool
	dates  []string
	dryRun bool
}

// retracted is one time that is told no more, as JSON has it.
type retracted struct {
	Start   time.Time  `json:"start"`
	End     time.Time  `json:"end"`
	MovedTo *time.Time `json:"movedTo,omitempty"`
	Title   string     `json:"title,omitempty"`
}

func newRetract(r *root) *cobra.Command {
	o := &retract{root: r}
	command := &cobra.Command{
		Use:   "retract NAME",
		Short: "Take back what the page says was cancelled or moved, without a trace",
		Long: `Take back what page, calendars and feed say was cancelled, moved or ended early of a window, as if it had never been announced: after a
window that was applied by mistake, say, and deleted again. The times that are still to come are not touched: delete or change the
window for that.

It changes the ConfigMap announced-NAME (of a freeze freeze-announced-NAME) in the namespace of the operator.`,
		Example: `  kubectl delete mw test && kubectl window retract test
  kubectl window retract gemensamma-2026 --date 2026-12-12`,
		ValidArgsFunction: func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			if o.freeze {
				return r.completeFreezes(c, args, begun)
			}
			return r.completeWindows(c, args, begun)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("name one window, or with --freeze one freeze")
			}
			if err := o.checkFormat(); err != nil {
				return err
			}
			for _, date := range o.dates {
				if _, err := time.Parse(time.DateOnly, date); err != nil {
					return usagef("--date %s: want a day as YYYY-MM-DD, such as 2026-12-12", date)
				}
			}
			o.name = args[0]
			return o.execute(c.Context())
		},
	}
	f := command.Flags()
	f.BoolVar(&o.freeze, "freeze", false, "NAME is a change freeze")
	f.StringSliceVar(&o.dates, "date", nil, "only what was to begin on this day, as YYYY-MM-DD; may be repeated (default: everything)")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be taken back, and change nothing")
	o.bindFormat(command)
	return command
}

func (o *retract) execute(ctx context.Context) error {
	c, err := o.connect()
	if err != nil {
		return err
	}
	var list []history.Withdrawn
	for range 5 { // the operator writes the same ConfigMap
		if list, err = o.once(ctx, c); !apierrors.IsConflict(err) {
			break
		}
	}
	if err != nil {
		return err
	}
	items := make([]retracted, len(list))
	for i, w := range list {
		items[i] = retracted{w.Start, w.End, w.MovedTo, w.Title}
	}
	return o.write(o.format, items, func() error { return o.text(list) })
}

func (o *retract) text(list []history.Withdrawn) (err error) {
	if len(list) == 0 {
		_, err = fmt.Fprintf(o.Out, "nothing is told of %s that could be taken back\n", o.name)
		return err
	}
	for _, w := range list {
		if _, err = fmt.Fprintf(o.Out, "%s: %s is told no more%s\n", o.name, o.human(w.Start), choose(o.dryRun, " (dry run)", "")); err != nil {
			return err
		}
	}
	return nil
}

// once takes it back, unless the record has changed meanwhile.
func (o *retract) once(ctx context.Context, c client.Client) ([]history.Withdrawn, error) {
	prefix, object := history.WindowPrefix, client.Object(&v1alpha1.MaintenanceWindow{})
	if o.freeze {
		prefix, object = history.FreezePrefix, &v1alpha1.ChangeFreeze{}
	}
	err := c.Get(ctx, types.NamespacedName{Name: o.name}, object)
	gone := apierrors.IsNotFound(err)
	if err != nil && !gone {
		return nil, forbidden(err, "windows and freezes", "a ClusterRoleBinding to fonster-editor")
	}
	stored := &corev1.ConfigMap{}
	key := types.NamespacedName{Namespace: o.operator(ctx, c).In(), Name: history.ObjectName(prefix, o.name)}
	switch err := c.Get(ctx, key, stored); {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, forbidden(err, "what was announced", "the Role fonster-announcements in "+key.Namespace)
	}
	record := history.Parse(stored.Data)
	if record == nil {
		return nil, fmt.Errorf("the ConfigMap %s cannot be read: delete it, and it is made anew", key)
	}
	left, list := record.Retract(o.dates, gone)
	if o.dryRun || len(list) == 0 && left != nil {
		return list, nil
	}
	if left == nil {
		return list, c.Delete(ctx, stored, client.Preconditions{ResourceVersion: &stored.ResourceVersion})
	}
	if stored.Data, err = left.Data(); err != nil {
		return nil, err
	}
	return list, c.Update(ctx, stored, client.FieldOwner("kubectl-window"))
}

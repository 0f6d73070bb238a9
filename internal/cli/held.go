package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/rollout"
	"fonster.dev/fonster/internal/workload"
)

// heldCommand lists what waits.
type heldCommand struct {
	*root
	output    string
	namespace string
	all       bool
}

// heldReport is one held rollout, as JSON has it.
type heldReport struct {
	Kind      string   `json:"kind"`
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"`
	Windows   []string `json:"windows"`
	Since     string   `json:"since,omitempty"`
	// Priority is that of the annotation release-priority.
	Priority int `json:"priority"`
	// Position is its place in the queue of its window, from 1 on; 0: it has been released.
	Position int    `json:"position"`
	OpensAt  string `json:"opensAt,omitempty"`
	When     string `json:"when"`

	since time.Time
	opens string
}

func newHeld(r *root) *cobra.Command {
	o := &heldCommand{root: r}
	command := &cobra.Command{
		Use:   "held [WINDOW...]",
		Short: "List the rollouts that wait for a window",
		Long: `List the rollouts that wait for a window, in the order in which they will be released; and those released that are not yet
known to be done. It reads only what carries the mark of a held rollout. With -n the rights in that namespace are enough, besides
that to read windows.`,
		Example: `  kubectl window held
  kubectl window held -n osthammar
  kubectl window held osthammar-saturdays -o json`,
		RunE: func(c *cobra.Command, args []string) error {
			if o.output != "text" && o.output != "json" {
				return usagef("-o %s: want text or json", o.output)
			}
			if o.all && o.namespace != "" {
				return usagef("-n names one namespace, -A means all: give one of them")
			}
			return o.execute(c.Context(), args)
		},
	}
	flags := command.Flags()
	flags.StringVarP(&o.output, "output", "o", "text", "text or json")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "only what waits in this namespace (default: in all)")
	flags.BoolVarP(&o.all, "all-namespaces", "A", false, "what waits in all namespaces: the default")
	return command
}

func (o *heldCommand) execute(ctx context.Context, names []string) error {
	compiled, windows, c, err := o.compiled(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, known := windows[name]; !known {
			return fmt.Errorf("no window is called %s: see 'kubectl get mw'", name)
		}
	}
	now := o.now()
	var reader client.Reader = c
	if o.namespace != "" {
		reader = oneNamespace{c, o.namespace}
	}
	all, err := workload.List(ctx, reader, compiled.Set, now)
	if err != nil {
		return forbidden(err, "what is held", "the ClusterRole view, or name a namespace with -n")
	}
	reports := []heldReport{}
	places := map[string]int{}
	add := func(w workload.Workload, position int, when string) {
		if len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool { return slices.Contains(w.Windows, name) }) {
			return
		}
		r := heldReport{
			Kind: w.Kind, Namespace: w.Meta.Namespace, Name: w.Meta.Name, Windows: w.Windows, Position: position, When: when, Priority: w.Priority,
			Since: instant(w.Since), OpensAt: instant(w.Verdict.OpensAt), since: w.Since, opens: strings.TrimPrefix(when, "opens "),
		}
		reports = append(reports, r)
	}
	for _, w := range all {
		if w.Released {
			add(w, 0, "released, not yet done")
		}
	}
	list := make([]v1alpha1.MaintenanceWindow, 0, len(windows))
	for _, mw := range windows {
		list = append(list, *mw)
	}
	rules := workload.Windows(compiled, list, now)
	for _, w := range workload.Waiting(all, rules) {
		queue := strings.Join(w.Windows, ",")
		places[queue]++
		add(w, places[queue], whenReleased(w, rules))
	}
	if o.output == "json" {
		return writeJSON(o.Out, reports)
	}
	return o.write(reports)
}

// whenReleased tells people when a rollout that waits will be released.
func whenReleased(w workload.Workload, windows map[string]rollout.Window) string {
	switch {
	case w.Verdict.Freeze != "" && w.Verdict.OpensAt.IsZero():
		return "frozen by " + w.Verdict.Freeze
	case w.Verdict.Freeze != "":
		return "frozen by " + w.Verdict.Freeze + "; opens " + compile.Human(w.Verdict.OpensAt)
	case w.Overridden:
		return "now: an override stands"
	case len(w.Windows) == 0:
		return "soon: no window governs it any more"
	case len(w.Accepting) > 0 && windows[w.Accepting[0]].Ended(w.Namespace):
		return "at the next opening: a rollout of its namespace failed in this one of " + w.Accepting[0]
	case len(w.Accepting) > 0:
		return "in its turn: " + w.Accepting[0] + " is open"
	case w.Verdict.OpensAt.IsZero():
		return "no coming opening"
	}
	return "opens " + compile.Human(w.Verdict.OpensAt)
}

func (o *heldCommand) write(reports []heldReport) error {
	if len(reports) == 0 {
		_, err := fmt.Fprintln(o.Out, "No rollout is held.")
		return err
	}
	table := tabwriter.NewWriter(o.Out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "OBJECT\tWINDOW\tSINCE\tPRIORITY\tPOSITION\tOPENS")
	for _, r := range reports {
		position := "-"
		if r.Position > 0 {
			position = fmt.Sprint(r.Position)
		}
		fmt.Fprintf(table, "%s %s/%s\t%s\t%s\t%d\t%s\t%s\n",
			r.Kind, r.Namespace, r.Name, strings.Join(r.Windows, ","), o.human(r.since), r.Priority, position, r.opens)
	}
	return table.Flush()
}

// oneNamespace reads one namespace alone, for who has rights there only.
type oneNamespace struct {
	client.Reader
	name string
}

// List reads what is in the namespace; of Namespaces, itself.
func (r oneNamespace) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	metadata, is := list.(*metav1.PartialObjectMetadataList)
	if !is || metadata.Kind != "NamespaceList" {
		return r.Reader.List(ctx, list, append(options, client.InNamespace(r.name))...)
	}
	ns := metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(metadata.GroupVersionKind().GroupVersion().WithKind("Namespace"))
	if err := r.Get(ctx, client.ObjectKey{Name: r.name}, &ns); err != nil {
		return err
	}
	metadata.Items = []metav1.PartialObjectMetadata{ns}
	return nil
}

func newClose(r *root) *cobra.Command {
	return &cobra.Command{
		Use:   "close WINDOW",
		Short: "End the occurrence of a window that is in progress: the work is done",
		Long: `End the occurrence of a window that is in progress, before its time. Its gate closes at once, and opens again with the next
occurrence. Requires the ` + "`patch`" + ` verb on the MaintenanceWindow.`,
		Example: "  kubectl window close third-saturday",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("name one window to close: see 'kubectl get mw'")
			}
			return r.closeWindow(c.Context(), args[0])
		},
	}
}

func (r *root) closeWindow(ctx context.Context, name string) error {
	compiled, windows, c, err := r.compiled(ctx)
	if err != nil {
		return err
	}
	mw, known := windows[name]
	if !known {
		return fmt.Errorf("no window is called %s: see 'kubectl get mw'", name)
	}
	now := r.now().UTC().Truncate(time.Second)
	current, open := workload.Occurrence(compiled, mw, now)
	if !open {
		return fmt.Errorf("window %s is not open: there is nothing to close", name)
	}
	if current.End.IsZero() {
		return errors.New("no end of this occurrence is known: change the window's schedules instead")
	}
	if err := annotate(ctx, c, mw, v1alpha1.ClosedAnnotation, compile.Closing(now, current.End)); err != nil {
		return fmt.Errorf("closing window %s: %w", name, err)
	}
	_, err = fmt.Fprintf(r.Out, "window %s is closed; it was planned until %s (used %s of %s)\n", name, compile.Human(current.End),
		length(now.Sub(current.Start)), length(current.End.Sub(current.Start)))
	return err
}

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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/decision"
	"fonster.dev/fonster/internal/rollout"
	"fonster.dev/fonster/internal/workload"
)

// heldCommand lists what waits.
type heldCommand struct {
	*root
	format
	scope
	watch bool
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
known to be done. The rights of the ClusterRole view in the namespace are enough: whoever may not read windows is told what the Gate tells.`,
		Example: `  kubectl window held
  kubectl window held -n osthammar
  kubectl window held osthammar-saturdays -A -o json
  kubectl window held -w                          # again, whenever something changes`,
		ValidArgsFunction: r.completeWindows,
		RunE: func(c *cobra.Command, args []string) error {
			if err := errors.Join(o.checkFormat(), o.checkScope()); err != nil {
				return err
			}
			namespace := r.inScope(o.scope)
			return r.once(c.Context(), o.watch, namespace, func(ctx context.Context, _ client.Client) error { return o.execute(ctx, namespace, args) })
		},
	}
	o.bindScope(command.Flags())
	o.bindTable(command, "name")
	command.Flags().BoolVarP(&o.watch, "watch", "w", false, "tell again whenever something changes")
	return command
}

func (o *heldCommand) execute(ctx context.Context, namespace string, names []string) error {
	reports, known, err := o.heldReports(ctx, namespace)
	if err != nil {
		return err
	}
	for _, name := range names {
		if known != nil && !slices.Contains(known, name) {
			return fmt.Errorf("no window is called %s: see 'kubectl get mw'", name)
		}
	}
	reports = slices.DeleteFunc(reports, func(r heldReport) bool {
		return len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool { return slices.Contains(r.Windows, name) })
	})
	if o.output == "name" {
		for _, r := range reports {
			fmt.Fprintf(o.Out, "%s.apps/%s\n", strings.ToLower(r.Kind), r.Name)
		}
		return nil
	}
	return o.write(o.format, reports, func() error { return o.text(reports, namespace) })
}

// heldReports lists what is held in a namespace, or in all; and the names of all windows, as far as the caller may read them. Without, the
// Gates tell what there is to tell.
func (r *root) heldReports(ctx context.Context, namespace string) (reports []heldReport, windows []string, err error) {
	found, c, err := r.read(ctx)
	if apierrors.IsForbidden(err) {
		reports, err = r.heldByGates(ctx, c, namespace)
		return reports, nil, err
	}
	if err != nil {
		return nil, nil, err
	}
	compiled, now := found.compile(), r.serverNow()
	var reader client.Reader = c
	if namespace != "" {
		reader = oneNamespace{c, namespace}
	}
	all, err := workload.List(ctx, reader, compiled, now)
	if err != nil {
		return nil, nil, forbiddenHeld(err)
	}
	reports = []heldReport{}
	for _, w := range all {
		if w.Released {
			reports = append(reports, reportHeld(w, w.Verdict.OpensAt, 0, "released, not yet done"))
		}
	}
	list := make([]v1alpha1.MaintenanceWindow, 0, len(found.windows))
	for _, s := range found.windows {
		list, windows = append(list, *s.object), append(windows, s.object.Name)
	}
	rules, places := workload.Windows(compiled, list, now), map[string]int{}
	for _, w := range workload.Waiting(all, rules) {
		queue := strings.Join(w.Windows, ",")
		places[queue]++
		reports = append(reports, reportHeld(w, w.Verdict.OpensAt, places[queue], whenReleased(w, rules)))
	}
	return reports, windows, nil
}

func forbiddenHeld(err error) error {
	return forbidden(err, "what is held", "the ClusterRole view in the namespace, and name it with -n")
}

func reportHeld(w workload.Workload, opens time.Time, position int, when string) heldReport {
	return heldReport{
		Kind: w.Kind, Namespace: w.Meta.Namespace, Name: w.Meta.Name, Windows: w.Windows, Position: position, When: when, Priority: w.Priority,
		Since: instant(w.Since), OpensAt: instant(opens), since: w.Since, opens: strings.TrimPrefix(when, "opens "),
	}
}

// heldByGates lists what is held by what the Gates say: for who may not read windows. How a window deals its turns is not known then, so each
// namespace has a queue of its own.
func (r *root) heldByGates(ctx context.Context, c client.Client, namespace string) ([]heldReport, error) {
	var gates v1alpha1.GateList
	if err := c.List(ctx, &gates, client.InNamespace(namespace)); err != nil {
		return nil, forbiddenHeld(err)
	}
	byNamespace := map[string]*v1alpha1.Gate{}
	for i := range gates.Items {
		byNamespace[gates.Items[i].Namespace] = &gates.Items[i]
	}
	var reader client.Reader = c
	if namespace != "" {
		reader = oneNamespace{c, namespace}
	}
	now := r.serverNow()
	all, err := workload.List(ctx, reader, new(compile.Cache).Compile(nil, nil), now)
	if err != nil {
		return nil, forbiddenHeld(err)
	}
	slices.SortFunc(all, func(a, b workload.Workload) int { return rollout.Order(a.Object, b.Object) })
	reports, places := []heldReport{}, map[string]int{}
	for _, released := range []bool{true, false} {
		for _, w := range all {
			if w.Released != released {
				continue
			}
			set := labels.Set(w.Meta.Labels)
			a := decision.Decide(byNamespace[w.Meta.Namespace], decision.Request{Disruption: v1alpha1.Rollout, Holdable: true, Selects: func(s *metav1.LabelSelector) bool {
				is, err := selects(s, &set)
				return err != nil || is
			}}, now)
			w.Windows = a.Windows
			if released {
				reports = append(reports, reportHeld(w, a.From, 0, "released, not yet done"))
				continue
			}
			places[w.Meta.Namespace]++
			reports = append(reports, reportHeld(w, a.From, places[w.Meta.Namespace], r.whenByGate(a, w.Overridden)))
		}
	}
	return reports, nil
}

// whenByGate tells people when a rollout that waits will be released, by what its Gate says.
func (r *root) whenByGate(a decision.Answer, overridden bool) string {
	switch {
	case len(a.Frozen) > 0:
		return "frozen by " + a.Frozen[0].Name + choose(a.FromWords != "", "; "+choose(a.AtLeast, "not before ", "opens ")+a.FromWords, "")
	case overridden:
		return "now: an override stands"
	case len(a.Windows) == 0:
		return "soon: no window governs it any more"
	case a.Word.Begins():
		return "in its turn: a window is open"
	case a.From.IsZero():
		return "no coming opening"
	}
	return "opens " + a.FromWords
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

func (o *heldCommand) text(reports []heldReport, namespace string) error {
	if len(reports) == 0 {
		_, err := fmt.Fprintln(o.Out, "No rollout is held"+in(namespace))
		return err
	}
	table := tabwriter.NewWriter(o.Out, 0, 0, 3, ' ', 0)
	fmt.Fprint(table, o.header("OBJECT", "WINDOW", "SINCE", "PRIORITY", "POSITION", "OPENS"))
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

// in ends a sentence about a namespace, or all.
func in(namespace string) string {
	if namespace == "" {
		return "."
	}
	return " in namespace " + namespace + ". -A looks in all."
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
		Use:               "close WINDOW",
		Short:             "End the occurrence of a window that is in progress: the work is done",
		ValidArgsFunction: r.completeWindows,
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

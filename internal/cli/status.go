package cli

import (
	"context"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
)

// status tells what is open now.
type status struct {
	*root
	output    string
	namespace string
	all       bool
}

// report is the status as JSON has it.
type report struct {
	Windows []windowReport `json:"windows"`
	Freezes []freezeReport `json:"freezes"`
	Gates   []gateReport   `json:"gates"`
}

type windowReport struct {
	Name  string `json:"name"`
	Title string `json:"title,omitempty"`
	Open  bool   `json:"open"`
	// Accepting says that something new may begin: it is open, and not in its cutoff.
	Accepting      bool   `json:"accepting"`
	When           string `json:"when"`
	OpensAt        string `json:"opensAt,omitempty"`
	ClosesAt       string `json:"closesAt,omitempty"`
	NothingNewFrom string `json:"nothingNewFrom,omitempty"`
	Problem        string `json:"problem,omitempty"`
}

type freezeReport struct {
	Name     string `json:"name"`
	Reason   string `json:"reason"`
	Active   bool   `json:"active"`
	When     string `json:"when"`
	StartsAt string `json:"startsAt,omitempty"`
	EndsAt   string `json:"endsAt,omitempty"`
	Problem  string `json:"problem,omitempty"`
}

// gateReport is what may pass in a governed namespace.
type gateReport struct {
	Namespace string             `json:"namespace"`
	State     v1alpha1.GateState `json:"state"`
	When      string             `json:"when,omitempty"`
	By        string             `json:"by,omitempty"`
}

func newStatus(r *root) *cobra.Command {
	o := &status{root: r}
	command := &cobra.Command{
		Use:   "status [WINDOW...]",
		Short: "Show what is open now, and what opens next",
		Long: `Show what is open now, and what opens next, worked out from the windows and freezes of the cluster at this instant; and the
gates as they are in force in each governed namespace, which the operator writes.`,
		Example: `  kubectl window status
  kubectl window status -n osthammar        # the gate of one namespace
  kubectl window status third-saturday -o json`,
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
	flags.StringVarP(&o.namespace, "namespace", "n", "", "only the gate of this namespace (default: all that you may read)")
	flags.BoolVarP(&o.all, "all-namespaces", "A", false, "the gates of all namespaces, or an error")
	return command
}

func (o *status) execute(ctx context.Context, names []string) error {
	found, c, err := o.read(ctx)
	if err != nil {
		return err
	}
	gates, err := o.gates(ctx, c)
	if err != nil {
		return err
	}
	r, err := o.report(found, gates, names)
	if err != nil {
		return err
	}
	if o.output == "json" {
		return writeJSON(o.Out, r)
	}
	return o.write(r)
}

// gates reads the gates of all namespaces, or of the one that is asked for; where not all may be read, that of the context.
func (o *status) gates(ctx context.Context, c client.Client) ([]v1alpha1.Gate, error) {
	var gates v1alpha1.GateList
	err := c.List(ctx, &gates, client.InNamespace(o.namespace))
	if apierrors.IsForbidden(err) && o.namespace == "" && !o.all {
		namespace := o.defaultNamespace()
		fmt.Fprintf(o.Err, "You may not read the gates of all namespaces: this is that of %s.\n", namespace)
		err = c.List(ctx, &gates, client.InNamespace(namespace))
	}
	if err != nil {
		return nil, forbidden(err, "gates", "fonster-viewer, which is part of view, in the namespace")
	}
	return slices.DeleteFunc(gates.Items, func(g v1alpha1.Gate) bool { return g.Name != v1alpha1.GateName }), nil
}

func (o *status) report(found objects, gates []v1alpha1.Gate, names []string) (report, error) {
	now := o.now()
	compiled := found.compile()
	r := report{Windows: []windowReport{}, Freezes: []freezeReport{}, Gates: []gateReport{}}
	for _, name := range names {
		if _, known := compiled.Windows[name]; !known {
			return r, fmt.Errorf("no window is called %s: see 'kubectl get mw'", name)
		}
	}
	for _, s := range found.windows {
		if len(names) == 0 || slices.Contains(names, s.object.Name) {
			r.Windows = append(r.Windows, reportWindow(s.object, compiled, now))
		}
	}
	if len(names) > 0 {
		return r, nil
	}
	for _, s := range found.freezes {
		r.Freezes = append(r.Freezes, reportFreeze(s.object, compiled, now))
	}
	for _, g := range gates {
		summary := g.Spec.Summary
		r.Gates = append(r.Gates, gateReport{Namespace: g.Namespace, State: summary.State, When: summary.When, By: summary.By})
	}
	return r, nil
}

func reportWindow(mw *v1alpha1.MaintenanceWindow, compiled *compile.Compiled, now time.Time) windowReport {
	state, _ := compiled.Set.Window(mw.Name, now)
	w := windowReport{
		Name: mw.Name, Title: mw.Spec.Title, Open: state.Open, Accepting: state.Accepting, Problem: problem(compiled.Windows[mw.Name].Problems),
		OpensAt: instant(state.OpensAt), ClosesAt: instant(state.ClosesAt), NothingNewFrom: instant(state.NothingNewFrom),
	}
	switch {
	case w.Problem != "":
		w.When = "closed: " + w.Problem
	case state.Open:
		w.When = compile.WhenOpen(state)
	case state.OpensAt.IsZero():
		w.When = "no coming opening"
	default:
		w.When = "opens " + compile.Human(state.OpensAt)
	}
	if state.Freeze != "" {
		w.When = "frozen by " + state.Freeze + ", " + w.When
	}
	return w
}

func reportFreeze(cf *v1alpha1.ChangeFreeze, compiled *compile.Compiled, now time.Time) freezeReport {
	state, _, found := compiled.Set.Freeze(cf.Name, now)
	f := freezeReport{
		Name: cf.Name, Reason: cf.Spec.Reason, Active: found && state.Active, Problem: problem(compiled.Freezes[cf.Name].Problems),
		StartsAt: instant(state.StartsAt), EndsAt: instant(state.EndsAt),
	}
	switch {
	case f.Problem != "":
		f.When = f.Problem
	case f.Active && state.EndsAt.IsZero():
		f.When = "until changed or deleted"
	case f.Active:
		f.When = "ends " + compile.Human(state.EndsAt)
	case state.StartsAt.IsZero():
		f.When = "no coming freeze"
	default:
		f.When = "begins " + compile.Human(state.StartsAt)
	}
	return f
}

// instant is an instant as JSON has it; empty for none.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

func problem(p compile.Problems) string {
	if len(p) == 0 {
		return ""
	}
	return p.Error()
}

func (o *status) write(r report) error {
	if len(r.Windows)+len(r.Freezes) == 0 {
		_, err := fmt.Fprintln(o.Out, "The cluster has no MaintenanceWindow and no ChangeFreeze: nothing is governed.")
		return err
	}
	table := tabwriter.NewWriter(o.Out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "WINDOW\tSTATE\tWHEN\tTITLE")
	for _, w := range r.Windows {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", w.Name, choose(w.Open, "Open", "Closed"), w.When, w.Title)
	}
	if len(r.Freezes) > 0 {
		fmt.Fprintln(table, "\nFREEZE\tSTATE\tWHEN\tREASON")
		for _, f := range r.Freezes {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", f.Name, choose(f.Active, "Active", "Inactive"), f.When, f.Reason)
		}
	}
	if len(r.Gates) > 0 {
		fmt.Fprintln(table, "\nNAMESPACE\tSTATE\tWHEN\tBY")
		for _, g := range r.Gates {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", g.Namespace, g.State, g.When, g.By)
		}
	}
	return table.Flush()
}

func choose(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}

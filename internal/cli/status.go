package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/gate"
)

// status tells what is open now.
type status struct {
	*root
	format
	scope
	watch bool
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
		Long: `Show what is open now, and what opens next, in a namespace: the windows and freezes that govern it, worked out at this instant, and its
Gate as it is in force, which the operator writes. With -A those of the whole cluster.

The rights of the ClusterRole view in the namespace are enough for its Gate: whoever may not read windows is told what that tells.`,
		Example: `  kubectl window status                     # of the namespace of the context
  kubectl window status -A -w               # of the cluster, and again whenever something changes
  kubectl window status third-saturday -o json`,
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
	command.Flags().BoolVarP(&o.watch, "watch", "w", false, "show it again whenever something changes")
	return command
}

func (o *status) execute(ctx context.Context, namespace string, names []string) error {
	found, c, err := o.read(ctx)
	unread := apierrors.IsForbidden(err) && len(names) == 0
	if err != nil && !unread {
		return err
	}
	var gates []v1alpha1.Gate
	if len(names) == 0 {
		if gates, err = o.gates(ctx, c, namespace); err != nil {
			return err
		}
	}
	if unread {
		fmt.Fprintln(o.Err, "You may not read windows and freezes: these are the Gates alone. Ask for a ClusterRoleBinding to fonster-viewer.")
	}
	shown := found
	if namespace != "" && len(names) == 0 && !unread {
		if shown, err = o.governingOnly(ctx, c, found, namespace); err != nil {
			return err
		}
	}
	r, err := o.report(found, shown, gates, names)
	if err != nil {
		return err
	}
	if o.output == "name" {
		for _, w := range r.Windows {
			fmt.Fprintln(o.Out, "maintenancewindow."+v1alpha1.GroupName+"/"+w.Name)
		}
		for _, f := range r.Freezes {
			fmt.Fprintln(o.Out, "changefreeze."+v1alpha1.GroupName+"/"+f.Name)
		}
		return nil
	}
	return o.write(o.format, r, func() error { return o.text(r, namespace, len(found.windows)+len(found.freezes)) })
}

// governingOnly are those windows and freezes that govern a namespace; all, where the caller may not read its labels.
func (r *root) governingOnly(ctx context.Context, c client.Client, found objects, namespace string) (objects, error) {
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(core("Namespace"))
	err := c.Get(ctx, client.ObjectKey{Name: namespace}, ns)
	switch {
	case apierrors.IsForbidden(err):
		return found, nil
	case apierrors.IsNotFound(err):
		return objects{}, nil
	case err != nil:
		return objects{}, err
	}
	var some objects
	if r.operator(ctx, c).Protected(namespace) {
		return some, nil
	}
	g := found.compile().Set.Of(ns.Labels)
	if g == nil {
		return some, nil
	}
	for _, s := range found.windows {
		if slices.ContainsFunc(g.Windows, func(w *gate.Window) bool { return w.Name == s.object.Name }) {
			some.windows = append(some.windows, s)
		}
	}
	for _, s := range found.freezes {
		if slices.ContainsFunc(g.Freezes, func(f *gate.Freeze) bool { return f.Name == s.object.Name }) {
			some.freezes = append(some.freezes, s)
		}
	}
	return some, nil
}

// gates reads the Gate of a namespace, or those of all.
func (o *status) gates(ctx context.Context, c client.Client, namespace string) ([]v1alpha1.Gate, error) {
	var gates v1alpha1.GateList
	err := c.List(ctx, &gates, client.InNamespace(namespace))
	switch {
	case apierrors.IsForbidden(err) && namespace == "":
		return nil, forbidden(err, "the Gates of all namespaces", "the ClusterRole view by a ClusterRoleBinding, or name a namespace of yours with -n")
	case err != nil:
		return nil, forbiddenIn(err, "the Gate", "list gates.maintenance.fonster.dev", namespace)
	}
	return slices.DeleteFunc(gates.Items, func(g v1alpha1.Gate) bool { return g.Name != v1alpha1.GateName }), nil
}

// report tells of what is shown, of all that was found.
func (o *status) report(found, shown objects, gates []v1alpha1.Gate, names []string) (report, error) {
	now := o.serverNow()
	compiled := found.compile()
	r := report{Windows: []windowReport{}, Freezes: []freezeReport{}, Gates: []gateReport{}}
	for _, name := range names {
		if _, known := compiled.Windows[name]; !known {
			return r, fmt.Errorf("no window is called %s: see 'kubectl get mw'", name)
		}
	}
	for _, s := range shown.windows {
		if len(names) == 0 || slices.Contains(names, s.object.Name) {
			r.Windows = append(r.Windows, reportWindow(s.object, compiled, now))
		}
	}
	if len(names) > 0 {
		return r, nil
	}
	for _, s := range shown.freezes {
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

func (o *status) text(r report, namespace string, known int) error {
	switch {
	case len(r.Windows)+len(r.Freezes)+len(r.Gates) > 0:
	case known == 0:
		_, err := fmt.Fprintln(o.Out, choose(namespace == "", "The cluster has no MaintenanceWindow and no ChangeFreeze: nothing is governed.",
			"No window and no freeze governs namespace "+namespace+"."))
		return err
	default:
		_, err := fmt.Fprintf(o.Out, "No window and no freeze governs namespace %s: -A shows those of the cluster.\n", namespace)
		return err
	}
	table := tabwriter.NewWriter(o.Out, 0, 0, 3, ' ', 0)
	between := ""
	header := func(columns ...string) {
		fmt.Fprint(table, between, o.header(columns...))
		between = "\n"
	}
	if len(r.Windows) > 0 {
		header("WINDOW", "STATE", "WHEN", "TITLE")
	}
	for _, w := range r.Windows {
		o.row(table, w.Name, choose(w.Open, "Open", "Closed"), w.When, w.Title)
	}
	if len(r.Freezes) > 0 {
		header("FREEZE", "STATE", "WHEN", "REASON")
	}
	for _, f := range r.Freezes {
		o.row(table, f.Name, choose(f.Active, "Active", "Inactive"), f.When, f.Reason)
	}
	if len(r.Gates) > 0 {
		header("NAMESPACE", "STATE", "WHEN", "BY")
	}
	for _, g := range r.Gates {
		o.row(table, g.Namespace, string(g.State), g.When, g.By)
	}
	return table.Flush()
}

// widest is how long a cell is at most, in characters: what is wrong with one window must not widen the table for all.
const widest = 80

// row writes a row, with what is too long in the third cell on lines of its own.
func (o *status) row(w io.Writer, name, state, when, last string) {
	lines := wrap(when, widest)
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, state, lines[0], last)
	for _, line := range lines[1:] {
		fmt.Fprintf(w, "\t\t%s\t\n", line)
	}
}

// wrap breaks a text between words into lines of n characters at most; a longer word has a line of its own.
func wrap(text string, n int) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len([]rune(*last))+1+len([]rune(word)) <= n:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

func choose(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}

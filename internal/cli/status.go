package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
)

// status tells what is open now.
type status struct {
	*root
	output string
}

// report is the status as JSON has it.
type report struct {
	Windows []windowReport `json:"windows"`
	Freezes []freezeReport `json:"freezes"`
	Gates   []gateReport   `json:"gates"`
}

type windowReport struct {
	Name     string `json:"name"`
	Title    string `json:"title,omitempty"`
	Open     bool   `json:"open"`
	When     string `json:"when"`
	OpensAt  string `json:"opensAt,omitempty"`
	ClosesAt string `json:"closesAt,omitempty"`
	Problem  string `json:"problem,omitempty"`
}

type freezeReport struct {
	Name    string `json:"name"`
	Reason  string `json:"reason"`
	Active  bool   `json:"active"`
	EndsAt  string `json:"endsAt,omitempty"`
	Problem string `json:"problem,omitempty"`
}

type gateReport struct {
	Name   string                        `json:"name"`
	States map[string]v1alpha1.GateState `json:"states"`
}

func newStatus(r *root) *cobra.Command {
	o := &status{root: r}
	command := &cobra.Command{
		Use:   "status [WINDOW...]",
		Short: "Show what is open now, and what opens next",
		Long: `Show what is open now, and what opens next, worked out from the windows and freezes of the cluster at this instant; and the
gates as they are in force, which the operator writes.`,
		RunE: func(c *cobra.Command, args []string) error {
			if o.output != "text" && o.output != "json" {
				return usagef("-o %s: want text or json", o.output)
			}
			return o.execute(c.Context(), args)
		},
	}
	command.Flags().StringVarP(&o.output, "output", "o", "text", "text or json")
	return command
}

func (o *status) execute(ctx context.Context, names []string) error {
	found, c, err := o.read(ctx)
	if err != nil {
		return err
	}
	var gates v1alpha1.GateList
	if err := c.List(ctx, &gates); err != nil {
		return fmt.Errorf("reading the cluster's gates: %w", err)
	}
	r, err := o.report(found, gates.Items, names)
	if err != nil {
		return err
	}
	if o.output == "json" {
		return writeJSON(o.Out, r)
	}
	return o.write(r)
}

func (o *status) report(found objects, gates []v1alpha1.Gate, names []string) (report, error) {
	now := o.now()
	var windows []v1alpha1.MaintenanceWindow
	var freezes []v1alpha1.ChangeFreeze
	for _, s := range found.windows {
		windows = append(windows, *s.object)
	}
	for _, s := range found.freezes {
		freezes = append(freezes, *s.object)
	}
	compiled := new(compile.Cache).Compile(windows, freezes)
	r := report{Windows: []windowReport{}, Freezes: []freezeReport{}, Gates: []gateReport{}}
	for _, name := range names {
		if _, known := compiled.Windows[name]; !known {
			return r, fmt.Errorf("no window is called %s: see 'kubectl get mw'", name)
		}
	}
	for i := range windows {
		mw := &windows[i]
		if len(names) > 0 && !slices.Contains(names, mw.Name) {
			continue
		}
		state, _ := compiled.Set.Window(mw.Name, now)
		w := windowReport{Name: mw.Name, Title: mw.Spec.Title, Open: state.Open, Problem: problem(compiled.Windows[mw.Name].Problems)}
		switch {
		case w.Problem != "":
			w.When = "closed: " + w.Problem
		case state.Open && state.ClosesAt.IsZero():
			w.When = "no end is known"
		case state.Open:
			w.When, w.ClosesAt = "closes "+compile.Human(state.ClosesAt), state.ClosesAt.Format(time.RFC3339)
		case state.OpensAt.IsZero():
			w.When = "no coming opening"
		default:
			w.When, w.OpensAt = "opens "+compile.Human(state.OpensAt), state.OpensAt.Format(time.RFC3339)
		}
		if state.Freeze != "" {
			w.When = "frozen by " + state.Freeze + ", " + w.When
		}
		r.Windows = append(r.Windows, w)
	}
	if len(names) > 0 {
		return r, nil
	}
	for i := range freezes {
		cf := &freezes[i]
		state, _, _, found := compiled.Set.Freeze(cf.Name, now)
		f := freezeReport{Name: cf.Name, Reason: cf.Spec.Reason, Active: found && state.Active, Problem: problem(compiled.Freezes[cf.Name].Problems)}
		if f.Active && !state.EndsAt.IsZero() {
			f.EndsAt = state.EndsAt.Format(time.RFC3339)
		}
		r.Freezes = append(r.Freezes, f)
	}
	for _, g := range gates {
		states := map[string]v1alpha1.GateState{}
		for _, d := range g.Spec.Disruptions {
			states[string(d.Disruption)] = d.State
		}
		r.Gates = append(r.Gates, gateReport{Name: g.Name, States: states})
	}
	return r, nil
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
		fmt.Fprintln(table, "\nFREEZE\tSTATE\tENDS\tREASON")
		for _, f := range r.Freezes {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", f.Name, choose(f.Active, "Active", "Inactive"), f.EndsAt, f.Reason)
		}
	}
	if len(r.Gates) > 0 {
		fmt.Fprintln(table, "\nGATE\tIN FORCE")
		for _, g := range r.Gates {
			var states []string
			for _, d := range []string{"Rollout", "ScaleDown", "Delete", "Evict"} {
				if s, governed := g.States[d]; governed {
					states = append(states, d+" "+string(s))
				}
			}
			fmt.Fprintf(table, "%s\t%s\n", g.Name, strings.Join(states, ", "))
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

package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/decision"
	"fonster.dev/fonster/internal/gate"
)

// explainCommand tells of one object, or a namespace, what may be done to it now, and if not, why, when and who may let it.
type explainCommand struct {
	*root
	format
	namespace string
	watch     bool
}

// explanation is all of it, as JSON has it.
type explanation struct {
	Object string `json:"object"`
	// At is when it was asked, by the clock of the API server; not with --watch, which tells what changes.
	At string `json:"at,omitempty"`
	// Governed says that the namespace has a Gate; Gate is its summary.
	Governed    bool           `json:"governed"`
	Gate        *gateReport    `json:"gate,omitempty"`
	Disruptions []answerReport `json:"disruptions"`
	// Held is the place of a rollout that waits, or has been released and is not yet done.
	Held      *heldReport        `json:"held,omitempty"`
	Overrides []standingOverride `json:"overrides,omitempty"`
	Emergency *emergency         `json:"emergency,omitempty"`
	// Windows are those that govern it, as far as they may be read.
	Windows []windowReport `json:"windows,omitempty"`
	// Notes tell what could not be read, and what that costs.
	Notes []string `json:"notes,omitempty"`
}

// emergency is what it takes to pass in one.
type emergency struct {
	// On is the object that carries the override.
	On string `json:"on"`
	// Command sets it, as does Annotate, with kubectl alone.
	Command  string `json:"command"`
	Annotate string `json:"annotate"`
	// MaxDuration is how long it stands at most, such as 1h.
	MaxDuration    string   `json:"maxDuration"`
	ReasonPatterns []string `json:"reasonPatterns,omitempty"`
	// Needs are the rights that it takes: each of them.
	Needs []need `json:"needs,omitempty"`
	// HoldersKnown says that the caller may read who has them.
	HoldersKnown bool `json:"holdersKnown"`
}

func newExplain(r *root) *cobra.Command {
	o := &explainCommand{root: r}
	command := &cobra.Command{
		Use:     "explain [KIND/NAME]",
		Aliases: []string{"when"},
		Short:   "Tell whether an object may be disturbed now, and if not, why, until when, and who may let it",
		Long: `Tell of an object, or of a namespace when none is named, whether each disruption may begin now: until when or from when, by which
windows and freezes; what is held and its place in the queue; which overrides stand; and what an emergency takes, and who has it.

The rights of the ClusterRole view in the namespace are enough. Whoever may read windows, or the cluster's roles, is told more.`,
		Example: `  kubectl window explain deploy/web
  kubectl window when -n osthammar                # the namespace
  kubectl window explain deploy/web -w            # again, whenever something changes
  kubectl window explain deploy/web -o json | jq '.disruptions[] | select(.disruption == "Rollout") | .from'`,
		ValidArgsFunction: r.completeObject,
		RunE: func(c *cobra.Command, args []string) error {
			k, name := kinds[3], o.namespace
			if len(args) > 0 {
				var err error
				if k, name, err = parseObject(args); err != nil {
					return err
				}
			}
			if err := o.checkFormat(); err != nil {
				return err
			}
			if o.namespace == "" {
				o.namespace = o.defaultNamespace()
			}
			if len(args) == 0 {
				name = o.namespace
			}
			look := func(ctx context.Context, client client.Client) error { return o.execute(ctx, client, k, name) }
			return r.once(c.Context(), o.watch, o.namespace, look)
		},
	}
	bindNamespace(command.Flags(), &o.namespace)
	o.bindTable(command, "name")
	command.Flags().BoolVarP(&o.watch, "watch", "w", false, "tell again whenever something changes")
	return command
}

func (o *explainCommand) execute(ctx context.Context, c client.Client, k kind, name string) error {
	s, err := o.readSubject(ctx, c, k, o.namespace, name)
	if err != nil {
		return err
	}
	e := explanation{Object: s.String(), Governed: s.gate != nil, Overrides: s.standing(s.at)}
	if !o.watch {
		e.At = instant(s.at.UTC().Truncate(time.Second))
	}
	answers := s.allAnswers()
	o.detail(ctx, s, &e, answers)
	for _, a := range answers {
		report := o.reportAnswer(a.Answer)
		report.ObjectSelector = a.selector
		e.Disruptions = append(e.Disruptions, report)
	}
	if s.gate != nil {
		summary := s.gate.Spec.Summary
		e.Gate = &gateReport{Namespace: s.namespace, State: summary.State, When: summary.When, By: summary.By}
		if e.Emergency, err = emergencyOf(ctx, c, s); err != nil {
			return err
		}
	}
	if s.meta != nil && s.meta.Labels[v1alpha1.HeldLabel] != "" {
		if e.Held, err = o.place(ctx, s); err != nil {
			s.notes = append(s.notes, "Its place in the queue is not known: "+err.Error())
		}
	}
	e.Notes = s.notes
	if o.output == "name" {
		_, err := fmt.Fprintln(o.Out, strings.ToLower(k.Kind)+choose(k.Group != "", "."+k.Group, "")+"/"+name)
		return err
	}
	return o.write(o.format, e, func() error { return o.text(&e) })
}

// selected is an answer about what a selector of the Gate selects; empty: about the object, or everything that no selector singles out.
type selected struct {
	decision.Answer
	selector string
}

// allAnswers are those to each disruption; of a namespace in which windows or freezes select by labels, for each of their selectors.
func (s *subject) allAnswers() []selected {
	var list []selected
	if s.Kind != "Namespace" {
		for _, d := range decision.Disruptions {
			list = append(list, selected{Answer: s.decide(d, d == v1alpha1.Evict)})
		}
		return list
	}
	selectors := []string{""}
	add := func(of *metav1.LabelSelector) {
		if of != nil && !slices.Contains(selectors, metav1.FormatLabelSelector(of)) {
			selectors = append(selectors, metav1.FormatLabelSelector(of))
		}
	}
	if s.gate != nil {
		for _, t := range s.gate.Spec.Targets {
			add(t.ObjectSelector)
		}
		for _, f := range s.gate.Spec.Freezes {
			add(f.ObjectSelector)
		}
	}
	for _, selector := range selectors {
		for _, d := range decision.Disruptions {
			a := s.decideFor(d, selector)
			if d == v1alpha1.Evict { // which tells no labels
				a = s.decide(d, true)
			}
			list = append(list, selected{a, selector})
		}
	}
	return list
}

// detail adds what only those know who may read windows: their titles, and openings after freezes of which the Gate does not tell.
func (o *explainCommand) detail(ctx context.Context, s *subject, e *explanation, answers []selected) {
	if s.gate == nil {
		return
	}
	found, _, err := o.read(ctx)
	if err != nil {
		s.notes = append(s.notes, "You may not read windows, so their titles and what the Gate does not tell are left out: fonster-viewer lets you.")
		return
	}
	compiled := found.compile()
	var governing []string
	for i := range answers {
		a := &answers[i].Answer
		governing = append(governing, a.Windows...)
		if set := s.labels(); a.AtLeast && set != nil && s.within != nil {
			if v := compiled.Set.Verdict(s.within.Labels, *set, gate.Disruption(a.Disruption), s.at); !v.OpensAt.IsZero() {
				a.From, a.FromWords, a.FromBy, a.AtLeast = v.OpensAt, "", v.OpensWindow, false
			}
		}
	}
	for _, w := range found.windows {
		if slices.Contains(governing, w.object.Name) {
			e.Windows = append(e.Windows, reportWindow(w.object, compiled, s.at))
		}
	}
}

// emergencyOf tells what it takes to override what governs an object; nil where there is nothing to override.
func emergencyOf(ctx context.Context, c client.Client, s *subject) (*emergency, error) {
	own := s.carries && s.Kind != "Namespace"
	of := s.labels()
	if !own {
		of = nil
	}
	g, err := governing(s.gate, of)
	if err != nil {
		return nil, err
	}
	g.namespace = !own
	e := &emergency{MaxDuration: length(g.longest()), Needs: g.needs(s.at)}
	if len(e.Needs) == 0 {
		return nil, nil
	}
	for _, t := range g.targets {
		if t.Overrides != nil {
			e.ReasonPatterns = append(e.ReasonPatterns, t.Overrides.ReasonPatterns...)
		}
	}
	slices.Sort(e.ReasonPatterns)
	e.ReasonPatterns = slices.Compact(e.ReasonPatterns)
	if own {
		e.On = s.String()
		e.Command = fmt.Sprintf("kubectl window override %s/%s -n %s --reason REASON", strings.ToLower(s.Kind), s.name, s.namespace)
		e.Annotate = fmt.Sprintf("kubectl annotate -n %s %s/%s %s=REASON", s.namespace, s.resource(), s.name, v1alpha1.OverrideAnnotation)
	} else {
		e.On = "Namespace " + s.namespace
		e.Command = fmt.Sprintf("kubectl window override namespace/%s --reason REASON", s.namespace)
		e.Annotate = fmt.Sprintf("kubectl annotate namespace %s %s=REASON", s.namespace, v1alpha1.OverrideAnnotation)
	}
	if err := askHave(ctx, c, e.Needs); err != nil {
		return nil, err
	}
	e.HoldersKnown = fillHolders(ctx, c, e.Needs)
	return e, nil
}

// place is that of the object among what is held: in the cluster, or in its namespace for who may read no more.
func (o *explainCommand) place(ctx context.Context, s *subject) (*heldReport, error) {
	list, _, err := o.heldReports(ctx, "")
	if err != nil {
		if list, _, err = o.heldReports(ctx, s.namespace); err != nil {
			return nil, err
		}
		s.notes = append(s.notes, "The place in the queue is that among what waits in the namespace: more you may not read.")
	}
	for i := range list {
		if r := &list[i]; r.Kind == s.Kind && r.Namespace == s.namespace && r.Name == s.name {
			return r, nil
		}
	}
	return nil, nil
}

func (o *explainCommand) text(e *explanation) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n", e.Object, choose(e.Governed, "", ": no window and no freeze governs its namespace"))
	o.answerTable(&b, e.Disruptions)
	for _, w := range e.Windows {
		if w.Title != "" {
			fmt.Fprintf(&b, "Window %s: %s (%s)\n", w.Name, w.Title, w.When)
		}
	}
	for _, f := range coming(e.Disruptions) {
		fmt.Fprintf(&b, "Freeze to come: %s from %s (%s)\n", f.Name, o.humanText(f.StartsAt), f.Reason)
	}
	if h := e.Held; h != nil {
		place := "released, not yet done"
		if h.Position > 0 {
			place = fmt.Sprintf("number %d in the queue of %s, %s", h.Position, strings.Join(h.Windows, ", "), h.When)
		}
		fmt.Fprintf(&b, "Held since %s: %s\n", o.human(h.since), place)
	}
	for _, s := range e.Overrides {
		fmt.Fprintf(&b, "Override of %s stands until %s: %q, by %s\n", s.Object, o.human(s.Until), s.Reason, s.By)
	}
	if m := e.Emergency; m != nil {
		fmt.Fprintf(&b, "\nIn an emergency: %s\n  or: %s\nIt stands %s at most.", m.Command, m.Annotate, m.MaxDuration)
		if len(m.ReasonPatterns) > 0 {
			fmt.Fprintf(&b, " The reason must match %s.", strings.Join(m.ReasonPatterns, " and "))
		}
		b.WriteString("\n" + needsText(m.Needs, m.HoldersKnown))
	}
	for _, n := range e.Notes {
		b.WriteString("\nNote: " + n + "\n")
	}
	_, err := io.WriteString(o.Out, b.String())
	return err
}

// answerTable writes answers as a table, with a column of selectors where there are any.
func (o *explainCommand) answerTable(w io.Writer, list []answerReport) {
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	narrowed := slices.ContainsFunc(list, func(a answerReport) bool { return a.ObjectSelector != "" })
	columns := []string{"DISRUPTION", "NOW", "WHY AND WHEN", "WINDOWS"}
	if narrowed {
		columns = append(columns, "OF")
	}
	fmt.Fprint(table, o.header(columns...))
	for _, a := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s", a.Disruption, strings.ToLower(string(a.Answer)), a.Text, strings.Join(a.Windows, ","))
		if narrowed {
			fmt.Fprintf(table, "\t%s", choose(a.ObjectSelector != "", a.ObjectSelector, "everything else"))
		}
		fmt.Fprintln(table)
	}
	_ = table.Flush() // into a builder
}

// coming are the freezes to come of all answers, each once.
func coming(list []answerReport) []freezeNote {
	var notes []freezeNote
	for _, a := range list {
		for _, f := range a.FreezesToCome {
			if !slices.ContainsFunc(notes, func(n freezeNote) bool { return n.Name == f.Name }) {
				notes = append(notes, f)
			}
		}
	}
	return notes
}

// humanText tells an instant of a report where the reader is.
func (r *root) humanText(text string) string {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	return r.human(t)
}

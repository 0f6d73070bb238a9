package cli

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/audit"
	"fonster.dev/fonster/internal/compile"
)

// auditReport says what windows and freezes with enforcement Audit would have refused.
type auditReport struct {
	*root
	format
	logs []string
	by   []string
}

// trialReport is the report, as JSON has it.
type trialReport struct {
	// From and To are when the first and the last request of the log came in; Requests is how many there are.
	From     *time.Time `json:"from,omitempty"`
	To       *time.Time `json:"to,omitempty"`
	Requests int        `json:"requests"`
	// WouldBeRefused counts requests; one that several windows would refuse is in the Groups of each. RefusedAnyway are those of them that
	// something else refused.
	WouldBeRefused int          `json:"wouldBeRefused"`
	RefusedAnyway  int          `json:"refusedAnyway"`
	DryRuns        int          `json:"dryRuns"`
	Groups         []trialGroup `json:"groups"`
}

// trialGroup are requests that have the same window or freeze, namespace, user, kind and disruption, as far as those are asked for.
type trialGroup struct {
	Window     string    `json:"window,omitempty"`
	Freeze     string    `json:"freeze,omitempty"`
	Namespace  string    `json:"namespace,omitempty"`
	User       string    `json:"user,omitempty"`
	Kind       string    `json:"kind,omitempty"`
	Disruption string    `json:"disruption,omitempty"`
	Count      int       `json:"count"`
	First      time.Time `json:"first"`
	Last       time.Time `json:"last"`
	// Example is the last object, and Message what would have been said of it.
	Example string `json:"example"`
	Message string `json:"message"`
}

// groupings are what --by may name, in the order of the columns.
var groupings = []string{"window", "namespace", "user", "kind", "disruption"}

func newReport(r *root) *cobra.Command {
	o := &auditReport{root: r}
	command := &cobra.Command{
		Use:   "report --audit-log FILE...",
		Short: "Say what windows that audit would have refused",
		Long: `Say what windows and freezes with enforcement Audit would have refused, from an API server's audit log: how often, by which window,
in which namespace, to whom, and of which kind. No cluster is needed. The log needs the level Metadata or more for what windows govern;
a file that ends in .gz is unpacked.

Without a log the API server counts them: apiserver_validating_admission_policy_check_total{policy=~"fonster-.*",enforcement_action="audit"}.`,
		Example: `  kubectl window report --audit-log /var/log/kubernetes/audit.log
  kubectl window report --audit-log audit.log --by window,user
  kubectl window report --audit-log audit.log -o json | jq '.groups[] | select(.user == "system:serviceaccount:ci:deployer")'`,
		Args: none,
		RunE: func(*cobra.Command, []string) error { return o.execute() },
	}
	f := command.Flags()
	f.StringSliceVar(&o.logs, "audit-log", nil, "audit log of an API server; - for standard input; may be repeated, once for each API server")
	f.StringSliceVar(&o.by, "by", groupings, "what to count by: "+strings.Join(groupings, ", "))
	o.bindFormat(command)
	_ = command.RegisterFlagCompletionFunc("by", cobra.FixedCompletions(groupings, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return command
}

func (o *auditReport) execute() error {
	if len(o.logs) == 0 {
		return usagef("say where the audit log is: --audit-log FILE, or - for standard input")
	}
	for _, by := range o.by {
		if !slices.Contains(groupings, by) {
			return usagef("--by %s: want some of %s", by, strings.Join(groupings, ", "))
		}
	}
	if err := o.checkFormat(); err != nil {
		return err
	}
	g := trials{by: o.by, groups: map[trialGroup]*trialGroup{}}
	for _, log := range o.logs {
		err := audit.ReadFile(log, o.In, g.add)
		if errors.Is(err, audit.ErrCutOff) {
			fmt.Fprintf(o.Err, "warning: %v\n", err)
		} else if err != nil {
			return err
		}
	}
	r := g.report()
	return o.write(o.format, r, func() error { return o.text(r) })
}

// trials gathers what would have been refused.
type trials struct {
	by     []string
	result trialReport
	groups map[trialGroup]*trialGroup
}

func (t *trials) add(e *audit.Event) error {
	if !e.Complete() {
		return nil
	}
	r := &t.result
	r.Requests++
	at := e.RequestReceivedTimestamp.UTC()
	if r.From == nil || at.Before(*r.From) {
		r.From = &at
	}
	if r.To == nil || at.After(*r.To) {
		r.To = &at
	}
	note, noted := e.Annotations[audit.FailureAnnotation]
	if !noted || e.ObjectRef == nil {
		return nil
	}
	failures, err := audit.Failures(note)
	if err != nil {
		return err
	}
	if len(failures) == 0 {
		return nil
	}
	r.WouldBeRefused++
	if !e.Succeeded() {
		r.RefusedAnyway++
	}
	if strings.Contains(e.RequestURI, "dryRun=") {
		r.DryRuns++
	}
	keys, err := t.keys(e, failures)
	if err != nil {
		return err
	}
	for _, key := range keys {
		t.count(key, e, failures[0].Message, at) // the API server tells of the first
	}
	return nil
}

// keys are the groups of a request, each once: one for each window or freeze that would refuse it. Where its policies noted none, as older
// ones did, that is one without.
func (t *trials) keys(e *audit.Event, failures []audit.Failure) (keys []trialGroup, err error) {
	is := func(what, value string) string {
		if slices.Contains(t.by, what) {
			return value
		}
		return ""
	}
	rest := trialGroup{
		Namespace: is("namespace", e.ObjectRef.Namespace), User: is("user", e.As().Username), Kind: is("kind", e.ObjectRef.Kind()),
	}
	add := func(key trialGroup) {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	for _, f := range failures {
		notes, err := e.Notes(f.Policy, v1alpha1.AuditGateName)
		if err != nil {
			return nil, err
		}
		for _, note := range notes {
			key := rest
			key.Disruption = is("disruption", note.Disruption)
			if len(note.Names) == 0 {
				add(key)
			}
			for _, name := range note.Names {
				if note.Freezes {
					key.Freeze = is("window", name)
				} else {
					key.Window = is("window", name)
				}
				add(key)
			}
		}
	}
	if len(keys) == 0 {
		keys = []trialGroup{rest}
	}
	return keys, nil
}

func (t *trials) count(key trialGroup, e *audit.Event, message string, at time.Time) {
	g := t.groups[key]
	if g == nil {
		g = &trialGroup{}
		*g = key
		g.First = at
		t.groups[key] = g
	}
	g.Count++
	if at.Before(g.First) {
		g.First = at
	}
	if !at.Before(g.Last) {
		g.Last, g.Message = at, message
		g.Example = strings.TrimPrefix(e.ObjectRef.Namespace+"/"+e.ObjectRef.Name, "/")
	}
}

func (t *trials) report() trialReport {
	r := t.result
	r.Groups = []trialGroup{}
	for _, g := range slices.SortedFunc(maps.Values(t.groups), func(a, b *trialGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Window+a.Freeze, b.Window+b.Freeze), cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.User, b.User), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Disruption, b.Disruption))
	}) {
		r.Groups = append(r.Groups, *g)
	}
	return r
}

func (o *auditReport) text(r trialReport) error {
	if r.Requests == 0 {
		_, err := fmt.Fprintln(o.Out, "No request in the log.")
		return err
	}
	fmt.Fprintf(o.Out, "%d of %d requests from %s to %s would have been refused", r.WouldBeRefused, r.Requests, o.human(*r.From), o.human(*r.To))
	switch {
	case r.RefusedAnyway > 0 && r.DryRuns > 0:
		fmt.Fprintf(o.Out, " (%d were refused by something else, %d were dry runs)", r.RefusedAnyway, r.DryRuns)
	case r.RefusedAnyway > 0:
		fmt.Fprintf(o.Out, " (%d were refused by something else)", r.RefusedAnyway)
	case r.DryRuns > 0:
		fmt.Fprintf(o.Out, " (%d were dry runs)", r.DryRuns)
	}
	fmt.Fprintln(o.Out, ".")
	if r.WouldBeRefused == 0 {
		_, err := fmt.Fprintln(o.Out, "Does a window or freeze have enforcement: Audit, and does the log have the requests to what it governs?")
		return err
	}
	table := tabwriter.NewWriter(o.Out, 0, 0, 3, ' ', 0)
	columns := slices.DeleteFunc(slices.Clone(groupings), func(c string) bool { return !slices.Contains(o.by, c) })
	fmt.Fprintf(table, "\nCOUNT\t%s\tLAST\tEXAMPLE\n", strings.ToUpper(strings.Join(columns, "\t")))
	for _, g := range r.Groups {
		window := g.Window
		if g.Freeze != "" {
			window = "freeze " + g.Freeze
		}
		values := map[string]string{"window": window, "namespace": g.Namespace, "user": g.User, "kind": g.Kind, "disruption": g.Disruption}
		fmt.Fprintf(table, "%d", g.Count)
		for _, c := range columns {
			fmt.Fprintf(table, "\t%s", cmp.Or(values[c], "-"))
		}
		fmt.Fprintf(table, "\t%s\t%s\n", compile.Human(g.Last.In(o.zone)), g.Example)
	}
	return table.Flush()
}

package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"fonster.dev/fonster/internal/decision"
)

// canICommand answers yes or no.
type canICommand struct {
	*root
	format
	namespace string
	quiet     bool
}

// verdictReport is an answer to a verb, as JSON has it.
type verdictReport struct {
	Object string `json:"object"`
	Verb   string `json:"verb"`
	// May says that it may begin now; what is held may not.
	May bool `json:"may"`
	// Text says why, and when, to people.
	Text string `json:"text"`
	// Disruptions are all that the verb does, the strictest answer first.
	Disruptions []answerReport `json:"disruptions"`
	Notes       []string       `json:"notes,omitempty"`
}

func newCanI(r *root) *cobra.Command {
	o := &canICommand{root: r}
	command := &cobra.Command{
		Use:   "can-i VERB KIND/NAME",
		Short: "Answer whether something may begin now: exit code 0 or 1",
		Long: `Answer whether something that disturbs an object may begin now, by every window, freeze and override: yes with exit code 0, no with
exit code 1 and the reason. What would be accepted and held is a no. It reads the Gate that the API server itself decides by; whether you
have the right to make the change is asked by kubectl auth can-i.

VERB is one of:
` + verbList(),
		Example: `  kubectl window can-i rollout deploy/web && kubectl rollout restart deploy/web
  kubectl window can-i delete ns/osthammar -q || echo later
  kubectl window can-i scale deploy/web -o json`,
		ValidArgsFunction: r.completeVerb,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usagef("want VERB and KIND/NAME, such as: can-i rollout deploy/web")
			}
			v, err := parseVerb(args[0])
			if err != nil {
				return err
			}
			k, name, err := parseObject(args[1:])
			if err != nil {
				return err
			}
			if err := o.checkFormat(); err != nil {
				return err
			}
			if o.namespace == "" {
				o.namespace = o.defaultNamespace()
			}
			return o.execute(c.Context(), v, args[0], k, name)
		},
	}
	bindNamespace(command.Flags(), &o.namespace)
	o.bindFormat(command)
	command.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "say nothing: the exit code alone")
	return command
}

// verbList tells of the verbs, one a line.
func verbList() string {
	var b strings.Builder
	for _, v := range verbs {
		fmt.Fprintf(&b, "  %-13s  %s\n", v.names[0], v.about)
	}
	return strings.TrimRight(b.String(), "\n")
}

func (o *canICommand) execute(ctx context.Context, v verb, said string, k kind, name string) error {
	c, err := o.connect()
	if err != nil {
		return err
	}
	s, err := o.readSubject(ctx, c, k, o.namespace, name)
	if err != nil {
		return err
	}
	report := o.verdict(s, v, said)
	if !o.quiet {
		if err := o.write(o.format, report, func() error { return o.text(report) }); err != nil {
			return err
		}
	}
	if !report.May {
		return errReported
	}
	return nil
}

// verdict answers for all that a verb does: the strictest answer counts.
func (r *root) verdict(s *subject, v verb, said string) verdictReport {
	report := verdictReport{Object: s.String(), Verb: said, Notes: s.notes}
	for _, a := range s.answers(v) {
		report.Disruptions = append(report.Disruptions, r.reportAnswer(a))
	}
	first := report.Disruptions[0]
	report.May = first.May
	report.Text = choose(first.May, "yes", "no") + map[decision.Word]string{
		decision.Allowed: ": ", decision.Warned: ", with a warning: ", decision.Held: ", held: ", decision.Refused: ", refused: ",
	}[first.Answer] + first.Text
	return report
}

func (o *canICommand) text(report verdictReport) error {
	for _, n := range report.Notes {
		fmt.Fprintf(o.Err, "note: %s\n", n)
	}
	_, err := fmt.Fprintln(o.Out, report.Text)
	return err
}

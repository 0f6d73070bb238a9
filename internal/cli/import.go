package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	sigsyaml "sigs.k8s.io/yaml"

	"fonster.dev/fonster/api/v1alpha1"
	calendars "fonster.dev/fonster/internal/calendar"
)

// importCommand writes windows from a calendar.
type importCommand struct {
	*root
	file, selector, zone, enforcement, output string
	everywhere                                bool
}

// enforcements are what a window may do outside its times.
var enforcements = []string{string(v1alpha1.Deny), string(v1alpha1.Hold), string(v1alpha1.Warn), string(v1alpha1.Audit)}

func newImport(r *root) *cobra.Command {
	o := &importCommand{root: r}
	command := &cobra.Command{
		Use:   "import -f CALENDAR.ics (-l KEY=VALUE,... | --all-namespaces)",
		Short: "Write windows from a calendar",
		Long: `Write windows from a calendar (iCalendar), as Google Calendar, Outlook and Exchange, Apple Calendar, Thunderbird and Fonster export them.
Single events of one name are one window with dates, a series is one with its rule; what is taken out of a series is its exclusions. What
has no equal is said on stderr, with its line. Nothing is applied: read what it writes, then pipe it to kubectl window lint and kubectl apply.`,
		Example: `  kubectl window import -f calendar.ics -l kommun=osthammar > windows.yaml
  kubectl window import -f calendar.ics -l kommun=osthammar --enforcement Audit | kubectl window lint -f -`,
		Args: none,
		RunE: func(*cobra.Command, []string) error { return o.execute() },
	}
	f := command.Flags()
	f.StringVarP(&o.file, "filename", "f", "", "calendar; - for standard input")
	f.StringVarP(&o.selector, "selector", "l", "", "labels of the namespaces that the windows govern, as kommun=osthammar,tier=web")
	f.BoolVarP(&o.everywhere, "all-namespaces", "A", false, "they govern every namespace")
	f.StringVar(&o.zone, "time-zone", "", "zone of times that have none, and to show those in UTC in (default: the calendar's)")
	f.StringVar(&o.enforcement, "enforcement", "", "enforcement of the windows: Deny, Hold, Warn or Audit (default: left out, which is Deny)")
	f.StringVarP(&o.output, "output", "o", "yaml", "yaml or json")
	for flag, values := range map[string][]string{"output": {"yaml", "json"}, "enforcement": enforcements} {
		_ = command.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	}
	return command
}

func (o *importCommand) execute() error {
	selector, err := o.validate()
	if err != nil {
		return err
	}
	from := o.In
	if o.file != "-" {
		file, err := os.Open(o.file)
		if err != nil {
			return err
		}
		defer file.Close()
		from = file
	}
	result, err := calendars.Read(from, calendars.Options{TimeZone: o.zone, Selector: selector, Enforcement: v1alpha1.Enforcement(o.enforcement)})
	if result != nil {
		for _, n := range result.Notes {
			fmt.Fprintf(o.Err, "note: %s:%d: %s\n", o.file, n.Line, n.Message)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", o.file, err)
	}
	var objects []any
	for _, mw := range result.Windows {
		objects = append(objects, mw)
	}
	for _, cf := range result.Freezes {
		objects = append(objects, cf)
	}
	if o.output == "json" {
		return writeJSON(o.Out, map[string]any{"apiVersion": "v1", "kind": "List", "items": objects})
	}
	return writeManifests(o.Out, objects)
}

func (o *importCommand) validate() (*metav1.LabelSelector, error) {
	selector := &metav1.LabelSelector{}
	switch {
	case o.file == "":
		return nil, usagef("say where the calendar is: -f FILE, or - for standard input")
	case (o.selector == "") == !o.everywhere:
		return nil, usagef("no calendar tells which namespaces its windows govern: give -l KEY=VALUE, or --all-namespaces")
	case o.output != "yaml" && o.output != "json":
		return nil, usagef("-o %s: want yaml or json", o.output)
	case o.enforcement != "" && !slices.Contains(enforcements, o.enforcement):
		return nil, usagef("--enforcement %s: want Deny, Hold, Warn or Audit", o.enforcement)
	case o.selector != "":
		parsed, err := metav1.ParseToLabelSelector(o.selector)
		if err != nil {
			return nil, usagef("-l %s: %w", o.selector, err)
		}
		selector = parsed
	}
	return selector, nil
}

// writeManifests writes objects as people would, without what they do not set.
func writeManifests(w io.Writer, objects []any) error {
	for i, object := range objects {
		content, err := sigsyaml.Marshal(object)
		if err != nil {
			return err
		}
		var lines []string
		status := false
		for _, line := range strings.Split(string(bytes.TrimSpace(content)), "\n") {
			if status = status && strings.HasPrefix(line, " ") || line == "status:" || strings.HasPrefix(line, "status: "); !status {
				lines = append(lines, line)
			}
		}
		if i > 0 {
			fmt.Fprintln(w, "---")
		}
		fmt.Fprintln(w, strings.Join(lines, "\n"))
	}
	return nil
}

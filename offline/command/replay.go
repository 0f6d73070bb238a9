package command

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fonster.dev/fonster/internal/audit"
	"fonster.dev/fonster/offline/decide"
	"fonster.dev/fonster/offline/replay"
)

func newReplay(r *root) *cobra.Command {
	var files, logs, objects []string
	var output string
	requests := false
	command := &cobra.Command{
		Use:   "replay --audit-log FILE -f WINDOWS",
		Short: "Decide the requests of an audit log against windows that are not there yet",
		Long: `Decide every disruptive request of an API server's audit log against windows and freezes that are not there yet, by the rules that gate, and
say what would have been refused, held and let through, by whom. No cluster is needed.

The log must have the level RequestResponse for workloads and pods, with their status, and for Namespaces. It has no object before a
request: that is the last one that an earlier event shows, or one of --objects, such as

  kubectl get deploy,sts,ds,rs,rc,pods,hpa,controllerrevisions,namespaces -A -o yaml

as of when the log begins. What cannot be told so is counted as unknown, with why, and never guessed.`,
		Example: `  kubectl window replay --audit-log audit.log -f windows.yaml
  kubectl window replay --audit-log audit.log --objects objects.yaml -f windows/ --requests
  kubectl window replay --audit-log audit.log -f windows.yaml -o json | jq '.requests[] | select(.verdict == "Refused")'`,
		Args: none,
	}
	command.RunE = func(c *cobra.Command, _ []string) error {
		if err := checkOutput(output); err != nil {
			return err
		}
		if len(logs) == 0 {
			return usagef("say where the audit log is: --audit-log FILE")
		}
		world, err := r.world(c.Context(), files)
		if err != nil {
			return err
		}
		player := replay.New(world)
		for _, path := range objects {
			if err := player.Know(path); err != nil {
				return err
			}
		}
		for _, path := range logs {
			err := audit.ReadFile(path, r.In, player.Event)
			if errors.Is(err, audit.ErrCutOff) {
				fmt.Fprintf(r.Err, "warning: %v\n", err)
			} else if err != nil {
				return err
			}
		}
		report := player.Report()
		if output == "json" {
			return writeJSON(r.Out, report)
		}
		return r.tellReplay(&report, requests)
	}
	f := command.Flags()
	f.StringSliceVar(&logs, "audit-log", nil, "audit log of an API server, in order of time; - for standard input; may be repeated")
	f.StringSliceVarP(&files, "filename", "f", nil, filesFlag)
	f.StringSliceVar(&objects, "objects", nil, "objects as of when the log begins: a file of manifests or lists; may be repeated")
	f.BoolVar(&requests, "requests", false, "list each request, with what would have been said")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	return command
}

func (r *root) tellReplay(report *replay.Report, each bool) error {
	fmt.Fprintf(r.Out, "%d requests, %d of them disruptive", report.Events, len(report.Requests))
	for _, v := range decide.Verdicts {
		if n := report.Verdicts[v]; n > 0 {
			fmt.Fprintf(r.Out, ", %d %s", n, strings.ToLower(string(v)))
		}
	}
	fmt.Fprintln(r.Out, ".")
	if len(report.Requests) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(r.Out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "\nCOUNT\tVERDICT\tBY\tNAMESPACE\tUSER\tKIND\tDISRUPTION")
	for _, g := range report.Groups {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", g.Count, g.Verdict, dash(g.By), dash(g.Namespace), g.User, g.Kind, dash(g.Disruptions))
	}
	if err := table.Flush(); err != nil || !each {
		return err
	}
	fmt.Fprintln(r.Out)
	for _, q := range report.Requests {
		fmt.Fprintf(r.Out, "%s %s %s %s by %s: %s: %s\n", q.At.UTC().Format(time.RFC3339), q.Verb, q.Kind, strings.TrimPrefix(q.Namespace+"/"+q.Name, "/"), q.User, q.Verdict, q.Why)
	}
	return nil
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// Package command is the command line of kubectl window lint, test and replay.
package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fonster.dev/fonster/internal/version"
	"fonster.dev/fonster/offline/decide"
	"fonster.dev/fonster/offline/lint"
	"fonster.dev/fonster/offline/manifest"
	"fonster.dev/fonster/offline/scenarios"
)

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

type root struct {
	Streams
	now func() time.Time
}

// errReported ends a command that has already said what is wrong.
var errReported = errors.New("reported")

// usageError is an error of the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// Run runs a command and returns its exit code: 0, or 1 when something is wrong, or 2 when the command line is.
func Run(ctx context.Context, args []string, streams Streams, now func() time.Time) int {
	r := &root{streams, now}
	command := &cobra.Command{
		Use: "kubectl-window-offline", Short: "What kubectl window does without a cluster", SilenceUsage: true, SilenceErrors: true,
		Version:     version.Get().String(),
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl window"},
	}
	command.CompletionOptions.HiddenDefaultCmd = true
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	command.AddCommand(newLint(r), newTest(r), newReplay(r))
	command.SetArgs(args)
	command.SetIn(r.In)
	command.SetOut(r.Out)
	command.SetErr(r.Err)
	ran, err := command.ExecuteContextC(ctx)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(r.Err, "error: %v\nSee '%s --help'.\n", err, ran.CommandPath())
		return 2
	case !errors.Is(err, errReported):
		fmt.Fprintf(r.Err, "error: %v\n", err)
	}
	return 1
}

func none(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%q: no argument is expected here", args[0])
	}
	return nil
}

func checkOutput(output string) error {
	if output != "text" && output != "json" {
		return usagef("-o %s: want text or json", output)
	}
	return nil
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// read reads manifests, which must have some window or freeze.
func (r *root) read(ctx context.Context, files []string) ([]*manifest.Document, error) {
	if len(files) == 0 {
		return nil, usagef("say where the windows are: -f FILE, a folder, or - for standard input")
	}
	documents, _, err := manifest.Read(ctx, files, r.In)
	if err == nil && len(documents) == 0 {
		err = fmt.Errorf("no MaintenanceWindow and no ChangeFreeze in %s", strings.Join(files, ", "))
	}
	return documents, err
}

// world reads windows and freezes that decide.
func (r *root) world(ctx context.Context, files []string) (*decide.World, error) {
	documents, err := r.read(ctx, files)
	if err != nil {
		return nil, err
	}
	windows, freezes, err := manifest.Objects(documents)
	if err != nil {
		return nil, err
	}
	return decide.New(windows, freezes, nil)
}

const filesFlag = "file or folder of manifests; - for standard input; may be repeated"

func newLint(r *root) *cobra.Command {
	var files []string
	var output string
	strict := false
	command := &cobra.Command{
		Use:   "lint -f FILE|FOLDER|-",
		Short: "Say what is wrong with windows and freezes before they are applied",
		Long: `Say what is wrong with windows and freezes before they are applied: no cluster is needed.

An error is what the API server refuses (fields that are unknown or there twice, the CRDs' limits and rules, selectors), or what it takes
and the operator cannot read. A note is what is taken, and probably not meant. Exit code 1 with any error, or, with --strict, any note.
Manifests of other kinds are passed over.`,
		Example: "  kubectl window lint -f config/samples\n  kubectl kustomize overlays/prod | kubectl window lint -f - -o json",
		Args:    none,
	}
	command.RunE = func(c *cobra.Command, _ []string) error {
		if err := checkOutput(output); err != nil {
			return err
		}
		documents, err := r.read(c.Context(), files)
		if err != nil {
			return err
		}
		findings, err := lint.Documents(c.Context(), documents, r.now())
		if err != nil {
			return err
		}
		wrong := slices.ContainsFunc(findings, func(f lint.Finding) bool { return f.Level == lint.Error || strict })
		if output == "json" {
			if findings == nil {
				findings = []lint.Finding{}
			}
			err = writeJSON(r.Out, map[string]any{"objects": len(documents), "ok": !wrong, "findings": findings})
		} else {
			for _, f := range findings {
				fmt.Fprintln(r.Out, f)
			}
			errs := slices.DeleteFunc(slices.Clone(findings), func(f lint.Finding) bool { return f.Level != lint.Error })
			_, err = fmt.Fprintf(r.Out, "%d objects, %d errors, %d notes\n", len(documents), len(errs), len(findings)-len(errs))
		}
		if err == nil && wrong {
			return errReported
		}
		return err
	}
	f := command.Flags()
	f.StringSliceVarP(&files, "filename", "f", nil, filesFlag)
	f.BoolVar(&strict, "strict", false, "exit code 1 with notes too")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	return command
}

func newTest(r *root) *cobra.Command {
	var files []string
	var output string
	command := &cobra.Command{
		Use:   "test -f FILE|FOLDER TESTS...",
		Short: "Decide cases against windows and freezes: at this instant, this change",
		Long: `Decide cases against windows and freezes: at this instant, this workload, this change: allowed, held or refused, and why. No cluster is
needed: the policies are evaluated as the API server does. Exit code 1 where any case is decided in another way than it wants.

A file of cases:

  namespaces:
    osthammar: {kommun: osthammar}
  cases:
  - name: nothing rolls out on a Monday morning
    at: 2026-12-07T10:00:00+01:00
    namespace: osthammar
    do: Rollout                # Rollout, ScaleDown, Delete or Evict
    of: Deployment/web         # or object: a manifest, with patch, or delete: true
    labels: {tier: web}        # of the workload and its pods
    want: Refused              # Allowed, Audited, Warned, Held or Refused
    because: by osthammar-saturdays     # a part of what is said
    windows: [osthammar-saturdays]      # what it names, windows and freezes

by and groups say who asks, and mayOverride that they have the right to override.`,
		Example: "  kubectl window test -f config/samples/hold test/samples/hold.yaml",
	}
	command.RunE = func(c *cobra.Command, tests []string) error {
		if err := checkOutput(output); err != nil {
			return err
		}
		if len(tests) == 0 {
			return usagef("name a file of cases")
		}
		world, err := r.world(c.Context(), files)
		if err != nil {
			return err
		}
		var results []scenarios.Result
		for _, path := range tests {
			file, err := scenarios.Read(path)
			if err != nil {
				return err
			}
			results = append(results, scenarios.Run(world, path, file)...)
		}
		failed := slices.ContainsFunc(results, func(r scenarios.Result) bool { return !r.Passed })
		if output == "json" {
			err = writeJSON(r.Out, map[string]any{"ok": !failed, "cases": results})
		} else {
			err = r.tell(results)
		}
		if err == nil && failed {
			return errReported
		}
		return err
	}
	f := command.Flags()
	f.StringSliceVarP(&files, "filename", "f", nil, filesFlag)
	f.StringVarP(&output, "output", "o", "text", "text or json")
	return command
}

func (r *root) tell(results []scenarios.Result) error {
	failed := 0
	for _, result := range results {
		if result.Passed {
			fmt.Fprintf(r.Out, "ok    %s: %s\n", result.Name, result.Verdict)
			continue
		}
		failed++
		fmt.Fprintf(r.Out, "FAIL  %s: %s\n", result.Name, result.Failure)
		if result.Why != "" {
			fmt.Fprintf(r.Out, "      %s: %s\n", result.Verdict, result.Why)
		}
	}
	_, err := fmt.Fprintf(r.Out, "%d cases, %d failed\n", len(results), failed)
	return err
}

package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"
)

// offlineProgram is the part of the plugin that decides as an API server does: with its code, which is much of a program of its own.
const offlineProgram = "kubectl-window-offline"

// offline are the commands that it has.
func offline(r *root) []*cobra.Command {
	command := func(use, short, example string) *cobra.Command {
		c := &cobra.Command{Use: use, Short: short, Example: example, DisableFlagParsing: true}
		c.RunE = func(c *cobra.Command, args []string) error {
			return r.runOffline(c, append([]string{c.Name()}, args...))
		}
		return c
	}
	return []*cobra.Command{
		command("lint -f FILE|FOLDER|-", "Say what is wrong with windows and freezes before they are applied",
			"  kubectl window lint -f config/samples\n  kubectl kustomize overlays/prod | kubectl window lint -f - -o json"),
		command("test -f FILE|FOLDER TESTS...", "Decide cases against windows and freezes: at this instant, this change",
			"  kubectl window test -f config/samples/hold -f config/samples/freezes.yaml -f config/samples/weekday-nights.yaml docs/examples/window-tests.yaml"),
		command("replay --audit-log FILE -f WINDOWS", "Decide the requests of an audit log against windows that are not there yet",
			"  kubectl window replay --audit-log audit.log -f windows.yaml\n  kubectl window replay --audit-log audit.log --objects objects.yaml -f windows/ --requests"),
	}
}

// runOffline runs the program that lies beside this one, or else the one on the path.
func (r *root) runOffline(c *cobra.Command, args []string) error {
	path := ""
	if self, err := os.Executable(); err == nil {
		if self, err = filepath.EvalSymlinks(self); err == nil {
			// Looked up rather than asked for: on Windows a program has an ending.
			path, _ = exec.LookPath(filepath.Join(filepath.Dir(self), offlineProgram))
		}
	}
	if path == "" {
		var err error
		if path, err = exec.LookPath(offlineProgram); err != nil {
			return fmt.Errorf("kubectl window %s needs the program %s beside kubectl-window, or on the PATH: 'make build' builds both into bin/", c.Name(), offlineProgram)
		}
	}
	program := exec.CommandContext(c.Context(), path, args...)
	program.Stdin, program.Stdout, program.Stderr = r.In, r.Out, r.Err
	err := program.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return exitError(ended.ExitCode())
	}
	return err
}

// exitError ends the plugin with the code of a program that it ran, which has said what is wrong.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

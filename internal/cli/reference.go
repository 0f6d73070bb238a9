package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// WriteReference writes the page of all commands, from the commands themselves.
func WriteReference(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`# kubectl window

Generated from the commands: ` + "`kubectl window COMMAND --help`" + ` says the same. What -o json writes is documented in
[json.md](json.md). Every command takes kubectl's own flags for the cluster and the user (--kubeconfig, --context, --as, --token ...), and ends
with exit code 0, with 1 when something went wrong or the answer is no, or with 2 when the command line is wrong.

| command | |
|---|---|
`)
	root := (&root{}).command()
	commands := root.Commands()
	for _, c := range commands {
		if c.IsAvailableCommand() {
			fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", c.Name(), strings.ReplaceAll("kubectl window "+c.Name(), " ", "-"), c.Short)
		}
	}
	for _, c := range commands {
		if c.IsAvailableCommand() {
			section(&b, c)
		}
	}
	b.WriteString(`
## Completion

kubectl asks a program called ` + "`kubectl_complete-window`" + ` in the PATH, which ` + "`make build`" + ` puts into bin/ beside the plugin. It completes
commands, flags, windows, kinds and names of objects. For the binary itself: ` + "`source <(kubectl-window completion bash)`" + `, or zsh, or fish.
`)
	_, err := io.WriteString(w, b.String())
	return err
}

func section(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "\n## kubectl window %s\n\n", c.Name())
	long := c.Long
	if long == "" {
		long = c.Short + "."
	}
	text, verbatim, listed := strings.Cut(long, "\n  ")
	if listed {
		verbatim = "  " + verbatim
	}
	b.WriteString(text + "\n")
	if verbatim != "" {
		b.WriteString("\n```text\n" + verbatim + "\n```\n")
	}
	if len(c.Aliases) > 0 {
		fmt.Fprintf(b, "\nAlso: `%s`.\n", strings.Join(c.Aliases, "`, `"))
	}
	flags := c.LocalNonPersistentFlags().FlagUsages()
	fmt.Fprintf(b, "\n```text\nkubectl window %s\n%s```\n", c.Use, choose(flags != "", "\n"+flags, ""))
	if c.Example != "" {
		b.WriteString("\n```sh\n" + strings.TrimPrefix(strings.ReplaceAll("\n"+c.Example, "\n  ", "\n"), "\n") + "\n```\n")
	}
}

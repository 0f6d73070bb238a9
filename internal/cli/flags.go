package cli

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"
)

// scope is which namespaces a command looks at: that of the context, another one, or all.
type scope struct {
	namespace string
	all       bool
}

func (s *scope) bindScope(flags *pflag.FlagSet) {
	bindNamespace(flags, &s.namespace)
	flags.BoolVarP(&s.all, "all-namespaces", "A", false, "all namespaces")
}

// bindNamespace is for commands that look at one namespace alone.
func bindNamespace(flags *pflag.FlagSet, namespace *string) {
	flags.StringVarP(namespace, "namespace", "n", "", "namespace (default: that of the context)")
}

func (s *scope) checkScope() error {
	if s.all && s.namespace != "" {
		return usagef("-n names one namespace, -A means all: give one of them")
	}
	return nil
}

// inScope is the namespace that a command looks at; empty for all.
func (r *root) inScope(s scope) string {
	switch {
	case s.all:
		return ""
	case s.namespace != "":
		return s.namespace
	}
	return r.defaultNamespace()
}

// format is how a command writes what it has found.
type format struct {
	output    string
	noHeaders bool
	kinds     []string
}

// bindFormat adds -o, with the formats that a command has besides text, JSON and YAML.
func (f *format) bindFormat(command *cobra.Command, more ...string) {
	f.kinds = slices.Concat([]string{"text", "json", "yaml"}, more)
	command.Flags().StringVarP(&f.output, "output", "o", "text", choices(f.kinds))
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(f.kinds, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}

// bindTable adds what a table takes besides.
func (f *format) bindTable(command *cobra.Command, more ...string) {
	f.bindFormat(command, more...)
	command.Flags().BoolVar(&f.noHeaders, "no-headers", false, "leave the headers of tables out")
}

func (f *format) checkFormat() error {
	if !slices.Contains(f.kinds, f.output) {
		return usagef("-o %s: want %s", f.output, choices(f.kinds))
	}
	return nil
}

func choices(list []string) string {
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " or " + list[last]
}

// header is the first line of a table, with a newline; empty where headers are not wanted.
func (f *format) header(columns ...string) string {
	if f.noHeaders {
		return ""
	}
	return strings.Join(columns, "\t") + "\n"
}

// write writes a value as JSON or YAML; else it is text's.
func (r *root) write(f format, value any, text func() error) error {
	switch f.output {
	case "json":
		return writeJSON(r.Out, value)
	case "yaml":
		content, err := json.Marshal(value)
		if err != nil {
			return err
		}
		if content, err = yaml.JSONToYAML(content); err != nil {
			return err
		}
		_, err = r.Out.Write(content)
		return err
	}
	return text()
}

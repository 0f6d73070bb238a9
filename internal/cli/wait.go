package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
)

const (
	// pollEvery is how often a command that waits looks again where nothing tells it to: overrides are not watched, and a watch may be
	// refused, or break.
	pollEvery = 10 * time.Second
	// retryAfter is how long after a watch has broken another one is tried.
	retryAfter = time.Second
)

// waitCommand returns when something may begin.
type waitCommand struct {
	*root
	format
	namespace string
	what      string
	timeout   time.Duration
	quiet     bool
}

func newWait(r *root) *cobra.Command {
	o := &waitCommand{root: r}
	command := &cobra.Command{
		Use:   "wait KIND/NAME",
		Short: "Wait until something may begin, by every window, freeze and cutoff: for pipelines",
		Long: `Wait until something that disturbs an object may begin, by every window, freeze, cutoff and override: exit code 0 then, 1 when the
time is over or there is something wrong that waiting does not mend. It goes on while the API server is away. What --for takes are the
verbs of 'kubectl window can-i'.

Each change of the answer is told on standard error. docs/ci.md has recipes for pipelines, and the Role that it takes.`,
		Example: `  kubectl window wait deploy/web --for rollout --timeout 2h && kubectl set image deploy/web app=app:2
  kubectl window wait deploy/web -n osthammar --timeout 0          # look once`,
		ValidArgsFunction: r.completeObject,
		RunE: func(c *cobra.Command, args []string) error {
			v, err := parseVerb(o.what)
			if err != nil {
				return err
			}
			k, name, err := parseObject(args)
			if err != nil {
				return err
			}
			if o.timeout < 0 {
				return usagef("--timeout %s: must not be negative", o.timeout)
			}
			if err := o.checkFormat(); err != nil {
				return err
			}
			if o.namespace == "" {
				o.namespace = o.defaultNamespace()
			}
			return o.execute(c.Context(), v, k, name)
		},
	}
	flags := command.Flags()
	bindNamespace(flags, &o.namespace)
	flags.StringVar(&o.what, "for", "rollout", "what is to begin: a verb of can-i")
	_ = command.RegisterFlagCompletionFunc("for", cobra.FixedCompletions(verbNames(), cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	flags.DurationVar(&o.timeout, "timeout", time.Hour, "how long to wait, such as 2h; 0 looks once")
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "say nothing: the exit code alone")
	o.bindFormat(command)
	return command
}

func verbNames() []string {
	var names []string
	for _, v := range verbs {
		names = append(names, v.names[0])
	}
	return names
}

func (o *waitCommand) execute(ctx context.Context, v verb, k kind, name string) error {
	c, err := o.connect()
	if err != nil {
		return err
	}
	waiting, cancel := ctx, func() {}
	if o.timeout > 0 {
		waiting, cancel = context.WithTimeout(ctx, o.timeout)
	}
	defer cancel()
	changes := changes(waiting, c, o.gateNamespace(k, name))
	said := ""
	tell := func(text string) {
		if text != said && !o.quiet {
			fmt.Fprintln(o.Err, text)
		}
		said = text
	}
	for {
		s, err := o.readSubject(waiting, c, k, o.namespace, name)
		switch {
		case err == nil:
			report := o.verdict(s, v, o.what)
			if report.May || o.timeout == 0 {
				return o.ended(report)
			}
			tell(report.Object + ": " + report.Text)
		case ctx.Err() != nil:
			return ctx.Err()
		case waiting.Err() != nil: // the answer before counts
		case final(err) || o.timeout == 0:
			return err
		default:
			tell("The cluster does not answer, trying again: " + err.Error())
		}
		select {
		case <-waiting.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("after %s it may not begin yet: %s", length(o.timeout), said)
		case <-changes:
		case <-time.After(pollEvery):
		}
	}
}

func (o *waitCommand) ended(report verdictReport) error {
	if !o.quiet {
		if err := o.write(o.format, report, func() error {
			_, err := fmt.Fprintf(o.Out, "%s: %s\n", report.Object, report.Text)
			return err
		}); err != nil {
			return err
		}
	}
	if !report.May {
		return errReported
	}
	return nil
}

// gateNamespace is the namespace whose Gate decides.
func (o *waitCommand) gateNamespace(k kind, name string) string {
	if k.Kind == "Namespace" {
		return name
	}
	return o.namespace
}

// final says that waiting does not mend an error.
func final(err error) bool {
	return slices.ContainsFunc([]func(error) bool{
		apierrors.IsForbidden, apierrors.IsNotFound, apierrors.IsUnauthorized, apierrors.IsBadRequest, apierrors.IsInvalid,
	}, func(is func(error) bool) bool { return is(err) }) || errors.Is(err, errNotInstalled)
}

// changes tells whenever the Gate of a namespace has changed, or of any, or may have. It tells nothing where the caller may not watch.
func changes(ctx context.Context, c client.Client, namespace string) <-chan struct{} {
	told := make(chan struct{}, 1)
	watcher, can := c.(client.WithWatch)
	if !can {
		return told
	}
	options := []client.ListOption{client.InNamespace(namespace)}
	if namespace != "" { // a Role may name the Gate
		options = append(options, client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", v1alpha1.GateName)})
	}
	go func() {
		for ctx.Err() == nil {
			w, err := watcher.Watch(ctx, &v1alpha1.GateList{}, options...)
			if apierrors.IsForbidden(err) {
				return
			}
			if err == nil {
				pass(ctx, w, told)
				w.Stop()
			}
			select {
			case <-ctx.Done():
			case <-time.After(retryAfter):
			}
		}
	}()
	return told
}

// pass tells of what a watch sees, until it breaks.
func pass(ctx context.Context, w watch.Interface, told chan<- struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case event, more := <-w.ResultChan():
			if !more || event.Type == watch.Error {
				return
			}
			select {
			case told <- struct{}{}:
			default: // it has not yet looked
			}
		}
	}
}

// once looks, and, where it is to watch, again whenever something may have changed; it writes what differs from before.
func (r *root) once(ctx context.Context, watch bool, namespace string, look func(context.Context, client.Client) error) error {
	c, err := r.connect()
	if err != nil {
		return err
	}
	if !watch {
		return look(ctx, c)
	}
	out := r.Out
	defer func() { r.Out = out }()
	changes := changes(ctx, c, namespace)
	var before []byte
	for {
		var now bytes.Buffer
		r.Out = &now
		err := look(ctx, c)
		switch {
		case ctx.Err() != nil:
			return nil // the reader has seen enough
		case err != nil && (before == nil || final(err)):
			return err
		case err != nil:
			fmt.Fprintf(r.Err, "The cluster does not answer, trying again: %v\n", err)
		case !bytes.Equal(before, now.Bytes()):
			if before != nil {
				fmt.Fprintln(out)
			}
			if _, err := io.Copy(out, bytes.NewReader(now.Bytes())); err != nil {
				return err
			}
			before = now.Bytes()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changes:
		case <-time.After(pollEvery):
		}
	}
}

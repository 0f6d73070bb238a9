// Package cli is the kubectl plugin: kubectl window.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/identity"
	"fonster.dev/fonster/internal/policy"
	"fonster.dev/fonster/internal/version"
)

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// root is what all commands share.
type root struct {
	Streams
	now func() time.Time
	// zone is where the reader is: times are told in it, unless they are a window's own.
	zone       *time.Location
	kubeconfig string
	overrides  clientcmd.ConfigOverrides
	// operatorNamespace is that of the operator, where the command line names it.
	operatorNamespace string
	// connect returns a client of the cluster; replaced in tests.
	connect func() (client.Client, error)
	// clock knows by how much the API server's clock is ahead of this machine's.
	clock serverClock
}

// errReported ends a command that has already said on stderr what is wrong.
var errReported = errors.New("reported")

// Run runs the plugin and returns its exit code: 0, or 1 when something went wrong, or 2 when the command line is wrong.
func Run(ctx context.Context, args []string, streams Streams, now func() time.Time) int {
	r := &root{Streams: streams, now: now, zone: time.Local}
	r.connect = r.cluster
	return r.run(ctx, args)
}

func (r *root) run(ctx context.Context, args []string) int {
	command := r.command()
	command.SetArgs(args)
	command.SetIn(r.In)
	command.SetOut(r.Out)
	command.SetErr(r.Err)
	ran, err := command.ExecuteContextC(ctx)
	var usage usageError
	var exit exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, &usage):
		fmt.Fprintf(r.Err, "error: %v\nSee '%s --help'.\n", err, ran.CommandPath())
		return 2
	case !errors.Is(err, errReported):
		fmt.Fprintf(r.Err, "error: %v\n", err)
	}
	return 1
}

// usageError is an error of the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func (r *root) command() *cobra.Command {
	command := &cobra.Command{
		Use:           "kubectl-window",
		Short:         "See when maintenance windows are open and what waits for them, and let emergencies through",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl window"},
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          known,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	command.CompletionOptions.HiddenDefaultCmd = true
	command.SuggestionsMinimumDistance = 2
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	command.PersistentFlags().StringVar(&r.kubeconfig, "kubeconfig", "", "path of the kubeconfig (default: KUBECONFIG, or ~/.kube/config)")
	flags := clientcmd.RecommendedConfigOverrideFlags("") // as kubectl has them
	flags.ContextOverrideFlags.Namespace.LongName = ""    // for the commands that look at one: elsewhere it must not be taken in silence
	clientcmd.BindOverrideFlags(&r.overrides, command.PersistentFlags(), flags)
	command.PersistentFlags().StringVar(&r.operatorNamespace, "operator-namespace", "",
		"namespace of Fonster's operator (default: as the installed policies name it, for whoever may read them; else "+policy.DefaultNamespace+")")
	command.AddCommand(newCalendar(r), newStatus(r), newHeld(r), newPage(r), newClose(r), newOverride(r), newOverrides(r), newFreeze(r), newUnfreeze(r), newRetract(r),
		newExplain(r), newCanI(r), newWait(r), newVersion(r),
		newReport(r), newImport(r))
	for _, c := range command.Commands() {
		if c.ValidArgsFunction == nil {
			c.ValidArgsFunction = cobra.NoFileCompletions // the shell would offer files
		}
	}
	command.AddCommand(offline(r)...)
	return command
}

// known refuses what is no command, and suggests one.
func known(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("unknown command %q: did you mean %s?", args[0], strings.Join(near, " or "))
	}
	return usagef("unknown command %q", args[0])
}

// none says that a command takes no arguments.
func none(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%q: no argument is expected here", args[0])
	}
	return nil
}

// forbidden says in words of our own what somebody may not read.
func forbidden(err error, what, right string) error {
	if !apierrors.IsForbidden(err) {
		return fmt.Errorf("reading %s: %w", what, err)
	}
	return fmt.Errorf("you may not read %s: ask for %s (%w)", what, right, err)
}

// human tells an instant where the reader is.
func (r *root) human(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return compile.Human(t.In(r.zone))
}

// config reads the kubeconfig.
func (r *root) config() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = r.kubeconfig
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &r.overrides)
}

// defaultNamespace is that of the kubeconfig's context.
func (r *root) defaultNamespace() string {
	if namespace, _, err := r.config().Namespace(); err == nil && namespace != "" {
		return namespace
	}
	return "default"
}

// cluster connects to the cluster of the kubeconfig.
func (r *root) cluster() (client.Client, error) {
	config, err := r.config().ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to talk to: set KUBECONFIG or --kubeconfig: %w", err)
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme), rbacv1.AddToScheme(scheme), authenticationv1.AddToScheme(scheme), authorizationv1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	config.UserAgent = version.UserAgent("kubectl-window")
	config.Wrap(r.clock.listen(r.now))
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", config.Host, err)
	}
	return c, nil
}

// operator is who the policies of the cluster take for the operator. Who may not read that takes it for the one that is usual.
func (r *root) operator(ctx context.Context, c client.Client) policy.Identity {
	if r.operatorNamespace != "" {
		return policy.Identity{Namespace: r.operatorNamespace}
	}
	if installed, err := identity.Installed(ctx, c); err == nil {
		return installed
	}
	return policy.Identity{}
}

// writeJSON writes a value for tools and people: indented, and with letters as they are.
func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// read lists the windows and freezes of the cluster.
func (r *root) read(ctx context.Context) (objects, client.Client, error) {
	c, err := r.connect()
	if err != nil {
		return objects{}, nil, err
	}
	var windows v1alpha1.MaintenanceWindowList
	var freezes v1alpha1.ChangeFreezeList
	err = c.List(ctx, &windows)
	if err == nil {
		err = c.List(ctx, &freezes)
	}
	if err != nil {
		if meta.IsNoMatchError(err) {
			return objects{}, nil, errNotInstalled
		}
		return objects{}, c, forbidden(err, "the cluster's windows and freezes", "a ClusterRoleBinding to fonster-viewer")
	}
	var o objects
	for i := range windows.Items {
		o.windows = append(o.windows, source[*v1alpha1.MaintenanceWindow]{&windows.Items[i], "cluster"})
	}
	for i := range freezes.Items {
		o.freezes = append(o.freezes, source[*v1alpha1.ChangeFreeze]{&freezes.Items[i], "cluster"})
	}
	return o, c, nil
}

// compiled reads the windows and freezes of the cluster, compiled.
func (r *root) compiled(ctx context.Context) (*compile.Compiled, map[string]*v1alpha1.MaintenanceWindow, client.Client, error) {
	found, c, err := r.read(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	byName := map[string]*v1alpha1.MaintenanceWindow{}
	for _, s := range found.windows {
		byName[s.object.Name] = s.object
	}
	return found.compile(), byName, c, nil
}

// annotate sets an annotation of an object.
func annotate(ctx context.Context, c client.Client, o client.Object, key, value string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{key: value}}})
	if err != nil {
		return err
	}
	return c.Patch(ctx, o, client.RawPatch(types.MergePatchType, patch), client.FieldOwner("kubectl-window"))
}

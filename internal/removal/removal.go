// Package removal takes Fonster out of a cluster, in an order in which nothing stays held or closed that nobody would let go: it is what
// make undeploy, make uninstall and the chart's hook before an uninstall run.
package removal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/identity"
	"fonster.dev/fonster/internal/policy"
	"fonster.dev/fonster/internal/workload"
)

const (
	// reread is after how long every API server knows which bindings there are; each rereads them once a second.
	reread = 2 * time.Second
	// again is how often something is looked at that is waited for.
	again = 2 * time.Second
	// podsEnd is how long the operator's pods have to end.
	podsEnd = 2 * time.Minute
)

// Options say what is removed.
type Options struct {
	// OperatorNamespace is that of the operator; empty: as the installed policies name it.
	OperatorNamespace string
	// KeepPolicies ends when nothing is held any more, and nothing will be: what refuses goes on refusing.
	KeepPolicies bool
	// CRDs removes them too, and with them windows and freezes.
	CRDs bool
	// Patience is how long what has been let go, and is not yet done, is waited for.
	Patience time.Duration
	// Out is told what is done.
	Out io.Writer
}

// Run removes what holds, and unless policies are kept, everything that gates: bindings, then policies, Gates, and the labels of Namespaces.
// It refuses, with a list, where rollouts are held, and where one has been held in between the operator runs again.
func Run(ctx context.Context, config *rest.Config, options Options) error {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	r := &run{Options: options, client: c, scheme: scheme, config: config}
	if r.operator, err = identity.Installed(ctx, c); err != nil {
		return err
	}
	if options.OperatorNamespace != "" && options.OperatorNamespace != r.operator.In() {
		r.operator = policy.Identity{Namespace: options.OperatorNamespace}
	}
	if r.mutating, err = workload.KnowsMutating(c.RESTMapper()); err != nil {
		return err
	}
	return r.all(ctx)
}

// run is one removal.
type run struct {
	Options
	client   client.Client
	config   *rest.Config
	scheme   *runtime.Scheme
	operator policy.Identity
	// mutating says that the API server has MutatingAdmissionPolicy v1.
	mutating bool
}

func (r *run) all(ctx context.Context) error {
	if err := r.untilLetGo(ctx); err != nil {
		return err
	}
	restore, err := r.stop(ctx)
	if err == nil {
		err = r.unhold(ctx)
	}
	if err != nil {
		return errors.Join(err, restore(context.WithoutCancel(ctx))) // also where nobody waits any more
	}
	if r.KeepPolicies {
		return nil
	}
	return r.ungate(ctx)
}

// say tells what is done.
func (r *run) say(format string, args ...any) { fmt.Fprintf(r.Out, format+"\n", args...) }

// untilLetGo waits until no workload has a mark: only the operator takes those off. It fails at once where something is held.
func (r *run) untilLetGo(ctx context.Context) error {
	var left []marked
	err := wait.PollUntilContextTimeout(ctx, again, r.Patience, true, func(ctx context.Context) (bool, error) {
		var err error
		if left, err = r.marked(ctx); err != nil {
			return false, err
		}
		if held := slices.DeleteFunc(slices.Clone(left), func(m marked) bool { return m.how != v1alpha1.HeldWaiting }); len(held) > 0 {
			return false, refusal(held)
		}
		if len(left) > 0 {
			r.say("waiting for what has been let go and is not yet done: %s", list(left, ", "))
		}
		return len(left) == 0, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return refusal(left)
	}
	return err
}

// marked is a workload that is held, or has been let go and is not yet done.
type marked struct{ kind, namespace, name, how string }

func (m marked) String() string {
	how := m.how
	if how == v1alpha1.HeldWaiting {
		how = "held"
	}
	return fmt.Sprintf("%s %s/%s (%s.apps/%s): %s", m.kind, m.namespace, m.name, strings.ToLower(m.kind), m.name, how)
}

func list(all []marked, separator string) string {
	var texts []string
	for _, m := range all {
		texts = append(texts, m.String())
	}
	return strings.Join(texts, separator)
}

// refusal is what keeps Fonster from being removed: these would be left to nobody.
type refusal []marked

func (left refusal) Error() string {
	return fmt.Sprintf(`Rollouts are held or under way, and without the operator nobody would see to them:
%s
Let the operator release them first: open the windows they wait for, change their enforcement to Warn, or delete them
('kubectl window held -A' tells which). Then try again.`, list(left, "\n"))
}

// marked lists the workloads with a mark.
func (r *run) marked(ctx context.Context) (all []marked, err error) {
	for _, kind := range workload.Kinds {
		found := &metav1.PartialObjectMetadataList{}
		found.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind(kind + "List"))
		if err := r.client.List(ctx, found, client.HasLabels{v1alpha1.HeldLabel}); err != nil {
			return nil, err
		}
		for i := range found.Items {
			o := &found.Items[i]
			all = append(all, marked{kind, o.Namespace, o.Name, o.Labels[v1alpha1.HeldLabel]})
		}
	}
	return all, nil
}

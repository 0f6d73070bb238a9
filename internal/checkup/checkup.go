// Package checkup looks whether Fonster is well installed in a cluster: it is what helm test runs.
package checkup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/internal/enforced"
	"fonster.dev/fonster/internal/identity"
	"fonster.dev/fonster/internal/policy"
	"fonster.dev/fonster/internal/workload"
)

// again is how often what is not yet well is looked at.
const again = time.Second

// Run returns when all is well, and says so; when the context ends, it says what is not.
func Run(ctx context.Context, config *rest.Config, out io.Writer) error {
	c, err := client.New(config, client.Options{Scheme: clientgoscheme.Scheme})
	if err != nil {
		return err
	}
	mutating, err := workload.KnowsMutating(c.RESTMapper())
	if err != nil {
		return err
	}
	var found []string
	var trouble error
	err = wait.PollUntilContextCancel(ctx, again, true, func(ctx context.Context) (bool, error) {
		found, trouble = look(ctx, c, mutating)
		return trouble == nil, nil
	})
	if err != nil {
		return errors.Join(trouble, err)
	}
	fmt.Fprintln(out, strings.Join(found, "\n"))
	return nil
}

// look says what is well; what is not is an error.
func look(ctx context.Context, c client.Reader, mutating bool) (found []string, err error) {
	operator, err := identity.Installed(ctx, c)
	if err != nil {
		return nil, err
	}
	missing, changed, err := enforced.Live(ctx, c, operator, mutating)
	if err != nil {
		return nil, err
	}
	if len(missing)+len(changed) > 0 {
		return nil, fmt.Errorf("not installed: %s; not as this version has them: %s", names(missing), names(changed))
	}
	found = append(found, "All policies and bindings of this version are installed, for the operator "+operator.User()+".")
	if !mutating {
		found = append(found, "The API server has no MutatingAdmissionPolicy v1: rollouts are refused where they would be held.")
	}
	manager := &appsv1.Deployment{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: operator.In(), Name: policy.DefaultServiceAccount}, manager); err != nil {
		return nil, err
	}
	if manager.Status.ReadyReplicas == 0 {
		return nil, fmt.Errorf("no replica of the operator is ready: kubectl logs -n %s deploy/%s", operator.In(), manager.Name)
	}
	return append(found, fmt.Sprintf("The operator runs: %d of %d replicas are ready.", manager.Status.ReadyReplicas, manager.Status.Replicas)), nil
}

func names(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

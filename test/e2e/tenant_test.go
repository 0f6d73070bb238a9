package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// tenant is a namespace admin: a service account with a token of its own and ClusterRole admin, and no right of Fonster's.
type tenant struct {
	client.Client

	kubeconfig string
}

// newTenant makes the admin of some namespaces, and waits until its rights are in force.
func newTenant(t *testing.T, name string, namespaces ...string) *tenant {
	t.Helper()
	kubeconfig, config, err := shared.NamespaceAdmin(t.Context(), name, namespaces...)
	if err != nil {
		t.Fatal(err)
	}
	c, err := shared.Client(config)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, func() error { // ClusterRole admin is aggregated by a controller
		for _, namespace := range namespaces {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "patch", Group: "apps", Resource: "deployments"},
			}}
			if err := c.Create(t.Context(), review); err != nil {
				return err
			}
			if !review.Status.Allowed {
				return fmt.Errorf("%s may not yet patch Deployments in %s", name, namespace)
			}
		}
		return nil
	})
	return &tenant{Client: c, kubeconfig: kubeconfig}
}

// kubectl runs a command as the tenant, and prints it with its answer, each line beginning with "attack ".
func (a *tenant) kubectl(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	out, err := shared.KubectlAs(a.kubeconfig, stdin, args...)
	fmt.Printf("attack %s $ kubectl %s\n", t.Name(), strings.Join(args, " "))
	for line := range strings.Lines(strings.TrimSpace(out)) {
		fmt.Printf("attack %s > %s\n", t.Name(), strings.TrimRight(line, "\n"))
	}
	return out, err
}

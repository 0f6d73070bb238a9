package e2e

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/test/cluster"
)

// single is a cluster whose controllers are all one user, and check the types of policies.
func single(t *testing.T) *cluster.Cluster {
	return lend(t, "single", "USE_SERVICE_ACCOUNT_CREDENTIALS=false", cluster.TypeChecks)
}

// TestOneIdentityForAllControllers: without --use-service-account-credentials every controller is the one user
// system:kube-controller-manager; governed namespaces must still be deleted, and Gates whose windows are gone collected.
func TestOneIdentityForAllControllers(t *testing.T) {
	operator := operate(t, single(t))
	namespace(t, "single")
	d := deployment(t, "single", "web", 2)
	mw := window(t, "single", "single", nextYear())
	gate := gateOf(t, "single")
	wantRefused(t, shared.Admin.Delete(t.Context(), d), "Delete of Deployment")

	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "single"}}
	wantRefused(t, shared.Admin.Delete(t.Context(), ns), "Delete of Namespace single")
	wantPassed(t, as(t, "system:kube-controller-manager").Delete(t.Context(), ns))
	gone(t, ns) // emptied by the namespace controller, though governed
	gone(t, gate)

	namespace(t, "single-2", "team", "single")
	d = deployment(t, "single-2", "web", 1)
	inForce(t, mw)
	wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:2"), "Rollout of Deployment")
	gate = gateOf(t, "single-2")
	operator.Kill() // the garbage collector alone
	wantPassed(t, shared.Admin.Delete(t.Context(), mw))
	gone(t, gate)
}

// gone waits until an object no longer exists.
func gone(t *testing.T, o client.Object) {
	t.Helper()
	eventually(t, 60*time.Second, func() error {
		if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(o), o); !apierrors.IsNotFound(err) {
			return fmt.Errorf("%T %s is still there: %v", o, o.GetName(), err)
		}
		return nil
	})
}

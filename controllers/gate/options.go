package gate

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// options: on every replica, and with short retries, because a gate that could not be written is late.
func options() controller.Options {
	return controller.Options{
		NeedLeaderElection: new(false),
		RateLimiter:        workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](10*time.Millisecond, 5*time.Second),
	}
}

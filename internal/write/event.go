package write

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Event tells of an object once, as of now: its name is made of what it is of, its reason and the key, so that whoever tells the
// same, such as the next leader, finds it told. The API server keeps Events for an hour.
func Event(ctx context.Context, c client.Client, of client.Object, key string, event eventsv1.Event, now time.Time) error {
	kind := of.GetObjectKind().GroupVersionKind()
	hash := sha256.Sum256([]byte(string(of.GetUID()) + "\n" + event.Reason + "\n" + key))
	name := strings.TrimRight(of.GetName()[:min(len(of.GetName()), 200)], "-.")
	event.ObjectMeta = metav1.ObjectMeta{Namespace: of.GetNamespace(), Name: fmt.Sprintf("%s.%x", name, hash[:8])}
	if event.Namespace == "" {
		event.Namespace = metav1.NamespaceDefault
	}
	event.Regarding = corev1.ObjectReference{
		APIVersion: kind.GroupVersion().String(), Kind: kind.Kind, Namespace: of.GetNamespace(), Name: of.GetName(), UID: of.GetUID(),
		ResourceVersion: of.GetResourceVersion(),
	}
	event.EventTime = metav1.NewMicroTime(now)
	event.ReportingController, event.ReportingInstance = FieldManager, FieldManager
	if err := c.Create(ctx, &event); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("telling of %s %s: %w", kind.Kind, of.GetName(), err)
	}
	return nil
}

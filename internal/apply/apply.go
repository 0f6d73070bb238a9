// Package apply writes objects by server-side apply, always as the same field manager and the owner of what it sets.
package apply

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// FieldManager is the operator's name in managedFields.
const FieldManager = "fonster"

// Object applies an object, which must carry its apiVersion and kind.
func Object(ctx context.Context, c client.Client, object client.Object) error {
	configuration, err := configuration(object)
	if err != nil {
		return err
	}
	return c.Apply(ctx, configuration, client.FieldOwner(FieldManager), client.ForceOwnership)
}

// Status applies the status of an object. Where the object carries a resourceVersion, the write fails with a conflict when
// somebody else has written since: of several replicas, only one makes a transition.
func Status(ctx context.Context, c client.Client, object client.Object) error {
	configuration, err := configuration(object)
	if err != nil {
		return err
	}
	return c.Status().Apply(ctx, configuration, client.FieldOwner(FieldManager), client.ForceOwnership)
}

func configuration(object client.Object) (runtime.ApplyConfiguration, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(content, "metadata", "managedFields")
	return client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: content}), nil
}

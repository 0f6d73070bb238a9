// Package override keeps the record of emergency overrides, and ends them.
package override

import (
	"context"
	"errors"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
)

// kinds are what can carry an override.
var kinds = []schema.GroupVersionKind{
	appsv1.SchemeGroupVersion.WithKind("Deployment"),
	appsv1.SchemeGroupVersion.WithKind("StatefulSet"),
	appsv1.SchemeGroupVersion.WithKind("DaemonSet"),
	corev1.SchemeGroupVersion.WithKind("Namespace"),
}

// Store is a cache of the metadata of what carries an override, and of nothing else.
type Store struct {
	cache cache.Cache
}

// NewStore returns a store that the manager runs.
func NewStore(mgr ctrl.Manager, config *rest.Config) (*Store, error) {
	marked, err := labels.Parse(v1alpha1.OverriddenLabel)
	if err != nil {
		return nil, err
	}
	c, err := cache.New(config, cache.Options{
		Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), HTTPClient: mgr.GetHTTPClient(),
		DefaultLabelSelector: marked, DefaultTransform: reduceFields,
	})
	if err != nil {
		return nil, err
	}
	return &Store{cache: c}, mgr.Add(c)
}

// list returns the metadata of everything that carries an override.
func (s *Store) list(ctx context.Context) ([]*metav1.PartialObjectMetadata, error) {
	var all []*metav1.PartialObjectMetadata
	var errs []error
	for _, kind := range kinds {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		errs = append(errs, s.cache.List(ctx, list))
		for i := range list.Items {
			list.Items[i].SetGroupVersionKind(kind)
			all = append(all, &list.Items[i])
		}
	}
	return all, errors.Join(errs...)
}

// get returns the metadata of one; nil where it carries no override, or is gone.
func (s *Store) get(ctx context.Context, kind schema.GroupVersionKind, name types.NamespacedName) (*metav1.PartialObjectMetadata, error) {
	object := metadata(kind)
	if err := s.cache.Get(ctx, name, object); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	object.SetGroupVersionKind(kind)
	return object, nil
}

func metadata(kind schema.GroupVersionKind) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(kind)
	return object
}

// Synced waits until the cache has been filled, or the context ends.
func (s *Store) Synced(ctx context.Context) bool { return s.cache.WaitForCacheSync(ctx) }

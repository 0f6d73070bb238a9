// Package read reads what is announced of a cluster.
package read

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/announce"
	"fonster.dev/fonster/internal/history"
)

// Everything reads everything that the announcements are drawn from, but what it is compiled to. Objects are not copied: they are not to
// be changed.
func Everything(ctx context.Context, reader client.Reader, operatorNamespace string) (in announce.Input, err error) {
	err = errors.Join(Objects(ctx, reader, &in), Records(ctx, reader, operatorNamespace, &in), Namespaces(ctx, reader, &in))
	return in, err
}

// Objects reads the windows, with the emergency work that they tell of, and the freezes.
func Objects(ctx context.Context, reader client.Reader, in *announce.Input) error {
	var windows v1alpha1.MaintenanceWindowList
	if err := reader.List(ctx, &windows, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	var freezes v1alpha1.ChangeFreezeList
	if err := reader.List(ctx, &freezes, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	in.Windows, in.Freezes, in.Work = windows.Items, freezes.Items, announce.WorkOf(windows.Items)
	return nil
}

// Records reads what was announced before, which the operator keeps in its namespace.
func Records(ctx context.Context, reader client.Reader, operatorNamespace string, in *announce.Input) error {
	var stored corev1.ConfigMapList
	if err := reader.List(ctx, &stored, client.InNamespace(operatorNamespace), client.MatchingLabels{v1alpha1.AnnouncedLabel: "true"}, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	in.Records, in.FreezeRecords = make(map[string]*history.Record, len(stored.Items)), map[string]*history.Record{}
	for i := range stored.Items {
		switch r := history.Parse(stored.Items[i].Data); {
		case r == nil:
		case r.Freeze != "":
			in.FreezeRecords[r.Freeze] = r
		default:
			in.Records[r.Window] = r
		}
	}
	return nil
}

// Namespaces reads the labels of namespaces, and Cluster.
func Namespaces(ctx context.Context, reader client.Reader, in *announce.Input) error {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	in.Namespaces = make(map[string]map[string]string, len(list.Items))
	for i := range list.Items {
		ns := &list.Items[i]
		in.Namespaces[ns.Name] = ns.Labels
		if ns.Name == metav1.NamespaceSystem {
			in.Cluster = string(ns.UID)
		}
	}
	return nil
}

// Cluster reads what tells a cluster from every other: the UID of the Namespace kube-system. It is there before anything else and as long
// as the cluster, since the API server lets nobody delete that Namespace; it is like no other in the world; and nobody need keep it, so
// that whoever only reads has it too.
func Cluster(ctx context.Context, reader client.Reader) (string, error) {
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := reader.Get(ctx, types.NamespacedName{Name: metav1.NamespaceSystem}, ns)
	return string(ns.UID), err
}

package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
)

// completionTime is how long the shell waits for the cluster.
const completionTime = 3 * time.Second

// names lists the names of objects for the shell: none where the cluster does not answer.
func (r *root) names(c *cobra.Command, list client.ObjectList, items func() []string, options ...client.ListOption) []string {
	cluster, err := r.connect()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.Context(), completionTime)
	defer cancel()
	if cluster.List(ctx, list, options...) != nil {
		return nil
	}
	return items()
}

func (r *root) completeWindows(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	var list v1alpha1.MaintenanceWindowList
	return offered(r.names(c, &list, func() (names []string) {
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
		return names
	}), args, begun), cobra.ShellCompDirectiveNoFileComp
}

func (r *root) completeFreezes(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	var list v1alpha1.ChangeFreezeList
	return offered(r.names(c, &list, func() (names []string) {
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
		return names
	}), args, begun), cobra.ShellCompDirectiveNoFileComp
}

// offered are the names that begin as what is typed does, and are not typed yet.
func offered(names, args []string, begun string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, begun) || slices.Contains(args, name) })
}

// completeObject offers KIND/, and then KIND/NAME.
func (r *root) completeObject(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	given, _, slash := strings.Cut(begun, "/")
	if !slash {
		var names []string
		for _, k := range kinds {
			names = append(names, strings.ToLower(k.Kind)+"/")
		}
		return offered(names, nil, begun), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.is(strings.ToLower(given)) })
	if i < 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var options []client.ListOption
	if kinds[i].Kind != "Namespace" {
		namespace, _ := c.Flags().GetString("namespace") // without, it is empty
		if namespace == "" {
			namespace = r.defaultNamespace()
		}
		options = append(options, client.InNamespace(namespace))
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kinds[i].GroupVersion().WithKind(kinds[i].Kind + "List"))
	return offered(r.names(c, list, func() (names []string) {
		for j := range list.Items {
			names = append(names, given+"/"+list.Items[j].Name)
		}
		return names
	}, options...), nil, begun), cobra.ShellCompDirectiveNoFileComp
}

// completeVerb offers a verb, and then an object.
func (r *root) completeVerb(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return offered(verbNames(), nil, begun), cobra.ShellCompDirectiveNoFileComp
	}
	return r.completeObject(c, args[1:], begun)
}

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/doors"
)

const (
	windowsResource = "maintenancewindows"
	freezesResource = "changefreezes"
	overrideVerb    = "override"
)

// need is a right that an emergency takes: to override one of some windows, or a change freeze that is in force.
type need struct {
	Resource string `json:"resource"`
	// Names are those of which one is enough. None: it is not known which govern.
	Names []string `json:"names,omitempty"`
	// Impossible says that no right passes it.
	Impossible bool `json:"impossible,omitempty"`
	// Have says that the caller has the right.
	Have bool `json:"have"`
}

// governing are the gates that govern an object with these labels, or, without, anything in a namespace.
func governing(gates []v1alpha1.Gate, namespace string, namespaceLabels labels.Set, objectLabels *labels.Set) ([]v1alpha1.Gate, error) {
	if doors.Protected(namespace) {
		return nil, nil
	}
	var list []v1alpha1.Gate
	for i := range gates {
		spec := &gates[i].Spec
		governs, err := selects(&spec.NamespaceSelector, namespaceLabels)
		if err == nil && governs && objectLabels != nil && spec.ObjectSelector != nil {
			governs, err = selects(spec.ObjectSelector, *objectLabels)
		}
		if err != nil {
			return nil, fmt.Errorf("gate %s: %w", gates[i].Name, err)
		}
		if governs {
			list = append(list, gates[i])
		}
	}
	return list, nil
}

// longest is how long an override may stand that passes gates, the strictest of them counted; an hour, where none says it.
func longest(gates []v1alpha1.Gate) time.Duration {
	var shortest time.Duration
	for i := range gates {
		if o := gates[i].Spec.Overrides; o != nil && (shortest == 0 || o.MaxDuration.Duration < shortest) {
			shortest = o.MaxDuration.Duration
		}
	}
	return cmp.Or(shortest, time.Hour)
}

// needs lists what gates ask of an override that is to pass them: a right for each gate's windows, and one for each freeze in force.
func needs(gates []v1alpha1.Gate, now time.Time) []need {
	var list []need
	add := func(n need) {
		if !slices.ContainsFunc(list, func(m need) bool { return m.Resource == n.Resource && slices.Equal(m.Names, n.Names) }) {
			list = append(list, n)
		}
	}
	for i := range gates {
		spec := &gates[i].Spec
		if spec.Overrides != nil && len(spec.Overrides.Windows) > 0 {
			add(need{Resource: windowsResource, Names: spec.Overrides.Windows})
		}
		for _, d := range spec.Disruptions {
			for _, f := range d.Freezes {
				if f.Enforcement == v1alpha1.Deny && (f.Active || f.StartsAt != nil && !now.Before(f.StartsAt.Time)) {
					for _, name := range append([]string{f.Name}, f.Also...) {
						add(need{Resource: freezesResource, Names: []string{name}, Impossible: !f.Overridable})
					}
				}
			}
		}
	}
	return list
}

func selects(selector *metav1.LabelSelector, set labels.Set) (bool, error) {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(set), err
}

// gates reads those that govern the command's object.
func (o *overrideCommand) gates(ctx context.Context, c client.Client) ([]v1alpha1.Gate, error) {
	var gates v1alpha1.GateList
	namespace, objectLabels := o.target.Name, (*labels.Set)(nil)
	read := []error{c.List(ctx, &gates)}
	if o.target.Namespace != "" {
		object := &metav1.PartialObjectMetadata{}
		object.SetGroupVersionKind(o.target.GroupVersionKind())
		read = append(read, c.Get(ctx, client.ObjectKey{Namespace: o.target.Namespace, Name: o.target.Name}, object))
		namespace, objectLabels = o.target.Namespace, (*labels.Set)(&object.Labels)
	}
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"})
	if err := errors.Join(append(read, c.Get(ctx, client.ObjectKey{Name: namespace}, ns))...); err != nil {
		return nil, err
	}
	return governing(gates.Items, namespace, ns.Labels, objectLabels)
}

// needs reads what an override of the command's object takes, and which of it the caller has.
func (o *overrideCommand) needs(ctx context.Context, c client.Client) ([]need, error) {
	gates, err := o.gates(ctx, c)
	if err != nil {
		return nil, err
	}
	list := needs(gates, o.now())
	for i := range list {
		for _, name := range list[i].Names {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
				Group: v1alpha1.GroupName, Resource: list[i].Resource, Name: name, Verb: overrideVerb,
			}}}
			if err := c.Create(ctx, review); err != nil {
				return nil, fmt.Errorf("asking the API server what you may: %w", err)
			}
			list[i].Have = list[i].Have || review.Status.Allowed
		}
	}
	return list, nil
}

// holders names who has a right that is needed, by the cluster's roles and bindings.
func holders(n need, roles []rbacv1.ClusterRole, bindings []rbacv1.ClusterRoleBinding) []string {
	granting := map[string]bool{}
	for i := range roles {
		granting[roles[i].Name] = slices.ContainsFunc(roles[i].Rules, func(rule rbacv1.PolicyRule) bool { return grants(rule, n) })
	}
	var lines []string
	for i := range bindings {
		b := &bindings[i]
		if b.RoleRef.Kind != "ClusterRole" || !granting[b.RoleRef.Name] {
			continue
		}
		for _, s := range b.Subjects {
			name := s.Name
			if s.Kind == rbacv1.ServiceAccountKind {
				name = s.Namespace + "/" + s.Name
			}
			lines = append(lines, fmt.Sprintf("  %s %s, by ClusterRoleBinding %s", s.Kind, name, b.Name))
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// grants says whether a rule grants a right that is needed. One that names others does not.
func grants(rule rbacv1.PolicyRule, n need) bool {
	has := func(list []string, want string) bool {
		return slices.Contains(list, want) || slices.Contains(list, "*")
	}
	named := len(rule.ResourceNames) == 0 || len(n.Names) == 0 ||
		slices.ContainsFunc(n.Names, func(name string) bool { return slices.Contains(rule.ResourceNames, name) })
	return has(rule.APIGroups, v1alpha1.GroupName) && has(rule.Resources, n.Resource) && has(rule.Verbs, overrideVerb) && named
}

// explain tells what is needed, whether the caller has it, and who else does, as far as the caller may read the cluster's roles.
func explain(ctx context.Context, c client.Client, list []need) string {
	var b strings.Builder
	missing := false
	for _, n := range list {
		missing = missing || !n.Have && !n.Impossible
	}
	var roles rbacv1.ClusterRoleList
	var bindings rbacv1.ClusterRoleBindingList
	readable := missing && errors.Join(c.List(ctx, &roles), c.List(ctx, &bindings)) == nil
	for _, n := range list {
		b.WriteString(n.String())
		if n.Have || n.Impossible || !readable {
			continue
		}
		if lines := holders(n, roles.Items, bindings.Items); len(lines) > 0 {
			b.WriteString("These have it:\n" + strings.Join(lines, "\n") + "\n")
			continue
		}
		b.WriteString("Nobody has it: bind the ClusterRole fonster-emergency to those who should.\n")
	}
	if missing && !readable {
		b.WriteString("You may not read who has the right: ask whoever administers the cluster for the ClusterRole fonster-emergency.\n")
	}
	return b.String()
}

func (n need) String() string {
	names := strings.Join(n.Names, ", ")
	have := choose(n.Have, "You have it.", "You do not have it.")
	switch {
	case n.Impossible:
		return fmt.Sprintf("Change freeze %s is in force, and no override passes it: it ends when its ChangeFreeze is changed or deleted.\n", names)
	case n.Resource == freezesResource:
		return fmt.Sprintf("Change freeze %s is in force: whoever changes something under the override needs the right to override it (verb override on changefreezes). %s\n", names, have)
	case len(n.Names) == 0:
		return "It takes the right to override a window that governs (verb override on maintenancewindows).\n"
	case len(n.Names) == 1:
		return fmt.Sprintf("It takes the right to override window %s (verb override on maintenancewindows). %s\n", names, have)
	}
	return fmt.Sprintf("It takes the right to override one of the windows %s (verb override on maintenancewindows). %s\n", names, have)
}

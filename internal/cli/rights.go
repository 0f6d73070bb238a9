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
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
)

const (
	windowsResource = "maintenancewindows"
	freezesResource = "changefreezes"
	overrideVerb    = "override"
)

// need is a right that an emergency requires: to override one of some windows, or a change freeze that is in force. Of several, each is
// required.
type need struct {
	Resource string `json:"resource"`
	// Names are those of which one is enough. None: it is not known which govern.
	Names []string `json:"names,omitempty"`
	// ObjectSelector is that of the windows, where an override of a Namespace requires a right for each.
	ObjectSelector string `json:"objectSelector,omitempty"`
	// All says that a right to all windows is required, as the policies do not get to the names of these.
	All bool `json:"all,omitempty"`
	// Impossible says that no right passes it.
	Impossible bool `json:"impossible,omitempty"`
	// Have says that the caller has the right.
	Have bool `json:"have"`
	// Holders are those who have it, by the cluster's roles; only where the caller has not, and may read those.
	Holders []string `json:"holders,omitempty"`
}

// governed is what governs an object, or, of a Namespace, anything in it.
type governed struct {
	// namespace says that it is about a Namespace: an override of it passes for everything in it.
	namespace bool
	targets   []v1alpha1.GateTarget
	freezes   []v1alpha1.GateFreeze
}

// governing is the part of a Gate that governs an object with these labels, or, without, anything in the namespace.
func governing(g *v1alpha1.Gate, objectLabels *labels.Set) (governed, error) {
	result := governed{namespace: objectLabels == nil}
	if g == nil {
		return result, nil
	}
	for _, t := range g.Spec.Targets {
		if is, err := selects(t.ObjectSelector, objectLabels); err != nil {
			return governed{}, err
		} else if is {
			result.targets = append(result.targets, t)
		}
	}
	for _, f := range g.Spec.Freezes {
		if is, err := selects(f.ObjectSelector, objectLabels); err != nil {
			return governed{}, err
		} else if is {
			result.freezes = append(result.freezes, f)
		}
	}
	return result, nil
}

// narrows says whether anything in a Gate depends on the labels of an object.
func narrows(g *v1alpha1.Gate) bool {
	return g != nil && (slices.ContainsFunc(g.Spec.Targets, func(t v1alpha1.GateTarget) bool { return t.ObjectSelector != nil }) ||
		slices.ContainsFunc(g.Spec.Freezes, func(f v1alpha1.GateFreeze) bool { return f.ObjectSelector != nil }))
}

// longest is how long an override may stand, the strictest window and freeze counted; an hour, where none says it.
func (g governed) longest() time.Duration {
	var all []time.Duration
	for _, t := range g.targets {
		if t.Overrides != nil {
			all = append(all, t.Overrides.MaxDuration.Duration)
		}
	}
	for _, f := range g.freezes {
		if f.Overrides != nil && f.Enforcement != v1alpha1.Warn {
			all = append(all, f.Overrides.MaxDuration.Duration)
		}
	}
	if len(all) == 0 {
		return time.Hour
	}
	return slices.Min(all)
}

// needs lists what an override requires that is to pass: the right to windows, and to each freeze in force.
func (g governed) needs(now time.Time) []need {
	list := g.windowNeeds()
	inForce := slices.DeleteFunc(slices.Clone(g.freezes), func(f v1alpha1.GateFreeze) bool {
		begun := f.Active || f.StartsAt != nil && !now.Before(f.StartsAt.Time)
		return f.Enforcement != v1alpha1.Deny || !begun
	})
	for _, f := range inForce {
		passes := f.Overrides != nil && len(inForce) <= v1alpha1.MaxOverrideFreezes
		list = append(list, need{Resource: freezesResource, Names: []string{f.Name}, Impossible: !passes})
	}
	return list
}

// windowNeeds lists which rights to windows are required, as the policies have it. Any one of the windows that govern a workload is enough.
// An override of a Namespace requires one of those that govern everything in it; where there are none, one of those of each objectSelector.
func (g governed) windowNeeds() []need {
	overridable := slices.DeleteFunc(slices.Clone(g.targets), func(t v1alpha1.GateTarget) bool { return t.Overrides == nil })
	whole := slices.DeleteFunc(slices.Clone(overridable), func(t v1alpha1.GateTarget) bool { return t.ObjectSelector != nil })
	parts := g.namespace && len(whole) == 0
	if g.namespace && !parts {
		overridable = whole
	}
	var asked []string
	for _, t := range overridable {
		asked = append(asked, t.Overrides.Windows...)
	}
	if len(asked) == 0 {
		return nil
	}
	asked = asked[:min(len(asked), v1alpha1.MaxOverrideWindows)]

	var list []need
	var selectors []*metav1.LabelSelector
	for _, t := range overridable {
		i := slices.IndexFunc(selectors, func(s *metav1.LabelSelector) bool { return !parts || equality.Semantic.DeepEqual(s, t.ObjectSelector) })
		if i < 0 {
			i = len(list)
			selectors = append(selectors, t.ObjectSelector)
			n := need{Resource: windowsResource, All: true}
			if parts {
				n.ObjectSelector = metav1.FormatLabelSelector(t.ObjectSelector)
			}
			list = append(list, n)
		}
		for _, name := range t.Overrides.Windows {
			if slices.Contains(asked, name) && !slices.Contains(list[i].Names, name) {
				list[i].Names, list[i].All = append(list[i].Names, name), false
			}
		}
	}
	return list
}

// selects says whether a selector of a Gate selects an object with these labels; without labels it may.
func selects(selector *metav1.LabelSelector, objectLabels *labels.Set) (bool, error) {
	if selector == nil || objectLabels == nil {
		return true, nil
	}
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return false, fmt.Errorf("the Gate of the namespace: %w", err)
	}
	return s.Matches(*objectLabels), nil
}

// governed reads what governs the command's object, from the Gate of its namespace.
func (o *overrideCommand) governed(ctx context.Context, c client.Client) (governed, error) {
	namespace := cmp.Or(o.target.Namespace, o.target.Name)
	if o.operator(ctx, c).Protected(namespace) {
		return governed{}, nil
	}
	g := &v1alpha1.Gate{}
	switch err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: v1alpha1.GateName}, g); {
	case apierrors.IsNotFound(err):
		return governed{}, nil
	case err != nil:
		return governed{}, fmt.Errorf("reading the Gate of namespace %s: %w", namespace, err)
	}
	if o.target.Namespace == "" || !narrows(g) {
		return governing(g, nil)
	}
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(o.target.GroupVersionKind())
	if err := c.Get(ctx, client.ObjectKeyFromObject(o.target), object); err != nil {
		return governed{}, err
	}
	return governing(g, (*labels.Set)(&object.Labels))
}

// needs reads what an override of the command's object requires, and which of it the caller has.
func (o *overrideCommand) needs(ctx context.Context, c client.Client) ([]need, error) {
	g, err := o.governed(ctx, c)
	if err != nil {
		return nil, err
	}
	list := g.needs(o.now())
	return list, askHave(ctx, c, list)
}

// askHave asks the API server which of the rights the caller has.
func askHave(ctx context.Context, c client.Client, list []need) error {
	for i := range list {
		names := list[i].Names
		if list[i].All {
			names = []string{""}
		}
		for _, name := range names {
			may, err := mayOverride(ctx, c, list[i].Resource, name)
			if err != nil {
				return err
			}
			list[i].Have = list[i].Have || may
		}
	}
	return nil
}

// mayOverride asks the API server whether the caller may override a window or freeze; all, where none is named.
func mayOverride(ctx context.Context, c client.Client, resource, name string) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
		Group: v1alpha1.GroupName, Resource: resource, Name: name, Verb: overrideVerb,
	}}}
	if err := c.Create(ctx, review); err != nil {
		return false, fmt.Errorf("asking the API server what you may: %w", err)
	}
	return review.Status.Allowed, nil
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
			lines = append(lines, fmt.Sprintf("%s %s, by ClusterRoleBinding %s", s.Kind, name, b.Name))
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// grants says whether a rule grants a right that is needed. One that names others does not, and one that names any does not grant all.
func grants(rule rbacv1.PolicyRule, n need) bool {
	has := func(list []string, want string) bool {
		return slices.Contains(list, want) || slices.Contains(list, "*")
	}
	named := len(rule.ResourceNames) == 0 || len(n.Names) == 0 && !n.All ||
		slices.ContainsFunc(n.Names, func(name string) bool { return slices.Contains(rule.ResourceNames, name) })
	return has(rule.APIGroups, v1alpha1.GroupName) && has(rule.Resources, n.Resource) && has(rule.Verbs, overrideVerb) && named
}

// tellNeeds tells what is needed, whether the caller has it, and who else does, as far as the caller may read the cluster's roles.
func tellNeeds(ctx context.Context, c client.Client, list []need) string {
	return needsText(list, fillHolders(ctx, c, list))
}

// missesRight says whether a right is needed that the caller has not, and somebody may have.
func missesRight(list []need) bool {
	return slices.ContainsFunc(list, func(n need) bool { return !n.Have && !n.Impossible })
}

// fillHolders looks up who has the rights that the caller has not, and says whether the caller may read that.
func fillHolders(ctx context.Context, c client.Client, list []need) (readable bool) {
	var roles rbacv1.ClusterRoleList
	var bindings rbacv1.ClusterRoleBindingList
	if !missesRight(list) || errors.Join(c.List(ctx, &roles), c.List(ctx, &bindings)) != nil {
		return false
	}
	for i := range list {
		if n := &list[i]; !n.Have && !n.Impossible {
			n.Holders = holders(*n, roles.Items, bindings.Items)
		}
	}
	return true
}

func needsText(list []need, readable bool) string {
	var b strings.Builder
	for _, n := range list {
		b.WriteString(n.String())
		switch {
		case n.Have || n.Impossible || !readable:
		case len(n.Holders) > 0:
			b.WriteString("These have it:\n  " + strings.Join(n.Holders, "\n  ") + "\n")
		default:
			b.WriteString("Nobody has it: bind the ClusterRole fonster-emergency to those who should.\n")
		}
	}
	if missesRight(list) && !readable {
		b.WriteString("You may not read who has the right: ask whoever administers the cluster for the ClusterRole fonster-emergency.\n")
	}
	return b.String()
}

func (n need) String() string {
	names := strings.Join(n.Names, ", ")
	have := choose(n.Have, "You have it.", "You do not have it.")
	requires := "Requires the `override` verb on "
	if n.ObjectSelector != "" {
		requires = fmt.Sprintf("For objects with %s: requires the `override` verb on ", n.ObjectSelector)
	}
	switch {
	case n.Impossible:
		return fmt.Sprintf("Change freeze %s is in force, and no override passes it: it ends when its ChangeFreeze is changed or deleted.\n", names)
	case n.Resource == freezesResource:
		return fmt.Sprintf("Change freeze %s is in force: changing anything under the override requires the `override` verb on changefreezes/%s. %s\n", names, names, have)
	case n.All:
		return fmt.Sprintf("%sall %s, without resourceNames: too many windows govern to be asked for by name. %s\n", requires, windowsResource, have)
	case len(n.Names) == 0:
		return fmt.Sprintf("%s%s that govern.\n", requires, windowsResource)
	case len(n.Names) == 1:
		return fmt.Sprintf("%s%s/%s. %s\n", requires, windowsResource, names, have)
	}
	return fmt.Sprintf("%sany one of the %s %s. %s\n", requires, windowsResource, names, have)
}

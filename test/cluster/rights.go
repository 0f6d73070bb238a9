package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Bound waits until the API server, which hears of roles and bindings by watches of its own, goes by a RoleBinding or ClusterRoleBinding:
// until it allows each subject what each rule of the role names first. For any other object it has nothing to wait for.
func (c *Cluster) Bound(ctx context.Context, binding client.Object) error {
	var ref rbacv1.RoleRef
	var subjects []rbacv1.Subject
	switch b := binding.(type) {
	case *rbacv1.RoleBinding:
		ref, subjects = b.RoleRef, b.Subjects
	case *rbacv1.ClusterRoleBinding:
		ref, subjects = b.RoleRef, b.Subjects
	default:
		return nil
	}
	rules, err := c.rulesOf(ctx, ref, binding.GetNamespace())
	if err != nil {
		return err
	}
	for _, subject := range subjects {
		for _, rule := range rules {
			if binding.GetNamespace() != "" && len(rule.NonResourceURLs) > 0 {
				continue // a RoleBinding gives no right to a path
			}
			if err := c.allowed(ctx, reviewOf(subject, rule, binding.GetNamespace())); err != nil {
				return fmt.Errorf("waiting for what %T %s allows: %w", binding, binding.GetName(), err)
			}
		}
	}
	return nil
}

func (c *Cluster) rulesOf(ctx context.Context, ref rbacv1.RoleRef, namespace string) ([]rbacv1.PolicyRule, error) {
	if ref.Kind == "Role" {
		role := &rbacv1.Role{}
		err := c.Admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: ref.Name}, role)
		return role.Rules, err
	}
	role := &rbacv1.ClusterRole{}
	err := c.Admin.Get(ctx, client.ObjectKey{Name: ref.Name}, role)
	return role.Rules, err
}

// allowed asks until it is.
func (c *Cluster) allowed(ctx context.Context, spec authorizationv1.SubjectAccessReviewSpec) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		review := &authorizationv1.SubjectAccessReview{Spec: spec}
		last = c.Admin.Create(ctx, review)
		return last == nil && review.Status.Allowed, nil
	})
	if err != nil {
		return fmt.Errorf("asking for %+v: %w", spec, errors.Join(err, last))
	}
	return nil
}

// reviewOf asks whether a subject may do what a rule names first.
func reviewOf(subject rbacv1.Subject, rule rbacv1.PolicyRule, namespace string) authorizationv1.SubjectAccessReviewSpec {
	var spec authorizationv1.SubjectAccessReviewSpec
	switch subject.Kind {
	case rbacv1.ServiceAccountKind:
		spec.User = "system:serviceaccount:" + subject.Namespace + ":" + subject.Name
	case rbacv1.GroupKind:
		spec.User, spec.Groups = "anybody", []string{subject.Name}
	default:
		spec.User = subject.Name
	}
	if len(rule.NonResourceURLs) > 0 {
		spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Path: rule.NonResourceURLs[0], Verb: rule.Verbs[0]}
		return spec
	}
	resource, subresource, _ := strings.Cut(rule.Resources[0], "/")
	spec.ResourceAttributes = &authorizationv1.ResourceAttributes{
		Namespace: namespace, Group: rule.APIGroups[0], Resource: resource, Subresource: subresource, Verb: rule.Verbs[0],
	}
	if len(rule.ResourceNames) > 0 {
		spec.ResourceAttributes.Name = rule.ResourceNames[0]
	}
	return spec
}

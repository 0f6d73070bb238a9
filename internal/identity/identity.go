// Package identity finds out who the operator of an installation is: its programs ask the API server who they are themselves, and whoever
// looks from outside reads what the installation has noted on one of its policies.
package identity

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/policy"
)

// Own asks the API server who a program of Fonster's runs as: what admission will know it by, wherever it runs. It fails for who is no
// service account.
func Own(ctx context.Context, config *rest.Config) (policy.Identity, error) {
	c, err := authenticationclient.NewForConfig(config)
	if err != nil {
		return policy.Identity{}, err
	}
	review, err := c.SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return policy.Identity{}, fmt.Errorf("asking the API server who this program runs as: %w", err)
	}
	own, err := policy.IdentityOf(review.Status.UserInfo.Username)
	if err != nil {
		return policy.Identity{}, fmt.Errorf("this program runs as its own service account, in a pod or with a token of it (make run does): %w", err)
	}
	return own, nil
}

// Installed reads who the operator is for whom the policies of a cluster were installed. Where they are not installed, or by a version
// that does not note it, it is the default one.
func Installed(ctx context.Context, reader client.Reader) (policy.Identity, error) {
	guard := &metav1.PartialObjectMetadata{}
	guard.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind(policy.Validating))
	err := reader.Get(ctx, client.ObjectKey{Name: policy.OperatorGuard}, guard)
	user := guard.Annotations[v1alpha1.OperatorAnnotation]
	if apierrors.IsNotFound(err) || err == nil && user == "" {
		return policy.Identity{}, nil
	}
	if err != nil {
		return policy.Identity{}, fmt.Errorf("reading the policy %s, which names the operator: %w", policy.OperatorGuard, err)
	}
	installed, err := policy.IdentityOf(user)
	if err != nil {
		return policy.Identity{}, fmt.Errorf("annotation %s of the policy %s: %w", v1alpha1.OperatorAnnotation, policy.OperatorGuard, err)
	}
	return installed, nil
}

// Package controllers wires the reconcilers. Each has a package of its own below.
package controllers

import (
	"errors"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/controllers/announcements"
	"fonster.dev/fonster/controllers/gates"
	"fonster.dev/fonster/controllers/status"
	"fonster.dev/fonster/internal/compile"
)

// Setup registers every controller with the manager. now is read once in each reconcile.
func Setup(mgr ctrl.Manager, source *compile.Source, exempt *v1alpha1.GateExempt, now func() time.Time, observeTransition func(time.Duration)) error {
	mutating, err := servesMutatingPolicies(mgr.GetRESTMapper())
	if err != nil {
		return err
	}
	common := status.Common{Client: mgr.GetClient(), Source: source, Recorder: mgr.GetEventRecorder("fonster"), Now: now}
	return errors.Join(
		(&gates.Reconciler{Client: mgr.GetClient(), Source: source, Mutating: mutating, Exempt: exempt, Now: now, ObserveTransition: observeTransition}).SetupWithManager(mgr),
		(&status.Windows{Common: common}).SetupWithManager(mgr),
		(&status.Freezes{Common: common}).SetupWithManager(mgr),
		(&announcements.Reconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Source: source, Now: now}).SetupWithManager(mgr),
	)
}

// servesMutatingPolicies says whether the API server has MutatingAdmissionPolicy v1, as from Kubernetes 1.36 on.
func servesMutatingPolicies(mapper meta.RESTMapper) (bool, error) {
	_, err := mapper.RESTMapping(admissionv1.SchemeGroupVersion.WithKind("MutatingAdmissionPolicyBinding").GroupKind(), admissionv1.SchemeGroupVersion.Version)
	if meta.IsNoMatchError(err) {
		return false, nil
	}
	return err == nil, err
}

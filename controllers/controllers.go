// Package controllers wires the reconcilers. Each has a package of its own below.
package controllers

import (
	"errors"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/controllers/gates"
	"fonster.dev/fonster/controllers/status"
	"fonster.dev/fonster/internal/compile"
)

// Setup registers every controller with the manager. now is read once in each reconcile.
func Setup(mgr ctrl.Manager, source *compile.Source, exempt *v1alpha1.GateExempt, canHold bool, now func() time.Time, observeTransition func(time.Duration)) error {
	common := status.Common{Client: mgr.GetClient(), Source: source, Recorder: mgr.GetEventRecorder("fonster"), Now: now}
	return errors.Join(
		(&gates.Reconciler{Client: mgr.GetClient(), Source: source, Exempt: exempt, CanHold: canHold, Now: now, ObserveTransition: observeTransition}).SetupWithManager(mgr),
		(&status.Windows{Common: common}).SetupWithManager(mgr),
		(&status.Freezes{Common: common}).SetupWithManager(mgr),
	)
}

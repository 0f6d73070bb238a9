// Package controllers wires the reconcilers. Each has a package of its own below.
package controllers

import (
	"errors"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/controllers/gates"
	"fonster.dev/fonster/controllers/releases"
	"fonster.dev/fonster/controllers/status"
	"fonster.dev/fonster/internal/compile"
)

// Observer is told what the controllers do, for the metrics.
type Observer interface {
	releases.Observer
	// ObserveTransition: a Gate was written this long after an edge of a schedule.
	ObserveTransition(delay time.Duration)
}

// Setup registers every controller with the manager. now is read once in each reconcile.
func Setup(mgr ctrl.Manager, source *compile.Source, exempt *v1alpha1.GateExempt, canHold bool, now func() time.Time, observer Observer) error {
	recorder := mgr.GetEventRecorder("fonster")
	common := status.Common{Client: mgr.GetClient(), Source: source, Recorder: recorder, Now: now}
	return errors.Join(
		(&gates.Reconciler{Client: mgr.GetClient(), Source: source, Exempt: exempt, CanHold: canHold, Now: now, ObserveTransition: observer.ObserveTransition}).SetupWithManager(mgr),
		(&releases.Reconciler{
			Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Source: source, Recorder: recorder, Observer: observer, Now: now,
		}).SetupWithManager(mgr),
		(&status.Windows{Common: common, CanHold: canHold}).SetupWithManager(mgr),
		(&status.Freezes{Common: common}).SetupWithManager(mgr),
	)
}

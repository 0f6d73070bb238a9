// Package controllers wires the reconcilers. Each has a package of its own below.
package controllers

import (
	"errors"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/controllers/gate"
	"fonster.dev/fonster/controllers/history"
	"fonster.dev/fonster/controllers/override"
	"fonster.dev/fonster/controllers/rollout"
	"fonster.dev/fonster/controllers/status"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/enforced"
	"fonster.dev/fonster/internal/leader"
	"fonster.dev/fonster/internal/workload"
)

// Observer is told what the controllers do, for the metrics.
type Observer interface {
	rollout.Observer
	// ObserveTransition: a Gate was written this long after an edge of a schedule.
	ObserveTransition(delay time.Duration)
	// ObserveOverride: an emergency override passes a window.
	ObserveOverride(window string)
}

// Options are what the controllers are given.
type Options struct {
	Source *compile.Source
	// Overridden holds what carries an emergency override.
	Overridden *override.Store
	// Lease says whether this replica leads.
	Lease *leader.Lease
	// Enforced is told what keeps windows and freezes from being enforced, and tells it.
	Enforced *enforced.State
	// Mutating says that the API server has MutatingAdmissionPolicy v1.
	Mutating bool
	// Exempt is who passes every gate, besides the control plane.
	Exempt *v1alpha1.GateExempt
	// Now is read once in each reconcile.
	Now      func() time.Time
	Observer Observer
}

// Setup registers every controller with the manager.
func Setup(mgr ctrl.Manager, o Options) error {
	recorder := mgr.GetEventRecorder("fonster")
	common := status.Common{
		Client: mgr.GetClient(), Source: o.Source, Recorder: recorder, Enforced: o.Enforced, Now: o.Now, View: &status.View{},
	}
	support := workload.Support{Reader: mgr.GetClient(), Mutating: o.Mutating}
	return errors.Join(
		(&gate.Reconciler{
			Client: mgr.GetClient(), Source: o.Source, Support: support, Exempt: o.Exempt, Enforced: o.Enforced, Now: o.Now,
			ObserveTransition: o.Observer.ObserveTransition,
		}).SetupWithManager(mgr),
		(&rollout.Reconciler{
			Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Source: o.Source, Recorder: recorder, Observer: o.Observer, Now: o.Now, Support: support,
			Lease: o.Lease,
		}).SetupWithManager(mgr),
		(&status.Windows{Common: common, Support: support}).SetupWithManager(mgr),
		(&status.Freezes{Common: common}).SetupWithManager(mgr),
		(&history.Reconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Source: o.Source, Now: o.Now}).SetupWithManager(mgr),
		(&override.Reconciler{
			Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Store: o.Overridden, Source: o.Source, Recorder: recorder, Now: o.Now,
			Lease: o.Lease, Observe: o.Observer.ObserveOverride,
		}).SetupWithManager(mgr),
	)
}

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// GateState sums up for people what may pass now.
type GateState string

const (
	// GateOpen says that disruptions pass.
	GateOpen GateState = "Open"
	// GateClosed says that no window is open.
	GateClosed GateState = "Closed"
	// GateFrozen says that a change freeze is in force.
	GateFrozen GateState = "Frozen"
	// GateMixed says that some workloads or disruptions may pass, others not.
	GateMixed GateState = "Mixed"
)

// GateSpec is what the API server's admission policies read with each request in the namespace. The operator alone writes it, as a
// whole; its size does not depend on how many windows and freezes there are.
//
// +structType=atomic
type GateSpec struct {
	// summary says for people what may pass now, and when that changes. No policy reads it.
	// +required
	Summary GateSummary `json:"summary"`

	// targets are the windows that govern the namespace, aggregated: one entry for each distinct objectSelector and set of windows. An
	// object is governed by every target that selects it; a disruption passes while any of those is open that lists it.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=128
	Targets []GateTarget `json:"targets,omitempty"`

	// freezes are the change freezes that govern the namespace, those in force first, then those to come, the next first; at most 16.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Freezes []GateFreeze `json:"freezes,omitempty"`

	// labelKeys are the keys of Namespace labels by which any window or freeze selects. While the gate is closed, they do not change.
	// A single "*" stands for every key, where there are more than 64.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=317
	LabelKeys []string `json:"labelKeys,omitempty"`

	// exempt lists who passes besides the control plane's own identities, and which labels pods may change, from the operator's
	// configuration.
	// +optional
	Exempt *GateExempt `json:"exempt,omitempty"`
}

// GateSummary says for people what may pass now.
type GateSummary struct {
	// state is Open, Closed, Frozen, or Mixed where it depends on the workload or on what is attempted.
	// +required
	// +kubebuilder:validation:Enum=Open;Closed;Frozen;Mixed
	State GateState `json:"state"`

	// when says until when, or from when, in the zone of the window or freeze, such as: opens Sat 5 Dec 2026 09:00 CET.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	When string `json:"when,omitempty"`

	// by is the window or freeze that when speaks of.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	By string `json:"by,omitempty"`
}

// GateTarget is what the windows of one objectSelector do to some disruptions now.
type GateTarget struct {
	// objectSelector selects the workloads by their labels, with matchExpressions only. Absent: everything in the namespace.
	// +optional
	ObjectSelector *metav1.LabelSelector `json:"objectSelector,omitempty"`

	// disruptions are what the windows govern: Rollout, ScaleDown, Delete, Evict.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	Disruptions []Disruption `json:"disruptions"`

	// enforcement is what happens while no window is open: the strictest of the windows, Deny, Hold or Warn.
	// +required
	// +kubebuilder:validation:Enum=Deny;Hold;Warn
	Enforcement Enforcement `json:"enforcement"`

	// open says that a window lets the disruptions begin now. With closesAt, the policies hold it against the API server's own clock.
	// +optional
	Open bool `json:"open,omitempty"`

	// closesAt is the first instant at which the open windows no longer let anything new begin; absent when none is known.
	// +optional
	ClosesAt *metav1.Time `json:"closesAt,omitempty"`

	// opensAt is the next opening, of an open target the one after it closes, change freezes counted that govern the whole target; absent
	// when none is known.
	// +optional
	OpensAt *metav1.Time `json:"opensAt,omitempty"`

	// opens is opensAt for people, in the zone of the window that opens.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Opens string `json:"opens,omitempty"`

	// opensWindow is the name of the window that opens then.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	OpensWindow string `json:"opensWindow,omitempty"`

	// cutoff tells of a window that is open, but lets nothing new begin any more; absent while the target is open.
	// +optional
	Cutoff *GateCutoff `json:"cutoff,omitempty"`

	// windows names the windows, those that do more than warn first, in order of name; at most 8, however many there are.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=253
	Windows []string `json:"windows,omitempty"`

	// overrides says how an emergency may pass. Absent: all windows only warn, and there is nothing to pass.
	// +optional
	Overrides *GateOverrides `json:"overrides,omitempty"`
}

// GateCutoff is a window in its cutoff, in words for a refusal.
type GateCutoff struct {
	// window is its name.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Window string `json:"window"`

	// since says since when nothing new begins, in the window's own zone.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Since string `json:"since"`

	// ends says when the occurrence ends, in the window's own zone.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Ends string `json:"ends"`
}

// GateOverrides says how an emergency may pass.
type GateOverrides struct {
	// maxDuration is how long an override stands at most: the shortest of the windows.
	// +required
	// +kubebuilder:validation:Type=string
	MaxDuration metav1.Duration `json:"maxDuration"`

	// windows names the windows that an override passes, in order of name; at most 8, and each in one target alone. Whoever may override
	// any one of those that govern a workload may set an override of it; of a Namespace, one of each objectSelector, or one without.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=253
	Windows []string `json:"windows,omitempty"`

	// reasonPatterns are the patterns that the reason of an override must match: all of them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=256
	ReasonPatterns []string `json:"reasonPatterns,omitempty"`
}

// GateFreeze is a change freeze.
type GateFreeze struct {
	// name is the name of the ChangeFreeze.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// reason is the reason that its author gave.
	// +required
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason"`

	// objectSelector selects the workloads by their labels, with matchExpressions only. Absent: everything in the namespace.
	// +optional
	ObjectSelector *metav1.LabelSelector `json:"objectSelector,omitempty"`

	// disruptions are what the freeze stops.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	Disruptions []Disruption `json:"disruptions"`

	// enforcement is what the freeze does to a disruptive request: Deny or Warn.
	// +required
	// +kubebuilder:validation:Enum=Deny;Warn
	Enforcement Enforcement `json:"enforcement"`

	// active says that the freeze is in force.
	// +optional
	Active bool `json:"active,omitempty"`

	// startsAt is when a freeze that is not in force comes into force; the policies hold it against the API server's clock.
	// +optional
	StartsAt *metav1.Time `json:"startsAt,omitempty"`

	// endsAt is when the freeze that is in force ends; absent when it has no known end.
	// +optional
	EndsAt *metav1.Time `json:"endsAt,omitempty"`

	// ends is endsAt for people, in the freeze's own zone.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Ends string `json:"ends,omitempty"`

	// overrides says how an emergency may pass, for whoever has the right to override the freeze. Absent: not at all.
	// +optional
	Overrides *GateFreezeOverrides `json:"overrides,omitempty"`
}

// GateFreezeOverrides says how an emergency may pass a freeze.
type GateFreezeOverrides struct {
	// maxDuration is how long an override stands at most.
	// +required
	// +kubebuilder:validation:Type=string
	MaxDuration metav1.Duration `json:"maxDuration"`

	// reasonPattern is what the reason of an override must match; absent: any reason.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	ReasonPattern string `json:"reasonPattern,omitempty"`
}

// GateExempt lists, by exact names, who and what passes a closed gate.
type GateExempt struct {
	// users are names of users, such as system:serviceaccount:databases:operator.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=512
	Users []string `json:"users,omitempty"`

	// groups are names of groups.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=512
	Groups []string `json:"groups,omitempty"`

	// leaderLabels are keys of labels that a pod's own service account may change, besides those of well-known databases.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=317
	LeaderLabels []string `json:"leaderLabels,omitempty"`
}

// Gate is what the windows and freezes that govern a namespace come to now. There is exactly one in each governed namespace, named
// gate; the API server's admission policies read it, and whoever may view the namespace. The operator alone writes it. Where windows or
// freezes with enforcement Audit govern, a second one, named audit, is what the first would be if they refused: it refuses nothing.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced
// +kubebuilder:validation:XValidation:rule="self.metadata.name in ['gate', 'audit']",message="a namespace has one Gate, and its name is gate; where something audits, a second one, audit"
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.spec.summary.state`
// +kubebuilder:printcolumn:name="When",type=string,JSONPath=`.spec.summary.when`,description="When that changes, in the time zone of the window or freeze"
// +kubebuilder:printcolumn:name="By",type=string,JSONPath=`.spec.summary.by`,description="The window or freeze by which it changes"
// +kubebuilder:printcolumn:name="Enforcement",type=string,JSONPath=`.spec.targets[*].enforcement`,priority=1
// +kubebuilder:printcolumn:name="Windows",type=string,JSONPath=`.spec.targets[*].windows`,priority=1
// +kubebuilder:printcolumn:name="Freezes",type=string,JSONPath=`.spec.freezes[*].name`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Gate struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the compiled state.
	// +required
	Spec GateSpec `json:"spec"`
}

// GateList is a list of Gate.
//
// +kubebuilder:object:root=true
type GateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Gate `json:"items"`
}

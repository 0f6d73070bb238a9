package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// GateState sums up one disruption of a gate for people.
type GateState string

const (
	// GateOpen lets the disruption pass.
	GateOpen GateState = "Open"
	// GateClosed means that no window is open.
	GateClosed GateState = "Closed"
	// GateFrozen means that a change freeze is in force.
	GateFrozen GateState = "Frozen"
)

// GateSpec is what the API server's admission policies read. The operator alone writes it, as a whole: it is read, and so
// converted, with every request to the target, and is kept small for that.
//
// +structType=atomic
type GateSpec struct {
	// namespaceSelector and objectSelector are the target: which workloads the gate stands before.
	// +required
	NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
	// objectSelector narrows the target to workloads with these labels.
	// +optional
	ObjectSelector *metav1.LabelSelector `json:"objectSelector,omitempty"`

	// exempt lists who passes besides the control plane's own identities, and what, from the operator's configuration.
	// +optional
	Exempt *GateExempt `json:"exempt,omitempty"`

	// overrides says how an emergency may pass. Absent: not at all.
	// +optional
	Overrides *GateOverrides `json:"overrides,omitempty"`

	// disruptions says for each governed disruption whether it may pass now. What is not listed is not governed here.
	// +optional
	// +listType=map
	// +listMapKey=disruption
	// +kubebuilder:validation:MaxItems=4
	Disruptions []GateDisruption `json:"disruptions,omitempty"`

	// alsoOpen lists windows of other targets that are open now and may overlap this one: where they govern an object too,
	// they open the gate for it. Listed only for disruptions for which the gate itself is not open. Usually empty.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=2048
	AlsoOpen []GateOverlap `json:"alsoOpen,omitempty"`

	// alsoOpenOmitted counts openings that alsoOpen had no room for: they open nothing here. Some 250 windows of different,
	// partly overlapping targets must be open at once for that, or fewer with long selectors; give more of them the same target.
	// +optional
	AlsoOpenOmitted int32 `json:"alsoOpenOmitted,omitempty"`

	// nextOpenings lists, soonest first, which windows of other targets that may overlap this one open before its own do; at
	// most 8. Only the message of a refusal reads it.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	NextOpenings []GateOverlap `json:"nextOpenings,omitempty"`
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

// GateOverrides says how an emergency may pass.
type GateOverrides struct {
	// maxDuration is how long an override stands at most: the shortest of the target's windows.
	// +required
	// +kubebuilder:validation:Type=string
	MaxDuration metav1.Duration `json:"maxDuration"`

	// windows names windows of this target, in order of name; at most 8. Whoever may override one of them may set an override.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Windows []string `json:"windows,omitempty"`

	// reasonPatterns are the patterns that the reason of an override must match: all of them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=256
	ReasonPatterns []string `json:"reasonPatterns,omitempty"`
}

// GateDisruption is the state of one disruption at a gate.
type GateDisruption struct {
	// disruption is what is attempted.
	// +required
	Disruption Disruption `json:"disruption"`

	// state sums up the fields below for people: Open, Closed or Frozen.
	// +required
	// +kubebuilder:validation:Enum=Open;Closed;Frozen
	State GateState `json:"state"`

	// open says that a window which governs the whole target is open now. With closesAt, the policies hold it against the API
	// server's own clock.
	// +optional
	Open bool `json:"open,omitempty"`

	// closesAt is the first instant at which the open windows no longer let anything new begin.
	// +optional
	ClosesAt *metav1.Time `json:"closesAt,omitempty"`

	// opensAt is the next opening, of an open gate the one after it closes; absent when none is known.
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

	// enforcement is what happens while no window is open: the strictest of this target's windows. Absent when only freezes
	// govern the disruption here.
	// +optional
	// +kubebuilder:validation:Enum=Deny;Hold;Warn
	Enforcement Enforcement `json:"enforcement,omitempty"`

	// windows names the windows of this target, in order of name; at most 8, however many there are.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Windows []string `json:"windows,omitempty"`

	// freezes holds the change freeze in force, or else the next one, for each enforcement.
	// +optional
	// +listType=map
	// +listMapKey=enforcement
	// +kubebuilder:validation:MaxItems=2
	Freezes []GateFreeze `json:"freezes,omitempty"`
}

// GateFreeze is a change freeze at a gate.
type GateFreeze struct {
	// enforcement is what the freeze does to a disruptive request: Deny or Warn.
	// +required
	// +kubebuilder:validation:Enum=Deny;Warn
	Enforcement Enforcement `json:"enforcement"`

	// name is the name of the ChangeFreeze.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// reason is the reason that its author gave.
	// +required
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason"`

	// active says that the freeze is in force.
	// +optional
	Active bool `json:"active,omitempty"`

	// overridable says that an override passes the freeze, for whoever has the right to override it.
	// +optional
	Overridable bool `json:"overridable,omitempty"`

	// also names other freezes in force here: an override passes them all, for whoever has the right to each.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=2
	// +kubebuilder:validation:items:MaxLength=253
	Also []string `json:"also,omitempty"`

	// startsAt is when a freeze that is not in force comes into force; the policies hold it against the API server's clock.
	// +optional
	StartsAt *metav1.Time `json:"startsAt,omitempty"`

	// ends says to people when the freeze ends, in its own zone; absent when it has no known end.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Ends string `json:"ends,omitempty"`
}

// GateOverlap is an opening of another target, with the selectors that tell which objects it reaches. Selectors are
// written with matchExpressions only, so that the policies have one form to read.
type GateOverlap struct {
	// disruptions lists what the opening lets pass.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	Disruptions []Disruption `json:"disruptions"`

	// window is the name of the window that opens.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Window string `json:"window"`

	// closesAt is when an open window no longer lets anything new begin; absent when no end is known.
	// +optional
	ClosesAt *metav1.Time `json:"closesAt,omitempty"`

	// opensAt is when a closed window opens.
	// +optional
	OpensAt *metav1.Time `json:"opensAt,omitempty"`

	// opens is opensAt for people, in the window's own zone.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Opens string `json:"opens,omitempty"`

	// namespaceSelector selects the namespaces that the opening reaches.
	// +required
	NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`

	// objectSelector narrows the opening to workloads with these labels.
	// +optional
	ObjectSelector *metav1.LabelSelector `json:"objectSelector,omitempty"`
}

// Gate is what the windows and freezes of one target (namespace selector and object selector) are compiled into, and what
// the admission policies of the API server read. It is written by the operator alone, and small whatever the number of
// windows.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Rollout",type=string,JSONPath=`.spec.disruptions[?(@.disruption=="Rollout")].state`
// +kubebuilder:printcolumn:name="Opens",type=string,JSONPath=`.spec.disruptions[?(@.disruption=="Rollout")].opens`
// +kubebuilder:printcolumn:name="Closes At",type=string,JSONPath=`.spec.disruptions[?(@.disruption=="Rollout")].closesAt`
// +kubebuilder:printcolumn:name="Delete",type=string,JSONPath=`.spec.disruptions[?(@.disruption=="Delete")].state`
// +kubebuilder:printcolumn:name="ScaleDown",type=string,JSONPath=`.spec.disruptions[?(@.disruption=="ScaleDown")].state`,priority=1
// +kubebuilder:printcolumn:name="Evict",type=string,JSONPath=`.spec.disruptions[?(@.disruption=="Evict")].state`,priority=1
// +kubebuilder:printcolumn:name="Windows",type=string,JSONPath=`.spec.disruptions[*].windows`,priority=1
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

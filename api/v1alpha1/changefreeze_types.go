package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Reason is a reason in one language.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=256
// +kubebuilder:validation:XValidation:rule="!self.matches('[^\\\\P{Cc}\\\\n\\\\r\\\\t]')",message="must not contain control characters, but for line breaks and tabs"
type Reason string

// ChangeFreezeSpec says when which workloads may not be disrupted, whatever windows are open.
type ChangeFreezeSpec struct {
	// reason tells the people who are refused why.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="!self.matches('[^\\\\P{Cc}\\\\n\\\\r\\\\t]')",message="must not contain control characters, but for line breaks and tabs"
	Reason string `json:"reason"`

	// reasons are the reason in other languages, by BCP 47 tag, such as en: Christmas.
	// +optional
	// +kubebuilder:validation:MaxProperties=8
	// +kubebuilder:validation:XValidation:rule="self.all(tag, tag.matches('^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$'))",message="each key is the tag of a language, such as en"
	Reasons map[string]Reason `json:"reasons,omitempty"`

	// timeZone is the IANA name of the zone in which every time here is read, such as Europe/Stockholm. Local is not allowed,
	// nor is an offset such as +01:00.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self != 'Local'",message="Local is not a time zone everybody agrees on: give an IANA name, such as Europe/Stockholm"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9_+/-]*$')",message="must be an IANA time zone, such as Europe/Stockholm, not an offset"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[A-Za-z][A-Za-z0-9_+/-]*$') || timestamp('2000-01-01T00:00:00Z').getFullYear(self) > 0",message="must be an IANA time zone, such as Europe/Stockholm"
	TimeZone string `json:"timeZone"`

	// schedules say when the freeze is in force. Without schedules it is in force until it is deleted: the stop button.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Schedules []Schedule `json:"schedules,omitempty"`

	// namespaceSelector selects the namespaces that the freeze governs, by their labels; {} means every namespace.
	// kube-system, kube-public, kube-node-lease and the operator's own namespace are never governed.
	// +required
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector"`

	// objectSelector narrows the freeze to workloads with these labels. Default: all workloads of the namespaces.
	// A pod is governed by its own labels, which are those of its workload's pod template: give the template the same labels, or deleting
	// a pod passes. ReplicaSets and ControllerRevisions of workloads, scale requests and evictions are governed in the whole namespace.
	// +optional
	ObjectSelector *metav1.LabelSelector `json:"objectSelector,omitempty"`

	// disruptions lists what the freeze stops: Rollout, ScaleDown, Delete, Evict. Default: Rollout and Delete. Scaling to zero
	// is a Delete too. By default evictions, by which drains and autoscalers of nodes live, pass.
	// +optional
	// +listType=set
	// +default=["Rollout","Delete"]
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	Disruptions []Disruption `json:"disruptions,omitempty"`

	// enforcement is Deny (default), which refuses; Warn, which lets the request pass with a warning; or Audit, which lets it pass without
	// a word: the API server's audit log says what would have been refused.
	// +optional
	// +default="Deny"
	// +kubebuilder:validation:Enum=Deny;Warn;Audit
	Enforcement Enforcement `json:"enforcement,omitempty"`

	// overrides let emergencies pass the freeze, for people with the right to override it. Without it nothing passes.
	// +optional
	Overrides *OverridePolicy `json:"overrides,omitempty"`

	// announce says whether the freeze is on the page and in the calendars, true by default. Where it is false nothing is told of it, and
	// what was told before is taken back without a trace; it is enforced all the same.
	// +optional
	Announce *bool `json:"announce,omitempty"`

	// audiences lists whose page and calendar show the freeze, such as osthammar; "*" stands for everybody's. Empty: those of the
	// namespaces that it governs, where the page's flag --page-audience-label says which label of a namespace names its audience, and
	// everybody's where it governs every namespace, or without that flag.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^([*]|[a-z0-9]([a-z0-9-]*[a-z0-9])?)$')",message="an audience has small letters a-z, digits and - only, such as osthammar, or is * for everybody; the name that people read is set by the page's flag --page-audiences"
	Audiences []string `json:"audiences,omitempty"`
}

// ChangeFreezeStatus is what the operator has seen of the freeze. It decides nothing.
type ChangeFreezeStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready (the freeze could be read), Enforced (the API server has all that it takes), Active (it is in force now),
	// Governing (some namespace matches the selector), Holding (rollouts wait for its end).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// startsAt is when the freeze comes into force next; absent while it is in force, or when no time is known.
	// +optional
	StartsAt *metav1.Time `json:"startsAt,omitempty"`

	// endsAt is when the freeze that is in force ends; absent when it has no known end.
	// +optional
	EndsAt *metav1.Time `json:"endsAt,omitempty"`

	// upcoming lists the next occurrences, the one in force included; at most 8.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Upcoming []Occurrence `json:"upcoming,omitempty"`

	// namespaces is the number of namespaces that the freeze governs.
	// +optional
	Namespaces int32 `json:"namespaces"`
}

// ChangeFreeze stops disruption of the workloads it selects, also inside open windows.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=cf
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Enforced",type=string,JSONPath=`.status.conditions[?(@.type=="Enforced")].status`,description="Whether the API server has all that it takes"
// +kubebuilder:printcolumn:name="Active",type=string,JSONPath=`.status.conditions[?(@.type=="Active")].status`
// +kubebuilder:printcolumn:name="When",type=string,JSONPath=`.status.conditions[?(@.type=="Active")].message`,description="When it ends or begins next, in its own time zone"
// +kubebuilder:printcolumn:name="Enforcement",type=string,JSONPath=`.spec.enforcement`
// +kubebuilder:printcolumn:name="Namespaces",type=integer,JSONPath=`.status.namespaces`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.spec.reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ChangeFreeze struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says when, for which workloads, and why.
	// +required
	Spec ChangeFreezeSpec `json:"spec"`
	// status is what the operator has seen.
	// +optional
	Status ChangeFreezeStatus `json:"status,omitempty"`
}

// ChangeFreezeList is a list of ChangeFreeze.
//
// +kubebuilder:object:root=true
type ChangeFreezeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ChangeFreeze `json:"items"`
}

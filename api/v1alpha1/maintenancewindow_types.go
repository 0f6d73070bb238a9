package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// WindowClass tells planned windows from emergency ones.
// +kubebuilder:validation:Enum=Planned;Emergency
type WindowClass string

const (
	// Planned windows are announced well before.
	Planned WindowClass = "Planned"
	// Emergency windows come up at short notice.
	Emergency WindowClass = "Emergency"
)

// Title is a title in one language.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=128
// +kubebuilder:validation:XValidation:rule="!self.matches('[^\\\\P{Cc}\\\\n\\\\r\\\\t]')",message="must not contain control characters, but for line breaks and tabs"
type Title string

// Description is a description in one language.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=2048
// +kubebuilder:validation:XValidation:rule="!self.matches('[^\\\\P{Cc}\\\\n\\\\r\\\\t]')",message="must not contain control characters, but for line breaks and tabs"
type Description string

// MaintenanceWindowSpec says when which workloads may be disrupted, and what happens to those who try at other times.
//
// +kubebuilder:validation:XValidation:rule="!has(self.release) || has(self.enforcement) && self.enforcement == 'Hold'",message="release is for enforcement Hold: leave it out, or hold rollouts"
type MaintenanceWindowSpec struct {
	// title is shown to people, on the page and in calendars. Default: the name of the window. It is in the language of the page's flag
	// --page-language.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="!self.matches('[^\\\\P{Cc}\\\\n\\\\r\\\\t]')",message="must not contain control characters, but for line breaks and tabs"
	Title string `json:"title,omitempty"`

	// titles are the title in other languages, by BCP 47 tag, such as en: Maintenance of the network.
	// +optional
	// +kubebuilder:validation:MaxProperties=8
	// +kubebuilder:validation:XValidation:rule="self.all(tag, tag.matches('^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$'))",message="each key is the tag of a language, such as en"
	Titles map[string]Title `json:"titles,omitempty"`

	// description tells people what to expect during the window. On the page line breaks stay, and what begins with https:// is a link.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="!self.matches('[^\\\\P{Cc}\\\\n\\\\r\\\\t]')",message="must not contain control characters, but for line breaks and tabs"
	Description string `json:"description,omitempty"`

	// descriptions are the description in other languages, by BCP 47 tag, such as en: Short interruptions.
	// +optional
	// +kubebuilder:validation:MaxProperties=8
	// +kubebuilder:validation:XValidation:rule="self.all(tag, tag.matches('^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$'))",message="each key is the tag of a language, such as en"
	Descriptions map[string]Description `json:"descriptions,omitempty"`

	// systems are the systems that may be disturbed, by the names that people know them by, such as E-post.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:XValidation:rule="!self.matches('[\\\\p{Cc}]')",message="must not contain control characters"
	Systems []string `json:"systems,omitempty"`

	// class is Planned (default) or Emergency, a window at short notice.
	// +optional
	// +default="Planned"
	Class WindowClass `json:"class,omitempty"`

	// timeZone is the IANA name of the zone in which every time here is read, such as Europe/Stockholm. Local is not allowed,
	// nor is an offset such as +01:00.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self != 'Local'",message="Local is not a time zone everybody agrees on: give an IANA name, such as Europe/Stockholm"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9_+/-]*$')",message="must be an IANA time zone, such as Europe/Stockholm, not an offset"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[A-Za-z][A-Za-z0-9_+/-]*$') || timestamp('2000-01-01T00:00:00Z').getFullYear(self) > 0",message="must be an IANA time zone, such as Europe/Stockholm"
	TimeZone string `json:"timeZone"`

	// schedules say when the window is open: the union of all of them. Occurrences that overlap or touch become one.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Schedules []Schedule `json:"schedules"`

	// exclusions say when the window stays closed whatever the schedules say, such as public holidays.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Exclusions []Exclusion `json:"exclusions,omitempty"`

	// cutoff is how long before the end of an occurrence nothing new may begin, such as 30m. Up to 24h.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,9}([.][0-9]{1,9})?(h|m|s|ms|us|ns))+)$') && duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="must be a duration from 0s to 24h, such as 30m; days are not a unit: a day is 24h"
	Cutoff *metav1.Duration `json:"cutoff,omitempty"`

	// namespaceSelector selects the namespaces that the window governs, by their labels; {} means every namespace.
	// kube-system, kube-public, kube-node-lease and the operator's own namespace are never governed.
	// +required
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector"`

	// objectSelector narrows the window to workloads with these labels. Default: all workloads of the namespaces.
	// A pod is governed by its own labels, which are those of its workload's pod template: give the template the same labels, or deleting
	// a pod passes. ReplicaSets and ControllerRevisions of workloads, scale requests and evictions are governed in the whole namespace.
	// +optional
	ObjectSelector *metav1.LabelSelector `json:"objectSelector,omitempty"`

	// disruptions lists what is allowed only inside the window: Rollout, ScaleDown, Delete, Evict. Default: Rollout and
	// Delete. Scaling to zero is a Delete too. By default evictions, by which drains and autoscalers of nodes live, pass.
	// +optional
	// +listType=set
	// +default=["Rollout","Delete"]
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	Disruptions []Disruption `json:"disruptions,omitempty"`

	// enforcement is what happens outside the window: Deny (default) refuses, Hold accepts the change and holds the rollout
	// until the window opens, Warn lets it pass with a warning. Where several windows are closed, the strictest counts. Audit lets it pass
	// without a word, and opens nothing: the API server's audit log says what would have been refused.
	// +optional
	// +default="Deny"
	// +kubebuilder:validation:Enum=Deny;Hold;Warn;Audit
	Enforcement Enforcement `json:"enforcement,omitempty"`

	// release says how held rollouts are let go when the window opens; for enforcement Hold.
	// +optional
	Release *ReleasePolicy `json:"release,omitempty"`

	// overrides bound the emergencies that may pass outside the window.
	// +optional
	Overrides *OverridePolicy `json:"overrides,omitempty"`

	// notice is how long before its start a planned occurrence should be known, such as 168h. Up to 8784h.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,9}([.][0-9]{1,9})?(h|m|s|ms|us|ns))+)$') && duration(self) >= duration('0s') && duration(self) <= duration('8784h')",message="must be a duration from 0s to 8784h, such as 168h; days are not a unit: a day is 24h"
	Notice *metav1.Duration `json:"notice,omitempty"`

	// announce says whether the window is on the page and in the calendars, true by default. Where it is false nothing is told of it, and
	// what was told before is taken back without a trace; it is enforced all the same.
	// +optional
	Announce *bool `json:"announce,omitempty"`

	// audiences lists whose page and calendar show the window, such as osthammar; "*" stands for everybody's. Empty: those of the
	// namespaces that it governs, where the page's flag --page-audience-label says which label of a namespace names its audience, and
	// everybody's where it governs every namespace, or without that flag.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^([*]|[a-z0-9]([a-z0-9-]*[a-z0-9])?)$')",message="an audience has small letters a-z, digits and - only, such as osthammar, or is * for everybody; the name that people read is set by the page's flag --page-audiences"
	Audiences []string `json:"audiences,omitempty"`
}

// ReleasePolicy says how held rollouts are released.
type ReleasePolicy struct {
	// maxConcurrent is how many released rollouts may be in progress at once, dealt to the namespaces in turn; one that is in progress
	// for more than ten minutes keeps only its own namespace waiting. From 1 to 1000; default 5.
	// +optional
	// +default=5
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MaxConcurrent int32 `json:"maxConcurrent,omitempty"`

	// onFailure says what a failed rollout does to what waits in its namespace: Continue (default), or Stop: it waits for the next
	// occurrence. Other namespaces go on.
	// +optional
	// +default="Continue"
	// +kubebuilder:validation:Enum=Continue;Stop
	OnFailure string `json:"onFailure,omitempty"`

	// onClose says what happens to rollouts in progress when the window closes: Finish (default) or Pause.
	// +optional
	// +default="Finish"
	// +kubebuilder:validation:Enum=Finish;Pause
	OnClose string `json:"onClose,omitempty"`

	// earlyClose closes the window before its end: Never (default), or WhenDone, when the queue has emptied.
	// +optional
	// +default="Never"
	// +kubebuilder:validation:Enum=Never;WhenDone
	EarlyClose string `json:"earlyClose,omitempty"`
}

// MaintenanceWindowStatus is what the operator has seen of the window. It decides nothing, but for closedEarly and, of a train of
// releases, currentOccurrence.
type MaintenanceWindowStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready (the window could be read), Enforced (the API server has all that it takes), Open (an occurrence is in
	// progress and no freeze keeps it shut), Accepting (something new may begin now: scripts wait for it), Governing (some namespace
	// matches the selector), Holding (rollouts wait), HoldSupported (rollouts can be held).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// opensAt is the next opening, change freezes counted; absent while open, or when none is known.
	// +optional
	OpensAt *metav1.Time `json:"opensAt,omitempty"`

	// closesAt is when the open window closes; absent while closed.
	// +optional
	ClosesAt *metav1.Time `json:"closesAt,omitempty"`

	// nothingNewFrom is when the cutoff of the occurrence in progress begins, or began: from then on nothing new may begin until the
	// window closes. Absent while closed, and without a cutoff.
	// +optional
	NothingNewFrom *metav1.Time `json:"nothingNewFrom,omitempty"`

	// upcoming lists the next occurrences, the one that is open included; at most 8.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Upcoming []UpcomingOccurrence `json:"upcoming,omitempty"`

	// namespaces is the number of namespaces that the window governs.
	// +optional
	Namespaces int32 `json:"namespaces"`

	// held is the number of rollouts that wait for the window.
	// +optional
	Held int32 `json:"held,omitempty"`

	// overrides lists the last emergency overrides that passed the window, newest first; at most 20.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	Overrides []OverrideRecord `json:"overrides,omitempty"`

	// currentOccurrence tells of the occurrence in progress.
	// +optional
	CurrentOccurrence *OccurrenceSummary `json:"currentOccurrence,omitempty"`

	// closedEarly is the rest of an occurrence that the operator has closed early, because the work was done: from its start on
	// the window is closed.
	// +optional
	ClosedEarly *Occurrence `json:"closedEarly,omitempty"`

	// lastOccurrence tells what became of the occurrence that closed last.
	// +optional
	LastOccurrence *OccurrenceSummary `json:"lastOccurrence,omitempty"`
}

// UpcomingOccurrence is an occurrence to come, or the one that is open.
type UpcomingOccurrence struct {
	Occurrence `json:",inline"`

	// announcedAt is when the occurrence became known.
	// +optional
	AnnouncedAt *metav1.Time `json:"announcedAt,omitempty"`
	// shortNotice says that a planned occurrence became known later than spec.notice before its start.
	// +optional
	ShortNotice bool `json:"shortNotice,omitempty"`
}

// OverrideEnd says how an override ended.
// +kubebuilder:validation:Enum=Expired;Removed;Replaced;Deleted
type OverrideEnd string

const (
	// OverrideExpired ended at its time.
	OverrideExpired OverrideEnd = "Expired"
	// OverrideRemoved was taken away by hand.
	OverrideRemoved OverrideEnd = "Removed"
	// OverrideReplaced gave way to one with another reason.
	OverrideReplaced OverrideEnd = "Replaced"
	// OverrideDeleted ended with its object.
	OverrideDeleted OverrideEnd = "Deleted"
)

// OverrideRecord tells of an emergency override.
type OverrideRecord struct {
	// object is what was overridden, such as: Deployment osthammar/web, or: Namespace osthammar.
	// +required
	// +kubebuilder:validation:MaxLength=600
	Object string `json:"object"`
	// by is the user who set the override.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	By string `json:"by,omitempty"`
	// reason is what they gave as the reason.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason"`
	// notice is a sentence about it for the public, from the annotation maintenance.fonster.dev/override-notice: the page shows it. All
	// else that is told here it keeps to itself.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Notice string `json:"notice,omitempty"`
	// from is when it began.
	// +required
	From metav1.Time `json:"from"`
	// until is when it was to end.
	// +required
	Until metav1.Time `json:"until"`
	// endedAt is when it did end; absent while it stands.
	// +optional
	EndedAt *metav1.Time `json:"endedAt,omitempty"`
	// ended says how: Expired, Removed, Replaced or Deleted.
	// +optional
	Ended OverrideEnd `json:"ended,omitempty"`
	// fromGeneration is the generation of the object when the override began. Where toGeneration differs, the object's spec was
	// changed under the override.
	// +optional
	FromGeneration int64 `json:"fromGeneration,omitempty"`
	// toGeneration is the generation of the last change of the object's spec that was seen under the override. That the generation of a
	// Deployment rises with its annotations too does not count.
	// +optional
	ToGeneration int64 `json:"toGeneration,omitempty"`
	// changedBy lists the field managers that have written something of the object's spec since, such as kubectl-set; at most 8.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	ChangedBy []string `json:"changedBy,omitempty"`
}

// OccurrenceSummary tells what became of an occurrence.
type OccurrenceSummary struct {
	// start is the first instant of the occurrence; of one whose beginning is not known, when the window was created.
	// +required
	Start metav1.Time `json:"start"`
	// end is the first instant after the occurrence; absent while none is known.
	// +optional
	End *metav1.Time `json:"end,omitempty"`

	// usedSeconds is how much of the occurrence was used: with enforcement Hold from its start until the last release was done,
	// otherwise until it closed. Planned is end minus start.
	// +optional
	UsedSeconds int64 `json:"usedSeconds,omitempty"`
	// released is the number of rollouts that were released.
	// +optional
	Released int32 `json:"released,omitempty"`
	// failed is the number of released rollouts that failed.
	// +optional
	Failed int32 `json:"failed,omitempty"`
	// closedEarly says that the window closed before its end: by earlyClose, or by kubectl window close.
	// +optional
	ClosedEarly bool `json:"closedEarly,omitempty"`
	// stoppedBy names the failed rollout after which, with onFailure Stop, nothing more of its namespace is released in this
	// occurrence; of several, the first.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	StoppedBy string `json:"stoppedBy,omitempty"`
	// stopped lists the namespaces of which, with onFailure Stop, nothing more is released in this occurrence. Where it is full, with
	// 64, nothing more is released of any namespace.
	// +optional
	// +listType=map
	// +listMapKey=namespace
	// +kubebuilder:validation:MaxItems=64
	Stopped []StoppedNamespace `json:"stopped,omitempty"`
	// turn is the namespace that was let release something last: the next in order of name is the next in turn.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Turn string `json:"turn,omitempty"`
}

// StoppedNamespace is a namespace of which nothing more is released in an occurrence.
type StoppedNamespace struct {
	// namespace is its name.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
	// by is the rollout that failed, such as: Deployment osthammar/web.
	// +required
	// +kubebuilder:validation:MaxLength=512
	By string `json:"by"`
}

// MaintenanceWindow says when workloads may be disrupted: a servicefönster. Outside it, disruptive changes to the
// workloads it selects are refused, held or warned about by the API server itself.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=mw
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Enforced",type=string,JSONPath=`.status.conditions[?(@.type=="Enforced")].status`,description="Whether the API server has all that it takes"
// +kubebuilder:printcolumn:name="Open",type=string,JSONPath=`.status.conditions[?(@.type=="Open")].status`
// +kubebuilder:printcolumn:name="When",type=string,JSONPath=`.status.conditions[?(@.type=="Open")].message`,description="When it closes or opens next, in its own time zone"
// +kubebuilder:printcolumn:name="Enforcement",type=string,JSONPath=`.spec.enforcement`
// +kubebuilder:printcolumn:name="Namespaces",type=integer,JSONPath=`.status.namespaces`
// +kubebuilder:printcolumn:name="Class",type=string,JSONPath=`.spec.class`,priority=1
// +kubebuilder:printcolumn:name="Time Zone",type=string,JSONPath=`.spec.timeZone`,priority=1
// +kubebuilder:printcolumn:name="Opens At",type=string,JSONPath=`.status.opensAt`,priority=1
// +kubebuilder:printcolumn:name="Closes At",type=string,JSONPath=`.status.closesAt`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type MaintenanceWindow struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says when, for which workloads, and how strictly.
	// +required
	Spec MaintenanceWindowSpec `json:"spec"`
	// status is what the operator has seen.
	// +optional
	Status MaintenanceWindowStatus `json:"status,omitempty"`
}

// MaintenanceWindowList is a list of MaintenanceWindow.
//
// +kubebuilder:object:root=true
type MaintenanceWindowList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []MaintenanceWindow `json:"items"`
}

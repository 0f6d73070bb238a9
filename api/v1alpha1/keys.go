package v1alpha1

// Labels and annotations of the project. Of what is written on workloads and Namespaces: people write OverrideAnnotation,
// OverrideNoticeAnnotation and ReleasePriorityAnnotation; everything else is the operator's and its policies'.
const (
	prefix = GroupName + "/"

	// ManagedByLabel marks everything that the project installs or writes, with the value ManagedBy.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of ManagedByLabel.
	ManagedBy = "fonster"
	// PartLabel marks the policies and bindings that are installed, whoever has installed them, with PartPolicy or PartBinding: others
	// may write ManagedByLabel, as Helm does. What removes them, or tells what another version has left, selects by it.
	PartLabel   = prefix + "part"
	PartPolicy  = "policy"
	PartBinding = "binding"
	// OperatorAnnotation tells, on the policy that guards the operator, whom the policies take for it: the user name of its service account.
	OperatorAnnotation = prefix + "operator"

	// GateName is the name of the one Gate of a governed namespace.
	GateName = "gate"
	// AuditGateName is the name of a second Gate, where windows or freezes with enforcement Audit govern: what the first would be if they
	// refused. Requests are held against it too, and what it refuses is only recorded.
	AuditGateName = "audit"
	// GatedLabel on a Namespace, with the value "true", says that it has a Gate: the policies look at nothing in other namespaces.
	GatedLabel = prefix + "gated"

	// RefusesLabel, HoldsLabel, WarnsLabel and NarrowsLabel on a Gate, with the value "true", say what it enforces at any time: by
	// them bindings select it, so that what a gate does not enforce costs nothing. Narrows: some window or freeze has an objectSelector.
	RefusesLabel = prefix + "refuses"
	HoldsLabel   = prefix + "holds"
	WarnsLabel   = prefix + "warns"
	NarrowsLabel = prefix + "narrows"
	// AuditsLabel on the second Gate, with the value "true", is all by which bindings select that one.
	AuditsLabel = prefix + "audits"

	// HeldLabel says that the rollout of a workload waits (HeldWaiting), or has been let go and is not yet done: in its turn
	// (HeldReleasing), or outside the queue (HeldLetGo), and then nothing holds it again. Marks are labels, because the controllers of
	// Kubernetes copy annotations to ReplicaSets and ControllerRevisions, and never labels.
	HeldLabel = prefix + "held"
	// HeldSinceLabel is when it was held, by the API server's clock, as in HeldTime.
	HeldSinceLabel = prefix + "held-since"
	// HeldPartitionLabel is the partition that the user of a StatefulSet wants.
	HeldPartitionLabel = prefix + "held-partition"

	// HeldWaiting, HeldReleasing and HeldLetGo are the values of HeldLabel.
	HeldWaiting   = "true"
	HeldReleasing = "releasing"
	HeldLetGo     = "let-go"

	// HeldTime is how HeldSinceLabel writes a time of UTC: RFC 3339, but for the colons, which a label must not have.
	HeldTime = "2006-01-02T15.04.05Z"
	// HeldPartition parks a StatefulSet: past every ordinal, also past those that scaling up may bring.
	HeldPartition = 1<<31 - 1

	// ReleasePriorityAnnotation places a workload in the queue of its namespace: an integer, higher goes first.
	ReleasePriorityAnnotation = prefix + "release-priority"

	// OverriddenLabel, with the value "true", marks what carries an override, so that the operator need not watch every workload.
	OverriddenLabel = prefix + "overridden"
	// OverrideAnnotation is the reason of an emergency override.
	OverrideAnnotation = prefix + "override"
	// OverrideUntilAnnotation is when it ends, RFC 3339 in UTC.
	OverrideUntilAnnotation = prefix + "override-until"
	// OverrideByAnnotation is who set it.
	OverrideByAnnotation = prefix + "override-by"
	// OverrideFromAnnotation is when it began, and at which generation of its object: TIME/GENERATION.
	OverrideFromAnnotation = prefix + "override-from"
	// OverrideSpentAnnotation has the reasons that are used up, one a line, the latest first. OverrideSpentLabel, with the value "true",
	// marks what has it: whoever sets such a reason again is warned, and only of such objects that is asked.
	OverrideSpentAnnotation = prefix + "override-spent"
	OverrideSpentLabel      = prefix + "override-spent"
	// OverrideNoticeAnnotation is a sentence about it for the public.
	OverrideNoticeAnnotation = prefix + "override-notice"

	// AnnouncedLabel, with the value "true", marks the ConfigMaps that hold what was announced of a window or freeze.
	// AnnouncedWindowAnnotation and AnnouncedFreezeAnnotation name that object, also when it is gone.
	AnnouncedLabel            = prefix + "announced"
	AnnouncedWindowAnnotation = prefix + "window"
	AnnouncedFreezeAnnotation = prefix + "freeze"

	// ClosedAnnotation on a MaintenanceWindow ends an occurrence early: "FROM/UNTIL", instants of RFC 3339; in between the window is
	// closed. kubectl window close writes it.
	ClosedAnnotation = prefix + "closed"
)

package v1alpha1

// Types of conditions.
const (
	// ConditionReady says whether the object could be read. Its message remarks on what is probably not meant.
	ConditionReady = "Ready"
	// ConditionEnforced says whether the API server has all that it takes to hold requests against what the object says: every policy
	// and binding of the operator's version, unchanged, and the Gate of each namespace as last written.
	ConditionEnforced = "Enforced"
	// ConditionOpen says whether an occurrence is in progress, the cutoff counted, and no freeze keeps the window shut.
	ConditionOpen = "Open"
	// ConditionAccepting says whether something new may begin now: Open, and not in the cutoff. Scripts wait for it.
	ConditionAccepting = "Accepting"
	// ConditionActive says whether a freeze is in force now.
	ConditionActive = "Active"
	// ConditionGoverning says whether any namespace matches the selector.
	ConditionGoverning = "Governing"
	// ConditionHolding says whether rollouts wait for the window, or for the end of the freeze, and names them.
	ConditionHolding = "Holding"
	// ConditionHoldSupported says, for windows with enforcement Hold, whether rollouts can be held here.
	ConditionHoldSupported = "HoldSupported"
)

// Reasons of conditions, and of the Events that go with them.
const (
	// ReasonCompiled: Ready, the spec was read.
	ReasonCompiled = "Compiled"
	// ReasonShortNotice: a planned occurrence became known later than spec.notice before its start.
	ReasonShortNotice = "ShortNotice"
	// ReasonOverridden: an emergency override passes the window.
	ReasonOverridden = "Overridden"
	// ReasonOverrideEnded: an emergency override has ended.
	ReasonOverrideEnded = "OverrideEnded"
	// ReasonNoFurtherOccurrence: Ready, but every occurrence lies in the past.
	ReasonNoFurtherOccurrence = "NoFurtherOccurrence"
	// ReasonInvalidTimeZone: not Ready, the zone is unknown; the window is closed.
	ReasonInvalidTimeZone = "InvalidTimeZone"
	// ReasonInvalidSchedule: not Ready, a schedule or exclusion cannot be read; the window is closed.
	ReasonInvalidSchedule = "InvalidSchedule"
	// ReasonNeverOccurs: not Ready, the schedules have no occurrence; the window is closed.
	ReasonNeverOccurs = "NeverOccurs"
	// ReasonCutoffTooLong: not Ready, the cutoff leaves nothing of any occurrence; the window is closed.
	ReasonCutoffTooLong = "CutoffTooLong"
	// ReasonInvalidSelector: not Ready, a selector cannot be read, so that nothing can be governed.
	ReasonInvalidSelector = "InvalidSelector"

	// ReasonEnforced: Enforced.
	ReasonEnforced = "Enforced"
	// ReasonPoliciesMissing: not Enforced, policies or bindings are not installed, and what they refuse passes.
	ReasonPoliciesMissing = "PoliciesMissing"
	// ReasonPoliciesChanged: not Enforced, policies or bindings are not as the operator's version has them.
	ReasonPoliciesChanged = "PoliciesChanged"
	// ReasonGateNotWritten: not Enforced, the operator could not write the Gate of some namespace that it governs.
	ReasonGateNotWritten = "GateNotWritten"

	// ReasonWindowOpen: Open.
	ReasonWindowOpen = "WindowOpen"
	// ReasonWindowClosed: not Open, no occurrence is in progress.
	ReasonWindowClosed = "WindowClosed"
	// ReasonFrozen: not Open, a change freeze is in force.
	ReasonFrozen = "Frozen"
	// ReasonNotReady: not Open or not Active, because not Ready.
	ReasonNotReady = "NotReady"

	// ReasonAccepting: Accepting.
	ReasonAccepting = "Accepting"
	// ReasonCutoff: not Accepting, the occurrence in progress lets nothing new begin any more.
	ReasonCutoff = "Cutoff"

	// ReasonFreezeActive: Active.
	ReasonFreezeActive = "FreezeActive"
	// ReasonFreezeInactive: not Active.
	ReasonFreezeInactive = "FreezeInactive"

	// ReasonNamespacesMatch: Governing.
	ReasonNamespacesMatch = "NamespacesMatch"
	// ReasonNoNamespaceMatches: not Governing, the selector matches no namespace.
	ReasonNoNamespaceMatches = "NoNamespaceMatches"

	// ReasonHoldNotSupported: not HoldSupported; Hold is enforced as Deny.
	ReasonHoldNotSupported = "HoldNotSupported"
	// ReasonNothingToHold: not HoldSupported, as the window does not govern rollouts; Hold is enforced as Deny.
	ReasonNothingToHold = "NothingToHold"
	// ReasonOverruledByDeny: not HoldSupported, as somewhere a window with enforcement Deny refuses what this one would hold.
	ReasonOverruledByDeny = "OverruledByDeny"
	// ReasonHoldSupported: HoldSupported.
	ReasonHoldSupported = "HoldSupported"
	// ReasonRolloutsHeld: Holding.
	ReasonRolloutsHeld = "RolloutsHeld"
	// ReasonNothingHeld: not Holding.
	ReasonNothingHeld = "NothingHeld"

	// ReasonHeld and the following are Events of a held workload: its rollout waits.
	ReasonHeld = "Held"
	// ReasonReleased: the rollout has been let go.
	ReasonReleased = "Released"
	// ReasonRolledOut: a released rollout is done.
	ReasonRolledOut = "RolledOut"
	// ReasonRolloutFailed: a released rollout failed.
	ReasonRolloutFailed = "RolloutFailed"
	// ReasonHoldDropped: there is nothing to roll out any more, or the user has stopped it.
	ReasonHoldDropped = "HoldDropped"
	// ReasonReleaseRefused: an Event of a workload: somebody else's policy or quota refuses its release.
	ReasonReleaseRefused = "ReleaseRefused"
	// ReasonHeldAgain: the window closed, and the unfinished rollout is held again (onClose Pause).
	ReasonHeldAgain = "HeldAgain"
	// ReasonReleasesStopped: an Event of a window: a rollout failed, and nothing more is released (onFailure Stop).
	ReasonReleasesStopped = "ReleasesStopped"
	// ReasonClosedEarly: an Event of a window: the work is done, the window closed before its end (earlyClose WhenDone).
	ReasonClosedEarly = "ClosedEarly"
)

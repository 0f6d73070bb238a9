package v1alpha1

// Bounds of the API, each said once: a test holds the CRDs against them, and the policies are generated from them.
const (
	// MaxGateTargets bounds GateSpec.Targets. What there is no room for is one target that selects everything and stays closed.
	MaxGateTargets = 128
	// MaxGateSelectors bounds the distinct objectSelectors of a Gate's targets.
	MaxGateSelectors = 32
	// MaxGateFreezes bounds GateSpec.Freezes.
	MaxGateFreezes = 16
	// MaxLabelKeys bounds GateSpec.LabelKeys; AnyLabelKey stands for more.
	MaxLabelKeys = 64
	// AnyLabelKey in GateSpec.LabelKeys stands for every key.
	AnyLabelKey = "*"
	// MaxWindowNames bounds the names of windows, and the patterns of reasons, in each target of a Gate.
	MaxWindowNames = 8
	// MaxGateOwners is how many windows and freezes a Gate has as owners at most; where more govern it has none.
	MaxGateOwners = 32

	// MaxOverrideWindows is of how many windows that govern an object the policies ask for the right to override, and
	// MaxOverrideFreezes of how many freezes in force: where more are in force, no override passes. A question for a right takes a
	// thirtieth of what the API server lets a policy cost.
	MaxOverrideWindows = 12
	MaxOverrideFreezes = 3
	// MaxOverrideReason bounds the reason of an override, in characters.
	MaxOverrideReason = 256
	// MaxSpentReasons is how many used-up reasons an object remembers.
	MaxSpentReasons = 8

	// MaxNotedWindows bounds the names of windows in an audit annotation, of which the API server cuts off what is over 10 KiB.
	MaxNotedWindows = 32

	// MaxExempt bounds each list of GateExempt, and MaxExemptName a name in it, in characters.
	MaxExempt     = 32
	MaxExemptName = 512

	// MaxUpcoming bounds status.upcoming of windows and freezes.
	MaxUpcoming = 8
	// MaxOverrideRecords bounds status.overrides.
	MaxOverrideRecords = 20
	// MaxStopped is how many namespaces an account lists of which nothing more is released.
	MaxStopped = 64

	// MaxSelectorRequirements and MaxSelectorValues bound a selector of a window or freeze, all its values counted together.
	MaxSelectorRequirements = 32
	MaxSelectorValues       = 64
)

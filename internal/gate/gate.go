// Package gate works out, from windows and freezes, what may pass in a namespace at an instant. It is pure: no client, no clock; every
// answer comes with the instant at which it changes.
package gate

import (
	"time"

	"fonster.dev/fonster/internal/schedule"
)

// Disruption is what a request does to a workload.
type Disruption string

// The disruptions, spelled as in the API.
const (
	Rollout   Disruption = "Rollout"
	ScaleDown Disruption = "ScaleDown"
	Delete    Disruption = "Delete"
	Evict     Disruption = "Evict"
)

// disruptions in the order in which a gate lists them.
var disruptions = []Disruption{Rollout, ScaleDown, Delete, Evict}

// Enforcement is what happens to a disruptive request outside the windows.
type Enforcement string

// The enforcements, spelled as in the API.
const (
	Deny  Enforcement = "Deny"
	Hold  Enforcement = "Hold"
	Warn  Enforcement = "Warn"
	Audit Enforcement = "Audit"
)

// strictness orders enforcements: Deny > Hold > Warn > Audit.
func (e Enforcement) strictness() int {
	switch e {
	case Deny:
		return 4
	case Hold:
		return 3
	case Warn:
		return 2
	case Audit:
		return 1
	}
	return 0
}

func stricter(a, b Enforcement) Enforcement {
	if b.strictness() > a.strictness() {
		return b
	}
	return a
}

// Window is a maintenance window as compiled.
type Window struct {
	Name        string
	Target      Target
	Disruptions []Disruption
	Enforcement Enforcement
	// ReasonPattern is what the reason of an override must match; empty: any reason.
	ReasonPattern string
	// MaxOverride is how long an override stands at most.
	MaxOverride time.Duration
	// Schedule is nil when the window's schedule cannot be read: the window governs, and never opens.
	Schedule *schedule.Schedule
}

// Freeze is a change freeze as compiled.
type Freeze struct {
	Name        string
	Reason      string
	Target      Target
	Disruptions []Disruption
	Enforcement Enforcement
	// Overridable says that an override passes the freeze; it stands MaxOverride at most, and its reason matches ReasonPattern.
	Overridable   bool
	MaxOverride   time.Duration
	ReasonPattern string
	// Schedule is nil when the freeze's schedule cannot be read: the freeze is in force.
	Schedule *schedule.Schedule
}

// What a namespace's state has room for, whatever the number of windows and freezes: the API server reads it with each request.
const (
	// MaxTargets bounds State.Targets, and MaxSelectors their distinct object selectors.
	MaxTargets   = 128
	MaxSelectors = 32
	// MaxFreezes bounds State.Freezes.
	MaxFreezes = 16
	// MaxWindowNames bounds the names of windows, and the patterns of reasons, in each target.
	MaxWindowNames = 8
)

// State is what the windows and freezes that govern a namespace come to at one instant. Zero times mean: none known.
type State struct {
	// Targets are in order of their object selectors. An object is governed by each that selects it, and a disruption passes while any of
	// those is open that lists it.
	Targets []TargetState
	// Freezes are those in force, the strictest first, then those to come, the next first.
	Freezes []FreezeState
	// Omitted counts the windows and freezes in force for which there is no room: one target or freeze over everything stands for them,
	// and stays closed.
	Omitted int
	// Until is the next instant at which any of this changes; zero when nothing ever will.
	Until time.Time
}

// TargetState is what the windows of one object selector do to some disruptions.
type TargetState struct {
	Objects     Selector
	Disruptions []Disruption
	// Enforcement is the strictest of the windows.
	Enforcement Enforcement
	// Open says that a window lets the disruptions begin; until ClosesAt, in the zone of the window that closes last, ClosesWindow.
	Open         bool
	ClosesAt     time.Time
	ClosesWindow string
	// OpensAt is the next opening, of an open target the one after it closes, in the zone of the window that opens, OpensWindow. The
	// refusing freezes are counted that govern the whole target.
	OpensAt     time.Time
	OpensWindow string
	// Frozen says that such a freeze is in force.
	Frozen bool
	// Cutoff is a window that is open, but lets nothing new begin any more; nil while the target is open.
	Cutoff *Cutoff
	// Windows names the windows, those that do more than warn first; at most MaxWindowNames.
	Windows []string
	// Overrides says how an emergency may pass; nil where all windows only warn.
	Overrides *Overrides
}

// Cutoff is a window in its cutoff: nothing new begins since Since, and it ends at Ends, both in its own zone.
type Cutoff struct {
	Window      string
	Since, Ends time.Time
}

// Overrides says how an emergency may pass the windows of a target.
type Overrides struct {
	// MaxDuration is the shortest of the windows that do more than warn.
	MaxDuration time.Duration
	// Windows names those, and ReasonPatterns has the distinct patterns of all; at most MaxWindowNames each.
	Windows        []string
	ReasonPatterns []string
}

// FreezeState is a freeze at an instant.
type FreezeState struct {
	Name        string
	Reason      string
	Objects     Selector
	Disruptions []Disruption
	Enforcement Enforcement
	// Overridable says that an override passes, which stands MaxOverride at most, and whose reason matches ReasonPattern.
	Overridable   bool
	MaxOverride   time.Duration
	ReasonPattern string
	Active        bool
	// StartsAt is when it comes into force, when not Active.
	StartsAt time.Time
	// EndsAt is when it ends, in its own zone, when Active; zero when no end is known.
	EndsAt time.Time
}

// Package gate works out, from windows and freezes, what may pass at an instant: one Gate for each distinct target. It is
// pure: no client, no clock; every answer comes with the instant at which it changes.
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
	Deny Enforcement = "Deny"
	Hold Enforcement = "Hold"
	Warn Enforcement = "Warn"
)

// strictness orders enforcements: Deny > Hold > Warn.
func (e Enforcement) strictness() int {
	switch e {
	case Deny:
		return 3
	case Hold:
		return 2
	case Warn:
		return 1
	}
	return 0
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

// Gate is the state of one target at one instant.
type Gate struct {
	Name   string
	Target Target
	// Windows and Freezes name, in order, what the gate is compiled from.
	Windows []string
	Freezes []string
	// Overrides says how an emergency may pass.
	Overrides Overrides
	// Governs lists what is enforced here at any time: it depends on the windows and freezes, not on the instant.
	Governs []Rule
	// HoldsNearby says that some window, of this target or one that may overlap, holds rollouts. Like Governs, it does not depend
	// on the instant.
	HoldsNearby bool
	// Disruptions holds a state for each disruption that something of this target governs.
	Disruptions []State
	// AlsoOpen are openings of other targets that may overlap, open now, for disruptions for which the gate itself is not.
	AlsoOpen []Overlap
	// Omitted counts the openings that AlsoOpen had no room for: they stay closed here. See MaxAlsoOpenBytes.
	Omitted int
	// NextOpenings are openings of other targets that may overlap, to come before the gate's own; soonest first, at most
	// MaxNextOpenings.
	NextOpenings []Overlap
}

// Overrides says how an emergency may pass a gate.
type Overrides struct {
	// MaxDuration is the shortest of the target's own windows and overridable freezes; zero when it has neither.
	MaxDuration time.Duration
	// Windows names the target's own windows, and ReasonPatterns the distinct patterns of all; at most MaxWindowNames each.
	Windows        []string
	ReasonPatterns []string
}

// Rule is a disruption and what happens to it outside a window or inside a freeze.
type Rule struct {
	Disruption  Disruption
	Enforcement Enforcement
}

// MaxNextOpenings bounds Gate.NextOpenings, and MaxWindowNames State.Windows: a gate stays small whatever the number of
// windows.
const (
	MaxNextOpenings = 8
	MaxWindowNames  = 8

	// MaxAlsoFrozen bounds FreezeState.Also: the API server's CEL evaluator can be asked for so many rights.
	MaxAlsoFrozen = 2

	// MaxAlsoOpenBytes and MaxNextOpeningsBytes bound how long they are in JSON, which the API server reads with each request: what
	// other targets open must never make a Gate too large to be written, or to be evaluated. Enough for some 250 openings that select
	// by one label each.
	MaxAlsoOpenBytes     = 64 << 10
	MaxNextOpeningsBytes = 16 << 10
)

// State is the state of one disruption at a gate. Zero times mean: none known.
type State struct {
	Disruption Disruption
	// Open says that a window which governs the whole target lets the disruption begin; until ClosesAt.
	Open     bool
	ClosesAt time.Time
	// OpensAt is the next opening, of an open gate the one after it closes, in the zone of the window that opens; freezes are counted.
	OpensAt time.Time
	// OpensWindow is the name of the window that opens then.
	OpensWindow string
	// Enforcement is the strictest of the target's own windows; empty when it has none for this disruption.
	Enforcement Enforcement
	// Windows names the target's own windows, at most MaxWindowNames.
	Windows []string
	// Freezes holds, for each enforcement, the target's own freeze in force, or else the next one.
	Freezes []FreezeState
	// Frozen says that a refusing freeze which governs the whole target is in force, whatever target it is of.
	Frozen bool
}

// FreezeState is a freeze at a gate.
type FreezeState struct {
	Name        string
	Reason      string
	Enforcement Enforcement
	Overridable bool
	// Also names the other freezes in force that an override passes, at most MaxAlsoFrozen: it takes the right to each. Where there are
	// more, Overridable is false.
	Also   []string
	Active bool
	// StartsAt is when it comes into force, when not Active.
	StartsAt time.Time
	// EndsAt is when it ends, in its own zone, when Active; zero when no end is known.
	EndsAt time.Time
}

// Bytes is how long o is in a Gate's JSON, at most.
func (o Overlap) Bytes() int {
	const fields, requirement, value = 180, 48, 3
	bytes := fields + len(o.Window)
	for _, s := range []Selector{o.Target.Namespaces, o.Target.Objects} {
		for _, r := range s {
			bytes += requirement + len(r.Key)
			for _, v := range r.Values {
				bytes += value + len(v)
			}
		}
	}
	return bytes
}

// Overlap is an opening of another target.
type Overlap struct {
	Target      Target
	Disruptions []Disruption
	// Window is the name of the window that opens.
	Window string
	// ClosesAt ends an opening that is open; zero when no end is known.
	ClosesAt time.Time
	// OpensAt begins one to come.
	OpensAt time.Time
}

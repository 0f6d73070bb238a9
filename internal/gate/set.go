package gate

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"fonster.dev/fonster/internal/schedule"
)

// Set is all windows and freezes of a cluster, grouped by target. It is immutable: build one when they change, and ask it
// at many instants. Safe for concurrent use.
type Set struct {
	groups  []*group
	windows map[string]*windowEntry
	freezes map[string]*freezeEntry
}

// group is what shares a target, and how it relates to the other groups.
type group struct {
	target  Target
	name    string
	windows []Window
	freezes []Freeze
	// governed are the windows for each of disruptions, and blocked the refusing freezes that govern the whole target for it.
	governed [4][]Window
	blocked  [4][]Freeze
	// covering are the other groups that govern this whole target; overlapping those that may govern a part of it.
	covering    []*group
	overlapping []*group
}

type windowEntry struct {
	window Window
	group  *group
}

type freezeEntry struct {
	freeze Freeze
	group  *group
}

// NewSet groups windows and freezes by target. The order in which they are given does not matter.
func NewSet(windows []Window, freezes []Freeze) *Set {
	byTarget := map[string]*group{}
	groupOf := func(t Target) *group {
		key := t.key()
		g, found := byTarget[key]
		if !found {
			g = &group{target: t}
			byTarget[key] = g
		}
		return g
	}
	s := &Set{windows: make(map[string]*windowEntry, len(windows)), freezes: make(map[string]*freezeEntry, len(freezes))}
	for _, w := range windows {
		g := groupOf(w.Target)
		g.windows = append(g.windows, w)
		s.windows[w.Name] = &windowEntry{w, g}
	}
	for _, f := range freezes {
		g := groupOf(f.Target)
		g.freezes = append(g.freezes, f)
		s.freezes[f.Name] = &freezeEntry{f, g}
	}
	nameGroups(byTarget, hashDigits)
	s.groups = slices.SortedFunc(maps.Values(byTarget), func(a, b *group) int { return cmp.Compare(a.name, b.name) })
	for _, g := range s.groups {
		slices.SortFunc(g.windows, func(a, b Window) int { return cmp.Compare(a.Name, b.Name) })
		slices.SortFunc(g.freezes, func(a, b Freeze) int { return cmp.Compare(a.Name, b.Name) })
		for _, other := range s.groups {
			switch {
			case other == g || !other.target.Overlaps(g.target):
			case other.target.Covers(g.target):
				g.covering = append(g.covering, other)
			default:
				g.overlapping = append(g.overlapping, other)
			}
		}
	}
	for _, g := range s.groups {
		g.divide()
	}
	return s
}

// divide works out what depends on no instant: what governs and what blocks each disruption.
func (g *group) divide() {
	for i, d := range disruptions {
		for _, w := range g.windows {
			if slices.Contains(w.Disruptions, d) {
				g.governed[i] = append(g.governed[i], w)
			}
		}
		g.governed[i] = slices.Clip(g.governed[i]) // what is appended goes elsewhere
		for _, other := range append([]*group{g}, g.covering...) {
			for _, f := range other.freezes {
				if f.Enforcement == Deny && slices.Contains(f.Disruptions, d) {
					g.blocked[i] = append(g.blocked[i], f)
				}
			}
		}
		g.blocked[i] = slices.Clip(g.blocked[i])
	}
}

// nameGroups gives each group a name of its own. Where two would share one, the later by key has more of its hash in it: a Gate that
// two targets wrote to and fro would let through what either lets through.
func nameGroups(byTarget map[string]*group, digits int) {
	taken := make(map[string]bool, len(byTarget))
	for _, key := range slices.Sorted(maps.Keys(byTarget)) {
		g := byTarget[key]
		for n := digits; g.name == "" || taken[g.name]; n++ {
			g.name = g.target.name(n)
		}
		taken[g.name] = true
	}
}

// At returns the gates at now, in order of name, and the next instant at which any of them, or the state of any window or
// freeze, changes; zero when nothing ever will.
func (s *Set) At(now time.Time) (gates []Gate, until time.Time) {
	gates = make([]Gate, len(s.groups))
	own := make(map[*group]openings, len(s.groups))
	for _, g := range s.groups {
		own[g] = g.openings(now)
	}
	for i, g := range s.groups {
		gates[i] = g.at(now, own)
		until = earliest(until, g.until(now))
	}
	return gates, until
}

// until is the next instant at which a window or freeze of the group changes.
func (g *group) until(now time.Time) (until time.Time) {
	for _, w := range g.windows {
		if w.Schedule != nil {
			until = earliest(until, w.Schedule.State(now).Until)
		}
	}
	for _, f := range g.freezes {
		if f.Schedule != nil {
			until = earliest(until, f.Schedule.State(now).Until)
		}
	}
	return until
}

// opening is what a group's own windows do for one disruption at an instant, freezes not counted.
type opening struct {
	// governed says that the group has windows for the disruption.
	governed bool
	open     bool
	closesAt time.Time
	// window opens now, or else at next.
	window string
	next   time.Time
}

// openings has an opening for each of disruptions. It is worked out once for each group, whatever the number of groups that
// overlap it.
type openings [4]opening

func (g *group) openings(now time.Time) (all openings) {
	for i, d := range disruptions {
		windows := g.governing(d)
		o := opening{governed: len(windows) > 0}
		if o.open, o.closesAt = accepting(windows, now); o.open {
			o.window = openNow(windows, now)
		} else {
			o.window, o.next = firstAccepting(windows, now)
		}
		all[i] = o
	}
	return all
}

func (g *group) at(now time.Time, own map[*group]openings) Gate {
	result := Gate{Name: g.name, Target: g.target, Governs: g.rules(), HoldsNearby: g.holdsNearby(), Overrides: g.overrides()}
	for _, w := range g.windows {
		result.Windows = append(result.Windows, w.Name)
	}
	for _, f := range g.freezes {
		result.Freezes = append(result.Freezes, f.Name)
	}
	for _, d := range disruptions {
		own := g.governing(d)
		freezes := g.freezeStates(d, now)
		if len(own) == 0 && len(freezes) == 0 {
			continue
		}
		result.Disruptions = append(result.Disruptions, g.state(d, own, freezes, now))
	}
	for _, state := range result.Disruptions {
		if state.Enforcement != "" && !state.Open {
			g.addOverlaps(&result, state, now, own)
		}
	}
	result.AlsoOpen, result.Omitted = fitting(result.AlsoOpen)
	result.NextOpenings = soonest(result.NextOpenings)
	return result
}

// rules lists what the group's own windows and freezes enforce, each once.
func (g *group) rules() []Rule {
	var rules []Rule
	add := func(all []Disruption, e Enforcement) {
		for _, d := range all {
			if r := (Rule{d, e}); !slices.Contains(rules, r) {
				rules = append(rules, r)
			}
		}
	}
	for _, w := range g.windows {
		add(w.Disruptions, w.Enforcement)
	}
	for _, f := range g.freezes {
		add(f.Disruptions, f.Enforcement)
	}
	return rules
}

// holdsNearby says whether any window of the group, or of one that shares an object with it, holds rollouts.
func (g *group) holdsNearby() bool {
	return slices.ContainsFunc(slices.Concat([]*group{g}, g.covering, g.overlapping), func(other *group) bool {
		return slices.ContainsFunc(other.windows, func(w Window) bool {
			return w.Enforcement == Hold && slices.Contains(w.Disruptions, Rollout)
		})
	})
}

// governing lists the group's own windows for a disruption.
func (g *group) governing(d Disruption) []Window {
	if i := slices.Index(disruptions, d); i >= 0 {
		return g.governed[i]
	}
	return nil
}

// opening lists every window that governs the whole target for a disruption, the group's own first.
func (g *group) opening(d Disruption) []Window {
	windows := g.governing(d)
	for _, other := range g.covering {
		windows = append(windows, other.governing(d)...)
	}
	return windows
}

// blocking lists the refusing freezes that govern the whole target for a disruption.
func (g *group) blocking(d Disruption) []Freeze {
	if i := slices.Index(disruptions, d); i >= 0 {
		return g.blocked[i]
	}
	return nil
}

func (g *group) state(d Disruption, own []Window, freezes []FreezeState, now time.Time) State {
	state := State{Disruption: d, Freezes: freezes}
	for i, w := range own {
		if i < MaxWindowNames {
			state.Windows = append(state.Windows, w.Name)
		}
		if w.Enforcement.strictness() > state.Enforcement.strictness() {
			state.Enforcement = w.Enforcement
		}
	}
	blocking := g.blocking(d)
	state.Frozen, _ = frozen(blocking, now)
	windows := g.opening(d)
	state.Open, state.ClosesAt = accepting(windows, now)
	after := now
	if state.Open && !state.Frozen { // the opening after it closes
		after = state.ClosesAt
	}
	if len(own) > 0 && !after.IsZero() {
		state.OpensWindow, state.OpensAt = nextOpening(windows, blocking, after)
	}
	return state
}

// overrides says how an emergency may pass the group's own windows and freezes.
func (g *group) overrides() Overrides {
	var o Overrides
	shorten := func(d time.Duration) {
		if o.MaxDuration == 0 || d < o.MaxDuration {
			o.MaxDuration = d
		}
	}
	match := func(pattern string) {
		if pattern != "" && len(o.ReasonPatterns) < MaxWindowNames && !slices.Contains(o.ReasonPatterns, pattern) {
			o.ReasonPatterns = append(o.ReasonPatterns, pattern)
		}
	}
	for _, w := range g.windows {
		if w.Enforcement == Warn { // there is nothing to pass
			continue
		}
		shorten(w.MaxOverride)
		match(w.ReasonPattern)
		if len(o.Windows) < MaxWindowNames {
			o.Windows = append(o.Windows, w.Name)
		}
	}
	for _, f := range g.freezes {
		if f.Overridable && f.Enforcement != Warn {
			shorten(f.MaxOverride)
			match(f.ReasonPattern)
		}
	}
	return o
}

// freezeStates is, for each enforcement, the group's own freeze in force that ends last, one that no override passes before
// others; or else the one that starts next.
func (g *group) freezeStates(d Disruption, now time.Time) []FreezeState {
	var states []FreezeState
	for _, enforcement := range []Enforcement{Deny, Warn} {
		var best *FreezeState
		for _, f := range g.freezes {
			if f.Enforcement != enforcement || !slices.Contains(f.Disruptions, d) {
				continue
			}
			state := f.at(now)
			if !state.Active && state.StartsAt.IsZero() {
				continue
			}
			if best == nil || state.before(*best) {
				best = &state
			}
		}
		if best != nil {
			states = append(states, g.together(*best, d, now))
		}
	}
	return states
}

// together adds to a freeze that an override passes the others that are in force with it, or begin with it.
func (g *group) together(state FreezeState, d Disruption, now time.Time) FreezeState {
	if !state.Overridable || state.Enforcement == Warn {
		return state
	}
	for _, f := range g.freezes {
		other := f.at(now)
		if f.Name != state.Name && f.Enforcement == state.Enforcement && slices.Contains(f.Disruptions, d) && other.Active == state.Active && other.StartsAt.Equal(state.StartsAt) {
			state.Also = append(state.Also, f.Name)
		}
	}
	if len(state.Also) > MaxAlsoFrozen {
		state.Also, state.Overridable = nil, false
	}
	return state
}

func (f Freeze) at(now time.Time) FreezeState {
	state := FreezeState{Name: f.Name, Reason: f.Reason, Enforcement: f.Enforcement, Overridable: f.Overridable}
	if f.Schedule == nil {
		state.Active = true
		return state
	}
	s := f.Schedule.State(now)
	if state.Active = s.Open; state.Active {
		state.EndsAt = s.Current.End
	} else {
		state.StartsAt = s.Next.Start
	}
	return state
}

// before prefers a freeze in force to one to come; of those in force one that no override passes, and then the one that ends
// last; of those to come the one that starts first, and then one that no override passes.
func (f FreezeState) before(other FreezeState) bool {
	if f.Active != other.Active {
		return f.Active
	}
	if f.Active && f.Overridable != other.Overridable {
		return other.Overridable
	}
	if f.Active {
		return !other.EndsAt.IsZero() && (f.EndsAt.IsZero() || f.EndsAt.After(other.EndsAt))
	}
	return f.StartsAt.Before(other.StartsAt) || f.StartsAt.Equal(other.StartsAt) && !f.Overridable && other.Overridable
}

// addOverlaps lists what other targets that may overlap have open at now for a disruption, and what they open before the
// gate's own next opening.
func (g *group) addOverlaps(to *Gate, state State, now time.Time, own map[*group]openings) {
	d := state.Disruption
	for _, other := range g.overlapping {
		o := own[other][slices.Index(disruptions, d)]
		switch {
		case !o.governed:
		case o.open:
			to.AlsoOpen = addOverlap(to.AlsoOpen, Overlap{Target: other.target, Window: o.window, ClosesAt: o.closesAt}, d)
		case !o.next.IsZero():
			name, opensAt := o.window, o.next
			freezes := append(g.blocking(d), other.blocking(d)...)
			if isFrozen, _ := frozen(freezes, opensAt); isFrozen {
				name, opensAt = nextOpening(other.governing(d), freezes, now)
			}
			if !opensAt.IsZero() && (state.OpensAt.IsZero() || opensAt.Before(state.OpensAt)) {
				to.NextOpenings = addOverlap(to.NextOpenings, Overlap{Target: other.target, Window: name, OpensAt: opensAt}, d)
			}
		}
	}
}

// fitting returns the openings that MaxAlsoOpenBytes has room for, the smallest first, and how many it leaves out.
func fitting(list []Overlap) (kept []Overlap, omitted int) {
	bytes := 0
	for _, o := range list {
		bytes += o.Bytes()
	}
	if bytes <= MaxAlsoOpenBytes {
		return list, 0
	}
	slices.SortStableFunc(list, func(a, b Overlap) int { return a.Bytes() - b.Bytes() })
	bytes = 0
	for i, o := range list {
		if bytes += o.Bytes(); bytes > MaxAlsoOpenBytes {
			return list[:i], len(list) - i
		}
	}
	return list, 0
}

// soonest returns the first openings to come, as many as MaxNextOpenings and MaxNextOpeningsBytes have room for.
func soonest(list []Overlap) []Overlap {
	slices.SortStableFunc(list, func(a, b Overlap) int { return a.OpensAt.Compare(b.OpensAt) })
	bytes := 0
	for i, o := range list {
		if bytes += o.Bytes(); i == MaxNextOpenings || bytes > MaxNextOpeningsBytes {
			return list[:i]
		}
	}
	return list
}

// addOverlap adds an opening for a disruption, to the entry that is the same opening where there is one.
func addOverlap(list []Overlap, o Overlap, d Disruption) []Overlap {
	for i := range list {
		e := &list[i]
		if e.Window == o.Window && e.ClosesAt.Equal(o.ClosesAt) && e.OpensAt.Equal(o.OpensAt) && e.Target.key() == o.Target.key() {
			e.Disruptions = append(e.Disruptions, d)
			return list
		}
	}
	o.Disruptions = []Disruption{d}
	return append(list, o)
}

// maxSteps bounds every walk from one edge to the next. Past it the answer is "none known", which closes.
const maxSteps = 512

// accepting says whether any window lets something begin at now, and until when: where one window hands over to the next
// without a gap, the end of the last. The end is zero when none is known.
func accepting(windows []Window, now time.Time) (bool, time.Time) {
	end, open := now, false
	for range maxSteps {
		var furthest time.Time
		for _, w := range windows {
			if w.Schedule == nil {
				continue
			}
			s := w.Schedule.State(end)
			if !s.Accepting {
				continue
			}
			if s.Until.IsZero() {
				return true, time.Time{}
			}
			furthest = latest(furthest, s.Until)
		}
		if furthest.IsZero() {
			break
		}
		open, end = true, furthest
	}
	if !open {
		return false, time.Time{}
	}
	return true, end
}

// openNow is the name of the first window that is accepting at now.
func openNow(windows []Window, now time.Time) string {
	for _, w := range windows {
		if w.Schedule != nil && w.Schedule.State(now).Accepting {
			return w.Name
		}
	}
	return ""
}

// nextOpening is the first instant at or after now at which a window accepts and no freeze is in force, in the zone of that
// window, and the window's name. Zero when none is known.
func nextOpening(windows []Window, freezes []Freeze, now time.Time) (string, time.Time) {
	at := now
	for range maxSteps {
		name, opens := firstAccepting(windows, at)
		if opens.IsZero() {
			return "", time.Time{}
		}
		blocked, until := frozen(freezes, opens)
		if !blocked {
			return name, opens
		}
		if until.IsZero() {
			return "", time.Time{}
		}
		at = until
	}
	return "", time.Time{}
}

// firstAccepting is the first instant at or after now at which any window accepts. An occurrence that is all cutoff opens
// nothing.
func firstAccepting(windows []Window, now time.Time) (name string, opens time.Time) {
	for _, w := range windows {
		if w.Schedule == nil {
			continue
		}
		if at := acceptsFrom(w.Schedule, now); !at.IsZero() && (opens.IsZero() || at.Before(opens)) {
			name, opens = w.Name, at
		}
	}
	return name, opens
}

func acceptsFrom(s *schedule.Schedule, now time.Time) time.Time {
	at := now
	for range maxSteps {
		state := s.State(at)
		if state.Accepting {
			return at.In(s.Location())
		}
		if at = state.Next.Start; at.IsZero() || s.Accepts(state.Next) {
			return at
		}
	}
	return time.Time{}
}

// frozen says whether any freeze is in force at now, and until when at least; zero when no end is known.
func frozen(freezes []Freeze, now time.Time) (active bool, until time.Time) {
	for _, f := range freezes {
		state := f.at(now)
		if !state.Active {
			continue
		}
		if state.EndsAt.IsZero() {
			return true, time.Time{}
		}
		active, until = true, latest(until, state.EndsAt)
	}
	return active, until
}

// earliest is the earlier of two instants, a zero one being none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

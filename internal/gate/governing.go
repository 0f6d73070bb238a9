package gate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Governing is what governs a namespace, or many. Safe for concurrent use; nothing that it returns may be changed.
type Governing struct {
	// Windows and Freezes are in order of name.
	Windows []*Window
	Freezes []*Freeze

	targets []target
	// folded counts the windows of the last target, which stands for those for which there is no room.
	folded int

	mu sync.Mutex
	// last is the state as of asOf; nil before it was ever asked for.
	last *State
	asOf time.Time
}

// target is what some windows do to some disruptions, whatever the instant.
type target struct {
	objects     Selector
	disruptions []Disruption
	enforcement Enforcement
	// windows never open a target that is shut.
	windows []*Window
	shut    bool
	// blocking are the refusing freezes that govern the whole target.
	blocking  []*Freeze
	names     []string
	overrides *Overrides
}

// At returns the state at now. It is worked out once for each time between two changes.
func (g *Governing) At(now time.Time) State {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.last == nil || now.Before(g.asOf) || !g.last.Until.IsZero() && !now.Before(g.last.Until) {
		state := g.at(now)
		g.last, g.asOf = &state, now
	}
	return *g.last
}

func (g *Governing) at(now time.Time) State {
	state := State{Targets: make([]TargetState, len(g.targets)), Until: g.until(now), Omitted: g.folded}
	for i := range g.targets {
		state.Targets[i] = g.targets[i].at(now)
	}
	var omitted int
	state.Freezes, omitted = freezeStates(g.Freezes, now)
	state.Omitted += omitted
	return state
}

// until is the next instant at which a window or freeze changes.
func (g *Governing) until(now time.Time) (until time.Time) {
	for _, w := range g.Windows {
		if w.Schedule != nil {
			until = earliest(until, w.Schedule.State(now).Until)
		}
	}
	for _, f := range g.Freezes {
		if f.Schedule != nil {
			until = earliest(until, f.Schedule.State(now).Until)
		}
	}
	return until
}

// targets aggregates windows: by object selector, and within one by the disruptions that the same windows govern. What there is no room
// for is one target that governs everything and never opens; folded counts its windows.
func targets(windows []*Window, freezes []*Freeze) (list []target, folded int) {
	byObjects := map[string][]*Window{}
	for _, w := range windows {
		key := w.Target.Objects.String()
		byObjects[key] = append(byObjects[key], w)
	}
	keys := slices.Sorted(maps.Keys(byObjects))
	room := MaxSelectors
	if len(keys) > MaxSelectors && keys[0] != "" {
		room-- // the last target selects everything
	}
	var rest []*Window
	for i, key := range keys {
		of := divide(byObjects[key], freezes)
		most := MaxTargets
		if i+1 < len(keys) {
			most--
		}
		if rest != nil || i >= room || len(list)+len(of) > most {
			rest = append(rest, byObjects[key]...)
			continue
		}
		list = append(list, of...)
	}
	if rest != nil {
		slices.SortFunc(rest, byWindowName)
		shut := newTarget(nil, nil, rest, freezes)
		for _, d := range disruptions {
			if slices.ContainsFunc(rest, func(w *Window) bool { return slices.Contains(w.Disruptions, d) }) {
				shut.disruptions = append(shut.disruptions, d)
			}
		}
		shut.shut = true
		list = append(list, shut)
	}
	return list, len(rest)
}

// divide makes targets of windows of one object selector: one for all disruptions that the same of them govern.
func divide(windows []*Window, freezes []*Freeze) []target {
	var list []target
	for _, d := range disruptions {
		var of []*Window
		for _, w := range windows {
			if slices.Contains(w.Disruptions, d) {
				of = append(of, w)
			}
		}
		if len(of) == 0 {
			continue
		}
		if i := slices.IndexFunc(list, func(t target) bool { return slices.Equal(t.windows, of) }); i >= 0 {
			list[i].disruptions = append(list[i].disruptions, d)
			continue
		}
		list = append(list, target{disruptions: []Disruption{d}, windows: of})
	}
	// Whatever is attempted, an override is held against all targets of the selector: each window and pattern is named once, as each is a
	// right to ask for, or costs a look at the reason.
	var named, asked []string
	for i, t := range list {
		list[i] = newTarget(windows[0].Target.Objects, t.disruptions, t.windows, freezes)
		if o := list[i].overrides; o != nil {
			o.Windows = slices.DeleteFunc(o.Windows, func(name string) bool { return slices.Contains(named, name) })
			o.ReasonPatterns = slices.DeleteFunc(o.ReasonPatterns, func(pattern string) bool { return slices.Contains(asked, pattern) })
			named, asked = append(named, o.Windows...), append(asked, o.ReasonPatterns...)
			if room := MaxWindowNames - len(asked); room < 0 {
				o.ReasonPatterns = o.ReasonPatterns[:len(o.ReasonPatterns)+room]
				asked = asked[:MaxWindowNames]
			}
		}
	}
	return list
}

func newTarget(objects Selector, all []Disruption, windows []*Window, freezes []*Freeze) target {
	t := target{objects: objects, disruptions: all, windows: windows}
	var strict, warning []string
	for _, w := range windows {
		t.enforcement = stricter(t.enforcement, w.Enforcement)
		if w.Enforcement == Warn { // there is nothing to pass
			warning = append(warning, w.Name)
			continue
		}
		strict = append(strict, w.Name)
		if t.overrides == nil {
			t.overrides = &Overrides{MaxDuration: w.MaxOverride}
		}
		o := t.overrides
		o.MaxDuration = min(o.MaxDuration, w.MaxOverride)
		if p := w.ReasonPattern; p != "" && len(o.ReasonPatterns) < MaxWindowNames && !slices.Contains(o.ReasonPatterns, p) {
			o.ReasonPatterns = append(o.ReasonPatterns, p)
		}
	}
	if t.overrides != nil {
		t.overrides.Windows = slices.Clone(first(strict, MaxWindowNames))
	}
	t.names = first(slices.Concat(strict, warning), MaxWindowNames)
	key := objects.String()
	for _, f := range freezes {
		over := f.Target.Objects.String()
		if f.Enforcement == Deny && (over == "" || over == key) && includes(f.Disruptions, all) {
			t.blocking = append(t.blocking, f)
		}
	}
	return t
}

func first[T any](list []T, n int) []T { return slices.Clip(list[:min(len(list), n)]) }

// includes says whether a list has all of others.
func includes(list, others []Disruption) bool {
	return !slices.ContainsFunc(others, func(d Disruption) bool { return !slices.Contains(list, d) })
}

func (t *target) at(now time.Time) TargetState {
	state := TargetState{
		Objects: t.objects, Disruptions: t.disruptions, Enforcement: t.enforcement, Windows: t.names, Overrides: t.overrides,
	}
	state.Frozen, _ = frozen(t.blocking, now)
	if t.shut {
		return state
	}
	var last *Window
	if last, state.ClosesAt = accepting(t.windows, now); last != nil {
		state.Open, state.ClosesWindow = true, last.Name
	} else {
		state.Cutoff = cutoff(t.windows, now)
	}
	after := now
	if state.Open && !state.Frozen { // the opening after it closes
		after = state.ClosesAt
	}
	if !after.IsZero() {
		state.OpensWindow, state.OpensAt = nextOpening(t.windows, t.blocking, after)
	}
	return state
}

// cutoff is the window in its cutoff that ends last; nil when none is.
func cutoff(windows []*Window, now time.Time) *Cutoff {
	var last *Cutoff
	for _, w := range windows {
		if w.Schedule == nil {
			continue
		}
		s := w.Schedule.State(now)
		if s.Open && !s.Accepting && (last == nil || s.Current.End.After(last.Ends)) {
			last = &Cutoff{Window: w.Name, Since: w.Schedule.NothingNewFrom(s.Current), Ends: s.Current.End}
		}
	}
	return last
}

// freezeStates lists the freezes in force and to come. Where more are in force than there is room for, the last entry governs everything
// that one of the rest does, and no override passes it; omitted counts those that it stands for.
func freezeStates(freezes []*Freeze, now time.Time) (list []FreezeState, omitted int) {
	for _, f := range freezes {
		if state := f.at(now); state.Active || !state.StartsAt.IsZero() {
			list = append(list, state)
		}
	}
	slices.SortFunc(list, compareFreezes)
	if len(list) <= MaxFreezes {
		return list, 0
	}
	rest := list[MaxFreezes-1:]
	list = first(list, MaxFreezes)
	refusing := 0
	var stopped []Disruption
	for _, f := range rest {
		if f.Active && f.Enforcement == Deny {
			refusing++
			stopped = append(stopped, f.Disruptions...)
		}
	}
	if refusing < 2 { // those that only warn, or are to come, wait for room
		return list, 0
	}
	last := FreezeState{
		Name: rest[0].Name, Enforcement: Deny, Active: true,
		Reason: fmt.Sprintf("%d more change freezes are in force than one Gate has room for; %s", refusing-1, rest[0].Reason),
	}
	for _, d := range disruptions {
		if slices.Contains(stopped, d) {
			last.Disruptions = append(last.Disruptions, d)
		}
	}
	list[MaxFreezes-1] = last
	return list, refusing
}

func (f *Freeze) at(now time.Time) FreezeState {
	state := FreezeState{
		Name: f.Name, Reason: f.Reason, Objects: f.Target.Objects, Disruptions: f.Disruptions, Enforcement: f.Enforcement,
		Overridable: f.Overridable, MaxOverride: f.MaxOverride, ReasonPattern: f.ReasonPattern,
	}
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

// compareFreezes orders those in force before those to come. Of those in force, those that refuse come first, then those that no override
// passes, then those that end last; of those to come, those that begin first.
func compareFreezes(a, b FreezeState) int {
	strict := cmp.Or(
		b.Enforcement.strictness()-a.Enforcement.strictness(),
		compareBool(a.Overridable, b.Overridable),
	)
	if a.Active && b.Active {
		return cmp.Or(strict, compareBool(b.EndsAt.IsZero(), a.EndsAt.IsZero()), b.EndsAt.Compare(a.EndsAt), cmp.Compare(a.Name, b.Name))
	}
	return cmp.Or(compareBool(b.Active, a.Active), a.StartsAt.Compare(b.StartsAt), strict, cmp.Compare(a.Name, b.Name))
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

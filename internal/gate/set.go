package gate

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Set is all windows and freezes of a cluster, by whom they govern. It is immutable: build one when they change, and ask it of many
// namespaces at many instants. Safe for concurrent use.
type Set struct {
	windows map[string]*windowEntry
	freezes map[string]*Freeze
	// refusing are the freezes that refuse, in order of name.
	refusing []*Freeze

	// keys are the labels of namespaces that selectors ask for, in order; asked is the set of them.
	keys  []string
	asked map[string]bool
	// reaches are the distinct namespace selectors, with what has them.
	reaches []reach
	// byLabel has those that ask for one of some values of a label, each under "key=value" of each; others the rest.
	byLabel map[string][]int
	others  []int

	mu sync.Mutex
	// byLabels is what governs namespaces with the same labels, as far as those are asked for; byReaches where the same selectors match.
	byLabels, byReaches map[string]*Governing
}

// reach is a namespace selector, with the windows and freezes that have it.
type reach struct {
	namespaces Selector
	windows    []*Window
	freezes    []*Freeze
}

type windowEntry struct {
	window Window
	target *targetEntry
}

// targetEntry has the refusing freezes that govern a whole target, worked out when first asked for.
type targetEntry struct {
	once     sync.Once
	blocking []*Freeze
}

// NewSet groups windows and freezes. The order in which they are given does not matter. What audits governs nothing: the set tells its
// state, and Auditing what it would do.
func NewSet(windows []Window, freezes []Freeze) *Set {
	s := &Set{
		windows: make(map[string]*windowEntry, len(windows)), freezes: make(map[string]*Freeze, len(freezes)),
		byLabel: map[string][]int{}, asked: map[string]bool{},
		byLabels: map[string]*Governing{}, byReaches: map[string]*Governing{},
	}
	reaches, targets := map[string]*reach{}, map[string]*targetEntry{}
	reachOf := func(namespaces Selector) *reach {
		key := namespaces.String()
		if reaches[key] == nil {
			reaches[key] = &reach{namespaces: namespaces}
		}
		return reaches[key]
	}
	for _, w := range windows {
		key := w.Target.key()
		if targets[key] == nil {
			targets[key] = &targetEntry{}
		}
		entry := &windowEntry{window: w, target: targets[key]}
		s.windows[w.Name] = entry
		if w.Enforcement == Audit {
			continue
		}
		r := reachOf(w.Target.Namespaces)
		r.windows = append(r.windows, &entry.window)
	}
	for _, f := range freezes {
		s.freezes[f.Name] = &f
		if f.Enforcement == Audit {
			continue
		}
		r := reachOf(f.Target.Namespaces)
		r.freezes = append(r.freezes, &f)
		if f.Enforcement == Deny {
			s.refusing = append(s.refusing, &f)
		}
	}
	slices.SortFunc(s.refusing, byFreezeName)
	for i, key := range slices.Sorted(maps.Keys(reaches)) {
		s.reaches = append(s.reaches, *reaches[key])
		s.index(i)
	}
	s.keys = slices.Sorted(maps.Keys(s.asked))
	return s
}

func byWindowName(a, b *Window) int { return cmp.Compare(a.Name, b.Name) }
func byFreezeName(a, b *Freeze) int { return cmp.Compare(a.Name, b.Name) }

// index makes a reach be found by a namespace's labels: under the fewest values that one of its requirements asks for, if any does.
func (s *Set) index(i int) {
	best := -1
	selector := s.reaches[i].namespaces
	for j, r := range selector {
		s.asked[r.Key] = true
		if r.Operator == In && (best < 0 || len(r.Values) < len(selector[best].Values)) {
			best = j
		}
	}
	if best < 0 {
		s.others = append(s.others, i)
		return
	}
	for _, value := range selector[best].Values {
		label := selector[best].Key + "=" + value
		s.byLabel[label] = append(s.byLabel[label], i)
	}
}

// Keys are the labels of namespaces that windows and freezes ask for, in order.
func (s *Set) Keys() []string { return slices.Clone(s.keys) }

// maxKnown bounds what is remembered of namespaces: their labels come and go.
const maxKnown = 1 << 15

// Of returns what governs a namespace with these labels; nil when nothing does. Namespaces that the same windows and freezes govern share
// one answer. Whoever must never be governed is not known here.
func (s *Set) Of(namespace map[string]string) *Governing {
	labels := s.project(namespace)
	s.mu.Lock()
	defer s.mu.Unlock()
	g, known := s.byLabels[labels]
	if known {
		return g
	}
	if len(s.byLabels) >= maxKnown {
		clear(s.byLabels)
		clear(s.byReaches)
	}
	matching := s.matching(namespace)
	if len(matching) > 0 {
		key := reachKey(matching)
		if g = s.byReaches[key]; g == nil {
			g = s.governing(matching)
			s.byReaches[key] = g
		}
	}
	s.byLabels[labels] = g
	return g
}

// project is the labels that selectors ask for, as text.
func (s *Set) project(labels map[string]string) string {
	var pairs []string
	for key, value := range labels {
		if s.asked[key] {
			pairs = append(pairs, key+"="+value)
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, ",") // no label has a comma
}

// matching lists the reaches that select a namespace, in order.
func (s *Set) matching(namespace map[string]string) []int {
	var list []int
	add := func(candidates []int) {
		for _, i := range candidates {
			if s.reaches[i].namespaces.Matches(namespace) {
				list = append(list, i)
			}
		}
	}
	for key, value := range namespace {
		if s.asked[key] {
			add(s.byLabel[key+"="+value])
		}
	}
	add(s.others)
	slices.Sort(list)
	return list
}

func reachKey(reaches []int) string {
	var key []byte
	for _, i := range reaches {
		key = append(strconv.AppendInt(key, int64(i), 36), ',')
	}
	return string(key)
}

func (s *Set) governing(reaches []int) *Governing {
	g := &Governing{}
	for _, i := range reaches {
		g.Windows = append(g.Windows, s.reaches[i].windows...)
		g.Freezes = append(g.Freezes, s.reaches[i].freezes...)
	}
	slices.SortFunc(g.Windows, byWindowName)
	slices.SortFunc(g.Freezes, byFreezeName)
	g.targets, g.folded = targets(g.Windows, g.Freezes)
	return g
}

// blocking lists the refusing freezes that govern the whole target of a window.
func (s *Set) blocking(w *windowEntry) []*Freeze {
	w.target.once.Do(func() {
		for _, f := range s.refusing {
			if f.Target.Covers(w.window.Target) {
				w.target.blocking = append(w.target.blocking, f)
			}
		}
	})
	return w.target.blocking
}

// Until is the next instant at which any window or freeze changes; zero when nothing ever will.
func (s *Set) Until(now time.Time) time.Time {
	until := s.FreezesUntil(now)
	for _, w := range s.windows {
		if w.window.Schedule != nil {
			until = earliest(until, w.window.Schedule.State(now).Until)
		}
	}
	return until
}

// FreezesUntil is the next instant at which any freeze begins or ends; zero when none ever will.
func (s *Set) FreezesUntil(now time.Time) (until time.Time) {
	for _, f := range s.freezes {
		if f.Schedule != nil {
			until = earliest(until, f.Schedule.State(now).Until)
		}
	}
	return until
}

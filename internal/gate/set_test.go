package gate

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fonster.dev/fonster/internal/schedule"
)

// at is an instant of Stockholm, as 2006-01-02 15:04.
func at(t testing.TB, text string) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Stockholm")
	if err != nil {
		t.Fatal(err)
	}
	instant, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return instant
}

// days is open 09:00 to 20:00 on days, with a cutoff.
func days(t testing.TB, cutoff time.Duration, dates ...string) *schedule.Schedule {
	t.Helper()
	return hours(t, cutoff, "09:00", "20:00", dates...)
}

func hours(t testing.TB, cutoff time.Duration, start, end string, dates ...string) *schedule.Schedule {
	t.Helper()
	s, err := schedule.Parse(schedule.Spec{
		TimeZone: "Europe/Stockholm", Cutoff: cutoff,
		Schedules: []schedule.Rule{{Dates: dates, StartTime: start, EndTime: end}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func forever(t testing.TB) *schedule.Schedule {
	t.Helper()
	s, err := schedule.Parse(schedule.Spec{TimeZone: "Europe/Stockholm", Always: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sel(t testing.TB, requirements ...Requirement) Selector {
	t.Helper()
	s, err := NewSelector(requirements...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func kommun(t testing.TB, values ...string) Target {
	t.Helper()
	return Target{Namespaces: sel(t, Requirement{"kommun", In, values})}
}

func window(name string, target Target, s *schedule.Schedule, change ...func(*Window)) Window {
	w := Window{Name: name, Target: target, Disruptions: []Disruption{Rollout, Delete}, Enforcement: Deny, Schedule: s}
	for _, c := range change {
		c(&w)
	}
	return w
}

func freeze(name string, target Target, s *schedule.Schedule) Freeze {
	return Freeze{Name: name, Reason: "jul", Target: target, Disruptions: []Disruption{Rollout, Delete}, Enforcement: Deny, Schedule: s}
}

// osthammar are the labels of the namespace that most tests ask for.
var osthammar = map[string]string{"kommun": "osthammar"}

// rollout finds the state of rollouts of everything in that namespace.
func rollout(t *testing.T, s *Set, now time.Time) TargetState {
	t.Helper()
	for _, target := range s.Of(osthammar).At(now).Targets {
		if len(target.Objects) == 0 && slices.Contains(target.Disruptions, Rollout) {
			return target
		}
	}
	t.Fatal("no window governs rollouts")
	return TargetState{}
}

func TestState(t *testing.T) {
	osthammar, every := kommun(t, "osthammar"), Target{Namespaces: sel(t, Requirement{"kommun", Exists, nil})}
	for title, tc := range map[string]struct {
		windows []Window
		freezes []Freeze
		now     string

		wantOpen              bool
		wantCloses, wantOpens string
		wantFrozen            bool
	}{
		"closed before the window": {
			windows: []Window{window("a", osthammar, days(t, 0, "2026-05-13"))}, now: "2026-05-12 12:00",
			wantOpens: "2026-05-13 09:00",
		},
		"open from its first instant": {
			windows: []Window{window("a", osthammar, days(t, 0, "2026-05-13"))}, now: "2026-05-13 09:00",
			wantOpen: true, wantCloses: "2026-05-13 20:00",
		},
		"closed from its end": {
			windows: []Window{window("a", osthammar, days(t, 0, "2026-05-13", "2026-05-15"))}, now: "2026-05-13 20:00",
			wantOpens: "2026-05-15 09:00",
		},
		"nothing begins in the cutoff": {
			windows: []Window{window("a", osthammar, days(t, 30*time.Minute, "2026-05-13", "2026-05-15"))}, now: "2026-05-13 19:30",
			wantOpens: "2026-05-15 09:00",
		},
		"an open gate closes when the cutoff begins, and tells the opening after": {
			windows: []Window{window("a", osthammar, days(t, 30*time.Minute, "2026-05-13", "2026-05-15"))}, now: "2026-05-13 19:29",
			wantOpen: true, wantCloses: "2026-05-13 19:30", wantOpens: "2026-05-15 09:00",
		},
		"any window of the target opens": {
			windows: []Window{window("a", osthammar, days(t, 0, "2026-05-13")), window("b", osthammar, days(t, 0, "2026-05-12"))}, now: "2026-05-12 10:00",
			wantOpen: true, wantCloses: "2026-05-12 20:00", wantOpens: "2026-05-13 09:00",
		},
		"windows that hand over close at the end of the last": {
			windows: []Window{window("a", osthammar, days(t, 0, "2026-05-13")), window("b", osthammar, hours(t, 0, "20:00", "22:00", "2026-05-13"))}, now: "2026-05-13 10:00",
			wantOpen: true, wantCloses: "2026-05-13 22:00",
		},
		"a window that selects namespaces otherwise opens too": {
			windows: []Window{window("a", osthammar, days(t, 0, "2026-05-15")), window("b", every, days(t, 0, "2026-05-13"))}, now: "2026-05-13 10:00",
			wantOpen: true, wantCloses: "2026-05-13 20:00", wantOpens: "2026-05-15 09:00",
		},
		"a window that does not govern rollouts does not": {
			windows: []Window{window("a", osthammar, days(t, 0, "2026-05-15")), window("b", every, days(t, 0, "2026-05-13"), func(w *Window) { w.Disruptions = []Disruption{Delete} })},
			now:     "2026-05-13 10:00", wantOpens: "2026-05-15 09:00",
		},
		"a window without end is followed by no opening": {
			windows: []Window{window("a", osthammar, forever(t)), window("b", osthammar, days(t, 0, "2026-05-15"))}, now: "2026-05-13 10:00", wantOpen: true,
		},
		"frozen, a window without end opens when the freeze ends": {
			windows: []Window{window("a", osthammar, forever(t))},
			freezes: []Freeze{freeze("f", osthammar, days(t, 0, "2026-05-13"))}, now: "2026-05-13 10:00",
			wantOpen: true, wantFrozen: true, wantOpens: "2026-05-13 20:00",
		},
		"a schedule that cannot be read is closed": {
			windows: []Window{window("a", osthammar, nil)}, now: "2026-05-13 10:00",
		},
		"the next opening skips a freeze": {
			windows: []Window{window("a", osthammar, days(t, 0, "2026-05-13", "2026-05-15"))},
			freezes: []Freeze{freeze("f", every, days(t, 0, "2026-05-13"))}, now: "2026-05-12 10:00",
			wantOpens: "2026-05-15 09:00",
		},
		"the next opening is when the freeze ends inside the window": {
			windows: []Window{window("a", osthammar, days(t, 0, "2026-05-13"))},
			freezes: []Freeze{freeze("f", osthammar, hours(t, 0, "00:00", "12:00", "2026-05-13"))}, now: "2026-05-13 10:00",
			wantOpen: true, wantCloses: "2026-05-13 20:00", wantOpens: "2026-05-13 12:00", wantFrozen: true,
		},
		"a freeze without end leaves no opening": {
			windows: []Window{window("a", osthammar, days(t, 0, "2026-05-13"))},
			freezes: []Freeze{freeze("f", osthammar, forever(t))}, now: "2026-05-12 10:00",
			wantFrozen: true,
		},
		"a freeze that cannot be read is in force": {
			windows: []Window{window("a", osthammar, days(t, 0, "2026-05-13"))},
			freezes: []Freeze{freeze("f", osthammar, nil)}, now: "2026-05-12 10:00",
			wantFrozen: true,
		},
	} {
		t.Run(title, func(t *testing.T) {
			state := rollout(t, NewSet(tc.windows, tc.freezes), at(t, tc.now))
			if state.Open != tc.wantOpen || state.Frozen != tc.wantFrozen {
				t.Errorf("open %t, frozen %t; want %t, %t", state.Open, state.Frozen, tc.wantOpen, tc.wantFrozen)
			}
			if diff := cmp.Diff([]string{tc.wantCloses, tc.wantOpens}, []string{text(t, state.ClosesAt), text(t, state.OpensAt)}); diff != "" {
				t.Errorf("closes, opens (-want +got):\n%s", diff)
			}
		})
	}
}

func text(t *testing.T, instant time.Time) string {
	if instant.IsZero() {
		return ""
	}
	return instant.In(at(t, "2026-01-01 00:00").Location()).Format("2006-01-02 15:04")
}

// app selects some workloads of the namespace.
func app(t testing.TB, values ...string) Target {
	t.Helper()
	return Target{Namespaces: kommun(t, "osthammar").Namespaces, Objects: sel(t, Requirement{"app", In, values})}
}

func disrupts(all ...Disruption) func(*Window) { return func(w *Window) { w.Disruptions = all } }

func enforces(e Enforcement) func(*Window) { return func(w *Window) { w.Enforcement = e } }

// entries are the targets of a state in short.
func entries(s State) []string {
	var list []string
	for _, t := range s.Targets {
		list = append(list, fmt.Sprintf("%s %v %s open=%t %v", t.Objects, t.Disruptions, t.Enforcement, t.Open, t.Windows))
	}
	return list
}

// TestTargets: windows are aggregated by object selector, and within one by the disruptions that the same of them govern.
func TestTargets(t *testing.T) {
	all, web, db := kommun(t, "osthammar"), app(t, "web"), app(t, "db")
	day, other := days(t, 0, "2026-05-13"), days(t, 0, "2026-05-15")
	for title, tc := range map[string]struct {
		windows []Window
		want    []string
	}{
		"one window": {[]Window{window("a", all, day)}, []string{" [Rollout Delete] Deny open=true [a]"}},
		"windows of the same selector": {
			[]Window{window("b", all, other), window("a", all, day, enforces(Hold)), window("0", all, other, enforces(Warn))},
			[]string{" [Rollout Delete] Deny open=true [a b 0]"},
		},
		"other disruptions": {
			[]Window{window("a", all, day), window("b", all, other, disrupts(Evict, Delete), enforces(Hold)), window("c", all, day, disrupts(Rollout, Delete))},
			[]string{" [Rollout] Deny open=true [a c]", " [Delete] Deny open=true [a b c]", " [Evict] Hold open=false [b]"},
		},
		"several object selectors": {
			[]Window{window("a", all, other), window("w", web, day), window("d", db, other, enforces(Warn))},
			[]string{" [Rollout Delete] Deny open=false [a]", "app in (db) [Rollout Delete] Warn open=false [d]", "app in (web) [Rollout Delete] Deny open=true [w]"},
		},
	} {
		if diff := cmp.Diff(tc.want, entries(NewSet(tc.windows, nil).Of(osthammar).At(at(t, "2026-05-13 10:00")))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", title, diff)
		}
	}
}

// TestOverrides: the shortest and every pattern counts, of the windows that do more than warn.
func TestOverrides(t *testing.T) {
	all := kommun(t, "osthammar")
	with := func(e Enforcement, most time.Duration, pattern string) func(*Window) {
		return func(w *Window) { w.Enforcement, w.MaxOverride, w.ReasonPattern = e, most, pattern }
	}
	set := NewSet([]Window{
		window("a", all, nil, with(Deny, 2*time.Hour, "^INC")), window("b", all, nil, with(Hold, time.Hour, "^VAL")),
		window("c", all, nil, with(Warn, time.Minute, "^X")), window("d", all, nil, with(Deny, 3*time.Hour, "^INC")),
	}, nil)
	want := &Overrides{MaxDuration: time.Hour, Windows: []string{"a", "b", "d"}, ReasonPatterns: []string{"^INC", "^VAL"}}
	if diff := cmp.Diff(want, set.Of(osthammar).At(at(t, "2026-05-12 10:00")).Targets[0].Overrides); diff != "" {
		t.Error(diff)
	}
	set = NewSet([]Window{window("c", all, nil, with(Warn, time.Minute, "^X"))}, nil)
	if o := set.Of(osthammar).At(at(t, "2026-05-12 10:00")).Targets[0].Overrides; o != nil {
		t.Errorf("a window that only warns takes overrides: %+v", o)
	}
}

// TestCutoff: of windows in their cutoff the one is told that ends last, while none is open.
func TestCutoff(t *testing.T) {
	all := kommun(t, "osthammar")
	a, b := window("a", all, days(t, time.Hour, "2026-05-13")), window("b", all, hours(t, 2*time.Hour, "18:00", "21:00", "2026-05-13"))
	open := window("c", all, forever(t))
	now := at(t, "2026-05-13 19:30")
	got := rollout(t, NewSet([]Window{a, b}, nil), now).Cutoff
	if got == nil || got.Window != "b" || text(t, got.Since) != "2026-05-13 19:00" || text(t, got.Ends) != "2026-05-13 21:00" {
		t.Errorf("in the cutoff of both: %+v", got)
	}
	if got := rollout(t, NewSet([]Window{a, b, open}, nil), now).Cutoff; got != nil {
		t.Errorf("another window is open: %+v", got)
	}
	if got := rollout(t, NewSet([]Window{a, b}, nil), at(t, "2026-05-13 12:00")).Cutoff; got != nil {
		t.Errorf("open: %+v", got)
	}
}

// TestFreezes: those in force come first, the strictest of them first, then those to come; what is over is left out; and a freeze counts
// in the next opening of what it governs as a whole.
func TestFreezes(t *testing.T) {
	all, web := kommun(t, "osthammar"), app(t, "web")
	with := func(f Freeze, change func(*Freeze)) Freeze { change(&f); return f }
	overridable := func(f *Freeze) { f.Overridable = true }
	today := days(t, 0, "2026-05-12")
	set := NewSet(nil, []Freeze{
		freeze("later", all, days(t, 0, "2026-05-20")), freeze("soon", all, days(t, 0, "2026-05-13")), freeze("over", all, days(t, 0, "2026-05-01")),
		with(freeze("warns", all, forever(t)), func(f *Freeze) { f.Enforcement = Warn }), with(freeze("a-endless", all, forever(t)), overridable),
		with(freeze("b-endless", web, forever(t)), overridable), with(freeze("today", all, today), overridable), freeze("strict", all, today),
		freeze("unreadable", all, nil),
	})
	var got []string
	for _, f := range set.Of(osthammar).At(at(t, "2026-05-12 10:00")).Freezes {
		got = append(got, f.Name)
	}
	if want := []string{"unreadable", "strict", "a-endless", "b-endless", "today", "warns", "soon", "later"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for title, tc := range map[string]struct {
		freeze Freeze
		opens  string
		frozen bool
	}{
		"over everything":   {freeze("f", all, hours(t, 0, "00:00", "12:00", "2026-05-13")), "2026-05-13 12:00", true},
		"over some":         {freeze("f", web, hours(t, 0, "00:00", "12:00", "2026-05-13")), "", false},
		"of one disruption": {with(freeze("f", all, hours(t, 0, "00:00", "12:00", "2026-05-13")), func(f *Freeze) { f.Disruptions = []Disruption{Rollout} }), "", false},
		"that warns":        {with(freeze("f", all, hours(t, 0, "00:00", "12:00", "2026-05-13")), func(f *Freeze) { f.Enforcement = Warn }), "", false},
	} {
		state := rollout(t, NewSet([]Window{window("w", all, days(t, 0, "2026-05-13"))}, []Freeze{tc.freeze}), at(t, "2026-05-13 10:00"))
		if text(t, state.OpensAt) != tc.opens || state.Frozen != tc.frozen || !state.Open {
			t.Errorf("%s: opens %s, frozen %t, open %t", title, text(t, state.OpensAt), state.Frozen, state.Open)
		}
	}
}

// TestStaysSmall: however many windows and freezes govern a namespace, its state is bounded; and what there is no room for is closed.
func TestStaysSmall(t *testing.T) {
	all, s := kommun(t, "osthammar"), forever(t)
	var windows []Window
	for i := range 1000 {
		windows = append(windows, window(fmt.Sprintf("w%04d", i), all, s))
	}
	for i := range 100 {
		windows = append(windows, window(fmt.Sprintf("o%03d", i), app(t, fmt.Sprintf("%03d", i)), s, func(w *Window) {
			w.Disruptions, w.Enforcement = []Disruption{Rollout, Evict}, []Enforcement{Warn, Hold}[i%2]
		}))
	}
	var freezes []Freeze
	for i := range 40 {
		f := freeze(fmt.Sprintf("f%02d", i), app(t, fmt.Sprint(i)), s)
		f.Overridable = true
		freezes = append(freezes, f)
	}
	freezes[39].Disruptions = []Disruption{Evict}
	for _, first := range []int{0, 1000} { // with and without a window over everything
		state := NewSet(windows[first:], freezes).Of(osthammar).At(at(t, "2026-05-12 10:00"))
		selectors := map[string]bool{}
		for _, target := range state.Targets {
			selectors[target.Objects.String()] = true
			if len(target.Windows) > MaxWindowNames || target.Overrides != nil && len(target.Overrides.Windows) > MaxWindowNames {
				t.Errorf("%d names", len(target.Windows))
			}
		}
		last := state.Targets[len(state.Targets)-1]
		if len(selectors) != MaxSelectors || len(last.Objects) > 0 || last.Open || last.Enforcement != Hold || !slices.Equal(last.Disruptions, []Disruption{Rollout, Evict}) || last.Overrides == nil {
			t.Errorf("%d selectors, the last %+v", len(selectors), last)
		}
		if len(state.Freezes) != MaxFreezes || state.Omitted != 69+25 {
			t.Errorf("%d freezes, %d omitted", len(state.Freezes), state.Omitted)
		}
		if f := state.Freezes[MaxFreezes-1]; len(f.Objects) > 0 || f.Overridable || !f.Active || !slices.Equal(f.Disruptions, []Disruption{Rollout, Delete, Evict}) {
			t.Errorf("the last freeze: %+v", f)
		}
	}
	windows = windows[:0]
	for i := range 33 { // many targets each
		for j, d := range disruptions {
			windows = append(windows, window(fmt.Sprintf("%d-%d", i, j), app(t, fmt.Sprint(i)), s, disrupts(d)))
		}
	}
	state := NewSet(windows, nil).Of(osthammar).At(at(t, "2026-05-12 10:00"))
	if len(state.Targets) > MaxTargets || state.Omitted != 8 {
		t.Errorf("%d targets, %d omitted", len(state.Targets), state.Omitted)
	}
}

// TestOf: a namespace is governed by what selects it; namespaces that the same governs share it; and what no selector asks for does not
// matter.
func TestOf(t *testing.T) {
	s := forever(t)
	notTest := Target{Namespaces: sel(t, Requirement{"stage", NotIn, []string{"test"}}, Requirement{"kommun", Exists, nil})}
	both := Target{Namespaces: sel(t, Requirement{"kommun", In, []string{"heby", "tierp"}}, Requirement{"stage", In, []string{"prod"}})}
	set := NewSet([]Window{window("heby", kommun(t, "heby"), s), window("not-test", notTest, s), window("both", both, s)}, []Freeze{freeze("tierp", kommun(t, "tierp"), s)})
	for _, tc := range []struct {
		labels map[string]string
		want   string
	}{
		{nil, ""},
		{map[string]string{"stage": "prod"}, ""},
		{map[string]string{"kommun": "heby"}, "heby not-test"},
		{map[string]string{"kommun": "heby", "stage": "test"}, "heby"},
		{map[string]string{"kommun": "heby", "stage": "prod"}, "both heby not-test"},
		{map[string]string{"kommun": "tierp", "stage": "prod"}, "both not-test tierp"},
		{map[string]string{"kommun": "tierp", "stage": "test"}, "tierp"},
	} {
		for range 2 { // from memory too
			var names []string
			if g := set.Of(tc.labels); g != nil {
				for _, w := range g.Windows {
					names = append(names, w.Name)
				}
				for _, f := range g.Freezes {
					names = append(names, f.Name)
				}
			}
			if got := strings.Join(names, " "); got != tc.want {
				t.Errorf("%v: %s, want %s", tc.labels, got, tc.want)
			}
		}
	}
	first := set.Of(map[string]string{"kommun": "knivsta"})
	if first == nil || set.Of(map[string]string{"kommun": "knivsta", "a": "b"}) != first || set.Of(map[string]string{"kommun": "enkoping", "stage": "x"}) != first {
		t.Error("namespaces that the same windows govern do not share it")
	}
	if got := set.Keys(); !slices.Equal(got, []string{"kommun", "stage"}) {
		t.Errorf("keys %v", got)
	}
}

// TestManySelectors: as many windows as namespace selectors, times many namespaces, are matched at once.
func TestManySelectors(t *testing.T) {
	const selectors, namespaces = 10_000, 2_000
	s := forever(t)
	var windows []Window
	for i := range selectors {
		target := Target{Namespaces: sel(t, Requirement{"team", In, []string{fmt.Sprint("t", i)}}, Requirement{"stage", NotIn, []string{"test"}})}
		windows = append(windows, window(fmt.Sprint("w", i), target, s))
	}
	begun := time.Now()
	set := NewSet(windows, nil)
	for i := range namespaces {
		labels := map[string]string{"team": fmt.Sprint("t", i), "stage": "prod", "kubernetes.io/metadata.name": fmt.Sprint("ns", i)}
		if g := set.Of(labels); g == nil || len(g.Windows) != 1 || !g.At(at(t, "2026-05-12 10:00")).Targets[0].Open {
			t.Fatalf("namespace %d is governed by %+v", i, g)
		}
	}
	took := time.Since(begun)
	t.Logf("%d selectors, %d namespaces: %s", selectors, namespaces, took)
	if took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

// randomSet is some windows and freezes that select namespaces and objects in many ways.
func randomSet(t *testing.T, random *rand.Rand, start time.Time) (windows []Window, freezes []Freeze) {
	selector := func(key string) Selector {
		values := []string{"a", "b", "c"}[:1+random.IntN(2)]
		switch random.IntN(6) {
		case 0, 1, 2:
			return nil
		case 3:
			return sel(t, Requirement{key, In, values})
		case 4:
			return sel(t, Requirement{key, NotIn, values})
		}
		return sel(t, Requirement{key, Exists, nil})
	}
	some := func() []Disruption {
		all := slices.Clone(disruptions)
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		return all[:1+random.IntN(4)]
	}
	date := func() string { return start.AddDate(0, 0, random.IntN(12)).Format(time.DateOnly) }
	for i := range 6 {
		s := days(t, time.Duration(random.IntN(3))*time.Hour, date(), date())
		if random.IntN(8) == 0 {
			s = nil
		}
		w := window(fmt.Sprint("w", i), Target{selector("ns"), selector("app")}, s)
		w.Disruptions, w.Enforcement = some(), []Enforcement{Deny, Hold, Warn}[random.IntN(3)]
		windows = append(windows, w)
	}
	for i := range 3 {
		f := freeze(fmt.Sprint("f", i), Target{selector("ns"), selector("app")}, hours(t, 0, "10:00", "12:30", date(), date()))
		f.Disruptions, f.Enforcement, f.Overridable = some(), []Enforcement{Deny, Warn}[random.IntN(2)], random.IntN(2) == 0
		freezes = append(freezes, f)
	}
	return windows, freezes
}

// TestAgainstEveryWindow: what targets and freezes say of an object, at any instant, is what its windows and freezes say one by one; as is
// the verdict.
func TestAgainstEveryWindow(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	start := at(t, "2026-03-20 00:00")
	values := []string{"", "a", "b", "c", "d"}
	labels := func(key string) map[string]string {
		if v := values[random.IntN(len(values))]; v != "" {
			return map[string]string{key: v}
		}
		return nil
	}
	compared := map[string]int{}
	for range 150 {
		windows, freezes := randomSet(t, random, start)
		set := NewSet(windows, freezes)
		for range 60 {
			namespace, object := labels("ns"), labels("app")
			d, now := disruptions[random.IntN(4)], start.Add(time.Duration(random.IntN(14*24*60))*time.Minute)
			var governed, open bool
			var strictest Enforcement
			for _, w := range windows {
				if w.Target.Namespaces.Matches(namespace) && w.Target.Objects.Matches(object) && slices.Contains(w.Disruptions, d) {
					governed = true
					open = open || w.Schedule != nil && w.Schedule.State(now).Accepting
					strictest = stricter(strictest, w.Enforcement)
				}
			}
			frozen := map[Enforcement]bool{}
			for _, f := range freezes {
				if f.Target.Namespaces.Matches(namespace) && f.Target.Objects.Matches(object) && slices.Contains(f.Disruptions, d) && f.Schedule.State(now).Open {
					frozen[f.Enforcement] = true
				}
			}
			var gotGoverned, gotOpen bool
			var gotStrictest Enforcement
			gotFrozen := map[Enforcement]bool{}
			if g := set.Of(namespace); g != nil {
				state := g.At(now)
				for _, target := range state.Targets {
					if target.Objects.Matches(object) && slices.Contains(target.Disruptions, d) {
						gotGoverned, gotOpen = true, gotOpen || target.Open
						gotStrictest = stricter(gotStrictest, target.Enforcement)
					}
				}
				for _, f := range state.Freezes {
					if f.Active && f.Objects.Matches(object) && slices.Contains(f.Disruptions, d) {
						gotFrozen[f.Enforcement] = true
					}
				}
			}
			if governed != gotGoverned || open != gotOpen || strictest != gotStrictest || !maps.Equal(frozen, gotFrozen) {
				t.Fatalf("%v, %v, %s at %s: governed %t, open %t, %s, frozen %v; want %t, %t, %s, %v",
					namespace, object, d, now, gotGoverned, gotOpen, gotStrictest, gotFrozen, governed, open, strictest, frozen)
			}
			v := set.Verdict(namespace, object, d, now)
			if strict := strictest != Warn && governed; (len(v.Windows) > 0) != strict || (len(v.Accepting) > 0) != (strict && open) || (v.Freeze != "") != frozen[Deny] {
				t.Fatalf("%v, %v, %s at %s: the verdict is %+v", namespace, object, d, now, v)
			}
			compared[fmt.Sprint(governed, open, len(frozen) > 0)]++
		}
	}
	if len(compared) < 6 {
		t.Errorf("too little was compared: %v", compared)
	}
}

// TestUntilIsTheNextChange: between an instant and the answered next change, nothing changes; and the order in which windows
// are given does not matter, nor when the state was asked for before.
func TestUntilIsTheNextChange(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	start := at(t, "2026-03-20 00:00")
	steps := 0
	for range 40 {
		windows, freezes := randomSet(t, random, start)
		for i := range windows {
			windows[i].Target.Namespaces = nil
		}
		set := NewSet(windows, freezes)
		slices.Reverse(windows)
		slices.Reverse(freezes)
		reversed := NewSet(windows, freezes)
		for now := start; ; steps++ {
			state := set.Of(nil).At(now)
			if diff := cmp.Diff(state, reversed.Of(nil).At(now)); diff != "" {
				t.Fatalf("the order of windows matters:\n%s", diff)
			}
			if state.Until.IsZero() {
				break
			}
			if !state.Until.After(now) {
				t.Fatalf("the next change %s is not after %s", state.Until, now)
			}
			for range 3 {
				between := now.Add(time.Duration(random.Int64N(int64(state.Until.Sub(now)))))
				if diff := cmp.Diff(state, NewSet(windows, freezes).Of(nil).At(between)); diff != "" {
					t.Fatalf("from %s to %s the state changes at %s:\n%s", now, state.Until, between, diff)
				}
			}
			before := now.Add(-time.Hour)
			if diff := cmp.Diff(NewSet(windows, freezes).Of(nil).At(before), set.Of(nil).At(before)); diff != "" {
				t.Fatalf("the clock is set back to %s:\n%s", before, diff)
			}
			now = state.Until
		}
	}
	if steps < 200 {
		t.Errorf("only %d changes", steps)
	}
}

// TestWindowState: the state of a window as people are told.
func TestWindowState(t *testing.T) {
	target := kommun(t, "heby")
	set := NewSet(
		[]Window{window("w", target, days(t, time.Hour, "2026-05-13"))},
		[]Freeze{freeze("f", target, hours(t, 0, "12:00", "13:00", "2026-05-13"))},
	)
	for now, want := range map[string]WindowState{
		"2026-05-13 08:00": {OpensAt: at(t, "2026-05-13 09:00"), Until: at(t, "2026-05-13 09:00")},
		"2026-05-13 09:00": {Open: true, Accepting: true, NothingNewFrom: at(t, "2026-05-13 19:00"), ClosesAt: at(t, "2026-05-13 12:00"), Until: at(t, "2026-05-13 12:00")},
		"2026-05-13 12:00": {Freeze: "f", OpensAt: at(t, "2026-05-13 13:00"), Until: at(t, "2026-05-13 13:00")},
		"2026-05-13 19:30": {Open: true, NothingNewFrom: at(t, "2026-05-13 19:00"), ClosesAt: at(t, "2026-05-13 20:00"), Until: at(t, "2026-05-13 20:00")},
		"2026-05-13 20:00": {},
	} {
		got, found := set.Window("w", at(t, now))
		if !found {
			t.Fatal("not found")
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" {
			t.Errorf("at %s (-want +got):\n%s", now, diff)
		}
	}
}

func BenchmarkAt100WindowsOver10Targets(b *testing.B) {
	var windows []Window
	for i := range 100 {
		target := Target{Namespaces: sel(b, Requirement{"kommun", Exists, nil}), Objects: sel(b, Requirement{"tier", NotIn, []string{fmt.Sprint(i % 10)}})}
		windows = append(windows, window(fmt.Sprint("w", i), target, days(b, 0, "2026-05-13")))
	}
	g, now := NewSet(windows, nil).Of(osthammar), at(b, "2026-05-12 10:00")
	for b.Loop() {
		g.at(now)
	}
}

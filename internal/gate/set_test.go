package gate

import (
	"fmt"
	"math/rand/v2"
	"slices"
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

// rollout finds the state of rollouts at the gate of a target.
func rollout(t *testing.T, s *Set, target Target, now time.Time) State {
	t.Helper()
	gates, _ := s.At(now)
	for _, g := range gates {
		if g.Name == target.Name() {
			for _, state := range g.Disruptions {
				if state.Disruption == Rollout {
					return state
				}
			}
		}
	}
	t.Fatalf("no gate of %v", target)
	return State{}
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
		"a window of a wider target opens too": {
			windows: []Window{window("a", osthammar, days(t, 0, "2026-05-15")), window("b", every, days(t, 0, "2026-05-13"))}, now: "2026-05-13 10:00",
			wantOpen: true, wantCloses: "2026-05-13 20:00", wantOpens: "2026-05-15 09:00",
		},
		"a window of a wider target that does not govern rollouts does not": {
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
			state := rollout(t, NewSet(tc.windows, tc.freezes), osthammar, at(t, tc.now))
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

func TestStrictestEnforcementCounts(t *testing.T) {
	target := kommun(t, "heby")
	with := func(e Enforcement) func(*Window) { return func(w *Window) { w.Enforcement = e } }
	s := days(t, 0, "2026-05-13")
	set := NewSet([]Window{window("a", target, s, with(Warn)), window("b", target, s, with(Hold))}, nil)
	if got := rollout(t, set, target, at(t, "2026-05-12 10:00")).Enforcement; got != Hold {
		t.Errorf("Warn and Hold: %s", got)
	}
	set = NewSet([]Window{window("a", target, s, with(Deny)), window("b", target, s, with(Hold))}, nil)
	if got := rollout(t, set, target, at(t, "2026-05-12 10:00")).Enforcement; got != Deny {
		t.Errorf("Deny and Hold: %s", got)
	}
}

// TestStrictFreezeCounts: of the freezes in force the one counts that no override passes, though another ends later or never.
func TestStrictFreezeCounts(t *testing.T) {
	target := Target{Namespaces: sel(t, Requirement{Key: "kommun", Operator: In, Values: []string{"osthammar"}})}
	endless := freeze("a-endless", target, forever(t))
	endless.Overridable, endless.MaxOverride, endless.ReasonPattern = true, 2*time.Hour, "^VAL"
	gates, _ := NewSet(nil, []Freeze{endless, freeze("b-strict", target, days(t, 0, "2026-05-12"))}).At(at(t, "2026-05-12 10:00"))
	for _, s := range gates[0].Disruptions {
		if len(s.Freezes) != 1 || s.Freezes[0].Name != "b-strict" || s.Freezes[0].Overridable {
			t.Errorf("%s: %+v", s.Disruption, s.Freezes)
		}
	}
	if o := gates[0].Overrides; o.MaxDuration != 2*time.Hour || !slices.Equal(o.ReasonPatterns, []string{"^VAL"}) {
		t.Errorf("overrides %+v, want those of the freeze", o)
	}
	gates, _ = NewSet([]Window{{Name: "w", Target: target, Disruptions: []Disruption{Rollout}, Enforcement: Warn, MaxOverride: time.Hour}}, nil).At(at(t, "2026-05-12 10:00"))
	if o := gates[0].Overrides; o.MaxDuration != 0 || len(o.Windows) != 0 {
		t.Errorf("a window that only warns takes overrides: %+v", o)
	}
}

// TestFreezesTogether: of freezes in force that an override passes each is told of; where there are too many, none passes.
func TestFreezesTogether(t *testing.T) {
	target := Target{Namespaces: sel(t, Requirement{Key: "kommun", Operator: In, Values: []string{"osthammar"}})}
	overridable := func(name string, s *schedule.Schedule) Freeze {
		f := freeze(name, target, s)
		f.Overridable, f.MaxOverride = true, time.Hour
		return f
	}
	today, later := days(t, 0, "2026-05-12"), days(t, 0, "2026-06-12")
	a, b, c, d, other := overridable("a", forever(t)), overridable("b", today), overridable("c", today), overridable("d", today), overridable("e", later)
	warns, elsewhere := overridable("f", forever(t)), overridable("g", forever(t))
	warns.Enforcement, elsewhere.Disruptions = Warn, []Disruption{Evict}
	for title, tc := range map[string]struct {
		freezes     []Freeze
		at          string
		name        string
		also        []string
		overridable bool
	}{
		"one":                  {[]Freeze{a, other, warns, elsewhere}, "2026-05-12 10:00", "a", nil, true},
		"three":                {[]Freeze{a, b, c, other, warns, elsewhere}, "2026-05-12 10:00", "a", []string{"b", "c"}, true},
		"too many":             {[]Freeze{a, b, c, d}, "2026-05-12 10:00", "a", nil, false},
		"two that begin":       {[]Freeze{b, c, other}, "2026-05-11 10:00", "b", []string{"c"}, true},
		"a strict one":         {[]Freeze{a, b, freeze("strict", target, today)}, "2026-05-12 10:00", "strict", nil, false},
		"a strict that begins": {[]Freeze{b, freeze("strict", target, today)}, "2026-05-11 10:00", "strict", nil, false},
	} {
		gates, _ := NewSet(nil, tc.freezes).At(at(t, tc.at))
		got := gates[0].Disruptions[0].Freezes[0]
		if got.Name != tc.name || !slices.Equal(got.Also, tc.also) || got.Overridable != tc.overridable {
			t.Errorf("%s: %+v", title, got)
		}
	}
}

func TestOverlapsAreListed(t *testing.T) {
	site := Target{Namespaces: sel(t, Requirement{"site", In, []string{"a"}})}
	web := Target{Namespaces: sel(t, Requirement{"kind", In, []string{"web"}})}
	other := Target{Namespaces: sel(t, Requirement{"site", In, []string{"b"}})}
	set := NewSet([]Window{
		window("site", site, days(t, 0, "2026-05-20")),
		window("web", web, days(t, 0, "2026-05-13")),
		window("other", other, days(t, 0, "2026-05-13")),
	}, nil)
	find := func(now string) Gate {
		gates, _ := set.At(at(t, now))
		return gates[slices.IndexFunc(gates, func(g Gate) bool { return g.Name == site.Name() })]
	}
	g := find("2026-05-13 10:00")
	if len(g.AlsoOpen) != 1 || g.AlsoOpen[0].Window != "web" || !g.AlsoOpen[0].ClosesAt.Equal(at(t, "2026-05-13 20:00")) || len(g.AlsoOpen[0].Disruptions) != 2 {
		t.Errorf("also open: %+v", g.AlsoOpen)
	}
	g = find("2026-05-12 10:00")
	if len(g.AlsoOpen) != 0 || len(g.NextOpenings) != 1 || !g.NextOpenings[0].OpensAt.Equal(at(t, "2026-05-13 09:00")) {
		t.Errorf("next openings: %+v", g.NextOpenings)
	}
}

// TestGateStaysSmall: 1,000 windows of one target, and as many other targets, do not make a gate grow.
func TestGateStaysSmall(t *testing.T) {
	target, s := kommun(t, "heby"), days(t, 0, "2026-05-13")
	var windows []Window
	for i := range 1000 {
		windows = append(windows, window(fmt.Sprintf("w%04d", i), target, s))
	}
	for i := range 100 {
		windows = append(windows, window(fmt.Sprintf("o%03d", i), Target{Objects: sel(t, Requirement{"app", In, []string{fmt.Sprint(i)}})}, s))
	}
	gates, _ := NewSet(windows, nil).At(at(t, "2026-05-12 10:00"))
	for _, g := range gates {
		if len(g.NextOpenings) > MaxNextOpenings {
			t.Errorf("%s: %d next openings", g.Name, len(g.NextOpenings))
		}
		for _, d := range g.Disruptions {
			if len(d.Windows) > MaxWindowNames {
				t.Errorf("%s: %d names", g.Name, len(d.Windows))
			}
		}
	}
}

// TestUntilIsTheNextChange: between an instant and the answered next change, no gate changes; and the order in which windows
// are given does not matter.
func TestUntilIsTheNextChange(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	start := at(t, "2026-03-20 00:00")
	for range 50 {
		var windows []Window
		var freezes []Freeze
		for i := range 4 {
			day := start.AddDate(0, 0, random.IntN(12)).Format(time.DateOnly)
			target := kommun(t, []string{"heby", "tierp", "knivsta"}[random.IntN(3)])
			if random.IntN(3) == 0 {
				target = Target{Namespaces: sel(t, Requirement{"kommun", Exists, nil})}
			}
			windows = append(windows, window(fmt.Sprint("w", i), target, days(t, time.Duration(random.IntN(3))*time.Hour, day)))
			if i == 0 {
				freezes = append(freezes, freeze("f", target, hours(t, 0, "10:00", "12:30", day)))
			}
		}
		set := NewSet(windows, freezes)
		slices.Reverse(windows)
		reversed := NewSet(windows, freezes)
		for now := start; ; {
			gates, until := set.At(now)
			other, _ := reversed.At(now)
			if diff := cmp.Diff(gates, other); diff != "" {
				t.Fatalf("the order of windows matters:\n%s", diff)
			}
			if until.IsZero() {
				break
			}
			if !until.After(now) {
				t.Fatalf("the next change %s is not after %s", until, now)
			}
			for range 3 {
				between := now.Add(time.Duration(random.Int64N(int64(until.Sub(now)))))
				same, _ := set.At(between)
				if diff := cmp.Diff(gates, same); diff != "" {
					t.Fatalf("from %s to %s the gates change at %s:\n%s", now, until, between, diff)
				}
			}
			now = until
		}
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
		"2026-05-13 09:00": {Open: true, ClosesAt: at(t, "2026-05-13 12:00"), Until: at(t, "2026-05-13 12:00")},
		"2026-05-13 12:00": {Freeze: "f", OpensAt: at(t, "2026-05-13 13:00"), Until: at(t, "2026-05-13 13:00")},
		"2026-05-13 19:30": {Open: true, ClosesAt: at(t, "2026-05-13 20:00"), Until: at(t, "2026-05-13 20:00")},
		"2026-05-13 20:00": {},
	} {
		got, found := set.Window("w", at(t, now))
		want.Gate = target.Name()
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
	set := NewSet(windows, nil)
	now := at(b, "2026-05-12 10:00")
	for b.Loop() {
		set.At(now)
	}
}

package schedule

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// uncombined is a schedule whose rules are worked out as they are written.
func uncombined(t *testing.T, spec Spec) *Schedule {
	t.Helper()
	s := parse(t, spec)
	p := &parser{}
	read := func(entries []Rule) (rules []*rule) {
		for i, entry := range entries {
			rules = append(rules, p.rule(fmt.Sprint(i), entry))
		}
		return rules
	}
	plain := &Schedule{zone: s.zone, schedules: read(spec.Schedules), exclusions: read(spec.Exclusions), cutoff: s.cutoff}
	plain.cell = plain.chooseCell()
	return plain
}

// denseSpec makes schedules of a kind that can be combined: crons that start often, or last long, or are written twice.
func denseSpec(r *rand.Rand) Spec {
	minutes := []string{"*", "*/7", "0", "30", "0,30", "5-50/5"}
	days := []string{"* * *", "* * 1-5", "*/2 * *", "1-31 * *", "* 1-12 0-6", "1,15 * *", "* 2 *", "28 2 *"}
	durations := []time.Duration{time.Minute, 30 * time.Minute, 24 * time.Hour, 50 * time.Hour, 100 * time.Hour, MaxDuration}
	rule := func() Rule {
		hours := []string{"*", "3", "0,12"}[r.IntN(3)]
		return Rule{Cron: minutes[r.IntN(len(minutes))] + " " + hours + " " + days[r.IntN(len(days))], Duration: durations[r.IntN(len(durations))]}
	}
	spec := Spec{TimeZone: someZones[r.IntN(len(someZones))]}
	for range 1 + r.IntN(5) {
		spec.Schedules = append(spec.Schedules, rule())
	}
	for range r.IntN(3) {
		spec.Schedules = append(spec.Schedules, spec.Schedules[r.IntN(len(spec.Schedules))])
	}
	for range r.IntN(3) {
		e := rule()
		e.Duration = min(e.Duration, 24*time.Hour)
		spec.Exclusions = append(spec.Exclusions, e)
	}
	return spec
}

// TestCombinedIsTheSame: whatever is merged, left out or found to be open all the time, the answers are those of the rules as written.
func TestCombinedIsTheSame(t *testing.T) {
	fewer, throughout := 0, 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 14))
		spec := denseSpec(r)
		if seed%3 == 0 {
			spec = randomSpec(r)
			spec.Schedules = append(spec.Schedules, denseSpec(r).Schedules...)
		}
		s, err := Parse(spec)
		if err != nil {
			continue // nothing is left of it
		}
		plain := uncombined(t, spec)
		if len(s.schedules)+len(s.exclusions) < len(plain.schedules)+len(plain.exclusions) {
			fewer++
		}
		if slices.ContainsFunc(s.schedules, func(r *rule) bool { return r.throughout }) {
			throughout++
		}
		for range 8 {
			from := time.Date(1990+r.IntN(50), 1, 1+r.IntN(365), r.IntN(24), r.IntN(60), 0, 0, time.UTC).Unix()
			to := from + int64(1+r.IntN(60*secondsPerDay))
			got, _ := s.coverage(from, to)
			want, _ := plain.coverage(from, to)
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d: %+v\nin [%d, %d): %v", seed, spec, from, to, gocmp.Diff(fmt.Sprint(want), fmt.Sprint(got)))
			}
		}
	}
	if fewer < 50 || throughout < 20 {
		t.Errorf("%d were combined, %d open throughout: the test tries too little", fewer, throughout)
	}
}

// TestCostlySchedules: what is written to cost much costs little, counted in what is looked through and not in time.
func TestCostlySchedules(t *testing.T) {
	everyMinute := make([]Rule, 32)
	staggered := make([]Rule, 32)
	counted := make([]Rule, 32)
	for i := range everyMinute {
		everyMinute[i] = Rule{Cron: "* * * * *", Duration: MaxDuration}
		staggered[i] = Rule{Cron: fmt.Sprintf("%d,%d-59 * * * *", i, i+1), Duration: 20*time.Hour + time.Duration(i)*time.Minute}
		counted[i] = Rule{RRule: "FREQ=DAILY;COUNT=2147483647", StartDate: "0001-01-01", StartTime: "09:00", EndTime: "10:00"}
	}
	now := tuesday.Unix()
	for title, tc := range map[string]struct {
		rules []Rule
		most  int // rules that are left
	}{"p6": {everyMinute, 1}, "COUNT": {counted, 1}, "staggered": {staggered, 32}} {
		t.Run(title, func(t *testing.T) {
			begin := time.Now()
			s := parse(t, Spec{TimeZone: "Europe/Stockholm", Schedules: tc.rules})
			parsed := time.Since(begin)
			if len(s.schedules) > tc.most {
				t.Errorf("%d rules are left of %d", len(s.schedules), len(tc.rules))
			}
			begin = time.Now()
			s.State(tuesday)
			t.Logf("parsed in %v, first state in %v", parsed, time.Since(begin))
			budget := Budget
			begin = time.Now()
			_, _ = s.Within(tuesday, tuesday.AddDate(1, 0, 0), &budget)
			t.Logf("a year in %v, %d of %d", time.Since(begin), Budget-budget, Budget)
			if _, work := s.coverage(now, now+32*secondsPerDay); title == "p6" && work > 1 {
				t.Errorf("a month took %d steps", work)
			}
		})
	}
}

// TestNextAfter: it is what Next says, one after the other.
func TestNextAfter(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 15))
		s, err := Parse(randomSpec(r))
		if err != nil {
			continue
		}
		at := time.Date(2025+r.IntN(3), 1, 1+r.IntN(365), r.IntN(24), r.IntN(60), 0, 0, time.UTC)
		var want []Occurrence
		for next, ok := s.Next(at); ok && len(want) < 8; next, ok = s.Next(next.Start) {
			if want = append(want, next); next.End.IsZero() {
				break
			}
		}
		if got := s.NextAfter(at, 8); gocmp.Diff(want, got, sameInstants) != "" {
			t.Fatalf("seed %d: %v", seed, gocmp.Diff(want, got, sameInstants))
		}
	}
}

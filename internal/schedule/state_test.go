package schedule

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestStateAndBetweenAgreeWithAModel(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2026, 11))
	modelFrom, modelTo := time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2032, 1, 1, 0, 0, 0, 0, time.UTC)
	from, to := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC), time.Date(2030, 6, 1, 0, 0, 0, 0, time.UTC)
	checked, openSeen := 0, 0
	for n := 0; n < least(400); n++ {
		spec := randomSpec(r)
		s, err := Parse(spec)
		if err != nil {
			if !hasReason(err, NeverOccurs) && !hasReason(err, CutoffTooLong) {
				t.Fatalf("%+v: %v", spec, err)
			}
			continue
		}
		m := newModel(t, spec, modelFrom, modelTo)
		var want []Occurrence
		for _, o := range m.open {
			if o.Start.Before(to) && o.End.After(from) {
				want = append(want, o)
			}
		}
		// An opening that reaches the rim of the model is longer than the model knows.
		rim := func(o Occurrence) bool {
			return o.Start.Before(modelFrom.AddDate(0, 3, 0)) && !o.Start.IsZero() || o.End.After(modelTo.AddDate(0, -3, 0)) || o.End.IsZero()
		}
		got := s.Between(from, to)
		if !slices.ContainsFunc(want, rim) {
			if diff := gocmp.Diff(want, got, sameInstants); diff != "" {
				t.Fatalf("Between of %+v (-want +got):\n%s", spec, diff)
			}
		}
		for range 60 {
			at := from.Add(time.Duration(r.Int64N(int64(to.Sub(from)))))
			if len(want) > 0 && r.IntN(2) == 0 { // near an edge
				o := want[r.IntN(len(want))]
				at = []time.Time{o.Start, o.End, o.End.Add(-spec.Cutoff)}[r.IntN(3)].Add(time.Duration(r.IntN(3)-1) * time.Nanosecond)
			}
			if at.Before(from) || at.After(to) {
				continue
			}
			wantState, gotState := m.at(at, spec.Cutoff), s.State(at)
			if rim(wantState.Current) || rim(wantState.Next) && wantState.Next != (Occurrence{}) || wantState.Next == (Occurrence{}) && gotState.Next.Start.After(modelTo) {
				if wantState.Open != gotState.Open {
					t.Fatalf("State(%v) of %+v: open %v, want %v", at, spec, gotState.Open, wantState.Open)
				}
				continue
			}
			if diff := gocmp.Diff(wantState, gotState, sameInstants); diff != "" {
				t.Fatalf("State(%v) of %+v (-want +got):\n%s", at, spec, diff)
			}
			if gotState.Open {
				openSeen++
			}
			if next, ok := s.Next(at); ok != (gotState.Next != Occurrence{}) || next != gotState.Next {
				t.Fatalf("Next(%v) = %v, %v; State says %v", at, next, ok, gotState.Next)
			}
			checked++
		}
	}
	if checked < least(5000) || openSeen < least(500) {
		t.Errorf("only %d states checked, %d of them open", checked, openSeen)
	}
}

// Whatever was asked before, the answer is that of a schedule which has never been asked.
func TestAnswersDoNotDependOnTheCache(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	base := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for n := 0; n < 60; n++ {
		spec := randomSpec(r)
		s, err := Parse(spec)
		if err != nil {
			continue
		}
		for range 40 {
			at := base.Add(time.Duration(r.Int64N(int64(120 * 24 * time.Hour))))
			if diff := gocmp.Diff(parse(t, spec).State(at), s.State(at), sameInstants); diff != "" {
				t.Fatalf("State(%v) of %+v (-fresh +used):\n%s", at, spec, diff)
			}
		}
	}
}

// Following Until from change to change visits every change there is, and nothing changes in between.
func TestUntilIsTheNextChange(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	end := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	type answer struct{ open, accepting bool }
	of := func(s State) answer { return answer{s.Open, s.Accepting} }
	steps := 0
	for n := 0; n < 80; n++ {
		s, err := Parse(randomSpec(r))
		if err != nil {
			continue
		}
		at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		for at.Before(end) {
			now := s.State(at)
			until := now.Until
			if until.IsZero() {
				until = end
			} else if before, after := s.State(until.Add(-1)), s.State(until); of(before) != of(now) || of(after) == of(now) {
				t.Fatalf("at %v until %v: %v, just before %v, then %v", at, until, of(now), of(before), of(after))
			}
			for range 5 {
				if between := at.Add(time.Duration(r.Int64N(int64(until.Sub(at))))); of(s.State(between)) != of(now) {
					t.Fatalf("at %v until %v: %v, but at %v %v", at, until, of(now), between, of(s.State(between)))
				}
			}
			at = until
			steps++
		}
	}
	if steps < 2000 {
		t.Errorf("only %d steps", steps)
	}
}

func TestMergingAndBounds(t *testing.T) {
	day := func(date, start, end string) Rule { return Rule{Dates: []string{date}, StartTime: start, EndTime: end} }
	dst := Rule{Cron: "0 0 * * *", Duration: 24 * time.Hour}
	for name, tc := range map[string]struct {
		schedules, exclusions []Rule
		want                  []string
	}{
		"two days are two occurrences": {
			[]Rule{{Dates: []string{"2021-06-19", "2021-06-20"}, StartTime: "09:00", EndTime: "20:00"}}, nil,
			[]string{"06-19 09:00 to 06-19 20:00", "06-20 09:00 to 06-20 20:00"},
		},
		"overlapping ones merge":                {[]Rule{day("2021-06-19", "09:00", "12:00"), day("2021-06-19", "11:00", "20:00")}, nil, []string{"06-19 09:00 to 06-19 20:00"}},
		"one inside another is none of its own": {[]Rule{day("2021-06-19", "09:00", "20:00"), day("2021-06-19", "11:00", "12:00")}, nil, []string{"06-19 09:00 to 06-19 20:00"}},
		"touching ones merge":                   {[]Rule{day("2021-06-19", "09:00", "12:00"), day("2021-06-19", "12:00", "20:00")}, nil, []string{"06-19 09:00 to 06-19 20:00"}},
		"24:00 touches 00:00":                   {[]Rule{day("2021-06-19", "20:00", "24:00"), day("2021-06-20", "00:00", "04:00")}, nil, []string{"06-19 20:00 to 06-20 04:00"}},
		"a second apart stays apart":            {[]Rule{day("2021-06-19", "09:00", "11:59:59"), day("2021-06-19", "12:00", "20:00")}, nil, []string{"06-19 09:00 to 06-19 11:59:59", "06-19 12:00 to 06-19 20:00"}},
		"overnight belongs to its first day":    {[]Rule{day("2021-06-19", "22:00", "04:00")}, nil, []string{"06-19 22:00 to 06-20 04:00"}},
		"end at start is a whole day":           {[]Rule{day("2021-06-19", "09:00", "09:00")}, nil, []string{"06-19 09:00 to 06-20 09:00"}},
		"an exclusion in the middle":            {[]Rule{day("2021-06-19", "09:00", "20:00")}, []Rule{day("2021-06-19", "12:00", "13:00")}, []string{"06-19 09:00 to 06-19 12:00", "06-19 13:00 to 06-19 20:00"}},
		"an exclusion at the edge":              {[]Rule{day("2021-06-19", "09:00", "20:00")}, []Rule{day("2021-06-19", "00:00", "12:00")}, []string{"06-19 12:00 to 06-19 20:00"}},
		"an exclusion of a whole day cuts the night before": {
			[]Rule{{Dates: []string{"2021-06-19", "2021-06-20"}, StartTime: "22:00", EndTime: "04:00"}}, []Rule{day("2021-06-20", "00:00", "24:00")},
			[]string{"06-19 22:00 to 06-20 00:00", "06-21 00:00 to 06-21 04:00"},
		},
		"exclusions that touch the opening take nothing": {[]Rule{day("2021-06-19", "09:00", "20:00")}, []Rule{day("2021-06-19", "20:00", "21:00"), day("2021-06-19", "08:00", "09:00")}, []string{"06-19 09:00 to 06-19 20:00"}},
		"an exclusion wins over two that overlap":        {[]Rule{day("2021-06-19", "09:00", "15:00"), day("2021-06-19", "12:00", "20:00")}, []Rule{day("2021-06-19", "13:00", "14:00")}, []string{"06-19 09:00 to 06-19 13:00", "06-19 14:00 to 06-19 20:00"}},
		"duration is elapsed time": {
			[]Rule{{Cron: "0 0 28 3 *", Duration: 24 * time.Hour}}, nil, []string{"03-28 00:00 to 03-29 01:00"},
		},
		"24 hours from midnight leave an hour open each spring, none in autumn": {
			[]Rule{dst}, []Rule{day("2021-01-01", "00:00", "24:00"), day("2021-12-31", "00:00", "24:00")}, []string{"01-02 00:00 to 10-31 23:00", "11-01 00:00 to 12-31 00:00"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := parse(t, Spec{TimeZone: "Europe/Stockholm", Schedules: tc.schedules, Exclusions: tc.exclusions})
			var got []string
			for _, o := range s.Between(time.Date(2021, 1, 2, 0, 0, 0, 0, s.Location()), time.Date(2021, 12, 31, 0, 0, 0, 0, s.Location())) {
				got = append(got, shortText(o.Start)+" to "+shortText(o.End))
			}
			if diff := gocmp.Diff(tc.want, got); diff != "" {
				t.Errorf("occurrences (-want +got):\n%s", diff)
			}
		})
	}
}

func shortText(t time.Time) string {
	if t.Second() != 0 {
		return t.Format("01-02 15:04:05")
	}
	return t.Format("01-02 15:04")
}

func TestCutoffAndHalfOpen(t *testing.T) {
	s := parse(t, Spec{
		TimeZone: "Europe/Stockholm", Cutoff: 30 * time.Minute,
		Schedules:  []Rule{{Dates: []string{"2021-06-19"}, StartTime: "09:00", EndTime: "20:00"}},
		Exclusions: []Rule{{Dates: []string{"2021-06-19"}, StartTime: "12:00", EndTime: "13:00"}, {Dates: []string{"2021-06-19"}, StartTime: "13:20", EndTime: "14:00"}},
	})
	at := func(clock string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04:05.999999999", "2021-06-19 "+clock, s.Location())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, tc := range map[string]struct {
		at              string
		open, accepting bool
		until           string // empty: never
	}{
		"before":                            {"08:59:59.999999999", false, false, "09:00:00"},
		"the first instant":                 {"09:00:00", true, true, "11:30:00"},
		"just before the cutoff":            {"11:29:59.999999999", true, true, "11:30:00"},
		"at the cutoff before an exclusion": {"11:30:00", true, false, "12:00:00"},
		"the last instant":                  {"11:59:59.999999999", true, false, "12:00:00"},
		"the end":                           {"12:00:00", false, false, "13:00:00"},
		"shorter than the cutoff":           {"13:00:00", true, false, "13:20:00"},
		"after it":                          {"14:00:00", true, true, "19:30:00"},
		"at the last cutoff":                {"19:30:00", true, false, "20:00:00"},
		"the last end":                      {"20:00:00", false, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.State(at(tc.at))
			until := ""
			if !got.Until.IsZero() {
				until = got.Until.Format("15:04:05")
			}
			if got.Open != tc.open || got.Accepting != tc.accepting || until != tc.until {
				t.Errorf("open %v, accepting %v, until %q; want %v, %v, %q", got.Open, got.Accepting, until, tc.open, tc.accepting, tc.until)
			}
		})
	}
	past := s.State(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
	if past != (State{}) {
		t.Errorf("after all dates: %+v", past)
	}
	if between := s.Between(at("19:59:59.5"), at("19:59:59.6")); len(between) != 1 {
		t.Errorf("Between within the last second: %v", between)
	}
	if between := s.Between(at("20:00:00"), at("21:00:00")); len(between) != 0 {
		t.Errorf("Between from the end: %v", between)
	}
	if between := s.Between(at("08:00:00"), at("09:00:00.000000001")); len(between) != 1 {
		t.Errorf("Between up to a nanosecond in: %v", between)
	}
	if between := s.Between(at("21:00:00"), at("08:00:00")); between != nil {
		t.Errorf("Between backwards: %v", between)
	}
}

func TestOpenForYears(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		spec       Spec
		start, end string // empty: not known
	}{
		"always":          {Spec{Always: true}, "", ""},
		"every whole day": {Spec{Schedules: []Rule{{RRule: "FREQ=DAILY", StartTime: "00:00", EndTime: "24:00"}}}, "", ""},
		// The minutes of the hour that exists twice are those of the first: the second has no starts of its own.
		"every minute":     {Spec{Schedules: []Rule{{Cron: "* * * * *", Duration: time.Minute}}}, "2026-10-25 03:00", "2027-10-31 02:00"},
		"since 2024":       {Spec{Schedules: []Rule{{RRule: "FREQ=DAILY", StartDate: "2024-01-01", StartTime: "09:00", EndTime: "09:00"}}}, "2024-01-01 09:00", ""},
		"until 2030":       {Spec{Schedules: []Rule{{RRule: "FREQ=DAILY;UNTIL=20300101", StartTime: "00:00", EndTime: "24:00"}}}, "", "2030-01-02 00:00"},
		"a break in years": {Spec{Schedules: []Rule{{RRule: "FREQ=DAILY", StartTime: "00:00", EndTime: "24:00"}}, Exclusions: []Rule{{Dates: []string{"2025-01-01", "2035-06-01"}, StartTime: "00:00", EndTime: "24:00"}}}, "2025-01-02 00:00", "2035-06-01 00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.spec.TimeZone = "Europe/Stockholm"
			s := parse(t, tc.spec)
			got := s.State(now)
			text := func(at time.Time) string {
				if at.IsZero() {
					return ""
				}
				return at.Format("2006-01-02 15:04")
			}
			if !got.Open || !got.Accepting || text(got.Current.Start) != tc.start || text(got.Current.End) != tc.end || !got.Until.Equal(got.Current.End) {
				t.Errorf("State = %+v, want open from %q to %q", got, tc.start, tc.end)
			}
			if between := s.Between(now, now.Add(time.Hour)); len(between) != 1 || between[0] != got.Current {
				t.Errorf("Between = %v, want %v", between, got.Current)
			}
		})
	}
}

func TestRareDaysAreFound(t *testing.T) {
	for name, tc := range map[string]struct {
		rule     Rule
		at, want string
	}{
		"29 February over 2100":    {Rule{Cron: "0 9 29 2 *", Duration: time.Hour}, "2096-03-01", "2104-02-29"},
		"a Saturday, 29 February":  {Rule{RRule: "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SA", StartTime: "09:00", EndTime: "10:00"}, "2080-01-01", "2116-02-29"},
		"a date far away":          {Rule{Dates: []string{"2110-05-01"}, StartTime: "09:00", EndTime: "10:00"}, "2026-01-01", "2110-05-01"},
		"every 70 years":           {Rule{RRule: "FREQ=YEARLY;INTERVAL=70", StartDate: "2000-05-01", StartTime: "09:00", EndTime: "10:00"}, "2026-01-01", "2070-05-01"},
		"a month long, since then": {Rule{Cron: "0 0 1 1 *", Duration: MaxDuration}, "2026-02-01", "2027-01-01"},
	} {
		t.Run(name, func(t *testing.T) {
			s := parse(t, Spec{TimeZone: "UTC", Schedules: []Rule{tc.rule}})
			at, err := time.Parse(time.DateOnly, tc.at)
			if err != nil {
				t.Fatal(err)
			}
			next, ok := s.Next(at)
			if got := next.Start.Format(time.DateOnly); !ok || got != tc.want {
				t.Errorf("Next(%s) = %s, %v; want %s", tc.at, got, ok, tc.want)
			}
		})
	}
}

func TestInstantsOutsideTheCalendar(t *testing.T) {
	s := parse(t, Spec{TimeZone: "Europe/Stockholm", Schedules: []Rule{{RRule: "FREQ=DAILY", StartTime: "00:00", EndTime: "24:00"}}})
	for _, at := range []time.Time{{}, time.Unix(1<<62, 0), time.Unix(-1<<62, 0), time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got := s.State(at); got.Open && at.Year() != 1 {
			t.Errorf("State(%v) = %+v, want closed", at, got)
		}
		s.Between(at, at.Add(time.Hour))
	}
}

func TestManyGoroutines(t *testing.T) {
	s := parse(t, Spec{TimeZone: "Europe/Stockholm", Schedules: []Rule{{Cron: "0 9 * * 6", Duration: 11 * time.Hour}}})
	base := time.Date(2026, 11, 28, 7, 0, 0, 0, time.UTC)
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 2000 {
				at := base.Add(time.Duration((i*37+g)%400) * time.Hour)
				o := at.In(s.Location())
				minutes := o.Hour()*60 + o.Minute()
				want := o.Weekday() == time.Saturday && minutes >= 9*60 && minutes < 20*60
				if got := s.State(at).Open; got != want {
					t.Errorf("State(%v).Open = %v", at, got)
					return
				}
			}
		})
	}
	group.Wait()
}

package schedule

import (
	"slices"
	"testing"
	"time"
)

// fuzzSpec makes a Spec of raw material; the kind says which of the fields go with which form.
func fuzzSpec(zone, days, startDate, start, end string, seconds int64, kind byte) Spec {
	rule := func(form byte, days string) Rule {
		switch form % 4 {
		case 0:
			return Rule{Dates: []string{days, startDate}, StartTime: start, EndTime: end}
		case 1:
			return Rule{RRule: days, StartDate: startDate, StartTime: start, EndTime: end}
		case 2:
			return Rule{Cron: days, Duration: time.Duration(seconds) * time.Second}
		default:
			return Rule{RRule: days, StartTime: start, EndTime: end}
		}
	}
	spec := Spec{TimeZone: zone, Schedules: []Rule{rule(kind, days)}}
	if kind&4 != 0 {
		spec.Schedules = append(spec.Schedules, Rule{Cron: "*/7 3 * * *", Duration: time.Duration(seconds) * time.Second})
	}
	if kind&8 != 0 {
		spec.Exclusions = append(spec.Exclusions, rule(kind>>4, days))
	}
	if kind&128 != 0 {
		spec.Cutoff = time.Duration(seconds/2) * time.Second
	}
	return spec
}

func addSeeds(f *testing.F, add func(zone, days, startDate, start, end string, seconds int64, kind byte)) {
	f.Helper()
	const zone = "Europe/Stockholm"
	add(zone, "2026-03-29", "2026-10-25", "02:30", "03:00", 0, 0)
	add(zone, "FREQ=MONTHLY;BYDAY=3SA", "2026-01-01", "09:00", "20:00", 0, 1)
	add(zone, "FREQ=MONTHLY;BYDAY=53MO", "2026-01-01", "09:00", "20:00", 0, 1)
	add(zone, "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "2026-01-01", "09:00", "20:00", 0, 1)
	add(zone, "FREQ=YEARLY;BYWEEKNO=53,-1;BYDAY=SU;BYSETPOS=-1", "2026-01-01", "22:00", "04:00", 0, 1)
	add(zone, "FREQ=DAILY;INTERVAL=9999;COUNT=3", "0001-01-01", "00:00", "24:00", 0, 1)
	add("Africa/Casablanca", "FREQ=WEEKLY;BYDAY=SU,MO", "", "00:00", "00:00", 0, 3)
	add("Pacific/Apia", "FREQ=DAILY", "", "00:00", "24:00", 60, 3|8|2<<4)
	add(zone, "0 9 * * 6", "", "", "", 39600, 2)
	add(zone, "*/30 1-3 25-31 3,10 0", "", "", "", 5400, 2|4)
	add(zone, "TZ=", "", "", "", 60, 2)
	add(zone, "* * * * *", "", "", "", 2678400, 2|8|2<<4)
	add("Local", ", 9 ? */2 SAT", "", "", "", -1, 2)
}

// However wrong the text, Parse answers, soon, and with errors that say where and why.
func FuzzParse(f *testing.F) {
	addSeeds(f, func(zone, days, startDate, start, end string, seconds int64, kind byte) {
		f.Add(zone, days, startDate, start, end, seconds, kind)
	})
	f.Fuzz(func(t *testing.T, zone, days, startDate, start, end string, seconds int64, kind byte) {
		begin := time.Now()
		s, err := Parse(fuzzSpec(zone, days, startDate, start, end, seconds, kind))
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		if (s == nil) == (err == nil) {
			t.Fatalf("Parse = %v, %v", s, err)
		}
		if err != nil {
			errs := errorsOf(err)
			if len(errs) == 0 {
				t.Fatalf("an error of another kind: %v", err)
			}
			for _, e := range errs {
				if e.Path == "" || e.Message == "" || e.Reason == "" {
					t.Errorf("incomplete: %+v", e)
				}
			}
		}
	})
}

// Whatever the schedule and the instant, State, Next and Between agree, also in a cell that was not asked before.
func FuzzState(f *testing.F) {
	addSeeds(f, func(zone, days, startDate, start, end string, seconds int64, kind byte) {
		for _, at := range []int64{1774746000, 1792890000, 1861833600, 0, -2208988800} {
			f.Add(zone, days, startDate, start, end, seconds, kind, at, int64(1))
		}
	})
	f.Fuzz(func(t *testing.T, zone, days, startDate, start, end string, seconds int64, kind byte, sec, nsec int64) {
		spec := fuzzSpec(zone, days, startDate, start, end, seconds, kind)
		s, err := Parse(spec)
		if err != nil {
			return
		}
		at := time.Unix(sec%(300*secondsPerYear), ((nsec%1e9)+1e9)%1e9)
		now := s.State(at)
		if now.Accepting && !now.Open || now.Open != (now.Current != Occurrence{}) && !now.Current.Start.IsZero() {
			t.Fatalf("State(%v) = %+v", at, now)
		}
		if now.Open && !now.Current.Start.IsZero() && at.Before(now.Current.Start) || !now.Current.End.IsZero() && !at.Before(now.Current.End) {
			t.Fatalf("State(%v) = %+v: not in Current", at, now)
		}
		if !now.Next.Start.IsZero() && !now.Next.Start.After(at) {
			t.Fatalf("State(%v).Next = %+v", at, now.Next)
		}
		between := s.Between(at, at.Add(1))
		if now.Open != (len(between) == 1) {
			t.Fatalf("State(%v) = %+v, Between = %v", at, now, between)
		}
		if !now.Until.IsZero() {
			before, after := s.State(now.Until.Add(-1)), s.State(now.Until)
			if before.Open != now.Open || before.Accepting != now.Accepting || after.Open == now.Open && after.Accepting == now.Accepting {
				t.Fatalf("State(%v) = %+v, just before its Until %+v, then %+v", at, now, before, after)
			}
		}
		from := max(at.Unix(), firstSecond+4*secondsPerYear) // in the first years not all of what lasts has begun
		got, _ := s.coverage(from, from+40*secondsPerDay)
		if want, _ := uncombined(t, spec).coverage(from, from+40*secondsPerDay); !slices.Equal(got, want) {
			t.Fatalf("combined, it is open in %v; as it is written, in %v", got, want)
		}
		if again := parse(t, spec).State(at); again != now {
			t.Fatalf("State(%v) = %+v, of a fresh schedule %+v", at, now, again)
		}
	})
}

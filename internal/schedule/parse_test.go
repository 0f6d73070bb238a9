package schedule

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBadSpecs(t *testing.T) {
	const zone = "Europe/Stockholm"
	days := func(r Rule) Spec {
		if r.StartTime == "" {
			r.StartTime = "09:00"
		}
		if r.EndTime == "" {
			r.EndTime = "20:00"
		}
		return Spec{TimeZone: zone, Schedules: []Rule{r}}
	}
	rule := func(text string) Spec { return days(Rule{RRule: text, StartDate: "2026-01-01"}) }
	cron := func(text string) Spec {
		return Spec{TimeZone: zone, Schedules: []Rule{{Cron: text, Duration: time.Hour}}}
	}
	saturdays := []Rule{{Cron: "0 9 * * 6", Duration: time.Hour}}
	for name, tc := range map[string]struct {
		spec   Spec
		reason Reason
		path   string
		says   string // part of the message
	}{
		"an unknown zone":            {Spec{TimeZone: "Europe/Atlantis", Schedules: saturdays}, InvalidTimeZone, "timeZone", "Europe/Stockholm"},
		"no zone":                    {Spec{Schedules: saturdays}, InvalidTimeZone, "timeZone", "Europe/Stockholm"},
		"the zone Local":             {Spec{TimeZone: "Local", Schedules: saturdays}, InvalidTimeZone, "timeZone", "whichever machine"},
		"an offset as zone":          {Spec{TimeZone: "+01:00", Schedules: saturdays}, InvalidTimeZone, "timeZone", "Europe/Stockholm"},
		"no schedules":               {Spec{TimeZone: zone}, InvalidSchedule, "schedules", "at least one"},
		"always with schedules":      {Spec{TimeZone: zone, Always: true, Schedules: saturdays}, InvalidSchedule, "schedules", "must be empty"},
		"a negative cutoff":          {Spec{TimeZone: zone, Schedules: saturdays, Cutoff: -time.Minute}, InvalidSchedule, "cutoff", "negative"},
		"half a second of cutoff":    {Spec{TimeZone: zone, Schedules: saturdays, Cutoff: time.Second / 2}, InvalidSchedule, "cutoff", "whole seconds"},
		"a cutoff of all":            {Spec{TimeZone: zone, Schedules: saturdays, Cutoff: time.Hour}, CutoffTooLong, "cutoff", "the longest lasts 1h0m0s"},
		"two forms":                  {days(Rule{Dates: []string{"2026-01-01"}, RRule: "FREQ=DAILY"}), InvalidSchedule, "schedules[0]", "exactly one of"},
		"no form":                    {days(Rule{}), InvalidSchedule, "schedules[0]", "exactly one of"},
		"startDate beside dates":     {days(Rule{Dates: []string{"2026-01-01"}, StartDate: "2026-01-01"}), InvalidSchedule, "schedules[0].startDate", "rrule only"},
		"30 February in dates":       {days(Rule{Dates: []string{"2021-02-30"}}), InvalidSchedule, "schedules[0].dates[0]", "not a day of the calendar"},
		"a date in another order":    {days(Rule{Dates: []string{"2021-02-20", "20/2 2021"}}), InvalidSchedule, "schedules[0].dates[1]", "YYYY-MM-DD"},
		"the year 0":                 {days(Rule{Dates: []string{"0000-02-20"}}), InvalidSchedule, "schedules[0].dates[0]", "YYYY-MM-DD"},
		"25:00":                      {days(Rule{Dates: []string{"2021-02-20"}, EndTime: "25:00"}), InvalidSchedule, "schedules[0].endTime", "00:00 to 24:00"},
		"24:01":                      {days(Rule{Dates: []string{"2021-02-20"}, EndTime: "24:01"}), InvalidSchedule, "schedules[0].endTime", "00:00 to 24:00"},
		"9:00":                       {days(Rule{Dates: []string{"2021-02-20"}, StartTime: "9:00"}), InvalidSchedule, "schedules[0].startTime", "HH:MM"},
		"23:60":                      {days(Rule{Dates: []string{"2021-02-20"}, StartTime: "23:60"}), InvalidSchedule, "schedules[0].startTime", "HH:MM"},
		"a start at 24:00":           {days(Rule{Dates: []string{"2021-02-20"}, StartTime: "24:00"}), InvalidSchedule, "schedules[0].startTime", "next day"},
		"a start with a sign":        {days(Rule{Dates: []string{"2021-02-20"}, StartTime: "+9:00"}), InvalidSchedule, "schedules[0].startTime", "HH:MM"},
		"duration beside dates":      {days(Rule{Dates: []string{"2021-02-20"}, Duration: time.Hour}), InvalidSchedule, "schedules[0].duration", "cron only"},
		"no endTime":                 {Spec{TimeZone: zone, Schedules: []Rule{{RRule: "FREQ=DAILY", StartTime: "09:00"}}}, InvalidSchedule, "schedules[0].endTime", "required"},
		"FREQ=HOURLY":                {rule("FREQ=HOURLY"), InvalidSchedule, "schedules[0].rrule", "speaks of days"},
		"no FREQ":                    {rule("BYDAY=SA"), InvalidSchedule, "schedules[0].rrule", "FREQ"},
		"BYHOUR":                     {rule("FREQ=DAILY;BYHOUR=9"), InvalidSchedule, "schedules[0].rrule", "startTime"},
		"DTSTART in the rule":        {rule("DTSTART=20260101;FREQ=DAILY"), InvalidSchedule, "schedules[0].rrule", "startDate"},
		"a DTSTART line":             {rule("DTSTART:20260101\nRRULE:FREQ=DAILY"), InvalidSchedule, "schedules[0].rrule", "line breaks"},
		"an RRULE: prefix":           {rule("RRULE:FREQ=DAILY"), InvalidSchedule, "schedules[0].rrule", "drop it"},
		"a part given twice":         {rule("FREQ=WEEKLY;BYDAY=SA;BYDAY=SU"), InvalidSchedule, "schedules[0].rrule", "BYDAY twice"},
		"a trailing semicolon":       {rule("FREQ=DAILY;"), InvalidSchedule, "schedules[0].rrule", "NAME=VALUE"},
		"UNTIL with a time":          {rule("FREQ=DAILY;UNTIL=20261231T090000Z"), InvalidSchedule, "schedules[0].rrule", "UNTIL=20261231"},
		"UNTIL on 30 February":       {rule("FREQ=DAILY;UNTIL=20260230"), InvalidSchedule, "schedules[0].rrule", "must be a day"},
		"COUNT and UNTIL":            {rule("FREQ=DAILY;COUNT=3;UNTIL=20261231"), InvalidSchedule, "schedules[0].rrule", "one of them"},
		"COUNT=0":                    {rule("FREQ=DAILY;COUNT=0"), InvalidSchedule, "schedules[0].rrule", "1 or more"},
		"INTERVAL=-1":                {rule("FREQ=DAILY;INTERVAL=-1"), InvalidSchedule, "schedules[0].rrule", "1 or more"},
		"a huge INTERVAL":            {rule("FREQ=DAILY;INTERVAL=10000"), InvalidSchedule, "schedules[0].rrule", "INTERVAL"},
		"BYMONTH=13":                 {rule("FREQ=DAILY;BYMONTH=13"), InvalidSchedule, "schedules[0].rrule", "bymonth"},
		"BYMONTHDAY=0":               {rule("FREQ=DAILY;BYMONTHDAY=0"), InvalidSchedule, "schedules[0].rrule", "bymonthday"},
		"BYEASTER":                   {rule("FREQ=YEARLY;BYEASTER=1"), InvalidSchedule, "schedules[0].rrule", "dates"},
		"a sixth Saturday":           {rule("FREQ=MONTHLY;BYDAY=6SA"), InvalidSchedule, "schedules[0].rrule", "at most 5"},
		"a 53rd Monday of the month": {rule("FREQ=MONTHLY;BYDAY=53MO"), InvalidSchedule, "schedules[0].rrule", "at most 5"},
		"a numbered day of the week": {rule("FREQ=WEEKLY;BYDAY=2SA"), InvalidSchedule, "schedules[0].rrule", "MONTHLY"},
		"BYWEEKNO without BYDAY":     {rule("FREQ=YEARLY;BYWEEKNO=20"), InvalidSchedule, "schedules[0].rrule", "BYDAY=SA"},
		"BYWEEKNO of a month":        {rule("FREQ=MONTHLY;BYWEEKNO=20;BYDAY=SA"), InvalidSchedule, "schedules[0].rrule", "YEARLY"},
		"BYYEARDAY of a month":       {rule("FREQ=MONTHLY;BYYEARDAY=20"), InvalidSchedule, "schedules[0].rrule", "YEARLY"},
		"BYMONTHDAY of a week":       {rule("FREQ=WEEKLY;BYMONTHDAY=20"), InvalidSchedule, "schedules[0].rrule", "MONTHLY"},
		"BYSETPOS alone":             {rule("FREQ=MONTHLY;BYSETPOS=1"), InvalidSchedule, "schedules[0].rrule", "another BY part"},
		"a bad startDate":            {days(Rule{RRule: "FREQ=DAILY", StartDate: "1 May"}), InvalidSchedule, "schedules[0].startDate", "YYYY-MM-DD"},
		"COUNT without startDate":    {days(Rule{RRule: "FREQ=DAILY;COUNT=3"}), InvalidSchedule, "schedules[0].rrule", "startDate"},
		"INTERVAL without startDate": {days(Rule{RRule: "FREQ=WEEKLY;BYDAY=SA;INTERVAL=2"}), InvalidSchedule, "schedules[0].rrule", "startDate"},
		"no day and no startDate":    {days(Rule{RRule: "FREQ=MONTHLY;BYMONTH=6"}), InvalidSchedule, "schedules[0].rrule", "startDate"},
		"TZ= in cron":                {cron("TZ=Europe/Stockholm 0 9 * * 6"), InvalidSchedule, "schedules[0].cron", "timeZone"},
		"CRON_TZ= in cron":           {cron("CRON_TZ=UTC 0 9 * * 6"), InvalidSchedule, "schedules[0].cron", "timeZone"},
		"only TZ= in cron":           {cron("TZ="), InvalidSchedule, "schedules[0].cron", "timeZone"},
		"@daily":                     {cron("@daily"), InvalidSchedule, "schedules[0].cron", "0 0 * * *"},
		"@every":                     {cron("@every 1h"), InvalidSchedule, "schedules[0].cron", "five fields"},
		"six fields":                 {cron("0 0 9 * * 6"), InvalidSchedule, "schedules[0].cron", "has 6"},
		"four fields":                {cron("0 9 * *"), InvalidSchedule, "schedules[0].cron", "has 4"},
		"a blank cron":               {cron("  "), InvalidSchedule, "schedules[0].cron", "has 0"},
		"minute 60":                  {cron("60 9 * * 6"), InvalidSchedule, "schedules[0].cron", "minute 0-59"},
		"weekday 7":                  {cron("0 9 * * 7"), InvalidSchedule, "schedules[0].cron", "0-6 from Sunday"},
		"an empty item in cron":      {cron("0, 9 * * 6"), InvalidSchedule, "schedules[0].cron", "cannot read \"\""},
		"only a comma in cron":       {cron(", 9 * * 6"), InvalidSchedule, "schedules[0].cron", "cannot read"},
		"a range from a star":        {cron("*-5 9 * * 6"), InvalidSchedule, "schedules[0].cron", "cannot read"},
		"a range backwards":          {cron("0 20-9 * * 6"), InvalidSchedule, "schedules[0].cron", "beyond end of range"},
		"step 0":                     {cron("*/0 9 * * 6"), InvalidSchedule, "schedules[0].cron", "positive"},
		"cron without duration":      {Spec{TimeZone: zone, Schedules: []Rule{{Cron: "0 9 * * 6"}}}, InvalidSchedule, "schedules[0].duration", "such as 11h"},
		"a duration over the most":   {Spec{TimeZone: zone, Schedules: []Rule{{Cron: "0 9 * * 6", Duration: MaxDuration + time.Second}}}, InvalidSchedule, "schedules[0].duration", "744h"},
		"half a second":              {Spec{TimeZone: zone, Schedules: []Rule{{Cron: "0 9 * * 6", Duration: time.Second / 2}}}, InvalidSchedule, "schedules[0].duration", "whole seconds"},
		"startTime beside cron":      {Spec{TimeZone: zone, Schedules: []Rule{{Cron: "0 9 * * 6", Duration: time.Hour, StartTime: "09:00"}}}, InvalidSchedule, "schedules[0]", "give duration"},

		"cron on 30 February":              {cron("0 9 30 2 *"), NeverOccurs, "schedules[0].cron", "never occurs"},
		"rrule on 30 February":             {rule("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"), NeverOccurs, "schedules[0].rrule", "never occurs"},
		"an interval that always misses":   {days(Rule{RRule: "FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29", StartDate: "2026-01-01"}), NeverOccurs, "schedules[0].rrule", "never occurs"},
		"an end before the start":          {rule("FREQ=DAILY;UNTIL=20251231"), NeverOccurs, "schedules[0].rrule", "never occurs"},
		"a date when clocks skip it":       {days(Rule{Dates: []string{"2021-03-28"}, StartTime: "02:30", EndTime: "03:00"}), NeverOccurs, "schedules[0].dates", "clocks go forward"},
		"an exclusion that never occurs":   {Spec{TimeZone: zone, Schedules: saturdays, Exclusions: []Rule{{Cron: "0 9 30 2 *", Duration: time.Hour}}}, NeverOccurs, "exclusions[0].cron", "never occurs"},
		"exclusions that take all":         {Spec{TimeZone: zone, Schedules: saturdays, Exclusions: []Rule{{RRule: "FREQ=DAILY", StartTime: "00:00", EndTime: "24:00"}}}, NeverOccurs, "schedules", "exclusions"},
		"exclusions that leave the cutoff": {Spec{TimeZone: zone, Schedules: saturdays, Exclusions: []Rule{{Cron: "10 9 * * 6", Duration: time.Hour}}, Cutoff: 10 * time.Minute}, CutoffTooLong, "cutoff", "10m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Parse(tc.spec)
			if err == nil || s != nil {
				t.Fatalf("Parse = %v, %v; want an error and no schedule", s, err)
			}
			errs := errorsOf(err)
			if len(errs) != 1 {
				t.Fatalf("errors: %v; want one", err)
			}
			e := errs[0]
			if e.Reason != tc.reason || e.Path != tc.path || !strings.Contains(e.Message, tc.says) {
				t.Errorf("got reason %s, path %s, message %q; want %s, %s, and %q in the message", e.Reason, e.Path, e.Message, tc.reason, tc.path, tc.says)
			}
		})
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	_, err := Parse(Spec{
		TimeZone: "Local",
		Cutoff:   -1,
		Schedules: []Rule{
			{RRule: "FREQ=HOURLY", StartTime: "00:00", EndTime: "25:00"},
			{},
			{Cron: "0 9 30 2 *", Duration: time.Hour},
		},
		Exclusions: []Rule{{Dates: []string{"2021-02-30"}, StartTime: "00:00", EndTime: "24:00"}},
	})
	var got []string
	for _, e := range errorsOf(err) {
		got = append(got, e.Path+" "+string(e.Reason))
	}
	want := []string{
		"timeZone InvalidTimeZone",
		"cutoff InvalidSchedule",
		"schedules[0].rrule InvalidSchedule",
		"schedules[0].endTime InvalidSchedule",
		"schedules[1] InvalidSchedule",
		"schedules[2].cron NeverOccurs",
		"exclusions[0].dates[0] InvalidSchedule",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestErrorsOfALongListAreCounted(t *testing.T) {
	_, err := Parse(Spec{TimeZone: "UTC", Schedules: []Rule{{Dates: slices.Repeat([]string{"x"}, 10_000), StartTime: "09:00", EndTime: "10:00"}}})
	if n := len(errorsOf(err)); n != maxErrorsPerList+1 || !strings.Contains(err.Error(), "9995 more") {
		t.Errorf("%d errors: %v", n, err)
	}
}

func TestTenThousandDates(t *testing.T) {
	var list []string
	for i := range 10_000 {
		list = append(list, dateText(dayOf(2000, 1, 1)+2*i))
	}
	begin := time.Now()
	s := parse(t, Spec{TimeZone: "Europe/Stockholm", Schedules: []Rule{{Dates: list, StartTime: "09:00", EndTime: "20:00"}}})
	n := len(s.Between(time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)))
	if took := time.Since(begin); n != 10_000 || took > 2*time.Second {
		t.Errorf("%d occurrences in %v", n, took)
	}
}

// However a rule is meant to keep the machine busy, reading it and asking it once is bounded.
func TestNothingTakesLong(t *testing.T) {
	minutes := func(n int) []Rule {
		var out []Rule
		for i := range n {
			out = append(out, Rule{Cron: fmt.Sprintf("%d-59/2 * * * *", i%2), Duration: time.Minute})
		}
		return out
	}
	wholeDay := Rule{RRule: "FREQ=DAILY", StartTime: "00:00", EndTime: "24:00"}
	for name, spec := range map[string]Spec{
		"never, by day":               {Schedules: []Rule{{RRule: "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", StartTime: "09:00", EndTime: "20:00"}}},
		"never, by position":          {Schedules: []Rule{{RRule: "FREQ=YEARLY;BYDAY=SA;BYSETPOS=300", StartTime: "09:00", EndTime: "20:00"}}},
		"never, by interval":          {Schedules: []Rule{{RRule: "FREQ=YEARLY;INTERVAL=4;BYMONTHDAY=29;BYMONTH=2", StartDate: "2026-01-01", StartTime: "09:00", EndTime: "20:00"}}},
		"a count of millions":         {Schedules: []Rule{{RRule: "FREQ=DAILY;COUNT=2000000000", StartDate: "0001-01-01", StartTime: "09:00", EndTime: "20:00"}}},
		"each minute":                 {Schedules: []Rule{{Cron: "* * * * *", Duration: time.Minute}}},
		"each minute for a month":     {Schedules: []Rule{{Cron: "* * * * *", Duration: MaxDuration}}},
		"each other minute":           {Schedules: minutes(1)},
		"each other minute, 32 times": {Schedules: minutes(32)},
		"all of it excluded":          {Schedules: minutes(32), Exclusions: []Rule{wholeDay}},
		"half of it excluded":         {Schedules: []Rule{wholeDay}, Exclusions: minutes(31)},
		"a cutoff never reached":      {Schedules: minutes(1), Cutoff: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			spec.TimeZone = "Europe/Stockholm"
			begin := time.Now()
			s, err := Parse(spec)
			if err == nil {
				s.State(time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC))
			}
			took := time.Since(begin)
			t.Log(took.Round(time.Microsecond))
			if took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestNotes(t *testing.T) {
	for name, tc := range map[string]struct {
		spec Spec
		want []string
	}{
		"nothing to remark": {Spec{TimeZone: "Europe/Stockholm", Schedules: []Rule{{RRule: "FREQ=DAILY", StartTime: "22:00", EndTime: "04:00"}}}, nil},
		"endTime equals startTime": {
			Spec{TimeZone: "Europe/Stockholm", Schedules: []Rule{{RRule: "FREQ=WEEKLY;BYDAY=SA", StartTime: "09:00", EndTime: "09:00"}}},
			[]string{"schedules[0]: endTime equals startTime: each occurrence lasts until 09:00 the next day"},
		},
		"one of two dates is skipped by the clock": {
			Spec{TimeZone: "Europe/Stockholm", Schedules: []Rule{{Dates: []string{"2021-03-27", "2021-03-28"}, StartTime: "02:30", EndTime: "03:00"}}},
			[]string{"schedules[0]: no occurrence on 2021-03-28: clocks go forward over it"},
		},
		"the times exchanged": {
			Spec{TimeZone: "UTC", Schedules: []Rule{{RRule: "FREQ=DAILY", StartTime: "20:00", EndTime: "09:30"}}},
			[]string{"schedules[0]: endTime is before startTime: each occurrence ends on the next day, after 13h30m"},
		},
		"both day fields of a cron": {
			Spec{TimeZone: "UTC", Schedules: []Rule{{Cron: "0 9 1-7 * 6", Duration: time.Hour}}},
			[]string{"schedules[0].cron: day of month OR day of week, whichever matches; for the first Saturday write the rrule FREQ=MONTHLY;BYDAY=1SA"},
		},
		"one of two dates is moved by the clock": {
			Spec{TimeZone: "Europe/Stockholm", Schedules: []Rule{{Dates: []string{"2021-03-27", "2021-03-28"}, StartTime: "02:15", EndTime: "09:00"}}},
			[]string{"schedules[0]: 02:15 does not exist on 2021-03-28, as clocks go forward: it starts at 03:15"},
		},
		"a zone with its sign reversed": {
			Spec{TimeZone: "Etc/GMT+1", Schedules: []Rule{{RRule: "FREQ=DAILY", StartTime: "22:00", EndTime: "04:00"}}},
			[]string{"timeZone: Etc/GMT+1 has its sign reversed: Etc/GMT+1 is one hour behind UTC"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, parse(t, tc.spec).Notes()); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}

// Cron days against each field by itself; the expressions avoid steps, so that the plain reading is short.
func TestCronAgreesWithItsFields(t *testing.T) {
	for text, holds := range map[string]func(time.Time) bool{
		"0 9 * * *":     func(time.Time) bool { return true },
		"0 9 * * 6":     func(d time.Time) bool { return d.Weekday() == time.Saturday },
		"0 9 * * SAT":   func(d time.Time) bool { return d.Weekday() == time.Saturday },
		"0 9 1 * *":     func(d time.Time) bool { return d.Day() == 1 },
		"0 9 ? 2 1-5":   func(d time.Time) bool { return d.Month() == 2 && d.Weekday() >= 1 && d.Weekday() <= 5 },
		"0 9 13 * 5":    func(d time.Time) bool { return d.Day() == 13 || d.Weekday() == time.Friday },
		"0 9 29 2 *":    func(d time.Time) bool { return d.Day() == 29 && d.Month() == 2 },
		"0 9 31 * *":    func(d time.Time) bool { return d.Day() == 31 },
		"0 9 */10 * *":  func(d time.Time) bool { return d.Day()%10 == 1 },
		"0 9 1-7 JUN 0": func(d time.Time) bool { return d.Month() == 6 && (d.Day() <= 7 || d.Weekday() == 0) },
	} {
		t.Run(text, func(t *testing.T) {
			c, clocks, err := parseCron(text)
			if err != nil || !slices.Equal(clocks, []int64{9 * 3600}) {
				t.Fatal(clocks, err)
			}
			for d := dayOf(1990, 1, 1); d < dayOf(2110, 1, 1); d++ {
				_, got := c.next(d, d+1)
				if want := holds(time.Unix(int64(d)*secondsPerDay, 0).UTC()); got != want {
					t.Fatalf("%s: %v, want %v", dateText(d), got, want)
				}
			}
			if diff := cmp.Diff(firstDays(c, 30), firstDays(every{c}, 30)); diff != "" {
				t.Errorf("days found by leaps and one by one differ:\n%s", diff)
			}
		})
	}
}

// every asks days one by one.
type every struct{ days }

func (e every) next(from, limit int) (int, bool) {
	for d := from; d < limit; d++ {
		if _, ok := e.days.next(d, d+1); ok {
			return d, true
		}
	}
	return 0, false
}

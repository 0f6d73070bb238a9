package schedule

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/robfig/cron/v3"
	"github.com/teambition/rrule-go"
)

// model is the schedule worked out in another way, for some years: the libraries list the days and starts, and a sweep
// over all the edges tells what is open.
type model struct {
	from, to time.Time
	open     []Occurrence
}

func newModel(tb testing.TB, spec Spec, from, to time.Time) model {
	tb.Helper()
	loc, err := loadZone(spec.TimeZone)
	if err != nil {
		tb.Fatal(err)
	}
	schedules, exclusions := rawOccurrences(tb, spec.Schedules, loc, from, to), rawOccurrences(tb, spec.Exclusions, loc, from, to)
	type edge struct {
		at         int64
		open, shut int
	}
	var edges []edge
	for _, o := range schedules {
		edges = append(edges, edge{o.from, 1, 0}, edge{o.to, -1, 0})
	}
	for _, o := range exclusions {
		edges = append(edges, edge{o.from, 0, 1}, edge{o.to, 0, -1})
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Compare(a.at, b.at) })
	m := model{from: from, to: to}
	opened, shut, isOpen := 0, 0, false
	for i, e := range edges {
		opened, shut = opened+e.open, shut+e.shut
		if i+1 < len(edges) && edges[i+1].at == e.at {
			continue
		}
		at := time.Unix(e.at, 0).In(loc)
		switch now := opened > 0 && shut == 0; {
		case now && !isOpen:
			m.open, isOpen = append(m.open, Occurrence{Start: at}), true
		case !now && isOpen:
			m.open[len(m.open)-1].End, isOpen = at, false
		}
	}
	return m
}

func rawOccurrences(tb testing.TB, rules []Rule, loc *time.Location, from, to time.Time) []span {
	tb.Helper()
	var out []span
	c := newClock(loc)
	add := func(start, end int64) {
		if end > start {
			out = append(out, span{start, end})
		}
	}
	for _, r := range rules {
		if r.Cron != "" {
			starts, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(r.Cron)
			if err != nil {
				tb.Fatal(err)
			}
			for t := starts.Next(from); !t.IsZero() && t.Before(to); t = starts.Next(t) {
				start := c.resolve(t.Unix())
				add(start, start+int64(r.Duration/time.Second))
			}
			continue
		}
		for _, day := range rawDays(tb, r, from, to) {
			start, err := time.Parse("15:04", r.StartTime)
			if err != nil {
				tb.Fatal(err)
			}
			var hour, minute int
			if _, err := fmt.Sscanf(r.EndTime, "%d:%d", &hour, &minute); err != nil {
				tb.Fatal(err)
			}
			begin := time.Date(day.Year(), day.Month(), day.Day(), start.Hour(), start.Minute(), 0, 0, time.UTC)
			end := time.Date(day.Year(), day.Month(), day.Day(), hour, minute, 0, 0, time.UTC)
			if !end.After(begin) {
				end = end.AddDate(0, 0, 1)
			}
			add(c.resolve(begin.Unix()), c.resolve(end.Unix()))
		}
	}
	return out
}

func rawDays(tb testing.TB, r Rule, from, to time.Time) []time.Time {
	tb.Helper()
	var out []time.Time
	for _, text := range r.Dates {
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, day)
	}
	if r.RRule != "" {
		opt, err := rrule.StrToROption(r.RRule)
		if err != nil {
			tb.Fatal(err)
		}
		if opt.Dtstart, err = time.Parse(time.DateOnly, r.StartDate); err != nil {
			tb.Fatal(err)
		}
		lib, err := rrule.NewRRule(*opt)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, lib.Between(from, to, true)...)
	}
	return out
}

func (m model) at(t time.Time, cutoff time.Duration) State {
	var s State
	for _, o := range m.open {
		switch {
		case o.Start.After(t):
			s.Next = o
			if !s.Open {
				s.Until = o.Start
			}
			return s
		case t.Before(o.End):
			s.Open, s.Current, s.Until = true, o, o.End
			if shut := o.End.Add(-cutoff); t.Before(shut) {
				s.Accepting, s.Until = true, shut
			}
		}
	}
	return s
}

var someZones = []string{
	"Europe/Stockholm", "UTC", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca",
	"Asia/Kathmandu", "America/Ciudad_Juarez", "Pacific/Apia",
}

func randomSpec(r *rand.Rand) Spec {
	clockTime := func() string { return fmt.Sprintf("%02d:%02d", r.IntN(24), []int{0, 30, 15, 59}[r.IntN(4)]) }
	startDate := func() string { return fmt.Sprintf("%d-%02d-%02d", 2024+r.IntN(3), 1+r.IntN(12), 1+r.IntN(28)) }
	rule := func() Rule {
		end := clockTime()
		if r.IntN(6) == 0 {
			end = "24:00"
		}
		switch r.IntN(4) {
		case 0:
			var list []string
			for range 1 + r.IntN(60) {
				list = append(list, fmt.Sprintf("%d-%02d-%02d", 2026+r.IntN(4), 1+r.IntN(12), 1+r.IntN(28)))
			}
			slices.Sort(list)
			return Rule{Dates: slices.Compact(list), StartTime: clockTime(), EndTime: end}
		case 1:
			text := []string{"0 9 * * 6", "30 2 * * *", "*/20 1-3 * * 0", "0 0 1 * *", "15 22 13 * 5", "0 */6 * * *", "0 2 25-31 3,10 0"}[r.IntN(7)]
			return Rule{Cron: text, Duration: []time.Duration{time.Minute, time.Hour, 11 * time.Hour, 24 * time.Hour, 100 * time.Hour, 6 * time.Hour}[r.IntN(6)]}
		case 2:
			text := []string{"FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SA,SU", "FREQ=MONTHLY;BYDAY=3SA", "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR"}[r.IntN(4)]
			return Rule{RRule: text, StartDate: startDate(), StartTime: clockTime(), EndTime: end}
		default:
			return Rule{RRule: randomRule(r), StartDate: startDate(), StartTime: clockTime(), EndTime: end}
		}
	}
	spec := Spec{TimeZone: someZones[r.IntN(len(someZones))]}
	for range 1 + r.IntN(3) {
		spec.Schedules = append(spec.Schedules, rule())
	}
	for range r.IntN(3) {
		spec.Exclusions = append(spec.Exclusions, rule())
	}
	spec.Cutoff = []time.Duration{0, time.Minute, 30 * time.Minute, 3 * time.Hour}[r.IntN(4)]
	return spec
}

// sameInstants compares without the zone, of which times carry a pointer.
var sameInstants = gocmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })

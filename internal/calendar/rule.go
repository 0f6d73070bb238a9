package calendar

import (
	"fmt"
	"slices"
	"strings"
	"time"

	ics "github.com/emersion/go-ical"

	"fonster.dev/fonster/api/v1alpha1"
)

// rule writes a recurrence as schedules; none where it has no equal. First says that the event itself is not among them: RFC 5545 counts
// it in any case.
func (r *reader) rule(e *event, value string) (list []v1alpha1.Schedule, first bool) {
	line, title := e.at(ics.PropRecurrenceRule), e.text(ics.PropSummary)
	parts := map[string]string{}
	var order []string
	for _, part := range strings.Split(strings.ToUpper(strings.TrimSuffix(value, ";")), ";") {
		name, is, _ := strings.Cut(part, "=")
		parts[name] = is
		order = append(order, name)
	}
	freq := parts["FREQ"]
	if !slices.Contains([]string{"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}, freq) {
		r.note(line, "RRULE of %q: FREQ=%s has no equal, a window recurs by days: left out", title, freq)
		return nil, false
	}
	for _, name := range []string{"BYHOUR", "BYMINUTE", "BYSECOND"} {
		is, has := parts[name]
		want := map[string]int{"BYHOUR": e.start.Hour(), "BYMINUTE": e.start.Minute(), "BYSECOND": e.start.Second()}[name]
		if has && is != fmt.Sprint(want) {
			r.note(line, "RRULE of %q: %s=%s has no equal beside the time of DTSTART: left out", title, name, is)
			return nil, false
		}
		delete(parts, name)
	}
	if until, has := parts["UNTIL"]; has {
		last, err := r.lastDay(e, until)
		if err != nil {
			r.note(line, "RRULE of %q: UNTIL=%s cannot be read: left out", title, until)
			return nil, false
		}
		parts["UNTIL"] = last
	}
	// What DTSTART tells of the day is said, as the rule has no time to count from otherwise.
	day := strings.ToUpper(e.start.Weekday().String()[:2])
	_, byDay := parts["BYDAY"]
	_, byMonthDay := parts["BYMONTHDAY"]
	if freq == "WEEKLY" && !byDay {
		parts["BYDAY"] = day
		order = append(order, "BYDAY")
	} else if freq == "WEEKLY" && !slices.Contains(strings.Split(parts["BYDAY"], ","), day) || freq == "MONTHLY" && byMonthDay && !byDay && !slices.Contains(strings.Split(parts["BYMONTHDAY"], ","), fmt.Sprint(e.start.Day())) && !strings.Contains(parts["BYMONTHDAY"], "-") {
		first = true
		if parts["COUNT"] != "" {
			r.note(line, "RRULE of %q: COUNT counts DTSTART, which the rule does not match: one occurrence fewer is meant", title)
		}
	}
	shifted := func(days int) (string, bool) {
		if days == 0 {
			return parts["BYDAY"], true
		}
		if freq != "WEEKLY" || parts["COUNT"] != "" || parts["UNTIL"] != "" {
			return "", false
		}
		var to []string
		for _, d := range strings.Split(parts["BYDAY"], ",") {
			i := slices.Index(weekdays, d)
			if i < 0 {
				return "", false
			}
			to = append(to, weekdays[(i+days)%7])
		}
		return strings.Join(to, ","), true
	}
	for i, piece := range dates(e.start, e.end) {
		byday, can := shifted(i)
		if !can {
			r.note(line, "RRULE of %q: an occurrence longer than a day that recurs so has no equal: left out", title)
			return nil, false
		}
		var b []string
		for _, name := range order {
			if is, has := parts[name]; has {
				if name == "BYDAY" {
					is = byday
				}
				b = append(b, name+"="+is)
			}
		}
		rule := strings.Join(b, ";")
		from := e.start.AddDate(0, 0, i).Format(time.DateOnly)
		piece.Dates, piece.RRule, piece.StartDate = nil, &rule, &from
		list = append(list, piece)
	}
	return list, first
}

var weekdays = []string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}

// lastDay is the last day on which a rule with UNTIL may have an occurrence.
func (r *reader) lastDay(e *event, until string) (string, error) {
	if len(until) == len("20060102") {
		_, err := time.Parse("20060102", until)
		return until, err
	}
	var at time.Time
	var err error
	if strings.HasSuffix(until, "Z") {
		at, err = time.Parse("20060102T150405Z", until)
	} else {
		at, err = time.ParseInLocation("20060102T150405", until, location(e.zone))
	}
	if err != nil {
		return "", err
	}
	at = at.In(location(e.zone))
	h, m, s := e.start.Clock()
	if starts := time.Date(at.Year(), at.Month(), at.Day(), h, m, s, 0, at.Location()); starts.After(at) {
		at = at.AddDate(0, 0, -1)
	}
	return at.Format("20060102"), nil
}

// exceptions take occurrences out, by EXDATE and where one was moved or cancelled; what was moved is written in its new place.
func (r *reader) exceptions(id string, s *series, e *event, moved []*event) {
	var out []time.Time
	for line, one := range e.values(ics.PropExceptionDates) {
		at, _, day, err := r.instant(&one)
		if err != nil {
			r.note(line, "EXDATE %s cannot be read: left out", one.Value)
			continue
		}
		if day {
			h, m, sec := e.start.Clock()
			at = time.Date(at.Year(), at.Month(), at.Day(), h, m, sec, 0, location(e.zone))
		}
		out = append(out, at.In(location(e.zone)))
	}
	var instead []*event
	for _, m := range moved {
		p := m.Props.Get(ics.PropRecurrenceID)
		at, _, day, err := r.instant(p)
		if err != nil || m.start.IsZero() {
			r.note(m.at(ics.PropRecurrenceID), "RECURRENCE-ID %s cannot be read: left out", p.Value)
			continue
		}
		if p.Params.Get("RANGE") != "" {
			r.note(m.at(ics.PropRecurrenceID), "RANGE=%s has no equal: only the one occurrence is taken", p.Params.Get("RANGE"))
		}
		if day {
			h, mi, sec := e.start.Clock()
			at = time.Date(at.Year(), at.Month(), at.Day(), h, mi, sec, 0, location(e.zone))
		}
		out = append(out, at.In(location(e.zone)))
		if !strings.EqualFold(m.text(ics.PropStatus), "CANCELLED") {
			instead = append(instead, m)
		}
	}
	for _, at := range out {
		for _, piece := range dates(at, e.after(at)) {
			s.exclusions = append(s.exclusions, v1alpha1.Exclusion{Schedule: piece})
		}
	}
	for _, m := range instead {
		start, end := m.start.In(location(e.zone)), m.end.In(location(e.zone))
		into := s
		if slices.ContainsFunc(out, func(at time.Time) bool { return at.Before(end) && start.Before(e.after(at)) }) {
			// an exclusion would take a part of it: exclusions win over schedules
			key := id + "\x00moved"
			if r.series[key] == nil {
				r.series[key] = &series{title: s.title, description: s.description, zone: s.zone, freeze: s.freeze, emergency: s.emergency, line: m.line}
				r.order = append(r.order, key)
			}
			into = r.series[key]
		}
		into.add(dates(start, end)...)
	}
}

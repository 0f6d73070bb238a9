package schedule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Reason says what kind of thing is wrong with a Spec.
type Reason string

// The reasons; each has a condition reason of the same name in the API.
const (
	InvalidTimeZone Reason = "InvalidTimeZone"
	InvalidSchedule Reason = "InvalidSchedule"
	NeverOccurs     Reason = "NeverOccurs"
	CutoffTooLong   Reason = "CutoffTooLong"
)

// maxErrorsPerList keeps the message short when a long list of dates is wrong throughout.
const maxErrorsPerList = 5

// Error is one thing wrong with a Spec.
type Error struct {
	// Path is the field, as the API names it: schedules[0].rrule.
	Path string
	// Value is what it holds; may be empty.
	Value string
	// Message says what is wrong and what to do, to be read after Path and Value.
	Message string
	Reason  Reason
}

func (e *Error) Error() string {
	if e.Value == "" {
		return e.Path + " " + e.Message
	}
	return fmt.Sprintf("%s %q %s", e.Path, e.Value, e.Message)
}

// Parse reads a Spec. The error joins one *Error for each thing wrong. Dates in the past are no error.
func Parse(spec Spec) (*Schedule, error) {
	p := &parser{}
	s := &Schedule{always: spec.Always}
	var err error
	if s.zone, err = loadZone(spec.TimeZone); err != nil {
		p.fail(InvalidTimeZone, "timeZone", spec.TimeZone, err.Error())
	}
	if strings.HasPrefix(spec.TimeZone, "Etc/GMT+") || strings.HasPrefix(spec.TimeZone, "Etc/GMT-") {
		p.note("timeZone: %s has its sign reversed: Etc/GMT+1 is one hour behind UTC", spec.TimeZone)
	}
	switch {
	case spec.Cutoff < 0:
		p.fail(InvalidSchedule, "cutoff", spec.Cutoff.String(), "must not be negative")
	case spec.Cutoff%time.Second != 0:
		p.fail(InvalidSchedule, "cutoff", spec.Cutoff.String(), "must be whole seconds")
	}
	s.cutoff = int64(spec.Cutoff / time.Second)
	switch {
	case spec.Always && (len(spec.Schedules) > 0 || len(spec.Exclusions) > 0 || spec.Cutoff != 0):
		p.fail(InvalidSchedule, "schedules", "", "must be empty, and exclusions and cutoff too, for what is always in force")
	case !spec.Always && len(spec.Schedules) == 0:
		p.fail(InvalidSchedule, "schedules", "", "must have at least one entry")
	}
	s.schedules = p.rules("schedules", spec.Schedules, s.zone)
	s.exclusions = p.rules("exclusions", spec.Exclusions, s.zone)
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	s.notes = p.notes
	s.schedules, s.exclusions = combine(s.schedules), combine(s.exclusions)
	s.cell = s.chooseCell()
	if !s.always {
		if err := s.check(spec.Cutoff); err != nil {
			return nil, errors.Join(err)
		}
	}
	return s, nil
}

// parser gathers everything wrong, so that one reading tells all.
type parser struct {
	errs  []error
	notes []string
}

func (p *parser) fail(reason Reason, path, value, message string) {
	p.errs = append(p.errs, &Error{Path: path, Value: value, Message: message, Reason: reason})
}

func (p *parser) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// rules reads entries. Without a zone, which is an error already, whether they occur is tried in UTC.
func (p *parser) rules(path string, entries []Rule, zone *time.Location) []*rule {
	if zone == nil {
		zone = time.UTC
	}
	if len(entries) > maxRules {
		p.fail(InvalidSchedule, path, "", fmt.Sprintf("must have at most %d entries, has %d", maxRules, len(entries)))
		return nil
	}
	var out []*rule
	read := map[string]bool{} // what is written twice is read once
	for i, entry := range entries {
		before, text := len(p.errs), fmt.Sprintf("%#v", entry)
		if read[text] {
			continue
		}
		r := p.rule(fmt.Sprintf("%s[%d]", path, i), entry)
		if len(p.errs) > before {
			continue
		}
		p.checkOccurs(fmt.Sprintf("%s[%d]", path, i), entry, r, zone)
		read[text] = true
		out = append(out, r)
	}
	return out
}

func (p *parser) rule(path string, entry Rule) *rule {
	r := &rule{}
	forms := 0
	for _, set := range []bool{len(entry.Dates) > 0, entry.RRule != "", entry.Cron != ""} {
		if set {
			forms++
		}
	}
	if forms != 1 {
		p.fail(InvalidSchedule, path, "", "must have exactly one of dates, rrule and cron")
		return r
	}
	if entry.StartDate != "" && entry.RRule == "" {
		p.fail(InvalidSchedule, path+".startDate", entry.StartDate, "goes with rrule only")
	}
	switch {
	case entry.Cron != "":
		p.cron(path, entry, r)
	case entry.RRule != "":
		p.rrule(path, entry, r)
		p.clockTimes(path, entry, r)
	default:
		r.days = p.dates(path, entry.Dates)
		p.clockTimes(path, entry, r)
	}
	return r
}

func (p *parser) cron(path string, entry Rule, r *rule) {
	if entry.StartTime != "" || entry.EndTime != "" {
		p.fail(InvalidSchedule, path, "", "must not have startTime or endTime beside cron: give duration")
	}
	switch {
	case entry.Duration <= 0 || entry.Duration > MaxDuration:
		p.fail(InvalidSchedule, path+".duration", entry.Duration.String(), fmt.Sprintf("must be above zero and at most %v: cron says the start, duration how long, such as 11h", MaxDuration))
	case entry.Duration%time.Second != 0:
		p.fail(InvalidSchedule, path+".duration", entry.Duration.String(), "must be whole seconds")
	}
	days, clocks, err := parseCron(entry.Cron)
	if err != nil {
		p.fail(InvalidSchedule, path+".cron", entry.Cron, err.Error())
		return
	}
	if days.mday&star == 0 && days.weekday&star == 0 {
		p.note("%s.cron: day of month OR day of week, whichever matches; for the first Saturday write the rrule FREQ=MONTHLY;BYDAY=1SA", path)
	}
	r.days = days
	r.setElapsed(clocks, int64(entry.Duration/time.Second))
}

func (p *parser) rrule(path string, entry Rule, r *rule) {
	start := 0
	if entry.StartDate != "" {
		var err error
		if start, err = parseDate(entry.StartDate); err != nil {
			p.fail(InvalidSchedule, path+".startDate", entry.StartDate, err.Error())
		}
	}
	days, err := parseRRule(entry.RRule, entry.StartDate, start)
	if err != nil {
		p.fail(InvalidSchedule, path+".rrule", entry.RRule, err.Error())
		return
	}
	r.days = days
}

func (p *parser) dates(path string, texts []string) dates {
	out := make(dates, 0, len(texts))
	bad := 0
	for i, text := range texts {
		d, err := parseDate(text)
		if err == nil {
			out = append(out, d)
			continue
		}
		if bad++; bad <= maxErrorsPerList {
			p.fail(InvalidSchedule, fmt.Sprintf("%s.dates[%d]", path, i), text, err.Error())
		}
	}
	if bad > maxErrorsPerList {
		p.fail(InvalidSchedule, path+".dates", "", fmt.Sprintf("has %d more that are wrong", bad-maxErrorsPerList))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// clockTimes reads startTime and endTime, of dates and rrule.
func (p *parser) clockTimes(path string, entry Rule, r *rule) {
	if entry.Duration != 0 {
		p.fail(InvalidSchedule, path+".duration", entry.Duration.String(), "goes with cron only: give endTime")
	}
	start, err := parseClock(entry.StartTime)
	if err == nil && start == secondsPerDay {
		err = errors.New("must be before 24:00: write 00:00 of the next day")
	}
	if err != nil {
		p.fail(InvalidSchedule, path+".startTime", entry.StartTime, err.Error())
	}
	end, endErr := parseClock(entry.EndTime)
	if endErr != nil {
		p.fail(InvalidSchedule, path+".endTime", entry.EndTime, endErr.Error())
	}
	if err != nil || endErr != nil {
		return
	}
	switch {
	case start == end:
		p.note("%s: endTime equals startTime: each occurrence lasts until %s the next day", path, entry.EndTime)
	case end < start && end+secondsPerDay-start > secondsPerDay/2: // longer than a night: the two may have been exchanged
		p.note("%s: endTime is before startTime: each occurrence ends on the next day, after %s", path, brief(end+secondsPerDay-start))
	}
	if end <= start {
		end += secondsPerDay
	}
	r.setClock(start, end)
}

// brief writes seconds as a duration of whole units, such as 13h or 7h30m.
func brief(sec int64) string {
	text := (time.Duration(sec) * time.Second).String()
	if short, found := strings.CutSuffix(text, "m0s"); found {
		text = short + "m"
	}
	if short, found := strings.CutSuffix(text, "h0m"); found {
		text = short + "h"
	}
	return text
}

// parseDate reads YYYY-MM-DD.
func parseDate(text string) (int, error) {
	t, err := time.Parse(time.DateOnly, text)
	switch {
	case err != nil && strings.Contains(err.Error(), "out of range"):
		return 0, errors.New("is not a day of the calendar: write an existing day as YYYY-MM-DD")
	case err != nil || t.Year() < 1:
		return 0, errors.New("is not a date: write YYYY-MM-DD, such as 2026-06-19")
	}
	return int(floorDiv(t.Unix(), secondsPerDay)), nil
}

// parseClock reads HH:MM or HH:MM:SS, up to 24:00, into seconds after midnight.
func parseClock(text string) (int64, error) {
	wrong := errors.New("is not a time of day: write HH:MM or HH:MM:SS, from 00:00 to 24:00")
	if text == "" {
		return 0, errors.New("is required with dates and rrule: write HH:MM, such as 09:00")
	}
	if len(text) != len("15:04") && len(text) != len("15:04:05") {
		return 0, wrong
	}
	fields := [3]int64{}
	for i, part := range strings.Split(text, ":") {
		if len(part) != 2 || part[0] < '0' || part[0] > '9' || part[1] < '0' || part[1] > '9' {
			return 0, wrong
		}
		fields[i] = int64(part[0]-'0')*10 + int64(part[1]-'0')
	}
	sec := fields[0]*3600 + fields[1]*60 + fields[2]
	if fields[1] > 59 || fields[2] > 59 || sec > secondsPerDay {
		return 0, wrong
	}
	return sec, nil
}

package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// Bounds of the text of a recurrence rule.
const (
	maxRRuleLength = 1024 // bytes
	maxInterval    = 9999
)

// parseRRule reads a recurrence rule. startDate may be empty; start then is not used.
func parseRRule(text, startDate string, start int) (*recurrence, error) {
	text = strings.ToUpper(text)
	if err := checkRRuleText(text); err != nil {
		return nil, err
	}
	opt, err := rrule.StrToROption(text)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w; write a rule of RFC 5545 such as FREQ=MONTHLY;BYDAY=3SA", err)
	}
	if _, err := rrule.NewRRule(*opt); err != nil { // checks the bounds of the numbers
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if err := checkRRuleParts(opt); err != nil {
		return nil, err
	}
	r := newRecurrence(opt)
	if startDate != "" {
		r.start, r.anchored = start, true
	}
	if err := r.derive(); err != nil {
		return nil, err
	}
	if opt.Count > 0 {
		if !r.anchored {
			return nil, errors.New("has COUNT, which counts from a first day: give it as startDate")
		}
		r.endAfter(opt.Count)
	}
	return r, nil
}

// checkRRuleText refuses what the library would take in silence, or in a way of its own.
func checkRRuleText(text string) error {
	switch {
	case len(text) > maxRRuleLength:
		return fmt.Errorf("is longer than %d characters", maxRRuleLength)
	case strings.HasPrefix(text, "RRULE:"):
		return errors.New("starts with RRULE:, drop it: give the bare rule, such as FREQ=WEEKLY;BYDAY=SA")
	case strings.ContainsAny(text, " \t\r\n"):
		return errors.New("must be one rule without spaces and line breaks, such as FREQ=WEEKLY;BYDAY=SA; EXDATE is exclusions, RDATE is an entry with dates")
	}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(text, ";") {
		key, value, ok := strings.Cut(part, "=")
		switch {
		case !ok || value == "":
			return fmt.Errorf("has %q where NAME=VALUE is expected; write a rule such as FREQ=MONTHLY;BYDAY=3SA", part)
		case seen[key]:
			return fmt.Errorf("has %s twice: give it once, its values separated by commas", key)
		case key == "DTSTART":
			return errors.New("has DTSTART: give its date as startDate, its time as startTime")
		case key == "BYHOUR" || key == "BYMINUTE" || key == "BYSECOND":
			return fmt.Errorf("has %s: the rule speaks of days, give the time as startTime and endTime", key)
		case key == "BYEASTER":
			return errors.New("has BYEASTER, which RFC 5545 does not know: list the days as dates")
		case key == "FREQ" && (value == "HOURLY" || value == "MINUTELY" || value == "SECONDLY"):
			return fmt.Errorf("has FREQ=%s: the rule speaks of days, so FREQ is DAILY, WEEKLY, MONTHLY or YEARLY; cron can start several times a day", value)
		case key == "INTERVAL" || key == "COUNT":
			// The library reads 0 as absent.
			if strings.Trim(value, "0") == "" || strings.ContainsAny(value, "+-") {
				return fmt.Errorf("has %s: it must be 1 or more", part)
			}
		case key == "UNTIL":
			if _, err := time.Parse(rrule.DateFormat, value); err != nil {
				return fmt.Errorf("has %s: it must be a day, as UNTIL=20261231, which is the last possible one", part)
			}
		}
		seen[key] = true
	}
	if seen["COUNT"] && seen["UNTIL"] {
		return errors.New("has both COUNT and UNTIL: give one of them")
	}
	return nil
}

// checkRRuleParts refuses the combinations that RFC 5545 forbids or leaves open.
func checkRRuleParts(opt *rrule.ROption) error {
	numbered, most := false, 5
	if opt.Freq == rrule.YEARLY && len(opt.Bymonth) == 0 {
		most = 53
	}
	for _, wd := range opt.Byweekday {
		numbered = numbered || wd.N() != 0
		if wd.N() > most || wd.N() < -most {
			return fmt.Errorf("has BYDAY=%v: there are at most %d", wd, most)
		}
	}
	byDay := len(opt.Byweekday) + len(opt.Bymonthday) + len(opt.Byyearday) + len(opt.Byweekno) + len(opt.Bymonth)
	switch {
	case opt.Interval > maxInterval:
		return fmt.Errorf("has an INTERVAL above %d", maxInterval)
	case len(opt.Byweekno) > 0 && opt.Freq != rrule.YEARLY:
		return errors.New("has BYWEEKNO, which goes with FREQ=YEARLY only")
	case len(opt.Byweekno) > 0 && len(opt.Byweekday) == 0:
		return errors.New("has BYWEEKNO without BYDAY: name the days of the week, such as BYWEEKNO=20;BYDAY=SA")
	case len(opt.Byyearday) > 0 && opt.Freq != rrule.YEARLY:
		return errors.New("has BYYEARDAY, which goes with FREQ=YEARLY only")
	case len(opt.Bymonthday) > 0 && opt.Freq == rrule.WEEKLY:
		return errors.New("has BYMONTHDAY, which does not go with FREQ=WEEKLY: use FREQ=MONTHLY")
	case numbered && opt.Freq != rrule.MONTHLY && opt.Freq != rrule.YEARLY:
		return errors.New("has a numbered BYDAY such as 3SA, which goes with FREQ=MONTHLY and FREQ=YEARLY only")
	case numbered && len(opt.Byweekno) > 0:
		return errors.New("has BYWEEKNO and a numbered BYDAY: the week is named already, write BYDAY=SA")
	case len(opt.Bysetpos) > 0 && byDay == 0:
		return errors.New("has BYSETPOS, which chooses among the days of another BY part: give one, such as BYDAY=SA")
	}
	return nil
}

func newRecurrence(opt *rrule.ROption) *recurrence {
	r := &recurrence{
		freq:     opt.Freq,
		interval: max(opt.Interval, 1),
		wkst:     weekdayFrom(opt.Wkst),
		start:    firstDay,
		last:     lastDay,
		setpos:   opt.Bysetpos,
	}
	if !opt.Until.IsZero() {
		r.last = int(floorDiv(opt.Until.Unix(), secondsPerDay))
	}
	for _, m := range opt.Bymonth {
		r.months |= 1 << m
	}
	for _, d := range opt.Bymonthday {
		side, n := sideOf(d)
		r.mdays[side] |= 1 << n
	}
	for _, w := range opt.Byweekno {
		side, n := sideOf(w)
		r.weeks[side] |= 1 << n
	}
	if len(opt.Byyearday) > 0 {
		r.ydays = new([2][367]bool)
	}
	for _, d := range opt.Byyearday {
		side, n := sideOf(d)
		r.ydays[side][n] = true
	}
	for _, wd := range opt.Byweekday {
		if wd.N() == 0 {
			r.weekdays |= 1 << weekdayFrom(wd)
		} else {
			r.nth = append(r.nth, nthWeekday{weekdayFrom(wd), wd.N()})
		}
	}
	return r
}

// derive takes what the rule leaves out from the start date, and refuses a rule that needs one and has none.
func (r *recurrence) derive() error {
	named := r.mdays != [2]uint32{} || r.ydays != nil || r.weekdays != 0 || len(r.nth) > 0
	if !r.anchored {
		if r.interval > 1 {
			return errors.New("has INTERVAL, which counts from a first day: give it as startDate")
		}
		if !named && r.freq != rrule.DAILY {
			return errors.New("does not say on which day: give startDate, or a part such as BYDAY=SA")
		}
		return nil
	}
	if named || r.freq == rrule.DAILY {
		return nil
	}
	first := civilOf(r.start)
	switch r.freq {
	case rrule.YEARLY:
		if r.months == 0 {
			r.months = 1 << first.month
		}
		r.mdays[0] = 1 << first.day
	case rrule.MONTHLY:
		r.mdays[0] = 1 << first.day
	case rrule.WEEKLY:
		r.weekdays = 1 << first.weekday
	}
	return nil
}

// sideOf tells from which end a number counts: 0 is the beginning, 1 the end.
func sideOf(n int) (side, distance int) {
	if n < 0 {
		return 1, -n
	}
	return 0, n
}

// weekdayFrom converts from the library's numbers, where Monday is 0.
func weekdayFrom(wd rrule.Weekday) time.Weekday { return time.Weekday((wd.Day() + 1) % 7) }

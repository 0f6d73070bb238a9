package schedule

import (
	"slices"
	"time"

	"github.com/teambition/rrule-go"
)

// recurrence is the set of days of a recurrence rule (RFC 5545, section 3.3.10). rrule-go parses the rule. It is not
// used to expand it: it starts at DTSTART for every question, walks to the year 9999 on a rule that never matches, and
// panics on some rules (FREQ=MONTHLY;BYDAY=53MO). Here each day is tested by itself, so that any stretch of time costs
// the same.
type recurrence struct {
	freq     rrule.Frequency
	interval int
	wkst     time.Weekday
	start    int // the first day possible; firstDay when there is no start date
	last     int // the last day possible, inclusive
	anchored bool

	// The BY parts, as bits; all zero means the part is absent.
	months   uint16    // bit 1 is January
	mdays    [2]uint32 // bit 1 is the first day; [1] counts from the end
	ydays    *[2][367]bool
	weeks    [2]uint64 // bit 1 is week 1; [1] counts from the end
	weekdays uint8     // bit 0 is Sunday: each such weekday
	nth      []nthWeekday
	setpos   []int
}

// nthWeekday is the n-th such weekday of the month or year; from the end where n is negative.
type nthWeekday struct {
	weekday time.Weekday
	n       int
}

func (r *recurrence) origin() int {
	switch {
	case r.anchored:
		return r.start
	case r.last < lastDay:
		return max(firstDay, r.last-daysPerCycle)
	}
	return cycleStart
}

func (r *recurrence) next(from, limit int) (int, bool) {
	from, limit = max(from, r.start), min(limit, r.last+1)
	base := r.period(r.start, civilOf(r.start))
	for d := from; d < limit; {
		date := civilOf(d)
		period := r.period(d, date)
		if phase := floorMod(period-base, r.interval); phase != 0 {
			d = r.periodStart(period + r.interval - phase)
			continue
		}
		if r.months != 0 && r.months&(1<<date.month) == 0 {
			d = dayOf(date.year, date.month+1, 1)
			continue
		}
		if len(r.setpos) == 0 {
			if r.matches(d, date) {
				return d, true
			}
			d++
			continue
		}
		end := r.periodStart(period + 1)
		if picked, ok := r.pick(r.periodStart(period), end, d); ok {
			return picked, picked < limit
		}
		d = end
	}
	return 0, false
}

// period numbers the interval of FREQ in which a day lies.
func (r *recurrence) period(d int, date civil) int {
	switch r.freq {
	case rrule.YEARLY:
		return date.year
	case rrule.MONTHLY:
		return date.year*12 + int(date.month) - 1
	case rrule.WEEKLY:
		return floorDiv(r.weekStart(d), 7)
	default:
		return d
	}
}

func (r *recurrence) periodStart(period int) int {
	switch r.freq {
	case rrule.YEARLY:
		return dayOf(period, time.January, 1)
	case rrule.MONTHLY:
		return dayOf(floorDiv(period, 12), time.Month(floorMod(period, 12)+1), 1)
	case rrule.WEEKLY:
		return period*7 + floorMod(int(r.wkst-time.Thursday), 7) // day 0 was a Thursday
	default:
		return period
	}
}

func (r *recurrence) weekStart(d int) int {
	return d - floorMod(int(weekdayOf(d)-r.wkst), 7)
}

// pick applies BYSETPOS to the days of one period, and returns the first that is not before from.
func (r *recurrence) pick(start, end, from int) (int, bool) {
	var buffer [366]int
	set := buffer[:0]
	for d := start; d < end; d++ {
		if r.matches(d, civilOf(d)) {
			set = append(set, d)
		}
	}
	found, ok := 0, false
	for _, pos := range r.setpos {
		i := pos - 1
		if pos < 0 {
			i = len(set) + pos
		}
		if i >= 0 && i < len(set) && set[i] >= from && (!ok || set[i] < found) {
			found, ok = set[i], true
		}
	}
	return found, ok
}

// matches tests a day against the BY parts; INTERVAL, BYSETPOS and the ends are not its matter.
func (r *recurrence) matches(d int, date civil) bool {
	if r.months != 0 && r.months&(1<<date.month) == 0 {
		return false
	}
	if r.mdays != [2]uint32{} {
		back := daysInMonth(date.year, date.month) - date.day + 1
		if r.mdays[0]&(1<<date.day) == 0 && r.mdays[1]&(1<<back) == 0 {
			return false
		}
	}
	if r.ydays != nil && !r.ydays[0][date.yearDay] && !r.ydays[1][daysInYear(date.year)-date.yearDay+1] {
		return false
	}
	if r.weeks != [2]uint64{} && !r.matchesWeek(d) {
		return false
	}
	return r.weekdays == 0 && len(r.nth) == 0 || r.weekdays&(1<<date.weekday) != 0 || r.matchesNth(date)
}

// matchesWeek numbers weeks as ISO 8601 does, from WKST: week 1 is the first with four days in the year. So the fourth
// day of a week tells its year.
func (r *recurrence) matchesWeek(d int) bool {
	middle := civilOf(r.weekStart(d) + 3)
	number := (middle.yearDay-1)/7 + 1
	// December 28 is always in the last week of its year.
	last := civilOf(r.weekStart(dayOf(middle.year, time.December, 28)) + 3)
	back := (last.yearDay-1)/7 + 1 - number + 1
	return r.weeks[0]&(1<<number) != 0 || r.weeks[1]&(1<<back) != 0
}

// matchesNth counts in the year for FREQ=YEARLY without BYMONTH, else in the month.
func (r *recurrence) matchesNth(date civil) bool {
	if len(r.nth) == 0 {
		return false
	}
	day, length := date.day, daysInMonth(date.year, date.month)
	if r.freq == rrule.YEARLY && r.months == 0 {
		day, length = date.yearDay, daysInYear(date.year)
	}
	forward, back := (day-1)/7+1, -((length-day)/7 + 1)
	return slices.ContainsFunc(r.nth, func(n nthWeekday) bool {
		return n.weekday == date.weekday && (n.n == forward || n.n == back)
	})
}

// endAfter makes COUNT an end: the day of the count-th occurrence.
func (r *recurrence) endAfter(count int) {
	limit := min(r.last, r.start+daysPerCycle) + 1
	for d, ok := r.next(r.start, limit); ok; d, ok = r.next(d+1, limit) {
		if count--; count == 0 {
			r.last = d
			return
		}
	}
}

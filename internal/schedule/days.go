package schedule

import (
	"slices"
	"time"
)

// A day is counted from 1970-01-01, without any zone.
var (
	firstDay = dayOf(1, time.January, 1)
	lastDay  = dayOf(9999, time.December, 31)
	// cycleStart is where the search begins for rules that have always been there; the Gregorian calendar repeats after
	// 400 years, weekdays included, so a rule that has no day in daysPerCycle never has one.
	cycleStart = dayOf(2000, time.January, 1)

	firstSecond = int64(firstDay) * secondsPerDay
	lastSecond  = int64(lastDay) * secondsPerDay
)

const daysPerCycle = 400*365 + 97

// days is the part of a rule that knows on which days occurrences start.
type days interface {
	// next returns the first such day of [from, limit), or false.
	next(from, limit int) (int, bool)
	// origin is a day from which on a day is found within daysPerCycle, if there is any.
	origin() int
}

// civil is a day as people write it.
type civil struct {
	year    int
	month   time.Month
	day     int
	yearDay int // from 1
	weekday time.Weekday
}

func civilOf(day int) civil {
	t := time.Unix(int64(day)*secondsPerDay, 0).UTC()
	c := civil{yearDay: t.YearDay(), weekday: weekdayOf(day)}
	c.year, c.month, c.day = t.Date()
	return c
}

// dayOf takes months and days beyond their range, as time.Date does.
func dayOf(year int, month time.Month, day int) int {
	return int(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / secondsPerDay)
}

func weekdayOf(day int) time.Weekday {
	return time.Weekday(floorMod(day+int(time.Thursday), 7)) // 1970-01-01 was a Thursday
}

func daysInMonth(year int, month time.Month) int {
	return dayOf(year, month+1, 1) - dayOf(year, month, 1)
}

func daysInYear(year int) int {
	return dayOf(year+1, time.January, 1) - dayOf(year, time.January, 1)
}

func floorDiv[T int | int64](a, b T) T {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int) int { return a - floorDiv(a, b)*b }

// dates is a list of days, ordered.
type dates []int

func (d dates) next(from, limit int) (int, bool) {
	i, _ := slices.BinarySearch(d, from)
	if i == len(d) || d[i] >= limit {
		return 0, false
	}
	return d[i], true
}

func (d dates) origin() int { return d[0] }

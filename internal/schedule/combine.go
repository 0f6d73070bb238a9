package schedule

import (
	"math"
	"slices"
)

// zoneSlack is more than clocks have ever been put back at once: a day, when the date line moved over Alaska.
const zoneSlack = 25 * 60 * 60

// combine returns fewer rules that are open at the same instants: those of the same days and duration are one, those that another one
// covers are left out, and where one is open all the time it is the only one. Only rules with a duration are combined: of those with
// two clock times, neither is sure to come first on a day on which clocks go forward.
func combine(rules []*rule) []*rule {
	var out []*rule
	for _, r := range rules {
		i := slices.IndexFunc(out, func(o *rule) bool { return r.elapsed > 0 && o.elapsed == r.elapsed && sameDays(o.days, r.days) })
		if i < 0 {
			out = append(out, r)
			continue
		}
		both := &rule{days: r.days}
		both.setElapsed(slices.Compact(slices.Sorted(slices.Values(slices.Concat(out[i].starts, r.starts)))), r.elapsed)
		out[i] = both
	}
	for _, r := range out {
		if r.throughout = r.isThroughout(); r.throughout {
			return []*rule{r}
		}
	}
	kept := out[:0:0]
	for i, r := range out {
		if !slices.ContainsFunc(out, func(o *rule) bool { return o != r && o.covers(r) && (!r.covers(o) || slices.Index(out, o) < i) }) {
			kept = append(kept, r)
		}
	}
	return kept
}

// sameDays says whether two rules are known to have the same days.
func sameDays(a, b days) bool {
	c, isCron := a.(cronDays)
	d, both := b.(cronDays)
	return isCron && both && c == d
}

// covers says whether r is known to be open wherever other is.
func (r *rule) covers(other *rule) bool {
	if r.elapsed == 0 || other.elapsed == 0 || r.elapsed < other.elapsed {
		return false
	}
	c, isCron := r.days.(cronDays)
	if !sameDays(r.days, other.days) && (!isCron || !c.everyDay()) {
		return false
	}
	return !slices.ContainsFunc(other.starts, func(start int64) bool { _, found := slices.BinarySearch(r.starts, start); return !found })
}

// everyDay says whether it has every day.
func (c cronDays) everyDay() bool {
	const months, mdays, weekdays = 1<<13 - 1<<1, 1<<32 - 1<<1, 1<<7 - 1
	if c.month&months != months {
		return false
	}
	allDays, allWeekdays := c.mday&mdays == mdays, c.weekday&weekdays == weekdays
	return allDays && allWeekdays || c.mday&star == 0 && c.weekday&star == 0 && (allDays || allWeekdays)
}

// isThroughout says whether the rule is known to start again before what it has started ends, whatever the clocks do. It gives up at the
// first longer gap.
func (r *rule) isThroughout() bool {
	c, isCron := r.days.(cronDays)
	if r.elapsed <= zoneSlack || !isCron {
		return false
	}
	for i, start := range r.starts[1:] {
		if start-r.starts[i]+zoneSlack > r.elapsed {
			return false
		}
	}
	overnight := r.starts[len(r.starts)-1] - r.starts[0] // what the gap from day to day is shorter by
	longest := int((r.elapsed - zoneSlack + overnight) / secondsPerDay)
	if longest < 1 {
		return false
	}
	if c.everyDay() {
		return true
	}
	last, ok := c.next(cycleStart, math.MaxInt)
	for end := cycleStart + daysPerCycle; ok && last < end; {
		next, found := c.next(last+1, last+longest+1)
		if !found {
			return false
		}
		last = next
	}
	return ok
}

package schedule

import (
	"cmp"
	"math"
	"slices"
)

// A span is an open stretch [from, to), in Unix seconds.
type span struct{ from, to int64 }

// The sides of a span that are beyond ContinuousYears.
const (
	unknownStart = math.MinInt64
	unknownEnd   = math.MaxInt64
)

// rule is one entry: days, clock times of the starts, and either a clock time of the end or an elapsed time.
type rule struct {
	days   days
	starts []int64 // seconds after midnight, in order
	end    int64   // seconds after midnight of the day of the start, up to two days; with elapsed zero
	// elapsed is in seconds. runs are the starts with it as they are on a day without a change of offset: those that
	// touch are one, so that "* * * * *" is one run a day and not 1,440.
	elapsed int64
	runs    []span
	reach   int64 // no occurrence ends later than this after its day's midnight, on the wall clock
	// throughout means that it is open without a gap, but for the first and the last years there are.
	throughout bool
}

func (r *rule) setClock(start, end int64) {
	r.starts, r.end, r.reach = []int64{start}, end, end
	r.runs = []span{{start, end}}
}

func (r *rule) setElapsed(starts []int64, elapsed int64) {
	r.starts, r.elapsed, r.reach = starts, elapsed, secondsPerDay+elapsed
	for _, start := range starts {
		r.runs = append(r.runs, span{start, start + elapsed})
	}
	r.runs = merge(r.runs)
}

// appendDay appends the occurrences that start on a day. One whose end is not after its start is none: clocks have gone
// forward over it.
func (r *rule) appendDay(spans []span, day int, c *clock) []span {
	midnight := int64(day) * secondsPerDay
	if r.elapsed == 0 {
		start, end := c.resolve(midnight+r.starts[0]), c.resolve(midnight+r.end)
		if end > start {
			spans = append(spans, span{start, end})
		}
		return spans
	}
	for _, start := range r.starts {
		at := c.resolve(midnight + start)
		spans = append(spans, span{at, at + r.elapsed})
	}
	return spans
}

// union is where any of the rules is open within [from, to), clipped to it. The second result is how much work that was,
// in days and spans.
//
// Most days are plain: no change of offset is near. On those, what starts depends only on which rules have the day, so
// it is merged once for each such set of rules, and then shifted to the day.
func (s *Schedule) union(rules []*rule, from, to int64) ([]span, int) {
	if len(rules) == 1 && rules[0].throughout && from > firstSecond+2*secondsPerYear && to < lastSecond-2*secondsPerYear {
		return []span{{from, to}}, 1
	}
	limit := int(floorDiv(to+secondsPerDay, secondsPerDay)) + 1
	var due [maxRules]int // the next day of each rule
	for i, r := range rules {
		// An instant is less than a day from the wall-clock time it is written as.
		due[i] = dayOrEnd(r.days.next(int(floorDiv(from-r.reach-secondsPerDay, secondsPerDay)), limit))
	}
	var spans []span
	work := 0
	c := newClock(s.zone)
	plainDays := map[uint64][]span{}
	for {
		day := slices.Min(due[:len(rules)])
		if day >= limit {
			break
		}
		midnight := int64(day) * secondsPerDay
		offset, plain := c.plain(midnight, midnight+2*secondsPerDay)
		var set uint64
		for i, r := range rules {
			if due[i] != day {
				continue
			}
			set |= 1 << i
			if !plain {
				spans = r.appendDay(spans, day, c)
				work += len(r.starts)
			}
			due[i] = dayOrEnd(r.days.next(day+1, limit))
		}
		if plain {
			runs, ok := plainDays[set]
			if !ok {
				runs = runsOf(rules, set)
				plainDays[set] = runs
			}
			for _, run := range runs {
				spans = append(spans, span{midnight + run.from - offset, midnight + run.to - offset})
			}
		}
		work++
	}
	work += len(spans)
	spans = slices.DeleteFunc(spans, func(sp span) bool { return sp.to <= from || sp.from >= to })
	for i, sp := range spans {
		spans[i] = span{max(sp.from, from), min(sp.to, to)}
	}
	return merge(spans), work
}

func dayOrEnd(day int, ok bool) int {
	if !ok {
		return math.MaxInt
	}
	return day
}

// runsOf merges the runs of a set of rules.
func runsOf(rules []*rule, set uint64) []span {
	var runs []span
	for i, r := range rules {
		if set&(1<<i) != 0 {
			runs = append(runs, r.runs...)
		}
	}
	return merge(runs)
}

// coverage is where the schedule is open within [from, to), clipped to it, and how much work that was. It is exact
// whatever lies outside.
func (s *Schedule) coverage(from, to int64) ([]span, int) {
	open, work := s.union(s.schedules, from, to)
	if len(s.cut) > 0 {
		open = subtract(open, s.cut)
	}
	if len(open) == 0 || len(s.exclusions) == 0 {
		return open, work
	}
	shut, more := s.union(s.exclusions, from, to)
	return subtract(open, shut), work + more
}

// merge orders spans and joins those that overlap or touch, in place.
func merge(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	out := spans[:0]
	for _, sp := range spans {
		if n := len(out); n > 0 && sp.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, sp.to)
			continue
		}
		out = append(out, sp)
	}
	return out
}

// subtract takes the merged spans of shut out of the merged spans of open.
func subtract(open, shut []span) []span {
	var out []span
	for _, sp := range open {
		for len(shut) > 0 && shut[0].to <= sp.from {
			shut = shut[1:]
		}
		for _, x := range shut {
			if x.from >= sp.to {
				break
			}
			if x.from > sp.from {
				out = append(out, span{sp.from, x.from})
			}
			sp.from = x.to
		}
		if sp.from < sp.to {
			out = append(out, sp)
		}
	}
	return out
}

// chooseCell makes cells the shorter the more starts there are in a day.
func (s *Schedule) chooseCell() int64 {
	perDay := int64(0)
	for _, r := range slices.Concat(s.schedules, s.exclusions) {
		perDay += int64(len(r.runs))
	}
	cell := int64(longestCell)
	for cell > shortestCell && perDay*cell > spansPerCell*secondsPerDay {
		cell /= 2
	}
	return cell
}

// startOf follows an opening back from x, at which it is open or about to be, to its start.
func (s *Schedule) startOf(x int64) int64 {
	limit := max(x-ContinuousYears*secondsPerYear, firstSecond-secondsPerYear)
	budget := maxFollowWork
	for size := s.cell; x > limit && budget > 0; size = min(2*size, secondsPerYear) {
		from := x - size
		spans, work := s.coverage(from, x)
		budget -= work
		if len(spans) == 0 {
			return x
		}
		last := spans[len(spans)-1]
		if last.to < x {
			return x
		}
		x = last.from
		if x > from {
			return x
		}
	}
	return unknownStart
}

// endOf follows an opening from x, just before which it is open, to its end.
func (s *Schedule) endOf(x int64) int64 {
	limit := x + ContinuousYears*secondsPerYear
	budget := maxFollowWork
	for size := s.cell; x < limit && budget > 0; size = min(2*size, secondsPerYear) {
		to := x + size
		spans, work := s.coverage(x, to)
		budget -= work
		if len(spans) == 0 || spans[0].from > x {
			return x
		}
		x = spans[0].to
		if x < to {
			return x
		}
	}
	return unknownEnd
}

// nextFrom is the first opening at or after x, clipped to begin at x. It takes what it looks through from budget.
func (s *Schedule) nextFrom(x int64, budget *int) (span, bool) {
	limit := x + SearchYears*secondsPerYear
	for size := s.cell; x < limit && *budget > 0; size = min(2*size, secondsPerYear) {
		day, ok := s.nextStartDay(x, limit)
		if !ok {
			return span{}, false
		}
		x = max(x, int64(day-1)*secondsPerDay)
		to := x + size
		open, work := s.coverage(x, to)
		*budget -= work
		if len(open) > 0 {
			sp := open[0]
			if sp.to == to {
				sp.to = s.endOf(to)
			}
			return sp, true
		}
		x = to
	}
	return span{}, false
}

// nextStartDay is the first day with an occurrence that may be open at or after x.
func (s *Schedule) nextStartDay(x, limit int64) (int, bool) {
	found, ok := 0, false
	for _, r := range s.schedules {
		from := int(floorDiv(x-r.reach-secondsPerDay, secondsPerDay))
		to := int(floorDiv(limit+secondsPerDay, secondsPerDay)) + 1
		if ok {
			to = min(to, found)
		}
		if d, has := r.days.next(from, to); has {
			found, ok = d, true
		}
	}
	return found, ok
}

// spans are the whole openings that overlap [from, to), as far as the budget goes: it takes what it looks through from it, and tells
// whether they are all.
func (s *Schedule) spans(from, to int64, budget *int) (out []span, all bool) {
	x := from
	for size := s.cell; x < to && *budget > 0; size = min(2*size, secondsPerYear) {
		next := min(x+size, to)
		open, work := s.coverage(x, next)
		*budget -= work
		out = append(out, open...)
		x = next
	}
	out = merge(out)
	if len(out) == 0 {
		return nil, x == to
	}
	if out[0].from == from {
		out[0].from = s.startOf(from)
	}
	if last := &out[len(out)-1]; last.to == x {
		last.to = s.endOf(x)
	}
	return out, x == to
}

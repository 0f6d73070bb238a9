package schedule

import (
	"sort"
	"time"
)

// A stretch is a time [from, until), in Unix seconds, throughout which the state is the same.
type stretch struct {
	from, until int64
	state       State
}

// A chunk is one cell worked out: stretches in order and without gaps over [from, until).
type chunk struct {
	from, until int64
	stretches   []stretch
}

var (
	alwaysOpen = stretch{state: State{Open: true, Accepting: true}}
	beyond     stretch // outside the years 1 to 9999: closed
)

// at finds the stretch in which t lies.
func (s *Schedule) at(t time.Time) *stretch {
	sec := t.Unix()
	if r := s.recent.Load(); r != nil && r.from <= sec && sec < r.until {
		return r
	}
	return s.lookUp(sec)
}

func (s *Schedule) lookUp(sec int64) *stretch {
	if s.always {
		return &alwaysOpen
	}
	if sec < firstSecond || sec >= lastSecond {
		return &beyond
	}
	c := s.current.Load()
	if c == nil || sec < c.from || sec >= c.until {
		c = s.workOut(floorDiv(sec, s.cell) * s.cell)
		s.current.Store(c)
	}
	i := sort.Search(len(c.stretches), func(i int) bool { return c.stretches[i].until > sec })
	s.recent.Store(&c.stretches[i])
	return &c.stretches[i]
}

// workOut computes the cell that begins at from. It depends on nothing but the rules and from.
func (s *Schedule) workOut(from int64) *chunk {
	until := from + s.cell
	open, _ := s.coverage(from, until)
	after := until
	if n := len(open); n > 0 {
		if open[0].from == from {
			open[0].from = s.startOf(from)
		}
		if open[n-1].to == until {
			open[n-1].to = s.endOf(until)
			after = open[n-1].to
		}
	}
	var next Occurrence
	if after != unknownEnd {
		budget := maxSearchWork
		if sp, ok := s.nextFrom(after, &budget); ok {
			next = s.occurrence(sp)
		}
	}
	c := &chunk{from: from, until: until, stretches: make([]stretch, 0, 3*len(open)+1)}
	closed := from // where the closed stretch before the next opening begins
	for i, sp := range open {
		current, following := s.occurrence(sp), next
		if i+1 < len(open) {
			following = s.occurrence(open[i+1])
		}
		c.add(closed, sp.from, State{Next: current, Until: current.Start})
		shut := sp.to // where nothing new may begin
		if sp.to != unknownEnd {
			shut = max(sp.to-s.cutoff, sp.from)
		}
		c.add(sp.from, shut, State{Open: true, Accepting: true, Current: current, Next: following, Until: s.instant(shut)})
		c.add(shut, sp.to, State{Open: true, Current: current, Next: following, Until: current.End})
		closed = sp.to
	}
	c.add(closed, until, State{Next: next, Until: next.Start})
	return c
}

// add appends a stretch, clipped to the cell.
func (c *chunk) add(from, until int64, state State) {
	from, until = max(from, c.from), min(until, c.until)
	if from < until {
		c.stretches = append(c.stretches, stretch{from, until, state})
	}
}

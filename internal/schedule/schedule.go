// Package schedule works out when a window is open.
//
// It is pure: it reads no clock and knows nothing of Kubernetes. Recurrence is worked out on the wall clock, on days
// without any zone; resolve (zone.go) alone turns a wall-clock time into an instant. Every answer comes with the instant
// at which it changes. The rules of time, with examples, are in docs/time.md.
package schedule

import (
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// Bounds of what is looked at. A cell is the stretch of time that is worked out at once, see Schedule.cell.
const (
	// MaxDuration is the longest Duration of a cron rule: 31 days.
	MaxDuration = 744 * time.Hour
	// ContinuousYears is how far the beginning and the end of an occurrence are followed, in years of 365 days before
	// and after the cell asked about. Beyond, they are not known: the zero time.
	ContinuousYears = 10
	// SearchYears is how far the next occurrence is searched, in years of 365 days after the cell asked about.
	SearchYears = 100
	// maxSearchWork is how many days, openings and exclusions one search looks through. It ends a search before
	// SearchYears only where thousands of openings a year are all excluded.
	maxSearchWork = 500_000
	// maxFollowWork is how many days and openings the beginning or the end of one occurrence is followed over. It ends that before
	// ContinuousYears only where dozens of rules begin thousands of openings a day, which never leave a gap.
	maxFollowWork = 200_000
	// maxRules is the most entries of Schedules, and of Exclusions.
	maxRules = 64

	secondsPerDay  = 24 * 60 * 60
	secondsPerYear = 365 * secondsPerDay
	longestCell    = 32 * secondsPerDay
	shortestCell   = 3600
	// spansPerCell is what a cell should hold at most, so that it stays small and quick to work out.
	spansPerCell = 64
)

// Rule is one entry of schedules or exclusions, still text, as in the API object. Exactly one of Dates, RRule and Cron
// is set.
type Rule struct {
	// Dates are days of the calendar, as 2021-06-19.
	Dates []string
	// RRule is a recurrence rule after RFC 5545, section 3.3.10, over days: FREQ is DAILY, WEEKLY, MONTHLY or YEARLY.
	RRule string
	// StartDate is the date of RRule's DTSTART: no occurrence is before it, and COUNT and INTERVAL count from it. It may
	// be empty where nothing depends on it; the rule then has always been there.
	StartDate string
	// Cron has five fields: minute, hour, day of month, month, day of week.
	Cron string
	// StartTime is a wall-clock time, HH:MM or HH:MM:SS. It goes with Dates and RRule.
	StartTime string
	// EndTime is a wall-clock time, HH:MM, HH:MM:SS or 24:00; at or before StartTime it means the next day.
	EndTime string
	// Duration goes with Cron. It is elapsed time in whole seconds, up to MaxDuration.
	Duration time.Duration
}

// Spec is a whole schedule, still text.
type Spec struct {
	// TimeZone is an IANA name such as Europe/Stockholm.
	TimeZone string
	// Schedules say when it is open: the union of all of them.
	Schedules []Rule
	// Exclusions say when it is closed whatever Schedules say.
	Exclusions []Rule
	// Cutoff is how long before the end of an occurrence nothing new may begin, in whole seconds.
	Cutoff time.Duration
	// Always means open without beginning or end. It goes without Schedules, Exclusions and Cutoff.
	Always bool
}

// Schedule answers when a window is open. It is made by Parse, never changes, and may be used by several goroutines.
// Its answers do not depend on what was asked before.
type Schedule struct {
	zone       *time.Location
	schedules  []*rule
	exclusions []*rule
	cut        []span // what is closed besides: the rest of occurrences that ended early
	cutoff     int64  // seconds
	always     bool
	cell       int64 // seconds; cells are counted from the Unix epoch
	notes      []string

	// The two caches: the stretch last asked about, and the cell around it.
	recent  atomic.Pointer[stretch]
	current atomic.Pointer[chunk]
}

// Occurrence is one opening, half-open: [Start, End), whole seconds, in the schedule's zone. Where an opening goes on
// for longer than ContinuousYears, the side that is not known is the zero time.
type Occurrence struct{ Start, End time.Time }

// State is what holds at one instant.
type State struct {
	// Open means that the instant is in an occurrence.
	Open bool
	// Accepting means open, and before the cutoff.
	Accepting bool
	// Current is the occurrence, when open.
	Current Occurrence
	// Next is the first occurrence that starts after the instant; zero when none is known within SearchYears.
	Next Occurrence
	// Until is the instant at which Open or Accepting next changes; zero when none is known.
	Until time.Time
}

// Without returns the schedule with [from, until) closed besides: the rest of an occurrence that ended early. The zone, the
// notes and everything else stay.
func (s *Schedule) Without(from, until time.Time) *Schedule {
	if !from.Before(until) {
		return s
	}
	cut := append(slices.Clone(s.cut), span{from.Unix(), until.Unix()})
	return &Schedule{
		zone: s.zone, schedules: s.schedules, exclusions: s.exclusions, cut: merge(cut), cutoff: s.cutoff, always: s.always, cell: s.cell, notes: s.notes,
	}
}

// Location is the zone of the schedule.
func (s *Schedule) Location() *time.Location { return s.zone }

// IsAlways says that it is open without beginning or end: Spec.Always.
func (s *Schedule) IsAlways() bool { return s.always }

// Notes are remarks for people on what was read, which are no errors: what may be meant otherwise.
func (s *Schedule) Notes() []string { return slices.Clone(s.notes) }

// State tells what holds at t. In the steady case, when nothing has changed since the last question, it allocates
// nothing and takes a few nanoseconds: it is kept small enough to be inlined, so that the answer is copied once.
func (s *Schedule) State(t time.Time) State { return s.at(t).state }

// Accepts says whether anything may begin in an occurrence of the schedule: whether the cutoff leaves something of it.
func (s *Schedule) Accepts(o Occurrence) bool {
	return o.Start.IsZero() || o.End.IsZero() || o.End.Sub(o.Start) > time.Duration(s.cutoff)*time.Second
}

// NothingNewFrom is when the cutoff of an occurrence of the schedule begins, at its start where the cutoff leaves nothing of it; zero
// without a cutoff, and where no end is known.
func (s *Schedule) NothingNewFrom(o Occurrence) time.Time {
	if s.cutoff == 0 || o.End.IsZero() {
		return time.Time{}
	}
	from := o.End.Add(-time.Duration(s.cutoff) * time.Second)
	if from.Before(o.Start) {
		return o.Start
	}
	return from
}

// Next returns the first occurrence that starts after t, and false when none is known within SearchYears.
func (s *Schedule) Next(t time.Time) (Occurrence, bool) {
	next := s.State(t).Next
	return next, next != Occurrence{}
}

// NextAfter returns the first n occurrences that start after t, or as many as are known within SearchYears; none after one without end.
// The answers to what is asked of t stay at hand.
func (s *Schedule) NextAfter(t time.Time, n int) []Occurrence {
	var list []Occurrence
	budget := maxSearchWork
	for next, ok := s.Next(t); ok && len(list) < n; {
		list = append(list, next)
		if next.End.IsZero() || len(list) == n {
			break
		}
		var sp span
		if sp, ok = s.nextFrom(next.End.Unix(), &budget); ok {
			next = s.occurrence(sp)
		}
	}
	return list
}

// Between returns the occurrences that overlap [from, to), whole, not clipped, and in order.
func (s *Schedule) Between(from, to time.Time) []Occurrence {
	budget := math.MaxInt
	list, _ := s.Within(from, to, &budget)
	return list
}

// Budget is what one question may look through, in days and openings: some tens of milliseconds.
const Budget = maxSearchWork

// Within is Between as far as a budget goes, from which it takes what it looks through. It tells whether it lists all.
func (s *Schedule) Within(from, to time.Time, budget *int) (list []Occurrence, all bool) {
	if !from.Before(to) {
		return nil, true
	}
	if s.always {
		return []Occurrence{{}}, true
	}
	first, last := max(from.Unix(), firstSecond), to.Unix()
	if to.Nanosecond() > 0 {
		last++
	}
	last = min(last, lastSecond)
	spans, all := s.spans(first, last, budget)
	for _, sp := range spans {
		list = append(list, s.occurrence(sp))
	}
	return list, all || first >= last
}

// instant converts to the public form; unknown instants become the zero time.
func (s *Schedule) instant(sec int64) time.Time {
	if sec == unknownStart || sec == unknownEnd {
		return time.Time{}
	}
	return time.Unix(sec, 0).In(s.zone)
}

func (s *Schedule) occurrence(sp span) Occurrence {
	return Occurrence{Start: s.instant(sp.from), End: s.instant(sp.to)}
}

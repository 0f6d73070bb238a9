package schedule

import (
	"errors"
	"math"
	"regexp"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // a zone must be known also where the system has no zone data
)

var (
	zones    sync.Map // name -> *time.Location: a thousand windows of one zone share it
	zoneName = regexp.MustCompile(`^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`)

	errZone = errors.New("is not a time zone: give an IANA name such as Europe/Stockholm")
)

// loadZone finds a zone by its IANA name. What time.LoadLocation takes beyond that (the empty name, Local, and the names
// of some systems' own files) is refused, since it would mean something else elsewhere.
func loadZone(name string) (*time.Location, error) {
	switch {
	case name == "":
		return nil, errors.New("is required: give an IANA name such as Europe/Stockholm")
	case strings.EqualFold(name, "local"):
		return nil, errors.New("would be the zone of whichever machine reads it: give an IANA name such as Europe/Stockholm")
	case strings.HasPrefix(name, "+"), strings.HasPrefix(name, "-"), strings.HasPrefix(name, "UTC+"), strings.HasPrefix(name, "UTC-"):
		return nil, errors.New("is an offset, which knows no daylight saving: give an IANA name such as Europe/Stockholm")
	case name == "Factory", !zoneName.MatchString(name):
		return nil, errZone
	}
	if loc, ok := zones.Load(name); ok {
		return loc.(*time.Location), nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, errZone
	}
	zones.Store(name, loc)
	return loc, nil
}

// A segment is a stretch [from, to) of Unix seconds in which a zone keeps one offset (seconds east of UTC). A zone may
// keep the same offset beyond it.
type segment struct{ from, to, offset int64 }

// segmentAt finds the segment of an instant. ZoneBounds promises what is needed, but where a zone's future comes from its
// rule and not from its table (with the embedded data, that is all of the present) it gives the bounds of the year, and
// for leap years one that is a day early: on 31 December the end is before the instant. It also does not know where the
// table ends. So the bounds are checked, and pulled in where they are wrong.
func segmentAt(sec int64, loc *time.Location) segment {
	t := time.Unix(sec, 0).In(loc)
	_, offset := t.Zone()
	start, end := t.ZoneBounds()
	seg := segment{math.MinInt64, math.MaxInt64, int64(offset)}
	if !start.IsZero() {
		seg.from = start.Unix()
		if seg.from > sec || offsetAt(seg.from, loc) != seg.offset {
			seg.from = sec
		}
	}
	if !end.IsZero() {
		seg.to = end.Unix()
		if seg.to <= sec {
			seg.to = (floorDiv(sec, secondsPerDay) + 1) * secondsPerDay
		}
		if offsetAt(seg.to-1, loc) != seg.offset {
			seg.to = sec + 1
		}
	}
	return seg
}

func offsetAt(sec int64, loc *time.Location) int64 {
	_, offset := time.Unix(sec, 0).In(loc).Zone()
	return int64(offset)
}

// segmentsOver are the segments of [from, to], in order and without gaps; the outer ones go beyond.
func segmentsOver(from, to int64, loc *time.Location, into []segment) []segment {
	into = append(into[:0], segmentAt(from, loc))
	for last := into[0]; last.to <= to; into = append(into, last) {
		last = segmentAt(last.to, loc)
	}
	return into
}

// resolve turns a wall-clock time into an instant, both in seconds since 1970-01-01 00:00, there and in UTC. It alone
// decides about daylight saving, after RFC 5545, section 3.3.5: a time that exists twice is the first of the two; a time
// that does not exist is read with the offset before the gap. time.Date does not promise either. The segments must reach a day
// around wall: more than any zone has ever been from UTC (Manila was 15:56 behind, Metlakatla 15:13 ahead).
func resolve(wall int64, segs []segment) int64 {
	for _, seg := range segs {
		if at := wall - seg.offset; seg.from <= at && at < seg.to {
			return at
		}
	}
	for i, seg := range segs[1:] {
		if before := segs[i].offset; seg.from+before <= wall && wall < seg.from+seg.offset {
			return wall - before
		}
	}
	return wall - segs[0].offset // not reached: a time exists, or some change of offset leaves it out
}

// clock resolves wall-clock times of one zone, quickly where they lie near one another. It is for one goroutine.
type clock struct {
	loc      *time.Location
	from, to int64 // the instants that segs are known for
	segs     []segment
}

func newClock(loc *time.Location) *clock {
	return &clock{loc: loc, from: math.MaxInt64, to: math.MinInt64}
}

// seek loads the segments around the times [from, to] of the wall clock, with a day to spare, as resolve asks.
func (c *clock) seek(from, to int64) {
	from, to = from-secondsPerDay, to+secondsPerDay
	if c.from <= from && to <= c.to {
		return
	}
	c.from, c.to = from, to+60*secondsPerDay
	c.segs = segmentsOver(c.from, c.to, c.loc, c.segs)
}

func (c *clock) resolve(wall int64) int64 {
	c.seek(wall, wall)
	return resolve(wall, c.segs)
}

// plain reports whether no change of offset is within a day of any of the times [from, to] of the wall clock, and the
// offset that all of them then have.
func (c *clock) plain(from, to int64) (offset int64, ok bool) {
	c.seek(from, to)
	for _, seg := range c.segs {
		if seg.from <= from-secondsPerDay && to+secondsPerDay < seg.to {
			return seg.offset, true
		}
	}
	return 0, false
}

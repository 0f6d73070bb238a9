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

// maxOffset is more than any zone has ever been from UTC, in seconds (Manila was 15:56 behind, Metlakatla 15:13 ahead).
const maxOffset = 16 * 60 * 60

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

// resolve turns a wall-clock time into an instant, both in seconds since 1970-01-01 00:00, there and in UTC. It alone
// decides about daylight saving, after RFC 5545, section 3.3.5: a time that exists twice is the first of the two; a time
// that does not exist is read with the offset before the gap. time.Date does not promise either.
func resolve(wall int64, loc *time.Location) int64 {
	seg := segmentAt(wall-maxOffset, loc)
	inGap, instant := false, wall-seg.offset
	for {
		if at := wall - seg.offset; seg.from <= at && at < seg.to {
			return at
		}
		if seg.to > wall+maxOffset {
			return instant
		}
		next := segmentAt(seg.to, loc)
		if !inGap && seg.to+seg.offset <= wall && wall < seg.to+next.offset {
			inGap, instant = true, wall-seg.offset
		}
		seg = next
	}
}

// clock resolves many wall-clock times that lie near one another. It is for one goroutine.
type clock struct {
	loc *time.Location
	seg segment
}

func newClock(loc *time.Location) *clock {
	return &clock{loc: loc, seg: segment{math.MaxInt64, math.MinInt64, 0}}
}

// plain reports whether no change of offset is within a day of any time of [from, to] on the wall clock: then resolve
// can only subtract the offset, c.seg.offset.
func (c *clock) plain(from, to int64) bool {
	if from < c.seg.from || from >= c.seg.to {
		c.seg = segmentAt(from, c.loc)
	}
	return from-secondsPerDay >= c.seg.from && to+secondsPerDay < c.seg.to
}

func (c *clock) resolve(wall int64) int64 {
	if c.plain(wall, wall) {
		return wall - c.seg.offset
	}
	return resolve(wall, c.loc)
}

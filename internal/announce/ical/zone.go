package ical

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
)

// zone is a time zone over the time that events are in.
type zone struct {
	location *time.Location
	from, to time.Time
}

// zonesOf lists the zones of events other than UTC, in order of name.
func zonesOf(events []Event) []*zone {
	found := map[string]*zone{}
	for _, e := range events {
		for _, t := range []time.Time{e.Start, e.End} {
			if t.Location() == time.UTC {
				continue
			}
			z := found[t.Location().String()]
			if z == nil {
				z = &zone{location: t.Location(), from: t, to: t}
				found[t.Location().String()] = z
			}
			if t.Before(z.from) {
				z.from = t
			}
			if t.After(z.to) {
				z.to = t
			}
		}
	}
	var zones []*zone
	for _, z := range found {
		zones = append(zones, z)
	}
	slices.SortFunc(zones, func(a, b *zone) int { return strings.Compare(a.location.String(), b.location.String()) })
	return zones
}

// component is the VTIMEZONE (RFC 5545, section 3.6.5): each change of offset from the one before the first event to the one
// after the last, by its own date.
func (z *zone) component() *ics.VTimezone {
	timezone := ics.NewTimezone(z.location.String())
	first := z.from.AddDate(-1, 0, 0).In(z.location)
	_, offset := first.Zone()
	z.add(timezone, first, offset)
	before := first
	for day := first.Truncate(time.Hour); day.Before(z.to.AddDate(1, 0, 0)); day = day.Add(24 * time.Hour) {
		if !same(before, day) {
			change := z.change(before, day)
			z.add(timezone, change, offset)
			_, offset = change.Zone()
		}
		before = day
	}
	return timezone
}

// change finds, to the second, the first instant after from that no longer keeps its offset; one at or before to does not.
func (z *zone) change(from, to time.Time) time.Time {
	low, high := from.Unix(), to.Unix()
	for high-low > 1 {
		middle := low + (high-low)/2
		if same(from, time.Unix(middle, 0).In(z.location)) {
			low = middle
		} else {
			high = middle
		}
	}
	return time.Unix(high, 0).In(z.location)
}

// same tells whether two instants keep the same offset by the same name.
func same(a, b time.Time) bool {
	nameA, offsetA := a.Zone()
	nameB, offsetB := b.Zone()
	return nameA == nameB && offsetA == offsetB
}

// add adds the observance that begins at an instant, with the offset that was kept before it.
func (z *zone) add(timezone *ics.VTimezone, at time.Time, before int) {
	name, after := at.Zone()
	properties := ics.ComponentBase{}
	onset := at.UTC().Add(time.Duration(before) * time.Second) // on the wall clock that is about to change
	properties.AddProperty(ics.ComponentPropertyDtStart, onset.Format(localForm))
	properties.AddProperty(ics.ComponentProperty(ics.PropertyTzoffsetfrom), utcOffset(before))
	properties.AddProperty(ics.ComponentProperty(ics.PropertyTzoffsetto), utcOffset(after))
	properties.AddProperty(ics.ComponentProperty(ics.PropertyTzname), name)
	if at.IsDST() {
		timezone.Components = append(timezone.Components, &ics.Daylight{ComponentBase: properties})
		return
	}
	timezone.Components = append(timezone.Components, &ics.Standard{ComponentBase: properties})
}

// utcOffset writes seconds east of UTC as +0200.
func utcOffset(seconds int) string {
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	text := fmt.Sprintf("%c%02d%02d", sign, seconds/3600, seconds/60%60)
	if seconds%60 != 0 {
		text += fmt.Sprintf("%02d", seconds%60)
	}
	return text
}

// ambiguous tells whether the wall clock of its zone shows the time of t twice.
func ambiguous(t time.Time) bool {
	wall := func(t time.Time) int64 {
		_, offset := t.Zone()
		return t.Unix() + int64(offset)
	}
	_, here := t.Zone()
	for _, away := range []time.Duration{-3 * time.Hour, 3 * time.Hour} {
		_, there := t.Add(away).Zone()
		other := t.Add(time.Duration(here-there) * time.Second)
		if here != there && wall(other) == wall(t) {
			return true
		}
	}
	return false
}

func whole(d time.Duration) string { return strconv.FormatInt(int64(d), 10) }

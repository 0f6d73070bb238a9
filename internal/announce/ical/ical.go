// Package ical writes occurrences as an iCalendar (RFC 5545, RFC 7986), to subscribe to or to import.
package ical

import (
	"io"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"

	"fonster.dev/fonster/api/v1alpha1"
)

// Calendar is a calendar to write.
type Calendar struct {
	// Name and Description are shown by the programs that subscribe.
	Name, Description string
	// Refresh is how often they should look again, in whole minutes; 0: they decide.
	Refresh time.Duration
	// Changed is when anything in it last changed.
	Changed time.Time
	Events  []Event
}

// Event is one occurrence to announce.
type Event struct {
	// UID is the same for the same occurrence each time it is written; see UID.
	UID         string
	Title       string
	Description string
	// Start and End are written in their own zone.
	Start, End time.Time
	// Categories tell windows from freezes, and planned work from emergencies.
	Categories []string
	// Sequence rises when what is announced changes.
	Sequence int
	// Changed is when it last did: DTSTAMP and LAST-MODIFIED.
	Changed   time.Time
	Cancelled bool
	// Reminder is how long before the start to remind of it; 0: not.
	Reminder time.Duration
	// URL is where to read more; may be empty.
	URL string
}

// Size is how many bytes the event takes in a calendar, at most: a character that is escaped takes one more, each line of 75 a
// break, and the reminder has the title once more.
func (e *Event) Size() int {
	text := e.Title + e.Title + e.Description
	return 600 + len(e.UID) + len(e.URL)*79/70 + (len(text)+strings.Count(text, ",")+strings.Count(text, ";")+strings.Count(text, "\\")+strings.Count(text, "\n"))*79/70
}

// Of what the UID of an event is made: the kinds of things that occur.
const (
	Window   = "maintenance-window"
	Freeze   = "change-freeze"
	Override = "emergency-work"
)

// UID identifies an occurrence by its start, the name of what occurs, and the cluster, so that those of two clusters do not meet in one
// calendar; on the page and on the command line alike. The cluster may be empty, of files.
func UID(kind, cluster, name string, start time.Time) string {
	if cluster != "" {
		kind += "." + cluster
	}
	return start.UTC().Format(utcForm) + "-" + name + "@" + kind + "." + v1alpha1.GroupName
}

const (
	utcForm   = "20060102T150405Z"
	localForm = "20060102T150405"
)

// Write writes a calendar, with a VTIMEZONE for each zone that its events are in.
func Write(w io.Writer, c Calendar) error {
	calendar := ics.NewCalendar()
	calendar.SetProductId("-//Fonster//Maintenance windows//EN")
	calendar.SetMethod(ics.MethodPublish)
	calendar.SetName(plain(c.Name))
	calendar.SetXWRCalName(plain(c.Name))
	if c.Description != "" {
		calendar.SetDescription(plain(c.Description))
		calendar.SetXWRCalDesc(plain(c.Description))
	}
	if c.Refresh > 0 {
		calendar.SetRefreshInterval(duration(c.Refresh))
		calendar.SetXPublishedTTL(duration(c.Refresh))
	}
	if !c.Changed.IsZero() {
		calendar.SetLastModified(c.Changed)
	}
	for _, zone := range zonesOf(c.Events) {
		calendar.AddVTimezone(zone.component())
	}
	for _, e := range c.Events {
		add(calendar, e)
	}
	return calendar.SerializeTo(w, ics.WithNewLineWindows)
}

func add(calendar *ics.Calendar, e Event) {
	event := calendar.AddEvent(e.UID)
	event.SetDtStampTime(e.Changed)
	event.SetLastModifiedAt(e.Changed)
	event.SetSequence(e.Sequence)
	setTime(event, ics.ComponentPropertyDtStart, e.Start)
	setTime(event, ics.ComponentPropertyDtEnd, e.End)
	event.SetSummary(plain(e.Title))
	if e.Description != "" {
		event.SetDescription(plain(e.Description))
	}
	for _, c := range e.Categories {
		event.AddCategory(c)
	}
	if e.URL != "" {
		event.SetURL(e.URL)
	}
	event.SetTimeTransparency(ics.TransparencyTransparent) // nobody is busy because of it
	if e.Cancelled {
		event.SetStatus(ics.ObjectStatusCancelled)
		return
	}
	event.SetStatus(ics.ObjectStatusConfirmed)
	if e.Reminder > 0 {
		alarm := event.AddAlarm()
		alarm.SetAction(ics.ActionDisplay)
		alarm.SetTrigger("-" + duration(e.Reminder))
		alarm.SetDescription(plain(e.Title))
	}
}

// setTime writes a time on its zone's wall clock. Of two equal times, when clocks go back, only the first can be written so
// (RFC 5545, section 3.3.5), and not every program reads it so: both are written in UTC.
func setTime(event *ics.VEvent, property ics.ComponentProperty, t time.Time) {
	if t.Location() == time.UTC || ambiguous(t) {
		event.SetProperty(property, t.UTC().Format(utcForm))
		return
	}
	event.SetProperty(property, t.Format(localForm), ics.WithTZID(t.Location().String()))
}

// plain has line breaks in one form only.
func plain(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// duration writes whole minutes, as PT1H or P1D.
func duration(d time.Duration) string {
	if day := 24 * time.Hour; d%day == 0 {
		return "P" + whole(d/day) + "D"
	}
	if d%time.Hour == 0 {
		return "PT" + whole(d/time.Hour) + "H"
	}
	return "PT" + whole(d/time.Minute) + "M"
}

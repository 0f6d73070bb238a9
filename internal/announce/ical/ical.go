// Package ical writes occurrences as an iCalendar (RFC 5545), to subscribe to or to import.
package ical

import (
	"io"
	"time"

	ics "github.com/arran4/golang-ical"
)

// Event is one occurrence to announce.
type Event struct {
	// UID is the same for the same occurrence each time it is written.
	UID         string
	Title       string
	Description string
	Start, End  time.Time
	// Categories tell windows from freezes and emergencies.
	Categories []string
}

// Write writes a calendar. Times are written in UTC; now is its DTSTAMP.
func Write(w io.Writer, name string, now time.Time, events []Event) error {
	calendar := ics.NewCalendar()
	calendar.SetProductId("-//Fonster//Maintenance windows//EN")
	calendar.SetMethod(ics.MethodPublish)
	calendar.SetXWRCalName(name)
	for _, e := range events {
		event := calendar.AddEvent(e.UID)
		event.SetDtStampTime(now)
		event.SetStartAt(e.Start)
		event.SetEndAt(e.End)
		event.SetSummary(e.Title)
		if e.Description != "" {
			event.SetDescription(e.Description)
		}
		for _, c := range e.Categories {
			event.AddCategory(c)
		}
	}
	return calendar.SerializeTo(w)
}

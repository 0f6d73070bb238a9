package ical

import (
	"strings"
	"testing"
	"time"
)

func in(t *testing.T, zone, text string) time.Time {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.In(location)
}

// TestTimes: on the wall clock with its zone, but in UTC where that clock shows a time twice.
func TestTimes(t *testing.T) {
	for _, tc := range []struct{ zone, start, want string }{
		{"Europe/Stockholm", "2026-05-13T09:00:00+02:00", "DTSTART;TZID=Europe/Stockholm:20260513T090000"},
		{"Europe/Stockholm", "2026-03-29T03:30:00+02:00", "DTSTART;TZID=Europe/Stockholm:20260329T033000"},
		{"Europe/Stockholm", "2026-10-25T02:30:00+02:00", "DTSTART:20261025T003000Z"},
		{"Europe/Stockholm", "2026-10-25T02:30:00+01:00", "DTSTART:20261025T013000Z"},
		{"Europe/Stockholm", "2026-10-25T03:00:00+01:00", "DTSTART;TZID=Europe/Stockholm:20261025T030000"},
		{"Australia/Lord_Howe", "2026-04-05T01:45:00+11:00", "DTSTART:20260404T144500Z"},
		{"Australia/Lord_Howe", "2026-04-05T01:15:00+11:00", "DTSTART;TZID=Australia/Lord_Howe:20260405T011500"},
		{"UTC", "2026-05-13T09:00:00Z", "DTSTART:20260513T090000Z"},
	} {
		start := in(t, tc.zone, tc.start)
		var b strings.Builder
		if err := Write(&b, Calendar{Name: "n", Events: []Event{{UID: "u", Start: start, End: start.Add(time.Hour)}}}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "\r\n"+tc.want+"\r\n") {
			t.Errorf("%s in %s: no %s in\n%s", tc.start, tc.zone, tc.want, b.String())
		}
	}
}

func TestCalendarProperties(t *testing.T) {
	var b strings.Builder
	changed := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	err := Write(&b, Calendar{Name: "a, b; c\nd", Description: "e", Refresh: 90 * time.Minute, Changed: changed, Events: []Event{{
		UID: "u", Title: "x, y\r\nEND:VEVENT", Start: changed, End: changed.Add(time.Hour), Sequence: 4, Changed: changed, Reminder: 24 * time.Hour,
	}, {UID: "v", Start: changed, End: changed.Add(time.Hour), Cancelled: true, Reminder: time.Hour}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`NAME:a\, b\; c\nd`, "REFRESH-INTERVAL;VALUE=DURATION:PT90M", "LAST-MODIFIED:20260501T000000Z", `SUMMARY:x\, y\nEND:VEVENT`, "SEQUENCE:4",
		"TRIGGER:-P1D", "ACTION:DISPLAY", "STATUS:CANCELLED", "TRANSP:TRANSPARENT", "METHOD:PUBLISH",
	} {
		if !strings.Contains(b.String(), "\r\n"+want+"\r\n") {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
	if strings.Count(b.String(), "BEGIN:VALARM") != 1 {
		t.Errorf("a cancelled event reminds:\n%s", b.String())
	}
}

func TestUTCOffset(t *testing.T) {
	for seconds, want := range map[int]string{0: "+0000", 7200: "+0200", -12600: "-0330", 3600 + 13*60 + 20: "+011320"} {
		if got := utcOffset(seconds); got != want {
			t.Errorf("%d: %s, want %s", seconds, got, want)
		}
	}
}

package calendar

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/announce/ical"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/schedule"
)

var osthammar = &metav1.LabelSelector{MatchLabels: map[string]string{"kommun": "osthammar"}}

// occurrences lists those of a window from November 2026 on, as START/END of its own clock.
func occurrences(t *testing.T, mw *v1alpha1.MaintenanceWindow, from, to time.Time) (list []string) {
	t.Helper()
	window, problems := compile.Window(mw)
	if len(problems) > 0 {
		t.Fatalf("%s: %v", mw.Name, problems)
	}
	budget := schedule.Budget
	found, _ := window.Schedule.Within(from, to, &budget)
	for _, o := range found {
		list = append(list, o.Start.Format("2006-01-02T15:04-07:00")+"/"+o.End.Format("2006-01-02T15:04-07:00"))
	}
	return list
}

var (
	begin = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	end   = time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)
)

func read(t *testing.T, file string, o Options) *Result {
	t.Helper()
	content, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Read(bytes.NewReader(content), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestPrograms: what three programs export comes to the occurrences that they show; what has no equal is said, with its line.
func TestPrograms(t *testing.T) {
	for file, tc := range map[string]struct {
		o     Options
		want  map[string][]string // the first occurrences of each window
		count map[string]int
		notes []string
	}{
		"google.ics": {
			Options{Selector: osthammar},
			map[string][]string{
				"gemensamt-servicefonster": {"2026-12-05T09:00+01:00/2026-12-05T20:00+01:00", "2026-12-06T09:00+01:00/2026-12-06T20:00+01:00"},
				"onsdagsfonster":           {"2026-12-02T18:00+01:00/2026-12-02T21:00+01:00", "2026-12-09T18:00+01:00/2026-12-09T21:00+01:00", "2026-12-17T19:00+01:00/2026-12-17T22:00+01:00", "2027-01-06T18:00+01:00/2027-01-06T21:00+01:00"},
			},
			map[string]int{"gemensamt-servicefonster": 2, "onsdagsfonster": 29},
			[]string{`34: LOCATION of "Gemensamt servicefönster" has no equal: left out`, `51: a reminder of "Onsdagsfönster" has no equal: left out`},
		},
		"outlook.ics": {
			Options{TimeZone: "Europe/Stockholm", Selector: osthammar},
			map[string][]string{
				"nattfonster":         {"2027-01-16T22:00+01:00/2027-01-17T04:00+01:00", "2027-04-17T22:00+02:00/2027-04-18T04:00+02:00", "2027-05-15T22:00+02:00/2027-05-16T04:00+02:00"},
				"flytt-av-serverhall": {"2027-05-15T00:00+02:00/2027-05-17T00:00+02:00"},
			},
			map[string]int{"nattfonster": 10, "flytt-av-serverhall": 1},
			[]string{`32: LOCATION of "Nattfönster" has no equal: left out`, `33: ORGANIZER of "Nattfönster" has no equal: left out`, `57: RRULE of "Var sjätte timme": FREQ=HOURLY has no equal, a window recurs by days: left out`},
		},
		"apple.ics": {
			Options{Selector: osthammar},
			map[string][]string{
				"helgfonster": {"2026-12-04T18:00+01:00/2026-12-06T20:00+01:00", "2026-12-18T18:00+01:00/2026-12-20T20:00+01:00"},
				"tre-kvallar": {"2027-01-08T20:00+01:00/2027-01-08T22:30+01:00", "2027-01-09T20:00+01:00/2027-01-09T22:30+01:00", "2027-01-10T20:00+01:00/2027-01-10T22:30+01:00", "2027-01-20T20:00+01:00/2027-01-20T22:30+01:00"},
			},
			map[string]int{"helgfonster": 29, "tre-kvallar": 4},
			[]string{`34: URL of "Helgfönster" has no equal: left out`, `40: "Inställt" on 2026-12-30 is cancelled: left out`, `53: a VTODO is no event: left out`},
		},
	} {
		t.Run(file, func(t *testing.T) {
			r := read(t, file, tc.o)
			count := map[string]int{}
			for _, mw := range r.Windows {
				list := occurrences(t, mw, begin, end)
				count[mw.Name] = len(list)
				if diff := cmp.Diff(tc.want[mw.Name], list[:min(len(list), len(tc.want[mw.Name]))]); diff != "" {
					t.Errorf("%s:\n%s", mw.Name, diff)
				}
				if mw.Spec.NamespaceSelector != osthammar || mw.Spec.Title == "" {
					t.Errorf("%+v", mw.Spec)
				}
			}
			if diff := cmp.Diff(tc.count, count); diff != "" {
				t.Errorf("occurrences of each:\n%s", diff)
			}
			var notes []string
			for _, n := range r.Notes {
				notes = append(notes, fmt.Sprintf("%d: %s", n.Line, n.Message))
			}
			if diff := cmp.Diff(tc.notes, notes); diff != "" {
				t.Errorf("notes:\n%s", diff)
			}
		})
	}
}

// TestOurOwn: a calendar that Fonster writes comes to the same occurrences, also where the clock shows a time twice.
func TestOurOwn(t *testing.T) {
	window := func(name string, s ...v1alpha1.Schedule) *v1alpha1.MaintenanceWindow {
		return &v1alpha1.MaintenanceWindow{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       v1alpha1.MaintenanceWindowSpec{Title: "Fönster " + name, TimeZone: "Europe/Stockholm", Schedules: s, NamespaceSelector: osthammar},
		}
	}
	days := func(starts, ends string, dates ...string) v1alpha1.Schedule {
		return v1alpha1.Schedule{Dates: dates, StartTime: &starts, EndTime: &ends}
	}
	originals := []*v1alpha1.MaintenanceWindow{
		window("dates", days("09:00", "20:00", "2026-12-05", "2026-12-06"), days("08:30:15", "12:00", "2027-03-28")),
		window("nights", v1alpha1.Schedule{RRule: new("FREQ=MONTHLY;BYDAY=3SA"), StartTime: new("22:00"), EndTime: new("04:00")}),
		window("weekends", v1alpha1.Schedule{Cron: new("0 18 * * 5"), Duration: &metav1.Duration{Duration: 50 * time.Hour}}),
		window("twice", days("02:30", "08:00", "2027-10-31"), days("02:15", "09:00", "2027-03-28")),
		window("whole", days("00:00", "24:00", "2027-05-01", "2027-05-02")),
	}
	c := ical.Calendar{Name: "windows"}
	for _, mw := range originals {
		compiled, problems := compile.Window(mw)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		budget := schedule.Budget
		list, _ := compiled.Schedule.Within(begin, end, &budget)
		for _, o := range list {
			c.Events = append(c.Events, ical.Event{
				UID: ical.UID(ical.Window, "", mw.Name, o.Start), Title: mw.Spec.Title, Start: o.Start, End: o.End, Categories: []string{ical.Window, "planned"}, Changed: begin,
			})
		}
	}
	c.Events = append(c.Events,
		ical.Event{UID: ical.UID(ical.Freeze, "", "jul", end), Title: "Julfrys", Start: end.Add(-48 * time.Hour), End: end.Add(-24 * time.Hour), Changed: begin, Categories: []string{ical.Freeze}},
		ical.Event{UID: ical.UID(ical.Override, "", "x", end), Title: "Akut", Start: end.Add(-48 * time.Hour), End: end.Add(-24 * time.Hour), Changed: begin})
	var b bytes.Buffer
	if err := ical.Write(&b, c); err != nil {
		t.Fatal(err)
	}
	r, err := Read(&b, Options{Selector: osthammar, TimeZone: "Europe/Stockholm"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, mw := range r.Windows {
		got[mw.Name] = occurrences(t, mw, begin, end)
	}
	for _, mw := range originals {
		if diff := cmp.Diff(occurrences(t, mw, begin, end), got[mw.Name]); diff != "" {
			t.Errorf("%s:\n%s", mw.Name, diff)
		}
	}
	if len(r.Freezes) != 1 || r.Freezes[0].Name != "jul" || r.Freezes[0].Spec.Reason != "Julfrys" {
		t.Errorf("freezes: %+v", r.Freezes)
	}
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0].Message, "emergency work") {
		t.Errorf("notes: %+v", r.Notes)
	}
}

// TestUnreadable: what cannot be read is an error that says what to do.
func TestUnreadable(t *testing.T) {
	event := func(lines string) string {
		return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20261101T000000Z\r\nSUMMARY:s\r\n" + lines + "END:VEVENT\r\nEND:VCALENDAR\r\n"
	}
	for name, tc := range map[string]struct{ ics, err, note string }{
		"no calendar":          {"hello", "is no iCalendar file", ""},
		"no zone":              {event("DTSTART:20261205T090000\r\nDTEND:20261205T100000\r\n"), "line 8: the time has no zone, and the calendar tells none: give --time-zone", ""},
		"a zone of nobody":     {event("DTSTART;TZID=Sverige:20261205T090000\r\nDTEND;TZID=Sverige:20261205T100000\r\n"), "no event in it", "TZID Sverige is no zone that is known here"},
		"no time":              {event("DTSTART:20261205T090000Z\r\n"), "no event in it", "the event takes no time"},
		"by the hour":          {event("DTSTART:20261205T090000Z\r\nDTEND:20261205T100000Z\r\nRRULE:FREQ=DAILY;BYHOUR=9,15\r\n"), "no event in it", "BYHOUR=9,15 has no equal"},
		"long, by the month":   {event("DTSTART:20261205T090000Z\r\nDTEND:20261207T100000Z\r\nRRULE:FREQ=MONTHLY;BYMONTHDAY=5\r\n"), "no event in it", "an occurrence longer than a day that recurs so has no equal"},
		"without any event":    {"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n", "no event in it", ""},
		"an until in the past": {event("DTSTART:20261205T090000Z\r\nDTEND:20261205T100000Z\r\nRRULE:FREQ=DAILY;UNTIL=soon\r\n"), "no event in it", "UNTIL=SOON cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Read(strings.NewReader(tc.ics), Options{Selector: osthammar})
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Fatalf("%v, want %q", err, tc.err)
			}
			if tc.note != "" && (r == nil || !strings.Contains(fmt.Sprint(r.Notes), tc.note)) {
				t.Errorf("%+v", r)
			}
		})
	}
}

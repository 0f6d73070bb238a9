// Package calendar reads calendars that other programs write (RFC 5545) into windows and freezes. What has no equal there is said, with the
// line where it stands, and never left out in silence.
package calendar

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	ics "github.com/emersion/go-ical"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/announce/ical"
)

// Options are what no calendar tells.
type Options struct {
	// TimeZone reads times that have none, and shows those that are in UTC; empty: the calendar's own, or else times without zone are
	// an error.
	TimeZone string
	// Selector selects the namespaces.
	Selector *metav1.LabelSelector
	// Enforcement is the windows'; empty: the default.
	Enforcement v1alpha1.Enforcement
}

// Note is what could not be taken as it is; Line is where it stands, from 1.
type Note struct {
	Line    int    `json:"line"`
	Message string `json:"message"`
}

// Result is what a calendar comes to.
type Result struct {
	Windows []*v1alpha1.MaintenanceWindow
	Freezes []*v1alpha1.ChangeFreeze
	Notes   []Note
}

// event is one VEVENT, with the lines of its properties.
type event struct {
	*ics.Component
	line  int
	lines map[string][]int
	// start and end are on the wall clock of zone; allDay says that they are days.
	start, end time.Time
	zone       string
	allDay     bool
}

// reader gathers what becomes of a calendar.
type reader struct {
	Options
	// zone is the calendar's own; empty where it tells none.
	zone   string
	result Result
	series map[string]*series
	order  []string
}

// series are events that become one window or freeze.
type series struct {
	title, description, zone string
	freeze, emergency        bool
	name                     string
	schedules                []v1alpha1.Schedule
	exclusions               []v1alpha1.Exclusion
	line                     int
}

// Read reads a calendar.
func Read(from io.Reader, o Options) (*Result, error) {
	content, err := io.ReadAll(from)
	if err != nil {
		return nil, err
	}
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	lines := linesOf(content)
	decoded, err := ics.NewDecoder(bytes.NewReader(content)).Decode()
	if err != nil {
		return nil, fmt.Errorf("is no iCalendar file: %w", err)
	}
	r := &reader{Options: o, zone: o.TimeZone, series: map[string]*series{}}
	if p := decoded.Props.Get("X-WR-TIMEZONE"); p != nil && r.zone == "" {
		if r.zone = iana(p.Value); r.zone == "" {
			r.note(1, "X-WR-TIMEZONE %s is no zone that is known here", p.Value)
		}
	}
	if zones := zonesOf(decoded); r.zone == "" && len(zones) == 1 { // what has no zone of its own is in the only one there is
		r.zone = zones[0]
	}
	var events []*event
	for _, c := range decoded.Children {
		at := lines.next(c.Name)
		switch c.Name {
		case ics.CompEvent:
			events = append(events, &event{Component: c, line: at.line, lines: at.properties})
		case ics.CompTimezone:
		default:
			r.note(at.line, "a %s is no event: left out", c.Name)
		}
	}
	for _, e := range events {
		if err := r.times(e); err != nil {
			return nil, err
		}
	}
	moved := map[string][]*event{} // by UID
	for _, e := range events {
		if e.Props.Get(ics.PropRecurrenceID) != nil {
			moved[e.text(ics.PropUID)] = append(moved[e.text(ics.PropUID)], e)
		}
	}
	for _, e := range events {
		if e.Props.Get(ics.PropRecurrenceID) == nil && !e.start.IsZero() {
			r.event(e, moved[e.text(ics.PropUID)])
		}
	}
	r.write()
	slices.SortStableFunc(r.result.Notes, func(a, b Note) int { return cmp.Compare(a.Line, b.Line) })
	if len(r.result.Windows)+len(r.result.Freezes) == 0 {
		return &r.result, errors.New("there is no event in it that could be a window")
	}
	return &r.result, nil
}

// zonesOf are the zones that a calendar describes, as far as they are known here.
func zonesOf(c *ics.Calendar) (zones []string) {
	for _, child := range c.Children {
		if p := child.Props.Get(ics.PropTimezoneID); child.Name == ics.CompTimezone && p != nil && iana(p.Value) != "" {
			zones = append(zones, iana(p.Value))
		}
	}
	return zones
}

func (r *reader) note(line int, format string, args ...any) {
	r.result.Notes = append(r.result.Notes, Note{Line: line, Message: fmt.Sprintf(format, args...)})
}

// at is the line of a property, or of its event.
func (e *event) at(property string) int {
	if lines := e.lines[property]; len(lines) > 0 {
		return lines[0]
	}
	return e.line
}

func (e *event) text(property string) string {
	text, err := e.Props.Text(property)
	if err != nil {
		if p := e.Props.Get(property); p != nil {
			return p.Value
		}
	}
	return text
}

// times reads start and end; an event without a time is noted, and has none.
func (r *reader) times(e *event) error {
	start := e.Props.Get(ics.PropDateTimeStart)
	if start == nil {
		r.note(e.line, "the event has no DTSTART: left out")
		return nil
	}
	var err error
	if e.start, e.zone, e.allDay, err = r.instant(start); err != nil {
		r.note(e.at(ics.PropDateTimeStart), "%v", err)
		if errors.Is(err, errNoZone) {
			return fmt.Errorf("line %d: %w", e.at(ics.PropDateTimeStart), err)
		}
		e.start = time.Time{}
		return nil
	}
	switch end, lasts := e.Props.Get(ics.PropDateTimeEnd), e.Props.Get(ics.PropDuration); {
	case end != nil:
		at, zone, _, err := r.instant(end)
		if err != nil {
			r.note(e.at(ics.PropDateTimeEnd), "%v: left out", err)
			e.start = time.Time{}
			return nil
		}
		if zone != e.zone {
			at = at.In(location(e.zone))
		}
		e.end = at
	case lasts != nil:
		d, err := lasts.Duration()
		if err != nil {
			r.note(e.at(ics.PropDuration), "DURATION %s cannot be read: left out", lasts.Value)
			e.start = time.Time{}
			return nil
		}
		e.end = e.start.Add(d)
	case e.allDay:
		e.end = e.start.AddDate(0, 0, 1)
	default:
		e.end = e.start
	}
	if !e.start.Before(e.end) {
		r.note(e.line, "the event takes no time: left out")
		e.start = time.Time{}
	}
	return nil
}

var errNoZone = errors.New("the time has no zone, and the calendar tells none: give --time-zone, such as Europe/Stockholm")

// instant reads a time, in its zone: that of its TZID, or the calendar's.
func (r *reader) instant(p *ics.Prop) (at time.Time, zone string, day bool, err error) {
	if p.ValueType() == ics.ValueDate || len(p.Value) == len("20060102") {
		if r.zone == "" {
			return at, "", true, errNoZone
		}
		at, err = time.ParseInLocation("20060102", p.Value, location(r.zone))
		return at, r.zone, true, err
	}
	if strings.HasSuffix(p.Value, "Z") {
		zone = cmp.Or(r.zone, "UTC")
		at, err = time.Parse("20060102T150405Z", p.Value)
		return at.In(location(zone)), zone, false, err
	}
	id := p.Params.Get(ics.ParamTimezoneID)
	if id == "" {
		if zone = r.zone; zone == "" {
			return at, "", false, errNoZone
		}
	} else if zone = iana(id); zone == "" {
		if r.TimeZone == "" {
			return at, "", false, fmt.Errorf("TZID %s is no zone that is known here: give --time-zone, such as Europe/Stockholm", id)
		}
		zone = r.TimeZone
	}
	at, err = time.ParseInLocation("20060102T150405", p.Value, location(zone))
	return at, zone, false, err
}

// location is a zone that has been looked up before.
func location(zone string) *time.Location {
	l, err := time.LoadLocation(zone)
	if err != nil {
		return time.UTC
	}
	return l
}

// ours is how a calendar of Fonster's own names what its events are of.
var ours = regexp.MustCompile(`^\d{8}T\d{6}Z-(.+)@(` + ical.Window + `|` + ical.Freeze + `|` + ical.Override + `)\.`)

// silent are properties that say nothing of when, and need no word.
var silent = map[string]bool{
	"UID": true, "DTSTAMP": true, "DTSTART": true, "DTEND": true, "DURATION": true, "SUMMARY": true, "DESCRIPTION": true, "RRULE": true, "EXDATE": true, "RDATE": true,
	"RECURRENCE-ID": true, "SEQUENCE": true, "STATUS": true, "TRANSP": true, "CREATED": true, "LAST-MODIFIED": true, "PRIORITY": true, "CLASS": true, "CATEGORIES": true,
	"COLOR": true,
}

// event takes one event with the occurrences of it that were moved.
func (r *reader) event(e *event, moved []*event) {
	uid := e.text(ics.PropUID)
	title := e.text(ics.PropSummary)
	id := uid
	s := &series{title: title, description: e.text(ics.PropDescription), zone: e.zone, line: e.line}
	if m := ours.FindStringSubmatch(uid); m != nil {
		if m[2] == ical.Override {
			r.note(e.line, "%q is emergency work, by an override, and no window: left out", title)
			return
		}
		id, s.name, s.freeze = m[2]+"/"+m[1], m[1], m[2] == ical.Freeze
		for _, p := range e.Props.Values(ics.PropCategories) {
			s.emergency = s.emergency || strings.Contains(strings.ToLower(p.Value), "emergency")
		}
	} else if e.Props.Get(ics.PropRecurrenceRule) == nil { // single days of one name are one window
		id = strings.Join([]string{"", title, s.description, e.zone}, "\x00")
	}
	if strings.EqualFold(e.text(ics.PropStatus), "CANCELLED") {
		r.note(e.at(ics.PropStatus), "%q on %s is cancelled: left out", title, e.start.Format(time.DateOnly))
		return
	}
	for _, name := range slices.Sorted(maps.Keys(e.Props)) {
		if !silent[name] && !strings.HasPrefix(name, "X-") {
			r.note(e.at(name), "%s of %q has no equal: left out", name, title)
		}
	}
	for range e.Children {
		r.note(e.line, "a reminder of %q has no equal: left out", title)
	}
	known := r.series[id]
	if known != nil && known.zone != s.zone && len(e.Props.Values(ics.PropRecurrenceRule)) == 0 { // one that is written in UTC, as its clock shows it twice
		e.start, e.end = e.start.In(location(known.zone)), e.end.In(location(known.zone))
	}
	if known == nil {
		r.series[id], known = s, s
		r.order = append(r.order, id)
	}
	rule := e.Props.Get(ics.PropRecurrenceRule)
	if rule == nil {
		known.add(dates(e.start, e.end)...)
		r.extra(known, e)
		return
	}
	schedules, first := r.rule(e, rule.Value)
	if schedules == nil {
		return
	}
	known.add(schedules...)
	if first {
		known.add(dates(e.start, e.end)...)
	}
	r.extra(known, e)
	r.exceptions(id, known, e, moved)
}

func (s *series) add(more ...v1alpha1.Schedule) {
	for _, m := range more {
		i := slices.IndexFunc(s.schedules, func(have v1alpha1.Schedule) bool {
			return have.RRule == nil && m.RRule == nil && *have.StartTime == *m.StartTime && *have.EndTime == *m.EndTime
		})
		if i < 0 {
			s.schedules = append(s.schedules, m)
			continue
		}
		for _, day := range m.Dates {
			if !slices.Contains(s.schedules[i].Dates, day) {
				s.schedules[i].Dates = append(s.schedules[i].Dates, day)
			}
		}
	}
}

// dates writes a span of the wall clock: as one day where it ends before the same time of the next day, else as its days.
func dates(start, end time.Time) (list []v1alpha1.Schedule) {
	day := func(from time.Time, starts, ends string) {
		list = append(list, v1alpha1.Schedule{Dates: []string{from.Format(time.DateOnly)}, StartTime: &starts, EndTime: &ends})
	}
	next := func(t time.Time) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, t.Location())
	}
	if days := dayNumber(end) - dayNumber(start); days == 0 || days == 1 && clock(end) <= clock(start) {
		ends := clock(end)
		if ends == "00:00" {
			ends = "24:00"
		}
		day(start, clock(start), ends)
		return list
	}
	for at := start; at.Before(end); at = next(at) {
		ends := "24:00"
		if dayNumber(at) == dayNumber(end) {
			ends = clock(end)
		}
		day(at, clock(at), ends)
	}
	return list
}

// clock is the wall-clock time, with seconds where there are any.
func clock(t time.Time) string {
	if t.Second() != 0 {
		return t.Format(time.TimeOnly)
	}
	return t.Format("15:04")
}

func dayNumber(t time.Time) int64 {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400
}

// values are those of a property that may stand several times, each with several: one by one, with the line that each is on.
func (e *event) values(name string) iter.Seq2[int, ics.Prop] {
	return func(yield func(int, ics.Prop) bool) {
		for i, p := range e.Props.Values(name) {
			line := e.line
			if lines := e.lines[name]; i < len(lines) {
				line = lines[i]
			}
			for value := range strings.SplitSeq(p.Value, ",") {
				one := p
				one.Value = value
				if !yield(line, one) {
					return
				}
			}
		}
	}
}

// extra takes RDATE: more days of the same times.
func (r *reader) extra(s *series, e *event) {
	for line, one := range e.values(ics.PropRecurrenceDates) {
		at, _, _, err := r.instant(&one)
		if err != nil {
			r.note(line, "RDATE %s has no equal: left out", one.Value)
			continue
		}
		at = at.In(location(e.zone))
		s.add(dates(at, e.after(at))...)
	}
}

// after is when an occurrence ends that begins at an instant: the same days later, at the same time.
func (e *event) after(start time.Time) time.Time {
	days := int(dayNumber(e.end) - dayNumber(e.start))
	h, m, s := e.end.Clock()
	return time.Date(start.Year(), start.Month(), start.Day()+days, h, m, s, 0, start.Location())
}

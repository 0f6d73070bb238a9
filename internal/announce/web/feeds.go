package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"fonster.dev/fonster/internal/announce"
	"fonster.dev/fonster/internal/announce/atom"
	"fonster.dev/fonster/internal/announce/ical"
)

const (
	// maxFeed is how large a document beside the page may be, in bytes. What is open or comes first stays, then what is just over.
	maxFeed = 900_000
	// maxEntries bounds the Atom feed: emergencies that are not over are kept, and then the newest.
	maxEntries = 100
	// maxTimes is how many times one entry of it lists.
	maxTimes = 10

	refresh  = time.Hour
	reminder = 24 * time.Hour
)

// kinds are what the UIDs of calendars call the kinds of occurrences.
var kinds = map[announce.Kind]string{announce.Window: ical.Window, announce.Freeze: ical.Freeze, announce.Override: ical.Override}

func uid(o *announce.Occurrence) string {
	return ical.UID(kinds[o.Kind], o.Name, o.Start)
}

// calendar writes what an audience is shown as an iCalendar. What has no known start or end has no place in a calendar.
func calendar(l *locale, audience Audience, v *announce.View) []byte {
	c := ical.Calendar{Name: title(l, audience), Description: l.Text("calendarText"), Refresh: refresh}
	room := maxFeed
	events := map[*announce.Occurrence]ical.Event{}
	kept, _ := announce.Nearest(v.All, v.Now, func(o *announce.Occurrence) bool {
		if o.Start.IsZero() || o.End.IsZero() {
			return true
		}
		e := event(l, o)
		events[o] = e
		room -= e.Size()
		return room >= 0
	})
	for _, o := range kept {
		if e, found := events[o]; found {
			c.Events = append(c.Events, e)
			c.Changed = later(c.Changed, e.Changed)
		}
	}
	var b bytes.Buffer
	_ = ical.Write(&b, c) // into memory
	return b.Bytes()
}

func event(l *locale, o *announce.Occurrence) ical.Event {
	title, description, _, _ := o.In(l.Tag)
	e := ical.Event{
		UID: uid(o), Title: title, Description: description, Start: o.Start, End: o.End, Sequence: o.Sequence, Changed: o.ChangedAt,
		Categories: []string{kinds[o.Kind]},
	}
	if o.State == announce.EndedEarly && o.EndedAt.After(o.Start) {
		e.End = o.EndedAt
	}
	planned := "planned"
	switch {
	case o.Kind == announce.Freeze:
		e.Title, planned = freezeTitle(l, o), ""
		if o.Advisory {
			e.Description = l.Text("freezeAdvises")
		}
	case o.Kind == announce.Override:
		planned = "emergency"
		e.Title, e.Description = l.Text("emergencyOngoing"), cmp.Or(o.Title, l.Text("emergencyText"))
	case o.Emergency:
		planned = "emergency"
		e.Title = l.Text("eventEmergency", "title", e.Title)
	}
	if len(o.Systems) > 0 {
		e.Description = paragraphs(l.Text("eventSystems", "systems", strings.Join(o.Systems, ", ")), e.Description)
	}
	if o.Advisory && o.Kind == announce.Window {
		e.Description = paragraphs(l.Text("windowAdvises"), e.Description)
	}
	if planned != "" {
		e.Categories = append(e.Categories, planned)
	}
	switch {
	case o.State.Withdrawn() || o.WhollyFrozen():
		e.Cancelled = true
		e.Title = l.Text("eventCancelled", "title", e.Title)
		w := writer{l: l, v: &announce.View{Zone: o.Zone}}
		e.Description = paragraphs(w.status(o), e.Description)
	case o.Kind == announce.Window && !o.Emergency:
		e.Reminder = reminder
	}
	if !e.Cancelled && len(o.Frozen) > 0 {
		w := writer{l: l, v: &announce.View{Zone: o.Zone}}
		e.Description = paragraphs(strings.Join(w.timeNotes(o), "\n"), e.Description)
	}
	return e
}

func paragraphs(a, b string) string { return strings.Trim(a+"\n"+b, "\n") }

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// feed writes the announcements as an Atom feed: an entry for each window with its coming times, for each occurrence that was
// withdrawn, for each freeze, and for each emergency; the newest first.
func feed(l *locale, audience Audience, v *announce.View) []byte {
	w := writer{l: l, v: v}
	f := atom.Feed{
		ID: tag + "announcements/" + audience.Name, Title: title(l, audience), Language: l.Tag, Author: l.Text("title"),
	}
	room := maxFeed
	for _, n := range newest(v) {
		e := n.entry(w)
		if room -= e.Size(); room < 0 {
			break
		}
		f.Entries = append(f.Entries, e)
	}
	return f.Bytes()
}

// news is what an entry is made of: an occurrence that is news by itself, or the next times of a window.
type news struct {
	first   *announce.Occurrence
	times   []*announce.Occurrence
	urgent  bool
	updated time.Time
}

// newest is what the feed has room for, in order.
func newest(v *announce.View) (all []*news) {
	windows := map[*announce.Subject]*news{}
	for _, o := range v.All {
		over := !o.End.IsZero() && !o.End.After(v.Now)
		switch {
		case o.State.Withdrawn() || o.State == announce.EndedEarly || o.WhollyFrozen() || o.Emergency || o.Kind == announce.Freeze:
			all = append(all, &news{first: o, urgent: o.Emergency && !over, updated: later(o.ChangedAt, o.WithdrawnAt)})
		case over:
		case windows[o.Subject] == nil:
			n := &news{first: o, times: []*announce.Occurrence{o}, updated: o.ChangedAt}
			windows[o.Subject] = n
			all = append(all, n)
		case len(windows[o.Subject].times) < maxTimes:
			windows[o.Subject].times = append(windows[o.Subject].times, o)
		}
	}
	newer := func(a, b *news) int { return b.updated.Compare(a.updated) }
	slices.SortStableFunc(all, func(a, b *news) int {
		if a.urgent != b.urgent {
			if a.urgent {
				return -1
			}
			return 1
		}
		return newer(a, b)
	})
	all = all[:min(len(all), maxEntries)]
	slices.SortStableFunc(all, newer)
	return all
}

func (n *news) entry(w writer) atom.Entry {
	if n.times == nil {
		return w.entry(n.first)
	}
	what := w.item(n.first)
	e := atom.Entry{
		ID: tag + kinds[n.first.Kind] + "/" + n.first.Name, Title: w.l.Text("feedWindow", "title", what.Title.Text), Updated: n.updated,
		Lines: texts(what.Who, what.Description.Text),
	}
	for _, o := range n.times {
		e.Lines = append(e.Lines, w.when(o))
	}
	return e
}

// entry is one occurrence that is news by itself.
func (w writer) entry(o *announce.Occurrence) atom.Entry {
	what := w.item(o)
	if o.Kind == announce.Freeze {
		what.Title.Text = freezeTitle(w.l, o)
	}
	e := atom.Entry{ID: tag + uid(o), Title: what.Title.Text, Updated: later(o.ChangedAt, o.WithdrawnAt)}
	switch {
	case o.State.Withdrawn() || o.State == announce.EndedEarly || o.WhollyFrozen():
		e.Title = what.Status + ": " + what.Title.Text
	case o.Kind == announce.Override:
		e.Title = w.l.Text("emergencyOngoing")
	case o.Emergency:
		e.Title = w.l.Text("eventEmergency", "title", what.Title.Text)
	}
	description := what.Description.Text
	if o.Kind == announce.Override && o.Title != "" {
		description = o.Title
	}
	e.Lines = slices.Concat(texts(what.Status, what.When, what.Who, description), what.Notes)
	return e
}

// freezeTitle says what is frozen, where no heading does.
func freezeTitle(l *locale, o *announce.Occurrence) string {
	title, _, _, _ := o.In(l.Tag)
	if o.Advisory {
		return l.Text("eventAdvice", "title", title)
	}
	return l.Text("eventFreeze", "title", title)
}

// tag begins the identifiers of feed and entries (RFC 4151).
const tag = "tag:fonster.dev,2026:"

// texts drops the empty ones.
func texts(lines ...string) []string {
	return slices.DeleteFunc(lines, func(line string) bool { return line == "" })
}

// The data document; docs/announce.md tells what each field means.
type dataDocument struct {
	Audience  string `json:"audience,omitempty"`
	TimeZone  string `json:"timeZone"`
	Open      bool   `json:"open"`
	Emergency bool   `json:"emergency"`
	// Occurrences are dataOccurrence, written.
	Occurrences []json.RawMessage `json:"occurrences"`
	// Excluded are times that windows do not have, and why.
	Excluded  []dataExcluded `json:"excluded,omitempty"`
	Truncated bool           `json:"truncated,omitempty"`
}

type dataOccurrence struct {
	UID         string        `json:"uid"`
	Kind        announce.Kind `json:"kind"`
	Name        string        `json:"name,omitempty"`
	Title       string        `json:"title,omitempty"`
	Description string        `json:"description,omitempty"`
	// Titles and Descriptions are in other languages, by BCP 47 tag.
	Titles       map[string]string `json:"titles,omitempty"`
	Descriptions map[string]string `json:"descriptions,omitempty"`
	Systems      []string          `json:"systems,omitempty"`
	// Class is Planned or Emergency, of windows and work.
	Class       string         `json:"class,omitempty"`
	State       announce.State `json:"state"`
	Start       string         `json:"start,omitempty"`
	End         string         `json:"end,omitempty"`
	NothingNew  string         `json:"nothingNewFrom,omitempty"`
	TimeZone    string         `json:"timeZone"`
	Audiences   []string       `json:"audiences,omitempty"`
	Frozen      []dataStretch  `json:"frozen,omitempty"`
	MovedTo     string         `json:"movedTo,omitempty"`
	ShortNotice bool           `json:"shortNotice,omitempty"`
	Advisory    bool           `json:"advisory,omitempty"`
	EndedAt     string         `json:"endedAt,omitempty"`
	WithdrawnAt string         `json:"withdrawnAt,omitempty"`
	Sequence    int            `json:"sequence"`
	ChangedAt   string         `json:"changedAt,omitempty"`
}

// maxExcluded bounds what is listed of it.
const maxExcluded = 100

type dataExcluded struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Start    string `json:"start"`
	End      string `json:"end"`
	TimeZone string `json:"timeZone"`
	Reason   string `json:"reason"`
}

type dataStretch struct {
	Start  string `json:"start,omitempty"`
	End    string `json:"end,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// data writes what an audience is shown as JSON.
func data(audience Audience, v *announce.View) []byte {
	d := dataDocument{Audience: audience.Name, TimeZone: v.Zone.String(), Open: len(v.Open) > 0, Occurrences: []json.RawMessage{}}
	d.Emergency = len(v.Emergency) > 0 && v.Emergency[0].State == announce.Open
	room := maxFeed
	texts := map[*announce.Occurrence]json.RawMessage{}
	kept, left := announce.Nearest(v.All, v.Now, func(o *announce.Occurrence) bool {
		texts[o], _ = json.Marshal(dataOf(o, v.Now)) // texts and times only
		room -= len(texts[o]) + 1
		return room >= 0
	})
	for _, o := range kept {
		d.Occurrences = append(d.Occurrences, texts[o])
	}
	d.Truncated = left > 0
	for _, o := range v.Excluded[:min(len(v.Excluded), maxExcluded)] {
		d.Excluded = append(d.Excluded, dataExcluded{o.Name, o.Title, stamp(o.Start), stamp(o.End), o.Zone.String(), o.Reason})
	}
	body, _ := json.Marshal(d)
	return append(body, '\n')
}

// maxFrozen is how many stretches of one occurrence the data lists: those of the last month, and the next.
const maxFrozen = 100

func dataOf(o *announce.Occurrence, now time.Time) dataOccurrence {
	e := dataOccurrence{
		UID: uid(o), Kind: o.Kind, Title: o.Title, Description: o.Description, Titles: o.Titles, Descriptions: o.Descriptions, Systems: o.Systems, State: o.State,
		Start: stamp(o.Start), End: stamp(o.End), TimeZone: o.Zone.String(), Audiences: o.Audiences, ShortNotice: o.ShortNotice, Advisory: o.Advisory,
		MovedTo: stamp(o.MovedTo), EndedAt: stamp(o.EndedAt), WithdrawnAt: stamp(o.WithdrawnAt), Sequence: o.Sequence, ChangedAt: stamp(o.ChangedAt),
	}
	if o.Kind != announce.Override {
		e.Name = o.Name
	}
	switch {
	case o.Emergency:
		e.Class = "Emergency"
	case o.Kind == announce.Window:
		e.Class = "Planned"
	}
	if o.LastBegin.Before(o.End) {
		e.NothingNew = stamp(o.LastBegin)
	}
	frozen := o.FrozenFrom(now.Add(-announce.Behind))
	for _, f := range frozen[:min(len(frozen), maxFrozen)] {
		e.Frozen = append(e.Frozen, dataStretch{stamp(f.Start), stamp(f.End), f.Reason})
	}
	return e
}

// stamp writes an instant as RFC 3339 has it, in its own zone; nothing for the zero time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

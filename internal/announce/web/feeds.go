package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
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

	refresh = time.Hour
	// reminder is how long before a planned window people are reminded of it, unless it came less than quiet before as well: who is
	// reminded each day is reminded of nothing.
	reminder = 24 * time.Hour
	quiet    = 6 * 24 * time.Hour
)

// kinds are what the UIDs of calendars call the kinds of occurrences.
var kinds = map[announce.Kind]string{announce.Window: ical.Window, announce.Freeze: ical.Freeze, announce.Override: ical.Override}

func uid(o *announce.Occurrence, cluster string) string {
	return ical.UID(kinds[o.Kind], cluster, o.Name, o.Start)
}

// calendar writes what an audience is shown as an iCalendar. What has no known start or end has no place in a calendar.
func (w writer) calendar(audience Audience) []byte {
	l, v := w.l, w.v
	c := ical.Calendar{Name: title(l, audience), Description: l.Text("calendarText"), Refresh: refresh}
	remind := reminded(v.All)
	room := maxFeed
	events := map[*announce.Occurrence]ical.Event{}
	kept, _ := announce.Nearest(v.All, v.Now, func(o *announce.Occurrence) bool {
		if o.Start.IsZero() || o.End.IsZero() {
			return true
		}
		e := w.event(o)
		if remind[o] && !e.Cancelled {
			e.Reminder = reminder
		}
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

// reminded are the planned occurrences that people are reminded of.
func reminded(all []*announce.Occurrence) map[*announce.Occurrence]bool {
	last, remind := map[*announce.Subject]time.Time{}, map[*announce.Occurrence]bool{}
	for _, o := range all {
		if o.Kind != announce.Window || o.Emergency || o.State.Withdrawn() || o.Start.IsZero() {
			continue
		}
		before, known := last[o.Subject]
		remind[o] = !known || o.Start.Sub(before) >= quiet
		last[o.Subject] = o.Start
	}
	return remind
}

func (w writer) event(o *announce.Occurrence) ical.Event {
	l := w.l
	w.v = &announce.View{Zone: o.Zone, Cluster: w.v.Cluster, Audience: w.v.Audience} // an event stands by itself
	title, description, _, _ := o.In(l.Tag)
	e := ical.Event{
		UID: uid(o, w.v.Cluster), URL: w.page, Title: title, Description: description, Start: o.Start, End: o.End, Sequence: o.Sequence, Changed: o.ChangedAt,
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
		e.Description = paragraphs(w.status(o).String(), e.Description)
	case len(o.Frozen) > 0:
		e.Description = paragraphs(strings.Join(told(w.timeNotes(o)), "\n"), e.Description)
	}
	if who := w.concerned(o); who != "" {
		e.Title += " (" + who + ")"
	}
	return e
}

// concerned names those whom an occurrence concerns, where not everybody who reads of it is concerned.
func (w writer) concerned(o *announce.Occurrence) string {
	if w.v.Audience != "" || len(o.Audiences) == 0 {
		return ""
	}
	return w.names(o.Audiences)
}

func paragraphs(a, b string) string { return strings.Trim(a+"\n"+b, "\n") }

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// feed writes the announcements as an Atom feed: an entry for each window with its coming times, for what was withdrawn of one at a
// time, for each freeze, and for each emergency; the newest first.
func (w writer) feed(audience Audience) []byte {
	f := atom.Feed{
		ID: w.tag() + "announcements/" + audience.Name, Title: title(w.l, audience), Language: w.l.Tag, Author: w.l.Text("title"),
		Self: w.page + feedFile, Page: cmp.Or(w.page, "./"),
	}
	room := maxFeed
	for _, n := range newest(w.v) {
		e := n.entry(w)
		if room -= e.Size(); room < 0 {
			break
		}
		f.Entries = append(f.Entries, e)
	}
	return f.Bytes()
}

// tag begins the identifiers of the feed and its entries (RFC 4151).
func (w writer) tag() string {
	if w.v.Cluster == "" {
		return "tag:fonster.dev,2026:"
	}
	return "tag:fonster.dev,2026:" + w.v.Cluster + "/"
}

// news is what an entry is made of: an occurrence that is news by itself, the next times of a window, or the times that were withdrawn
// of it at an instant.
type news struct {
	first     *announce.Occurrence
	times     []*announce.Occurrence
	urgent    bool
	withdrawn bool
	updated   time.Time
}

// newest is what the feed has room for, in order.
func newest(v *announce.View) (all []*news) {
	type at struct {
		kind announce.Kind
		name string
		when int64
	}
	windows, withdrawn := map[*announce.Subject]*news{}, map[at]*news{}
	for _, o := range v.All {
		over := !o.End.IsZero() && !o.End.After(v.Now)
		together := at{o.Kind, o.Name, o.WithdrawnAt.Unix()}
		switch {
		case o.State == announce.Cancelled && withdrawn[together] != nil:
			withdrawn[together].times = append(withdrawn[together].times, o)
		case o.State == announce.Cancelled:
			n := &news{first: o, times: []*announce.Occurrence{o}, withdrawn: true, updated: later(o.ChangedAt, o.WithdrawnAt)}
			withdrawn[together] = n
			all = append(all, n)
		case o.State == announce.Moved || o.State == announce.EndedEarly || o.Emergency || o.Kind == announce.Freeze:
			all = append(all, &news{first: o, urgent: o.Emergency && !over, updated: later(o.ChangedAt, o.WithdrawnAt)})
		case over:
		case windows[o.Subject] == nil:
			n := &news{first: o, times: []*announce.Occurrence{o}, updated: o.ChangedAt}
			windows[o.Subject] = n
			all = append(all, n)
		case len(windows[o.Subject].times) < maxTimes: // more are in the calendar
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
		ID: w.tag() + kinds[n.first.Kind] + "/" + n.first.Name, Title: what.Title.Text, Updated: n.updated,
		Lines: texts(what.Who, what.Description.Text),
	}
	if n.first.Kind == announce.Freeze {
		e.Title = freezeTitle(w.l, n.first)
	}
	if n.withdrawn {
		e.ID += "/withdrawn/" + n.first.WithdrawnAt.UTC().Format(time.RFC3339)
		e.Title = w.l.Text("eventCancelled", "title", e.Title)
	}
	for _, o := range n.times[:min(len(n.times), maxTimes)] {
		time := w.when(o)
		if o.WhollyFrozen() {
			time += ". " + w.status(o).String()
		}
		e.List = append(e.List, time)
	}
	if more := len(n.times) - len(e.List); more > 0 {
		e.List = append(e.List, w.l.Text("feedMore", "count", strconv.Itoa(more)))
	}
	return e
}

// entry is one occurrence that is news by itself.
func (w writer) entry(o *announce.Occurrence) atom.Entry {
	what := w.item(o)
	if o.Kind == announce.Freeze {
		what.Title.Text = freezeTitle(w.l, o)
	}
	e := atom.Entry{ID: w.tag() + uid(o, ""), Title: what.Title.Text, Updated: later(o.ChangedAt, o.WithdrawnAt)}
	switch {
	case o.State.Withdrawn() || o.State == announce.EndedEarly:
		e.Title = what.Status.String() + ": " + what.Title.Text
	case o.Kind == announce.Override:
		e.Title = w.l.Text("emergencyOngoing")
	case o.Emergency:
		e.Title = w.l.Text("eventEmergency", "title", what.Title.Text)
	}
	description := what.Description.Text
	if o.Kind == announce.Override && o.Title != "" {
		description = o.Title
	}
	e.Lines = slices.Concat(texts(what.Status.String(), what.When, what.Who, description), told(what.Notes))
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

// told are sentences as text.
func told(list []sentence) (lines []string) {
	for _, s := range list {
		lines = append(lines, s.String())
	}
	return lines
}

// texts drops the empty ones.
func texts(lines ...string) []string {
	return slices.DeleteFunc(lines, func(line string) bool { return line == "" })
}

// The data document; docs/announce.md tells what each field means.
type dataDocument struct {
	// Version rises when a field gets another meaning, or goes.
	Version     int    `json:"version"`
	GeneratedAt string `json:"generatedAt"`
	// ValidUntil is when it says something else at the latest.
	ValidUntil string `json:"validUntil"`
	// Cluster is the one that it tells of.
	Cluster   string `json:"cluster,omitempty"`
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
	// Reasons are in other languages, by BCP 47 tag.
	Reasons map[string]string `json:"reasons,omitempty"`
}

type dataStretch struct {
	Start  string `json:"start,omitempty"`
	End    string `json:"end,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Reasons are in other languages, by BCP 47 tag.
	Reasons map[string]string `json:"reasons,omitempty"`
}

const dataVersion = 1

// data writes what an audience is shown as JSON.
func data(audience Audience, v *announce.View) []byte {
	d := dataDocument{
		Version: dataVersion, GeneratedAt: stamp(v.Now.In(v.Zone).Truncate(time.Second)), ValidUntil: stamp(v.Until.In(v.Zone)), Cluster: v.Cluster,
		Audience: audience.Name, TimeZone: v.Zone.String(), Open: len(v.Open) > 0, Occurrences: []json.RawMessage{},
	}
	d.Emergency = len(v.Emergency) > 0 && v.Emergency[0].State == announce.Open
	room := maxFeed
	texts := map[*announce.Occurrence]json.RawMessage{}
	kept, left := announce.Nearest(v.All, v.Now, func(o *announce.Occurrence) bool {
		texts[o], _ = json.Marshal(dataOf(o, v.Cluster, v.Now)) // texts and times only
		room -= len(texts[o]) + 1
		return room >= 0
	})
	for _, o := range kept {
		d.Occurrences = append(d.Occurrences, texts[o])
	}
	d.Truncated = left > 0
	for _, o := range v.Excluded[:min(len(v.Excluded), maxExcluded)] {
		d.Excluded = append(d.Excluded, dataExcluded{o.Name, o.Title, stamp(o.Start), stamp(o.End), o.Zone.String(), o.Reason, o.Reasons})
	}
	body, _ := json.Marshal(d)
	return append(body, '\n')
}

// maxFrozen is how many stretches of one occurrence the data lists: those of the last month, and the next.
const maxFrozen = 100

func dataOf(o *announce.Occurrence, cluster string, now time.Time) dataOccurrence {
	e := dataOccurrence{
		UID: uid(o, cluster), Kind: o.Kind, Title: o.Title, Description: o.Description, Titles: o.Titles, Descriptions: o.Descriptions, Systems: o.Systems, State: o.State,
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
		e.Frozen = append(e.Frozen, dataStretch{stamp(f.Start), stamp(f.End), f.Reason, f.Reasons})
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

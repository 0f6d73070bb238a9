package web

import (
	"bytes"
	"cmp"
	"embed"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"fonster.dev/fonster/internal/announce"
)

//go:embed templates/*.html
var templateFiles embed.FS

// templates escape everything that is put into them: what objects say is text, and nothing else.
var templates = template.Must(template.ParseFS(templateFiles, "templates/*.html"))

//go:embed static
var staticFiles embed.FS

// assets are by path, with a hash of their content in the name: they may be kept for ever.
var (
	assets       = map[string]*document{}
	style, image = asset("style.css", "text/css; charset=utf-8"), asset("icon.svg", "image/svg+xml")
)

// asset makes a file an asset, and returns its path without the first slash. An audience cannot be called "-".
func asset(name, contentType string) string {
	body, err := staticFiles.ReadFile("static/" + name)
	if err != nil {
		panic(err) // embedded
	}
	d := &document{contentType: contentType, body: body}
	d.finish()
	stem, extension, _ := strings.Cut(name, ".")
	where := "-/" + stem + "." + d.etag + "." + extension
	assets["/"+where] = d
	return where
}

// pageData is what the template writes: texts that are ready, so that it decides nothing.
type pageData struct {
	L            *locale
	Title        string
	Organisation string
	Link         string
	Contact      []part
	Root         string // from the page to /, relative
	Home         string // from the page to its language's /, relative
	// Files is where calendar and feed are, in the page's language: who subscribes asks without naming one.
	Files     string
	Style     string
	Icon      string
	Languages []link
	Audiences []link
	// Panels say what holds now, Updated since when.
	Panels  []panel
	Updated string
	// Emergency is what is announced, not what is in progress.
	Emergency []item
	Next      []card
	NextMore  string
	Changes   []card
	Freezes   []item
	// FreezesText says what a freeze is; nothing where all of them only warn.
	FreezesText string
	Timeline    timeline
	Months      []month
	Left        int
	Zone        string
}

type link struct {
	Title, Href, Lang string
	Current           bool
}

// panel is one thing that holds now.
type panel struct {
	Class           string
	Title           sentence
	Who, Text, More string
	Items           []item
}

// text is what an object says, in the language Lang; empty: that of the page.
type text struct{ Text, Lang string }

// sentence is what the page says, with what an object says in it: each in its language.
type sentence []text

// String is the sentence where no language can be marked.
func (s sentence) String() string {
	var b strings.Builder
	for _, t := range s {
		b.WriteString(t.Text)
	}
	return b.String()
}

// plain is a sentence of the page's own.
func plain(words string) sentence { return sentence{{Text: words}} }

// part is a stretch of text, which is a link where Href is not empty.
type part struct{ Text, Href string }

// item is one occurrence, ready to read.
type item struct {
	// Class is for the style; Start is RFC 3339.
	Class, Start, When string
	Title              text
	Who                string
	// Lines are those of the description, each in parts.
	Lines       [][]part
	Description text
	Systems     []string
	// SystemsLabel says what Systems are.
	SystemsLabel string
	Status       sentence
	Notes        []sentence
	Struck       bool
	Heading      string
	// Urgent says that it is emergency work, where no heading does.
	Urgent string
}

// card tells of one window, and when: Times.
type card struct {
	item
	Times []item
	More  string
}

func (s *snapshot) page(l *locale, audience Audience, v *announce.View, prefixed bool) []byte {
	w := s.writer(l, audience, v)
	w.year = v.Now.In(v.Zone).Year()
	d := pageData{
		L: l, Title: title(l, audience), Organisation: s.options.Organisation, Link: s.options.Link, Contact: parts(s.options.Contact),
		Home: "./", Style: style, Icon: image, Panels: w.panels(), Updated: w.updated(),
		Next: w.next(), Changes: w.changes(), Timeline: drawTimeline(l, v), Months: w.months(), Left: v.Left, Zone: w.zone(),
	}
	for _, o := range v.Emergency {
		if o.State != announce.Open {
			d.Emergency = append(d.Emergency, w.item(o))
		}
	}
	if v.NextMore > 0 {
		d.NextMore = l.Text("nextWindows", "count", strconv.Itoa(v.NextMore))
	}
	for _, o := range v.Freezes {
		i := w.item(o)
		if o.End.IsZero() && o.State == announce.Open && !o.Advisory {
			i.Notes = append(i.Notes, plain(l.Text("stopText")))
		}
		d.Freezes = append(d.Freezes, i)
	}
	if slices.ContainsFunc(v.Freezes, func(o *announce.Occurrence) bool { return !o.Advisory }) {
		d.FreezesText = l.Text("freezesText")
	}
	here := folder(audience)
	if here != "" {
		d.Home = "../"
	}
	if d.Root = d.Home; prefixed {
		d.Root = "../" + strings.TrimPrefix(d.Home, "./")
	}
	d.Files = d.Root + l.Tag + "/" + here
	for _, other := range locales {
		d.Languages = append(d.Languages, link{Title: other.Name, Lang: other.Tag, Href: d.Root + other.Tag + "/" + here, Current: other == l})
	}
	d.Audiences = append(d.Audiences, link{Title: l.Text("everybody"), Href: d.Home, Current: audience.Name == ""})
	for _, a := range s.audiences {
		d.Audiences = append(d.Audiences, link{Title: a.Title, Href: d.Home + a.Name + "/", Current: a.Name == audience.Name})
	}
	return execute("page.html", d)
}

func execute(name string, data any) []byte {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, data); err != nil {
		panic(err) // the templates are tested over every kind of data
	}
	return b.Bytes()
}

func title(l *locale, audience Audience) string {
	if audience.Name == "" {
		return l.Text("title")
	}
	return l.Text("titleFor", "audience", audience.Title)
}

// titles are the audiences' names for people.
func (s *snapshot) titles() map[string]string {
	titles := make(map[string]string, len(s.audiences))
	for _, a := range s.audiences {
		titles[a.Name] = a.Title
	}
	return titles
}

// writer turns occurrences into items, in one language.
type writer struct {
	l      *locale
	v      *announce.View
	titles map[string]string
	// year is not said, on a page; 0: every year is.
	year int
	// language is that of the objects' texts; empty: not known.
	language string
	// page is the address of the page; empty where it is not known.
	page string
}

// writer writes what an audience is shown in one language.
func (s *snapshot) writer(l *locale, audience Audience, v *announce.View) writer {
	w := writer{l: l, v: v, titles: s.titles(), language: s.options.Language}
	if s.options.URL != "" {
		w.page = s.options.URL + l.Tag + "/" + folder(audience)
	}
	return w
}

// folder is the place of an audience's documents below its language; that of everybody's is none.
func folder(audience Audience) string {
	if audience.Name == "" {
		return ""
	}
	return audience.Name + "/"
}

func (w *writer) when(o *announce.Occurrence) string { return w.span(o.Start, o.End) }

func (w *writer) span(start, end time.Time) string {
	told := w.l.Span(start, end, w.v.Zone, w.year)
	if w.year == 0 {
		return told
	}
	return unbroken(told)
}

// unbroken keeps times such as 18.00–21.00 on one line.
func unbroken(text string) string {
	var b strings.Builder
	runes := []rune(text)
	digit := func(i int) bool { return i >= 0 && i < len(runes) && runes[i] >= '0' && runes[i] <= '9' }
	for i, r := range runes {
		if r == '–' && digit(i-1) && digit(i+1) {
			b.WriteString("\u2060–\u2060")
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (w *writer) item(o *announce.Occurrence) item {
	title, description, titleOther, descriptionOther := o.In(w.l.Tag)
	i := item{
		Class: string(o.State), When: w.when(o), Title: w.text(title, titleOther), Description: w.text(description, descriptionOther),
		Systems: o.Systems, Status: w.status(o), Struck: o.State.Withdrawn() || o.WhollyFrozen(),
	}
	if !o.Start.IsZero() {
		i.Start = o.Start.Format(time.RFC3339)
	}
	if o.Title == "" {
		i.Title = text{Text: w.l.Text("emergency")}
	}
	if o.Emergency && o.Title != "" {
		i.Urgent = w.l.Text("emergency")
	}
	if o.Kind == announce.Override && description == "" {
		i.Description = text{Text: w.l.Text("emergencyText")}
	}
	i.Lines, i.SystemsLabel = lines(i.Description.Text), w.l.Text("systems")
	if o.Kind == announce.Override { // who may annotate a workload sets no links on the page
		i.Lines = [][]part{{{Text: i.Description.Text}}}
	}
	i.Who = w.who(o.Subject)
	if o.State == announce.Upcoming || o.State == announce.Open || o.State == announce.Frozen {
		i.Notes = w.notes(o)
	}
	return i
}

// text is what an object says; other tells that it is not in the page's language as far as is known.
func (w *writer) text(s string, other bool) text {
	if s == "" || !other || w.language == w.l.Tag {
		return text{Text: s}
	}
	return text{s, w.language}
}

// say is a sentence with a reason in it. Reasons have no control characters, so that one can hold their place.
func (w *writer) say(key string, reason text, pairs ...string) (said sentence) {
	before, after, _ := strings.Cut(w.l.Text(key, append(pairs, "reason", "\x00")...), "\x00")
	for _, t := range []text{{Text: before}, reason, {Text: after}} {
		if t.Text != "" {
			said = append(said, t)
		}
	}
	return said
}

// reason is why a freeze is there.
func (w *writer) reason(f announce.Stretch) text { return w.text(f.In(w.l.Tag)) }

// who says whom something concerns, on the page for all.
func (w *writer) who(s *announce.Subject) string {
	if w.v.Audience != "" || len(s.Audiences) == 0 {
		return ""
	}
	if len(w.titles) > 1 && len(s.Audiences) >= len(w.titles) {
		return w.l.Text("forEverybody")
	}
	return w.l.Text("forWhom", "audiences", w.names(s.Audiences))
}

// maxStretches is how many of the freezes over an occurrence are told one by one.
const maxStretches = 5

// notes tell of the freezes over an occurrence that are not over; of what only warns, that it does.
func (w *writer) notes(o *announce.Occurrence) (notes []sentence) {
	switch {
	case o.Advisory && o.Kind == announce.Freeze:
		notes = append(notes, plain(w.l.Text("freezeAdvises")))
	case o.Advisory:
		notes = append(notes, plain(w.l.Text("windowAdvises")))
	}
	return append(notes, w.timeNotes(o)...)
}

// timeNotes are the notes of one time of a window.
func (w *writer) timeNotes(o *announce.Occurrence) (notes []sentence) {
	if !o.WhollyFrozen() {
		frozen := o.FrozenFrom(w.v.Now)
		for _, f := range frozen[:min(len(frozen), maxStretches)] {
			start, end := f.Start, f.End
			if start.Before(o.Start) {
				start = o.Start
			}
			if end.IsZero() || (!o.End.IsZero() && end.After(o.End)) {
				end = o.End
			}
			if f.Reason == "" {
				notes = append(notes, plain(w.l.Text("frozenPartPlain", "when", w.span(start, end))))
				continue
			}
			notes = append(notes, w.say("frozenPart", w.reason(f), "when", w.span(start, end)))
		}
		if len(frozen) > maxStretches {
			notes = append(notes, plain(w.l.Text("frozenMore")))
		}
	}
	if o.ShortNotice {
		notes = append(notes, plain(w.l.Text("shortNotice")))
	}
	return notes
}

// names lists audiences by their titles.
func (w *writer) names(audiences []string) string {
	names := make([]string, len(audiences))
	for i, a := range audiences {
		names[i] = cmp.Or(w.titles[a], a)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// status says in words what becomes of an occurrence; nothing where it is as planned.
func (w *writer) status(o *announce.Occurrence) sentence {
	switch o.State {
	case announce.Open:
		if o.Kind == announce.Freeze {
			return plain(w.l.Text("inForce"))
		}
		if o.End.IsZero() || !sameDay(w.v.Now.In(o.Zone), o.End.Add(-time.Nanosecond)) {
			return plain(w.l.Text("open"))
		}
		return plain(w.l.Text("openUntil", "time", w.l.End(o.Start, o.End)))
	case announce.Past:
		return plain(w.l.Text("past"))
	case announce.Frozen:
		if len(o.Frozen) > 0 && o.Frozen[0].Reason != "" {
			return w.say("frozen", w.reason(o.Frozen[0]))
		}
		return plain(w.l.Text("frozenPlain"))
	case announce.Cancelled:
		if o.Reason != "" {
			return w.say("cancelledWhy", w.text(o.Why(w.l.Tag)))
		}
		return plain(w.l.Text("cancelled"))
	case announce.Moved:
		return plain(w.l.Text("moved", "when", w.l.Instant(o.MovedTo, w.year)))
	case announce.EndedEarly:
		if !o.EndedAt.IsZero() {
			return plain(w.l.Text("endedEarlyAt", "when", w.l.Instant(o.EndedAt, w.year)))
		}
		return plain(w.l.Text("endedEarly"))
	case announce.Excluded:
		return w.say("excluded", w.text(o.Why(w.l.Tag)))
	}
	return nil
}

// missing says that there is no such page.
func (s *Server) missing(w http.ResponseWriter, r *http.Request, where address) {
	l := localeOf(where.language)
	if l == nil {
		l = preferred(r.Header.Get("Accept-Language"), s.options.Language)
	}
	up := strings.Repeat("../", max(strings.Count(r.URL.Path, "/")-1, 0))
	body := execute("missing.html", pageData{L: l, Title: l.Text("missing"), Root: cmp.Or(up, "./"), Style: style, Icon: image})
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

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
	L     *locale
	Title string
	Root  string // from the page to /, relative
	Home  string // from the page to its language's /, relative
	// Files is where calendar and feed are, in the page's language: who subscribes asks without naming one.
	Files      string
	Style      string
	Icon       string
	Languages  []link
	Audiences  []link
	Banner     banner
	Emergency  []item
	Open, Next []item
	Changes    []item
	Freezes    []item
	// FreezesText says what a freeze is; nothing where all of them only warn.
	FreezesText string
	Year        int
	Timeline    timeline
	Months      []month
	Left        int
	Zone        string
}

type link struct {
	Title, Href, Lang string
	Current           bool
}

type banner struct{ Class, Title, Text, More string }

type month struct {
	Title string
	Items []item
}

// item is one occurrence, ready to read.
type item struct {
	// Class is for the style; Start and End are RFC 3339.
	Class, Start, End             string
	When, Title, Description, Who string
	Status                        string
	Notes                         []string
	Struck                        bool
	Heading                       string
	// Urgent says that it is emergency work, where no heading does.
	Urgent string
}

func (s *snapshot) page(l *locale, audience Audience, v *announce.View, prefixed bool) []byte {
	w := s.writer(l, audience, v)
	d := pageData{
		L: l, Title: title(l, audience), Home: "./", Style: style, Icon: image, Banner: w.banner(),
		Emergency: w.items(v.Emergency), Open: w.items(v.Open), Next: w.items(v.Next), Changes: w.items(v.Changes), Freezes: w.items(v.Freezes),
		Year: v.Now.In(v.Zone).Year(), Timeline: drawTimeline(l, v), Months: w.months(), Left: v.Left, Zone: v.Zone.String(),
	}
	if !v.OneZone {
		d.Zone = l.Text("zones", "zone", d.Zone)
	} else {
		d.Zone = l.Text("zone", "zone", d.Zone)
	}
	if slices.ContainsFunc(v.Freezes, func(o *announce.Occurrence) bool { return !o.Advisory }) {
		d.FreezesText = l.Text("freezesText")
	}
	for i, o := range v.Changes {
		if o.Kind == announce.Freeze {
			d.Changes[i].Title = freezeTitle(l, o)
		}
	}
	here := folder(audience)
	if here != "" {
		d.Home = "../"
	}
	if d.Root = d.Home; prefixed {
		d.Root = "../" + strings.TrimPrefix(d.Home, "./")
	}
	d.Files = d.Root + l.Tag + "/" + here
	for i := range d.Emergency {
		d.Emergency[i].Heading = l.Text("emergencyAnnounced")
		if v.Emergency[i].State == announce.Open {
			d.Emergency[i].Heading = l.Text("emergencyOngoing")
		}
	}
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
	// page is the address of the page; empty where it is not known.
	page string
}

// writer writes what an audience is shown in one language.
func (s *snapshot) writer(l *locale, audience Audience, v *announce.View) writer {
	w := writer{l: l, v: v, titles: s.titles()}
	if s.url != "" {
		w.page = s.url + l.Tag + "/" + folder(audience)
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

func (w *writer) items(list []*announce.Occurrence) []item {
	items := make([]item, len(list))
	for i, o := range list {
		items[i] = w.item(o)
	}
	return items
}

func (w *writer) item(o *announce.Occurrence) item {
	i := item{
		Class: string(o.State), When: w.l.When(o, w.v.Zone), Title: o.Title, Description: o.Description,
		Status: w.status(o), Struck: o.State.Withdrawn() || o.WhollyFrozen(),
	}
	if !o.Start.IsZero() {
		i.Start = o.Start.Format(time.RFC3339)
	}
	if !o.End.IsZero() {
		i.End = o.End.Format(time.RFC3339)
	}
	if i.Title == "" {
		i.Title = w.l.Text("emergency")
	}
	if o.Emergency && o.Title != "" {
		i.Urgent = w.l.Text("emergency")
	}
	if o.Kind == announce.Override && i.Description == "" {
		i.Description = w.l.Text("emergencyText")
	}
	if w.v.Audience == "" && len(o.Audiences) > 0 {
		i.Who = w.l.Text("forWhom", "audiences", w.names(o.Audiences))
	}
	if o.State == announce.Upcoming || o.State == announce.Open || o.State == announce.Frozen {
		i.Notes = w.notes(o)
	}
	return i
}

// maxStretches is how many of the freezes over an occurrence are told one by one.
const maxStretches = 5

// notes tell of the freezes over an occurrence that are not over, and of its cutoff; of a freeze that only warns, that it does.
func (w *writer) notes(o *announce.Occurrence) (notes []string) {
	if o.Advisory {
		notes = append(notes, w.l.Text("freezeAdvises"))
	}
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
			notes = append(notes, w.l.Text("frozenPart", "when", w.l.Span(start, end, w.v.Zone), "reason", f.Reason))
		}
		if len(frozen) > maxStretches {
			notes = append(notes, w.l.Text("frozenMore"))
		}
	}
	if o.ShortNotice {
		notes = append(notes, w.l.Text("shortNotice"))
	}
	if o.LastBegin.Before(o.End) && !o.WhollyFrozen() {
		notes = append(notes, w.l.Text("noNewFrom", "time", w.l.Time(o.LastBegin)))
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
func (w *writer) status(o *announce.Occurrence) string {
	switch o.State {
	case announce.Open:
		if o.Kind == announce.Freeze {
			return w.l.Text("inForce")
		}
		if o.End.IsZero() || !sameDay(w.v.Now.In(o.Zone), o.End.Add(-time.Nanosecond)) {
			return w.l.Text("open")
		}
		return w.l.Text("openUntil", "time", w.l.Time(o.End))
	case announce.Past:
		return w.l.Text("past")
	case announce.Frozen:
		if len(o.Frozen) > 0 {
			return w.l.Text("frozen", "reason", o.Frozen[0].Reason)
		}
	case announce.Cancelled:
		return w.l.Text("cancelled")
	case announce.Moved:
		return w.l.Text("moved", "when", w.l.Instant(o.MovedTo))
	case announce.EndedEarly:
		if !o.EndedAt.IsZero() {
			return w.l.Text("endedEarlyAt", "when", w.l.Instant(o.EndedAt))
		}
		return w.l.Text("endedEarly")
	}
	return ""
}

// banner sums up what holds now.
func (w *writer) banner() banner {
	l, v := w.l, w.v
	switch {
	case len(v.Emergency) > 0 && v.Emergency[0].State == announce.Open:
		return banner{Class: "emergency", Title: l.Text("emergencyOngoing"), Text: l.Text("nowEmergencyText")}
	case len(v.Open) > 0:
		return banner{Class: "open", Title: l.Text("nowOpen"), Text: l.Text("nowOpenText")}
	}
	b := banner{Class: "closed", Title: l.Text("nowClosed"), Text: l.Text("nowClosedText"), More: l.Text("nowNone")}
	if len(v.Next) > 0 {
		b.More = l.Text("nowNext", "when", l.When(v.Next[0], v.Zone))
	}
	if len(v.Emergency) > 0 { // to come
		b.More = l.Text("nowEmergency", "when", l.When(v.Emergency[0], v.Zone)) + " " + b.More
	}
	return b
}

// months groups the year's list.
func (w *writer) months() (months []month) {
	for _, o := range w.v.Listed {
		at := o.Start.In(w.v.Zone)
		heading := w.l.Months[at.Month()-1] + " " + strconv.Itoa(at.Year())
		if o.Start.IsZero() {
			heading = w.l.Text("yearBefore")
		}
		if n := len(months); n == 0 || months[n-1].Title != heading {
			months = append(months, month{Title: heading})
		}
		last := &months[len(months)-1]
		last.Items = append(last.Items, w.item(o))
	}
	return months
}

// missing says that there is no such page.
func (s *Server) missing(w http.ResponseWriter, r *http.Request, where address) {
	l := localeOf(where.language)
	if l == nil {
		l = preferred(r.Header.Get("Accept-Language"))
	}
	up := strings.Repeat("../", max(strings.Count(r.URL.Path, "/")-1, 0))
	body := execute("missing.html", pageData{L: l, Title: l.Text("missing"), Root: cmp.Or(up, "./"), Style: style, Icon: image})
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

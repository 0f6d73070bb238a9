package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"
)

// A locale is one language: its texts, and how it writes dates. Each is one file in locales/, named by its BCP 47 tag; the
// file is all that a further language needs.
type locale struct {
	// Tag is the language, such as sv: a path and an attribute lang.
	Tag string `json:"-"`
	// Name is the language's own name for itself.
	Name        string     `json:"name"`
	Months      [12]string `json:"months"`
	ShortMonths [12]string `json:"shortMonths"`
	// Weekdays begin with Sunday.
	Weekdays [7]string `json:"weekdays"`
	// ShortWeekdays are the same, for tables.
	ShortWeekdays [7]string `json:"shortWeekdays"`
	// The dates have {weekday}, {day}, {month} and {year}, that of this year no {year}; the time is a layout of package time.
	DateForm   string `json:"date"`
	DateOfYear string `json:"dateOfYear"`
	TimeForm   string `json:"time"`
	// Midnight is how the end of a day is written.
	Midnight string `json:"midnight"`
	// The spans have {date}, {start}, {endDate} and {end}.
	SpanOfDay  string `json:"spanOfDay"`
	SpanOfDays string `json:"spanOfDays"`
	SpanFrom   string `json:"spanFrom"`
	SpanUntil  string `json:"spanUntil"`
	SpanEver   string `json:"spanEver"`
	// InstantForm has {date} and {time}.
	InstantForm string `json:"instant"`
	// Zones say of a zone, by its IANA name, that all times are in it.
	Zones map[string]string `json:"zones"`
	Texts map[string]string `json:"texts"`
}

//go:embed locales/*.json
var localeFiles embed.FS

// locales are in order of preference where a reader states none that is there: English first, since most of those read it.
var (
	locales = loadLocales(localeFiles, "en")
	matcher = newMatcher()
)

func loadLocales(from fs.ReadFileFS, first string) []*locale {
	files, err := fs.ReadDir(from, "locales")
	if err != nil {
		panic(err) // embedded
	}
	var all []*locale
	for _, file := range files {
		text, err := from.ReadFile(path.Join("locales", file.Name()))
		if err != nil {
			panic(err)
		}
		l := &locale{Tag: strings.TrimSuffix(file.Name(), ".json")}
		if err := json.Unmarshal(text, l); err != nil {
			panic(fmt.Errorf("%s: %w", file.Name(), err))
		}
		if l.Tag == first {
			all = append([]*locale{l}, all...)
		} else {
			all = append(all, l)
		}
	}
	return all
}

func newMatcher() language.Matcher {
	tags := make([]language.Tag, len(locales))
	for i, l := range locales {
		tags[i] = language.MustParse(l.Tag)
	}
	return language.NewMatcher(tags)
}

// localeOf is the language of a path element; nil when it is none.
func localeOf(tag string) *locale {
	for _, l := range locales {
		if l.Tag == tag {
			return l
		}
	}
	return nil
}

// preferred is the language for a header Accept-Language (RFC 9110, section 12.5.4), and fallback where it names none that is there.
func preferred(acceptLanguage, fallback string) *locale {
	otherwise := locales[0]
	if l := localeOf(fallback); l != nil {
		otherwise = l
	}
	wanted, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil || len(acceptLanguage) > 1000 {
		return otherwise
	}
	if _, i, confidence := matcher.Match(wanted...); confidence > language.No {
		return locales[i]
	}
	return otherwise
}

// Text is a text of the catalogue, with {name} replaced by the value that follows it in pairs. A text that is not there is
// its key: a page with a gap is better than none.
func (l *locale) Text(key string, pairs ...string) string {
	text, found := l.Texts[key]
	if !found {
		return key
	}
	return fill(text, pairs...)
}

func fill(text string, pairs ...string) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		pairs[i] = "{" + pairs[i] + "}"
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// Date writes the day of an instant, in its own zone; the year where it is not the one given, which is that of the reader.
func (l *locale) Date(t time.Time, year int) string {
	form := l.DateForm
	if t.Year() == year {
		form = l.DateOfYear
	}
	return fill(form, "weekday", l.Weekdays[t.Weekday()], "day", strconv.Itoa(t.Day()), "month", l.Months[t.Month()-1], "year", strconv.Itoa(t.Year()))
}

// Time writes the time of day of an instant, to the minute, in its own zone.
func (l *locale) Time(t time.Time) string { return t.Format(l.TimeForm) }

// End writes the time of day at which something ends: midnight is the end of the day before.
func (l *locale) End(start, end time.Time) string {
	if hour, minute, second := end.Clock(); hour+minute+second == 0 && end.After(start) {
		return l.Midnight
	}
	return l.Time(end)
}

// Instant writes day and time.
func (l *locale) Instant(t time.Time, year int) string {
	return fill(l.InstantForm, "date", l.Date(t, year), "time", l.Time(t))
}

// Span writes [start, end). A zero start or end is not known. Where the offset from UTC changes in between, or the zone is not
// the one the page tells of, the times say which they are. The year is left out where it is the one given.
func (l *locale) Span(start, end time.Time, page *time.Location, year int) string {
	if start.IsZero() && end.IsZero() {
		return l.SpanEver
	}
	last := end // the day that is told
	pairs := []string{"date", "", "start", "", "endDate", "", "end", ""}
	if !start.IsZero() {
		pairs[1], pairs[3] = l.Date(start, year), l.Time(start)
	}
	if !end.IsZero() {
		if pairs[7] = l.End(start, end); pairs[7] == l.Midnight {
			last = end.Add(-time.Second)
		}
		pairs[5] = l.Date(last, year)
	}
	switch {
	case end.IsZero():
		return fill(l.SpanFrom, pairs...) + zoneNote(start, start, page)
	case start.IsZero():
		return fill(l.SpanUntil, pairs...) + zoneNote(end, end, page)
	case sameDay(start, last):
		return fill(l.SpanOfDay, pairs...) + zoneNote(start, end, page)
	}
	return fill(l.SpanOfDays, pairs...) + zoneNote(start, end, page)
}

func zoneNote(start, end time.Time, page *time.Location) string {
	if from, to := abbreviation(start), abbreviation(end); from != to {
		return " (" + from + "–" + to + ")"
	}
	if start.Location().String() != page.String() {
		return " (" + start.Location().String() + ")"
	}
	return ""
}

func abbreviation(t time.Time) string { return t.Format("MST") }

func sameDay(a, b time.Time) bool {
	y, m, d := a.Date()
	y2, m2, d2 := b.Date()
	return y == y2 && m == m2 && d == d2
}

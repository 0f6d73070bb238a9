// Package atom writes an Atom feed (RFC 4287).
package atom

import (
	"bytes"
	"encoding/xml"
	"html"
	"strings"
	"time"
)

// Feed is a feed to write.
type Feed struct {
	// ID is an IRI that never changes.
	ID       string
	Title    string
	Language string
	Author   string
	// Self is the address of the feed, Page of the page that it tells of: absolute, or relative to where the feed was fetched from.
	Self, Page string
	Entries    []Entry
}

// Entry is one announcement.
type Entry struct {
	ID      string
	Title   string
	Updated time.Time
	// Lines are its plain text, each a paragraph; what is in List stands below them, point by point.
	Lines, List []string
}

// Size is how many bytes the entry takes in a feed, at least about.
func (e *Entry) Size() int {
	var b bytes.Buffer
	for _, text := range []string{e.ID, e.Title, e.html()} {
		_ = xml.EscapeText(&b, []byte(text)) // into memory
	}
	return 200 + b.Len()
}

// html writes the text as HTML, in which readers keep paragraphs and lists apart.
func (e *Entry) html() string {
	var b strings.Builder
	put := func(before, text, after string) {
		b.WriteString(before + strings.ReplaceAll(html.EscapeString(text), "\n", "<br>") + after)
	}
	for _, line := range e.Lines {
		put("<p>", line, "</p>")
	}
	if len(e.List) > 0 {
		b.WriteString("<ul>")
		for _, point := range e.List {
			put("<li>", point, "</li>")
		}
		b.WriteString("</ul>")
	}
	return b.String()
}

type feedElement struct {
	XMLName  xml.Name       `xml:"http://www.w3.org/2005/Atom feed"`
	Language string         `xml:"xml:lang,attr"`
	ID       string         `xml:"id"`
	Title    string         `xml:"title"`
	Updated  string         `xml:"updated"`
	Author   string         `xml:"author>name"`
	Links    []linkElement  `xml:"link"`
	Entries  []entryElement `xml:"entry"`
}

type linkElement struct {
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr"`
	Href string `xml:"href,attr"`
}

type entryElement struct {
	ID      string         `xml:"id"`
	Title   string         `xml:"title"`
	Updated string         `xml:"updated"`
	Link    linkElement    `xml:"link"`
	Content contentElement `xml:"content"`
}

type contentElement struct {
	Type string `xml:"type,attr"`
	Text string `xml:",chardata"`
}

// Bytes writes the feed.
func (f *Feed) Bytes() []byte {
	element := feedElement{
		Language: f.Language, ID: f.ID, Title: f.Title, Author: f.Author,
		Links: []linkElement{{"self", "application/atom+xml", f.Self}, {"alternate", "text/html", f.Page}},
	}
	updated := time.Unix(0, 0) // required also of a feed that has never had anything to tell
	for _, e := range f.Entries {
		if e.Updated.After(updated) {
			updated = e.Updated
		}
		element.Entries = append(element.Entries, entryElement{
			ID: e.ID, Title: e.Title, Updated: stamp(e.Updated), Link: linkElement{"alternate", "text/html", f.Page},
			Content: contentElement{"html", e.html()},
		})
	}
	element.Updated = stamp(updated)
	var b bytes.Buffer
	b.WriteString(xml.Header)
	_ = xml.NewEncoder(&b).Encode(element) // into memory
	b.WriteByte('\n')
	return b.Bytes()
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

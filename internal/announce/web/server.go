// Package web serves the announcements: the page, and the calendar, feed and data beside it. Everything is plain GET, the same
// for every reader, and rendered once: until an object changes or the next occurrence begins or ends.
package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"fonster.dev/fonster/internal/announce"
)

// maxRenders is how many documents are rendered at a time: after a change all readers come at once.
const maxRenders = 2

// settle is how often the page is drawn anew at most, when many objects change at once. An edge of a schedule never waits.
const settle = 200 * time.Millisecond

// patience is how long a reader waits while somebody else draws the page anew.
const patience = time.Second

// Audience is one whose page is there whatever the objects say.
type Audience struct {
	// Name is as in the objects' audiences, and in the path; Title is for people, empty: the name.
	Name, Title string
}

// Server is the handler of all pages. Make it with New.
type Server struct {
	load    func(context.Context) (announce.Input, error)
	now     func() time.Time
	options Options

	version atomic.Uint64
	current atomic.Pointer[snapshot]
	// drawing holds a token while somebody draws.
	drawing chan struct{}
	// rendering holds a token for each document that is being rendered.
	rendering chan struct{}
	render    func(*snapshot, address) (contentType string, body []byte)
}

// New makes a server. load reads what is announced, from memory; now is the clock.
func New(load func(context.Context) (announce.Input, error), now func() time.Time, options Options) *Server {
	return &Server{load: load, now: now, options: options, drawing: make(chan struct{}, 1), rendering: make(chan struct{}, maxRenders), render: (*snapshot).render}
}

// Changed says that load may answer differently now.
func (s *Server) Changed() { s.version.Add(1) }

// snapshot is everything as drawn at one instant; the documents are rendered when they are first asked for.
type snapshot struct {
	version   uint64
	options   *Options
	board     *announce.Board
	audiences []Audience
	documents sync.Map // address -> func() *document
}

// address is one document. Prefixed says that the path names the language: relative links then begin one folder deeper.
type address struct {
	language, audience, file string
	prefixed                 bool
}

// document is rendered, and ready to send.
type document struct {
	contentType string
	body, gzip  []byte
	etag        string // without quotes
}

// fresh is how long a page is shown that nothing has changed: it says when it was drawn.
const fresh = 5 * time.Minute

// ends is when the snapshot is drawn anew though no object has changed.
func (s *snapshot) ends() time.Time {
	if end := s.board.Now.Add(fresh); end.Before(s.board.Until) {
		return end
	}
	return s.board.Until
}

// holds tells whether the snapshot is still true.
func (s *snapshot) holds(now time.Time, version uint64) bool {
	if s == nil || now.Before(s.board.Now) || !now.Before(s.ends()) {
		return false
	}
	return s.version == version || now.Sub(s.board.Now) < settle
}

func (s *Server) snapshot(ctx context.Context) (*snapshot, error) {
	if current := s.current.Load(); current.holds(s.now(), s.version.Load()) {
		return current, nil
	}
	if last, err := s.takeTurn(ctx); err != nil || last != nil {
		return last, err
	}
	defer func() { <-s.drawing }()
	version, now := s.version.Load(), s.now()
	if current := s.current.Load(); current.holds(now, version) {
		return current, nil
	}
	input, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	input.AudienceLabel = s.options.AudienceLabel
	next := &snapshot{version: version, options: &s.options, board: announce.Draw(input, now)}
	next.audiences = slices.Clone(s.options.Audiences)
	for _, name := range next.board.Audiences {
		if !slices.ContainsFunc(s.options.Audiences, func(a Audience) bool { return a.Name == name }) {
			next.audiences = append(next.audiences, Audience{Name: name})
		}
	}
	for i := range next.audiences {
		if next.audiences[i].Title == "" {
			next.audiences[i].Title = next.audiences[i].Name
		}
	}
	slices.SortFunc(next.audiences, func(a, b Audience) int { return strings.Compare(a.Name, b.Name) })
	s.current.Store(next)
	return next, nil
}

// takeTurn waits until nobody else draws. Who has waited for long gets what was drawn before, where there is anything: a page that is
// seconds behind rather than none.
func (s *Server) takeTurn(ctx context.Context) (last *snapshot, err error) {
	select {
	case s.drawing <- struct{}{}:
		return nil, nil
	case <-time.After(patience):
		if last := s.current.Load(); last != nil {
			return last, nil
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case s.drawing <- struct{}{}:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// audience finds an audience by name; the empty name is everybody.
func (s *snapshot) audience(name string) (Audience, bool) {
	if name == "" {
		return Audience{}, true
	}
	i := slices.IndexFunc(s.audiences, func(a Audience) bool { return a.Name == name })
	if i < 0 {
		return Audience{}, false
	}
	return s.audiences[i], true
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header["Content-Security-Policy"] = contentSecurityPolicy
	header["X-Content-Type-Options"] = noSniff
	header["Referrer-Policy"] = noReferrer
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "405 this is only to be read", http.StatusMethodNotAllowed)
		return
	}
	if a := assets[r.URL.Path]; a != nil {
		header["Cache-Control"] = forever
		a.send(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	snapshot, err := s.snapshot(ctx)
	if err != nil {
		header.Set("Retry-After", "2")
		why := "the cluster has not been read yet"
		if s.options.TellErrors {
			why = err.Error()
		}
		http.Error(w, "503 "+why, http.StatusServiceUnavailable)
		return
	}
	where, redirect, found := route(r, s.options.Language)
	switch {
	case found && redirect != "":
		if _, known := snapshot.audience(where.audience); known {
			header.Set("Location", redirect) // relative: it also holds behind a proxy that takes a prefix away
			w.WriteHeader(http.StatusMovedPermanently)
			return
		}
		found = false
	case found:
		_, found = snapshot.audience(where.audience)
	}
	header["Vary"] = vary
	if !found {
		header["Cache-Control"] = noStore
		s.missing(w, r, where)
		return
	}
	header["Cache-Control"] = revalidate
	header["Access-Control-Allow-Origin"] = anyOrigin
	if where.file == "" { // a page left open shows what has changed, at the edge itself
		header.Set("Refresh", strconv.Itoa(max(int(snapshot.ends().Sub(s.now()).Seconds())+1, 1)))
	}
	s.document(snapshot, where).send(w, r)
}

// Header values, made once. No script, no frame of others, no style but our own; who may show the page in a frame of theirs
// is not restricted, since there is nothing on it to be tricked into.
var (
	contentSecurityPolicy = []string{"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *"}
	noSniff               = []string{"nosniff"}
	noReferrer            = []string{"no-referrer"}
	vary                  = []string{"Accept-Encoding, Accept-Language"}
	forever               = []string{"public, max-age=31536000, immutable"}
	revalidate            = []string{"public, no-cache"} // kept, but asked for each time: an emergency must show at once
	noStore               = []string{"no-store"}
	anyOrigin             = []string{"*"}
)

// The documents of an audience beside the page, which has the empty name.
const (
	calendarFile = "calendar.ics"
	feedFile     = "feed.atom"
	dataFile     = "windows.json"
)

// route reads /[language/][audience/][file]. A page without its last slash is redirected there.
func route(r *http.Request, fallback string) (where address, redirect string, found bool) {
	l := preferred(r.Header.Get("Accept-Language"), fallback)
	rest := strings.TrimPrefix(r.URL.Path, "/")
	if first, after, slash := strings.Cut(rest, "/"); localeOf(first) != nil {
		l, rest = localeOf(first), after
		if !slash {
			return address{language: l.Tag}, first + "/", true
		}
		where.prefixed = true
	}
	where.language = l.Tag
	where.audience, where.file, found = strings.Cut(rest, "/")
	if !found {
		where.audience, where.file = "", rest
	}
	switch where.file {
	case "", calendarFile, feedFile, dataFile:
		return where, "", !found || where.audience != ""
	}
	if !found { // /osthammar
		return address{language: l.Tag, audience: where.file}, path.Base(rest) + "/", true
	}
	return where, "", false
}

// document renders a document, or finds it rendered: whoever asks while it is being rendered waits for that.
func (s *Server) document(current *snapshot, where address) *document {
	if where.file != "" {
		where.prefixed = false // only a page has links that depend on it
	}
	rendered, found := current.documents.Load(where)
	if !found {
		rendered, _ = current.documents.LoadOrStore(where, sync.OnceValue(func() *document {
			s.rendering <- struct{}{}
			defer func() { <-s.rendering }()
			d := &document{}
			d.contentType, d.body = s.render(current, where)
			d.finish()
			return d
		}))
	}
	return rendered.(func() *document)()
}

func (s *snapshot) render(where address) (contentType string, body []byte) {
	l := localeOf(where.language)
	audience, _ := s.audience(where.audience)
	v := s.board.For(audience.Name)
	switch where.file {
	case calendarFile:
		return "text/calendar; charset=utf-8", s.writer(l, audience, v).calendar(audience)
	case feedFile:
		return "application/atom+xml; charset=utf-8", s.writer(l, audience, v).feed(audience)
	case dataFile:
		return "application/json; charset=utf-8", data(audience, v)
	}
	return "text/html; charset=utf-8", s.page(l, audience, v, where.prefixed)
}

// finish makes what goes with a body.
func (d *document) finish() {
	sum := sha256.Sum256(d.body)
	d.etag = hex.EncodeToString(sum[:12])
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	_, _ = w.Write(d.body) // into memory
	_ = w.Close()
	if b.Len() < len(d.body) {
		d.gzip = b.Bytes()
	}
}

// send answers with the document, or says that the reader has it.
func (d *document) send(w http.ResponseWriter, r *http.Request) {
	header, body, etag := w.Header(), d.body, `"`+d.etag+`"`
	if d.gzip != nil && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		body, etag = d.gzip, `"`+d.etag+`-gzip"`
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("ETag", etag)
	if match := r.Header.Get("If-None-Match"); match != "" && strings.Contains(match, etag) {
		header.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Type", d.contentType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // who has gone away does not miss it
	}
}

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3) as far as it matters here.
func acceptsGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		name, parameters, _ := strings.Cut(part, ";")
		if strings.TrimSpace(name) == "gzip" {
			weight := strings.TrimSpace(parameters)
			return weight != "q=0" && !strings.HasPrefix(weight, "q=0.000")
		}
	}
	return false
}

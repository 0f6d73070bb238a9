package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/announce"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/history"
)

var stockholm = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Stockholm")
	if err != nil {
		panic(err)
	}
	return zone
}()

func at(month time.Month, day, hour, minute int) time.Time {
	return time.Date(2026, month, day, hour, minute, 0, 0, stockholm)
}

// site is a server whose objects and clock tests set.
type site struct {
	*Server
	now   time.Time
	input announce.Input
	err   error
	loads int
}

func newSite(now time.Time, windows ...v1alpha1.MaintenanceWindow) *site {
	s := &site{now: now}
	s.set(windows...)
	s.Server = New(func(context.Context) (announce.Input, error) {
		s.loads++
		return s.input, s.err
	}, func() time.Time { return s.now }, Options{Audiences: []Audience{{Name: "heby"}, {Name: "osthammar", Title: "Östhammar"}}})
	return s
}

func (s *site) set(windows ...v1alpha1.MaintenanceWindow) {
	var cache compile.Cache
	s.input = announce.Input{Compiled: cache.Compile(windows, nil), Windows: windows}
}

func window(name, title string, dates ...string) v1alpha1.MaintenanceWindow {
	return v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1, CreationTimestamp: metav1.NewTime(at(1, 1, 0, 0))},
		Spec: v1alpha1.MaintenanceWindowSpec{
			Title: title, TimeZone: "Europe/Stockholm", NamespaceSelector: &metav1.LabelSelector{},
			Schedules: []v1alpha1.Schedule{{Dates: dates, StartTime: new("09:00"), EndTime: new("20:00")}},
		},
	}
}

func (s *site) do(t *testing.T, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestAddresses(t *testing.T) {
	visitors := window("visitors", "Besök", "2026-05-02")
	visitors.Spec.Audiences = []string{"besok"}
	s := newSite(at(5, 1, 12, 0), visitors)
	for _, tc := range []struct {
		path, accept string
		status       int
		want         string
	}{
		{"/", "", 200, `<html lang="en">`},
		{"/", "sv-SE,sv;q=0.9,en;q=0.8", 200, `<html lang="sv">`},
		{"/", "de, fr;q=0.5", 200, `<html lang="en">`},
		{"/", strings.Repeat("x", 5000), 200, `<html lang="en">`},
		{"/sv/", "en", 200, `<html lang="sv">`},
		{"/en/", "sv", 200, `<html lang="en">`},
		{"/sv", "", 301, "sv/"},
		{"/osthammar/", "sv", 200, "Servicefönster Östhammar"},
		{"/osthammar", "", 301, "osthammar/"},
		{"/en/osthammar", "", 301, "osthammar/"},
		{"/en/heby/", "", 200, "Maintenance windows heby"},
		{"/besok/", "", 200, "Maintenance windows besok"},
		{"/calendar.ics", "", 200, "BEGIN:VCALENDAR"},
		{"/sv/osthammar/calendar.ics", "", 200, "NAME:Servicefönster Östhammar"},
		{"/feed.atom", "", 200, "http://www.w3.org/2005/Atom"},
		{"/en/heby/windows.json", "", 200, `"audience":"heby"`},
		{"/stockholm/", "", 404, "No such page"},
		{"/stockholm", "sv", 404, "Sidan finns inte"},
		{"/sv/stockholm/calendar.ics", "", 404, "Sidan finns inte"},
		{"/heby/calendar.ical", "", 404, "No such page"},
		{"/heby/heby/", "", 404, "No such page"},
		{"/heby//", "", 404, "No such page"},
		{"//", "", 404, "No such page"},
		{"/../etc/passwd", "", 404, "No such page"},
		{"/-/style.css", "", 404, "No such page"},
		{"/%3Cscript%3E/", "", 404, "No such page"},
		{"/" + style, "", 200, "prefers-color-scheme"},
		{"/" + image, "", 200, "<svg"},
	} {
		w := s.do(t, http.MethodGet, tc.path, "Accept-Language", tc.accept)
		got := w.Body.String()
		if tc.status == http.StatusMovedPermanently {
			got = w.Header().Get("Location")
		}
		if w.Code != tc.status || !strings.Contains(got, tc.want) {
			t.Errorf("%s for %.40q: %d, want %d with %q:\n%.400s", tc.path, tc.accept, w.Code, tc.status, tc.want, got)
		}
		if strings.Contains(got, "<script") {
			t.Errorf("%s answers with a script", tc.path)
		}
		if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: Content-Security-Policy %q", tc.path, policy)
		}
	}
}

// TestLinks: every link of every page leads somewhere, also when a proxy serves the page below a path of its own.
func TestLinks(t *testing.T) {
	s := newSite(at(5, 1, 12, 0), window("w", "Fönster", "2026-05-02"))
	proxy := httptest.NewServer(http.StripPrefix("/drift/status", s))
	defer proxy.Close()
	links := regexp.MustCompile(`(?:href|src)="([^"#][^"]*)"`)
	for _, path := range []string{"/", "/sv/", "/osthammar/", "/en/osthammar/", "/sv/nowhere/", "/nowhere"} {
		response, body := fetch(t, proxy.URL+"/drift/status"+path)
		found := links.FindAllStringSubmatch(body, -1)
		if len(found) < 3 {
			t.Errorf("%s has only %d links", path, len(found))
		}
		for _, link := range found {
			target, err := response.Request.URL.Parse(link[1])
			if err != nil {
				t.Fatal(err)
			}
			if response, _ := fetch(t, target.String()); response.StatusCode != http.StatusOK {
				t.Errorf("%s links to %s: %d", path, target, response.StatusCode)
			}
		}
	}
}

func fetch(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestMethods(t *testing.T) {
	s := newSite(at(5, 1, 12, 0))
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"} {
		for _, path := range []string{"/", "/heby/calendar.ics", "/nowhere/", "/" + style} {
			if w := s.do(t, method, path); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %d, Allow %q", method, path, w.Code, w.Header().Get("Allow"))
			}
		}
	}
	for _, path := range []string{"/", "/heby/calendar.ics"} {
		get, head := s.do(t, http.MethodGet, path), s.do(t, http.MethodHead, path)
		if head.Code != http.StatusOK || head.Body.Len() != 0 || head.Header().Get("Content-Length") != get.Header().Get("Content-Length") || head.Header().Get("ETag") != get.Header().Get("ETag") {
			t.Errorf("HEAD %s: %d, %v", path, head.Code, head.Header())
		}
	}
}

// TestDrawnOnce: nothing is drawn for a request that has been answered before, until an object changes or an edge comes; and
// who has it is told so.
func TestDrawnOnce(t *testing.T) {
	s := newSite(at(5, 2, 8, 0), window("w", "Fönster", "2026-05-02"))
	first := s.do(t, http.MethodGet, "/sv/")
	tag := first.Header().Get("ETag")
	s.now = at(5, 2, 8, 4).Add(59 * time.Second)
	second := s.do(t, http.MethodGet, "/sv/", "If-None-Match", tag)
	if second.Code != http.StatusNotModified || second.Body.Len() != 0 || s.loads != 1 {
		t.Errorf("again: %d with %d bytes, drawn %d times", second.Code, second.Body.Len(), s.loads)
	}
	if got := s.do(t, http.MethodGet, "/sv/", "If-None-Match", `"other"`); got.Code != http.StatusOK {
		t.Errorf("another tag: %d", got.Code)
	}
	s.now = at(5, 2, 9, 0)
	opened := s.do(t, http.MethodGet, "/sv/", "If-None-Match", tag)
	if opened.Code != http.StatusOK || !strings.Contains(opened.Body.String(), "Servicefönster pågår") || s.loads != 2 {
		t.Errorf("at the edge: %d, drawn %d times", opened.Code, s.loads)
	}
	s.now = s.now.Add(settle)
	s.set(window("w", "Annat", "2026-05-02"))
	s.Changed()
	if got := s.do(t, http.MethodGet, "/sv/"); !strings.Contains(got.Body.String(), "Annat") || s.loads != 3 {
		t.Errorf("after a change: drawn %d times", s.loads)
	}
	s.now = at(5, 2, 8, 0)
	if got := s.do(t, http.MethodGet, "/sv/"); !strings.Contains(got.Body.String(), "Inget servicefönster pågår just nu") {
		t.Error("a clock that goes back is not noticed")
	}
}

// TestRenderedOnce: of many who ask at once after a change, one has each document rendered, and two documents at most are rendered
// at a time.
func TestRenderedOnce(t *testing.T) {
	s := newSite(at(5, 2, 8, 0), window("w", "Fönster", "2026-05-02"))
	var mu sync.Mutex
	renders, now, most := map[address]int{}, 0, 0
	s.render = func(current *snapshot, where address) (string, []byte) {
		mu.Lock()
		renders[where]++
		now++
		most = max(most, now)
		mu.Unlock()
		time.Sleep(2 * time.Millisecond)
		contentType, body := current.render(where)
		mu.Lock()
		now--
		mu.Unlock()
		return contentType, body
	}
	paths := []string{"/sv/", "/sv/heby/", "/sv/osthammar/", "/en/", "/sv/calendar.ics", "/sv/feed.atom", "/sv/windows.json", "/en/heby/calendar.ics"}
	for change := 1; change <= 2; change++ {
		var all sync.WaitGroup
		for i := range 50 * len(paths) {
			all.Go(func() {
				if w := s.do(t, http.MethodGet, paths[i%len(paths)]); w.Code != http.StatusOK || w.Body.Len() < 100 {
					t.Errorf("%s: %d with %d bytes", paths[i%len(paths)], w.Code, w.Body.Len())
				}
			})
		}
		all.Wait()
		for where, n := range renders {
			if n != change {
				t.Errorf("%+v was rendered %d times, want %d", where, n, change)
			}
		}
		s.now = s.now.Add(settle)
		s.Changed()
	}
	if len(renders) != len(paths) || most > maxRenders {
		t.Errorf("%d documents, want %d, and %d at a time", len(renders), len(paths), most)
	}
	s.do(t, http.MethodGet, "/calendar.ics", "Accept-Language", "sv")
	s.do(t, http.MethodGet, "/sv/calendar.ics")
	if n := renders[address{language: "sv", file: calendarFile}]; n != 3 {
		t.Errorf("one calendar of two addresses was rendered %d times, want once more", n)
	}
}

func TestNotReadYet(t *testing.T) {
	s := newSite(at(5, 2, 8, 0))
	s.err = errors.New("not synced")
	if w := s.do(t, http.MethodGet, "/"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "synced") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestCompressed(t *testing.T) {
	s := newSite(at(5, 2, 8, 0), window("w", "Fönster", "2026-05-02"))
	plain := s.do(t, http.MethodGet, "/sv/")
	for accept, want := range map[string]string{"gzip": "gzip", "br, gzip;q=0.8": "gzip", "gzip;q=0": "", "identity": "", "": "", "x-gzip": ""} {
		w := s.do(t, http.MethodGet, "/sv/", "Accept-Encoding", accept)
		if got := w.Header().Get("Content-Encoding"); got != want {
			t.Errorf("%q: %q, want %q", accept, got, want)
		}
		body := io.Reader(w.Body)
		if want == "gzip" {
			if w.Header().Get("ETag") == plain.Header().Get("ETag") {
				t.Error("both forms have the same tag")
			}
			var err error
			if body, err = gzip.NewReader(w.Body); err != nil {
				t.Fatal(err)
			}
		}
		if text, _ := io.ReadAll(body); !bytes.Equal(text, plain.Body.Bytes()) {
			t.Errorf("%q: another text", accept)
		}
	}
}

// TestHostileTexts: whatever is in an object, every document stays whole: HTML without its elements, JSON, XML, and calendars
// without its lines.
func TestHostileTexts(t *testing.T) {
	evil := `"><script>alert(1)</script><!--]]>` + "\u2028\x00\x1b[31m\r\nEND:VEVENT\r\nATTENDEE:mailto:x@example.com\n" + `{{template "head"}} \,;` + strings.Repeat("å", 10_000)
	mw := window("w", evil, "2026-05-02", "2026-05-03")
	mw.Spec.Description = evil
	urgent := window("u", evil, "2026-05-02")
	urgent.Spec.Class = v1alpha1.Emergency
	s := newSite(at(5, 2, 12, 0), mw, urgent)
	stop := v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: "f", UID: "f", Generation: 1}, Spec: v1alpha1.ChangeFreezeSpec{
		Reason: evil, TimeZone: "Europe/Stockholm", NamespaceSelector: &metav1.LabelSelector{},
		Schedules: []v1alpha1.Schedule{{Dates: []string{"2026-05-03"}, StartTime: new("00:00"), EndTime: new("12:00")}},
	}}
	var cache compile.Cache
	s.input.Freezes, s.input.Compiled = []v1alpha1.ChangeFreeze{stop}, cache.Compile(s.input.Windows, []v1alpha1.ChangeFreeze{stop})
	s.input.Work = []announce.Work{{Since: at(5, 2, 11, 0), Notice: evil}}
	gone := func(r history.Record) *history.Record {
		for day, w := range []history.Withdrawn{{}, {MovedTo: new(at(5, 20, 9, 0))}, {At: at(5, 2, 9, 0), Early: true}} {
			w.Start, w.End, w.Title, w.TimeZone = at(5, 4-day, 8, 0), at(5, 4-day, 20, 0), evil, "Europe/Stockholm"
			r.Withdrawn = append([]history.Withdrawn{w}, r.Withdrawn...)
		}
		return &r
	}
	s.input.Records = map[string]*history.Record{"gone": gone(history.Record{Window: "gone"})}
	s.input.FreezeRecords = map[string]*history.Record{"gone": gone(history.Record{Freeze: "gone"})}
	for _, path := range []string{"/sv/", "/sv/calendar.ics", "/sv/feed.atom", "/sv/windows.json"} {
		body := s.do(t, http.MethodGet, path).Body.String()
		switch {
		case len(body) > 200_000:
			t.Errorf("%s has %d bytes", path, len(body))
		case strings.ContainsAny(body, "\x00\x1b"):
			t.Errorf("%s has control characters", path)
		case strings.HasSuffix(path, "/") && strings.Contains(body, "<script"):
			t.Errorf("%s has a script", path)
		case strings.HasSuffix(path, "ics") && regexp.MustCompile(`(?m)^ATTENDEE`).MatchString(body):
			t.Errorf("%s has a line of the title's own:\n%s", path, body)
		case strings.HasSuffix(path, "json") && !json.Valid([]byte(body)):
			t.Errorf("%s is no JSON", path)
		case strings.Count(body, "alert(1)") < 9: // two windows, a freeze, work, and what was withdrawn
			t.Errorf("%s does not tell everything", path)
		}
		if strings.HasSuffix(path, "atom") {
			if err := xml.Unmarshal([]byte(body), new(struct{})); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}

// TestAtom: what RFC 4287 requires of a feed and of its entries.
func TestAtom(t *testing.T) {
	urgent := window("u", "Brådskande", "2026-05-04")
	urgent.Spec.Class = v1alpha1.Emergency
	s := newSite(at(5, 2, 12, 0), window("w", "Fönster", "2026-05-02", "2026-05-09"), urgent)
	for path, entries := range map[string]int{"/sv/feed.atom": 3, "/sv/heby/feed.atom": 3, "/en/feed.atom": 3} {
		s.input.Work = []announce.Work{{Since: at(5, 2, 11, 0), Notice: "Mejlen"}}
		var f struct {
			XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
			ID      string   `xml:"id"`
			Title   string   `xml:"title"`
			Updated string   `xml:"updated"`
			Author  string   `xml:"author>name"`
			Entries []struct {
				ID      string `xml:"id"`
				Title   string `xml:"title"`
				Updated string `xml:"updated"`
				Content string `xml:"content"`
			} `xml:"entry"`
		}
		if err := xml.Unmarshal(s.do(t, http.MethodGet, path).Body.Bytes(), &f); err != nil {
			t.Fatal(err)
		}
		if f.ID == "" || f.Title == "" || f.Author == "" || len(f.Entries) != entries {
			t.Errorf("%s: %+v", path, f)
		}
		seen := map[string]bool{}
		for i, e := range f.Entries {
			updated, err := time.Parse(time.RFC3339, e.Updated)
			if e.ID == "" || e.Title == "" || e.Content == "" || err != nil || seen[e.ID] {
				t.Errorf("%s: entry %+v: %v", path, e, err)
			}
			if i == 0 && e.Updated != f.Updated {
				t.Errorf("%s: the feed was updated %s, its newest entry %s", path, f.Updated, updated)
			}
			seen[e.ID] = true
		}
	}
	if body := s.do(t, http.MethodGet, "/sv/feed.atom").Body.String(); !strings.Contains(body, "Akut arbete pågår") || !strings.Contains(body, "lördag 9 maj 2026") {
		t.Error(body)
	}
}

// TestWorkIsToldApart: what began together for the same people is told once, what did not has identifiers of its own, which stay while
// other work comes and goes, ends are put off and sentences edited.
func TestWorkIsToldApart(t *testing.T) {
	s := newSite(at(5, 2, 12, 0))
	ids := func(works ...announce.Work) map[string]string {
		s.input.Work = works
		s.now = s.now.Add(time.Minute)
		s.Changed()
		found := map[string]string{}
		calendar := strings.ReplaceAll(s.do(t, http.MethodGet, "/sv/calendar.ics").Body.String(), "\r\n ", "")
		for event := range strings.SplitSeq(calendar, "BEGIN:VEVENT") {
			if _, id, is := strings.Cut(event, "UID:"); is {
				id, _, _ = strings.Cut(id, "\r")
				_, end, _ := strings.Cut(event, "DTEND:")
				found["event "+id] = end[:15]
			}
		}
		for _, id := range regexp.MustCompile(`(?s)<entry>\s*<id>([^<]*)`).FindAllStringSubmatch(s.do(t, http.MethodGet, "/sv/feed.atom").Body.String(), -1) {
			found["entry "+id[1]] = ""
		}
		if page := s.do(t, http.MethodGet, "/sv/").Body.String(); strings.Count(page, `<li class="item open">`)*2 != len(found) {
			t.Errorf("identifiers %v of:\n%s", found, page)
		}
		return found
	}
	work := announce.Work{Since: at(5, 2, 11, 0), Until: at(5, 2, 13, 0), Notice: "E-posten startas om."}
	other, later, ab, both := work, work, work, work
	other.Notice, later.Until = "Nätet byts.", at(5, 2, 14, 0)
	ab.Audiences, both.Audiences = []string{"a-b"}, []string{"b", "a"}
	one := ids(work)
	if twice := ids(work, work); !maps.Equal(one, twice) || len(one) != 2 {
		t.Errorf("the same twice: %v, once: %v", twice, one)
	}
	if edited := ids(other); !maps.Equal(one, edited) {
		t.Errorf("with another sentence: %v, before: %v", edited, one)
	}
	if two := ids(other, work, other); !maps.Equal(one, two) {
		t.Errorf("with two sentences: %v, before: %v", two, one)
	}
	if page := s.do(t, http.MethodGet, "/sv/").Body.String(); !strings.Contains(page, "E-posten startas om. Nätet byts.") {
		t.Errorf("not both sentences:\n%s", page)
	}
	if all := ids(ab, work, both); len(all) != 6 {
		t.Errorf("three works have %d identifiers: %v", len(all), all)
	} else {
		for id := range one {
			if _, found := all[id]; !found {
				t.Errorf("%s has changed: %v", id, all)
			}
		}
	}
	for id, end := range ids(work, later) {
		if _, found := one[id]; !found || strings.HasPrefix(id, "event") && end != "20260502T120000" {
			t.Errorf("put off: %s ends %s; before %v", id, end, one)
		}
	}
}

// TestLocales: every language has every text, and every text that is used is there.
func TestLocales(t *testing.T) {
	placeholders := regexp.MustCompile(`\{[a-zA-Z]+\}`)
	first := locales[0]
	for _, l := range locales {
		for _, text := range slices.Concat([]string{l.Name, l.DateForm, l.DateOfYear, l.TimeForm, l.Midnight, l.SpanOfDay, l.SpanOfDays, l.SpanFrom, l.SpanUntil, l.SpanEver, l.InstantForm}, l.Months[:], l.ShortMonths[:], l.Weekdays[:], l.ShortWeekdays[:]) {
			if text == "" {
				t.Errorf("%s: something is empty", l.Tag)
			}
		}
		for key, text := range first.Texts {
			other, found := l.Texts[key]
			if !found || other == "" {
				t.Errorf("%s: no %s", l.Tag, key)
				continue
			}
			want, got := placeholders.FindAllString(text, -1), placeholders.FindAllString(other, -1)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Errorf("%s: %s has %s, want %s", l.Tag, key, got, want)
			}
		}
		for key := range l.Texts {
			if _, found := first.Texts[key]; !found {
				t.Errorf("%s: %s is not in %s", l.Tag, key, first.Tag)
			}
		}
	}
	used := map[string]bool{}
	find := regexp.MustCompile(`(?:Text\(|\.Text |say\()"([a-zA-Z0-9]+)"`)
	for _, source := range sources(t) {
		for _, match := range find.FindAllStringSubmatch(source, -1) {
			used[match[1]] = true
		}
	}
	for key := range used {
		if _, found := first.Texts[key]; !found {
			t.Errorf("%s is used and is not there", key)
		}
	}
	for key := range maps.Keys(first.Texts) {
		if !used[key] {
			t.Errorf("%s is there and is not used", key)
		}
	}
}

// TestManyFreezes: of a freeze that comes each day over a window without end, the next few times are told.
func TestManyFreezes(t *testing.T) {
	always := window("always", "Jämt")
	always.Spec.Schedules = []v1alpha1.Schedule{{RRule: new("FREQ=DAILY"), StartTime: new("00:00"), EndTime: new("24:00")}}
	s := newSite(at(5, 2, 13, 30), always)
	lunch := v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: "lunch", UID: "lunch", Generation: 1}, Spec: v1alpha1.ChangeFreezeSpec{
		Reason: "Lunch", TimeZone: "Europe/Stockholm", NamespaceSelector: &metav1.LabelSelector{},
		Schedules: []v1alpha1.Schedule{{RRule: new("FREQ=DAILY"), StartTime: new("12:00"), EndTime: new("13:00")}},
	}}
	var cache compile.Cache
	s.input.Freezes, s.input.Compiled = []v1alpha1.ChangeFreeze{lunch}, cache.Compile(s.input.Windows, []v1alpha1.ChangeFreeze{lunch})
	banner, _, _ := strings.Cut(s.do(t, http.MethodGet, "/sv/").Body.String(), `id="next"`)
	if n := strings.Count(banner, "Inte "); n != maxStretches || !strings.Contains(banner, "Inte söndag 3 maj kl.") || !strings.Contains(banner, "Fler ändringsstopp följer.") {
		t.Errorf("%d notes:\n%s", n, banner)
	}
	var document struct{ Occurrences []dataOccurrence }
	if err := json.Unmarshal(s.do(t, http.MethodGet, "/windows.json").Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	if frozen := document.Occurrences[0].Frozen; len(frozen) != maxFrozen || frozen[0].Start != "2026-04-03T12:00:00+02:00" {
		t.Errorf("%d stretches from %+v", len(frozen), frozen[0])
	}
}

// TestReasonsInSentences: why a freeze is there is told in the page's language; a reason that is not in it says in which it is.
func TestReasonsInSentences(t *testing.T) {
	lunch := v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: "lunch", UID: "lunch", Generation: 1}, Spec: v1alpha1.ChangeFreezeSpec{
		Reason: "Lunch", TimeZone: "Europe/Stockholm", NamespaceSelector: &metav1.LabelSelector{},
		Schedules: []v1alpha1.Schedule{{Dates: []string{"2026-05-09"}, StartTime: new("12:00"), EndTime: new("13:00")}},
	}}
	for want, reasons := range map[string]map[string]v1alpha1.Reason{
		`(change freeze: <span lang="sv">Lunch</span>)`: nil, "(change freeze: Dinner)": {"en": "Dinner"},
	} {
		s := newSite(at(5, 2, 13, 30), window("w", "Fönster", "2026-05-09"))
		s.options.Language = "sv"
		lunch.Spec.Reasons = reasons
		var cache compile.Cache
		s.input.Freezes, s.input.Compiled = []v1alpha1.ChangeFreeze{lunch}, cache.Compile(s.input.Windows, []v1alpha1.ChangeFreeze{lunch})
		for path, says := range map[string]string{"/en/": want, "/sv/": "(ändringsstopp: Lunch)"} {
			if body := s.do(t, http.MethodGet, path).Body.String(); !strings.Contains(body, says) {
				t.Errorf("%s does not say %s:\n%s", path, says, body)
			}
		}
		var document struct{ Occurrences []dataOccurrence }
		if err := json.Unmarshal(s.do(t, http.MethodGet, "/windows.json").Body.Bytes(), &document); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(document.Occurrences, func(o dataOccurrence) bool { return o.Kind == announce.Window })
		if frozen := document.Occurrences[i].Frozen; len(frozen) != 1 || frozen[0].Reason != "Lunch" || frozen[0].Reasons["en"] != string(reasons["en"]) {
			t.Errorf("the data has %+v of %v", frozen, reasons)
		}
	}
}

// TestExclusionReasons: why a day is missing is told in the page's language, and the data has every language.
func TestExclusionReasons(t *testing.T) {
	fair := window("w", "Fönster", "2026-05-09", "2026-05-16")
	fair.Spec.Exclusions = []v1alpha1.Exclusion{{
		Schedule: v1alpha1.Schedule{Dates: []string{"2026-05-16"}, StartTime: new("00:00"), EndTime: new("24:00")},
		Reason:   "Marknad", Reasons: map[string]v1alpha1.Reason{"en": "Market day"},
	}}
	s := newSite(at(5, 2, 13, 30), fair)
	s.options.Language = "sv"
	for path, says := range map[string]string{"/en/": "Market day", "/sv/": "Marknad"} {
		if body := s.do(t, http.MethodGet, path).Body.String(); !strings.Contains(body, says) {
			t.Errorf("%s does not say %s:\n%s", path, says, body)
		}
	}
	var document struct{ Excluded []dataExcluded }
	if err := json.Unmarshal(s.do(t, http.MethodGet, "/windows.json").Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	if len(document.Excluded) != 1 || document.Excluded[0].Reason != "Marknad" || document.Excluded[0].Reasons["en"] != "Market day" {
		t.Errorf("the data has %+v", document.Excluded)
	}
}

// TestWhatHoldsNow: the banner says what goes on in words that are true of it, and notes are shown of emergencies too.
func TestWhatHoldsNow(t *testing.T) {
	urgent := window("u", "Säkerhetsuppdatering", "2026-05-04")
	urgent.Spec.Class, urgent.Spec.Cutoff = v1alpha1.Emergency, &metav1.Duration{Duration: time.Hour}
	urgent.Status.Upcoming = []v1alpha1.UpcomingOccurrence{{Occurrence: v1alpha1.Occurrence{Start: metav1.NewTime(at(5, 4, 9, 0))}, ShortNotice: true}}
	s := newSite(at(5, 2, 12, 0), urgent, window("w", "Fönster", "2026-05-09"))
	page := func(now time.Time, path string) (banner, emergency string) {
		s.now = now
		body := strings.NewReplacer("\u00a0", " ", "\u2060", "").Replace(s.do(t, http.MethodGet, path).Body.String())
		_, banner, _ = strings.Cut(body, `<section class="banner`)
		banner, _, _ = strings.Cut(banner, "</section>")
		_, emergency, _ = strings.Cut(body, `<section class="emergency"`)
		emergency, _, _ = strings.Cut(emergency, "</section>")
		return banner, emergency
	}
	for _, tc := range []struct {
		now               time.Time
		path              string
		banner, emergency []string
	}{
		{at(5, 2, 12, 0), "/sv/", []string{"Akut arbete planerat: måndag 4 maj kl. 09.00–20.00.", "Nästa: lördag 9 maj"}, []string{"Akut arbete planerat", "Planerat med kort varsel."}},
		{at(5, 4, 9, 0), "/sv/", []string{"Akut arbete pågår", "Störningar kan förekomma medan arbetet pågår.", "Säkerhetsuppdatering", "Planerat med kort varsel."}, nil},
		{at(5, 2, 12, 0), "/en/", []string{"Emergency work planned: Monday 4 May, 09:00–20:00."}, []string{"Emergency work planned"}},
	} {
		banner, emergency := page(tc.now, tc.path)
		for _, want := range tc.banner {
			if !strings.Contains(banner, want) {
				t.Errorf("%s at %s: no %q in\n%s", tc.path, tc.now, want, banner)
			}
		}
		for _, want := range tc.emergency {
			if !strings.Contains(emergency, want) {
				t.Errorf("%s at %s: no %q in\n%s", tc.path, tc.now, want, emergency)
			}
		}
		if strings.Contains(banner, "i de flesta system") {
			t.Errorf("%s at %s: emergency work disturbs most systems:\n%s", tc.path, tc.now, banner)
		}
	}
}

// TestAWindowWithoutEnd: no month is named as that of its beginning.
func TestAWindowWithoutEnd(t *testing.T) {
	always := window("always", "Jämt")
	always.Spec.Schedules = []v1alpha1.Schedule{{RRule: new("FREQ=DAILY"), StartTime: new("00:00"), EndTime: new("24:00")}}
	s := newSite(at(5, 2, 12, 0), always)
	body := s.do(t, http.MethodGet, "/sv/").Body.String()
	if strings.Contains(body, "januari 1<") || !strings.Contains(body, "<h3>maj</h3>") || !strings.Contains(body, "tills vidare") {
		t.Error(body)
	}
}

// TestTimelineOfOneThatEndedEarly: the time that was used, and then what was not.
func TestTimelineOfOneThatEndedEarly(t *testing.T) {
	s := newSite(at(5, 3, 12, 0), window("w", "Fönster", "2026-05-02"))
	s.input.Records = map[string]*history.Record{"w": {Window: "w", Withdrawn: []history.Withdrawn{
		{Start: at(5, 2, 9, 0), End: at(5, 2, 20, 0), At: at(5, 2, 12, 0), Early: true, TimeZone: "Europe/Stockholm"},
	}}}
	got := drawTimeline(localeOf("sv"), announce.Draw(s.input, s.now).For(""))
	want := []bar{
		{Class: "cancelled", X: round(x(2, 12.0/24)), Y: topRow + 3, Width: round(8.0 / 24 * boxWidth), Height: 16},
		{Class: "planned", X: round(x(2, 9.0/24)), Y: topRow + 3, Width: 3, Height: 16},
	}
	if !slices.Equal(got.Bars, want) {
		t.Errorf("%+v, want %+v", got.Bars, want)
	}
}

// TestAThirdLanguage: one more file in the catalogue is a language with its paths, links and documents.
func TestAThirdLanguage(t *testing.T) {
	files := fstest.MapFS{}
	for _, name := range []string{"locales/en.json", "locales/sv.json"} {
		text, err := localeFiles.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	files["locales/fi.json"] = &fstest.MapFile{Data: []byte(strings.NewReplacer(
		"English", "Suomi", "Maintenance windows", "Huoltoikkunat", "Wednesday", "keskiviikko", "May", "toukokuuta",
	).Replace(string(files["locales/en.json"].Data)))}
	before, beforeMatcher := locales, matcher
	t.Cleanup(func() { locales, matcher = before, beforeMatcher })
	locales = loadLocales(files, "en")
	matcher = newMatcher()
	s := newSite(at(5, 2, 12, 0), window("w", "Fönster", "2026-05-13"))
	for path, want := range map[string][]string{
		"/fi/":               {`<html lang="fi">`, "<h1>Huoltoikkunat</h1>", "keskiviikko 13 toukokuuta", `href="../fi/"`, `hreflang="sv"`},
		"/fi/osthammar/":     {"Huoltoikkunat Östhammar"},
		"/sv/":               {`<a href="../fi/" lang="fi" hreflang="fi">Suomi</a>`},
		"/fi/calendar.ics":   {"NAME:Huoltoikkunat"},
		"/fi/feed.atom":      {`xml:lang="fi"`},
		"/fi/windows.json":   {`"occurrences"`},
		"/osthammar/":        {`<html lang="fi">`},
		"/fi/nowhere/":       {`<html lang="fi">`},
		"/en/osthammar/":     {`<html lang="en">`},
		"/sv/osthammar/":     {`<html lang="sv">`},
		"/fi/heby/feed.atom": {"Huoltoikkunat heby"},
	} {
		body := s.do(t, http.MethodGet, path, "Accept-Language", "fi-FI, en;q=0.5").Body.String()
		for _, text := range want {
			if !strings.Contains(body, text) {
				t.Errorf("%s: no %q in\n%.2000s", path, text, body)
			}
		}
	}
}

// TestDocumentedFields: docs/announce.md tells of every field of the data, and of no other.
func TestDocumentedFields(t *testing.T) {
	text, err := os.ReadFile("../../../docs/announce.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## The data\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var documented []string
	for row := range strings.SplitSeq(section, "\n") {
		if cells := strings.Split(row, "|"); len(cells) > 2 {
			for _, field := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
				documented = append(documented, strings.TrimSuffix(field[1], "[]"))
			}
		}
	}
	var produced []string
	fields := func(prefix string, of reflect.Type) {
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			produced = append(produced, prefix+name)
		}
	}
	fields("", reflect.TypeFor[dataDocument]())
	fields(".", reflect.TypeFor[dataOccurrence]())
	slices.Sort(documented)
	slices.Sort(produced)
	if !slices.Equal(documented, produced) {
		t.Errorf("documented %s,\nproduced %s", documented, produced)
	}
	var states []string
	for _, state := range []announce.State{announce.Upcoming, announce.Open, announce.Past, announce.Frozen, announce.Cancelled, announce.Moved, announce.EndedEarly} {
		states = append(states, "`"+string(state)+"`")
	}
	for _, want := range []string{
		"| `.state` | " + strings.Join(states, ", ") + " |", "`" + string(announce.Window) + "`, `" + string(announce.Freeze) + "` or `" + string(announce.Override) + "`",
	} {
		if !strings.Contains(section, want) {
			t.Errorf("no %q", want)
		}
	}
}

func TestSpan(t *testing.T) {
	sv, en := localeOf("sv"), localeOf("en")
	newYork, _ := time.LoadLocation("America/New_York")
	for _, tc := range []struct {
		l          *locale
		start, end time.Time
		want       string
	}{
		{sv, at(5, 13, 9, 0), at(5, 13, 20, 0), "onsdag 13 maj 2026 kl. 09.00–20.00"},
		{en, at(5, 13, 9, 0), at(5, 13, 20, 0), "Wednesday 13 May 2026, 09:00–20:00"},
		{sv, at(5, 13, 9, 0), at(5, 14, 0, 0), "onsdag 13 maj 2026 kl. 09.00–24.00"},
		{sv, at(5, 13, 22, 0), at(5, 14, 4, 0), "onsdag 13 maj 2026 22.00 – torsdag 14 maj 2026 04.00"},
		{sv, at(12, 23, 0, 0), at(12, 26, 0, 0), "onsdag 23 december 2026 00.00 – fredag 25 december 2026 24.00"},
		{sv, at(5, 13, 9, 0).Add(5 * time.Second), at(5, 13, 20, 0), "onsdag 13 maj 2026 kl. 09.00–20.00"},
		{en, at(3, 29, 1, 30), at(3, 29, 4, 0), "Sunday 29 March 2026, 01:30–04:00 (CET–CEST)"},
		{sv, at(10, 25, 1, 30), at(10, 25, 4, 0), "söndag 25 oktober 2026 kl. 01.30–04.00 (CEST–CET)"},
		{en, at(5, 13, 9, 0).In(newYork), at(5, 13, 20, 0).In(newYork), "Wednesday 13 May 2026, 03:00–14:00 (America/New_York)"},
		{sv, at(5, 13, 9, 0), time.Time{}, "från onsdag 13 maj 2026 kl. 09.00, tills vidare"},
		{en, time.Time{}, at(5, 13, 20, 0), "until Wednesday 13 May 2026, 20:00"},
		{sv, time.Time{}, time.Time{}, "tills vidare"},
	} {
		if got := strings.ReplaceAll(tc.l.Span(tc.start, tc.end, stockholm, 0), "\u00a0", " "); got != tc.want {
			t.Errorf("%s, want %s", got, tc.want)
		}
	}
}

func TestSpanWithoutItsYear(t *testing.T) {
	sv := localeOf("sv")
	for _, tc := range []struct {
		start, end time.Time
		want       string
	}{
		{at(5, 13, 9, 0), at(5, 13, 20, 0), "onsdag 13 maj kl. 09.00–20.00"},
		{at(12, 31, 22, 0), at(12, 31, 28, 0), "torsdag 31 december 22.00 – fredag 1 januari 2027 04.00"},
		{at(12, 31, 28, 0), at(12, 31, 30, 0), "fredag 1 januari 2027 kl. 04.00–06.00"},
	} {
		if got := strings.ReplaceAll(sv.Span(tc.start, tc.end, stockholm, 2026), "\u00a0", " "); got != tc.want {
			t.Errorf("%s, want %s", got, tc.want)
		}
	}
}

// TestTimeline: what is drawn lies where the day and the time are.
func TestTimeline(t *testing.T) {
	s := newSite(at(5, 2, 12, 0), window("w", "Fönster", "2026-05-02", "2026-12-31", "2027-04-30"), window("same", "Samma", "2026-05-02"))
	v := announce.Draw(s.input, s.now).For("")
	got := drawTimeline(localeOf("sv"), v)
	if len(got.Boxes) != 365 || len(got.Bars) != 3 {
		t.Fatalf("%d boxes and %d bars, want 365 and 3", len(got.Boxes), len(got.Bars))
	}
	may := got.Bars[0]
	if may.X != round(x(2, 9.0/24)) || may.Width != round(11.0/24*boxWidth) || may.Y != topRow+3 {
		t.Errorf("2 May 09-20: %+v", may)
	}
	for _, b := range got.Bars {
		if b.X < labelWidth || b.X+b.Width > float64(got.Width) || b.Y+b.Height > float64(got.Height) {
			t.Errorf("outside the picture: %+v", b)
		}
	}
}

// TestASlowDrawingKeepsNobody: while somebody draws anew, which takes long, whoever comes gets the page as it was, after a moment.
func TestASlowDrawingKeepsNobody(t *testing.T) {
	loaded, release := make(chan struct{}, 1), make(chan struct{})
	s := newSite(at(5, 1, 12, 0), window("w", "Som förut", "2026-05-13"))
	load := s.load
	s.do(t, http.MethodGet, "/sv/")
	s.load = func(ctx context.Context) (announce.Input, error) {
		loaded <- struct{}{}
		<-release
		return load(ctx)
	}
	s.now = s.now.Add(time.Hour)
	s.set(window("w", "Som nu", "2026-05-13"))
	s.Changed()
	first := make(chan string)
	go func() { first <- s.do(t, http.MethodGet, "/sv/").Body.String() }()
	<-loaded
	if body := s.do(t, http.MethodGet, "/sv/").Body.String(); !strings.Contains(body, "Som förut") {
		t.Errorf("a second reader gets: %s", body)
	}
	close(release)
	if body := <-first; !strings.Contains(body, "Som nu") {
		t.Errorf("who draws gets: %s", body)
	}
}

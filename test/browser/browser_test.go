package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/announce"
	"fonster.dev/fonster/internal/history"
)

var chrome context.Context

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var cancel context.CancelFunc
	var err error
	if chrome, cancel, err = Chrome(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer cancel()
	return m.Run()
}

// tab is a tab of the browser that keeps what a page must not do.
type tab struct {
	*testing.T
	ctx  context.Context
	site *Site

	mu      sync.Mutex
	faults  []string
	allowed string // a part of a message that the test provokes
}

// open opens a tab; when the test ends, it must have asked no other host for anything, and have nothing on its console.
func open(t *testing.T, site *Site) *tab {
	t.Helper()
	t.Cleanup(site.Close)
	ctx, cancel := chromedp.NewContext(chrome)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(stop)
	b := &tab{T: t, ctx: ctx, site: site}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, fault := range b.faults {
			if b.allowed == "" || !strings.Contains(fault, b.allowed) {
				t.Error(fault)
			}
		}
	})
	return b
}

func (b *tab) hear(event any) {
	fault := ""
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if url := e.Request.URL; !strings.HasPrefix(url, b.site.URL+"/") {
			fault = "a request to another host: " + url
		}
	case *log.EventEntryAdded:
		fault = fmt.Sprintf("console: %s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL)
	case *runtime.EventConsoleAPICalled:
		fault = fmt.Sprintf("console: %s", e.Type)
	case *runtime.EventExceptionThrown:
		fault = "an exception: " + e.ExceptionDetails.Text
	case *page.EventJavascriptDialogOpening:
		fault = "a dialog: " + e.Message
	}
	if fault != "" {
		b.mu.Lock()
		b.faults = append(b.faults, fault)
		b.mu.Unlock()
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

func (b *tab) goTo(path string) { b.Helper(); b.do(chromedp.Navigate(b.site.URL + path)) }

// eval evaluates JavaScript as the browser's own tools do; the page itself may run none.
func eval[T any](b *tab, expression string) T {
	b.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%s: %v", expression[:min(len(expression), 200)], err)
	}
	return value
}

func (b *tab) text(selector string) string {
	b.Helper()
	text := eval[string](b, fmt.Sprintf(`[...document.querySelectorAll(%q)].map(e => e.innerText).join("\n")`, selector))
	return strings.NewReplacer("\u00a0", " ", "\u2060", "").Replace(text)
}

func (b *tab) says(when, selector string, texts ...string) {
	b.Helper()
	got := b.text(selector)
	for _, text := range texts {
		if !strings.Contains(got, text) {
			b.Errorf("%s: %s does not say %q:\n%s", when, selector, text, got)
		}
	}
}

// accessible runs axe-core with all its rules, those of WCAG 2.2 AA and its own good practice.
func (b *tab) accessible(when string) {
	b.Helper()
	eval[bool](b, Axe+";true")
	found := eval[string](b, `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r =>
		JSON.stringify({passes: r.passes.length, violations: r.violations.map(v => v.id + ": " + v.nodes.map(n => n.html + " " + n.failureSummary).join("; "))}))`)
	var result struct {
		Passes     int
		Violations []string
	}
	if err := json.Unmarshal([]byte(found), &result); err != nil {
		b.Fatal(err)
	}
	if result.Passes < 10 {
		b.Errorf("%s: axe-core passed only %d rules: did it run?", when, result.Passes)
	}
	for _, violation := range result.Violations {
		b.Errorf("%s: %s", when, violation)
	}
}

// TestOpening: both languages before, during and after an opening, by the window's own clock.
func TestOpening(t *testing.T) {
	site := NewSite(At(time.December, 5, 8, 59))
	site.Window("gemensamma", "Gemensamma fönster", nil, "2026-12-05", "2026-12-12")
	b := open(t, site)
	before, during, after := At(time.December, 5, 8, 59), At(time.December, 5, 9, 0), At(time.December, 5, 20, 0)
	for _, tc := range []struct {
		path, language string
		now            time.Time
		banner         []string
		next           string
	}{
		{"/sv/", "sv", before, []string{"Inget servicefönster pågår just nu", "Nästa: lördag 5 december kl. 09.00–20.00"}, "Lördag 5 december kl. 09.00–20.00"},
		{"/en/", "en", before, []string{"No maintenance window right now", "Next: Saturday 5 December, 09:00–20:00"}, "Saturday 5 December, 09:00–20:00"},
		{"/sv/", "sv", during, []string{"Servicefönster pågår", "Gemensamma fönster", "Pågår till kl. 20.00"}, "Lördag 12 december"},
		{"/en/", "en", during, []string{"Maintenance window in progress", "In progress until 20:00"}, "Saturday 12 December"},
		{"/sv/heby/", "sv", during, []string{"Servicefönster pågår"}, "Lördag 12 december"},
		{"/sv/", "sv", after, []string{"Inget servicefönster pågår just nu", "Nästa: lördag 12 december"}, "Lördag 12 december"},
		{"/en/", "en", after, []string{"No maintenance window right now", "Next: Saturday 12 December"}, "Saturday 12 December"},
		{"/", "en", after, []string{"No maintenance window right now"}, "Saturday 12 December"}, // Accept-Language: en-US
	} {
		when := tc.path + " at " + tc.now.Format(time.DateTime)
		site.Step(tc.now)
		b.goTo(tc.path)
		b.says(when, ".banner", tc.banner...)
		b.says(when, "section:has(#next) .times", tc.next)
		if got := eval[string](b, "document.documentElement.lang"); got != tc.language {
			t.Errorf("%s: lang is %s, want %s", when, got, tc.language)
		}
		b.accessible(when)
	}
}

// TestEmergency: emergency work shows at once, under that name.
func TestEmergency(t *testing.T) {
	site := NewSite(At(time.December, 5, 8, 0))
	site.Window("gemensamma", "Gemensamma fönster", nil, "2026-12-05")
	b := open(t, site)
	b.goTo("/sv/osthammar/")
	if got := b.text("body"); strings.Contains(got, "Akut arbete pågår") {
		t.Errorf("before: %s", got)
	}
	site.Work(announce.Work{Since: At(time.December, 5, 7, 50), Until: At(time.December, 5, 8, 50), Notice: "E-posten startas om.", Audiences: []string{"osthammar"}})
	site.Step(At(time.December, 5, 8, 0).Add(time.Second)) // the page is drawn anew five times a second at most
	b.goTo("/sv/osthammar/")
	b.says("during", ".banner", "Akut arbete pågår")
	b.says("during", ".banner.emergency", "07.50–08.50", "E-posten startas om.")
	b.accessible("during")
	b.goTo("/en/osthammar/")
	b.says("during", ".banner", "Emergency work in progress")
	b.goTo("/sv/heby/")
	if got := b.text("body"); strings.Contains(got, "Akut arbete pågår") {
		t.Errorf("another audience is told: %s", got)
	}
	site.Step(At(time.December, 5, 8, 50))
	b.goTo("/sv/osthammar/")
	b.says("after", ".banner", "Inget servicefönster pågår just nu")
}

// TestKeyboard: with the tab key and enter alone, every link is reached, and can be seen to be.
func TestKeyboard(t *testing.T) {
	for _, language := range []string{"sv", "en"} {
		t.Run(language, func(t *testing.T) { testKeyboard(t, "/"+language+"/") })
	}
}

func testKeyboard(t *testing.T, home string) {
	site := NewSite(At(time.December, 5, 11, 0))
	site.Everything()
	b := open(t, site)
	b.goTo(home)
	const active = `document.activeElement.className || document.activeElement.id || document.activeElement.innerText`
	b.do(chromedp.KeyEvent(kb.Tab))
	if got := eval[string](b, active); got != "skip" {
		t.Fatalf("the first tab goes to %q, want the link that skips", got)
	}
	if top := eval[float64](b, `document.activeElement.getBoundingClientRect().top`); top < 0 {
		t.Errorf("the link that skips is not to be seen: %v", top)
	}
	b.do(chromedp.KeyEvent(kb.Enter))
	if got := eval[string](b, active); got != "content" {
		t.Errorf("the skip goes to %q, want the content", got)
	}
	b.goTo(home)
	links := eval[int](b, `document.querySelectorAll("a[href], summary").length`)
	seen := map[string]bool{}
	for range links {
		b.do(chromedp.KeyEvent(kb.Tab))
		got := eval[[]string](b, `(() => {const e = document.activeElement, s = getComputedStyle(e); return [e.href || "", s.outlineStyle, s.outlineWidth, e.innerText]})()`)
		seen[got[0]] = true
		if got[1] == "none" || got[2] == "0px" {
			t.Errorf("the focus on %q is not to be seen: %s", got[3], got)
		}
	}
	for _, path := range []string{"/sv/", "/en/", home + "osthammar/", home + "calendar.ics", home + "feed.atom", home + "windows.json"} {
		if !seen[site.URL+path] {
			t.Errorf("tab does not reach %s: %v", path, seen)
		}
	}
	b.goTo(home)
	for range links {
		b.do(chromedp.KeyEvent(kb.Tab))
		if eval[string](b, "document.activeElement.innerText") == "Östhammar" {
			break
		}
	}
	if _, err := chromedp.RunResponse(b.ctx, chromedp.KeyEvent(kb.Enter)); err != nil {
		t.Fatal(err)
	}
	if got := eval[string](b, "location.pathname"); got != home+"osthammar/" {
		t.Errorf("enter on Östhammar goes to %s", got)
	}
}

// TestEverywhere: everything that a page can show, in each language, scheme, width and on paper.
func TestEverywhere(t *testing.T) {
	site := NewSite(At(time.December, 5, 11, 0))
	site.Everything()
	b := open(t, site)
	for _, path := range []string{"/sv/", "/en/", "/sv/osthammar/"} {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{1280, 320} {
				when := fmt.Sprintf("%s, %s, %d wide", path, scheme, width)
				if err := Scheme(b.ctx, scheme, "screen"); err != nil {
					t.Fatal(err)
				}
				b.do(chromedp.EmulateViewport(width, 900))
				b.goTo(path)
				b.accessible(when)
				if got := eval[int64](b, "document.documentElement.scrollWidth"); got > width {
					t.Errorf("%s: the page is %d wide", when, got)
				}
				dark := eval[string](b, "getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
				if dark != (scheme == "dark") {
					t.Errorf("%s: the page is dark: %t", when, dark)
				}
			}
		}
	}
	b.do(chromedp.EmulateViewport(1280, 900))
	b.goTo("/sv/")
	b.says("changes", "section:has(#changes)", "Inställt", "Flyttat till lördag 12 december kl. 09.00", "Avslutades i förtid, tisdag 1 december kl. 15.20", "Ställs in: Julfrys")
	b.says("emergency", "section.emergency", "Akut arbete planerat", "Säkerhetsuppdatering av inloggningen")
	b.says("next", "section:has(#next)", "Lördag 19 december 22.00 – söndag 20 december 04.00", "Gäller Heby, Tierp")
	eval[bool](b, `document.querySelectorAll("details").forEach(d => d.open = true); true`)
	b.says("an emergency gone by", "details.over", "Tidigare i december", "Ons 2\t18.00–21.00\tAkut arbete Säkerhetsuppdatering av inloggningen")
	b.says("over the switch", "details.far", "Lör 27\t22.00–04.00 (CET–CEST)\tNattfönster")
	if got := eval[int](b, `document.querySelectorAll("svg .planned").length`); got < 5 {
		t.Errorf("the timeline has %d bars", got)
	}
	if got := eval[int](b, `document.querySelectorAll("script, [style], iframe, form").length`); got != 0 {
		t.Errorf("%d elements that the page must not have", got)
	}
	for _, scheme := range []string{"light", "dark"} { // paper is white, also where the screen is dark
		if err := Scheme(b.ctx, scheme, "print"); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/sv/", "/en/osthammar/"} {
			b.goTo(path)
			when := path + " on paper, " + scheme
			if got := eval[[]string](b, `[...document.querySelectorAll("nav, .skip")].map(e => getComputedStyle(e).display)`); strings.Trim(strings.Join(got, ""), "none") != "" || len(got) < 3 {
				t.Errorf("%s: links are shown: %s", when, got)
			}
			if got := eval[[]string](b, `["body", "h1", ".item p", ".banner", "svg.timeline .planned"].map(s => {const e = getComputedStyle(document.querySelector(s)); return e.color + " " + e.backgroundColor + " " + e.fill})`); strings.Join(got[:1], "") != "rgb(0, 0, 0) rgb(255, 255, 255) rgb(0, 0, 0)" || !strings.HasSuffix(got[4], " rgb(0, 0, 0)") || !strings.Contains(got[3], "rgb(255, 255, 255)") {
				t.Errorf("%s: colours %q", when, got)
			}
			b.says(when, "main", "2027")
			paper, err := chromedp.Call(b.ctx, page.PrintToPDF, page.PrintToPDFParams{})
			if err != nil {
				t.Fatal(err)
			}
			if len(paper.Data) < 10_000 {
				t.Errorf("%s: %d bytes of PDF", when, len(paper.Data))
			}
		}
	}
}

// TestHostile: what objects say is text, whatever it says; the page stays whole.
func TestHostile(t *testing.T) {
	const evil = `"><script>window.pwned=1;alert(1)</script><img src=https://example.com/x onerror=alert(2)><style>body{display:none}</style>{{.}}` + "\u202e\x00\r\nEND:VCALENDAR"
	site := NewSite(At(time.December, 5, 11, 0))
	site.Window("evil", evil, func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Description = evil }, "2026-12-05", "2026-12-06")
	site.Window("urgent", evil, func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Description, mw.Spec.Class = evil, v1alpha1.Emergency
	}, "2026-12-05")
	site.Window("long", strings.Repeat("Långt", 2048), nil, "2026-12-05", "2026-12-07")
	site.Window("never", "Aldrig", func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.TimeZone = "Mars/Olympus" }, "2026-12-05")
	site.Freeze("evil", evil, "2026-12-06")
	moved := At(time.December, 12, 9, 0)
	site.Withdrawn("gone", evil,
		history.Withdrawn{Start: At(time.December, 1, 9, 0), End: At(time.December, 1, 20, 0), At: At(time.December, 1, 12, 0), Early: true},
		history.Withdrawn{Start: At(time.December, 8, 9, 0), End: At(time.December, 8, 20, 0), At: At(time.November, 20, 10, 0)},
		history.Withdrawn{Start: At(time.December, 9, 9, 0), End: At(time.December, 9, 20, 0), At: At(time.November, 20, 10, 0), MovedTo: &moved})
	site.Work(announce.Work{Since: At(time.December, 5, 10, 0), Notice: evil})
	b := open(t, site)
	b.do(chromedp.EmulateViewport(320, 900))
	for _, path := range []string{"/sv/", "/en/"} {
		b.goTo(path)
		if eval[bool](b, "window.pwned === 1") {
			t.Error("a script of an object ran")
		}
		if got := eval[int](b, `document.querySelectorAll("script, img, body style").length`); got != 0 {
			t.Errorf("%d elements come from objects", got)
		}
		if got := eval[int64](b, "document.documentElement.scrollWidth"); got > 320 {
			t.Errorf("the page is %d wide", got)
		}
		b.says(path, "main", "<script>window.pwned=1;")
		b.says(path, "section:has(#changes)", "<script>window.pwned=1;")
		b.says(path, "footer", "iCalendar")
		b.accessible(path)
	}
}

// TestNothing: a cluster without objects, and addresses that are not there.
func TestNothing(t *testing.T) {
	b := open(t, NewSite(At(time.December, 5, 11, 0)))
	b.goTo("/sv/")
	b.says("without objects", "body", "Inget servicefönster pågår just nu", "Inga fler servicefönster är planerade.", "Inga servicefönster är planerade under de närmaste tolv månaderna.", "Vad är ett servicefönster?")
	b.accessible("without objects")
	b.allowed = "404"
	b.goTo("/sv/stockholm/")
	b.says("an unknown audience", "body", "Sidan finns inte")
	b.accessible("an unknown audience")
	b.do(chromedp.KeyEvent(kb.Tab))
	if _, err := chromedp.RunResponse(b.ctx, chromedp.KeyEvent(kb.Enter)); err != nil {
		t.Fatal(err)
	}
	b.says("from there on", "h1", "Maintenance windows") // the language is the browser's again
}

// TestScenes: the pictures that the documents show are true and usable: in both languages, on a desk and on a phone.
func TestScenes(t *testing.T) {
	for _, scene := range Scenes {
		t.Run(scene.Name, func(t *testing.T) {
			site := scene.Site()
			b := open(t, site)
			for _, language := range []string{"sv", "en"} {
				for _, width := range []int64{1280, 390} {
					when := fmt.Sprintf("%s, %d wide", language, width)
					b.do(chromedp.EmulateViewport(width, 844))
					b.goTo("/" + language + "/" + scene.Path)
					b.accessible(when)
					if got := eval[int64](b, "document.documentElement.scrollWidth"); got > width {
						t.Errorf("%s: the page is %d wide", when, got)
					}
				}
			}
			b.do(chromedp.EmulateViewport(390, 844))
			b.goTo("/sv/" + scene.Path)
			height := eval[int64](b, "document.documentElement.scrollHeight")
			t.Logf("%d pixels high on a phone", height)
			if scene.Screens > 0 && height > scene.Screens*844 {
				t.Errorf("%d pixels are more than %d screens of a phone", height, scene.Screens)
			}
			for selector, texts := range scene.Says {
				b.says(scene.Name, selector, texts...)
			}
		})
	}
}

// TestLanguageOfTexts: what is written in another language than the page's says so.
func TestLanguageOfTexts(t *testing.T) {
	site := NewSite(At(time.December, 1, 8, 0))
	site.Notice()
	b := open(t, site)
	b.goTo("/en/")
	b.says("what has a title in English", "#next ~ ul", "Common maintenance windows", "Servicefönster Östhammar")
	if got := b.text(`#next ~ ul [lang="sv"]`); !strings.Contains(got, "Servicefönster Östhammar") || strings.Contains(got, "Common") {
		t.Errorf("in Swedish is said to be: %s", got)
	}
	b.goTo("/sv/")
	if got := eval[int](b, `document.querySelectorAll("main [lang]").length`); got != 0 {
		t.Errorf("%d texts in another language on the page in Swedish", got)
	}
}

// TestPageLeftOpen: a page that is left open shows the opening by itself.
func TestPageLeftOpen(t *testing.T) {
	site := NewSite(At(time.December, 5, 8, 59).Add(59 * time.Second))
	site.Window("gemensamma", "Gemensamma fönster", nil, "2026-12-05")
	b := open(t, site)
	b.goTo("/sv/")
	b.says("before", ".banner", "Inget servicefönster pågår just nu")
	site.Step(At(time.December, 5, 9, 0))
	for range 50 {
		if strings.Contains(b.text(".banner"), "Servicefönster pågår") {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("after five seconds: %s", b.text(".banner"))
}

// Package announce compares what is served to people with the command line, by a parser of calendars that did not write them.
package announce

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	parser "github.com/emersion/go-ical"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/announce"
	"fonster.dev/fonster/internal/announce/ical"
	"fonster.dev/fonster/internal/announce/web"
	"fonster.dev/fonster/internal/cli"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/history"
)

// cluster holds objects, keeps their records as the operator does, and serves the page.
type cluster struct {
	*testing.T
	now     time.Time
	windows []v1alpha1.MaintenanceWindow
	freezes []v1alpha1.ChangeFreeze
	records map[string]*history.Record
	frozen  map[string]*history.Record
	pages   *web.Server
}

func newCluster(t *testing.T, now time.Time, windows ...v1alpha1.MaintenanceWindow) *cluster {
	c := &cluster{T: t, now: now, windows: windows, records: map[string]*history.Record{}, frozen: map[string]*history.Record{}}
	var cache compile.Cache
	c.pages = web.New(func(context.Context) (announce.Input, error) {
		return announce.Input{Compiled: cache.Compile(c.windows, c.freezes), Windows: c.windows, Freezes: c.freezes, Records: c.records, FreezeRecords: c.frozen}, nil
	}, func() time.Time { return c.now }, web.Options{})
	c.changed()
	return c
}

// changed is what the operator does when an object has changed.
func (c *cluster) changed() {
	c.now = c.now.Add(time.Minute)
	for i := range c.windows {
		w := &c.windows[i]
		c.records[w.Name] = history.Next(c.records[w.Name], w, history.Over{}, c.now)
	}
	is := map[string]*v1alpha1.ChangeFreeze{}
	for i := range c.freezes {
		is[c.freezes[i].Name] = &c.freezes[i]
		c.frozen[c.freezes[i].Name] = history.NextFreeze(c.frozen[c.freezes[i].Name], &c.freezes[i], c.now)
	}
	for name, r := range c.frozen {
		if is[name] == nil {
			c.frozen[name] = history.NextFreeze(r, nil, c.now)
		}
	}
	c.pages.Changed()
}

func (c *cluster) get(path string) string {
	c.Helper()
	w := httptest.NewRecorder()
	c.pages.ServeHTTP(w, httptest.NewRequestWithContext(c.Context(), http.MethodGet, path, nil))
	if w.Code != http.StatusOK {
		c.Fatalf("%s: %d", path, w.Code)
	}
	return w.Body.String()
}

// event is what the other parser reads of an event.
type event struct {
	UID, Title string
	Start, End time.Time
	Sequence   int
	Cancelled  bool
	Categories string
	Alarms     int
	Changed    time.Time
}

func (c *cluster) events(path string) []event {
	c.Helper()
	return c.parse(c.get(path))
}

func (c *cluster) parse(text string) []event {
	c.Helper()
	for line := range strings.SplitSeq(text, "\r\n") {
		if len(line) > 75 {
			c.Fatalf("a line of %d octets is not folded: %q", len(line), line)
		}
		if strings.Contains(line, "\n") {
			c.Fatalf("a line ends without CR: %q", line)
		}
	}
	calendar, err := parser.NewDecoder(strings.NewReader(text)).Decode()
	if err != nil {
		c.Fatalf("%v:\n%s", err, text)
	}
	var events []event
	for _, e := range calendar.Events() {
		read := event{UID: prop(c, e.Component, parser.PropUID), Title: prop(c, e.Component, parser.PropSummary)}
		if read.Start, err = e.DateTimeStart(time.UTC); err != nil {
			c.Fatal(err)
		}
		if read.End, err = e.DateTimeEnd(time.UTC); err != nil {
			c.Fatal(err)
		}
		checkZone(c, calendar, e.Props.Get(parser.PropDateTimeStart), read.Start)
		checkZone(c, calendar, e.Props.Get(parser.PropDateTimeEnd), read.End)
		if read.Sequence, err = e.Props.Get(parser.PropSequence).Int(); err != nil {
			c.Fatal(err)
		}
		if read.Changed, err = e.Props.DateTime(parser.PropLastModified, time.UTC); err != nil {
			c.Fatal(err)
		}
		read.Cancelled = prop(c, e.Component, parser.PropStatus) == "CANCELLED"
		for _, p := range e.Props.Values(parser.PropCategories) {
			read.Categories += p.Value + " "
		}
		for _, child := range e.Children {
			if child.Name == parser.CompAlarm {
				read.Alarms++
			}
		}
		events = append(events, read)
	}
	return events
}

func prop(t *cluster, component *parser.Component, name string) string {
	t.Helper()
	text, err := component.Props.Text(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// checkZone reads a time by the calendar's own VTIMEZONE (RFC 5545, section 3.6.5), without the zones that this machine knows.
func checkZone(c *cluster, calendar *parser.Calendar, p *parser.Prop, want time.Time) {
	c.Helper()
	id := p.Params.Get(parser.PropTimezoneID)
	if id == "" {
		return // in UTC
	}
	var zone *parser.Component
	for _, child := range calendar.Children {
		if child.Name == parser.CompTimezone && prop(c, child, parser.PropTimezoneID) == id {
			zone = child
		}
	}
	if zone == nil {
		c.Fatalf("no VTIMEZONE for %s", id)
	}
	offset, latest := "", ""
	for _, observance := range zone.Children {
		if onset := observance.Props.Get(parser.PropDateTimeStart).Value; onset <= p.Value && onset > latest {
			latest, offset = onset, observance.Props.Get(parser.PropTimezoneOffsetTo).Value
		}
	}
	got, err := time.Parse("20060102T150405-0700", p.Value+offset)
	if err != nil || !got.Equal(want) {
		c.Errorf("%s in %s by its VTIMEZONE (offset %s): %s, want %s: %v", p.Value, id, offset, got, want, err)
	}
}

// commandLine is what kubectl window calendar says of the same objects, in a form; feeds go back 30 days.
func (c *cluster) commandLine(form string) string {
	c.Helper()
	from, to := c.now.Add(-announce.Behind), c.now.Add(announce.Ahead)
	var manifests bytes.Buffer
	add := func(object any) {
		text, err := yaml.Marshal(object)
		if err != nil {
			c.Fatal(err)
		}
		manifests.WriteString("---\n")
		manifests.Write(text)
	}
	for _, w := range c.windows {
		w.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "MaintenanceWindow"}
		add(w)
	}
	for _, f := range c.freezes {
		f.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "ChangeFreeze"}
		add(f)
	}
	var out, errs bytes.Buffer
	args := []string{"calendar", "-f", "-", "-o", form, "--from", from.Format(time.RFC3339), "--to", to.Format(time.RFC3339)}
	if code := cli.Run(c.Context(), args, cli.Streams{In: &manifests, Out: &out, Err: &errs}, func() time.Time { return c.now }); code != 0 {
		c.Fatalf("exit %d: %s", code, errs.String())
	}
	return out.String()
}

// line is what feed and command line must agree on.
func line(uid string, start, end time.Time, cancelled bool) string {
	return fmt.Sprint(uid, " ", start.UTC().Format(time.RFC3339), " ", end.UTC().Format(time.RFC3339), " cancelled: ", cancelled)
}

// compare compares the feed's events with the command line, which does not know what was withdrawn: as iCalendar by their UIDs,
// and as JSON by their names.
func (c *cluster) compare(when string) {
	c.Helper()
	uids := map[string]bool{}
	var want, got []string
	for _, e := range c.parse(c.commandLine("ics")) {
		uids[e.UID] = true
		want = append(want, line(e.UID, e.Start, e.End, e.Cancelled)+" "+e.Categories)
	}
	for _, e := range c.events("/en/calendar.ics") {
		if e.Cancelled && !uids[e.UID] {
			continue
		}
		got = append(got, line(e.UID, e.Start, e.End, e.Cancelled)+" "+e.Categories)
	}
	slices.Sort(got)
	slices.Sort(want)
	if len(want) < 50 {
		c.Errorf("%s: only %d to compare", when, len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		c.Errorf("%s: -command line +feed:\n%s", when, diff)
	}
	var read []struct {
		Window, Freeze string
		Start, End     time.Time
		Frozen         bool
	}
	if err := json.Unmarshal([]byte(c.commandLine("json")), &read); err != nil {
		c.Fatal(err)
	}
	want = nil
	for _, e := range read {
		kind := ical.Window
		if e.Freeze != "" {
			kind = ical.Freeze
		}
		if uid := ical.UID(kind, "", e.Window+e.Freeze, e.Start); e.Freeze != "stop" { // which has no end
			want = append(want, line(uid, e.Start, e.End, e.Frozen))
		}
	}
	for i := range got {
		got[i], _, _ = strings.Cut(got[i], "true ")
		got[i], _, _ = strings.Cut(got[i], "false ")
	}
	for i := range want {
		want[i] = strings.TrimSuffix(strings.TrimSuffix(want[i], "true"), "false")
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		c.Errorf("%s: -command line as JSON +feed:\n%s", when, diff)
	}
}

func window(name string, schedules ...v1alpha1.Schedule) v1alpha1.MaintenanceWindow {
	return v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1, CreationTimestamp: metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))},
		Spec: v1alpha1.MaintenanceWindowSpec{
			Title: "Fönster, " + name + "; \\ \"så\"", Description: strings.Repeat("Åtta, nio; tio. ", 20), TimeZone: "Europe/Stockholm", Schedules: schedules,
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": name}},
		},
	}
}

// freeze is one over whole days and the namespaces of a team.
func freeze(name, reason, team string, dates ...string) v1alpha1.ChangeFreeze {
	return v1alpha1.ChangeFreeze{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("freeze-" + name), Generation: 1, CreationTimestamp: metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))},
		Spec: v1alpha1.ChangeFreezeSpec{
			Reason: reason, TimeZone: "Europe/Stockholm", NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": team}},
			Schedules: []v1alpha1.Schedule{{Dates: dates, StartTime: new("00:00"), EndTime: new("24:00")}},
		},
	}
}

// TestFreezesThatChange: subscribers are told of freezes that are shortened, moved and withdrawn as they are of windows.
func TestFreezesThatChange(t *testing.T) {
	c := newCluster(t, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	c.freezes = []v1alpha1.ChangeFreeze{
		freeze("easter", "Påsk", "a", "2026-04-03", "2026-04-04", "2026-04-05"), freeze("vote", "Val", "b", "2026-05-17"), freeze("stays", "Jul", "c", "2026-12-24"),
		freeze("now", "Bokslut", "d", "2026-03-01"),
	}
	c.changed()
	before := map[string]event{}
	for _, e := range c.events("/sv/calendar.ics") {
		before[e.Title] = e
		if e.Cancelled || e.Sequence != 0 || !e.Changed.Equal(c.freezes[0].CreationTimestamp.Time) || e.Categories != "change-freeze " {
			t.Errorf("at first: %+v", e)
		}
	}
	shorter := freeze("easter", "Påsk", "a", "2026-04-03", "2026-04-04")
	shorter.Generation = 2
	c.freezes = []v1alpha1.ChangeFreeze{shorter, c.freezes[2]}
	c.changed()
	after := map[string]event{}
	for _, e := range c.events("/sv/calendar.ics") {
		after[e.Title] = e
	}
	if e := after["Ändringsstopp: Påsk"]; e.UID != before["Ändringsstopp: Påsk"].UID || e.Sequence != 1 || !e.Changed.Equal(c.now) || e.Cancelled || !e.End.Equal(time.Date(2026, 4, 4, 22, 0, 0, 0, time.UTC)) {
		t.Errorf("shortened: %+v", e)
	}
	if e := after["Inställt: Ändringsstopp: Val"]; e.UID != before["Ändringsstopp: Val"].UID || e.Sequence != 1 || !e.Changed.Equal(c.now) || !e.Cancelled {
		t.Errorf("withdrawn: %+v", e)
	}
	if e := after["Ändringsstopp: Bokslut"]; e.UID != before["Ändringsstopp: Bokslut"].UID || e.Sequence != 1 || e.Cancelled || !e.End.Equal(c.now) {
		t.Errorf("withdrawn while in force: %+v", e)
	}
	if diff := cmp.Diff(before["Ändringsstopp: Jul"], after["Ändringsstopp: Jul"]); diff != "" {
		t.Error(diff)
	}
	if body := c.get("/sv/"); !strings.Contains(body, "Ändringsstopp: Val") || !strings.Contains(body, "Inställt") {
		t.Error("the page does not tell that it was withdrawn")
	}
	if body := c.get("/sv/feed.atom"); !strings.Contains(body, "Inställt: Ändringsstopp: Val") {
		t.Error("the feed does not tell that it was withdrawn")
	}
}

// TestAFreezeThatWarns is announced as what it is: it stops nothing.
func TestAFreezeThatWarns(t *testing.T) {
	c := newCluster(t, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	c.freezes = []v1alpha1.ChangeFreeze{freeze("vote", "Val", "a", "2026-03-01")}
	c.freezes[0].Spec.Enforcement = v1alpha1.Warn
	c.changed()
	for _, path := range []string{"/sv/", "/sv/calendar.ics", "/sv/feed.atom"} {
		body := strings.ReplaceAll(c.get(path), "\r\n ", "")
		if strings.Contains(body, "inga störande") || strings.Contains(body, "Ändringsstopp:") || !strings.Contains(body, "men stoppas inte") {
			t.Errorf("%s:\n%s", path, body)
		}
	}
	if body := c.get("/windows.json"); !strings.Contains(body, `"advisory":true`) {
		t.Error(body)
	}
	c.freezes[0].Spec.Enforcement, c.freezes[0].Generation = v1alpha1.Deny, 2
	c.changed()
	if body := c.get("/sv/"); !strings.Contains(body, "inga störande") || strings.Contains(body, "men stoppas inte") {
		t.Error("one that refuses is announced as one that warns")
	}
}

// TestFeedIsTheCalendar: through both daylight-saving switches, after an exclusion is added and a date is moved, the feed has
// exactly the occurrences of kubectl window calendar, and says what became of the others.
func TestFeedIsTheCalendar(t *testing.T) {
	second := v1alpha1.Schedule{Cron: new("30 1 * * 0"), Duration: &metav1.Duration{Duration: 2 * time.Hour}} // ends at the second 02:30 of 25 October
	nights := v1alpha1.Schedule{RRule: new("FREQ=WEEKLY;BYDAY=SA,SU"), StartTime: new("02:30"), EndTime: new("04:30")}
	days := v1alpha1.Schedule{Dates: []string{"2026-05-16", "2026-05-23", "2026-06-06", "2026-06-13"}, StartTime: new("09:00"), EndTime: new("20:00")}
	abroad := window("abroad", v1alpha1.Schedule{RRule: new("FREQ=MONTHLY;BYDAY=1SU"), StartTime: new("01:30"), EndTime: new("24:00")})
	abroad.Spec.TimeZone = "America/New_York"
	urgent := window("urgent", v1alpha1.Schedule{Dates: []string{"2026-05-05"}, StartTime: new("18:00"), EndTime: new("21:00")})
	urgent.Spec.Class = v1alpha1.Emergency
	c := newCluster(t, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), window("second", second), window("nights", nights), window("days", days), abroad, urgent)
	c.freezes = []v1alpha1.ChangeFreeze{
		freeze("vote", "Val", "other", "2026-05-17"),
		freeze("wholly", "Kongress", "days", "2026-06-13"),
		freeze("partly", "Midsommar", "nights", "2026-06-19", "2026-06-20", "2026-06-21"),
		freeze("warns", "Bokslut", "second", "2026-05-02", "2026-05-03"),
		freeze("stop", "Tills vidare", "other"),
	}
	c.freezes[2].Spec.Schedules[0].EndTime = new("03:00")
	c.freezes[3].Spec.Enforcement = v1alpha1.Warn
	c.freezes[4].Spec.Schedules = nil
	c.changed()
	c.compare("at first")
	frozen := 0
	for _, e := range c.events("/en/calendar.ics") {
		if e.Cancelled {
			frozen++
		}
	}
	if frozen != 1 {
		t.Errorf("%d occurrences are cancelled by freezes, want that of 13 June", frozen)
	}

	byStart := func(events []event, name string) map[string]event {
		found := map[string]event{}
		for _, e := range events {
			if strings.Contains(e.UID, "-"+name+"@") {
				found[e.Start.Format(time.DateOnly)] = e
			}
		}
		return found
	}
	before := c.events("/sv/calendar.ics")
	if e := byStart(before, "days")["2026-05-23"]; e.Sequence != 0 || e.Alarms != 1 || e.Categories != "maintenance-window planned " || e.Title != "Fönster, days; \\ \"så\"" {
		t.Errorf("a planned window: %+v", e)
	}
	if e := byStart(before, "urgent")["2026-05-05"]; e.Alarms != 0 || e.Categories != "maintenance-window emergency " || !strings.HasPrefix(e.Title, "Akut arbete: ") {
		t.Errorf("an emergency: %+v", e)
	}

	c.windows[1].Spec.Exclusions = []v1alpha1.Exclusion{{Schedule: v1alpha1.Schedule{Dates: []string{"2026-03-29"}, StartTime: new("00:00"), EndTime: new("24:00")}}}
	c.windows[1].Generation++
	c.changed()
	c.compare("after an exclusion")

	days.Dates = []string{"2026-05-16", "2026-05-24", "2026-06-06", "2026-06-13"}
	c.windows[2].Spec.Schedules = []v1alpha1.Schedule{days}
	c.windows[2].Generation++
	c.changed()
	c.compare("after a date was moved")

	after := c.events("/sv/calendar.ics")
	nightly, daily := byStart(after, "nights"), byStart(after, "days")
	if e := nightly["2026-03-29"]; !e.Cancelled || e.Sequence != 1 || e.Alarms != 0 || !strings.HasPrefix(e.Title, "Inställt: ") {
		t.Errorf("the excluded day: %+v", e)
	}
	if e := daily["2026-05-23"]; !e.Cancelled || e.Sequence != 1 || e.UID != byStart(before, "days")["2026-05-23"].UID {
		t.Errorf("the moved day: %+v", e)
	}
	if e := daily["2026-05-24"]; e.Cancelled || e.Sequence != 1 {
		t.Errorf("the new day: %+v", e)
	}
	if e := daily["2026-06-06"]; e.Cancelled || e.UID != byStart(before, "days")["2026-06-06"].UID {
		t.Errorf("the day that stays has another UID: %+v", e)
	}
	c.now = time.Date(2026, 5, 16, 10, 0, 0, 0, time.UTC)
	closed := c.windows[2].DeepCopy()
	closed.Annotations = map[string]string{v1alpha1.ClosedAnnotation: compile.Closing(time.Date(2026, 5, 16, 7, 0, 0, 0, time.UTC), time.Date(2026, 5, 16, 18, 0, 0, 0, time.UTC))}
	c.windows[2] = *closed
	c.changed()
	c.compare("after one was closed at its first second")
	if e := byStart(c.events("/sv/calendar.ics"), "days")["2026-05-16"]; !e.Cancelled || e.Sequence != 2 {
		t.Errorf("closed at its first second: %+v", e)
	}
	closed = closed.DeepCopy()
	closed.Annotations = nil
	c.windows[2] = *closed
	c.changed()
	c.compare("after it was opened again")
	closed = closed.DeepCopy()
	closed.Annotations = map[string]string{v1alpha1.ClosedAnnotation: compile.Closing(time.Date(2026, 5, 16, 10, 2, 0, 0, time.UTC), time.Date(2026, 5, 16, 18, 0, 0, 0, time.UTC))}
	c.windows[2] = *closed
	c.changed()
	c.compare("after it was closed in its midst")

	if e := byStart(after, "second")["2026-05-10"]; e.Sequence != 0 {
		t.Errorf("a window that did not change: %+v", e)
	}
	seen := map[string]bool{}
	for _, e := range after {
		if seen[e.UID] {
			t.Errorf("%s occurs twice", e.UID)
		}
		seen[e.UID] = true
	}
}

// TestFeedsStaySmall: 1,000 windows, 50 audiences.
func TestFeedsStaySmall(t *testing.T) {
	var windows []v1alpha1.MaintenanceWindow
	for i := range 1000 {
		w := window(fmt.Sprintf("w%03d", i), v1alpha1.Schedule{RRule: new("FREQ=WEEKLY;BYDAY=SA,SU"), StartTime: new("09:00"), EndTime: new("20:00")})
		w.Spec.Description = strings.Repeat(`<"&;`, 500) // each takes more where it is escaped
		w.Spec.Audiences = []string{fmt.Sprintf("a%02d", i%50)}
		windows = append(windows, w)
	}
	c := newCluster(t, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), windows...)
	for _, path := range []string{"/sv/", "/sv/calendar.ics", "/sv/feed.atom", "/sv/windows.json", "/sv/a07/", "/sv/a07/calendar.ics"} {
		started := time.Now()
		if n := len(c.get(path)); n > 1_000_000 || n < 1000 {
			t.Errorf("%s has %d bytes", path, n)
		}
		t.Logf("%s: %d bytes in %s", path, len(c.get(path)), time.Since(started).Round(time.Millisecond))
	}
}

// TestWhatComesFirstStays: of 1,000 windows that open each night the documents have no room for all. What is open stays, then what
// comes next, and what is over goes first.
func TestWhatComesFirstStays(t *testing.T) {
	var windows []v1alpha1.MaintenanceWindow
	for i := range 1000 {
		w := window(fmt.Sprintf("w%03d", i), v1alpha1.Schedule{RRule: new("FREQ=DAILY"), StartTime: new("22:00"), EndTime: new("04:00")})
		w.Spec.Description = strings.Repeat("<å>;", 30+i%50)
		w.Spec.Audiences = []string{fmt.Sprintf("a%02d", i%50)}
		windows = append(windows, w)
	}
	long := window("long", v1alpha1.Schedule{Cron: new("0 0 1 2 *"), Duration: &metav1.Duration{Duration: 744 * time.Hour}}) // open since 1 February
	c := newCluster(t, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), append(windows, long)...)
	tonight := time.Date(2026, 3, 1, 21, 0, 0, 0, time.UTC)
	for _, path := range []string{"/sv/", "/sv/a07/"} {
		want := map[string]int{"/sv/": 250, "/sv/a07/": 900}[path] // an audience has all windows of far more nights
		open, last := false, tonight
		events := c.events(path + "calendar.ics")
		for _, e := range events {
			open = open || strings.Contains(e.UID, "-long@")
			if !e.End.After(c.now) {
				t.Fatalf("%s: %s is over, and what is to come had no room", path, e.UID)
			}
			if e.Start.After(last) {
				last = e.Start
			}
		}
		if !open || len(events) < want {
			t.Errorf("%s: the open one is there: %t; %d events, want %d", path, open, len(events), want)
		}
		if path == "/sv/" && !last.Equal(tonight) {
			t.Errorf("%s: the calendar goes on to %s, while not all of the next night have room", path, last)
		}
		body := c.get(path + "windows.json")
		var document struct {
			Occurrences []struct {
				Name, State string
				Start       time.Time
			}
			Truncated bool
		}
		if err := json.Unmarshal([]byte(body), &document); err != nil {
			t.Fatal(err)
		}
		starts := map[string]bool{}
		for i, o := range document.Occurrences {
			starts[o.Name+o.State] = true
			if o.State == "past" || i > 0 && o.Start.Before(document.Occurrences[i-1].Start) {
				t.Fatalf("%s: %+v", path, o)
			}
		}
		if !document.Truncated || !starts["longopen"] || len(document.Occurrences) < want || len(body) > 1_000_000 {
			t.Errorf("%s: %d occurrences in %d bytes, truncated: %t", path, len(document.Occurrences), len(body), document.Truncated)
		}
	}
	if body := c.get("/sv/"); !strings.Contains(body, `<tr class="open"><td`) || strings.Contains(body, `<details class="over">`) {
		t.Error("the list has what is over, and not what is to come")
	}
}

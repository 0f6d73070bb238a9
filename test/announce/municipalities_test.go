package announce

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/announce"
	"fonster.dev/fonster/internal/announce/web"
	"fonster.dev/fonster/internal/compile"
)

const (
	clusterID = "0e9b7f1a-2f0c-4f0e-9a53-5d1c3c1a8b11"
	address   = "https://servicefonster.example.se/"
)

var municipalities = []string{"alvkarleby", "heby", "knivsta", "osthammar", "tierp"}

// region is a year of five municipalities: common windows, nights, moves, freezes whole and in part, an emergency window, and emergency
// work in one of them.
func region(t *testing.T) *cluster {
	nights := window("nights", v1alpha1.Schedule{RRule: new("FREQ=WEEKLY;BYDAY=TU,TH"), StartTime: new("22:00"), EndTime: new("04:00")})
	nights.Spec.Audiences = []string{"knivsta"}
	common := window("common", v1alpha1.Schedule{Dates: []string{"2026-06-13", "2026-06-14", "2026-09-26", "2026-12-05"}, StartTime: new("09:00"), EndTime: new("20:00")})
	moved := window("moved", v1alpha1.Schedule{Dates: []string{"2026-05-13", "2026-05-15"}, StartTime: new("09:00"), EndTime: new("20:00")})
	moved.Spec.Audiences = []string{"heby", "tierp"}
	second := window("second", v1alpha1.Schedule{Cron: new("30 1 * * 0"), Duration: &metav1.Duration{Duration: 2 * time.Hour}}) // over the second 02:30 of 25 October
	second.Spec.Audiences = []string{"osthammar"}
	urgent := window("urgent", v1alpha1.Schedule{Dates: []string{"2026-03-05"}, StartTime: new("18:00"), EndTime: new("21:00")})
	urgent.Spec.Class, urgent.Spec.Audiences = v1alpha1.Emergency, []string{"alvkarleby"}
	open := window("open", v1alpha1.Schedule{Dates: []string{"2026-03-01"}, StartTime: new("09:00"), EndTime: new("20:00")})
	open.Spec.Audiences = []string{"tierp"}
	c := newCluster(t, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), nights, common, moved, second, urgent, open)
	c.freezes = []v1alpha1.ChangeFreeze{freeze("wholly", "Kongress", "common", "2026-06-13"), freeze("partly", "Val", "nights", "2026-06-02", "2026-06-03")}
	c.freezes[1].Spec.Schedules[0].EndTime = new("01:00")
	var audiences []web.Audience
	for _, name := range municipalities {
		audiences = append(audiences, web.Audience{Name: name, Title: strings.ToUpper(name[:1]) + name[1:]})
	}
	var cache compile.Cache
	c.pages = web.New(func(context.Context) (announce.Input, error) {
		return announce.Input{
			Compiled: cache.Compile(c.windows, c.freezes), Windows: c.windows, Freezes: c.freezes, Records: c.records, FreezeRecords: c.frozen,
			Work: announce.WorkOf(c.windows), Cluster: clusterID,
		}, nil
	}, func() time.Time { return c.now }, web.Options{Audiences: audiences, URL: address})
	c.changed()
	c.now = c.now.Add(time.Hour)            // what was announced is known
	c.windows[2] = *c.windows[2].DeepCopy() // the record has the old one
	c.windows[2].Spec.Schedules[0].Dates[0] = "2026-05-20"
	c.windows[2].Generation++
	c.windows[4].Spec.Schedules = append(c.windows[4].Spec.Schedules, v1alpha1.Schedule{Dates: []string{"2026-03-06"}, StartTime: new("18:00"), EndTime: new("21:00")})
	c.windows[4].Generation++
	c.windows[5].Annotations = map[string]string{v1alpha1.ClosedAnnotation: compile.Closing(c.now.Add(time.Minute), c.now.Add(12*time.Hour))}
	c.windows[1].Status.Overrides = []v1alpha1.OverrideRecord{{
		Object: "Deployment heby/web", Reason: "INC-1 hemligt", Notice: "E-posten startas om.", From: metav1.NewTime(c.now), Until: metav1.NewTime(c.now.Add(time.Hour)),
	}}
	c.changed()
	c.now = c.now.Add(10 * time.Minute)
	c.changed()
	return c
}

// document is the part of windows.json that is compared.
type document struct {
	Version                 int
	GeneratedAt, ValidUntil time.Time
	Cluster, Audience       string
	Truncated               bool
	Occurrences             []struct {
		UID, Kind, Name, State string
		Start, End, EndedAt    time.Time
		Frozen                 []struct{ Start, End time.Time }
		Sequence               int
	}
}

// TestSixCalendars: of everybody and of each municipality the calendar has, by a parser that did not write it, the very instants of
// windows.json, and in both languages the same.
func TestSixCalendars(t *testing.T) {
	c := region(t)
	states := map[string]int{}
	for _, audience := range append([]string{""}, municipalities...) {
		folder := strings.TrimPrefix(audience+"/", "/")
		var data document
		if err := json.Unmarshal([]byte(c.get("/"+folder+"windows.json")), &data); err != nil {
			t.Fatal(err)
		}
		if data.Version != 1 || !data.GeneratedAt.Equal(c.now) || !data.ValidUntil.After(c.now) || data.Cluster != clusterID || data.Audience != audience || data.Truncated {
			t.Errorf("%s: %+v", folder, data)
		}
		var want []string
		for _, o := range data.Occurrences {
			states[o.State]++
			if o.Start.IsZero() || o.End.IsZero() {
				t.Fatalf("%s: %+v has no place in a calendar", folder, o)
			}
			end, cancelled := o.End, o.State == "cancelled" || o.State == "moved"
			if o.State == "ended-early" {
				end = o.EndedAt
			}
			if len(o.Frozen) == 1 && !o.Frozen[0].Start.After(o.Start) && !o.Frozen[0].End.Before(o.End) {
				cancelled = true
			}
			want = append(want, fmt.Sprint(line(o.UID, o.Start, end, cancelled), o.Sequence))
			if !strings.Contains(o.UID, clusterID) {
				t.Errorf("%s: the UID %s is the same in every cluster", folder, o.UID)
			}
		}
		slices.Sort(want)
		for _, language := range []string{"sv", "en"} {
			var got []string
			for _, e := range c.events("/" + language + "/" + folder + "calendar.ics") {
				got = append(got, fmt.Sprint(line(e.UID, e.Start, e.End, e.Cancelled), e.Sequence))
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s%s: the calendar has\n%s\nwindows.json\n%s", language, folder, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		t.Logf("%-11s %d occurrences, %d events", folder, len(data.Occurrences), len(want))
	}
	for _, state := range []string{"upcoming", "open", "frozen", "moved", "ended-early"} {
		if states[state] == 0 {
			t.Errorf("no occurrence is %s: %v", state, states)
		}
	}
}

// TestWhoSubscribes: a calendar is in the language of the page that links to it, everybody's says whom an event concerns, links lead to
// the page, and nobody is reminded each night.
func TestWhoSubscribes(t *testing.T) {
	c := region(t)
	for path, link := range map[string]string{
		"/sv/heby/": `href="../../sv/heby/calendar.ics"`, "/heby/": `href="../en/heby/calendar.ics"`, "/": `href="./en/calendar.ics"`, "/sv/": `href="../sv/calendar.ics"`,
	} {
		if body := c.get(path); strings.Count(body, link) != 2 {
			t.Errorf("%s does not link to %s:\n%s", path, link, body)
		}
	}
	calendar := strings.ReplaceAll(c.get("/sv/calendar.ics"), "\r\n ", "")
	for _, says := range []string{"(Heby\\, Tierp)", "(Alvkarleby)", "URL:" + address + "sv/\r\n"} {
		if !strings.Contains(calendar, says) {
			t.Errorf("everybody's calendar does not say %q", says)
		}
	}
	if own := c.get("/sv/heby/calendar.ics"); strings.Contains(own, "(Heby") || !strings.Contains(own, "URL:"+address+"sv/heby/\r\n") {
		t.Error("Heby's own calendar says whom its events concern, or does not link to its page")
	}
	alarms := map[string]int{}
	for _, e := range c.events("/sv/calendar.ics") {
		_, name, _ := strings.Cut(e.UID, "Z-")
		name, _, _ = strings.Cut(name, "@")
		alarms[name] += e.Alarms
	}
	if alarms["nights"] > 1 || alarms["second"] < 50 || alarms["common"] != 2 || alarms["urgent"] != 0 {
		t.Errorf("reminders: %v", alarms)
	}
	feed := c.get("/sv/heby/feed.atom")
	for _, says := range []string{
		`<id>tag:fonster.dev,2026:` + clusterID + `/announcements/heby</id>`, `rel="self" type="application/atom+xml" href="` + address + `sv/heby/feed.atom"`,
		`<link rel="alternate" type="text/html" href="` + address + `sv/heby/"></link><content type="html">`, "&lt;li&gt;",
	} {
		if !strings.Contains(feed, says) {
			t.Errorf("the feed does not have %q:\n%s", says, feed)
		}
	}
	if strings.Contains(feed, "hemligt") || strings.Contains(calendar, "hemligt") {
		t.Error("the reason of an override is told")
	}
}

// Package browser tests the page in headless Chromium. It is a module of its own, so that what drives a browser stays out of
// the operator's dependencies.
package browser

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/announce"
	"fonster.dev/fonster/internal/announce/web"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/history"
)

// Site is the page over objects and a clock that tests set.
type Site struct {
	*httptest.Server

	mu      sync.Mutex
	now     time.Time
	windows []v1alpha1.MaintenanceWindow
	freezes []v1alpha1.ChangeFreeze
	records map[string]*history.Record
	work    []announce.Work
	pages   *web.Server
}

// Stockholm is the zone of every sample.
var Stockholm = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Stockholm")
	if err != nil {
		panic(err)
	}
	return zone
}()

// At is an instant of 2026, in Swedish time.
func At(month time.Month, day, hour, minute int) time.Time {
	return time.Date(2026, month, day, hour, minute, 0, 0, Stockholm)
}

// namespaces are those of five municipalities.
var namespaces = map[string]map[string]string{
	"heby": {"kommun": "heby"}, "knivsta": {"kommun": "knivsta"}, "tierp-web": {"kommun": "tierp"}, "alvkarleby": {"kommun": "alvkarleby"}, "osthammar": {"kommun": "osthammar"},
}

// NewSite serves what is announced at now.
func NewSite(now time.Time) *Site {
	s := &Site{now: now, records: map[string]*history.Record{}}
	var cache compile.Cache
	load := func(context.Context) (announce.Input, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return announce.Input{
			Compiled: cache.Compile(s.windows, s.freezes), Windows: s.windows, Freezes: s.freezes, Records: s.records, Work: s.work,
			Namespaces: namespaces,
		}, nil
	}
	s.pages = web.New(load, s.clock, web.Options{Audiences: []web.Audience{
		{Name: "alvkarleby", Title: "Älvkarleby"}, {Name: "heby", Title: "Heby"}, {Name: "knivsta", Title: "Knivsta"},
		{Name: "osthammar", Title: "Östhammar"}, {Name: "tierp", Title: "Tierp"},
	}, AudienceLabel: "kommun", Language: "sv", Organisation: "IT-Centrum", Link: "https://it-centrum.example.se", Contact: "IT-Centrum, 0174-123 45, it@example.se"})
	s.Server = httptest.NewServer(s.pages)
	return s
}

func (s *Site) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Step sets the clock.
func (s *Site) Step(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

// Window adds a window over dates; change may be nil.
func (s *Site) Window(name, title string, change func(*v1alpha1.MaintenanceWindow), dates ...string) {
	mw := v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1, CreationTimestamp: metav1.NewTime(At(time.January, 7, 10, 0))},
		Spec: v1alpha1.MaintenanceWindowSpec{
			Title: title, Description: "Störningar kan förekomma i de flesta system.", TimeZone: "Europe/Stockholm",
			Schedules:         []v1alpha1.Schedule{{Dates: dates, StartTime: new("09:00"), EndTime: new("20:00")}},
			NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "kommun", Operator: metav1.LabelSelectorOpExists}}},
		},
	}
	if change != nil {
		change(&mw)
	}
	s.mu.Lock()
	s.windows = append(s.windows, mw)
	s.mu.Unlock()
	s.pages.Changed()
}

// Freeze adds a freeze over whole dates and every namespace.
func (s *Site) Freeze(name, reason string, dates ...string) {
	s.mu.Lock()
	s.freezes = append(s.freezes, v1alpha1.ChangeFreeze{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1, CreationTimestamp: metav1.NewTime(At(time.January, 7, 10, 0))},
		Spec: v1alpha1.ChangeFreezeSpec{
			Reason: reason, TimeZone: "Europe/Stockholm", NamespaceSelector: &metav1.LabelSelector{},
			Schedules: []v1alpha1.Schedule{{Dates: dates, StartTime: new("00:00"), EndTime: new("24:00")}},
		},
	})
	s.mu.Unlock()
	s.pages.Changed()
}

// Work sets the emergency work.
func (s *Site) Work(work ...announce.Work) {
	s.mu.Lock()
	s.work = work
	s.mu.Unlock()
	s.pages.Changed()
}

// Withdrawn adds the record of a window that was deleted, with the day that it was to be.
func (s *Site) Withdrawn(name, title string, withdrawn ...history.Withdrawn) {
	for i := range withdrawn {
		withdrawn[i].Title, withdrawn[i].TimeZone = title, "Europe/Stockholm"
	}
	s.mu.Lock()
	s.records[name] = &history.Record{Window: name, Sequence: 1, ChangedAt: withdrawn[0].At, Withdrawn: withdrawn}
	s.mu.Unlock()
	s.pages.Changed()
}

// Stopped adds a freeze without end, in every namespace.
func (s *Site) Stopped(name, reason string, made time.Time) {
	s.mu.Lock()
	s.freezes = append(s.freezes, v1alpha1.ChangeFreeze{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1, CreationTimestamp: metav1.NewTime(made)},
		Spec:       v1alpha1.ChangeFreezeSpec{Reason: reason, TimeZone: "Europe/Stockholm", NamespaceSelector: &metav1.LabelSelector{}},
	})
	s.mu.Unlock()
	s.pages.Changed()
}

// Notice fills a site with IT-Centrum's notice, moved to this year: the windows of five municipalities, and a Christmas freeze.
func (s *Site) Notice() {
	s.Window("gemensamma", "Gemensamma servicefönster", func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Titles = map[string]v1alpha1.Title{"en": "Common maintenance windows"}
		mw.Spec.Descriptions = map[string]v1alpha1.Description{"en": "Most systems may be disturbed."}
		mw.Spec.Schedules = append(mw.Spec.Schedules, v1alpha1.Schedule{
			RRule: new("FREQ=MONTHLY;BYDAY=3SA"), StartDate: new("2027-01-01"), StartTime: new("09:00"), EndTime: new("20:00"),
		})
		mw.Spec.Exclusions = []v1alpha1.Exclusion{{
			Schedule: v1alpha1.Schedule{Dates: []string{"2027-04-17"}, StartTime: new("00:00"), EndTime: new("24:00")}, Reason: "Nationella prov",
		}}
	}, "2026-12-05", "2026-12-06", "2026-12-19")
	for _, k := range []struct{ name, title, system, day, weekday string }{
		{"heby", "Heby", "E-post", "2027-02-10", "MO"}, {"knivsta", "Knivsta", "Ekonomi", "2027-02-11", "TU"}, {"osthammar", "Östhammar", "Ärendehantering", "2026-12-09", "WE"},
		{"tierp", "Tierp", "Schema", "2027-03-16", "TH"}, {"alvkarleby", "Älvkarleby", "Telefoni", "2027-03-17", "FR"},
	} {
		s.Window(k.name, "Servicefönster "+k.title, func(mw *v1alpha1.MaintenanceWindow) {
			mw.Spec.Audiences, mw.Spec.Systems, mw.Spec.Description = []string{k.name}, []string{k.system}, ""
			mw.Spec.Schedules[0].StartTime, mw.Spec.Schedules[0].EndTime = new("18:00"), new("21:00")
			mw.Spec.Schedules = append(mw.Spec.Schedules, v1alpha1.Schedule{
				RRule: new("FREQ=MONTHLY;BYDAY=2" + k.weekday), StartDate: new("2026-12-01"), StartTime: new("18:00"), EndTime: new("21:00"),
			})
		}, k.day)
	}
	s.Freeze("jul", "Julfrys, inga ändringar", "2026-12-21", "2026-12-22", "2026-12-23", "2026-12-24", "2026-12-25", "2026-12-26", "2026-12-27", "2026-12-28", "2026-12-29", "2026-12-30", "2026-12-31")
}

// Moved adds an upgrade in one municipality that was moved.
func (s *Site) Moved() {
	s.Window("uppgradering", "Uppgradering av ärendesystemet", func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Audiences, mw.Spec.Description, mw.Spec.Systems = []string{"alvkarleby"}, "Ärendesystemet är otillgängligt i omkring en timme.\nFrågor och svar: https://intranet.example.se/uppgradering.", []string{"Ärendehantering"}
		mw.Spec.Schedules[0].StartTime, mw.Spec.Schedules[0].EndTime = new("18:00"), new("21:00")
	}, "2026-12-03")
	to := At(time.December, 3, 18, 0)
	s.Withdrawn("uppgradering", "Uppgradering av ärendesystemet", history.Withdrawn{
		Start: At(time.December, 1, 18, 0), End: At(time.December, 1, 21, 0), At: At(time.November, 20, 10, 0), MovedTo: &to, Audiences: []string{"alvkarleby"},
	})
}

// Thirty adds thirty monthly windows.
func (s *Site) Thirty() {
	kommuner := []string{"heby", "knivsta", "tierp", "alvkarleby", "osthammar"}
	for i := range 30 {
		s.Window(fmt.Sprintf("system-%02d", i+1), fmt.Sprintf("Underhåll av system %d", i+1), func(mw *v1alpha1.MaintenanceWindow) {
			mw.Spec.Audiences, mw.Spec.Description = []string{kommuner[i%5]}, ""
			mw.Spec.Schedules = []v1alpha1.Schedule{{
				RRule: new(fmt.Sprintf("FREQ=MONTHLY;BYMONTHDAY=%d", i%28+1)), StartDate: new("2026-11-01"), StartTime: new("18:00"), EndTime: new("21:00"),
			}}
		})
	}
}

// Everything fills a site with one of each thing that a page can show; the common window is open on 5 December 2026.
func (s *Site) Everything() {
	s.Window("gemensamma", "Gemensamma servicefönster 2026", func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Cutoff = &metav1.Duration{Duration: 30 * time.Minute}
	}, "2026-02-14", "2026-02-15", "2026-06-13", "2026-06-14", "2026-09-26", "2026-09-27", "2026-12-05", "2026-12-06", "2026-12-24", "2027-03-20")
	s.Window("osthammar", "Servicefönster Östhammar", func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Audiences = []string{"osthammar"} },
		"2026-05-14", "2026-05-16", "2026-11-14", "2026-12-12")
	s.Window("natt", "Nattfönster", func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Schedules[0].StartTime, mw.Spec.Schedules[0].EndTime = new("22:00"), new("04:00")
		mw.Spec.Audiences = []string{"heby", "tierp"}
	}, "2026-10-24", "2026-12-19", "2027-03-27")
	s.Window("akut", "Säkerhetsuppdatering av inloggningen", func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Class = v1alpha1.Emergency
		mw.Spec.Description = "Inloggningen kan vara långsam."
		mw.Spec.Schedules[0].StartTime, mw.Spec.Schedules[0].EndTime = new("18:00"), new("21:00")
	}, "2026-12-02", "2026-12-09")
	s.Freeze("jul", "Julfrys", "2026-12-23", "2026-12-24", "2026-12-25")
	moved := At(time.December, 12, 9, 0)
	s.Withdrawn("extra", "Extra servicefönster",
		history.Withdrawn{Start: At(time.December, 1, 9, 0), End: At(time.December, 1, 20, 0), At: At(time.December, 1, 15, 20), Early: true},
		history.Withdrawn{Start: At(time.November, 29, 9, 0), End: At(time.November, 29, 20, 0), At: At(time.November, 20, 10, 0)},
		history.Withdrawn{Start: At(time.December, 8, 9, 0), End: At(time.December, 8, 20, 0), At: At(time.November, 21, 10, 0), MovedTo: &moved})
}

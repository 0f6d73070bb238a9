// Package browser tests the page in headless Chromium. It is a module of its own, so that what drives a browser stays out of
// the operator's dependencies.
package browser

import (
	"context"
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

// NewSite serves what is announced at now.
func NewSite(now time.Time) *Site {
	s := &Site{now: now, records: map[string]*history.Record{}}
	var cache compile.Cache
	load := func(context.Context) (announce.Input, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return announce.Input{
			Compiled: cache.Compile(s.windows, s.freezes), Windows: s.windows, Freezes: s.freezes, Records: s.records, Work: s.work,
		}, nil
	}
	s.pages = web.New(load, s.clock, web.Options{Audiences: []web.Audience{
		{Name: "alvkarleby", Title: "Älvkarleby"}, {Name: "heby", Title: "Heby"}, {Name: "knivsta", Title: "Knivsta"},
		{Name: "osthammar", Title: "Östhammar"}, {Name: "tierp", Title: "Tierp"},
	}})
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
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": name}},
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

// Everything fills a site with one of each thing that a page can show; the common window is open on 5 December 2026.
func (s *Site) Everything() {
	s.Window("gemensamma", "Gemensamma servicefönster 2026", func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Cutoff = &metav1.Duration{Duration: 30 * time.Minute}
	}, "2026-02-14", "2026-02-15", "2026-06-13", "2026-06-14", "2026-09-26", "2026-09-27", "2026-12-05", "2026-12-06", "2026-12-24")
	s.Window("osthammar", "Servicefönster Östhammar", func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Audiences = []string{"osthammar"} },
		"2026-05-14", "2026-05-16", "2026-11-14", "2026-12-12")
	s.Window("natt", "Nattfönster", func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Schedules[0].StartTime, mw.Spec.Schedules[0].EndTime = new("22:00"), new("04:00")
		mw.Spec.Audiences = []string{"heby", "tierp"}
	}, "2026-03-28", "2026-10-24", "2026-12-19")
	s.Window("akut", "Säkerhetsuppdatering av inloggningen", func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Class = v1alpha1.Emergency
		mw.Spec.Description = "Inloggningen kan vara långsam."
		mw.Spec.Schedules[0].StartTime, mw.Spec.Schedules[0].EndTime = new("18:00"), new("21:00")
	}, "2026-04-21", "2026-12-09")
	s.Freeze("jul", "Julfrys", "2026-12-23", "2026-12-24", "2026-12-25")
	moved := At(time.December, 12, 9, 0)
	s.Withdrawn("extra", "Extra servicefönster",
		history.Withdrawn{Start: At(time.November, 7, 9, 0), End: At(time.November, 7, 20, 0), At: At(time.November, 7, 15, 20), Early: true},
		history.Withdrawn{Start: At(time.November, 29, 9, 0), End: At(time.November, 29, 20, 0), At: At(time.November, 20, 10, 0)},
		history.Withdrawn{Start: At(time.December, 8, 9, 0), End: At(time.December, 8, 20, 0), At: At(time.November, 21, 10, 0), MovedTo: &moved})
}

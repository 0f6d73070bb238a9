package schedule

import (
	"archive/zip"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// least is how many cases there are to be: with -short, where the race detector makes each ten times as slow, a tenth.
func least(cases int) int {
	if testing.Short() {
		return cases / 10
	}
	return cases
}

// allZones are those of the zone database, by the names in testdata/zones.txt; with -short every tenth.
func allZones(t *testing.T) map[string]*time.Location {
	t.Helper()
	zones := map[string]*time.Location{}
	for n, name := range zoneNames(t) {
		if n%10 != 0 && testing.Short() {
			continue
		}
		loc, err := loadZone(name)
		if err != nil {
			t.Fatalf("loadZone(%q): %v", name, err)
		}
		zones[name] = loc
	}
	return zones
}

// zoneNames are those of testdata/zones.txt.
func zoneNames(t *testing.T) []string {
	t.Helper()
	content, err := os.ReadFile("testdata/zones.txt")
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Fields(string(content))
	if len(names) < 590 {
		t.Fatalf("only %d zones in testdata/zones.txt", len(names))
	}
	return names
}

// change is an instant at which a zone's offset changes, found without ZoneBounds: by looking every six hours, then
// halving.
type change struct{ at, before, after int64 }

func changes(loc *time.Location, fromYear, toYear int) []change {
	var out []change
	begin := time.Date(fromYear, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	end := time.Date(toYear, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	before := offsetAt(begin, loc)
	for t := begin; t < end; t += 6 * 3600 {
		after := offsetAt(t+6*3600, loc)
		if after == before {
			continue
		}
		lo, hi := t, t+6*3600
		for hi-lo > 1 {
			if mid := (lo + hi) / 2; offsetAt(mid, loc) == before {
				lo = mid
			} else {
				hi = mid
			}
		}
		out = append(out, change{hi, before, offsetAt(hi, loc)})
		before = after
	}
	return out
}

// film is the oracle: what a clock on the wall shows in every minute of a stretch of time, without any idea of
// transitions.
type film struct {
	begin  int64
	frames []int64 // local seconds at begin + 60*i
}

func shoot(loc *time.Location, begin, end int64) film {
	f := film{begin: begin - begin%60}
	for t := f.begin; t < end; t += 60 {
		f.frames = append(f.frames, t+offsetAt(t, loc))
	}
	return f
}

// resolve finds the first frame that shows the wall-clock time. When none does, the clock has jumped over it: then it is
// as long after the jump as it would be had the clock gone on.
func (f film) resolve(wall int64) int64 {
	sec := ((wall % 60) + 60) % 60
	minute := wall - sec
	for i, shown := range f.frames {
		if shown == minute {
			return f.begin + int64(i)*60 + sec
		}
	}
	for i := 1; i < len(f.frames); i++ {
		if f.frames[i-1] < minute && minute < f.frames[i] {
			return f.begin + int64(i-1)*60 + (wall - f.frames[i-1])
		}
	}
	panic("the film does not reach so far")
}

func TestResolveAgreesWithTheClockOnTheWallInEveryZone(t *testing.T) {
	t.Parallel()
	zones := allZones(t)
	// The system's data, where there is any, has other tables; what it says of the time must not differ in kind.
	for name := range zones {
		if data, err := os.ReadFile(filepath.Join("/usr/share/zoneinfo", name)); err == nil {
			loc, err := time.LoadLocationFromTZData(name, data)
			if err != nil {
				t.Fatal(name, err)
			}
			zones[name+" (system)"] = loc
		}
	}
	var total, times, dateDiffers int
	for name, loc := range zones {
		for _, c := range changes(loc, 1990, 2041) {
			total++
			jump := c.after - c.before
			size := max(jump, -jump)
			f := shoot(loc, c.at-size-4*3600, c.at+size+4*3600)
			low, high := c.at+min(c.before, c.after), c.at+max(c.before, c.after)
			for _, wall := range []int64{
				low - 5400, low - 60, low - 1, low, low + 1, low + 60, low + size/4, low + size/2,
				high - 60, high - 1, high, high + 1, high + 60, high + 5400,
			} {
				times++
				got, want := newClock(loc).resolve(wall), f.resolve(wall)
				if got != want {
					t.Fatalf("%s: resolve(%s) = %s, want %s", name, wallText(wall), instantText(got, loc), instantText(want, loc))
				}
				w := time.Unix(wall, 0).UTC()
				if time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), 0, loc).Unix() != want {
					dateDiffers++
				}
			}
		}
	}
	if total < least(10_000) {
		t.Errorf("only %d changes of offset found", total)
	}
	t.Logf("%d changes of offset, %d wall-clock times; time.Date reads %d of them otherwise", total, times, dateDiffers)
}

// A segment must hold the instant asked for, and no change of offset inside. ZoneBounds fails both with embedded data: on
// 31 December of leap years, and after the last change in a zone's table (America/Ciudad_Juarez in 2022).
func TestSegmentsHoldNoChange(t *testing.T) {
	t.Parallel()
	const day = secondsPerDay
	var checked, mended int
	for name, loc := range allZones(t) {
		all := changes(loc, 1970, 2045)
		next := 0
		for sec := int64(0); sec < int64(dayOf(2044, 1, 1))*day; sec += 3*day + 3600 {
			for next < len(all) && all[next].at <= sec {
				next++
			}
			seg := segmentAt(sec, loc)
			checked++
			if _, end := time.Unix(sec, 0).In(loc).ZoneBounds(); !end.IsZero() && end.Unix() <= sec {
				mended++
			}
			if seg.from > sec || seg.to <= sec || offsetAt(sec, loc) != seg.offset ||
				next < len(all) && seg.to > all[next].at || next > 0 && seg.from < all[next-1].at {
				t.Fatalf("%s: segment of %s is %v: offset %d", name, instantText(sec, loc), seg, offsetAt(sec, loc))
			}
		}
	}
	t.Logf("%d segments; ZoneBounds ended %d of them before they began", checked, mended)
}

func wallText(wall int64) string { return time.Unix(wall, 0).UTC().Format("2006-01-02 15:04:05") }

func instantText(sec int64, loc *time.Location) string {
	return time.Unix(sec, 0).In(loc).Format("2006-01-02 15:04:05 -0700 MST")
}

func clockText(wall int64) string { return time.Unix(wall, 0).UTC().Format("15:04:05") }

// Whole occurrences, through Parse and Between, around every change: what begins or ends in it, what lies over it, and
// what is counted in elapsed time.
func TestOccurrencesAcrossEveryChangeInEveryZone(t *testing.T) {
	t.Parallel()
	var occurrences, dropped int
	for name, loc := range allZones(t) {
		for _, c := range changes(loc, 1990, 2041) {
			size := max(c.after-c.before, c.before-c.after)
			low, high := c.at+min(c.before, c.after), c.at+max(c.before, c.after)
			f := shoot(loc, c.at-size-10*3600, c.at+size+10*3600)
			middle := (low + size/2) / 60 * 60
			for what, wall := range map[string][2]int64{
				"begins in it": {middle, high + 3600},
				"ends in it":   {low - 3600, middle},
				"lies over it": {low - 3*3600, high + 2*3600},
				"lies in it":   {low, middle},
				"begins and ends either side of the middle": {middle - 60, middle + 60},
				"begins in it, ends soon after":             {middle, high + 60},
				"ends where it ends":                        {low - 60, high},
			} {
				if size > 6*3600 {
					continue // a whole day left out or doubled: below
				}
				start, end := f.resolve(wall[0]), f.resolve(wall[1])
				day := floorDiv(wall[0], secondsPerDay)
				spec := Spec{TimeZone: name, Schedules: []Rule{{
					Dates:     []string{dateText(int(day))},
					StartTime: clockText(wall[0]), EndTime: clockText(wall[1]),
				}}}
				got := occurrencesAround(t, spec, c.at, end <= start)
				if end <= start {
					dropped++
					if len(got) > 0 {
						t.Fatalf("%s: %s %s: %v, want none", name, wallText(wall[0]), what, got)
					}
					continue
				}
				occurrences++
				if len(got) != 1 || got[0] != (span{start, end}) {
					t.Fatalf("%s: %s to %s, which %s: got %v, want %v", name, wallText(wall[0]), wallText(wall[1]), what, got, span{start, end})
				}
			}
			// Cron: the start is wall clock, the rest elapsed.
			wall := middle / 60 * 60
			w := time.Unix(wall, 0).UTC()
			if size > 6*3600 {
				continue
			}
			spec := Spec{TimeZone: name, Schedules: []Rule{{
				Cron: fmt.Sprintf("%d %d %d %d *", w.Minute(), w.Hour(), w.Day(), w.Month()), Duration: 90 * time.Minute,
			}}}
			start := f.resolve(wall)
			got := occurrencesAround(t, spec, c.at, false)
			if len(got) != 1 || got[0] != (span{start, start + 5400}) {
				t.Fatalf("%s: cron at %s: got %v, want from %d", name, wallText(wall), got, start)
			}
		}
	}
	t.Logf("%d occurrences, %d dropped because clocks go forward over them", occurrences, dropped)
}

func occurrencesAround(t *testing.T, spec Spec, at int64, mayNeverOccur bool) []span {
	t.Helper()
	s, err := Parse(spec)
	if err != nil {
		if mayNeverOccur && hasReason(err, NeverOccurs) {
			return nil
		}
		t.Fatalf("Parse(%+v): %v", spec, err)
	}
	var out []span
	for _, o := range s.Between(time.Unix(at-2*secondsPerDay, 0), time.Unix(at+2*secondsPerDay, 0)) {
		out = append(out, span{o.Start.Unix(), o.End.Unix()})
	}
	return out
}

// The list of zones is checked in, so that the tests do not depend on where Go is installed; here it is held against
// what this Go embeds.
func TestZoneListIsUpToDate(t *testing.T) {
	path := zoneArchive()
	if path == "" {
		t.Skip("no zoneinfo.zip beside go")
	}
	archive, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	names := zoneNames(t)
	for _, f := range archive.File {
		if !slices.Contains(names, f.Name) && !strings.HasSuffix(f.Name, "/") && f.Name != "Factory" {
			t.Errorf("testdata/zones.txt lacks %s", f.Name)
		}
	}
}

func TestADayLeftOut(t *testing.T) {
	// Samoa went over the date line: 2011-12-30 did not exist. What lies in it is read with the offset before: a day later
	// on the calendar there is the same instant.
	s := parse(t, Spec{TimeZone: "Pacific/Apia", Schedules: []Rule{{Dates: []string{"2011-12-30"}, StartTime: "09:00", EndTime: "20:00"}}})
	got := s.Between(time.Date(2011, 12, 28, 0, 0, 0, 0, time.UTC), time.Date(2012, 1, 3, 0, 0, 0, 0, time.UTC))
	if len(got) != 1 || got[0].Start.Format(time.RFC3339) != "2011-12-31T09:00:00+14:00" || got[0].End.Format(time.RFC3339) != "2011-12-31T20:00:00+14:00" {
		t.Errorf("got %v", got)
	}
}

func TestZonesRefused(t *testing.T) {
	for _, name := range []string{
		"", "Local", "local", "+01:00", "-0500", "UTC+1", "01:00", "Europe/Atlantis", "europe/stockholm", "Europe/Stockholm ",
		"../Europe/Stockholm", "/usr/share/zoneinfo/Europe/Stockholm", "right/Europe/Stockholm", "posix/Europe/Stockholm",
		"localtime", "Factory", "Europe", "Europe//Stockholm", "W. Europe Standard Time", "CEST", "Z",
	} {
		if loc, err := loadZone(name); err == nil {
			t.Errorf("loadZone(%q) = %v, want an error", name, loc)
		}
	}
	for _, name := range []string{"UTC", "Etc/GMT+1", "America/Argentina/Buenos_Aires", "Europe/Stockholm"} {
		if _, err := loadZone(name); err != nil {
			t.Errorf("loadZone(%q): %v", name, err)
		}
	}
}

package announce

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/gate"
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

type change func(*v1alpha1.MaintenanceWindow)

// window governs the namespaces with label team=name.
func window(name string, schedule v1alpha1.Schedule, changes ...change) v1alpha1.MaintenanceWindow {
	mw := v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1, CreationTimestamp: metav1.NewTime(at(1, 1, 0, 0))},
		Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone: "Europe/Stockholm", Schedules: []v1alpha1.Schedule{schedule}, NamespaceSelector: team(name),
		},
	}
	for _, c := range changes {
		c(&mw)
	}
	return mw
}

func freeze(name string, namespaces *metav1.LabelSelector, schedules ...v1alpha1.Schedule) v1alpha1.ChangeFreeze {
	return v1alpha1.ChangeFreeze{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("freeze-" + name), Generation: 1},
		Spec: v1alpha1.ChangeFreezeSpec{
			Reason: "because of " + name, TimeZone: "Europe/Stockholm", Schedules: schedules, NamespaceSelector: namespaces,
		},
	}
}

func team(name string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"team": name}}
}

func dates(start, end string, days ...string) v1alpha1.Schedule {
	return v1alpha1.Schedule{Dates: days, StartTime: new(start), EndTime: new(end)}
}

func rule(rrule, start, end string) v1alpha1.Schedule {
	return v1alpha1.Schedule{RRule: new(rrule), StartTime: new(start), EndTime: new(end)}
}

func cron(expression string, d time.Duration) v1alpha1.Schedule {
	return v1alpha1.Schedule{Cron: new(expression), Duration: &metav1.Duration{Duration: d}}
}

func cutoff(d time.Duration) change {
	return func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Cutoff = &metav1.Duration{Duration: d} }
}

func excluding(s v1alpha1.Schedule) change {
	return func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Exclusions = append(mw.Spec.Exclusions, v1alpha1.Exclusion{Schedule: s})
	}
}

func emergency(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Class = v1alpha1.Emergency }

func audiences(names ...string) change {
	return func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Audiences = names }
}

func input(windows []v1alpha1.MaintenanceWindow, freezes ...v1alpha1.ChangeFreeze) Input {
	var cache compile.Cache
	return Input{Compiled: cache.Compile(windows, freezes), Windows: windows, Freezes: freezes}
}

// manyKinds has windows of every form and zone, and freezes over all, over one, over some disruptions only, and that only warn.
func manyKinds() Input {
	deletes := freeze("deletes", team("nightly"), rule("FREQ=WEEKLY;BYDAY=TU", "00:00", "24:00"))
	deletes.Spec.Disruptions = []v1alpha1.Disruption{v1alpha1.Delete}
	warns := freeze("warns", team("mornings"), rule("FREQ=DAILY", "00:00", "12:00"))
	warns.Spec.Enforcement = v1alpha1.Warn
	everybody := func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.NamespaceSelector = &metav1.LabelSelector{} }
	newYork := func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.TimeZone = "America/New_York" }
	deletesOnly := func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Disruptions = []v1alpha1.Disruption{v1alpha1.Delete} }
	return input([]v1alpha1.MaintenanceWindow{
		window("nightly", rule("FREQ=DAILY", "22:00", "04:00"), cutoff(time.Hour)),
		window("weekends", rule("FREQ=WEEKLY;BYDAY=SA,SU", "00:00", "24:00"), cutoff(30*time.Minute), excluding(rule("FREQ=MONTHLY;BYDAY=1SA", "10:00", "14:00"))),
		window("mornings", cron("30 6 * * *", 20*time.Minute)),
		window("switches", cron("0 1 * * 0", 3*time.Hour), emergency),
		window("abroad", rule("FREQ=WEEKLY;BYDAY=MO,TH", "01:30", "09:00"), newYork),
		window("all", rule("FREQ=MONTHLY;BYDAY=3SA", "09:00", "20:00"), everybody, deletesOnly),
		window("unreadable", dates("09:00", "20:00", "2026-05-05"), func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.TimeZone = "Mars/Olympus" }),
	},
		freeze("christmas", &metav1.LabelSelector{}, rule("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=22,23,24,25,26", "00:00", "24:00")),
		freeze("lunch", team("weekends"), rule("FREQ=WEEKLY;BYDAY=SA", "12:00", "13:00"), rule("FREQ=WEEKLY;BYDAY=SA", "12:30", "15:00")),
		freeze("abroad", team("abroad"), rule("FREQ=MONTHLY;BYDAY=1MO", "00:00", "12:00")), deletes, warns)
}

// TestAgreesWithTheGates: at 1,000 random instants, and at the edges, what is announced as open, now and half a year before, is
// what the gates have open.
func TestAgreesWithTheGates(t *testing.T) {
	in := manyKinds()
	random := rand.New(rand.NewPCG(1, 2))
	first := at(1, 1, 0, 0)
	before := Draw(in, first)
	open, closed := 0, 0
	var instants []time.Time
	cases := 1000
	if testing.Short() {
		cases = 100
	}
	for range cases {
		instants = append(instants, first.Add(time.Duration(random.Int64N(int64(390*24*time.Hour)))))
	}
	for _, o := range before.occurrences[:40] {
		instants = append(instants, o.Start, o.Start.Add(-time.Second), o.End, o.End.Add(-time.Second), o.LastBegin)
		for _, f := range o.Frozen {
			instants = append(instants, f.Start, f.End)
		}
	}
	for _, now := range instants {
		if now.Before(first) || now.After(first.Add(390*24*time.Hour)) {
			continue
		}
		v := Draw(in, now).For("")
		for _, mw := range in.Windows {
			is := func(list []*Occurrence) bool {
				return slices.ContainsFunc(list, func(o *Occurrence) bool { return o.Name == mw.Name && o.Kind == Window && o.State == Open })
			}
			announced := func(test func(*Occurrence) bool) bool {
				return slices.ContainsFunc(before.occurrences, func(o *Occurrence) bool { return o.Name == mw.Name && o.Kind == Window && test(o) })
			}
			state, _ := in.Compiled.Set.Window(mw.Name, now)
			if got := is(v.Open) || is(v.Emergency); got != state.Open {
				t.Fatalf("%s at %s: shown as open: %t, open: %t", mw.Name, now, got, state.Open)
			}
			if got := announced(func(o *Occurrence) bool { return o.OpenAt(now) }); got != state.Open {
				t.Fatalf("%s at %s: announced before as open: %t, open: %t", mw.Name, now, got, state.Open)
			}
			if got := announced(func(o *Occurrence) bool { return o.AcceptsAt(now) }); got != state.Accepting {
				t.Fatalf("%s at %s: announced that work may begin: %t, it may: %t", mw.Name, now, got, state.Accepting)
			}
			if state.Open {
				open++
			} else {
				closed++
			}
		}
	}
	if least := cases / 2; open < least || closed < least {
		t.Errorf("too little was compared: %d open, %d closed", open, closed)
	}
}

// TestBlockedBy: a window and a freeze by themselves, and among all others, are the same.
func TestBlockedBy(t *testing.T) {
	in := manyKinds()
	blocked := 0
	for _, w := range in.Compiled.Windows {
		listed := in.Compiled.Set.Blocking(w.Name)
		for _, f := range in.Compiled.Freezes {
			want := slices.ContainsFunc(listed, func(l gate.Freeze) bool { return l.Name == f.Name })
			if got := w.BlockedBy(f.Freeze); got != want {
				t.Errorf("%s is blocked by %s: %t, among all: %t", w.Name, f.Name, got, want)
			}
			if want {
				blocked++
			}
		}
	}
	if blocked < 7 || blocked > 12 {
		t.Errorf("%d of %d times %d are blocked", blocked, len(in.Compiled.Windows), len(in.Compiled.Freezes))
	}
}

// TestUntil: nothing that is shown changes before the instant that the board names.
func TestUntil(t *testing.T) {
	in := manyKinds()
	in.Work = []Work{{Since: at(3, 3, 3, 3), Until: at(3, 3, 4, 4)}}
	now := at(3, 1, 0, 0)
	tell := func(now time.Time) string {
		var lines []string
		v := Draw(in, now).For("")
		for _, o := range v.All {
			if o.End.After(at(3, 5, 0, 0)) && o.Start.Before(at(4, 10, 0, 0)) {
				lines = append(lines, fmt.Sprint(o.Kind, o.Name, o.Start, o.State))
			}
		}
		return strings.Join(lines, "\n")
	}
	edges := 0
	for now.Before(at(4, 2, 0, 0)) {
		until := Draw(in, now).Until
		if !until.After(now) || until.Sub(now) > 25*time.Hour {
			t.Fatalf("at %s: until %s", now, until)
		}
		if diff := cmp.Diff(tell(now), tell(until.Add(-time.Second))); diff != "" {
			t.Fatalf("between %s and %s:\n%s", now, until, diff)
		}
		now = until
		edges++
	}
	if edges < 80 {
		t.Errorf("only %d edges in a month", edges)
	}
}

// brief writes occurrences for comparing.
func brief(list []*Occurrence) (lines []string) {
	for _, o := range list {
		name := o.Name
		if o.Kind == Override {
			name = "work"
		}
		line := fmt.Sprintf("%s %s %s", name, o.Start.Format("01-02 15:04"), o.State)
		for _, f := range o.Frozen {
			line += " frozen " + f.Start.Format("01-02 15:04") + "–" + f.End.Format("01-02 15:04")
		}
		lines = append(lines, line)
	}
	return lines
}

// briefGroups writes groups for comparing.
func briefGroups(list []Group) (lines []string) {
	for _, g := range list {
		lines = append(lines, brief(g.Occurrences)...)
		if g.More > 0 {
			lines = append(lines, fmt.Sprintf("and %d more until %s", g.More, g.Last.Format("01-02")))
		}
	}
	return lines
}

func TestFor(t *testing.T) {
	in := input([]v1alpha1.MaintenanceWindow{
		window("common", dates("09:00", "20:00", "2026-05-02", "2026-05-09", "2026-05-16")),
		window("osthammar", dates("09:00", "20:00", "2026-05-02", "2026-05-10"), audiences("osthammar")),
		window("heby", dates("09:00", "20:00", "2026-05-02"), audiences("heby", "tierp")),
		window("urgent", dates("11:00", "13:00", "2026-05-02", "2026-05-04"), emergency),
	},
		freeze("election", &metav1.LabelSelector{}, dates("00:00", "24:00", "2026-05-09")),
		freeze("morning", team("osthammar"), dates("08:00", "10:00", "2026-05-10")))
	in.Records = map[string]*history.Record{
		"common": {Window: "common", Sequence: 3, ChangedAt: at(4, 20, 12, 0), Withdrawn: []history.Withdrawn{
			{Start: at(5, 3, 9, 0), End: at(5, 3, 20, 0), At: at(4, 20, 12, 0), TimeZone: "Europe/Stockholm"},
		}},
		"gone": {Window: "gone", Sequence: 1, ChangedAt: at(4, 21, 12, 0), Withdrawn: []history.Withdrawn{
			{Start: at(2, 3, 9, 0), End: at(2, 3, 20, 0), At: at(1, 20, 12, 0), TimeZone: "Europe/Stockholm"},
			{Start: at(5, 5, 9, 0), End: at(5, 5, 20, 0), At: at(4, 21, 12, 0), TimeZone: "Europe/Stockholm", Audiences: []string{"heby"}},
		}},
	}
	in.Work = []Work{{Since: at(5, 2, 12, 30), Until: at(5, 2, 13, 30), Notice: "mejl", Audiences: []string{"osthammar"}}}
	b := Draw(in, at(5, 2, 12, 45))
	if diff := cmp.Diff([]string{"heby", "osthammar", "tierp"}, b.Audiences); diff != "" {
		t.Error(diff)
	}
	for audience, want := range map[string]map[string][]string{
		"": {
			"open":      {"common 05-02 09:00 open", "heby 05-02 09:00 open", "osthammar 05-02 09:00 open"},
			"emergency": {"urgent 05-02 11:00 open", "work 05-02 12:30 open", "urgent 05-04 11:00 upcoming"},
			"next":      {"osthammar 05-10 09:00 upcoming frozen 05-10 08:00–05-10 10:00", "common 05-16 09:00 upcoming"},
			"changes":   {"common 05-03 09:00 cancelled", "gone 05-05 09:00 cancelled", "common 05-09 09:00 frozen frozen 05-09 00:00–05-10 00:00"},
			"freezes":   {"election 05-09 00:00 upcoming", "morning 05-10 08:00 upcoming"},
		},
		"heby": {
			"open":      {"common 05-02 09:00 open", "heby 05-02 09:00 open"},
			"emergency": {"urgent 05-02 11:00 open", "urgent 05-04 11:00 upcoming"},
			"next":      {"common 05-16 09:00 upcoming"},
			"changes":   {"common 05-03 09:00 cancelled", "gone 05-05 09:00 cancelled", "common 05-09 09:00 frozen frozen 05-09 00:00–05-10 00:00"},
			"freezes":   {"election 05-09 00:00 upcoming", "morning 05-10 08:00 upcoming"},
		},
		"knivsta": {
			"open":      {"common 05-02 09:00 open"},
			"emergency": {"urgent 05-02 11:00 open", "urgent 05-04 11:00 upcoming"},
			"next":      {"common 05-16 09:00 upcoming"},
			"changes":   {"common 05-03 09:00 cancelled", "common 05-09 09:00 frozen frozen 05-09 00:00–05-10 00:00"},
			"freezes":   {"election 05-09 00:00 upcoming", "morning 05-10 08:00 upcoming"},
		},
	} {
		v := b.For(audience)
		got := map[string][]string{"open": brief(v.Open), "emergency": brief(v.Emergency), "next": briefGroups(v.Next), "changes": briefGroups(v.Changes), "freezes": brief(v.Freezes)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: -want +got:\n%s", audience, diff)
		}
	}
	if o := b.For("").Open[0]; o.Sequence != 3 || !o.ChangedAt.Equal(at(4, 20, 12, 0)) {
		t.Errorf("the record of common is not used: %+v", o.Subject)
	}
}

func TestEndedEarly(t *testing.T) {
	shortened := window("w", dates("09:00", "11:00", "2026-05-02"))
	in := input([]v1alpha1.MaintenanceWindow{shortened})
	in.Records = map[string]*history.Record{"w": {Window: "w", Withdrawn: []history.Withdrawn{
		{Start: at(5, 2, 9, 0), End: at(5, 2, 20, 0), At: at(5, 2, 12, 0), Early: true, TimeZone: "Europe/Stockholm"},
	}}}
	v := Draw(in, at(5, 2, 13, 0)).For("")
	if diff := cmp.Diff([]string{"w 05-02 09:00 ended-early"}, brief(v.All)); diff != "" {
		t.Error(diff)
	}
	if o := v.Changes[0].Occurrences[0]; o.OpenAt(at(5, 2, 13, 0)) || !o.EndedAt.Equal(at(5, 2, 12, 0)) {
		t.Errorf("%+v", o)
	}
}

// TestMovedTwice: a date that was moved again is told where it is at last.
func TestMovedTwice(t *testing.T) {
	moved := func(from, to int) history.Withdrawn {
		w := history.Withdrawn{Start: at(5, from, 9, 0), End: at(5, from, 20, 0), At: at(4, 20, 12, 0), TimeZone: "Europe/Stockholm"}
		if to > 0 {
			w.MovedTo = new(at(5, to, 9, 0))
		}
		return w
	}
	for title, tc := range map[string]struct {
		listed    []string
		withdrawn []history.Withdrawn
		want      []string
	}{
		"once":                   {[]string{"2026-05-03"}, []history.Withdrawn{moved(2, 3)}, []string{"2 to 3"}},
		"twice":                  {[]string{"2026-05-04"}, []history.Withdrawn{moved(2, 3), moved(3, 4)}, []string{"2 to 4", "3 to 4"}},
		"three times, backwards": {[]string{"2026-05-05"}, []history.Withdrawn{moved(2, 5), moved(3, 2), moved(4, 3)}, []string{"2 to 5", "3 to 5", "4 to 5"}},
		"and then cancelled":     {[]string{"2026-05-20"}, []history.Withdrawn{moved(2, 3), moved(3, 0)}, []string{"2 to 3", "3 cancelled"}},
		"back to where it was":   {[]string{"2026-05-02"}, []history.Withdrawn{moved(3, 2)}, []string{"3 to 2"}},
	} {
		in := input([]v1alpha1.MaintenanceWindow{window("w", dates("09:00", "20:00", tc.listed...))})
		in.Records = map[string]*history.Record{"w": {Window: "w", Withdrawn: tc.withdrawn}}
		var got []string
		for _, o := range Draw(in, at(5, 1, 0, 0)).For("").All {
			switch o.State {
			case Moved:
				got = append(got, fmt.Sprintf("%d to %d", o.Start.Day(), o.MovedTo.Day()))
			case Cancelled:
				got = append(got, fmt.Sprintf("%d cancelled", o.Start.Day()))
			}
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", title, diff)
		}
	}
}

// TestClosedEarly: what kubectl window close, or the operator, has ended is told as that, from the record and without it.
func TestClosedEarly(t *testing.T) {
	closed := window("w", dates("09:00", "20:00", "2026-05-02", "2026-05-09"))
	closed.Annotations = map[string]string{v1alpha1.ClosedAnnotation: compile.Closing(at(5, 2, 12, 0), at(5, 2, 20, 0))}
	in := input([]v1alpha1.MaintenanceWindow{closed})
	if diff := cmp.Diff([]string{"w 05-02 09:00 past", "w 05-09 09:00 upcoming"}, brief(Draw(in, at(5, 2, 12, 0)).For("").All)); diff != "" {
		t.Error(diff)
	}
	in.Records = map[string]*history.Record{"w": history.Next(nil, &closed, history.Over{}, at(5, 2, 12, 0))}
	v := Draw(in, at(5, 2, 12, 0)).For("")
	if diff := cmp.Diff([]string{"w 05-02 09:00 ended-early", "w 05-09 09:00 upcoming"}, brief(v.All)); diff != "" {
		t.Error(diff)
	}
	if o := v.All[0]; !o.End.Equal(at(5, 2, 20, 0)) || !o.EndedAt.Equal(at(5, 2, 12, 0)) || o.OpenAt(at(5, 2, 12, 0)) || !o.OpenAt(at(5, 2, 11, 59)) {
		t.Errorf("%+v", o)
	}
}

func TestAFreezeWithoutEnd(t *testing.T) {
	stop := made(freeze("stop", &metav1.LabelSelector{}), at(5, 2, 8, 0))
	v := Draw(input([]v1alpha1.MaintenanceWindow{window("w", dates("09:00", "20:00", "2026-05-02"))}, stop), at(5, 2, 13, 0)).For("")
	if len(v.Open) != 0 || len(v.Freezes) != 1 || v.Freezes[0].State != Open || len(v.Changes) != 1 || !v.Changes[0].Occurrences[0].WhollyFrozen() {
		t.Errorf("open %s, freezes %s, changes %s", brief(v.Open), brief(v.Freezes), briefGroups(v.Changes))
	}
	broken := stop
	broken.Spec.TimeZone = "Mars/Olympus"
	v = Draw(input([]v1alpha1.MaintenanceWindow{window("w", dates("09:00", "20:00", "2026-05-02"))}, broken), at(5, 2, 13, 0)).For("")
	if len(v.Open) != 0 || len(v.Freezes) != 1 {
		t.Errorf("a freeze that cannot be read is in force: open %s, freezes %s", brief(v.Open), brief(v.Freezes))
	}
}

// TestAWindowWithoutEnd: a freeze that comes again and again over it is looked at as far as the board goes, and no further.
func TestAWindowWithoutEnd(t *testing.T) {
	now := at(5, 2, 13, 0)
	for title, tc := range map[string]struct {
		lunch         v1alpha1.Schedule
		fewest, most  int
		frozen, after time.Time
	}{
		"daily":         {rule("FREQ=DAILY", "12:00", "13:00"), 400, 700, at(5, 2, 12, 30), now},
		"by the minute": {cron("*/2 * * * *", time.Minute), 300_000, 500_000, now.Add(30 * time.Second), now.Add(90 * time.Second)},
	} {
		in := input([]v1alpha1.MaintenanceWindow{
			window("always", rule("FREQ=DAILY", "00:00", "24:00")), window("day", dates("09:00", "20:00", "2026-05-02")),
		}, freeze("lunch", &metav1.LabelSelector{}, tc.lunch))
		b := Draw(in, now)
		if len(b.frozen) != 1 {
			t.Errorf("%s: %d freezes were worked out", title, len(b.frozen))
		}
		for _, o := range b.For("").All {
			if o.Kind != Window {
				continue
			}
			if n := len(o.Frozen); o.Name == "always" && (!o.Start.IsZero() || !o.End.IsZero() || n < tc.fewest || n > tc.most) {
				t.Errorf("%s: [%s, %s) has %d stretches", title, o.Start, o.End, n)
			}
			if o.OpenAt(tc.frozen) || !o.OpenAt(tc.after) {
				t.Errorf("%s: %s is open in the freeze, or not after it", title, o.Name)
			}
		}
	}
}

func TestBounds(t *testing.T) {
	var windows []v1alpha1.MaintenanceWindow
	for i := range 1000 {
		s := rule("FREQ=DAILY", "09:00", "20:00")
		if i%100 == 0 {
			s = cron("*/10 * * * *", 5*time.Minute)
		}
		windows = append(windows, window(fmt.Sprintf("w%03d", i), s, audiences(fmt.Sprintf("a%02d", i%50))))
	}
	in := input(windows, freeze("lunch", &metav1.LabelSelector{}, rule("FREQ=DAILY", "12:00", "13:00")))
	started := time.Now()
	b := Draw(in, at(7, 1, 13, 0))
	t.Logf("drawn in %s", time.Since(started).Round(time.Millisecond))
	if n := len(b.occurrences); n > 2*maxTotal || n < maxTotal {
		t.Errorf("%d occurrences", n)
	}
	if len(b.Audiences) != 50 {
		t.Errorf("%d audiences", len(b.Audiences))
	}
	v := b.For("")
	if len(v.Open) != maxOpen || len(v.Next) != maxNext || len(v.Listed) != maxYear || v.Left < 10_000 {
		t.Errorf("open %d, next %d, listed %d, left %d", len(v.Open), len(v.Next), len(v.Listed), v.Left)
	}
	for _, o := range v.Listed {
		if o.Start.Before(b.Now.Add(-24 * time.Hour)) {
			t.Fatalf("what is long over is listed before what is to come: %s", o.Start)
		}
	}
}

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"  två\r\n\trader ": "två rader", "a\x00b": "a b", "a\u202eb\u2066c": "abc", "\xff!": "\uFFFD!", "🛠 å": "🛠 å", "abcdefgh": "abcde…", "": "",
	} {
		limit := 200
		if text == "abcdefgh" {
			limit = 5
		}
		if got := clean(text, limit); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

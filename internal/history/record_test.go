package history

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func window(dates ...string) *v1alpha1.MaintenanceWindow {
	return &v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: "w", CreationTimestamp: metav1.NewTime(now.AddDate(0, -1, 0))},
		Spec: v1alpha1.MaintenanceWindowSpec{
			Title: "Fönster", TimeZone: "UTC",
			Schedules: []v1alpha1.Schedule{{Dates: dates, StartTime: new("09:00"), EndTime: new("20:00")}},
		},
	}
}

// stored is a record as it comes back from where it is kept.
func stored(t *testing.T, r *Record) *Record {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Record
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return &back
}

func tell(r *Record) (lines []string) {
	for _, w := range r.Withdrawn {
		line := w.Start.Format("2006-01-02")
		switch {
		case w.MovedTo != nil:
			line += " moved to " + w.MovedTo.Format("2006-01-02 15:04")
		case w.Early:
			line += " ended " + w.At.Format("15:04")
		default:
			line += " cancelled"
		}
		lines = append(lines, line)
	}
	return lines
}

func TestNext(t *testing.T) {
	excluded := window("2026-12-05", "2026-12-12")
	excluded.Spec.Exclusions = []v1alpha1.Exclusion{{Schedule: v1alpha1.Schedule{Dates: []string{"2026-12-12"}, StartTime: new("00:00"), EndTime: new("24:00")}}}
	retitled := window("2026-12-05")
	retitled.Spec.Title = "Annat"
	narrowed := window("2026-12-05")
	narrowed.Spec.NamespaceSelector, narrowed.Spec.Enforcement = &metav1.LabelSelector{}, v1alpha1.Hold
	shorter := window("2026-11-23")
	shorter.Spec.Schedules[0].EndTime = new("11:00")
	longer := window("2026-11-23")
	longer.Spec.Schedules[0].EndTime = new("21:00")
	earlier := window("2026-11-23")
	earlier.Spec.Schedules[0].StartTime = new("08:00")
	broken := window("2026-12-05")
	broken.Spec.TimeZone = "Mars/Olympus"
	for title, tc := range map[string]struct {
		before, after *v1alpha1.MaintenanceWindow
		freezes       string
		sequence      int
		want          []string
	}{
		"nothing changed":                         {window("2026-12-05"), window("2026-12-05"), "", 0, nil},
		"what concerns workloads alone":           {window("2026-12-05"), narrowed, "", 0, nil},
		"another title":                           {window("2026-12-05"), retitled, "", 1, nil},
		"a day more":                              {window("2026-12-05"), window("2026-12-05", "2026-12-12"), "", 1, nil},
		"a day less":                              {window("2026-12-05", "2026-12-12"), window("2026-12-05"), "", 1, []string{"2026-12-12 cancelled"}},
		"an exclusion":                            {window("2026-12-05", "2026-12-12"), excluded, "", 1, []string{"2026-12-12 cancelled"}},
		"a day moved":                             {window("2026-12-05", "2026-12-12"), window("2026-12-05", "2026-12-13"), "", 1, []string{"2026-12-12 moved to 2026-12-13 09:00"}},
		"a day half a year away is none moved":    {window("2026-12-12"), window("2027-06-12"), "", 1, []string{"2026-12-12 cancelled"}},
		"days gone by are not withdrawn":          {window("2026-11-21", "2026-12-05"), window("2026-12-05"), "", 1, nil},
		"days past the horizon are not withdrawn": {window("2026-12-05", "2028-12-05"), window("2026-12-05"), "", 1, nil},
		"the window deleted":                      {window("2026-11-21", "2026-12-05"), nil, "", 1, []string{"2026-12-05 cancelled"}},
		"deleted while open":                      {window("2026-11-23"), nil, "", 1, []string{"2026-11-23 ended 12:00"}},
		"shortened while open, to before now":     {window("2026-11-23"), shorter, "", 1, []string{"2026-11-23 ended 12:00"}},
		"lengthened while open":                   {window("2026-11-23"), longer, "", 1, nil},
		"another start while open":                {window("2026-11-23"), earlier, "", 1, []string{"2026-11-23 moved to 2026-11-23 08:00"}},
		"a freeze comes over it":                  {window("2026-12-05"), window("2026-12-05"), "jul/1", 1, nil},
		"a schedule that can no longer be read":   {window("2026-12-05"), broken, "", 1, []string{"2026-12-05 cancelled"}},
	} {
		t.Run(title, func(t *testing.T) {
			first := stored(t, Next(nil, tc.before, Over{}, now.Add(-time.Hour)))
			next := Next(first, tc.after, Over{Freezes: tc.freezes}, now)
			if next.Sequence != tc.sequence {
				t.Errorf("sequence %d, want %d", next.Sequence, tc.sequence)
			}
			if diff := cmp.Diff(tc.want, tell(next)); diff != "" {
				t.Error(diff)
			}
			if (next == first) != (tc.sequence == 0) {
				t.Error("the same record must mean that nothing is to be written")
			}
			if tc.sequence > 0 && !next.ChangedAt.Equal(now) {
				t.Errorf("changed at %s", next.ChangedAt)
			}
			again := stored(t, next)
			if Next(again, tc.after, Over{Freezes: tc.freezes}, now.Add(time.Minute)) != again {
				t.Error("looking again changes it again")
			}
		})
	}
}

func TestNextInTheCourseOfTime(t *testing.T) {
	first := Next(nil, window("2026-12-05", "2026-12-12"), Over{}, now)
	if !first.ChangedAt.Equal(now.AddDate(0, -1, 0)) {
		t.Errorf("first announced at %s", first.ChangedAt)
	}
	second := stored(t, Next(first, window("2026-12-05"), Over{}, now))
	back := Next(second, window("2026-12-05", "2026-12-12"), Over{}, now.Add(time.Hour))
	if len(back.Withdrawn) != 0 || back.Sequence != 2 {
		t.Errorf("a day that comes back: %+v", back)
	}
	deleted := Next(second, nil, Over{}, now.Add(time.Hour))
	if got := tell(deleted); len(got) != 2 {
		t.Errorf("after the deletion: %s", got)
	}
	end := time.Date(2026, 12, 5, 20, 0, 0, 0, time.UTC).Add(Memory)
	if !deleted.Expires().Equal(end) {
		t.Errorf("expires %s, want %s", deleted.Expires(), end)
	}
	if got := Next(deleted, nil, Over{}, end); len(got.Withdrawn) != 1 || got.Sequence != deleted.Sequence {
		t.Errorf("after the first has expired: %+v", got)
	}
	if got := Next(deleted, nil, Over{}, end.AddDate(0, 0, 7)); got != nil {
		t.Errorf("nothing is left to remember, but: %+v", got)
	}
	if Next(nil, nil, Over{}, now) != nil {
		t.Error("a record of nothing")
	}
}

// TestNextEndedEarly: what was closed before its end stays known, whatever is closed after it; and is forgotten when it is open again.
func TestNextEndedEarly(t *testing.T) {
	clock := func(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 0, 0, 0, time.UTC) }
	closed := func(day, hour int) *v1alpha1.MaintenanceWindow {
		mw := window("2026-11-21", "2026-11-23", "2026-11-28")
		mw.Annotations = map[string]string{v1alpha1.ClosedAnnotation: compile.Closing(clock(day, hour), clock(day, 20))}
		return mw
	}
	open := window("2026-11-21", "2026-11-23", "2026-11-28")
	first := stored(t, Next(nil, open, Over{}, clock(20, 9)))
	for _, step := range []struct {
		title    string
		mw       *v1alpha1.MaintenanceWindow
		now      time.Time
		sequence int
		want     []string
	}{
		{"closed", closed(21, 11), clock(21, 11), 1, []string{"2026-11-21 ended 11:00"}},
		{"looked at again", closed(21, 11), clock(21, 12), 1, []string{"2026-11-21 ended 11:00"}},
		{"by a clock that is ahead", closed(23, 15), clock(23, 14), 1, []string{"2026-11-21 ended 11:00"}},
		{"when that time has come", closed(23, 15), clock(23, 15), 2, []string{"2026-11-21 ended 11:00", "2026-11-23 ended 15:00"}},
		{"opened again", open, clock(23, 16), 3, []string{"2026-11-21 ended 11:00"}},
		{"closed again", closed(23, 17), clock(23, 17), 4, []string{"2026-11-21 ended 11:00", "2026-11-23 ended 17:00"}},
		{"closed at its first second, told later", closed(28, 9), clock(29, 0), 5, []string{"2026-11-21 ended 11:00", "2026-11-23 ended 17:00", "2026-11-28 ended 09:00"}},
		{"deleted", nil, clock(29, 1), 6, []string{"2026-11-21 ended 11:00", "2026-11-23 ended 17:00", "2026-11-28 ended 09:00"}},
	} {
		next := stored(t, Next(first, step.mw, Over{}, step.now))
		if diff := cmp.Diff(step.want, tell(next)); diff != "" || next.Sequence != step.sequence {
			t.Errorf("%s: sequence %d, want %d; -want +got:\n%s", step.title, next.Sequence, step.sequence, diff)
		}
		first = next
	}
	late := clock(21, 20).Add(Memory)
	if r := Next(first, nil, Over{}, late); len(r.Withdrawn) != 2 {
		t.Errorf("after a month: %s", tell(r))
	}
	if r := Next(nil, closed(21, 11), Over{}, late); len(r.Withdrawn) != 0 {
		t.Errorf("a closing of long ago: %s", tell(r))
	}
	if gone := Next(stored(t, Next(nil, closed(23, 11), Over{}, clock(23, 11))), nil, Over{}, clock(23, 12)); cmp.Diff([]string{"2026-11-23 ended 11:00", "2026-11-28 cancelled"}, tell(gone)) != "" {
		t.Errorf("closed, and then deleted: %s", tell(gone))
	}
}

func TestARecordStaysSmall(t *testing.T) {
	hourly := window()
	hourly.Spec.Schedules = []v1alpha1.Schedule{{Cron: new("0 * * * *"), Duration: &metav1.Duration{Duration: time.Minute}}}
	r := Next(Next(nil, hourly, Over{}, now), nil, Over{}, now)
	if len(r.Withdrawn) != MaxWithdrawn || r.Withdrawn[0].Start.Sub(now) > time.Hour {
		t.Errorf("%d withdrawn, the first %s", len(r.Withdrawn), r.Withdrawn[0].Start)
	}
	text, _ := json.Marshal(r)
	if len(text) > 200_000 {
		t.Errorf("%d bytes", len(text))
	}
}

// TestNextFreeze: a freeze that is deleted or shortened leaves what it was to be; one that is in force whatever it says of times
// leaves nothing, and whether it only warns is told.
func TestNextFreeze(t *testing.T) {
	freeze := func(dates ...string) *v1alpha1.ChangeFreeze {
		cf := &v1alpha1.ChangeFreeze{
			ObjectMeta: metav1.ObjectMeta{Name: "f", CreationTimestamp: metav1.NewTime(now.AddDate(0, -1, 0))},
			Spec:       v1alpha1.ChangeFreezeSpec{Reason: "Val", TimeZone: "UTC", NamespaceSelector: &metav1.LabelSelector{}},
		}
		if len(dates) > 0 {
			cf.Spec.Schedules = []v1alpha1.Schedule{{Dates: dates, StartTime: new("00:00"), EndTime: new("24:00")}}
		}
		return cf
	}
	warns, broken, narrowed := freeze("2026-12-05"), freeze("2026-12-05"), freeze("2026-12-05")
	warns.Spec.Enforcement = v1alpha1.Warn
	broken.Spec.TimeZone = "Mars/Olympus"
	narrowed.Spec.Disruptions = []v1alpha1.Disruption{v1alpha1.Delete}
	for title, tc := range map[string]struct {
		before, after *v1alpha1.ChangeFreeze
		sequence      int
		want          []string
	}{
		"nothing changed":                       {freeze("2026-12-05"), freeze("2026-12-05"), 0, nil},
		"what concerns workloads alone":         {freeze("2026-12-05"), narrowed, 0, nil},
		"a day less":                            {freeze("2026-12-05", "2026-12-12"), freeze("2026-12-05"), 1, []string{"2026-12-12 cancelled"}},
		"a shorter end":                         {freeze("2026-12-05", "2026-12-06"), freeze("2026-12-05"), 1, nil},
		"a later start":                         {freeze("2026-12-05", "2026-12-06"), freeze("2026-12-06"), 1, []string{"2026-12-05 moved to 2026-12-06 00:00"}},
		"deleted":                               {freeze("2026-12-05"), nil, 1, []string{"2026-12-05 cancelled"}},
		"deleted while in force":                {freeze("2026-11-23"), nil, 1, []string{"2026-11-23 ended 12:00"}},
		"from now on it warns":                  {freeze("2026-12-05"), warns, 1, nil},
		"from now on always":                    {freeze("2026-12-05"), freeze(), 1, nil},
		"no longer always":                      {freeze(), freeze("2026-12-05"), 1, nil},
		"a schedule that can no longer be read": {freeze("2026-12-05"), broken, 1, nil},
		"the stop button let go":                {freeze(), nil, -1, nil},
	} {
		t.Run(title, func(t *testing.T) {
			first := stored(t, NextFreeze(nil, tc.before, now.Add(-time.Hour)))
			next := NextFreeze(first, tc.after, now)
			if next == nil {
				if tc.sequence != -1 {
					t.Error("nothing is remembered")
				}
				return
			}
			if diff := cmp.Diff(tc.want, tell(next)); diff != "" || next.Sequence != tc.sequence || next.Freeze != "f" || next.Window != "" {
				t.Errorf("sequence %d, want %d, of %q; %s", next.Sequence, tc.sequence, next.Freeze, diff)
			}
			if again := stored(t, next); NextFreeze(again, tc.after, now.Add(time.Minute)) != again {
				t.Error("looking again changes it again")
			}
		})
	}
	if gone := NextFreeze(stored(t, NextFreeze(nil, warns, now)), nil, now); !gone.Withdrawn[0].Advisory {
		t.Errorf("that it only warned is forgotten: %+v", gone.Withdrawn)
	}
}

// TestAMistakeIsForgotten: what was announced for less than a quarter of an hour, and lies more than a day ahead, leaves no trace; what
// people may know is told, however quickly it was changed after that.
func TestAMistakeIsForgotten(t *testing.T) {
	type step struct {
		after time.Duration
		mw    *v1alpha1.MaintenanceWindow
	}
	created := func(at time.Time, dates ...string) *v1alpha1.MaintenanceWindow {
		mw := window(dates...)
		mw.CreationTimestamp = metav1.NewTime(at)
		return mw
	}
	for title, tc := range map[string]struct {
		first *v1alpha1.MaintenanceWindow
		steps []step
		want  []string
		gone  bool
	}{
		"deleted after three minutes":           {created(now, "2026-12-05"), []step{{3 * time.Minute, nil}}, nil, true},
		"deleted after an hour":                 {created(now, "2026-12-05"), []step{{time.Hour, nil}}, []string{"2026-12-05 cancelled"}, false},
		"deleted after three minutes, but soon": {created(now, "2026-11-24", "2026-12-05"), []step{{3 * time.Minute, nil}}, []string{"2026-11-24 cancelled"}, false},
		"a mistyped date mended":                {created(now, "2026-12-05"), []step{{time.Hour, window("2026-12-05", "2026-12-15")}, {2 * time.Minute, window("2026-12-05", "2026-12-12")}}, nil, false},
		"a move mended": {
			created(now, "2026-12-05"), []step{{time.Hour, window("2026-12-15")}, {2 * time.Minute, window("2026-12-12")}},
			[]string{"2026-12-05 moved to 2026-12-12 09:00"}, false,
		},
		"a move, and then deleted": {
			created(now, "2026-12-05"), []step{{time.Hour, window("2026-12-15")}, {2 * time.Minute, nil}}, []string{"2026-12-05 cancelled"}, false,
		},
		"known, and changed twice within minutes": {
			created(now, "2026-12-05", "2026-12-06"), []step{{time.Hour, window("2026-12-05", "2026-12-06", "2026-12-20")}, {2 * time.Minute, window("2026-12-05")}},
			[]string{"2026-12-06 cancelled"}, false,
		},
		"changed again and again for longer": {
			created(now, "2026-12-05"),
			[]step{{10 * time.Minute, window("2026-12-05", "2026-12-06")}, {10 * time.Minute, window("2026-12-05", "2026-12-06", "2026-12-20")}, {10 * time.Minute, window("2026-12-05")}},
			[]string{"2026-12-06 cancelled"}, false,
		},
	} {
		t.Run(title, func(t *testing.T) {
			at := now
			r := stored(t, Next(nil, tc.first, Over{}, at))
			for _, s := range tc.steps {
				at = at.Add(s.after)
				if r = Next(r, s.mw, Over{}, at); r != nil {
					r = stored(t, r)
				}
			}
			if (r == nil) != tc.gone {
				t.Fatalf("remembered: %t", r != nil)
			}
			if r == nil {
				return
			}
			if diff := cmp.Diff(tc.want, tell(r)); diff != "" {
				t.Error(diff)
			}
			if !r.Since.Equal(now) {
				t.Errorf("first announced at %s, want %s", r.Since, now)
			}
		})
	}
}

// TestNotForThePublic: nothing is remembered of what is not announced, and what was told before is forgotten.
func TestNotForThePublic(t *testing.T) {
	hidden := window("2026-12-05")
	hidden.Spec.Announce = new(false)
	if r := Next(nil, hidden, Over{}, now); r != nil {
		t.Errorf("%+v", r)
	}
	if r := Next(Next(nil, window("2026-11-24", "2026-12-05"), Over{}, now), hidden, Over{}, now.Add(time.Hour)); r != nil {
		t.Errorf("%+v", r)
	}
	cf := &v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: "f"}, Spec: v1alpha1.ChangeFreezeSpec{Reason: "Val", TimeZone: "UTC", Announce: new(false)}}
	if r := NextFreeze(nil, cf, now); r != nil {
		t.Errorf("%+v", r)
	}
}

// TestAStopIsRemembered: a freeze without a schedule is remembered from when it was made until it ended, where it stopped something.
func TestAStopIsRemembered(t *testing.T) {
	over := func(freezes string, stops ...Stop) Over { return Over{Freezes: freezes, Stops: stops} }
	stop := Stop{Freeze: "stop", Since: now, Reason: "Valnatt"}
	mw := window("2026-11-23", "2026-11-28")
	first := stored(t, Next(nil, mw, Over{}, now.Add(-time.Hour)))
	pressed := stored(t, Next(first, mw, over("stop/1", stop), now))
	if diff := cmp.Diff([]Stop{stop}, pressed.Stops); diff != "" {
		t.Error(diff)
	}
	if Next(pressed, mw, over("stop/1", stop), now.Add(time.Minute)) != pressed {
		t.Error("looking again changes it again")
	}
	lifted := stored(t, Next(pressed, mw, Over{}, now.Add(time.Hour)))
	ended := stop
	ended.Until = now.Add(time.Hour)
	if diff := cmp.Diff([]Stop{ended}, lifted.Stops); diff != "" || len(lifted.Withdrawn) > 0 {
		t.Error(diff, lifted.Withdrawn)
	}
	if want := ended.Until.Add(Memory); !lifted.Expires().Equal(want) || Next(lifted, mw, Over{}, want).Stops != nil {
		t.Errorf("it is remembered until %s, want %s", lifted.Expires(), want)
	}
	idle := window("2026-11-28")
	if r := Next(Next(Next(nil, idle, Over{}, now), idle, over("stop/1", stop), now), idle, Over{}, now.Add(time.Hour)); len(r.Stops) > 0 {
		t.Errorf("it stopped nothing: %+v", r.Stops)
	}
}

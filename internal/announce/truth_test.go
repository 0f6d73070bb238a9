package announce

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/history"
)

func made(cf v1alpha1.ChangeFreeze, when time.Time) v1alpha1.ChangeFreeze {
	cf.CreationTimestamp = metav1.NewTime(when)
	return cf
}

// cancelled counts what stands as cancelled in the calendar, by the days.
func cancelled(b *Board) (days []string) {
	for _, o := range b.For("").All {
		if o.Kind == Window && (o.State.Withdrawn() || o.WhollyFrozen()) {
			days = append(days, o.Start.Format("01-02"))
		}
	}
	return days
}

// TestAStopButton: pressed, it withdraws what is open and what begins today or tomorrow, and nothing of what was before; when time goes
// by, what has been stopped since; lifted, nothing but what it did stop.
func TestAStopButton(t *testing.T) {
	nightly := window("nightly", rule("FREQ=DAILY", "22:00", "23:00"))
	stop := made(freeze("stop", &metav1.LabelSelector{}), at(5, 10, 12, 0))
	windows := []v1alpha1.MaintenanceWindow{nightly}
	before := input(windows)
	if got := cancelled(Draw(before, at(5, 10, 11, 0))); len(got) > 0 {
		t.Errorf("before: %s", got)
	}
	during := input(windows, stop)
	for now, want := range map[time.Time][]string{
		at(5, 10, 12, 0):  {"05-10", "05-11"},
		at(5, 10, 22, 30): {"05-10", "05-11"},
		at(5, 12, 0, 0):   {"05-10", "05-11", "05-12", "05-13"},
	} {
		b := Draw(during, now)
		if diff := cmp.Diff(want, cancelled(b)); diff != "" {
			t.Errorf("pressed, on %s: %s", now.Format(time.DateTime), diff)
		}
		v := b.For("")
		if len(v.Open) > 0 || len(v.Freezes) != 1 || v.Freezes[0].State != Open || !v.Freezes[0].Start.Equal(at(5, 10, 12, 0)) || !v.Freezes[0].End.IsZero() {
			t.Errorf("on %s: open %s, freezes %s", now, brief(v.Open), brief(v.Freezes))
		}
	}
	record := history.Next(nil, &nightly, history.Over{}, at(1, 1, 0, 0))
	record = history.Next(record, &nightly, history.Over{Freezes: "stop", Stops: []history.Stop{{Freeze: "stop", Since: at(5, 10, 12, 0), Reason: "because of stop"}}}, at(5, 10, 12, 0))
	record = history.Next(record, &nightly, history.Over{}, at(5, 12, 22, 30))
	after := input(windows)
	after.Records = map[string]*history.Record{"nightly": record}
	b := Draw(after, at(5, 12, 22, 45))
	if diff := cmp.Diff([]string{"05-10", "05-11"}, cancelled(b)); diff != "" {
		t.Errorf("lifted: %s", diff)
	}
	if v := b.For(""); len(v.Open) != 1 || v.Open[0].OpenAt(at(5, 12, 22, 15)) || !v.Open[0].OpenAt(at(5, 12, 22, 40)) {
		t.Errorf("what was open when it was lifted: %s", brief(v.Open))
	}
}

// TestAFreezeDoesNotReachBack: a freeze with a schedule was not in force before it was made either.
func TestAFreezeDoesNotReachBack(t *testing.T) {
	in := input([]v1alpha1.MaintenanceWindow{window("w", rule("FREQ=WEEKLY;BYDAY=SA", "09:00", "20:00"))},
		made(freeze("saturdays", &metav1.LabelSelector{}, rule("FREQ=WEEKLY;BYDAY=SA", "00:00", "24:00")), at(5, 16, 12, 0)))
	b := Draw(in, at(5, 18, 0, 0))
	if got := cancelled(b); slices.Contains(got, "05-09") || slices.Contains(got, "05-16") || !slices.Contains(got, "05-23") {
		t.Errorf("cancelled: %s", got)
	}
}

// TestNothingBeforeItWasMade: a window made today has no past.
func TestNothingBeforeItWasMade(t *testing.T) {
	w := window("w", rule("FREQ=DAILY", "09:00", "20:00"))
	w.CreationTimestamp = metav1.NewTime(at(5, 10, 12, 0))
	in := input([]v1alpha1.MaintenanceWindow{w})
	first := func(in Input) string { return Draw(in, at(5, 12, 12, 0)).For("").All[0].Start.Format("01-02") }
	if got := first(in); got != "05-10" {
		t.Errorf("the first is %s", got)
	}
	in.Records = map[string]*history.Record{"w": {Window: "w", Since: at(5, 8, 12, 0)}} // it was deleted and made again
	if got := first(in); got != "05-08" {
		t.Errorf("the first by its record is %s", got)
	}
	v := Draw(in, at(11, 26, 12, 0)).For("")
	if !v.First.Equal(at(11, 1, 0, 0)) || !v.Year[0].Start.Equal(at(11, 1, 9, 0)) || v.Year[len(v.Year)-1].Start.Format(time.DateOnly) != "2027-10-31" {
		t.Errorf("the months are %s, %s to %s", v.First, v.Year[0].Start, v.Year[len(v.Year)-1].Start)
	}
}

// TestWhomItConcerns: a window concerns the audiences of the namespaces that it governs, an override that of its namespace.
func TestWhomItConcerns(t *testing.T) {
	kommun := func(operator metav1.LabelSelectorOperator, values ...string) change {
		return func(mw *v1alpha1.MaintenanceWindow) {
			mw.Spec.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "kommun", Operator: operator, Values: values}}}
		}
	}
	all := func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.NamespaceSelector = &metav1.LabelSelector{} }
	s := dates("09:00", "20:00", "2026-05-02")
	in := input([]v1alpha1.MaintenanceWindow{
		window("common", s, kommun(metav1.LabelSelectorOpExists)),
		window("everything", s, all),
		window("heby", s, kommun(metav1.LabelSelectorOpIn, "heby")),
		window("internal", s),
		window("said", s, kommun(metav1.LabelSelectorOpIn, "heby"), audiences("tierp")),
		window("star", s, kommun(metav1.LabelSelectorOpIn, "heby"), audiences("*")),
	})
	in.Namespaces = map[string]map[string]string{
		"heby": {"kommun": "heby"}, "tierp": {"kommun": "tierp"}, "tierp-web": {"kommun": "tierp"}, "intranet": {"team": "internal"}, "odd": {"kommun": "å"},
	}
	in.Work = []Work{
		{Since: at(5, 2, 10, 0), Until: at(5, 2, 12, 0), Namespace: "tierp-web"}, {Since: at(5, 2, 10, 0), Until: at(5, 2, 12, 0), Namespace: "intranet", Audiences: []string{"knivsta"}},
	}
	names := func(audience string) (open, work []string) {
		v := Draw(in, at(5, 2, 11, 0)).For(audience)
		for _, o := range v.Open {
			open = append(open, o.Name)
		}
		for _, o := range v.Emergency {
			work = append(work, fmt.Sprint(o.Audiences))
		}
		return open, work
	}
	in.AudienceLabel = "kommun"
	for audience, want := range map[string][2][]string{
		"":        {{"common", "everything", "heby", "internal", "said", "star"}, {"[knivsta]", "[tierp]"}},
		"heby":    {{"common", "everything", "heby", "star"}, nil},
		"tierp":   {{"common", "everything", "said", "star"}, {"[tierp]"}},
		"knivsta": {{"everything", "star"}, {"[knivsta]"}},
	} {
		open, work := names(audience)
		slices.Sort(work)
		if diff := cmp.Diff(want, [2][]string{open, work}); diff != "" {
			t.Errorf("%q: -want +got:\n%s", audience, diff)
		}
	}
	if got := Draw(in, at(5, 2, 11, 0)).Audiences; !slices.Equal(got, []string{"heby", "knivsta", "tierp"}) {
		t.Errorf("audiences %s", got)
	}
	in.AudienceLabel = ""
	if open, _ := names("knivsta"); len(open) != 5 {
		t.Errorf("without a label: %s", open)
	}
}

func TestAudienceOf(t *testing.T) {
	for value, want := range map[string]string{"tierp": "tierp", "Tierp": "tierp", "a_b.c": "a-b-c", "": "", "-": "", "å": ""} {
		if got := audienceOf(value); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

// TestChanges: one line for each window and kind of change, moves first, and nothing far away.
func TestChanges(t *testing.T) {
	withdrawn := func(start time.Time, to ...time.Time) history.Withdrawn {
		w := history.Withdrawn{Start: start, End: start.Add(time.Hour), At: at(4, 20, 12, 0), TimeZone: "Europe/Stockholm"}
		if len(to) > 0 {
			w.MovedTo = &to[0]
		}
		return w
	}
	var tests []history.Withdrawn
	for day := range 30 {
		tests = append(tests, withdrawn(at(5, 2+day, 9, 0)))
	}
	in := input([]v1alpha1.MaintenanceWindow{window("w", dates("09:00", "20:00", "2026-05-20"))})
	in.Records = map[string]*history.Record{
		"w": {Window: "w", Withdrawn: []history.Withdrawn{
			withdrawn(at(4, 1, 9, 0)), withdrawn(at(4, 29, 9, 0)), withdrawn(at(5, 18, 9, 0), at(5, 20, 9, 0)), withdrawn(at(5, 25, 9, 0)), withdrawn(at(12, 1, 9, 0)),
		}},
		"tests": {Window: "tests", Withdrawn: tests},
	}
	v := Draw(in, at(5, 1, 12, 0)).For("")
	want := []string{
		"w 05-18 09:00 moved", "tests 05-02 09:00 cancelled", "tests 05-03 09:00 cancelled", "tests 05-04 09:00 cancelled",
		"and 27 more until 05-31", "w 05-25 09:00 cancelled", "w 04-29 09:00 cancelled",
	}
	if diff := cmp.Diff(want, briefGroups(v.Changes)); diff != "" {
		t.Error(diff)
	}
	if len(v.Changes) != 3 || !v.Changes[1].None || v.Changes[2].None {
		t.Errorf("whether something is still to come is not told: %+v", v.Changes)
	}
}

// TestNext: each window once, and those for everybody however many others open before.
func TestNext(t *testing.T) {
	var windows []v1alpha1.MaintenanceWindow
	for i := range 200 {
		windows = append(windows, window(fmt.Sprintf("w%03d", i), rule("FREQ=DAILY", "22:00", "23:00"), audiences("heby")))
	}
	windows = append(windows, window("common", dates("09:00", "20:00", "2026-12-05", "2026-12-06")))
	v := Draw(input(windows), at(5, 1, 12, 0)).For("")
	last := v.Next[len(v.Next)-1]
	if len(v.Next) != maxNext || v.NextMore != 201-maxNext || last.Name != "common" || len(last.Occurrences) != 2 || len(v.Next[0].Occurrences) != maxNextTimes {
		t.Errorf("%d and %d more, the last %s", len(v.Next), v.NextMore, brief(last.Occurrences))
	}
}

// TestExcluded: a day that an exclusion takes out is told, with why; one that was announced before is cancelled for that reason.
func TestExcluded(t *testing.T) {
	why := func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Exclusions = []v1alpha1.Exclusion{
			{Schedule: dates("00:00", "24:00", "2026-12-19"), Reason: "Julhandeln", Reasons: map[string]v1alpha1.Reason{"en": "Christmas trade"}},
			{Schedule: dates("00:00", "24:00", "2026-11-21")},
			{Schedule: dates("08:00", "10:00", "2027-01-16"), Reason: "Frukost"},
		}
	}
	in := input([]v1alpha1.MaintenanceWindow{window("w", rule("FREQ=MONTHLY;BYDAY=3SA", "09:00", "20:00"), why)})
	v := Draw(in, at(11, 1, 0, 0)).For("")
	if len(v.Excluded) != 1 || !v.Excluded[0].Start.Equal(at(12, 19, 9, 0)) || v.Excluded[0].Reason != "Julhandeln" || v.Excluded[0].State != Excluded {
		t.Errorf("%s", brief(v.Excluded))
	}
	if got := brief(v.All); slices.Contains(got, "w 12-19 09:00 excluded") {
		t.Error("it is in the calendar")
	}
	in.Records = map[string]*history.Record{"w": {Window: "w", Withdrawn: []history.Withdrawn{
		{Start: at(12, 19, 9, 0), End: at(12, 19, 20, 0), At: at(11, 1, 0, 0), TimeZone: "Europe/Stockholm"},
	}}}
	v = Draw(in, at(11, 1, 0, 0)).For("")
	if len(v.Changes) != 1 || v.Changes[0].Occurrences[0].Reason != "Julhandeln" || len(v.Excluded) > 0 {
		t.Fatalf("%s, %s", briefGroups(v.Changes), brief(v.Excluded))
	}
	for tag, want := range map[string]string{"en": "Christmas trade", "fi": "Julhandeln"} {
		if why, other := v.Changes[0].Occurrences[0].Why(tag); why != want || other != (tag == "fi") {
			t.Errorf("in %s: %q, %v", tag, why, other)
		}
	}
}

// TestNotAnnounced: what is not for the public is nowhere, and a freeze that is not tells no reason where it shuts a window.
func TestNotAnnounced(t *testing.T) {
	quiet := func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Announce = new(false) }
	secret := freeze("secret", &metav1.LabelSelector{}, dates("00:00", "24:00", "2026-05-02"))
	secret.Spec.Announce = new(false)
	in := input([]v1alpha1.MaintenanceWindow{
		window("quiet", dates("09:00", "20:00", "2026-05-02"), quiet), window("w", dates("09:00", "20:00", "2026-05-02")),
		window("warns", dates("09:00", "20:00", "2026-05-03"), func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Enforcement = v1alpha1.Warn }),
	}, secret)
	v := Draw(in, at(5, 2, 11, 0)).For("")
	if diff := cmp.Diff([]string{"w 05-02 09:00 frozen frozen 05-02 00:00–05-03 00:00", "warns 05-03 09:00 upcoming"}, brief(v.All)); diff != "" {
		t.Error(diff)
	}
	if got := v.All[0].Frozen[0].Reason; got != "" {
		t.Errorf("its reason is told: %s", got)
	}
	if !v.All[1].Advisory {
		t.Error("that it only warns is not told")
	}
}

func TestCleanLines(t *testing.T) {
	for text, want := range map[string]string{
		"Rad ett\r\n\r\n  Rad två \x00https://example.se\n": "Rad ett\nRad två https://example.se", "": "", "abcdefgh\ni": "abcdefgh\ni", "abcdefghijkl\nm": "abcdefghij…",
	} {
		if got := cleanLines(text, 10); len(text) < 20 && got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		} else if got := cleanLines(text, 100); len(text) >= 20 && got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

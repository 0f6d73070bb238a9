package metrics

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/enforced"
	"fonster.dev/fonster/internal/rollout"
	"fonster.dev/fonster/internal/workload"
)

var noon = time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)

func window(name, date string) v1alpha1.MaintenanceWindow {
	return v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)},
		Spec: v1alpha1.MaintenanceWindowSpec{
			Class: v1alpha1.Planned, Enforcement: v1alpha1.Deny, TimeZone: "UTC",
			Schedules:         []v1alpha1.Schedule{{Dates: []string{date}, StartTime: new("09:00"), EndTime: new("20:00")}},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": name}},
		},
	}
}

// gatesAt are the Gates of governed namespaces as they should be at an instant.
func gatesAt(compiled *compile.Compiled, namespaces map[string]map[string]string, at time.Time) map[string]*v1alpha1.Gate {
	live := map[string]*v1alpha1.Gate{}
	for name, labels := range namespaces {
		if g := compiled.Set.Of(labels); g != nil {
			live[name] = compile.Gate(name, g.At(at), compiled.Set.Keys(), &v1alpha1.GateExempt{Users: []string{"somebody"}}, true, compiled.Owners(g))
		}
	}
	return live
}

func snapshot() *Snapshot {
	broken := window("broken", "2026-05-13")
	broken.Spec.TimeZone = "Mars/Olympus"
	windows := []v1alpha1.MaintenanceWindow{window("open", "2026-05-13"), window("later", "2026-05-14"), broken}
	freezes := []v1alpha1.ChangeFreeze{{
		ObjectMeta: metav1.ObjectMeta{Name: "stop", UID: "stop"},
		Spec: v1alpha1.ChangeFreezeSpec{
			Reason: "stop", TimeZone: "UTC", NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "frozen"}},
		},
	}}
	compiled := new(compile.Cache).Compile(windows, freezes)
	namespaces := map[string]map[string]string{
		"a": {"team": "open"}, "b": {"team": "open"}, "c": {"team": "later"}, "d": {"team": "frozen"}, "e": {"team": "broken"}, "f": {"team": "other"},
		"kube-system": {"team": "open"},
	}
	return &Snapshot{Windows: windows, Compiled: compiled, Namespaces: namespaces, Gates: gatesAt(compiled, namespaces, noon)}
}

func TestCollect(t *testing.T) {
	m := New(func(context.Context) (*Snapshot, error) { return snapshot(), nil }, func() time.Time { return noon })
	want := `
# HELP fonster_freeze_active Whether the change freeze is in force now (1) or not (0).
# TYPE fonster_freeze_active gauge
fonster_freeze_active{freeze="stop"} 1
# HELP fonster_gate_open Whether the Gate of the namespace says that every disruption it governs may pass (1) or not (0); absent where there is none yet.
# TYPE fonster_gate_open gauge
fonster_gate_open{namespace="a"} 1
fonster_gate_open{namespace="b"} 1
fonster_gate_open{namespace="c"} 0
fonster_gate_open{namespace="d"} 0
fonster_gate_open{namespace="e"} 0
# HELP fonster_window_closes_timestamp_seconds When the open window closes; absent while it is closed.
# TYPE fonster_window_closes_timestamp_seconds gauge
fonster_window_closes_timestamp_seconds{window="open"} 1.7787024e+09
# HELP fonster_window_open Whether an occurrence of the window is in progress and no change freeze over all of it in force (1) or not (0); in the cutoff too, in which nothing new may begin.
# TYPE fonster_window_open gauge
fonster_window_open{window="broken"} 0
fonster_window_open{window="later"} 0
fonster_window_open{window="open"} 1
# HELP fonster_window_opens_timestamp_seconds When the closed window opens next, change freezes counted; absent when no opening is known.
# TYPE fonster_window_opens_timestamp_seconds gauge
fonster_window_opens_timestamp_seconds{window="later"} 1.7787492e+09
`
	names := []string{
		"fonster_freeze_active", "fonster_gate_open", "fonster_window_closes_timestamp_seconds",
		"fonster_window_open", "fonster_window_opens_timestamp_seconds",
	}
	if err := testutil.CollectAndCompare(m, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.CollectAndLint(m); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
}

// TestEnforced: what is missing, changed or could not be written is counted.
func TestEnforced(t *testing.T) {
	s := snapshot()
	s.Enforced = enforced.Report{
		Missing: []string{"a", "b"}, Changed: []string{"c"}, Gates: map[string]string{"g": "too large", "h": "too large"},
	}
	m := New(func(context.Context) (*Snapshot, error) { return s, nil }, func() time.Time { return noon })
	for name, want := range map[string]string{"fonster_policies_missing": "3", "fonster_gates_unwritten": "2"} {
		for _, d := range Definitions {
			if d.Name == name {
				text := "# HELP " + name + " " + d.Help + "\n# TYPE " + name + " gauge\n" + name + " " + want + "\n"
				if err := testutil.CollectAndCompare(m, strings.NewReader(text), name); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// TestAccepting: nothing new may begin in the cutoff of an open window, nor in a freeze.
func TestAccepting(t *testing.T) {
	w := window("w", "2026-05-13")
	w.Spec.Cutoff = &metav1.Duration{Duration: time.Hour}
	s := &Snapshot{Windows: []v1alpha1.MaintenanceWindow{w}}
	for title, tc := range map[string]struct {
		freezes         []v1alpha1.ChangeFreeze
		hour            int
		open, accepting string
	}{
		"before":        {nil, 8, "0", "0"},
		"open":          {nil, 12, "1", "1"},
		"in the cutoff": {nil, 19, "1", "0"},
		"frozen":        {[]v1alpha1.ChangeFreeze{freeze("f", "w")}, 12, "0", "0"},
	} {
		s.Compiled = new(compile.Cache).Compile(s.Windows, tc.freezes)
		m := New(func(context.Context) (*Snapshot, error) { return s, nil }, func() time.Time { return time.Date(2026, 5, 13, tc.hour, 0, 0, 0, time.UTC) })
		want := ""
		for d, value := range map[*Definition]string{windowOpen: tc.open, windowAccepting: tc.accepting} {
			want += "# HELP " + d.Name + " " + d.Help + "\n# TYPE " + d.Name + " gauge\n" + d.Name + `{window="w"} ` + value + "\n"
		}
		if err := testutil.CollectAndCompare(m, strings.NewReader(want), windowOpen.Name, windowAccepting.Name); err != nil {
			t.Errorf("%s: %v", title, err)
		}
	}
}

func TestAStateThatCannotBeReadFailsTheScrape(t *testing.T) {
	m := New(func(context.Context) (*Snapshot, error) { return nil, errors.New("cache not filled") }, func() time.Time { return noon })
	if _, err := testutil.CollectAndLint(m); err == nil || !strings.Contains(err.Error(), "cache not filled") {
		t.Errorf("the scrape should fail with the reason, got: %v", err)
	}
}

type answer struct{ date string }

func (a answer) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{Header: http.Header{"Date": {a.date}}}, nil
}

func TestClockSkew(t *testing.T) {
	for title, tc := range map[string]struct {
		date string
		want float64
	}{
		"the same second":        {noon.Format(http.TimeFormat), -0.5},
		"the operator is ahead":  {noon.Add(-10 * time.Second).Format(http.TimeFormat), 9.5},
		"the operator is behind": {noon.Add(10 * time.Second).Format(http.TimeFormat), -10.5},
		"no date":                {"", 0},
	} {
		t.Run(title, func(t *testing.T) {
			m := New(nil, func() time.Time { return noon })
			if _, err := m.WrapTransport(answer{tc.date}).RoundTrip(nil); err != nil {
				t.Fatal(err)
			}
			if got := testutil.ToFloat64(m.clockSkew); got != tc.want {
				t.Errorf("skew %v, want %v", got, tc.want)
			}
		})
	}
}

// TestHeldOpens: when what waits for a window may begin is told of the objects, not of the window: another window may let them
// begin, and a freeze over some of them keep them.
func TestHeldOpens(t *testing.T) {
	far, soon := window("far", "2026-12-24"), window("soon", "2026-05-14")
	soon.Spec.NamespaceSelector.MatchLabels = map[string]string{"region": "north"}
	past, open := window("past", "2026-05-01"), window("open", "2026-05-13")
	windows := []v1alpha1.MaintenanceWindow{far, soon, past, open}
	stop := freeze("stop", "frozen")
	stop.Spec.NamespaceSelector.MatchLabels = map[string]string{"stage": "prod"}
	passing := freeze("passing", "")
	passing.Spec.NamespaceSelector.MatchLabels = map[string]string{"stage": "test"}
	passing.Spec.Schedules = []v1alpha1.Schedule{{Dates: []string{"2026-05-14"}, StartTime: new("00:00"), EndTime: new("12:00")}}
	compiled := new(compile.Cache).Compile(windows, []v1alpha1.ChangeFreeze{stop, passing})
	type labels = map[string]string
	for title, tc := range map[string]struct {
		held []labels
		want map[string]string
	}{
		"the window alone":                   {[]labels{{"team": "far"}}, map[string]string{"far": "1.7981028e+09"}},
		"another window opens sooner":        {[]labels{{"team": "far", "region": "north"}}, map[string]string{"far": "1.7787492e+09", "soon": "1.7787492e+09"}},
		"some are frozen for good":           {[]labels{{"region": "north"}, {"region": "north", "stage": "prod"}}, map[string]string{"soon": "+Inf"}},
		"some are frozen for a while":        {[]labels{{"region": "north"}, {"region": "north", "stage": "test"}}, map[string]string{"soon": "1.77876e+09"}},
		"no opening is known":                {[]labels{{"team": "past"}}, map[string]string{"past": "+Inf"}},
		"it may begin now":                   {[]labels{{"team": "open"}}, nil},
		"it is open, and that one is frozen": {[]labels{{"team": "open", "stage": "prod"}}, map[string]string{"open": "+Inf"}},
	} {
		s := &Snapshot{Windows: windows, Compiled: compiled}
		for _, l := range tc.held {
			w := workload.Workload{Meta: workload.Metadata("Deployment"), Kind: "Deployment"}
			w.Meta.Labels = labels{v1alpha1.HeldLabel: v1alpha1.HeldWaiting}
			namespace := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Labels: l}}
			w.Judge(namespace, compiled, noon)
			s.Held = append(s.Held, w)
		}
		m := New(func(context.Context) (*Snapshot, error) { return s, nil }, func() time.Time { return noon })
		want := ""
		if tc.want != nil {
			want = "# HELP " + heldOpens.Name + " " + heldOpens.Help + "\n# TYPE " + heldOpens.Name + " gauge\n"
		}
		for name, value := range tc.want {
			want += heldOpens.Name + `{window="` + name + `"} ` + value + "\n"
		}
		if err := testutil.CollectAndCompare(m, strings.NewReader(want), heldOpens.Name); err != nil {
			t.Errorf("%s: %v", title, err)
		}
	}
}

// TestHeld: what waits is counted for each window that governs it, what has been released is not; and what became of releases and
// occurrences adds up.
func TestHeld(t *testing.T) {
	since := time.Date(2026, 5, 12, 8, 0, 0, 0, time.UTC)
	m := New(func(context.Context) (*Snapshot, error) {
		s := snapshot()
		s.Held = []workload.Workload{
			{Object: rollout.Object{Key: "a", Windows: []string{"later"}, Since: since.Add(time.Hour)}},
			{Object: rollout.Object{Key: "b", Windows: []string{"later", "broken"}, Since: since}},
			{Object: rollout.Object{Key: "c", Windows: []string{"open"}, Since: since, Released: true}},
			{Object: rollout.Object{Key: "d", Windows: []string{"open"}, Since: since, Released: true, LetGo: true}},
		}
		return s, nil
	}, func() time.Time { return noon })
	m.ObserveRelease("open", "Done")
	m.ObserveRelease("open", "Done")
	m.ObserveRelease("open", "Failed")
	m.ObserveOccurrence("open", 11*time.Hour, 90*time.Minute)
	testutil.CollectAndCount(m) // the first time, at 0
	want := `
# HELP fonster_held_oldest_timestamp_seconds Since when the longest held rollout waits for the window; absent when none does.
# TYPE fonster_held_oldest_timestamp_seconds gauge
fonster_held_oldest_timestamp_seconds{window="broken"} 1.7785728e+09
fonster_held_oldest_timestamp_seconds{window="later"} 1.7785728e+09
# HELP fonster_held_rollouts Number of rollouts that wait for the window.
# TYPE fonster_held_rollouts gauge
fonster_held_rollouts{window="broken"} 1
fonster_held_rollouts{window="later"} 2
fonster_held_rollouts{window="open"} 0
# HELP fonster_releases_total Releases of held rollouts that have ended, by outcome: Done, Failed, HeldAgain or Stopped.
# TYPE fonster_releases_total counter
fonster_releases_total{outcome="Done",window="broken"} 0
fonster_releases_total{outcome="Done",window="later"} 0
fonster_releases_total{outcome="Done",window="open"} 2
fonster_releases_total{outcome="Failed",window="broken"} 0
fonster_releases_total{outcome="Failed",window="later"} 0
fonster_releases_total{outcome="Failed",window="open"} 1
fonster_releases_total{outcome="HeldAgain",window="broken"} 0
fonster_releases_total{outcome="HeldAgain",window="later"} 0
fonster_releases_total{outcome="HeldAgain",window="open"} 0
fonster_releases_total{outcome="Stopped",window="broken"} 0
fonster_releases_total{outcome="Stopped",window="later"} 0
fonster_releases_total{outcome="Stopped",window="open"} 0
# HELP fonster_window_planned_seconds_total Planned time of the occurrences that have ended.
# TYPE fonster_window_planned_seconds_total counter
fonster_window_planned_seconds_total{window="broken"} 0
fonster_window_planned_seconds_total{window="later"} 0
fonster_window_planned_seconds_total{window="open"} 39600
# HELP fonster_window_used_seconds_total Time of the occurrences that have ended that was used.
# TYPE fonster_window_used_seconds_total counter
fonster_window_used_seconds_total{window="broken"} 0
fonster_window_used_seconds_total{window="later"} 0
fonster_window_used_seconds_total{window="open"} 5400
`
	if err := testutil.CollectAndCompare(m, strings.NewReader(want), "fonster_held_oldest_timestamp_seconds", "fonster_held_rollouts",
		"fonster_releases_total", "fonster_window_planned_seconds_total", "fonster_window_used_seconds_total"); err != nil {
		t.Error(err)
	}
}

package compile

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/gate"
)

func window(change ...func(*v1alpha1.MaintenanceWindow)) *v1alpha1.MaintenanceWindow {
	mw := &v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: "w", UID: "w-1", Generation: 1},
		Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone:          "Europe/Stockholm",
			Schedules:         []v1alpha1.Schedule{{Dates: []string{"2026-05-13"}, StartTime: new("09:00"), EndTime: new("20:00")}},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kommun": "heby"}},
		},
	}
	for _, c := range change {
		c(mw)
	}
	return mw
}

func TestWindowHasTheDefaultsOfTheAPI(t *testing.T) {
	w, problems := Window(window())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if w.Enforcement != gate.Deny || !slices.Equal(w.Disruptions, []gate.Disruption{gate.Rollout, gate.Delete}) {
		t.Errorf("defaults: %s %v", w.Enforcement, w.Disruptions)
	}
}

func TestProblems(t *testing.T) {
	for title, tc := range map[string]struct {
		change       func(*v1alpha1.MaintenanceWindow)
		reason, path string
		hasTarget    bool
	}{
		"an unknown zone": {func(w *v1alpha1.MaintenanceWindow) { w.Spec.TimeZone = "Mars/Olympus" }, v1alpha1.ReasonInvalidTimeZone, "spec.timeZone", true},
		"a bad rule": {func(w *v1alpha1.MaintenanceWindow) {
			w.Spec.Schedules[0] = v1alpha1.Schedule{RRule: new("FREQ=WEEKLY;BYDAY=XX"), StartTime: new("09:00"), EndTime: new("20:00")}
		}, v1alpha1.ReasonInvalidSchedule, "spec.schedules[0].rrule", true},
		"never": {func(w *v1alpha1.MaintenanceWindow) {
			w.Spec.Schedules[0] = v1alpha1.Schedule{Cron: new("0 0 30 2 *"), Duration: &metav1.Duration{Duration: time.Hour}}
		}, v1alpha1.ReasonNeverOccurs, "spec.schedules[0]", true},
		"a long cutoff": {func(w *v1alpha1.MaintenanceWindow) { w.Spec.Cutoff = &metav1.Duration{Duration: 12 * time.Hour} }, v1alpha1.ReasonCutoffTooLong, "spec.cutoff", true},
		"a bad selector": {func(w *v1alpha1.MaintenanceWindow) {
			w.Spec.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a b": "c"}}
		}, v1alpha1.ReasonInvalidSelector, "spec.objectSelector", false},
		"no selector at all": {func(w *v1alpha1.MaintenanceWindow) { w.Spec.NamespaceSelector = nil }, v1alpha1.ReasonInvalidSelector, "spec.namespaceSelector", false},
	} {
		t.Run(title, func(t *testing.T) {
			w, problems := Window(window(tc.change))
			if len(problems) == 0 || problems[0].Reason != tc.reason || !strings.HasPrefix(problems[0].Path, tc.path) {
				t.Fatalf("problems %+v, want %s at %s", problems, tc.reason, tc.path)
			}
			if problems.HasTarget() != tc.hasTarget {
				t.Errorf("has a target: %t", problems.HasTarget())
			}
			if tc.hasTarget && w.Schedule != nil {
				t.Error("a window with a problem must not open")
			}
		})
	}
}

// TestFreezeReasonIsOneLine: the message of a policy must not contain line breaks.
func TestFreezeReasonIsOneLine(t *testing.T) {
	f, problems := Freeze(&v1alpha1.ChangeFreeze{Spec: v1alpha1.ChangeFreezeSpec{
		Reason: "Val:\n röstning", TimeZone: "UTC", NamespaceSelector: &metav1.LabelSelector{},
	}})
	if len(problems) > 0 || f.Reason != "Val: röstning" {
		t.Errorf("%q %v", f.Reason, problems)
	}
	if !f.Schedule.State(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).Open {
		t.Error("a freeze without schedules is in force until deleted")
	}
}

// TestCache: the same versions give the same pointer; a new generation or another object of the same name is compiled anew.
func TestCache(t *testing.T) {
	var cache Cache
	mw := window()
	first := cache.Compile([]v1alpha1.MaintenanceWindow{*mw}, nil)
	if cache.Compile([]v1alpha1.MaintenanceWindow{*mw}, nil) != first {
		t.Error("compiled again without a change")
	}
	mw.Spec.Enforcement, mw.Generation = v1alpha1.Warn, 2
	second := cache.Compile([]v1alpha1.MaintenanceWindow{*mw}, nil)
	if second == first || second.Windows["w"].Enforcement != gate.Warn {
		t.Error("a new generation was not compiled")
	}
	mw.Spec.Enforcement, mw.UID = v1alpha1.Deny, types.UID("w-2")
	if cache.Compile([]v1alpha1.MaintenanceWindow{*mw}, nil).Windows["w"].Enforcement != gate.Deny {
		t.Error("another object of the same name was not compiled")
	}
	if got := cache.Compile(nil, nil); len(got.Windows) != 0 {
		t.Error("a deleted window is still there")
	}
}

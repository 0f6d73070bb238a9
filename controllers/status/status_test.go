package status

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/internal/rollout"
	"fonster.dev/fonster/internal/workload"
)

// TestUpcomingWithoutBeginning: what is open all the time but for a day to come began with its object.
func TestUpcomingWithoutBeginning(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	mw := v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: "w", UID: "w", Generation: 1, CreationTimestamp: metav1.NewTime(now.AddDate(0, -1, 0))},
		Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone: "UTC", NamespaceSelector: &metav1.LabelSelector{},
			Schedules: []v1alpha1.Schedule{{RRule: new("FREQ=DAILY"), StartTime: new("00:00"), EndTime: new("24:00")}},
			Exclusions: []v1alpha1.Exclusion{{
				Schedule: v1alpha1.Schedule{Dates: []string{"2026-12-24"}, StartTime: new("00:00"), EndTime: new("24:00")},
			}},
		},
	}
	status, _ := windowStatus(&mw, glance{compiled: (&compile.Cache{}).Compile([]v1alpha1.MaintenanceWindow{mw}, nil)}, now)
	if len(status.Upcoming) != 1 || !status.Upcoming[0].Start.Equal(&mw.CreationTimestamp) || status.Upcoming[0].End.Format(time.DateOnly) != "2026-12-24" {
		t.Errorf("upcoming %+v", status.Upcoming)
	}
}

// TestHoldingNamesWhatWaits: what waits is named by a window that governs it, and by the freeze that keeps it back; what no window
// governs any more by the freeze alone.
func TestHoldingNamesWhatWaits(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	waiting := func(key, freeze string, windows ...string) workload.Workload {
		return workload.Workload{Object: rollout.Object{Key: key, Windows: windows}, Verdict: gate.Verdict{Freeze: freeze}}
	}
	all := []workload.Workload{
		waiting("Deployment a/governed", "", "w"), waiting("Deployment a/frozen", "f", "w"), waiting("Deployment a/left", "f"), waiting("Deployment a/other", "g", "x"),
	}
	mw := &v1alpha1.MaintenanceWindow{ObjectMeta: metav1.ObjectMeta{Name: "w"}, Spec: v1alpha1.MaintenanceWindowSpec{Enforcement: v1alpha1.Hold}}
	waits := newWaitlist(all, gate.NewSet(nil, nil), now)
	holds(mw, &mw.Status, glance{waiting: waits.windows["w"]}, "", now)
	cf := &v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: "f"}}
	keepsBack(cf, &cf.Status, waits.freezes["f"], now)
	for want, conditions := range map[string][]metav1.Condition{
		"2 wait: Deployment a/frozen, Deployment a/governed": mw.Status.Conditions,
		"2 wait: Deployment a/frozen, Deployment a/left":     cf.Status.Conditions,
	} {
		if c := meta.FindStatusCondition(conditions, v1alpha1.ConditionHolding); c == nil || c.Status != metav1.ConditionTrue || c.Message != want {
			t.Errorf("condition %+v, want %q", c, want)
		}
	}
	if mw.Status.Held != 2 {
		t.Errorf("%d held", mw.Status.Held)
	}
	if keepsBack(cf, &cf.Status, newWaitlist(all[:1], gate.NewSet(nil, nil), now).freezes["f"], now); len(cf.Status.Conditions) > 0 {
		t.Errorf("nothing waits for it any more: %+v", cf.Status.Conditions)
	}
}

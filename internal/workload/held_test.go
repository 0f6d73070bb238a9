package workload

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/rollout"
)

// TestWindows: how a window releases, from its spec and the account of the occurrence in progress, with bounds or without.
func TestWindows(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	created := metav1.NewTime(now.AddDate(0, -1, 0))
	nine := metav1.NewTime(time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC))
	today := v1alpha1.Schedule{Dates: []string{"2026-11-28"}, StartTime: new("09:00"), EndTime: new("20:00")}
	tomorrow := v1alpha1.Schedule{Dates: []string{"2026-11-29"}, StartTime: new("09:00"), EndTime: new("20:00")}
	endless := v1alpha1.Schedule{RRule: new("FREQ=DAILY"), StartTime: new("00:00"), EndTime: new("24:00")}
	begun := v1alpha1.Schedule{RRule: new("FREQ=DAILY"), StartDate: new("2026-11-28"), StartTime: new("00:00"), EndTime: new("24:00")}
	midnight := metav1.NewTime(nine.Add(-9 * time.Hour))
	stop := v1alpha1.ReleasePolicy{MaxConcurrent: 3, OnFailure: "Stop", OnClose: "Pause", EarlyClose: "WhenDone"}
	stopped := func(start metav1.Time) *v1alpha1.OccurrenceSummary {
		return &v1alpha1.OccurrenceSummary{Start: start, StoppedBy: "Deployment a/b", Released: 4}
	}
	for title, tc := range map[string]struct {
		schedule v1alpha1.Schedule
		policy   v1alpha1.ReleasePolicy
		account  *v1alpha1.OccurrenceSummary
		want     rollout.Window
	}{
		"closed": {tomorrow, stop, nil, rollout.Window{MaxConcurrent: 3, StopOnFailure: true, PauseOnClose: true}},
		"open":   {today, stop, nil, rollout.Window{MaxConcurrent: 3, StopOnFailure: true, PauseOnClose: true, CloseWhenDone: true, Open: true}},
		"stopped": {today, stop, stopped(nine), rollout.Window{
			MaxConcurrent: 3, StopOnFailure: true, PauseOnClose: true, CloseWhenDone: true, Open: true, Stopped: map[string]bool{"a": true}, Released: 4,
		}},
		"stopped in another occurrence": {today, stop, stopped(created), rollout.Window{
			MaxConcurrent: 3, StopOnFailure: true, PauseOnClose: true, CloseWhenDone: true, Open: true,
		}},
		"stopped, and told to continue":     {today, v1alpha1.ReleasePolicy{OnFailure: "Continue"}, stopped(nine), rollout.Window{Open: true, Released: 4}},
		"without bounds":                    {endless, stop, nil, rollout.Window{MaxConcurrent: 3, StopOnFailure: true, PauseOnClose: true, Open: true}},
		"stopped, without bounds":           {endless, stop, stopped(created), rollout.Window{MaxConcurrent: 3, StopOnFailure: true, PauseOnClose: true, Open: true, Stopped: map[string]bool{"a": true}, Released: 4}},
		"stopped, begun today, without end": {begun, stop, stopped(midnight), rollout.Window{MaxConcurrent: 3, StopOnFailure: true, PauseOnClose: true, Open: true, Stopped: map[string]bool{"a": true}, Released: 4}},
	} {
		t.Run(title, func(t *testing.T) {
			mw := v1alpha1.MaintenanceWindow{
				ObjectMeta: metav1.ObjectMeta{Name: "w", UID: "w", Generation: 1, CreationTimestamp: created},
				Spec: v1alpha1.MaintenanceWindowSpec{
					TimeZone: "UTC", Schedules: []v1alpha1.Schedule{tc.schedule}, NamespaceSelector: &metav1.LabelSelector{}, Enforcement: v1alpha1.Hold, Release: &tc.policy,
				},
				Status: v1alpha1.MaintenanceWindowStatus{CurrentOccurrence: tc.account},
			}
			all := []v1alpha1.MaintenanceWindow{mw}
			compiled := (&compile.Cache{}).Compile(all, nil)
			if p := compiled.Windows["w"].Problems; len(p) > 0 {
				t.Fatal(p)
			}
			if diff := cmp.Diff(tc.want, Windows(compiled, all, now)["w"]); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

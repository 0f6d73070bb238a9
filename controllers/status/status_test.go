package status

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
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
	status, _ := windowStatus(&mw, (&compile.Cache{}).Compile([]v1alpha1.MaintenanceWindow{mw}, nil), 0, now)
	if len(status.Upcoming) != 1 || !status.Upcoming[0].Start.Equal(&mw.CreationTimestamp) || status.Upcoming[0].End.Format(time.DateOnly) != "2026-12-24" {
		t.Errorf("upcoming %+v", status.Upcoming)
	}
}

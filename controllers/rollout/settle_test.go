package rollout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
)

// settled is the account of a window after a walk through instants, with a step of account at each of them.
func settled(mw *v1alpha1.MaintenanceWindow, at ...time.Time) (ended []*v1alpha1.OccurrenceSummary) {
	for _, now := range at {
		r := &run{Reconciler: &Reconciler{}, now: now, compiled: (&compile.Cache{}).Compile([]v1alpha1.MaintenanceWindow{*mw}, nil)}
		if !r.turns(mw) {
			continue
		}
		if o, _ := r.settle(mw, nil); o != nil {
			ended = append(ended, o)
		}
	}
	return ended
}

// TestSettle: what the account of an occurrence says when it has ended, by itself, by the operator or by hand, whosoever's clock
// is ahead.
func TestSettle(t *testing.T) {
	at := func(hour, minute, second int) time.Time {
		return time.Date(2026, 11, 28, hour, minute, second, 0, time.UTC)
	}
	byHand := func(from time.Time) func(*v1alpha1.MaintenanceWindow) {
		return func(mw *v1alpha1.MaintenanceWindow) {
			mw.Annotations = map[string]string{v1alpha1.ClosedAnnotation: compile.Closing(from, at(20, 0, 0))}
		}
	}
	for title, tc := range map[string]struct {
		before []time.Time // what the operator has seen
		close  func(*v1alpha1.MaintenanceWindow)
		after  []time.Time
		early  bool
		used   time.Duration
	}{
		"by itself":                          {before: []time.Time{at(9, 0, 0), at(12, 0, 0)}, after: []time.Time{at(20, 0, 0)}, used: 11 * time.Hour},
		"by hand":                            {[]time.Time{at(9, 0, 0)}, byHand(at(12, 0, 0)), []time.Time{at(12, 0, 0)}, true, 3 * time.Hour},
		"by hand, a moment ago":              {[]time.Time{at(9, 0, 0)}, byHand(at(12, 0, 0)), []time.Time{at(12, 0, 7)}, true, 3 * time.Hour},
		"by hand, by a clock that is ahead":  {[]time.Time{at(9, 0, 0)}, byHand(at(12, 0, 10)), []time.Time{at(12, 0, 0), at(12, 0, 5), at(12, 0, 10)}, true, 3*time.Hour + 10*time.Second},
		"by hand, while no operator ran":     {nil, byHand(at(12, 0, 0)), []time.Time{at(13, 0, 0)}, true, 3 * time.Hour},
		"by hand, ahead, and begun just now": {nil, byHand(at(9, 0, 30)), []time.Time{at(9, 0, 0), at(9, 0, 30)}, true, 30 * time.Second},
		"by the operator": {[]time.Time{at(9, 0, 0)}, func(mw *v1alpha1.MaintenanceWindow) {
			mw.Status.ClosedEarly = &v1alpha1.Occurrence{Start: metav1.NewTime(at(15, 0, 0)), End: metav1.NewTime(at(20, 0, 0))}
		}, []time.Time{at(15, 0, 0), at(20, 0, 0)}, true, 6 * time.Hour},
		"closed by hand the day before": {[]time.Time{at(9, 0, 0)}, func(mw *v1alpha1.MaintenanceWindow) {
			mw.Annotations = map[string]string{v1alpha1.ClosedAnnotation: compile.Closing(at(12, 0, 0).AddDate(0, 0, -1), at(20, 0, 0).AddDate(0, 0, -1))}
		}, []time.Time{at(20, 0, 0)}, false, 11 * time.Hour},
	} {
		t.Run(title, func(t *testing.T) {
			mw := openWindow("w")
			mw.Spec.Enforcement = v1alpha1.Deny
			settled(mw, tc.before...)
			if tc.close != nil {
				tc.close(mw)
			}
			ended := settled(mw, tc.after...)
			want := v1alpha1.OccurrenceSummary{
				Start: metav1.NewTime(at(9, 0, 0)), End: new(metav1.NewTime(at(20, 0, 0))),
				UsedSeconds: int64(tc.used.Seconds()), ClosedEarly: tc.early,
			}
			if len(ended) != 1 || mw.Status.CurrentOccurrence != nil || mw.Status.LastOccurrence == nil {
				t.Fatalf("ended %v, current %+v, last %+v", ended, mw.Status.CurrentOccurrence, mw.Status.LastOccurrence)
			}
			if diff := cmp.Diff(want, *mw.Status.LastOccurrence); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestSettleWithoutEnd: an occurrence without beginning or end has an account like every other, until its schedule is changed.
func TestSettleWithoutEnd(t *testing.T) {
	created := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	mw := openWindow("w")
	mw.CreationTimestamp = metav1.NewTime(created)
	bounded := mw.Spec.Schedules
	mw.Spec.Schedules = []v1alpha1.Schedule{{RRule: new("FREQ=DAILY"), StartTime: new("00:00"), EndTime: new("24:00")}}
	if ended := settled(mw, created.Add(time.Second), noon, noon.Add(time.Hour)); len(ended) > 0 {
		t.Errorf("it has ended: %+v", ended)
	}
	if diff := cmp.Diff(&v1alpha1.OccurrenceSummary{Start: metav1.NewTime(created)}, mw.Status.CurrentOccurrence); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	mw.Spec.Schedules, mw.Generation = bounded, 2
	settled(mw, noon)
	if l := mw.Status.LastOccurrence; l == nil || !l.Start.Time.Equal(created) || !l.End.Time.Equal(noon) {
		t.Errorf("last %+v", l)
	}
	if c := mw.Status.CurrentOccurrence; c == nil || c.Start.Hour() != 9 || c.End.Hour() != 20 {
		t.Errorf("current %+v", c)
	}
}

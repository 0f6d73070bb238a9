package compile

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
)

// TestClosedEarly: what is closed early, by a person or by the operator, is closed from that second until the occurrence would have
// ended, and the next one opens as ever; what cannot be read closes nothing.
func TestClosedEarly(t *testing.T) {
	at := func(day, hour int) time.Time { return time.Date(2026, 5, day, hour, 0, 0, 0, time.UTC) }
	base := v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: "w", UID: "w", Generation: 1},
		Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone: "UTC", Schedules: []v1alpha1.Schedule{{Dates: []string{"2026-05-13", "2026-05-14"}, StartTime: new("09:00"), EndTime: new("20:00")}},
			NamespaceSelector: &metav1.LabelSelector{},
		},
	}
	byHand, byOperator, garbled := base.DeepCopy(), base.DeepCopy(), base.DeepCopy()
	byHand.Annotations = map[string]string{v1alpha1.ClosedAnnotation: Closing(at(13, 12), at(13, 20))}
	byOperator.Status.ClosedEarly = &v1alpha1.Occurrence{Start: metav1.NewTime(at(13, 12)), End: metav1.NewTime(at(13, 20))}
	garbled.Annotations = map[string]string{v1alpha1.ClosedAnnotation: "noon/20:00"}
	for title, tc := range map[string]struct {
		mw     *v1alpha1.MaintenanceWindow
		closed bool
	}{"as planned": {&base, false}, "by hand": {byHand, true}, "by the operator": {byOperator, true}, "garbled": {garbled, false}} {
		t.Run(title, func(t *testing.T) {
			w, problems := Window(tc.mw)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			for instant, want := range map[time.Time]bool{at(13, 11): true, at(13, 12): !tc.closed, at(13, 19): !tc.closed, at(13, 20): false, at(14, 9): true} {
				if got := w.Schedule.State(instant).Open; got != want {
					t.Errorf("%s: open %v, want %v", instant, got, want)
				}
			}
			if end := w.Schedule.State(at(13, 10)).Current.End; tc.closed && !end.Equal(at(13, 12)) {
				t.Errorf("it ends %s", end)
			}
			for instant, want := range map[time.Time]bool{at(13, 11): false, at(13, 12): tc.closed, at(13, 20): false} {
				if rest, got := ClosedAt(tc.mw, instant); got != want || got && !rest.End.Equal(at(13, 20)) {
					t.Errorf("%s: closed early %v, until %s, want %v", instant, got, rest.End, want)
				}
			}
			if next := w.Schedule.State(at(13, 15)).Next; !next.Start.Equal(at(14, 9)) {
				t.Errorf("next %s", next.Start)
			}
		})
	}
	var cache Cache
	before := cache.Compile([]v1alpha1.MaintenanceWindow{base}, nil)
	if cache.Compile([]v1alpha1.MaintenanceWindow{base}, nil) != before {
		t.Error("compiled again, though nothing has changed")
	}
	if cache.Compile([]v1alpha1.MaintenanceWindow{*byHand}, nil) == before {
		t.Error("not compiled again, though it was closed")
	}
}

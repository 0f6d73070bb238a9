package compile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/schedule"
)

// Closed lists the rests of occurrences that have ended early: what a person has closed, in an annotation, and what the
// operator has, in the status. Both survive restarts, and every replica reads them alike. What cannot be read is none.
func Closed(mw *v1alpha1.MaintenanceWindow) []schedule.Occurrence {
	var list []schedule.Occurrence
	if from, until, found := strings.Cut(mw.Annotations[v1alpha1.ClosedAnnotation], "/"); found {
		start, startErr := time.Parse(time.RFC3339, from)
		end, endErr := time.Parse(time.RFC3339, until)
		if startErr == nil && endErr == nil {
			list = append(list, schedule.Occurrence{Start: start, End: end})
		}
	}
	if c := mw.Status.ClosedEarly; c != nil {
		list = append(list, schedule.Occurrence{Start: c.Start.Time, End: c.End.Time})
	}
	return list
}

// ClosedVersion tells versions of a window apart by what has been closed early of it, which is no part of its spec.
func ClosedVersion(mw *v1alpha1.MaintenanceWindow) string {
	var b strings.Builder
	for _, o := range Closed(mw) {
		fmt.Fprintf(&b, "%d-%d ", o.Start.Unix(), o.End.Unix())
	}
	return b.String()
}

// ClosedWithin returns the rest of an occurrence that has been ended early: from when on it was closed, and until when it was
// planned. Whoever closed it may have had a clock ahead of the operator's: then the end of the occurrence, as the operator saw it
// while it was still open, is the beginning of the rest.
func ClosedWithin(mw *v1alpha1.MaintenanceWindow, start, end time.Time) (rest schedule.Occurrence, closed bool) {
	for _, o := range Closed(mw) {
		if o.Start.Before(start) || o.Start.After(end) {
			continue
		}
		if !closed || o.Start.Before(rest.Start) {
			rest.Start = o.Start
		}
		if o.End.After(rest.End) {
			rest.End = o.End
		}
		closed = true
	}
	return rest, closed
}

// ClosedAt returns the rest of the occurrence that would be in progress at now, had it not ended early.
func ClosedAt(mw *v1alpha1.MaintenanceWindow, now time.Time) (schedule.Occurrence, bool) {
	list := Closed(mw)
	i := slices.IndexFunc(list, func(o schedule.Occurrence) bool { return !now.Before(o.Start) && now.Before(o.End) })
	if i < 0 {
		return schedule.Occurrence{}, false
	}
	return list[i], true
}

// Closing writes ClosedAnnotation: from is when the occurrence ends instead of at until.
func Closing(from, until time.Time) string {
	return from.UTC().Format(time.RFC3339) + "/" + until.UTC().Format(time.RFC3339)
}

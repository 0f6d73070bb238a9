package history

import (
	"fmt"
	"slices"
	"strings"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
)

// OverOf picks, of all freezes, those that lie over a window.
func OverOf(window *v1alpha1.MaintenanceWindow, freezes []v1alpha1.ChangeFreeze) (over Over) {
	governing, problems := compile.Shut(window)
	var identities []string
	for i := range freezes {
		f := &freezes[i]
		if freeze, wrong := compile.Always(f); problems.HasTarget() && wrong.HasTarget() && governing.BlockedBy(freeze) {
			identities = append(identities, fmt.Sprintf("%s/%d", f.UID, f.Generation))
			if len(f.Spec.Schedules) == 0 {
				over.Stops = append(over.Stops, stopOf(f))
			}
		}
	}
	slices.Sort(identities)
	slices.SortFunc(over.Stops, func(a, b Stop) int { return strings.Compare(a.Freeze, b.Freeze) })
	over.Freezes = strings.Join(identities, ",")
	return over
}

// stopOf is a freeze without a schedule as people are told of it.
func stopOf(cf *v1alpha1.ChangeFreeze) Stop {
	stop := Stop{Freeze: cf.Name, Since: cf.CreationTimestamp.UTC()}
	if compile.Announced(cf.Spec.Announce) {
		stop.Reason, stop.Reasons = cf.Spec.Reason, TitlesOf(cf.Spec.Reasons)
	}
	return stop
}

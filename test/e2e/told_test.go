package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"fonster.dev/fonster/api/v1alpha1"
)

// told lists the Events of a reason in a namespace, as "NAME: NOTE" and once for each time that one was told.
func told(t *testing.T, ns, reason string) (list []string) {
	t.Helper()
	out, err := shared.Kubectl("get", "events", "-n", ns, "-o", `jsonpath={range .items[?(@.reason=="`+reason+`")]}{.involvedObject.name}: {.message}{"\n"}{end}`)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(out) {
		list = append(list, strings.TrimSpace(line))
	}
	slices.Sort(list)
	return list
}

// TestToldOnce: that rollouts wait, and that an object is overridden, is told once: by several windows, and by the next leader too.
func TestToldOnce(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	var names []string
	var all []*appsv1.Deployment
	for i := range 3 {
		names = append(names, fmt.Sprintf("web-%d", i))
		all = append(all, deployment(t, ns, names[i], 1))
	}
	window(t, ns, ns, nextYear(), hold)
	mw := window(t, ns+"-too", ns, nextYear(), hold)
	for _, d := range all {
		wantPassed(t, patchImage(t.Context(), shared.Admin, d, "app:2"))
		wantHeld(t, holdable{d, "Deployment", isParked})
	}
	want := func(reason string, texts ...string) {
		t.Helper()
		eventually(t, 15*time.Second, func() error {
			got := told(t, ns, reason)
			if len(got) != len(texts) {
				return fmt.Errorf("told %q, want %d", got, len(texts))
			}
			for i, text := range texts {
				if !strings.HasPrefix(got[i], text) {
					return fmt.Errorf("told %q, want %q", got, texts)
				}
			}
			return nil
		})
	}
	waiting := []string{"web-0: Held: the rollout waits until", "web-1: Held: the rollout waits until", "web-2: Held: the rollout waits until"}
	want(v1alpha1.ReasonHeld, waiting...)
	restartOperator(t)
	changed := time.Now()
	wantPassed(t, annotateWith(t.Context(), shared.Admin, all[0], "maintenance.fonster.dev/override", "INC-1"))
	want(v1alpha1.ReasonReleased, "web-0: Released: an override stands") // by the new leader
	if gone := time.Since(changed); gone > 50*time.Second {
		t.Logf("the change of leader took %s: longer than Held is told for", gone)
	}
	want(v1alpha1.ReasonHeld, waiting...)
	want(v1alpha1.ReasonOverridden, "web-0: Deployment "+ns+"/web-0 is overridden by ")
	openNow(t, mw, holdable{})
	want(v1alpha1.ReasonReleased, "web-0: Released: an override stands", "web-1: Released: "+mw.Name+" is open", "web-2: Released: "+mw.Name+" is open")
}

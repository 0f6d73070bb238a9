package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/policy"
)

// calendars are all calendars that show an audience: its own and everybody's, in each language and in that of the reader.
func calendars(audience string) (paths []string) {
	for _, folder := range []string{"/", "/" + audience + "/"} {
		for _, language := range []string{"", "/sv", "/en"} {
			paths = append(paths, language+folder+"calendar.ics")
		}
	}
	return paths
}

// eventsOf are the starts of the events that a calendar has of a window, as the calendar writes them: those that stand, and those that
// are cancelled.
func eventsOf(t *testing.T, path, window string) (stand, cancelled []string) {
	t.Helper()
	_, calendar := page(t, path)
	for event := range strings.SplitSeq(strings.ReplaceAll(calendar, "\r\n ", ""), "BEGIN:VEVENT") {
		if !strings.Contains(event, "-"+window+"@") {
			continue
		}
		_, start, _ := strings.Cut(event, "DTSTART")
		start, _, _ = strings.Cut(start[strings.Index(start, ":")+1:], "\r")
		if start = strings.TrimSuffix(start, "Z"); strings.Contains(event, "STATUS:CANCELLED") {
			cancelled = append(cancelled, start)
		} else {
			stand = append(stand, start)
		}
	}
	slices.Sort(cancelled)
	return stand, cancelled
}

// wantCancelled waits until each calendar of an audience has some events of a window that stand, and just those cancelled that begin at
// some instants.
func wantCancelled(t *testing.T, when, audience, window string, stand int, starts ...time.Time) {
	t.Helper()
	var want []string
	for _, s := range starts {
		want = append(want, s.UTC().Format("20060102T150405"))
	}
	slices.Sort(want)
	eventually(t, 10*time.Second, func() error {
		for _, path := range calendars(audience) {
			if standing, got := eventsOf(t, path, window); len(standing) != stand || !slices.Equal(got, want) {
				return fmt.Errorf("%s: %s: cancelled are %s, want %s; %d stand, want %d", when, path, got, want, len(standing), stand)
			}
		}
		return nil
	})
}

// TestPageForgivesAStopButton: pressed, it cancels what begins today or tomorrow, and lifted, just what it stopped; the year beyond stays
// in all calendars.
func TestPageForgivesAStopButton(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	begin := time.Now().UTC().Truncate(time.Second)
	stopped, later := begin.Add(20*time.Second), begin.Add(3*time.Hour)
	far := v1alpha1.Schedule{StartTime: new("09:00"), EndTime: new("20:00")}
	for i := range 30 {
		far.Dates = append(far.Dates, day(begin.AddDate(0, 0, 5+12*i)))
	}
	window(t, ns, ns, far, func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Audiences = []string{"stopped"}
		mw.Spec.Schedules = append(mw.Spec.Schedules, between(stopped, stopped.Add(2*time.Second)), between(later, later.Add(time.Hour)))
	})
	wantCancelled(t, "before", "stopped", ns, 32)

	stop := freeze(t, ns+"-stop", ns, nil, func(cf *v1alpha1.ChangeFreeze) { cf.Spec.Audiences = []string{"stopped"} })
	wantCancelled(t, "pressed", "stopped", ns, 30, stopped, later)
	if _, body := page(t, "/sv/stopped/"); !strings.Contains(body, "Ändringsstopp gäller") || !strings.Contains(body, "tills vidare") {
		t.Errorf("the page does not tell of the stop:\n%s", body)
	}

	time.Sleep(time.Until(stopped.Add(3 * time.Second)))
	wantPassed(t, shared.Admin.Delete(t.Context(), stop))
	wantCancelled(t, "lifted", "stopped", ns, 31, stopped)
	restartOperator(t)
	time.Sleep(time.Second) // it has looked at everything again
	wantCancelled(t, "lifted, and the operator started again", "stopped", ns, 31, stopped)
	got := states(t, "/stopped/windows.json", ns)
	if is := got[stopped.Format(time.RFC3339)]; is != "frozen" {
		t.Errorf("what it stopped is %q in windows.json", is)
	}
	if is := got[later.Format(time.RFC3339)]; is != "upcoming" {
		t.Errorf("what it did not stop in the end is %q in windows.json", is)
	}
	if _, body := page(t, "/sv/stopped/"); strings.Contains(body, "Ändringsstopp gäller") {
		t.Errorf("the page still tells of the stop:\n%s", body)
	}
}

// TestRetract: who has the Role takes back a cancellation, and nothing that people read tells of it any more, nor does the operator
// remember it; who has it not is told what to ask for.
func TestRetract(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	begin := time.Now().UTC().Truncate(time.Second)
	kept, dropped := begin.Add(3*time.Hour), begin.Add(6*time.Hour) // so soon that a change is no mistake without a trace
	const title = "Ett fönster av misstag"
	mw := window(t, ns, ns, between(kept, kept.Add(time.Hour)), func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Title, mw.Spec.Audiences = title, []string{"mistaken"}
		mw.Spec.Schedules = append(mw.Spec.Schedules, between(dropped, dropped.Add(time.Hour)))
	})
	key := client.ObjectKey{Namespace: policy.DefaultNamespace, Name: "announced-" + ns}
	t.Cleanup(func() {
		_ = shared.Admin.Delete(context.Background(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}})
	})
	wantCancelled(t, "announced", "mistaken", ns, 2)
	eventually(t, 5*time.Second, func() error { return shared.Admin.Get(t.Context(), key, &corev1.ConfigMap{}) })
	wantPassed(t, shared.Admin.Patch(t.Context(), mw, mergePatch(`{"spec":{"schedules":[{"dates":[%q],"startTime":%q,"endTime":%q}]}}`,
		mw.Spec.Schedules[0].Dates[0], *mw.Spec.Schedules[0].StartTime, *mw.Spec.Schedules[0].EndTime)))
	wantCancelled(t, "changed", "mistaken", ns, 1, dropped)

	user := "editor-" + ns
	bindTo(t, user, "fonster-editor")
	if code, out, errs := kubectlWindow(t, user, "retract", ns); code != 1 || out != "" ||
		!strings.Contains(errs, "you may not read what was announced: ask for the Role fonster-announcements in fonster-system") {
		t.Errorf("without the Role: code %d: %s%s", code, out, errs)
	}
	wantCancelled(t, "refused", "mistaken", ns, 1, dropped)
	create(t, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: policy.DefaultNamespace, Name: user},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "fonster-announcements"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}}})
	retract := func(says string, args ...string) {
		t.Helper()
		eventually(t, 10*time.Second, func() error {
			code, out, errs := kubectlWindow(t, user, append([]string{"retract", ns}, args...)...)
			if code != 0 || !strings.Contains(out, says) {
				return fmt.Errorf("retract %s: code %d, want %q: %s%s", args, code, says, out, errs)
			}
			return nil
		})
	}
	retract("(dry run)", "--dry-run")
	retract("nothing is told of "+ns, "--date", day(begin.AddDate(0, 0, 3)))
	wantCancelled(t, "a dry run, and another day", "mistaken", ns, 1, dropped)
	retract("is told no more")
	wantCancelled(t, "retracted", "mistaken", ns, 1)
	if got := states(t, "/mistaken/windows.json", ns); len(got) != 1 || got[kept.Format(time.RFC3339)] != "upcoming" {
		t.Errorf("windows.json has %v, want what is still to come and nothing else", got)
	}

	wantPassed(t, shared.Admin.Delete(t.Context(), mw))
	wantCancelled(t, "deleted", "mistaken", ns, 0, kept)
	documents := append(calendars("mistaken"), "/", "/sv/mistaken/", "/en/mistaken/", "/windows.json", "/feed.atom", "/sv/mistaken/feed.atom")
	if _, body := page(t, "/sv/mistaken/"); !strings.Contains(body, title) {
		t.Errorf("the page does not tell that it is cancelled:\n%s", body)
	}
	retract("is told no more")
	untold := func(when string) {
		t.Helper()
		eventually(t, 10*time.Second, func() error {
			if err := shared.Admin.Get(t.Context(), key, &corev1.ConfigMap{}); !apierrors.IsNotFound(err) {
				return fmt.Errorf("%s: the record is still there: %w", when, err)
			}
			for _, path := range documents {
				if _, body := page(t, path); strings.Contains(strings.ReplaceAll(body, "\r\n ", ""), title) {
					return fmt.Errorf("%s: %s still tells of it:\n%s", when, path, body)
				}
			}
			return nil
		})
	}
	untold("retracted")
	restartOperator(t)
	time.Sleep(time.Second) // it has looked at everything again
	untold("retracted, and the operator started again")
}

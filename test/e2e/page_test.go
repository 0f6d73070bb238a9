package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/policy"
)

// page reads a document of the page, without any token.
func page(t *testing.T, path string, header ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, pages.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// announced is the part of windows.json that these tests read.
type announced struct {
	Open        bool `json:"open"`
	Emergency   bool `json:"emergency"`
	Occurrences []struct {
		Name, State, Start, End, MovedTo, Class string
		Sequence                                int
	} `json:"occurrences"`
}

// states are the states of a window's occurrences by their start, as RFC 3339.
func states(t *testing.T, path, window string) map[string]string {
	t.Helper()
	_, body := page(t, path)
	var document announced
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		return map[string]string{"": err.Error()} // an audience that is not known yet
	}
	got := map[string]string{}
	for _, o := range document.Occurrences {
		if o.Name == window {
			got[o.Start] = o.State
		}
	}
	return got
}

// TestPageFollowsTheGate: the page opens and closes with the window, on its second, and tells of an emergency.
func TestPageFollowsTheGate(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	opens := time.Now().Add(12 * time.Second).Truncate(time.Second) // until then it is in force
	closes := opens.Add(6 * time.Second)
	if day(opens) != day(closes) {
		t.Skip("midnight is near")
	}
	audience := func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Audiences, mw.Spec.Title, mw.Spec.Class = []string{"gate"}, "Provfönster", v1alpha1.Emergency
	}
	window(t, ns, ns, between(opens, closes), audience)
	check := func(when string, says, saysNot string) {
		t.Helper()
		response, body := page(t, "/sv/gate/")
		if response.StatusCode != http.StatusOK || !strings.Contains(body, says) || strings.Contains(body, saysNot) {
			t.Errorf("%s: status %d; want %q and not %q in:\n%s", when, response.StatusCode, says, saysNot, body)
		}
		eventually(t, 2*time.Second, func() error { // the status is written a moment after the gate
			open := false
			var mw v1alpha1.MaintenanceWindow
			if err := shared.Admin.Get(t.Context(), client.ObjectKey{Name: ns}, &mw); err != nil {
				return err
			}
			for _, c := range mw.Status.Conditions {
				open = open || c.Type == v1alpha1.ConditionOpen && c.Status == "True"
			}
			if strings.Contains(body, "Akut arbete pågår") != open {
				return fmt.Errorf("%s: the window's Open is %t, and the page says otherwise", when, open)
			}
			return nil
		})
	}
	check("before", "Akut arbete planerat", "Akut arbete pågår")
	time.Sleep(time.Until(opens.Add(200 * time.Millisecond)))
	check("just after the opening", "Akut arbete pågår", "Inget servicefönster pågår just nu")
	time.Sleep(time.Until(closes.Add(-2500 * time.Millisecond)))
	check("before the closing", "Akut arbete pågår", "Inget servicefönster pågår just nu")
	time.Sleep(time.Until(closes.Add(200 * time.Millisecond)))
	check("just after the closing", "Inget servicefönster pågår just nu", "Akut arbete pågår")
}

// TestAnnouncedRecord: what is moved, cancelled and deleted is remembered, with the operator restarted in between, and windows
// carry no finalizer for it.
func TestAnnouncedRecord(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	// Of what lies more than a day ahead a change so soon would be taken for a mistake, of which nobody is told.
	begin := time.Now().UTC().Truncate(time.Second)
	in := func(hours int) string { return begin.Add(time.Duration(hours) * time.Hour).Format(time.RFC3339) }
	times := func(hours ...int) (list []v1alpha1.Schedule) {
		for _, h := range hours {
			at := begin.Add(time.Duration(h) * time.Hour)
			list = append(list, between(at, at.Add(time.Hour)))
		}
		return list
	}
	mw := window(t, ns, ns, between(begin.Add(3*time.Hour), begin.Add(4*time.Hour)), func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Audiences, mw.Spec.Schedules = []string{"remembered"}, times(3, 6, 100)
	})
	if len(mw.Finalizers) > 0 {
		t.Errorf("finalizers: %s", mw.Finalizers)
	}
	want := func(wanted map[string]string) {
		t.Helper()
		eventually(t, 5*time.Second, func() error {
			if got := states(t, "/remembered/windows.json", ns); fmt.Sprint(got) != fmt.Sprint(wanted) {
				return fmt.Errorf("got %v, want %v", got, wanted)
			}
			return nil
		})
	}
	want(map[string]string{in(3): "upcoming", in(6): "upcoming", in(100): "upcoming"})
	key := client.ObjectKey{Namespace: policy.DefaultNamespace, Name: "announced-" + ns}
	eventually(t, 5*time.Second, func() error { return shared.Admin.Get(t.Context(), key, &corev1.ConfigMap{}) })
	t.Cleanup(func() {
		stored := &corev1.ConfigMap{}
		stored.Namespace, stored.Name = key.Namespace, key.Name
		_ = shared.Admin.Delete(context.Background(), stored)
	})

	second := operate(t, shared) // of two replicas, one makes each change
	mw.Spec.Schedules = times(3, 9)
	if err := shared.Admin.Update(t.Context(), mw); err != nil {
		t.Fatal(err)
	}
	want(map[string]string{in(3): "upcoming", in(6): "moved", in(9): "upcoming"})
	_, calendar := page(t, "/remembered/calendar.ics")
	cancelled, changed := 0, 0
	for event := range strings.SplitSeq(strings.ReplaceAll(calendar, "\r\n ", ""), "BEGIN:VEVENT") {
		if strings.Contains(event, "-"+ns+"@") {
			cancelled += strings.Count(event, "STATUS:CANCELLED")
			changed += strings.Count(event, "SEQUENCE:1\r")
		}
	}
	if cancelled != 1 || changed != 3 {
		t.Errorf("%d events cancelled, want 1; %d at sequence 1, want 3:\n%s", cancelled, changed, calendar)
	}

	second.Kill()
	operator.Kill()
	if err := shared.Admin.Delete(t.Context(), mw); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, func() error {
		if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(mw), &v1alpha1.MaintenanceWindow{}); client.IgnoreNotFound(err) != nil || err == nil {
			return fmt.Errorf("the window is still there: %v", err)
		}
		return nil
	})
	restartOperator(t)
	want(map[string]string{in(3): "cancelled", in(6): "moved", in(9): "cancelled"})
}

// TestPageAnswers: languages, audiences that no object names, and what is not there.
func TestPageAnswers(t *testing.T) {
	for _, tc := range []struct {
		path, language string
		status         int
		says           string
	}{
		{"/", "sv", 200, "Vad är ett servicefönster?"},
		{"/", "de", 200, "What is a maintenance window?"},
		{"/sv/", "en", 200, "Vad är ett servicefönster?"},
		{"/osthammar/", "sv", 200, "Servicefönster Östhammar"},
		{"/heby/calendar.ics", "sv", 200, "BEGIN:VCALENDAR"},
		{"/nowhere/", "sv", 404, "Sidan finns inte"},
	} {
		response, body := page(t, tc.path, "Accept-Language", tc.language)
		if response.StatusCode != tc.status || !strings.Contains(body, tc.says) {
			t.Errorf("%s in %s: status %d, want %d and %q:\n%s", tc.path, tc.language, response.StatusCode, tc.status, tc.says, body)
		}
	}
}

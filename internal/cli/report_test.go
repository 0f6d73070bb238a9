package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// trialEvent is an event of an audit log of a request that a window with enforcement Audit would have refused, as the notes of the policy say:
// FREEZES|WINDOWS, names between commas.
func trialEvent(second int, user, namespace, resource, name string, code int, closedBy string) string {
	type failure struct {
		Message string   `json:"message"`
		Policy  string   `json:"policy"`
		Actions []string `json:"validationActions"`
	}
	var failures []failure
	annotations := map[string]string{}
	freezes, windows, _ := strings.Cut(closedBy, "|")
	for of, names := range map[string]string{"freezes": freezes, "windows": windows} {
		if names == "" {
			continue
		}
		failures = append(failures, failure{"Closed by " + of + ".", "fonster-workloads-deny", []string{"Audit"}})
		quoted := `"` + strings.ReplaceAll(names, ",", `","`) + `"`
		annotations["fonster-workloads-deny/"+of] = `{"gate":"gate","disruption":"Rollout","names":["real"]}, {"gate":"audit","disruption":"Rollout","names":[` + quoted + `]}`
	}
	failures = append(failures, failure{"of somebody else's policy", "example", []string{"Audit"}})
	note, _ := json.Marshal(failures)
	annotations["validation.policy.admission.k8s.io/validation_failure"] = string(note)
	event, _ := json.Marshal(map[string]any{
		"kind": "Event", "apiVersion": "audit.k8s.io/v1", "stage": "ResponseComplete", "auditID": fmt.Sprint(second), "requestURI": "/apis/apps/v1/x",
		"user": map[string]any{"username": user}, "objectRef": map[string]any{"resource": resource, "namespace": namespace, "name": name, "apiGroup": "apps"},
		"responseStatus": map[string]any{"code": code}, "requestReceivedTimestamp": fmt.Sprintf("2026-12-01T12:00:%02d.123456Z", second),
		"annotations": annotations,
	})
	return string(event) + "\n"
}

// TestReport: what would have been refused is counted by window, namespace, user and kind; one request counts once in each.
func TestReport(t *testing.T) {
	log := trialEvent(1, "anna", "heby", "deployments", "web", 200, "|nights") +
		trialEvent(2, "anna", "heby", "deployments", "api", 200, "jul|nights,saturdays") +
		trialEvent(3, "ci", "tierp", "statefulsets", "db", 403, "|nights") +
		trialEvent(4, "ci", "tierp", "statefulsets", "db", 200, "") +
		`{"kind":"Event","stage":"RequestReceived","auditID":"5"}` + "\n" +
		`{"kind":"Event","stage":"ResponseComplete","auditID":"6","responseStatus":{"code":200},"requestReceivedTimestamp":"2026-12-01T13:00:00.0Z"}` + "\n" + `{"kind":"Ev`
	code, out, warnings := execute(t, log, nil, "report", "--audit-log", "-")
	if code != 0 || !strings.Contains(warnings, "the last event is cut off") {
		t.Fatalf("%d: %s", code, warnings)
	}
	for _, want := range []string{
		"3 of 5 requests from Tue 1 Dec 2026 12:00:01 UTC to Tue 1 Dec 2026 13:00 UTC would have been refused (1 were refused by something else).",
		"COUNT   WINDOW       NAMESPACE   USER   KIND          DISRUPTION   LAST                         EXAMPLE",
		"2       nights       heby        anna   Deployment    Rollout      Tue 1 Dec 2026 12:00:02 UTC   heby/api",
		"1       freeze jul   heby", "1       nights       tierp       ci     StatefulSet", "1       saturdays    heby",
	} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	code, out, _ = execute(t, log, nil, "report", "--audit-log", "-", "--by", "user", "-o", "json")
	var r trialReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 {
		t.Fatal(code, err)
	}
	if r.Requests != 5 || r.WouldBeRefused != 3 || len(r.Groups) != 2 || r.Groups[0].User != "anna" || r.Groups[0].Count != 2 || r.Groups[0].Window != "" {
		t.Errorf("%+v", r)
	}
	for name, args := range map[string][]string{"no log": {"report"}, "a grouping": {"report", "--audit-log", "-", "--by", "hour"}, "output": {"report", "--audit-log", "-", "-o", "wide"}} {
		if code, _, _ := execute(t, log, nil, args...); code != 2 {
			t.Errorf("%s: exit code %d", name, code)
		}
	}
	if code, _, said := execute(t, "text", nil, "report", "--audit-log", "-"); code != 1 || !strings.Contains(said, "event 1: is not JSON") {
		t.Errorf("%d: %s", code, said)
	}
}

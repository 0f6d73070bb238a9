package audit

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestRead: events a line each, lists of them, and what is no log.
func TestRead(t *testing.T) {
	event := `{"kind":"Event","auditID":"a","stage":"ResponseComplete","responseStatus":{"code":200}}`
	for name, tc := range map[string]struct {
		log  string
		want int
		err  string
	}{
		"lines":          {event + "\n" + event + "\n", 2, ""},
		"a list":         {`{"kind":"EventList","items":[` + event + "," + event + `]}`, 2, ""},
		"empty":          {"", 0, ""},
		"cut off":        {event + "\n" + event[:40], 1, ErrCutOff.Error()},
		"another object": {`{"kind":"Pod"}`, 0, "event 1: is no event of an audit log, but Pod"},
		"text":           {event + "\nI1129 12:00:00", 1, "event 2: is not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			err := Read(strings.NewReader(tc.log), func(e *Event) error {
				if !e.Succeeded() {
					return errors.New("no success")
				}
				n++
				return nil
			})
			if n != tc.want || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%d events, %v", n, err)
			}
		})
	}
}

// TestNotes: what closes a request is read from the notes of one policy about one Gate.
func TestNotes(t *testing.T) {
	window := func(gate string) string {
		return `{"gate":"` + gate + `","disruption":"Rollout","names":["nights","saturdays"]}`
	}
	event := Event{Annotations: map[string]string{
		"fonster-workloads-deny/windows":   window("gate") + ", " + window("audit"),
		"fonster-workloads-deny/freezes":   `{"gate":"audit","disruption":"","names":["jul"]}`,
		"fonster-workloads-deny/other":     "text",
		"fonster-replicas-deny/windows":    `{"gate":"audit","disruption":"Evict","names":[]}`,
		"fonster-replicasets-deny/windows": "text",
		"example.dev/windows":              "text",
		"authorization.k8s.io/decision":    "allow",
	}}
	for name, want := range map[string][]Note{
		"fonster-workloads-deny": {
			{"fonster-workloads-deny", true, "audit", "", []string{"jul"}},
			{"fonster-workloads-deny", false, "audit", "Rollout", []string{"nights", "saturdays"}},
		},
		"fonster-replicas-deny": {{"fonster-replicas-deny", false, "audit", "Evict", []string{}}},
		"fonster-namespaces":    nil,
	} {
		notes, err := event.Notes(name, "audit")
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, notes, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	if _, err := event.Notes("fonster-replicasets-deny", "audit"); err == nil || !strings.Contains(err.Error(), "fonster-replicasets-deny/windows") {
		t.Errorf("%v", err)
	}
	for _, key := range []string{"fonster-workloads-deny/other", "example.dev/windows"} {
		if _, is, err := ReadNote(key, "text"); is || err != nil {
			t.Errorf("%s: %v, %v", key, is, err)
		}
	}
}

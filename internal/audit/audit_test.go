package audit

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// TestReason: what refuses is read from what people are told.
func TestReason(t *testing.T) {
	for message, want := range map[string]*By{
		"Rollout of Deployment heby/web is outside its maintenance windows (nights, saturdays). Next opening: Sat 5 Dec 2026 09:00 CET, by saturdays.": {
			"Rollout", []string{"nights", "saturdays"}, nil,
		},
		"Evict of Pod heby/web-1 is outside its maintenance windows (). No coming opening is known.": {"Evict", nil, nil},
		"Delete of Deployment heby/web is refused: change freeze jul is in force until Fri 1 Jan 2027 00:00 CET (Julfrys (alla): change freeze x is in force). No override passes it.": {
			"Delete", nil, []string{"jul"},
		},
		"Rollout of Deployment heby/web is refused: change freeze a is in force (Stop). It ends when its ChangeFreeze is edited or deleted. So are b, c.d. It is outside the maintenance windows too (w). No override passes it.": {
			"Rollout", nil, []string{"a", "b", "c.d"},
		},
		"Changing the labels of Namespace heby, by which windows select it, is outside its maintenance windows (w).": {"", []string{"w"}, nil},
		"held is managed by Fonster and cannot be changed":                                                           nil,
	} {
		by, known := Reason(message)
		if known != (want != nil) {
			t.Errorf("%s: read: %v", message, known)
		} else if known {
			if diff := cmp.Diff(*want, by); diff != "" {
				t.Errorf("%s:\n%s", message, diff)
			}
		}
	}
}

package metrics

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
)

// TestLateGates: what is exported of a gate is what the cluster has, and for how long that has not been what the windows say: from
// the edge that it slept over, or, where it tells of none, from when it was first seen so.
func TestLateGates(t *testing.T) {
	opens := time.Date(2026, 5, 13, 9, 0, 0, 0, time.UTC)
	s := snapshot()
	s.Windows = s.Windows[:1]
	s.Compiled = new(compile.Cache).Compile(s.Windows, nil)
	s.Namespaces = map[string]map[string]string{"ns": {"team": "open"}}
	now := opens.Add(-time.Hour)
	m := New(func(context.Context) (*Snapshot, error) { return s, nil }, func() time.Time { return now })
	gone := map[string]*v1alpha1.Gate{}
	text := gatesAt(s.Compiled, s.Namespaces, opens)
	text["ns"].Spec.Targets[0].Overrides = nil
	for _, tc := range []struct {
		title string
		live  map[string]*v1alpha1.Gate
		at    time.Time
		open  string
		late  int
	}{
		{"closed, as it should be", gatesAt(s.Compiled, s.Namespaces, now), opens.Add(-time.Hour), "0", 0},
		{"the opening was not written", gatesAt(s.Compiled, s.Namespaces, now), opens.Add(7 * time.Second), "0", 7},
		{"still not", gatesAt(s.Compiled, s.Namespaces, now), opens.Add(time.Minute), "0", 60},
		{"written at last", gatesAt(s.Compiled, s.Namespaces, opens), opens.Add(time.Minute), "1", 0},
		{"not there, first seen", gone, opens.Add(2 * time.Minute), "", 0},
		{"not there, seen again", gone, opens.Add(3 * time.Minute), "", 60},
		{"there again", gatesAt(s.Compiled, s.Namespaces, opens), opens.Add(4 * time.Minute), "1", 0},
		{"another text, first seen", text, opens.Add(5 * time.Minute), "1", 0},
		{"another text, seen again", text, opens.Add(6 * time.Minute), "1", 60},
		{"right again", gatesAt(s.Compiled, s.Namespaces, opens), opens.Add(7 * time.Minute), "1", 0},
		{"the closing was not written", gatesAt(s.Compiled, s.Namespaces, opens), opens.Add(12 * time.Hour), "1", 3600},
	} {
		s.Gates, now = tc.live, tc.at
		want := fmt.Sprintf("# HELP %s %s\n# TYPE %[1]s gauge\n%[1]s{namespace=\"ns\"} %[3]d\n", gateLate.Name, gateLate.Help, tc.late)
		if tc.open != "" {
			want += fmt.Sprintf("# HELP %s %s\n# TYPE %[1]s gauge\n%[1]s{namespace=\"ns\"} %[3]s\n", gateOpen.Name, gateOpen.Help, tc.open)
		}
		if err := testutil.CollectAndCompare(m, strings.NewReader(want), gateLate.Name, gateOpen.Name); err != nil {
			t.Errorf("%s: %v", tc.title, err)
		}
	}
}

package history

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRetract: what was withdrawn is forgotten, all of it or some days, and a record of nothing more is none.
func TestRetract(t *testing.T) {
	first := stored(t, Next(nil, window("2026-12-05", "2026-12-12", "2026-12-19"), Over{}, now))
	shorter := stored(t, Next(first, window("2026-12-19"), Over{}, now.Add(time.Hour)))
	deleted := stored(t, Next(first, nil, Over{}, now.Add(time.Hour)))
	for title, tc := range map[string]struct {
		record    *Record
		days      []string
		gone      bool
		retracted int
		want      []string
		none      bool
	}{
		"all of a window that is there":        {shorter, nil, false, 2, nil, false},
		"a day of it":                          {shorter, []string{"2026-12-12"}, false, 1, []string{"2026-12-05 cancelled"}, false},
		"all of one that is gone":              {deleted, nil, true, 3, nil, true},
		"one that is gone, which nobody noted": {first, nil, true, 0, nil, true},
		"a day of one that is gone":            {deleted, []string{"2026-12-05"}, true, 1, []string{"2026-12-12 cancelled", "2026-12-19 cancelled"}, false},
		"a day on which nothing was":           {shorter, []string{"2026-12-13"}, false, 0, []string{"2026-12-05 cancelled", "2026-12-12 cancelled"}, false},
	} {
		left, retracted := tc.record.Retract(tc.days, tc.gone)
		if len(retracted) != tc.retracted || (left == nil) != tc.none {
			t.Errorf("%s: %d retracted, want %d; nothing left: %t", title, len(retracted), tc.retracted, left == nil)
		}
		if left != nil {
			if diff := cmp.Diff(tc.want, tell(left)); diff != "" {
				t.Errorf("%s: %s", title, diff)
			}
		}
	}
}

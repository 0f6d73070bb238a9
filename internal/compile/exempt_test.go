package compile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fonster.dev/fonster/api/v1alpha1"
)

func TestExempt(t *testing.T) {
	for title, tc := range map[string]struct {
		users, groups []string
		want          *v1alpha1.GateExempt
		wantErr       string
	}{
		"nobody":               {nil, nil, nil, ""},
		"sorted, once each":    {[]string{"b", "a", "b"}, []string{"g"}, &v1alpha1.GateExempt{Users: []string{"a", "b"}, Groups: []string{"g"}}, ""},
		"a prefix":             {[]string{"system:serviceaccount:databases:"}, nil, nil, "exact name"},
		"a pattern":            {[]string{"system:*"}, nil, nil, "exact name"},
		"an empty name":        {[]string{""}, nil, nil, "exact name"},
		"every administrator":  {nil, []string{"system:masters"}, nil, "too many"},
		"everybody":            {nil, []string{"system:authenticated"}, nil, "too many"},
		"more than gates hold": {make33(), nil, nil, "at most 32"},
	} {
		t.Run(title, func(t *testing.T) {
			got, err := Exempt(tc.users, tc.groups)
			if (err == nil) != (tc.wantErr == "") || err != nil && !strings.Contains(err.Error(), tc.wantErr) {
				t.Fatalf("error %v, want %q", err, tc.wantErr)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func make33() []string {
	var names []string
	for i := range 33 {
		names = append(names, "user-"+string(rune('A'+i)))
	}
	return names
}

package compile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fonster.dev/fonster/api/v1alpha1"
)

func TestExempt(t *testing.T) {
	for title, tc := range map[string]struct {
		users, groups, labels []string
		want                  *v1alpha1.GateExempt
		wantErr               string
	}{
		"nobody":               {nil, nil, nil, nil, ""},
		"sorted, once each":    {[]string{"b", "a", "b"}, []string{"g"}, nil, &v1alpha1.GateExempt{Users: []string{"a", "b"}, Groups: []string{"g"}}, ""},
		"a prefix":             {[]string{"system:serviceaccount:databases:"}, nil, nil, nil, "exact name"},
		"a pattern":            {[]string{"system:*"}, nil, nil, nil, "exact name"},
		"an empty name":        {[]string{""}, nil, nil, nil, "exact name"},
		"every administrator":  {nil, []string{"system:masters"}, nil, nil, "too many"},
		"everybody":            {nil, []string{"system:authenticated"}, nil, nil, "too many"},
		"more than gates hold": {make33(), nil, nil, nil, "at most 32"},
		"leader labels":        {nil, nil, []string{"b/role", "a"}, &v1alpha1.GateExempt{LeaderLabels: []string{"a", "b/role"}}, ""},
		"no key of a label":    {nil, nil, []string{"a/b/c"}, nil, "key of a label"},
		"a workload's label":   {nil, nil, []string{"pod-template-hash"}, nil, "know their pods"},
		"more labels":          {nil, nil, make33(), nil, "at most 32"},
	} {
		t.Run(title, func(t *testing.T) {
			got, err := Exempt(tc.users, tc.groups, tc.labels)
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
		names = append(names, "user-"+strings.Repeat("x", i+1))
	}
	return names
}

package web

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseAudiences(t *testing.T) {
	for list, want := range map[string][]Audience{
		"":                           nil,
		"heby":                       {{Name: "heby", Title: "heby"}},
		"osthammar=Östhammar, heby=": {{Name: "osthammar", Title: "Östhammar"}, {Name: "heby", Title: "heby"}},
		"a=b=c,":                     {{Name: "a", Title: "b=c"}},
	} {
		got, err := parseAudiences(list)
		if err != nil || !cmp.Equal(want, got) {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
	for _, list := range []string{"Östhammar", "-", "heby=Heby,UPPER", "a/b", "=Heby"} {
		if _, err := parseAudiences(list); err == nil {
			t.Errorf("%q was taken", list)
		}
	}
}

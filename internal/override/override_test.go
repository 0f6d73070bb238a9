package override

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestSpend: the last few reasons stay used up, the latest first, each once; what never could stand is not remembered.
func TestSpend(t *testing.T) {
	annotations := map[string]string{}
	for i := range 12 {
		annotations[Reason] = fmt.Sprintf("INC-%d", i)
		annotations[Spent] = Parse(annotations).Spend()
		if o := Parse(annotations); !o.IsSpent() || o.Stands(time.Time{}) {
			t.Fatalf("not used up: %+v", o)
		}
	}
	o := Parse(annotations)
	if len(o.Spent) != maxSpent || o.Spent[0] != "INC-11" || o.Spent[7] != "INC-4" {
		t.Errorf("remembered %q", o.Spent)
	}
	annotations[Reason] = "INC-5"
	if o := Parse(map[string]string{Spent: Parse(annotations).Spend()}); len(o.Spent) != maxSpent || o.Spent[0] != "INC-5" || o.Spent[7] != "INC-4" {
		t.Errorf("remembered %q, want INC-5 first and once", o.Spent)
	}
	for _, reason := range []string{strings.Repeat("x", 257), "two\nlines"} {
		annotations[Reason] = reason
		if Parse(annotations).Spend() != annotations[Spent] {
			t.Errorf("remembered: %q", reason)
		}
	}
}

func TestObjectName(t *testing.T) {
	for _, want := range [][3]string{{"Deployment", "osthammar", "web"}, {"Namespace", "", "osthammar"}} {
		kind, namespace, name := ParseObjectName(ObjectName(want[0], want[1], want[2]))
		if got := [3]string{kind, namespace, name}; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

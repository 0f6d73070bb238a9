package schedule

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestExamplesInTheDocument executes the tables of docs/time.md.
func TestExamplesInTheDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/time.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|\n"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		var rule Rule
		switch {
		case len(cells) != 7:
			continue
		case cells[0] == "dates":
			rule = Rule{Dates: []string{cells[1]}, StartTime: cells[2], EndTime: cells[3]}
		case cells[0] == "rrule":
			rule = Rule{RRule: cells[1], StartTime: cells[2], EndTime: cells[3]}
		case cells[0] == "cron":
			duration, err := time.ParseDuration(cells[3])
			if err != nil {
				t.Fatal(line, err)
			}
			rule = Rule{Cron: cells[1], Duration: duration}
		default:
			continue
		}
		n++
		t.Run(strings.Join(cells[:4], " "), func(t *testing.T) { checkExample(t, rule, cells[4], cells[5], cells[6]) })
	}
	if n != 23 {
		t.Errorf("the document has %d examples, want 23: has a table changed its form?", n)
	}
}

func checkExample(t *testing.T, rule Rule, opens, closes, lasts string) {
	s, err := Parse(Spec{TimeZone: "Europe/Stockholm", Schedules: []Rule{rule}})
	if opens == "dropped" {
		if !hasReason(err, NeverOccurs) {
			t.Errorf("Parse: %v, want %s", err, NeverOccurs)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	const layout = "2006-01-02 15:04 MST"
	begin, err := time.ParseInLocation(layout, opens, s.Location())
	if err != nil {
		t.Fatal(err)
	}
	got := s.Between(begin, begin.Add(time.Hour))
	if len(got) != 1 {
		t.Fatalf("occurrences: %v, want one", got)
	}
	want, err := time.ParseDuration(lasts)
	if err != nil {
		t.Fatal(err)
	}
	if o := got[0]; o.Start.Format(layout) != opens || o.End.Format(layout) != closes || o.End.Sub(o.Start) != want {
		t.Errorf("%s to %s, lasts %v; want %s to %s, %v", o.Start.Format(layout), o.End.Format(layout), o.End.Sub(o.Start), opens, closes, want)
	}
}

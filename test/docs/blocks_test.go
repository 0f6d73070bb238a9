// Package docs runs what the documents tell people to type, on a real control plane, and holds what they quote against the code.
package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fonster.dev/fonster/test/cluster"
)

// block is a code block of a document.
type block struct {
	// line is where its text begins, from 1.
	line     int
	language string
	text     string
	// notRun says why it is not run here, in the comment <!-- not run: WHY --> before it.
	notRun string
}

// step is a command, and what a document says comes back; nothing, where it says nothing.
type step struct {
	command, want string
}

var notRun = regexp.MustCompile(`^<!-- not run: (.+) -->$`)

// blocks are the code blocks of a document, in order.
func blocks(text string) (list []block, err error) {
	var current *block
	why := ""
	n := 0
	for line := range strings.Lines(text) {
		n++
		fence, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && current == nil:
			current = &block{line: n + 1, language: fence, notRun: why}
		case isFence:
			list, current, why = append(list, *current), nil, ""
		case current != nil:
			current.text += line
		case strings.TrimSpace(line) == "":
		default:
			why = ""
			if m := notRun.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				why = m[1]
			}
		}
	}
	if current != nil {
		return nil, fmt.Errorf("line %d: a block without an end", current.line)
	}
	return list, nil
}

// steps are the commands of a block: one for all of a script, and one for each prompt of a console.
func (b block) steps() (list []step) {
	switch b.language {
	case "sh":
		return []step{{command: b.text}}
	case "console":
		for line := range strings.Lines(b.text) {
			if command, isCommand := strings.CutPrefix(line, "$ "); isCommand {
				list = append(list, step{command: command})
			} else if len(list) > 0 {
				list[len(list)-1].want += line
			}
		}
	}
	return list
}

// changing are what differs each time: instants, clocks and lengths of time, and the names of pods.
var changing = []struct {
	pattern *regexp.Regexp
	as      string
}{
	{regexp.MustCompile(`\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{5,8} [A-Z]{3,4}\b`), "<time>"},
	{regexp.MustCompile(`\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(Z|[+-][0-9:]{5})`), "<time>"},
	{regexp.MustCompile(`\b[0-9]{2}:[0-9]{2}(:[0-9]{2})?\b`), "<clock>"},
	{regexp.MustCompile(`\b([0-9]+(ms|[smhd]))+\b`), "<length>"},
	{regexp.MustCompile(`\b[0-9a-f]{8,10}-[0-9a-z]{5}\b`), "<pod>"},
}

// shape is a text without what differs each time, and with single spaces: documents break long lines.
func shape(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, c := range changing {
		text = c.pattern.ReplaceAllString(text, c.as)
	}
	return text
}

// differs says how what came back differs from what a document says; [...] there stands for anything. Empty where it does not.
func differs(said, want string) string {
	var parts []string
	for part := range strings.SplitSeq(shape(want), "[...]") {
		parts = append(parts, regexp.QuoteMeta(part))
	}
	if regexp.MustCompile("^" + strings.Join(parts, ".*") + "$").MatchString(shape(said)) {
		return ""
	}
	return fmt.Sprintf("said\n  %s\nthe document has\n  %s", shape(said), shape(want))
}

// fails says whether a document shows a command that ends with an error.
func (s step) fails() bool {
	return regexp.MustCompile(`(?m)^([Ee]rror|.*\bis forbidden: )`).MatchString(s.want)
}

// read is a file of the repository.
func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(cluster.Root(), path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestBlocks holds how documents are read.
func TestBlocks(t *testing.T) {
	list, err := blocks("Text\n\n<!-- not run: it costs money -->\n```sh\nbuy\n```\nmore\n```console\n$ ask  # it\nan answer\nof two lines\n$ ask again\n```\n")
	if err != nil || len(list) != 2 || list[0].notRun != "it costs money" || list[1].notRun != "" || list[1].line != 9 {
		t.Fatalf("%+v, %v", list, err)
	}
	if s := list[1].steps(); len(s) != 2 || s[0].want != "an answer\nof two lines\n" || s[1].want != "" {
		t.Errorf("%+v", s)
	}
	if _, err := blocks("```sh\nno end\n"); err == nil {
		t.Error("a block without an end passes")
	}
	for _, c := range []struct {
		said, want string
		same       bool
	}{
		{"opens Sat 28 Nov 2026 09:00 CET   7s\n", "opens Mon 7 Dec 2026\n22:00 CET   3m10s", true},
		{"deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'x' denied request: Rollout of web", "deployments.apps \"web\" is forbidden: [...] Rollout\nof web", true},
		{"Rollout of web", "Delete of web", false},
		{"Rollout of web, and more", "Rollout of web", false},
	} {
		if got := differs(c.said, c.want); (got == "") != c.same {
			t.Errorf("%q and %q: %s", c.said, c.want, got)
		}
	}
}

package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fonster.dev/fonster/test/cluster"
)

// said is where what people are told is written, by folder or file.
var said = []string{"cmd", "config/mutating", "config/policies", "config/prometheus", "controllers", "hack", "internal", "offline", "Makefile"}

// joints are where the sources go on with the same text on another line, and what they write otherwise than they say it.
var joints = []struct {
	pattern *regexp.Regexp
	as      string
}{
	{regexp.MustCompile(`"\s*\+\s*\n\s*"`), ""},
	{regexp.MustCompile(`'\s*\n\s*\+ '`), ""},
	{regexp.MustCompile(`\\"`), `"`},
	{regexp.MustCompile(`\s+`), " "},
}

// sources are the programs, policies and scripts that say something, as one text.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, folder := range said {
		err := filepath.WalkDir(filepath.Join(cluster.Root(), folder), func(path string, entry fs.DirEntry, err error) error {
			ending := filepath.Ext(path)
			if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") || ending != "" && !slices.Contains([]string{".go", ".cel", ".sh", ".yaml"}, ending) {
				return err
			}
			content, err := os.ReadFile(path)
			all.Write(content)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	text := all.String()
	for _, j := range joints {
		text = j.pattern.ReplaceAllString(text, j.as)
	}
	return text
}

// pieces are what a quoted text says in one go: sentences, without what differs each time (words in capitals), brackets and ends.
func pieces(quoted string) (list []string) {
	for _, piece := range regexp.MustCompile(`\b[A-Z]{4,}\b|[()]|[.:]\s`).Split(strings.Join(strings.Fields(quoted), " ")+" ", -1) {
		if piece = strings.Trim(piece, " .,:\""); len(piece) >= 6 {
			list = append(list, piece)
		}
	}
	return list
}

// missing are the pieces of a quoted text that nothing says.
func missing(quoted, sources string) (list []string) {
	for _, piece := range pieces(quoted) {
		if !strings.Contains(sources, piece) && !joined(piece, sources) {
			list = append(list, piece)
		}
	}
	return list
}

// joined says whether a piece is put together from two texts of the sources, neither of them short.
func joined(piece, sources string) bool {
	for i, letter := range piece {
		if letter == ' ' && i >= 7 && len(piece)-i >= 7 && strings.Contains(sources, piece[:i]) && strings.Contains(sources, piece[i+1:]) {
			return true
		}
	}
	return false
}

// TestQuotedTexts: what docs/troubleshooting.md quotes is what programs and policies say today.
func TestQuotedTexts(t *testing.T) {
	all := sources(t)
	list, err := blocks(read(t, "docs/troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	quoted := 0
	for _, b := range list {
		if b.language != "text" {
			continue
		}
		quoted++
		if len(pieces(b.text)) == 0 {
			t.Errorf("line %d says nothing that could be found: %s", b.line, b.text)
		}
		for _, piece := range missing(b.text, all) {
			t.Errorf("line %d: nothing says %q", b.line, piece)
		}
	}
	if quoted < 30 {
		t.Errorf("only %d texts are quoted", quoted)
	}
	if len(missing("Its reason must rhyme with PATTERN.", all)) == 0 {
		t.Error("a text that nothing says is found")
	}
}

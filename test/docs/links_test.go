package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fonster.dev/fonster/test/cluster"
)

var (
	links    = regexp.MustCompile(`\]\(([\w./#][^)\s]*)\)|src="([^"]+)"`)
	headings = regexp.MustCompile(`(?m)^#+ (.+)$`)
	fenced   = regexp.MustCompile("(?ms)^```.*?\n```$")
	marks    = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the headings of a document, as links name them.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range headings.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		found[strings.ReplaceAll(marks.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	return found
}

// TestLinks: what a document links to inside the repository is there, headings included.
func TestLinks(t *testing.T) {
	root := cluster.Root()
	checked := 0
	check := func(path string) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range links.FindAllStringSubmatch(fenced.ReplaceAllString(string(content), ""), -1) {
			to, anchor, _ := strings.Cut(m[1]+m[2], "#")
			if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
				continue
			}
			checked++
			target := path
			if to != "" {
				target = filepath.Join(filepath.Dir(path), to)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", strings.TrimPrefix(path, root), to)
				continue
			}
			if anchor == "" || filepath.Ext(target) != ".md" {
				continue
			}
			there, err := os.ReadFile(target)
			if err != nil {
				t.Fatal(err)
			}
			if !anchors(string(there))[anchor] {
				t.Errorf("%s links to %s#%s: there is no such heading", strings.TrimPrefix(path, root), to, anchor)
			}
		}
	}
	top, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range top {
		check(path)
	}
	if err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			check(path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if checked < 100 {
		t.Errorf("only %d links were checked", checked)
	}
}

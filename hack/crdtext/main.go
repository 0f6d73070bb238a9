// Command crdtext makes each paragraph of the descriptions in CRDs one line, as kubectl explain breaks lines itself: those of the Go source
// would stand in mid-sentence.
//
//	go run ./hack/crdtext config/crd/bases
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: crdtext FOLDER")
		os.Exit(2)
	}
	files, err := filepath.Glob(filepath.Join(os.Args[1], "*.yaml"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no CRD in %s", os.Args[1])
	}
	for _, file := range files {
		if err == nil {
			err = rewrite(file)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "crdtext:", err)
		os.Exit(1)
	}
}

func rewrite(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var crd map[string]any
	if err := yaml.Unmarshal(content, &crd); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	describe(crd)
	if content, err = yaml.Marshal(crd); err != nil {
		return err
	}
	return os.WriteFile(file, append([]byte("---\n"), content...), 0o644)
}

// describe goes through a schema: what is a text under description is one, and not a field of that name.
func describe(value any) {
	switch v := value.(type) {
	case map[string]any:
		for key, item := range v {
			if text, is := item.(string); is && key == "description" {
				v[key] = paragraphs(text)
				continue
			}
			describe(item)
		}
	case []any:
		for _, item := range v {
			describe(item)
		}
	}
}

// paragraphs joins the lines of each paragraph; items of a list keep lines of their own.
func paragraphs(text string) string {
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		item := strings.HasPrefix(strings.TrimSpace(line), "- ")
		switch {
		case i == 0:
		case line == "" || item || strings.HasSuffix(b.String(), "\n"):
			b.WriteString("\n")
		default:
			b.WriteString(" ")
			line = strings.TrimSpace(line)
		}
		b.WriteString(line)
	}
	return b.String()
}

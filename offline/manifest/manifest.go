// Package manifest reads windows and freezes from files, as strictly as the API server does.
package manifest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/json"
	sigsyaml "sigs.k8s.io/yaml"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/offline/crds"
)

// Document is one object of ours in a file, or what could not be read as one.
type Document struct {
	// File is its path, and Number its place in it, from 1.
	File   string
	Number int
	Kind   string
	Name   string
	// Window or Freeze is the object, with the defaults of the API server; nil where Errors says why not.
	Window *v1alpha1.MaintenanceWindow
	Freeze *v1alpha1.ChangeFreeze
	// Errors are why the API server would refuse it.
	Errors []error
}

// Where names a document for people.
func (d *Document) Where() string { return fmt.Sprintf("%s, document %d", d.File, d.Number) }

var kinds = sync.OnceValues(func() (map[string]crds.Kind, error) { return crds.Kinds(context.Background()) })

// Read reads files, folders of them, or - for standard input. Documents of other kinds are left out, and counted.
func Read(ctx context.Context, paths []string, stdin io.Reader) (list []*Document, others int, err error) {
	for _, path := range paths {
		files := []string{path}
		if path != "-" {
			if files, err = expand(path); err != nil {
				return nil, 0, err
			}
		}
		for _, file := range files {
			of, more, err := readFile(ctx, file, stdin)
			if err != nil {
				return nil, 0, err
			}
			list, others = append(list, of...), others+more
		}
	}
	return list, others, nil
}

// expand lists the manifests of a folder and of those in it; a file is itself.
func expand(path string) (files []string, err error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	err = filepath.WalkDir(path, func(file string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(file)) {
			files = append(files, file)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: no .yaml, .yml or .json file there", path)
	}
	return files, err
}

func readFile(ctx context.Context, file string, stdin io.Reader) (list []*Document, others int, err error) {
	from, name := stdin, "standard input"
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, 0, err
		}
		defer opened.Close()
		from, name = opened, file
	}
	documents := yaml.NewYAMLReader(bufio.NewReader(from))
	for number := 1; ; number++ {
		content, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return list, others, nil
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%s, document %d: %w", name, number, err)
		}
		d, err := read(ctx, content)
		switch {
		case err != nil:
			return nil, 0, err
		case d == nil:
			others++
		default:
			d.File, d.Number = name, number
			list = append(list, d)
		}
	}
}

// read reads one document; nil where it is of another kind, or empty.
func read(ctx context.Context, content []byte) (*Document, error) {
	var is struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := sigsyaml.Unmarshal(content, &is); err != nil {
		return &Document{Errors: []error{fmt.Errorf("is not YAML: %w", err)}}, nil
	}
	group, _, _ := strings.Cut(is.APIVersion, "/")
	if group != v1alpha1.GroupName {
		return nil, nil
	}
	d := &Document{Kind: is.Kind, Name: is.Metadata.Name}
	if is.APIVersion != v1alpha1.GroupVersion.String() {
		d.Errors = []error{fmt.Errorf("apiVersion: %s is not there: want %s", is.APIVersion, v1alpha1.GroupVersion)}
		return d, nil
	}
	all, err := kinds()
	if err != nil {
		return nil, err
	}
	kind, known := all[is.Kind]
	switch {
	case !known:
		d.Errors = []error{fmt.Errorf("kind: %s is not there: want MaintenanceWindow or ChangeFreeze", is.Kind)}
	case is.Kind == "Gate":
		d.Errors = []error{errors.New("kind: a Gate is compiled from MaintenanceWindows and ChangeFreezes, and written by the operator alone")}
	default:
		d.decode(ctx, kind, content)
	}
	return d, nil
}

// decode does what the API server does with an object that kubectl sends: it refuses fields that are unknown or there twice, sets defaults,
// and tries the schema and its rules.
func (d *Document) decode(ctx context.Context, kind crds.Kind, content []byte) {
	text, err := sigsyaml.YAMLToJSONStrict(content)
	if err != nil {
		d.Errors = append(d.Errors, err)
		return
	}
	object := map[string]any{}
	twice, err := json.UnmarshalStrict(text, &object)
	if d.Errors = append(d.Errors, twice...); err != nil {
		d.Errors = append(d.Errors, err)
		return
	}
	for _, path := range kind.Unknown(object) {
		d.Errors = append(d.Errors, fmt.Errorf("%s: there is no such field", path))
	}
	if d.Name == "" {
		d.Errors = append(d.Errors, errors.New("metadata.name: is missing"))
	}
	invalid := kind.Validate(ctx, object)
	for _, problem := range invalid {
		d.Errors = append(d.Errors, problem)
	}
	if len(invalid) > 0 {
		return
	}
	if d.Kind == "MaintenanceWindow" {
		d.Window = &v1alpha1.MaintenanceWindow{}
		err = into(object, d.Window)
	} else {
		d.Freeze = &v1alpha1.ChangeFreeze{}
		err = into(object, d.Freeze)
	}
	if err != nil {
		d.Errors = append(d.Errors, err)
	}
}

func into(object map[string]any, typed any) error {
	text, err := sigsyaml.Marshal(object)
	if err != nil {
		return err
	}
	return sigsyaml.Unmarshal(text, typed)
}

// Objects are the windows and freezes of documents that the API server would take; the first error of one that it would not is returned.
func Objects(list []*Document) (windows []v1alpha1.MaintenanceWindow, freezes []v1alpha1.ChangeFreeze, err error) {
	for _, d := range list {
		if len(d.Errors) > 0 {
			return nil, nil, fmt.Errorf("%s: %s %s: %w; see kubectl window lint", d.Where(), d.Kind, d.Name, d.Errors[0])
		}
		if d.Window != nil {
			windows = append(windows, *d.Window)
		} else {
			freezes = append(freezes, *d.Freeze)
		}
	}
	return windows, freezes, nil
}

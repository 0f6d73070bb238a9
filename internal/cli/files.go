package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/json"
	sigsyaml "sigs.k8s.io/yaml"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
)

// objects are windows and freezes with where each was found.
type objects struct {
	windows []source[*v1alpha1.MaintenanceWindow]
	freezes []source[*v1alpha1.ChangeFreeze]
	// namespaces are the labels of those that files have, by name.
	namespaces map[string]map[string]string
}

type source[T any] struct {
	object T
	where  string
}

// compile compiles them together.
func (o *objects) compile() *compile.Compiled {
	var windows []v1alpha1.MaintenanceWindow
	var freezes []v1alpha1.ChangeFreeze
	for _, s := range o.windows {
		windows = append(windows, *s.object)
	}
	for _, s := range o.freezes {
		freezes = append(freezes, *s.object)
	}
	return new(compile.Cache).Compile(windows, freezes)
}

// readFiles reads manifests: files, folders of them, or - for standard input. Other kinds are passed over. All errors are
// returned, with what could be read.
func readFiles(paths []string, stdin io.Reader) (objects, error) {
	var o objects
	var errs []error
	for _, path := range paths {
		if path == "-" {
			errs = append(errs, o.add("standard input", stdin))
			continue
		}
		files, err := expand(path)
		errs = append(errs, err)
		for _, file := range files {
			errs = append(errs, o.addFile(file))
		}
	}
	return o, errors.Join(errs...)
}

// expand lists the manifests of a folder; a file is itself.
func expand(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	for _, pattern := range []string{"*.yaml", "*.yml", "*.json"} {
		matches, err := filepath.Glob(filepath.Join(path, pattern))
		if err != nil {
			return nil, err
		}
		files = append(files, matches...)
	}
	slices.Sort(files)
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no .yaml, .yml or .json file there", path)
	}
	return files, nil
}

func (o *objects) addFile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return o.add(path, file)
}

// add reads the documents of one file.
func (o *objects) add(where string, r io.Reader) error {
	var errs []error
	documents := yaml.NewYAMLReader(bufio.NewReader(r))
	for i := 1; ; i++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return errors.Join(errs...)
		}
		if err == nil {
			err = o.addDocument(where, document)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s, document %d: %w", where, i, err))
		}
	}
}

func (o *objects) addDocument(where string, document []byte) error {
	var meta struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := sigsyaml.Unmarshal(document, &meta); err != nil {
		return err
	}
	switch {
	case meta.APIVersion == "v1" && meta.Kind == "Namespace":
		return o.addNamespace(document)
	case meta.APIVersion != v1alpha1.GroupVersion.String():
		return nil
	case meta.Kind == "MaintenanceWindow":
		mw := &v1alpha1.MaintenanceWindow{}
		if err := unmarshal(document, mw); err != nil {
			return err
		}
		o.windows = append(o.windows, source[*v1alpha1.MaintenanceWindow]{mw, where})
	case meta.Kind == "ChangeFreeze":
		cf := &v1alpha1.ChangeFreeze{}
		if err := unmarshal(document, cf); err != nil {
			return err
		}
		o.freezes = append(o.freezes, source[*v1alpha1.ChangeFreeze]{cf, where})
	}
	return nil
}

func (o *objects) addNamespace(document []byte) error {
	var ns metav1.PartialObjectMetadata
	if err := sigsyaml.Unmarshal(document, &ns); err != nil {
		return err
	}
	if o.namespaces == nil {
		o.namespaces = map[string]map[string]string{}
	}
	o.namespaces[ns.Name] = ns.Labels
	return nil
}

// unmarshal reads a document as strictly as the API server does: names of fields in their own case, none twice and none unknown.
func unmarshal(document []byte, into any) error {
	content, err := sigsyaml.YAMLToJSONStrict(document)
	if err != nil {
		return err
	}
	wrong, err := json.UnmarshalStrict(content, into)
	return errors.Join(append(wrong, err)...)
}

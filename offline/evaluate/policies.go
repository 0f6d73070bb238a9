// Package evaluate decides about a request as an API server with the policies of Fonster would, in process: with the API server's own
// matchers, compilers, validators and patchers, so that what is tried here is what runs there.
package evaluate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"fonster.dev/fonster/config"
)

// Policies are the policies of a cluster, with their bindings.
type Policies struct {
	Validating         []*admissionv1.ValidatingAdmissionPolicy
	ValidatingBindings []*admissionv1.ValidatingAdmissionPolicyBinding
	Mutating           []*admissionv1.MutatingAdmissionPolicy
	MutatingBindings   []*admissionv1.MutatingAdmissionPolicyBinding
}

// Load reads policies and bindings from all YAML files of some folders. What else is in them is left alone.
func Load(folders ...string) (*Policies, error) {
	p := &Policies{}
	for _, folder := range folders {
		if err := p.load(os.DirFS(folder), "."); err != nil {
			return nil, err
		}
	}
	if len(p.Validating) == 0 {
		return nil, fmt.Errorf("there are no policies in %v", folders)
	}
	return p, nil
}

// Installed reads the policies and bindings of this version.
func Installed() (*Policies, error) {
	p := &Policies{}
	return p, errors.Join(p.load(config.Installed, "policies"), p.load(config.Installed, "mutating"))
}

func (p *Policies) load(from fs.FS, folder string) error {
	files, err := fs.Glob(from, path.Join(folder, "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := p.read(from, file); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func (p *Policies) read(from fs.FS, file string) error {
	content, err := fs.ReadFile(from, file)
	if err != nil {
		return err
	}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := p.add(document); err != nil {
			return err
		}
	}
}

// add takes in one document, with the defaults that the API server would set.
func (p *Policies) add(document []byte) error {
	var is metav1.TypeMeta
	if err := yaml.Unmarshal(document, &is); err != nil {
		return err
	}
	if is.APIVersion != admissionv1.SchemeGroupVersion.String() {
		return nil
	}
	switch is.Kind {
	case "ValidatingAdmissionPolicy":
		policy := &admissionv1.ValidatingAdmissionPolicy{}
		p.Validating = append(p.Validating, policy)
		err := yaml.UnmarshalStrict(document, policy)
		setDefaults(policy.Spec.MatchConstraints)
		return err
	case "ValidatingAdmissionPolicyBinding":
		binding := &admissionv1.ValidatingAdmissionPolicyBinding{}
		p.ValidatingBindings = append(p.ValidatingBindings, binding)
		err := yaml.UnmarshalStrict(document, binding)
		setDefaults(binding.Spec.MatchResources)
		return err
	case "MutatingAdmissionPolicy":
		policy := &admissionv1.MutatingAdmissionPolicy{}
		p.Mutating = append(p.Mutating, policy)
		err := yaml.UnmarshalStrict(document, policy)
		setDefaults(policy.Spec.MatchConstraints)
		return err
	case "MutatingAdmissionPolicyBinding":
		binding := &admissionv1.MutatingAdmissionPolicyBinding{}
		p.MutatingBindings = append(p.MutatingBindings, binding)
		err := yaml.UnmarshalStrict(document, binding)
		setDefaults(binding.Spec.MatchResources)
		return err
	}
	return nil
}

func setDefaults(match *admissionv1.MatchResources) {
	if match == nil {
		return
	}
	if match.NamespaceSelector == nil {
		match.NamespaceSelector = &metav1.LabelSelector{}
	}
	if match.ObjectSelector == nil {
		match.ObjectSelector = &metav1.LabelSelector{}
	}
	if match.MatchPolicy == nil {
		match.MatchPolicy = new(admissionv1.Equivalent)
	}
}

package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// parts are the folders of config that are installed, in the order of what needs another.
var parts = []string{"crd", "rbac", "viewers", "policies", "mutating", "manager", "page"}

// ranks say what goes before what in one file, which kubectl applies from above: a namespace before what is in it, CRDs before the policies
// that read their objects, rights before who has them, a policy before its binding. Policies that an older API server does not know are
// behind those that it does.
var ranks = map[string]int{
	"Namespace": 0, "CustomResourceDefinition": 1,
	"ServiceAccount": 2, "ClusterRole": 2, "ClusterRoleBinding": 2, "Role": 2, "RoleBinding": 2,
	"ValidatingAdmissionPolicy": 3, "ValidatingAdmissionPolicyBinding": 4, "MutatingAdmissionPolicy": 5, "MutatingAdmissionPolicyBinding": 6,
	"NetworkPolicy": 7, "Service": 7, "PodDisruptionBudget": 7, "Deployment": 7,
}

// built is the image that config names.
const built = "fonster:latest"

const installHeader = `# Fonster %s, commit %s
#
#   kubectl apply --server-side -f install.yaml
#
# The image is %s. Below Kubernetes 1.36 kubectl ends with an error, as the API server does not know
# MutatingAdmissionPolicy; everything else is installed all the same, and enforcement: Hold refuses as Deny does.
# An upgrade wants --force-conflicts too; docs/upgrade.md tells more. To remove it, fonster remove --crds comes first (docs/install.md): to delete
# this file alone would leave what is held to nobody.
`

// object is one that is installed.
type object map[string]any

func (o object) kind() string { return fmt.Sprint(o["kind"]) }

// install writes install.yaml.
func (r *release) install(context.Context) (string, error) {
	text, count, err := r.manifest()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d objects, %.0f kB", count, float64(len(text))/1e3), os.WriteFile(r.path("install.yaml"), text, 0o644)
}

// manifest is the text of install.yaml, and how many objects are in it.
func (r *release) manifest() ([]byte, int, error) {
	objects, err := installed(r.Root, parts)
	if err != nil {
		return nil, 0, err
	}
	for _, o := range objects {
		if _, known := ranks[o.kind()]; !known {
			return nil, 0, fmt.Errorf("nothing says where a %s belongs among the others (hack/release/install.go)", o.kind())
		}
	}
	slices.SortStableFunc(objects, func(a, b object) int { return cmp.Compare(ranks[a.kind()], ranks[b.kind()]) })
	image := r.Image + ":" + r.Version
	if err := setImage(objects, image); err != nil {
		return nil, 0, err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, installHeader, r.Version, r.stamp(), image)
	for _, o := range objects {
		one, err := yaml.Marshal(o)
		if err != nil {
			return nil, 0, err
		}
		text.WriteString("---\n")
		text.Write(one)
	}
	return text.Bytes(), len(objects), nil
}

// installed are the objects of folders of config, as kubectl kustomize writes them.
func installed(root string, folders []string) ([]object, error) {
	var all []object
	for _, folder := range folders {
		resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(root, "config", folder))
		if err != nil {
			return nil, fmt.Errorf("config/%s: %w", folder, err)
		}
		for _, resource := range resources.Resources() {
			o, err := resource.Map()
			if err != nil {
				return nil, fmt.Errorf("config/%s: %s: %w", folder, resource.CurId(), err)
			}
			all = append(all, o)
		}
	}
	return all, nil
}

// setImage puts an image where config names the one that is built; every Deployment must have it.
func setImage(objects []object, image string) error {
	for _, o := range objects {
		if o.kind() != "Deployment" {
			continue
		}
		set := false
		for _, c := range containers(o) {
			if c["image"] == built {
				c["image"], set = image, true
			}
		}
		if !set {
			return fmt.Errorf("a Deployment has no container with the image %s", built)
		}
	}
	return nil
}

// containers are those of a Deployment.
func containers(deployment object) []map[string]any {
	at := map[string]any(deployment)
	for _, key := range []string{"spec", "template", "spec"} {
		at, _ = at[key].(map[string]any)
	}
	list, _ := at["containers"].([]any)
	var all []map[string]any
	for _, c := range list {
		if container, is := c.(map[string]any); is {
			all = append(all, container)
		}
	}
	return all
}

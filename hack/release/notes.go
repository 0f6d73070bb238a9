package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
	"k8s.io/apimachinery/pkg/util/yaml"
)

const notesFile = "notes.md"

// compared are the files whose objects the notes compare with the tag before, by what they are.
var compared = []struct{ what, folder string }{
	{"policies", "config/policies"}, {"policies that hold", "config/mutating"}, {"CRDs", "config/crd/bases"}, {"rights", "config/rbac"},
}

// notes writes what is told of the release: what it runs on, and what is different from the tag before.
func (r *release) notes(ctx context.Context) (string, error) {
	tested, err := r.tested()
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Fonster %s\n\nCommit `%s`, built with %s", r.Version, r.Commit, runtime.Version())
	if r.Dirty {
		b.WriteString(", **from a work tree with changes that are not in the commit**")
	}
	fmt.Fprintf(&b, `.

## What it runs on

| | Kubernetes | |
|---|---|---|
| windows and freezes that refuse, warn and audit; the page; overrides | %[2]s and later | |
| windows that hold rollouts | 1.36 and later | below, Hold refuses as Deny does |
| tested on | %[1]s | docs/reference/versions.md |

| | goes with |
|---|---|
| operator %[3]s | CRDs, policies and bindings of %[3]s: of others it tells with the condition Enforced, and `+"`fonster_policies_missing`"+` |
| page %[3]s | CRDs of %[3]s |
| kubectl window %[3]s | any version that serves maintenance.fonster.dev/v1alpha1 |

`, strings.ReplaceAll(strings.Join(tested, ", "), "v", ""), strings.TrimPrefix(semver.MajorMinor(tested[0]), "v"), r.Version)
	previous, err := r.previous(ctx)
	if err != nil {
		return "", err
	}
	told, err := r.changes(ctx, &b, previous)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "## The image\n\n    %s:%s@%s\n\nHow to verify, install and upgrade: docs/release.md, docs/upgrade.md.\n", r.Image, r.Version, r.digest)
	return told, os.WriteFile(r.path(notesFile), b.Bytes(), 0o644)
}

// row begins a row of the table of the versions of Kubernetes that were tested.
var row = regexp.MustCompile(`(?m)^\| (1\.\d+\.\d+) \|`)

// tested is the versions of Kubernetes that make test-versions was run on, the oldest first.
func (r *release) tested() ([]string, error) {
	text, err := os.ReadFile(filepath.Join(r.Root, "docs", "reference", "versions.md"))
	if err != nil {
		return nil, err
	}
	var versions []string
	for _, m := range row.FindAllSubmatch(text, -1) {
		versions = append(versions, "v"+string(m[1]))
	}
	if len(versions) == 0 {
		return nil, errors.New("docs/reference/versions.md has no version of Kubernetes")
	}
	semver.Sort(versions)
	return versions, nil
}

// previous is the greatest version before this one that the commit has behind it; empty when there is none.
func (r *release) previous(ctx context.Context) (string, error) {
	tags, err := r.git(ctx, "tag", "--list", "v*", "--merged", "HEAD")
	if err != nil {
		return "", err
	}
	last := ""
	for tag := range strings.FieldsSeq(tags) {
		if checkVersion(tag) == nil && semver.Compare(tag, r.Version) < 0 && (last == "" || semver.Compare(tag, last) > 0) {
			last = tag
		}
	}
	return last, nil
}

// changes writes what is different from the tag before, and returns the answer about policies.
func (r *release) changes(ctx context.Context, b *bytes.Buffer, previous string) (string, error) {
	if previous == "" {
		b.WriteString("## Changes\n\nPolicies changed: yes, as this is the first release.\n\n")
		return "the first release", nil
	}
	fmt.Fprintf(b, "## Changes since %s\n\n", previous)
	policies := false
	var rest strings.Builder
	for _, c := range compared {
		before, err := r.objectsAt(ctx, previous, c.folder)
		if err != nil {
			return "", err
		}
		after, err := r.objectsNow(c.folder)
		if err != nil {
			return "", err
		}
		different := differences(before, after)
		if c.folder == "config/policies" || c.folder == "config/mutating" {
			policies = policies || len(different) > 0
		}
		if len(different) == 0 {
			fmt.Fprintf(&rest, "- %s: none\n", c.what)
			continue
		}
		fmt.Fprintf(&rest, "- %s: %s\n", c.what, strings.Join(different, ", "))
	}
	answer := "Policies changed: no"
	if policies {
		answer = "Policies changed: yes"
	}
	fmt.Fprintf(b, "%s.\n\n%s\n", answer, rest.String())
	subjects, err := r.git(ctx, "log", "--no-merges", "--format=- %s", previous+"..HEAD")
	if err != nil {
		return "", err
	}
	if subjects != "" {
		fmt.Fprintf(b, "Commits:\n\n%s\n\n", subjects)
	}
	return answer + " since " + previous, nil
}

// objectsAt are the objects of a folder at a tag: kind and name, and what they say.
func (r *release) objectsAt(ctx context.Context, tag, folder string) (map[string]string, error) {
	names, err := r.git(ctx, "ls-tree", "--name-only", tag, folder+"/")
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for name := range strings.FieldsSeq(names) {
		if !isManifest(name) {
			continue
		}
		text, err := r.git(ctx, "show", tag+":"+name)
		if err != nil {
			return nil, err
		}
		if err := collect(all, []byte(text)); err != nil {
			return nil, fmt.Errorf("%s:%s: %w", tag, name, err)
		}
	}
	return all, nil
}

// objectsNow are those of the folder as it is.
func (r *release) objectsNow(folder string) (map[string]string, error) {
	paths, err := filepath.Glob(filepath.Join(r.Root, folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, path := range paths {
		if !isManifest(path) {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := collect(all, text); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return all, nil
}

func isManifest(path string) bool {
	return strings.HasSuffix(path, ".yaml") && filepath.Base(path) != "kustomization.yaml"
}

// collect reads the objects of a file. Comments, order and the writing of YAML are no difference.
func collect(into map[string]string, text []byte) error {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		var o map[string]any
		if err := decoder.Decode(&o); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if len(o) == 0 {
			continue
		}
		said, err := json.Marshal(o)
		if err != nil {
			return err
		}
		metadata, _ := o["metadata"].(map[string]any)
		name := fmt.Sprint(metadata["name"])
		if ns, is := metadata["namespace"]; is {
			name = fmt.Sprintf("%v/%s", ns, name)
		}
		into[fmt.Sprintf("%v %s", o["kind"], name)] = string(said)
	}
}

// differences name what came, went and changed, sorted.
func differences(before, after map[string]string) []string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(after)) {
		switch said, was := before[key]; {
		case !was:
			all = append(all, key+" (new)")
		case said != after[key]:
			all = append(all, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, is := after[key]; !is {
			all = append(all, key+" (gone: delete it, docs/upgrade.md)")
		}
	}
	return all
}

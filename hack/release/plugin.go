package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// krewFile is the plugin's manifest for an index of krew.
const krewFile = "window.yaml"

// The manifest of a plugin, as krew reads it: https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/.
type (
	krewPlugin struct {
		APIVersion string       `json:"apiVersion"`
		Kind       string       `json:"kind"`
		Metadata   krewMetadata `json:"metadata"`
		Spec       krewSpec     `json:"spec"`
	}
	krewMetadata struct {
		Name string `json:"name"`
	}
	krewSpec struct {
		Version          string         `json:"version"`
		Homepage         string         `json:"homepage"`
		ShortDescription string         `json:"shortDescription"`
		Description      string         `json:"description"`
		Caveats          string         `json:"caveats"`
		Platforms        []krewPlatform `json:"platforms"`
	}
	krewPlatform struct {
		Selector krewSelector `json:"selector"`
		URI      string       `json:"uri"`
		SHA256   string       `json:"sha256"`
		Bin      string       `json:"bin"`
	}
	krewSelector struct {
		MatchLabels map[string]string `json:"matchLabels"`
	}
)

const (
	krewDescription = `Tells of a workload or namespace whether a change may begin, and if not, why, when and who may let it; shows what is open,
held and overridden; lets emergencies through; and checks, tests and replays windows before they are applied. It needs Fonster in the cluster,
but for what works on files.
`
	krewCaveats = `For completion in the shell, link kubectl_complete-window, which lies beside the plugin, into a folder of the PATH.
`
)

// plugin writes an archive for each platform, and krew's manifest of them.
func (r *release) plugin(context.Context) (string, error) {
	manifest := krewPlugin{APIVersion: "krew.googlecontainertools.github.com/v1alpha2", Kind: "Plugin", Metadata: krewMetadata{Name: "window"}}
	manifest.Spec = krewSpec{
		Version: r.Version, Homepage: "https://fonster.dev", ShortDescription: "Maintenance windows: what is open, held, refused",
		Description: krewDescription, Caveats: krewCaveats,
	}
	r.archives = map[platform]string{}
	for _, p := range r.Clients {
		name, err := r.archive(p)
		if err != nil {
			return "", err
		}
		digest, err := sum(r.path(name))
		if err != nil {
			return "", err
		}
		r.archives[p] = name
		manifest.Spec.Platforms = append(manifest.Spec.Platforms, krewPlatform{
			Selector: krewSelector{MatchLabels: map[string]string{"os": p.OS, "arch": p.Arch}},
			URI:      r.Downloads + "/" + name, SHA256: digest, Bin: p.program("kubectl-window"),
		})
	}
	text, err := yaml.Marshal(manifest)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d archives, to be at %s", len(r.archives), r.Downloads), os.WriteFile(r.path(krewFile), text, 0o644)
}

// archive writes that of a platform, and returns its file name.
func (r *release) archive(p platform) (string, error) {
	var entries []entry
	for _, f := range []struct {
		name, path string
		mode       int64
	}{
		{p.program("kubectl-window"), filepath.Join(r.binaries(p), p.program("kubectl-window")), 0o755},
		{p.program("kubectl-window-offline"), filepath.Join(r.binaries(p), p.program("kubectl-window-offline")), 0o755},
		{"kubectl_complete-window", filepath.Join(r.Root, "hack", "kubectl_complete-window"), 0o755},
		{"LICENSE", filepath.Join(r.Root, "LICENSE"), 0o644},
	} {
		e, err := file(f.name, f.mode, f.path)
		if err != nil {
			return "", err
		}
		entries = append(entries, e)
	}
	name := fmt.Sprintf("kubectl-window_%s_%s", r.Version, p)
	if p.OS == "windows" {
		name += ".zip"
		return name, writeZip(r.path(name), entries, r.Time)
	}
	name += ".tar.gz"
	return name, writeTarGz(r.path(name), entries, r.Time)
}

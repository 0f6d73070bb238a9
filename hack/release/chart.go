package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"helm.sh/helm/v4/pkg/ignore"
	"sigs.k8s.io/yaml"
)

// chartName is the name of the chart and of its folder.
const chartName = "fonster"

// chart packs charts/fonster. Helm's own packing writes the times of the files on this machine, so that is done here, with Helm's reader of
// .helmignore.
func (r *release) chart(context.Context) (string, error) {
	folder := filepath.Join(r.Root, "charts", chartName)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return "there is no charts/fonster: the release has no Helm chart", nil
	}
	entries, err := r.packed(folder)
	if err != nil {
		return "", err
	}
	name := chartName + "-" + r.number() + ".tgz"
	return name, writeTarGz(r.path(name), entries, r.Time)
}

// packed are the files of the chart's archive, Chart.yaml first and then by name: with the version of the release, the tag of its image as the
// version of what is installed, and its repository. Comments stay.
func (r *release) packed(folder string) ([]entry, error) {
	ignored, err := helmIgnore(folder)
	if err != nil {
		return nil, err
	}
	var first, rest []entry
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case ignored.Ignore(name, info) && d.IsDir():
			return filepath.SkipDir
		case ignored.Ignore(name, info) || d.IsDir():
			return nil
		case !info.Mode().IsRegular():
			return fmt.Errorf("%s is no file", path)
		}
		e, err := file(chartName+"/"+name, 0o644, path)
		if err != nil {
			return err
		}
		switch name {
		case "Chart.yaml":
			e.data, err = r.versioned(e.data)
			first = append(first, e)
		case "values.yaml":
			e.data, err = replaced(name, e.data, repository, r.Image)
			rest = append(rest, e)
		default:
			rest = append(rest, e)
		}
		return err
	})
	if err == nil && first == nil {
		err = fmt.Errorf("%s has no Chart.yaml", folder)
	}
	return append(first, rest...), err
}

// helmIgnore are the rules of .helmignore, and those that Helm has without one.
func helmIgnore(folder string) (*ignore.Rules, error) {
	rules := ignore.Empty()
	path := filepath.Join(folder, ignore.HelmIgnore)
	if _, err := os.Stat(path); err == nil {
		if rules, err = ignore.ParseFile(path); err != nil {
			return nil, err
		}
	}
	rules.AddDefaults()
	return rules, nil
}

// Where the chart names versions, and the repository of the image.
var (
	chartVersion = regexp.MustCompile(`(?m)^(version: ).*$`)
	appVersion   = regexp.MustCompile(`(?m)^(appVersion: ).*$`)
	repository   = regexp.MustCompile(`(?m)^( +repository: )fonster$`)
)

// versioned is Chart.yaml with the versions of the release.
func (r *release) versioned(text []byte) ([]byte, error) {
	var metadata struct {
		APIVersion string `json:"apiVersion"`
		Name       string `json:"name"`
	}
	if err := yaml.Unmarshal(text, &metadata); err != nil {
		return nil, err
	}
	if metadata.APIVersion != "v2" || metadata.Name != chartName {
		return nil, fmt.Errorf("Chart.yaml is of %s, apiVersion %s: want %s, v2", metadata.Name, metadata.APIVersion, chartName)
	}
	text, err := replaced("Chart.yaml", text, chartVersion, r.number())
	if err != nil {
		return nil, err
	}
	return replaced("Chart.yaml", text, appVersion, r.Version)
}

// replaced puts a value where the one line is that a pattern finds.
func replaced(name string, text []byte, line *regexp.Regexp, value string) ([]byte, error) {
	if n := len(line.FindAll(text, -1)); n != 1 {
		return nil, fmt.Errorf("%s has %d lines %s, want one", name, n, line)
	}
	return line.ReplaceAll(text, []byte("${1}"+value)), nil
}

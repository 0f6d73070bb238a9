package main

import (
	"cmp"
	"context"
	"debug/buildinfo"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
)

// sbom writes what each artefact with programs in it is made of, as SPDX 2.3: the modules that Go itself has written into each program, so
// those that are linked, not all that go.mod names.
func (r *release) sbom(context.Context) (string, error) {
	doc := &spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: "DOCUMENT", DocumentName: "fonster-" + r.Version,
		DocumentNamespace: "https://fonster.dev/spdx/fonster-" + r.Version + "-" + r.Commit,
		CreationInfo: &spdx.CreationInfo{
			Creators: []spdx.Creator{{CreatorType: "Tool", Creator: "fonster-release-" + r.Version}}, Created: r.Time.Format("2006-01-02T15:04:05Z"),
		},
	}
	modules := map[spdx.ElementID]*spdx.Package{}
	add := func(artefact *spdx.Package, programs []string) error {
		doc.Packages = append(doc.Packages, artefact)
		doc.Relationships = append(doc.Relationships, related("DOCUMENT", "DESCRIBES", artefact.PackageSPDXIdentifier))
		linked, err := r.modulesOf(programs)
		if err != nil {
			return err
		}
		for _, m := range linked {
			modules[m.PackageSPDXIdentifier] = m
			doc.Relationships = append(doc.Relationships, related(artefact.PackageSPDXIdentifier, "DEPENDS_ON", m.PackageSPDXIdentifier))
		}
		return nil
	}
	image := r.artefact("image", r.Image+":"+r.Version, strings.TrimPrefix(r.digest, "sha256:"))
	image.PackageExternalReferences = purl("pkg:oci/fonster@" + strings.Replace(r.digest, ":", "%3A", 1) + "?tag=" + r.Version)
	if err := add(image, r.programs(r.Servers, "fonster", "fonster-page")); err != nil {
		return "", err
	}
	for _, p := range r.Clients {
		digest, err := sum(r.path(r.archives[p]))
		if err != nil {
			return "", err
		}
		archive := r.artefact("kubectl-window-"+p.OS+"-"+p.Arch, r.archives[p], digest)
		if err := add(archive, r.programs([]platform{p}, p.program("kubectl-window"), p.program("kubectl-window-offline"))); err != nil {
			return "", err
		}
	}
	doc.Packages = append(doc.Packages, sorted(modules)...)
	name := "fonster-" + r.number() + ".spdx.json"
	return fmt.Sprintf("%s: %d modules", name, len(modules)),
		create(r.path(name), func(w io.Writer) error { return json.Write(doc, w, json.Indent(" "), json.EscapeHTML(false)) })
}

// programs are the paths of what was compiled.
func (r *release) programs(platforms []platform, names ...string) []string {
	var paths []string
	for _, p := range platforms {
		for _, name := range names {
			paths = append(paths, filepath.Join(r.binaries(p), name))
		}
	}
	return paths
}

// artefact is one of the release's own.
func (r *release) artefact(id, name, digest string) *spdx.Package {
	return &spdx.Package{
		PackageSPDXIdentifier: spdx.ElementID(id), PackageName: name, PackageVersion: r.Version,
		PackageChecksums:        []spdx.Checksum{{Algorithm: spdx.SHA256, Value: digest}},
		PackageDownloadLocation: "NOASSERTION", PackageLicenseConcluded: "NOASSERTION", PackageLicenseDeclared: "Apache-2.0", PackageCopyrightText: "NOASSERTION",
	}
}

// modulesOf are the modules that are linked into programs, and Go's standard library, each once.
func (r *release) modulesOf(programs []string) ([]*spdx.Package, error) {
	found := map[spdx.ElementID]*spdx.Package{}
	for _, path := range programs {
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return nil, err
		}
		std := &debug.Module{Path: "stdlib", Version: strings.TrimPrefix(info.GoVersion, "go")}
		for _, m := range append([]*debug.Module{std, &info.Main}, info.Deps...) {
			p := r.module(m)
			found[p.PackageSPDXIdentifier] = p
		}
	}
	return sorted(found), nil
}

// unfit is what no identifier of SPDX may have.
var unfit = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// module is one that is linked. What comes from this repository has the version of the release.
func (r *release) module(m *debug.Module) *spdx.Package {
	path, version := m.Path, m.Version
	switch {
	case path == "fonster.dev/fonster" || strings.HasPrefix(path, "fonster.dev/fonster/"):
		version = r.Version
	case m.Replace != nil:
		path, version = m.Replace.Path, m.Replace.Version
	}
	return &spdx.Package{
		PackageSPDXIdentifier: spdx.ElementID("go-" + unfit.ReplaceAllString(path+"-"+version, "-")), PackageName: path, PackageVersion: version,
		PackageDownloadLocation: "NOASSERTION", PackageLicenseConcluded: "NOASSERTION", PackageLicenseDeclared: "NOASSERTION", PackageCopyrightText: "NOASSERTION",
		PackageExternalReferences: purl("pkg:golang/" + path + "@" + version),
	}
}

func purl(locator string) []*spdx.PackageExternalReference {
	return []*spdx.PackageExternalReference{{Category: spdx.CategoryPackageManager, RefType: spdx.PackageManagerPURL, Locator: locator}}
}

func related(from spdx.ElementID, how string, to spdx.ElementID) *spdx.Relationship {
	return &spdx.Relationship{RefA: spdx.DocElementID{ElementRefID: from}, Relationship: how, RefB: spdx.DocElementID{ElementRefID: to}}
}

func sorted(packages map[spdx.ElementID]*spdx.Package) []*spdx.Package {
	var all []*spdx.Package
	for _, p := range packages {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *spdx.Package) int { return cmp.Compare(a.PackageSPDXIdentifier, b.PackageSPDXIdentifier) })
	return all
}

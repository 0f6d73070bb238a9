package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"io/fs"
	"log"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	spdxjson "github.com/spdx/tools-golang/json"
	"golang.org/x/mod/modfile"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"sigs.k8s.io/yaml"
)

const root = "../.."

func TestCheckVersion(t *testing.T) {
	for version, want := range map[string]bool{
		"v0.1.0": true, "v1.2.3-rc.1": true, "": false, "0.1.0": false, "v1": false, "v1.2": false, "latest": false, "v1.2.3+build": false, "v01.2.3": false,
	} {
		if err := checkVersion(version); (err == nil) != want {
			t.Errorf("%q: %v", version, err)
		}
	}
}

// TestNotOverwritten: a folder that is no release is not deleted.
func TestNotOverwritten(t *testing.T) {
	r := &release{options: options{Output: t.TempDir()}}
	if err := r.replaceable(); err != nil {
		t.Errorf("an empty folder: %v", err)
	}
	if err := os.WriteFile(r.path("thesis.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.replaceable(); err == nil {
		t.Error("a folder with something else in it would be deleted")
	}
}

// TestImageAlone: what is written without a release can be pushed, and is written over; a folder that is something else is not.
func TestImageAlone(t *testing.T) {
	p := platform{"linux", runtime.GOARCH}
	r := &release{options: options{Root: root, Version: "v0.1.0", Servers: []platform{p}}, Commit: strings.Repeat("a", 40), Time: time.Unix(1700000000, 0)}
	r.build = r.standIn
	layout := filepath.Join(t.TempDir(), imageFolder)
	for range 2 {
		if err := r.writeImage(t.Context(), layout, t.Output()); err != nil {
			t.Fatal(err)
		}
	}
	r.Output = filepath.Dir(layout)
	if config, err := imageAt(t, r, p).ConfigFile(); err != nil || config.Config.User != nobody {
		t.Errorf("%+v: %v", config, err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "thesis.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.writeImage(t.Context(), other, t.Output()); err == nil || !strings.Contains(err.Error(), "is no OCI layout") {
		t.Errorf("a folder with something else in it: %v", err)
	}
}

func TestPushNamesARegistry(t *testing.T) {
	for _, to := range []string{"fonster", "fonster:v0.1.0", "somebody/fonster:v0.1.0", "registry.example.se/fonster"} {
		if _, err := push(t.Context(), t.TempDir(), to); err == nil || !strings.Contains(err.Error(), "want REGISTRY/REPOSITORY:TAG") {
			t.Errorf("%s: %v", to, err)
		}
	}
}

// TestChart: Helm reads what was packed, with the versions of the release; what .helmignore names is left out; two are the same.
func TestChart(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "charts", "fonster")
	for path, text := range map[string]string{
		"Chart.yaml": "# Why.\napiVersion: v2\nname: fonster\nversion: 0.0.0\nappVersion: v0.0.0\n", "values.yaml": "# What runs.\nimage:\n  repository: fonster\n  tag: \"\"\n", ".helmignore": "*.bak\n",
		"templates/a.yaml": "kind: ConfigMap\n", "templates/b.yaml": "", "old.bak": "old",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var packed [][]byte
	for range 2 {
		r := &release{options: options{Root: filepath.Dir(filepath.Dir(folder)), Output: t.TempDir(), Version: "v0.2.0-rc.1", Image: "registry.example.se/fonster"}}
		if _, err := r.chart(t.Context()); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(r.path("fonster-0.2.0-rc.1.tgz"))
		if err != nil {
			t.Fatal(err)
		}
		packed = append(packed, text)
	}
	if !bytes.Equal(packed[0], packed[1]) {
		t.Error("two archives of one chart differ")
	}
	files, err := archive.LoadArchiveFiles(bytes.NewReader(packed[0]))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range files {
		got[f.Name] = string(f.Data)
	}
	want := map[string]string{
		"Chart.yaml":  "# Why.\napiVersion: v2\nname: fonster\nversion: 0.2.0-rc.1\nappVersion: v0.2.0-rc.1\n",
		"values.yaml": "# What runs.\nimage:\n  repository: registry.example.se/fonster\n  tag: \"\"\n",
		".helmignore": "*.bak\n", "templates/a.yaml": "kind: ConfigMap\n", "templates/b.yaml": "",
	}
	if files[0].Name != "Chart.yaml" || !maps.Equal(got, want) {
		t.Errorf("packed %q, want %q", got, want)
	}
	r := &release{options: options{Root: t.TempDir()}}
	if told, err := r.chart(t.Context()); err != nil || !strings.Contains(told, "no Helm chart") {
		t.Errorf("without a chart: %q, %v", told, err)
	}
}

// TestInstall: each object of what config installs is there once, with the image of the release, and behind what it needs.
func TestInstall(t *testing.T) {
	r := &release{options: options{Root: root, Output: t.TempDir(), Version: "v0.1.0", Image: "registry.example.se/fonster"}, Commit: strings.Repeat("a", 40)}
	if _, err := r.install(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(r.path("install.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "fonster:latest") || strings.Count(string(text), "image: registry.example.se/fonster:v0.1.0\n") != 2 {
		t.Error("want the image of the release in two Deployments, and no other")
	}
	seen, found := map[string]int{}, map[string]object{}
	needs := func(o object, what string) {
		if _, is := seen[what]; !is {
			t.Errorf("%s comes before %s, which it needs", identity(o), what)
		}
	}
	for i, o := range documents(t, text) {
		if before, is := seen[identity(o)]; is {
			t.Errorf("%s is there twice, as %d and %d", identity(o), before, i)
		}
		if ns := text1(o, "metadata", "namespace"); ns != "" {
			needs(o, "Namespace /"+ns)
		}
		switch o.kind() {
		case "ValidatingAdmissionPolicy", "MutatingAdmissionPolicy":
			needs(o, "CustomResourceDefinition /gates.maintenance.fonster.dev")
		case "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicyBinding":
			needs(o, strings.TrimSuffix(o.kind(), "Binding")+" /"+text1(o, "spec", "policyName"))
		case "RoleBinding", "ClusterRoleBinding":
			if role := text1(o, "roleRef", "name"); strings.HasPrefix(role, "fonster") {
				ns := ""
				if text1(o, "roleRef", "kind") == "Role" {
					ns = text1(o, "metadata", "namespace")
				}
				needs(o, text1(o, "roleRef", "kind")+" "+ns+"/"+role)
			}
		case "Deployment":
			needs(o, "ServiceAccount fonster-system/"+text1(o, "spec", "template", "spec", "serviceAccountName"))
		}
		seen[identity(o)], found[identity(o)] = i, o
	}
	for _, o := range configured(t) {
		switch o.kind() {
		case "Deployment":
			if err := setImage([]object{o}, "registry.example.se/fonster:v0.1.0"); err != nil {
				t.Fatal(err)
			}
		case "CustomResourceDefinition": // config/crd/kustomization.yaml adds it
			o["metadata"].(map[string]any)["labels"] = map[string]any{"app.kubernetes.io/managed-by": "fonster"}
		}
		if got := found[identity(o)]; got == nil {
			t.Errorf("%s is in config, and not in install.yaml", identity(o))
		} else if !reflect.DeepEqual(got, o) {
			t.Errorf("%s is another in install.yaml than in config", identity(o))
		}
		delete(seen, identity(o))
	}
	for what := range seen {
		t.Errorf("%s is in install.yaml, and not in config", what)
	}
}

// configured are the objects of config, read file by file without kustomize, but for what is installed apart.
func configured(t *testing.T) []object {
	t.Helper()
	var all []object
	apart := []string{"default", "grafana", "prometheus", "samples"}
	err := filepath.WalkDir(filepath.Join(root, "config"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains(apart, d.Name()) {
			return filepath.SkipDir
		}
		if d.IsDir() || !isManifest(path) {
			return nil
		}
		text, err := os.ReadFile(path)
		all = append(all, documents(t, text)...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("%d objects in config", len(all))
	}
	return all
}

func documents(t *testing.T, text []byte) []object {
	t.Helper()
	var all []object
	for part := range strings.SplitSeq("\n"+string(text), "\n---\n") {
		var o object
		if err := yaml.Unmarshal([]byte(part), &o); err != nil {
			t.Fatal(err)
		}
		if len(o) > 0 {
			all = append(all, o)
		}
	}
	return all
}

func identity(o object) string {
	return o.kind() + " " + text1(o, "metadata", "namespace") + "/" + text1(o, "metadata", "name")
}

// text1 is one text of an object; empty where it has none.
func text1(o object, path ...string) string {
	var at any = map[string]any(o)
	for _, key := range path {
		m, _ := at.(map[string]any)
		at = m[key]
	}
	text, _ := at.(string)
	return text
}

// TestPlugin: krew's manifest says of each platform's archive what it is. The programs are none, as to compile them takes long.
func TestPlugin(t *testing.T) {
	r := &release{
		options: options{Root: root, Output: t.TempDir(), Version: "v0.1.0", Downloads: "https://example.se/v0.1.0", Clients: clients},
		Time:    time.Date(2026, 5, 13, 9, 0, 0, 0, time.UTC), work: t.TempDir(),
	}
	for _, p := range clients {
		if err := os.Mkdir(r.binaries(p), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, program := range []string{"kubectl-window", "kubectl-window-offline"} {
			if err := os.WriteFile(filepath.Join(r.binaries(p), p.program(program)), []byte(program+" for "+p.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	var before string
	for range 2 {
		if _, err := r.plugin(t.Context()); err != nil {
			t.Fatal(err)
		}
		checkKrew(t, r)
		text, err := os.ReadFile(r.path(krewFile))
		if err != nil {
			t.Fatal(err)
		}
		if before != "" && before != string(text) { // it has the checksums
			t.Error("two archives of the same programs differ")
		}
		before = string(text)
	}
}

// TestRelease: two releases of one commit, in two folders, are the same byte for byte; and what is in one is what the others say of it.
func TestRelease(t *testing.T) {
	here := platform{"linux", runtime.GOARCH}
	t.Run("another program in the place of each", func(t *testing.T) { twice(t, here, false, servers, clients) })
	t.Run("compiled for this machine", func(t *testing.T) {
		if testing.Short() {
			t.Skip("it compiles every program twice")
		}
		twice(t, here, true, []platform{here}, []platform{here})
	})
}

// twice releases twice and compares.
func twice(t *testing.T, here platform, compiled bool, images, plugins []platform) {
	var made []*release
	for _, folder := range []string{"one", filepath.Join("a", "longer", "path")} {
		at := filepath.Join(t.TempDir(), folder)
		clone(t, at)
		o := options{
			Root: at, Output: filepath.Join(at, "dist"), Version: "v0.1.0", Image: "fonster", Downloads: "https://example.se/VERSION",
			Servers: images, Clients: plugins,
		}
		r, err := prepare(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if r.Dirty {
			t.Error("what was committed counts as dirty")
		}
		if !compiled {
			r.build = r.standIn
		}
		if err := r.write(t.Context(), t.Output()); err != nil {
			t.Fatal(err)
		}
		r.Output = o.Output
		made = append(made, r)
	}
	same(t, made[0].Output, made[1].Output)
	r := made[0]
	checkSums(t, r)
	told := map[string]string{}
	if compiled {
		told = versionsTold(t, r, here)
	}
	for told, out := range told {
		if !strings.Contains(out, "v0.1.0") || !strings.Contains(out, r.Commit[:12]) {
			t.Errorf("%s: want v0.1.0 and %s: %s", told, r.Commit[:12], out)
		}
	}
	checkKrew(t, r)
	checkPushed(t, r, here)
	checkSBOM(t, r, compiled)
	checkNotes(t, r)

	// A second release takes the place of the first, and tells of a dirty work tree.
	if err := os.WriteFile(filepath.Join(r.Root, "README.md"), []byte("changed\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if dirty, err := prepare(t.Context(), made[0].options); err != nil || !dirty.Dirty || !strings.HasSuffix(dirty.stamp(), "-dirty") {
		t.Errorf("a changed file is not told: %+v, %v", dirty, err)
	}
}

// standIn puts gofmt in the place of each program: some Go program, which tells what it was built from.
func (r *release) standIn(_ context.Context, p platform, _ string, packages []string) error {
	path, err := exec.LookPath("gofmt")
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(r.binaries(p), 0o755); err != nil {
		return err
	}
	for _, name := range packages {
		if err := os.WriteFile(filepath.Join(r.binaries(p), p.program(filepath.Base(name))), text, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// clone makes a repository of what is here, whether committed or not, with an older version behind it in which a policy was another and
// the rights the same. Its commits are the same wherever it is.
func clone(t *testing.T, at string) {
	t.Helper()
	files, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "-co", "--exclude-standard", "-z").Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.SplitSeq(strings.TrimRight(string(files), "\x00"), "\x00") {
		info, err := os.Lstat(filepath.Join(root, path))
		if err != nil || !info.Mode().IsRegular() {
			continue // deleted, and not yet committed
		}
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(at, filepath.Dir(path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(at, path), text, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), "git", append([]string{"-C", at, "-c", "core.autocrlf=false", "-c", "commit.gpgsign=false"}, args...)...)
		command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.se", "GIT_AUTHOR_DATE=2026-05-13T09:00:00Z",
			"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.se", "GIT_COMMITTER_DATE=2026-05-13T09:00:00Z")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args, err, out)
		}
	}
	policies := filepath.Join(at, "config", "policies", "policies.yaml")
	now, err := os.ReadFile(policies)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(policies, bytes.Replace(now, []byte("name: fonster-pod-labels\n"), []byte("name: fonster-old\n"), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	git("init", "-q", "-b", "main")
	git("add", "-A")
	git("commit", "-q", "-m", "The one before")
	git("tag", "v0.0.9")
	if err := os.WriteFile(policies, now, 0o644); err != nil {
		t.Fatal(err)
	}
	git("commit", "-q", "-a", "-m", "A policy has another name")
}

// same wants two folders with the same files, modes included.
func same(t *testing.T, a, b string) {
	t.Helper()
	listed := func(folder string) map[string]string {
		all := map[string]string{}
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			digest, err := sum(path)
			all[strings.TrimPrefix(path, folder)] = info.Mode().String() + " " + digest
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	one, two := listed(a), listed(b)
	for _, d := range differences(one, two) {
		t.Errorf("%s differs between two builds", d)
	}
	if len(one) < 10 {
		t.Errorf("only %d files", len(one))
	}
}

// checkSums lets sha256sum itself read the checksums, which must name every file.
func checkSums(t *testing.T, r *release) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "--quiet", sumsFile)
	command.Dir = r.Output
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
	text, err := os.ReadFile(r.path(sumsFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"install.yaml", krewFile, notesFile, "fonster-0.1.0.spdx.json", imageFolder + "/index.json", imageFolder + "/oci-layout"} {
		if !strings.Contains(string(text), "  "+name+"\n") {
			t.Errorf("%s names no %s", sumsFile, name)
		}
	}
}

// versionsTold runs what was released, as far as it runs here.
func versionsTold(t *testing.T, r *release, here platform) map[string]string {
	t.Helper()
	folder := t.TempDir()
	unpack(t, tarOf(t, r.path(r.archives[here])), folder)
	unpack(t, mutate.Extract(imageAt(t, r, here)), folder)
	told := map[string]string{}
	for _, args := range [][]string{
		{"kubectl-window", "version", "--client"}, {"kubectl-window", "version", "--client", "-o", "json"},
		{"kubectl-window-offline", "--version"}, {"fonster", "--version"}, {"fonster-page", "--version"},
	} {
		out, err := exec.CommandContext(t.Context(), filepath.Join(folder, args[0]), args[1:]...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", args, err, out)
		}
		told[strings.Join(args, " ")] = string(out)
	}
	return told
}

func tarOf(t *testing.T, path string) io.Reader {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func unpack(t *testing.T, from io.Reader, folder string) {
	t.Helper()
	for entries := tar.NewReader(from); ; {
		h, err := entries.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(entries)
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg && !strings.Contains(h.Name, "/") {
			if err := os.WriteFile(filepath.Join(folder, h.Name), text, h.FileInfo().Mode()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// checkKrew holds each archive against what the manifest says. (krew's own types need a client of Kubernetes that is years older than ours.)
func checkKrew(t *testing.T, r *release) {
	t.Helper()
	text, err := os.ReadFile(r.path(krewFile))
	if err != nil {
		t.Fatal(err)
	}
	var plugin krewPlugin
	if err := yaml.UnmarshalStrict(text, &plugin); err != nil {
		t.Fatal(err)
	}
	if plugin.Metadata.Name != "window" || plugin.APIVersion != "krew.googlecontainertools.github.com/v1alpha2" || plugin.Kind != "Plugin" || plugin.Spec.Version != "v0.1.0" || plugin.Spec.ShortDescription == "" || len(plugin.Spec.ShortDescription) > 50 || len(plugin.Spec.Platforms) != len(r.Clients) {
		t.Errorf("%+v", plugin)
	}
	for _, p := range plugin.Spec.Platforms {
		name, is := strings.CutPrefix(p.URI, "https://example.se/v0.1.0/")
		if !is {
			t.Errorf("%s is not where downloads are", p.URI)
		}
		digest, err := sum(r.path(name))
		if err != nil || digest != p.SHA256 {
			t.Errorf("%s: SHA-256 %s, krew expects %s: %v", name, digest, p.SHA256, err)
		}
		files := filesOf(t, r.path(name))
		offline := strings.Replace(p.Bin, "window", "window-offline", 1)
		for file, mode := range map[string]fs.FileMode{p.Bin: 0o755, offline: 0o755, "kubectl_complete-window": 0o755, "LICENSE": 0o644} {
			if files[file] != mode {
				t.Errorf("%s: %s has mode %o, want %o", name, file, files[file], mode)
			}
		}
		if len(files) != 4 {
			t.Errorf("%s has %v", name, files)
		}
		if windows := p.Selector.MatchLabels["os"] == "windows"; windows != strings.HasSuffix(p.Bin, ".exe") || windows != strings.HasSuffix(name, ".zip") {
			t.Errorf("%s, with %s, is for %s", name, p.Bin, p.Selector.MatchLabels["os"])
		}
	}
}

// filesOf are the modes of an archive's files.
func filesOf(t *testing.T, path string) map[string]fs.FileMode {
	t.Helper()
	files := map[string]fs.FileMode{}
	if strings.HasSuffix(path, ".zip") {
		z, err := zip.OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		for _, f := range z.File {
			files[f.Name] = f.Mode().Perm()
		}
		return files
	}
	for entries := tar.NewReader(tarOf(t, path)); ; {
		h, err := entries.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" {
			t.Errorf("%s: %s is %s's", path, h.Name, h.Uname)
		}
		files[h.Name] = h.FileInfo().Mode().Perm()
	}
}

// imageAt is the image for a platform, from the layout.
func imageAt(t *testing.T, r *release, p platform) v1.Image {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return pulled(t, pushed(t, r, strings.TrimPrefix(server.URL, "http://")+"/fonster:v0.1.0"), p)
}

func pushed(t *testing.T, r *release, to string) v1.ImageIndex {
	t.Helper()
	ref, err := push(t.Context(), r.path(imageFolder), to)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(ref, "@"+r.digest) {
		t.Errorf("pushed %s, want %s", ref, r.digest)
	}
	for _, pull := range []string{to, ref} {
		parsed, err := name.ParseReference(pull)
		if err != nil {
			t.Fatal(err)
		}
		image, err := remote.Index(parsed)
		if err != nil {
			t.Fatal(err)
		}
		if digest, err := image.Digest(); err != nil || digest.String() != r.digest {
			t.Errorf("%s is %s, want %s: %v", pull, digest, r.digest, err)
		}
		if pull == ref {
			return image
		}
	}
	return nil
}

func pulled(t *testing.T, image v1.ImageIndex, p platform) v1.Image {
	t.Helper()
	manifest, err := image.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range manifest.Manifests {
		if m.Platform.OS == p.OS && m.Platform.Architecture == p.Arch {
			one, err := image.Image(m.Digest)
			if err != nil {
				t.Fatal(err)
			}
			return one
		}
	}
	t.Fatalf("no image for %s in %+v", p, manifest)
	return nil
}

// checkPushed pushes the image to a registry and pulls it: what comes back is whole, and runs as nobody.
func checkPushed(t *testing.T, r *release, here platform) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	image := pushed(t, r, strings.TrimPrefix(server.URL, "http://")+"/team/fonster:v0.1.0")
	if err := validate.Index(image); err != nil {
		t.Error(err)
	}
	manifest, err := image.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if manifest.Annotations["org.opencontainers.image.version"] != "v0.1.0" || manifest.Annotations["org.opencontainers.image.revision"] != r.Commit {
		t.Errorf("annotations %v", manifest.Annotations)
	}
	if len(manifest.Manifests) != len(r.Servers) {
		t.Errorf("%d platforms, want %d", len(manifest.Manifests), len(r.Servers))
	}
	one := pulled(t, image, here)
	config, err := one.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/fonster"}) || len(config.Config.Cmd) > 0 {
		t.Errorf("config %+v", config.Config)
	}
	if config.OS != here.OS || config.Architecture != here.Arch || !config.Created.Time.Equal(r.Time) {
		t.Errorf("for %s/%s, of %s", config.OS, config.Architecture, config.Created.Time)
	}
	modes := map[string]fs.FileMode{}
	for entries := tar.NewReader(mutate.Extract(one)); ; {
		h, err := entries.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		modes[strings.Trim(h.Name, "/")] = h.FileInfo().Mode()
		if !h.ModTime.Equal(r.Time) {
			t.Errorf("%s is of %s", h.Name, h.ModTime)
		}
	}
	for file, mode := range map[string]fs.FileMode{"fonster": 0o755, "fonster-page": 0o755, "licenses/LICENSE": 0o644, "tmp": fs.ModeDir | fs.ModeSticky | 0o777} {
		if modes[file] != mode {
			t.Errorf("/%s has mode %s, want %s", file, modes[file], mode)
		}
	}
	if len(modes) != 4 {
		t.Errorf("the image has %v", modes)
	}
}

// checkSBOM reads it with the library of SPDX: the version of a module is that of go.mod, and the checksums are the artefacts'.
func checkSBOM(t *testing.T, r *release, compiled bool) {
	t.Helper()
	f, err := os.Open(r.path("fonster-0.1.0.spdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := spdxjson.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(root + "/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"fonster:v0.1.0": "v0.1.0", "stdlib": strings.TrimPrefix(runtime.Version(), "go")}
	if compiled {
		want["fonster.dev/fonster"] = "v0.1.0"
	}
	for _, required := range parsed.Require {
		if compiled && (required.Mod.Path == "k8s.io/client-go" || required.Mod.Path == "sigs.k8s.io/controller-runtime") {
			want[required.Mod.Path] = required.Mod.Version
		}
	}
	sums := map[string]string{}
	for _, p := range doc.Packages {
		if want[p.PackageName] == p.PackageVersion {
			delete(want, p.PackageName)
		}
		for _, c := range p.PackageChecksums {
			sums[p.PackageName] = c.Value
		}
		if p.PackageName == "helm.sh/helm/v4" {
			t.Error("what only builds the release is no part of it")
		}
	}
	if len(want) > 0 {
		t.Errorf("the SBOM lacks %v", want)
	}
	for _, archive := range r.archives {
		if digest, err := sum(r.path(archive)); err != nil || sums[archive] != digest {
			t.Errorf("%s: %s in the SBOM, want %s: %v", archive, sums[archive], digest, err)
		}
	}
	if "sha256:"+sums["fonster:v0.1.0"] != r.digest {
		t.Errorf("the image is %s in the SBOM, want %s", sums["fonster:v0.1.0"], r.digest)
	}
}

func checkNotes(t *testing.T, r *release) {
	t.Helper()
	text, err := os.ReadFile(r.path(notesFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# Fonster v0.1.0", "Commit `" + r.Commit, "## Changes since v0.0.9", "Policies changed: yes.", "ValidatingAdmissionPolicy fonster-pod-labels (new)",
		"ValidatingAdmissionPolicy fonster-old (gone", "- rights: none", "- A policy has another name\n", "the page; overrides | 1.32 and later |", "| tested on | 1.32.", ", 1.37.", r.digest,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the notes lack %q:\n%s", want, text)
		}
	}
}

// TestPolicies: the answer about policies is no where only comments and order have changed.
func TestPolicies(t *testing.T) {
	read := func(text string) map[string]string {
		all := map[string]string{}
		if err := collect(all, []byte(text)); err != nil {
			t.Fatal(err)
		}
		return all
	}
	before := read("kind: A\nmetadata: {name: a}\nspec: {x: 1, y: 2}\n---\nkind: A\nmetadata: {name: b}\n")
	if d := differences(before, read("# why\nkind: A\nmetadata: {name: b}\n---\nkind: A\nspec:\n  y: 2\n  x: 1\nmetadata:\n  name: a\n")); len(d) > 0 {
		t.Errorf("changed: %v", d)
	}
	after := read("kind: A\nmetadata: {name: a}\nspec: {x: 1, y: 3}\n---\nkind: A\nmetadata: {name: c}\n")
	if d := differences(before, after); !slices.Equal(d, []string{"A a", "A c (new)", "A b (gone: delete it, docs/upgrade.md)"}) {
		t.Errorf("changed: %v", d)
	}
}

// TestUsage: what is wrong is told with what to do.
func TestUsage(t *testing.T) {
	for title, tc := range map[string]struct {
		args []string
		want string
	}{
		"nothing":        {nil, "usage: release build"},
		"another word":   {[]string{"deploy"}, "usage: release build"},
		"no version":     {[]string{"build"}, "want a semantic version"},
		"no v":           {[]string{"build", "-version", "0.1.0"}, "such as v0.1.0"},
		"no clone":       {[]string{"build", "-version", "v0.1.0", "-root", t.TempDir()}, "built in a clone"},
		"push to nobody": {[]string{"push", "dist/image"}, "usage: release build"},
		"no layout":      {[]string{"push", t.TempDir(), "localhost:1/fonster:v0.1.0"}, "is no OCI layout"},
	} {
		if err := run(context.Background(), tc.args); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", title, err, tc.want)
		}
	}
}

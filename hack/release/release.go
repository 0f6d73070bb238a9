package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// platform is what a program runs on.
type platform struct{ OS, Arch string }

func (p platform) String() string { return p.OS + "_" + p.Arch }

// program is the file name of a program on the platform.
func (p platform) program(name string) string {
	if p.OS == "windows" {
		return name + ".exe"
	}
	return name
}

var (
	// servers are what operator and page run on, in one image.
	servers = []platform{{"linux", "amd64"}, {"linux", "arm64"}}
	// clients are what the plugin runs on.
	clients = []platform{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}}
)

// options are what a release is asked for.
type options struct {
	// Version has a leading v.
	Version string
	// Root is the folder of the repository, Output the one that is written.
	Root, Output string
	// Image is the repository of the image, without a tag.
	Image string
	// Downloads is the URL of the folder that the archives will be in.
	Downloads string
	// Servers and Clients are the platforms of the image and of the plugin.
	Servers, Clients []platform
}

// release is one that is being written.
type release struct {
	options
	// Commit has forty hexadecimal digits.
	Commit string
	// Dirty says that the work tree has what the commit has not.
	Dirty bool
	// Time is that of the commit, or SOURCE_DATE_EPOCH: every file of every archive carries it. UTC, whole seconds.
	Time time.Time
	// work has what was compiled, a folder for each platform.
	work string
	// build compiles packages of a module for a platform into binaries; tests that compile nothing put something else there.
	build func(ctx context.Context, p platform, module string, packages []string) error
	// digest is that of the image, once it is written; archives are the file names of the plugin's.
	digest   string
	archives map[platform]string
}

// number is the version without v, as charts and file names have it.
func (r *release) number() string { return strings.TrimPrefix(r.Version, "v") }

// stamp is the commit as programs tell it.
func (r *release) stamp() string {
	if r.Dirty {
		return r.Commit[:12] + "-dirty"
	}
	return r.Commit[:12]
}

// prepare checks what is asked for, and asks git what is released.
func prepare(ctx context.Context, o options) (*release, error) {
	if err := checkVersion(o.Version); err != nil {
		return nil, err
	}
	var err error
	if o.Root, err = filepath.Abs(o.Root); err != nil {
		return nil, err
	}
	if o.Output, err = filepath.Abs(o.Output); err != nil {
		return nil, err
	}
	o.Downloads = strings.ReplaceAll(o.Downloads, "VERSION", o.Version)
	r := &release{options: o}
	r.build = r.goBuild
	if r.Commit, err = r.git(ctx, "rev-parse", "HEAD"); err != nil {
		return nil, fmt.Errorf("a release is of a commit, so it is built in a clone: %w", err)
	}
	changes, err := r.git(ctx, "status", "--porcelain")
	if err != nil {
		return nil, err
	}
	r.Dirty = changes != ""
	seconds := os.Getenv("SOURCE_DATE_EPOCH")
	if seconds == "" {
		if seconds, err = r.git(ctx, "log", "-1", "--format=%ct"); err != nil {
			return nil, err
		}
	}
	epoch, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("SOURCE_DATE_EPOCH=%s: want seconds since 1970", seconds)
	}
	r.Time = time.Unix(epoch, 0).UTC()
	return r, nil
}

// checkVersion wants a semantic version with v and nothing left out. Build metadata is refused: a plus cannot stand in the tag of an image.
func checkVersion(version string) error {
	if !semver.IsValid(version) || semver.Canonical(version) != version {
		return fmt.Errorf("VERSION=%s: want a semantic version with a leading v, such as v0.1.0 or v0.2.0-rc.1: make release VERSION=v0.1.0", version)
	}
	return nil
}

// git answers of the repository.
func (r *release) git(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "git", append([]string{"-C", r.Root}, args...)...)
	out, err := command.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return "", fmt.Errorf("git %s: %s", strings.Join(args, " "), strings.TrimSpace(string(failed.Stderr)))
	}
	return strings.TrimRight(string(out), "\n"), err
}

// write writes everything into a folder beside the output, which takes its place when it is complete.
func (r *release) write(ctx context.Context, out io.Writer) (err error) {
	if err := r.replaceable(); err != nil {
		return err
	}
	final := r.Output
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return err
	}
	if r.Output, err = os.MkdirTemp(filepath.Dir(final), ".release-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.Output)
	if r.work, err = os.MkdirTemp("", "release-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.work)
	started := time.Now()
	for _, step := range []struct {
		name string
		do   func(context.Context) (string, error)
	}{
		{"install.yaml", r.install},
		{"chart", r.chart},
		{"programs", r.compile},
		{"image", r.image},
		{"plugin", r.plugin},
		{"SBOM", r.sbom},
		{"notes", r.notes},
		{"SHA256SUMS", r.sums},
	} {
		begun := time.Now()
		told, err := step.do(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Fprintf(out, "%-13s %5.1f s  %s\n", step.name, time.Since(begun).Seconds(), told)
	}
	if err := os.Chmod(r.Output, 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(final); err != nil {
		return err
	}
	if err := os.Rename(r.Output, final); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s of commit %s is in %s, after %.0f s\n", r.Version, r.stamp(), final, time.Since(started).Seconds())
	return nil
}

// writeImage writes the image alone, as an OCI layout, into a folder that is new, empty, or one already.
func (r *release) writeImage(ctx context.Context, layout string, out io.Writer) (err error) {
	entries, err := os.ReadDir(layout)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(filepath.Join(layout, "oci-layout")); err != nil && len(entries) > 0 {
		return fmt.Errorf("%s is no OCI layout, and is not overwritten: name another folder, or delete it", layout)
	}
	if r.work, err = os.MkdirTemp("", "release-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.work)
	r.Output = r.work
	if _, err := r.compile(ctx); err != nil {
		return err
	}
	if _, err := r.image(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(layout); err != nil {
		return err
	}
	if err := os.CopyFS(layout, os.DirFS(r.path(imageFolder))); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s of commit %s is in %s, %s\n", r.Version, r.stamp(), layout, r.digest)
	return err
}

// replaceable keeps a folder that is no release from being deleted.
func (r *release) replaceable() error {
	entries, err := os.ReadDir(r.Output)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(r.Output, sumsFile)); err != nil {
		return fmt.Errorf("%s has no %s, so it is no release, and is not overwritten: name another folder, or delete it", r.Output, sumsFile)
	}
	return nil
}

// path is that of a file of the release.
func (r *release) path(name string) string { return filepath.Join(r.Output, name) }

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// What is built of which module.
var (
	serverPackages = []string{"./cmd/fonster", "./cmd/fonster-page"}
	clientPackages = []string{"./cmd/kubectl-window"}
	// offline is a module of its own, with the API server's code.
	offlinePackages = []string{"./cmd/kubectl-window-offline"}
)

const versionPackage = "fonster.dev/fonster/internal/version"

// compile builds every program for every platform.
func (r *release) compile(ctx context.Context) (string, error) {
	count := 0
	for _, p := range r.platforms() {
		var packages []string
		if slices.Contains(r.Servers, p) {
			packages = append(packages, serverPackages...)
		}
		client := slices.Contains(r.Clients, p)
		if client {
			packages = append(packages, clientPackages...)
		}
		if err := r.build(ctx, p, ".", packages); err != nil {
			return "", err
		}
		if client {
			if err := r.build(ctx, p, "offline", offlinePackages); err != nil {
				return "", err
			}
			count++
		}
		count += len(packages)
	}
	return fmt.Sprintf("%d, for %d platforms", count, len(r.platforms())), nil
}

// platforms are all that anything is built for, each once.
func (r *release) platforms() []platform {
	all := slices.Clone(r.Servers)
	for _, p := range r.Clients {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// goBuild builds packages of a module such that nothing of this machine is in them: neither folders (-trimpath), nor the state of the
// clone (-buildvcs), nor what GOFLAGS or an experiment would change.
func (r *release) goBuild(ctx context.Context, p platform, module string, packages []string) error {
	ldflags := fmt.Sprintf("-s -w -X %[1]s.stampedVersion=%[2]s -X %[1]s.stampedCommit=%[3]s", versionPackage, r.Version, r.stamp())
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", ldflags, "-o", r.binaries(p) + string(filepath.Separator)}, packages...)
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = filepath.Join(r.Root, module)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.OS, "GOARCH="+p.Arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s for %s: %w\n%s", strings.Join(args, " "), p, err, out)
	}
	return nil
}

// binaries is the folder with what was compiled for a platform.
func (r *release) binaries(p platform) string { return filepath.Join(r.work, p.String()) }

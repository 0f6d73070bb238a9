// Package node tests the installation on real nodes (hack/node): image, rights, probes, Services, and what becomes of it when pods are killed,
// nodes drained, and the release is upgraded and removed.
package node

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fonster.dev/fonster/test/cluster"
)

// insideVariable is set where the cluster is; keepVariable leaves it running, to look at.
const (
	insideVariable = "FONSTER_NODE_INSIDE"
	keepVariable   = "FONSTER_NODE_KEEP"
)

// versions are those of the images that are built: one is installed, and upgraded to the next.
var versions = []string{"v0.1.0", "v0.1.1"}

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(insideVariable) != "" || flag.Lookup("test.list").Value.String() != "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := enter(ctx)
	stop()
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		os.Exit(max(failed.ExitCode(), 1))
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// enter builds what is installed, starts the cluster, runs this program again where that is, and ends it.
func enter(ctx context.Context) (err error) {
	if err := build(ctx); err != nil {
		return err
	}
	script := filepath.Join(cluster.Root(), "hack/node/node.sh")
	if err := command(ctx, script, "up").Run(); err != nil {
		return fmt.Errorf("starting the nodes: %w", err)
	}
	defer func() {
		if os.Getenv(keepVariable) != "" {
			fmt.Fprintln(os.Stderr, "node: left running: hack/node/node.sh run kubectl get pods -A; hack/node/node.sh down")
			return
		}
		err = errors.Join(err, command(context.WithoutCancel(ctx), script, "down").Run())
	}()
	again := command(ctx, script, append([]string{"run"}, os.Args...)...)
	again.Env = append(os.Environ(), insideVariable+"=1")
	return again.Run()
}

// command is one that ends when the context does, with the streams of this process.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	return c
}

// releaser is the program that writes and pushes images, layout where the image of a version is.
func releaser() string { return filepath.Join(cluster.Root(), ".local/test-bin/release") }

func layout(version string) string {
	return filepath.Join(cluster.Root(), ".local/test-bin/images", version)
}

// build writes the image of each version.
func build(ctx context.Context) error {
	compile := command(ctx, "go", "build", "-o", releaser(), ".")
	compile.Dir = filepath.Join(cluster.Root(), "hack/release")
	if err := compile.Run(); err != nil {
		return fmt.Errorf("building hack/release: %w", err)
	}
	for _, version := range versions {
		if err := command(ctx, releaser(), "image", "-version", version, "-root", cluster.Root(), "-output", layout(version)).Run(); err != nil {
			return fmt.Errorf("the image %s: %w", version, err)
		}
	}
	return nil
}

// output runs a program and returns what it printed on both streams; an error tells both.
func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// Command release writes the artefacts of a release, without Docker, and pushes its image.
//
//	go run . build -version v0.1.0 -output ../../dist
//	go run . manifest -version v0.1.0 > install.yaml
//	go run . image -version v0.1.0 -output ../../dist/image
//	go run . push ../../dist/image registry.example.se/fonster:v0.1.0
//
// Two builds of one commit are the same byte for byte, in whatever folder: docs/release.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
)

const usage = `usage: release build -version v0.1.0 [flags]      write the artefacts
       release image -version v0.1.0 [flags]      write the image alone, for the processor of this machine, to try it
       release manifest -version v0.1.0 [flags]   print install.yaml alone, and compile nothing
       release push LAYOUT REGISTRY/REPO:TAG      push the image of an OCI layout`

// errUsage is a command line that says nothing that can be done.
var errUsage = errors.New(usage)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	switch args[0] {
	case "build":
		return build(ctx, args[1:])
	case "image":
		return buildImage(ctx, args[1:])
	case "manifest":
		return manifest(ctx, args[1:], os.Stdout)
	case "push":
		if len(args) != 3 {
			return errUsage
		}
		pushed, err := push(ctx, args[1], args[2])
		if err == nil {
			fmt.Println(pushed)
		}
		return err
	}
	return errUsage
}

// common are the flags of whatever is built.
func common(name string, o *options) *flag.FlagSet {
	flags := flag.NewFlagSet("release "+name, flag.ContinueOnError)
	flags.StringVar(&o.Version, "version", "", "version of the release, such as v0.1.0")
	flags.StringVar(&o.Root, "root", filepath.Join("..", ".."), "folder of the repository")
	flags.StringVar(&o.Image, "image", "fonster", "repository of the image, without a tag: install.yaml names it with the version")
	return flags
}

// parsed prepares what a command line asks for, and warns where it is not of a commit.
func parsed(ctx context.Context, flags *flag.FlagSet, args []string, o *options) (*release, error) {
	if err := flags.Parse(args); err != nil {
		return nil, flag.ErrHelp
	}
	if flags.NArg() > 0 {
		return nil, errUsage
	}
	r, err := prepare(ctx, *o)
	if err == nil && r.Dirty {
		fmt.Fprintln(os.Stderr, "release: the work tree is dirty: what is built is not commit", r.Commit[:12]+", and says so")
	}
	return r, err
}

func build(ctx context.Context, args []string) error {
	o := options{Servers: servers, Clients: clients}
	flags := common("build", &o)
	flags.StringVar(&o.Output, "output", filepath.Join("..", "..", "dist"), "folder to write; what is there goes")
	flags.StringVar(&o.Downloads, "downloads", "https://fonster.dev/releases/VERSION", "URL of the folder that the archives will be in; VERSION is put in its place")
	r, err := parsed(ctx, flags, args, &o)
	if err != nil {
		return err
	}
	return r.write(ctx, os.Stdout)
}

func buildImage(ctx context.Context, args []string) error {
	o := options{Servers: []platform{{"linux", runtime.GOARCH}}}
	flags := common("image", &o)
	layout := flags.String("output", filepath.Join("..", "..", "dist", imageFolder), "folder to write, an OCI layout; what is there goes, where it is one")
	r, err := parsed(ctx, flags, args, &o)
	if err != nil {
		return err
	}
	return r.writeImage(ctx, *layout, os.Stdout)
}

func manifest(ctx context.Context, args []string, out io.Writer) error {
	var o options
	r, err := parsed(ctx, common("manifest", &o), args, &o)
	if err != nil {
		return err
	}
	text, _, err := r.manifest()
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}

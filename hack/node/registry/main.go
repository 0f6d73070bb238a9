// Command registry serves a registry of images, in memory, with one image for each program that it is given.
//
//	registry -address 127.0.0.1:5000 pause=.local/bin/pause web=.local/bin/web
//
// An image has the name and the tag 1, and nothing in it but the program, which it runs as nobody.
package main

import (
	"archive/tar"
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// nobody is who the programs run as: a number, as Kubernetes holds runAsNonRoot against it.
const nobody = "65532:65532"

func main() {
	address := flag.String("address", "127.0.0.1:5000", "where it serves, without TLS")
	flag.Parse()
	if err := serve(*address, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

// serve serves until it fails.
func serve(address string, programs []string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	server := &http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0))), ReadHeaderTimeout: 10 * time.Second}
	go func() { failed <- server.Serve(listener) }()
	for _, program := range programs {
		image, file, found := strings.Cut(program, "=")
		if !found {
			return fmt.Errorf("%q: want NAME=PROGRAM", program)
		}
		if err := push(fmt.Sprintf("%s/%s:1", address, image), file); err != nil {
			return err
		}
	}
	return <-failed
}

// push puts a program into the registry, as an image of its own.
func push(to, program string) error {
	ref, err := name.NewTag(to)
	if err != nil {
		return err
	}
	image, err := imageOf(program)
	if err != nil {
		return err
	}
	if err := remote.Write(ref, image); err != nil {
		return err
	}
	fmt.Println("serving", ref)
	return nil
}

// imageOf is the image of a static program.
func imageOf(program string) (v1.Image, error) {
	content, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	inside := path.Base(program)
	if err := w.WriteHeader(&tar.Header{Name: inside, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil })
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = runtime.GOOS, runtime.GOARCH
	config.Config = v1.Config{User: nobody, Entrypoint: []string{"/" + inside}}
	return mutate.ConfigFile(image, config)
}

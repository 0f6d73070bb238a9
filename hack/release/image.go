package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// imageFolder is the OCI image layout.
	imageFolder = "image"
	// nobody is who the programs run as: a number, as Kubernetes holds runAsNonRoot against it.
	nobody = "65532:65532"
)

// image writes the image of operator and page, for each platform, as an OCI layout: programs, licence and an empty /tmp, and nothing else.
// Both programs are static, have the zones built in, and trust the API server by the certificate of their ServiceAccount, so there are
// neither zones nor certificates beside them.
func (r *release) image(context.Context) (string, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range r.Servers {
		one, err := r.imageOf(p)
		if err != nil {
			return "", err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        one,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.OS, Architecture: p.Arch}},
		})
	}
	annotated, is := mutate.Annotations(index, r.annotations()).(v1.ImageIndex)
	if !is {
		return "", fmt.Errorf("an index with annotations is no index")
	}
	folder, err := layout.Write(r.path(imageFolder), empty.Index)
	if err != nil {
		return "", err
	}
	if err := folder.AppendIndex(annotated, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": r.Version})); err != nil {
		return "", err
	}
	digest, err := annotated.Digest()
	r.digest = digest.String()
	return fmt.Sprintf("%s:%s@%s", r.Image, r.Version, digest), err
}

// annotations are what the image tells of itself (OCI image specification, annotations).
func (r *release) annotations() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "fonster",
		"org.opencontainers.image.description": "Maintenance windows that the Kubernetes API server enforces: operator and page",
		"org.opencontainers.image.version":     r.Version,
		"org.opencontainers.image.revision":    r.Commit,
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.created":     r.Time.Format("2006-01-02T15:04:05Z07:00"),
	}
}

// imageOf is the image for one platform.
func (r *release) imageOf(p platform) (v1.Image, error) {
	entries := []entry{{"tmp/", 0o1777, nil}}
	for _, program := range []string{"fonster", "fonster-page"} {
		e, err := file(program, 0o755, filepath.Join(r.binaries(p), program))
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	licence, err := file("licenses/LICENSE", 0o644, filepath.Join(r.Root, "LICENSE"))
	if err != nil {
		return nil, err
	}
	var content bytes.Buffer
	if err := writeTar(&content, append(entries, licence), r.Time); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.BestCompression), tarball.WithCompressedCaching)
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	history := v1.History{Created: v1.Time{Time: r.Time}, CreatedBy: "make release VERSION=" + r.Version}
	image, err := mutate.Append(base, mutate.Addendum{Layer: layer, History: history})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = p.OS, p.Arch, v1.Time{Time: r.Time}
	config.Config = v1.Config{User: nobody, Entrypoint: []string{"/fonster"}, WorkingDir: "/", Labels: r.annotations()}
	return mutate.ConfigFile(image, config)
}

// push pushes the one image of an OCI layout, all its platforms, and returns its reference with the digest. The registry's password is
// read from where docker login and podman login put it. A registry on this machine is spoken to without TLS.
func push(ctx context.Context, folder, to string) (string, error) {
	ref, err := name.NewTag(to, name.StrictValidation)
	if err != nil {
		return "", fmt.Errorf("%q: want REGISTRY/REPOSITORY:TAG, such as registry.example.se/fonster:v0.1.0: %w", to, err)
	}
	top, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		return "", fmt.Errorf("%s is no OCI layout, make release writes one: %w", folder, err)
	}
	manifest, err := top.IndexManifest()
	if err != nil {
		return "", err
	}
	if len(manifest.Manifests) != 1 || !manifest.Manifests[0].MediaType.IsIndex() {
		return "", fmt.Errorf("%s has not one image for several platforms, as make release writes", folder)
	}
	image, err := top.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		return "", err
	}
	if err := remote.WriteIndex(ref, image, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return "", fmt.Errorf("pushing %s: %w", ref, err)
	}
	return ref.Context().Digest(manifest.Manifests[0].Digest.String()).String(), nil
}

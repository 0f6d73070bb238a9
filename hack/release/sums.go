package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
)

const sumsFile = "SHA256SUMS"

// sums writes the checksum of each file, those of the image too, as sha256sum -c reads them.
func (r *release) sums(context.Context) (string, error) {
	var lines []string
	var bytes int64
	err := filepath.WalkDir(r.Output, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		bytes += info.Size()
		digest, err := sum(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(r.Output, path)
		lines = append(lines, digest+"  "+filepath.ToSlash(name)+"\n")
		return err
	})
	if err != nil {
		return "", err
	}
	err = create(r.path(sumsFile), func(w io.Writer) error {
		for _, line := range lines {
			if _, err := io.WriteString(w, line); err != nil {
				return err
			}
		}
		return nil
	})
	return fmt.Sprintf("%d files, %.1f MB", len(lines), float64(bytes)/1e6), err
}

package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"time"
)

// entry is a file or folder of an archive. Nobody owns it, and it carries the time of the release.
type entry struct {
	name string
	mode int64
	// data is the content; nil of a folder, whose name ends with a slash.
	data []byte
}

// file reads what an archive is to have under a name.
func file(name string, mode int64, path string) (entry, error) {
	data, err := os.ReadFile(path)
	return entry{name, mode, data}, err
}

func writeTar(w io.Writer, entries []entry, at time.Time) error {
	t := tar.NewWriter(w)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.data)), ModTime: at, Format: tar.FormatUSTAR, Typeflag: tar.TypeReg}
		if e.data == nil {
			h.Typeflag = tar.TypeDir
		}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(e.data); err != nil {
			return err
		}
	}
	return t.Close()
}

// writeTarGz writes no name and no time into the header of gzip.
func writeTarGz(path string, entries []entry, at time.Time) error {
	return create(path, func(w io.Writer) error {
		z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
		if err != nil {
			return err
		}
		if err := writeTar(z, entries, at); err != nil {
			return err
		}
		return z.Close()
	})
}

func writeZip(path string, entries []entry, at time.Time) error {
	return create(path, func(w io.Writer) error {
		z := zip.NewWriter(w)
		for _, e := range entries {
			h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: at}
			h.SetMode(os.FileMode(e.mode))
			part, err := z.CreateHeader(h)
			if err != nil {
				return err
			}
			if _, err := part.Write(e.data); err != nil {
				return err
			}
		}
		return z.Close()
	})
}

// create writes a file.
func create(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// sum is the SHA-256 of a file, in hexadecimal digits.
func sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

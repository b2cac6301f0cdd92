package main

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"
)

// entry is one member of a layer. The bytes of a file are `Size` bytes of `Source` from `Offset`.
type entry struct {
	Path   string `json:"path"`
	Type   string `json:"type"` // file, directory, symlink or link
	Mode   int64  `json:"mode"`
	UID    int    `json:"uid"`
	GID    int    `json:"gid"`
	Mtime  int64  `json:"mtime"`
	Link   string `json:"link"`
	Size   int64  `json:"size"`
	Source string `json:"source"`
	Offset int64  `json:"offset"`
}

type layer struct {
	Entries []entry `json:"entries"`
}

type packedLayer struct {
	Digest    string `json:"digest"`
	DiffID    string `json:"diff_id"`
	SizeBytes int64  `json:"size_bytes"`
	RawBytes  int64  `json:"raw_bytes"`
	Files     int    `json:"files"`
}

// counter is a writer that counts and hashes what goes through it.
type counter struct {
	to    io.Writer
	hash  hash.Hash
	bytes int64
}

func (c *counter) Write(data []byte) (int, error) {
	written, err := c.to.Write(data)
	c.bytes += int64(written)
	c.hash.Write(data[:written])
	return written, err
}

func (c *counter) digest() string { return "sha256:" + hex.EncodeToString(c.hash.Sum(nil)) }

// pack writes the layer's blob below its digest; one that is there already stays.
func (l layer) pack(compress compressor, blobs string) (packedLayer, error) {
	blob, err := os.CreateTemp(blobs, "pack-")
	if err != nil {
		return packedLayer{}, err
	}
	defer os.Remove(blob.Name())
	defer blob.Close()
	buffered := bufio.NewWriterSize(blob, 1<<20)
	stored := &counter{to: buffered, hash: sha256.New()}
	compressed := compress(stored)
	raw := &counter{to: compressed, hash: sha256.New()}
	files, err := l.writeTar(raw)
	if err != nil {
		return packedLayer{}, err
	}
	if err := compressed.Close(); err != nil {
		return packedLayer{}, err
	}
	if err := buffered.Flush(); err != nil {
		return packedLayer{}, err
	}
	if err := blob.Chmod(0o644); err != nil {
		return packedLayer{}, err
	}
	digest := stored.digest()
	if err := os.Rename(blob.Name(), filepath.Join(blobs, digest[len("sha256:"):])); err != nil {
		return packedLayer{}, err
	}
	return packedLayer{digest, raw.digest(), stored.bytes, raw.bytes, files}, nil
}

func (l layer) writeTar(to io.Writer) (files int, err error) {
	out := tar.NewWriter(to)
	// Many files of one source follow one another, so it stays open until another is needed.
	var source *os.File
	defer func() { source.Close() }()
	for _, e := range l.Entries {
		header, err := e.header()
		if err != nil {
			return 0, err
		}
		if err := out.WriteHeader(header); err != nil {
			return 0, fmt.Errorf("%s: %w", e.Path, err)
		}
		if e.Type != "file" {
			continue
		}
		files++
		if e.Size == 0 {
			continue
		}
		if source == nil || source.Name() != e.Source {
			source.Close()
			if source, err = os.Open(e.Source); err != nil {
				return 0, err
			}
		}
		copied, err := io.Copy(out, io.NewSectionReader(source, e.Offset, e.Size))
		if err != nil {
			return 0, fmt.Errorf("%s: %w", e.Path, err)
		}
		if copied != e.Size {
			return 0, fmt.Errorf("%s: its source ends after %d of %d bytes", e.Path, copied, e.Size)
		}
	}
	return files, out.Close()
}

// header is what a builder writes: PAX where needed, times in whole seconds, no names of owners.
func (e entry) header() (*tar.Header, error) {
	types := map[string]byte{"file": tar.TypeReg, "directory": tar.TypeDir,
		"symlink": tar.TypeSymlink, "link": tar.TypeLink}
	kind, ok := types[e.Type]
	if !ok {
		return nil, fmt.Errorf("%s: unknown type %q", e.Path, e.Type)
	}
	name := e.Path
	if kind == tar.TypeDir {
		name += "/"
	}
	size := e.Size
	if kind != tar.TypeReg {
		size = 0
	}
	return &tar.Header{Typeflag: kind, Name: name, Linkname: e.Link, Size: size, Mode: e.Mode,
		Uid: e.UID, Gid: e.GID, ModTime: time.Unix(e.Mtime, 0), Format: tar.FormatPAX}, nil
}

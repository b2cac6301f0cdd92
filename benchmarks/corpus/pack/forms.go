package main

import (
	"compress/gzip"
	"io"
)

type compressor func(io.Writer) io.WriteCloser

// What compresses a layer: Go's gzip at its default level is what dockerd, containerd and BuildKit
// use; pgzip.go adds that of podman and buildah.
var forms = map[string]compressor{
	"docker": func(to io.Writer) io.WriteCloser { return gzip.NewWriter(to) },
	"plain":  func(to io.Writer) io.WriteCloser { return plain{to} },
}

type plain struct{ io.Writer }

func (plain) Close() error { return nil }

//go:build pgzip

package main

import (
	"io"

	"github.com/klauspost/pgzip"
)

// podman, buildah and skopeo set neither a level nor a block size: level -1, blocks of 1 MiB.
func init() {
	forms["podman"] = func(to io.Writer) io.WriteCloser { return pgzip.NewWriter(to) }
}

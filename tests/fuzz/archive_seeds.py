#!/usr/bin/env python3
"""Writes the seeds of archive_fuzzer: small image archives of every form, the same each time."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import pathlib
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def encode(document):
    return json.dumps(document, separators=(",", ":")).encode()


def described(media_type, content, **more):
    return {"mediaType": media_type, "digest": "sha256:" + sha256(content),
            "size": len(content)} | more


def image(layer, architecture="amd64"):
    config = encode({"architecture": architecture, "os": "linux",
                     "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha256(layer)]}})
    manifest = encode({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": described("application/vnd.oci.image.config.v1+json", config),
        "layers": [described("application/vnd.oci.image.layer.v1.tar", layer)]})
    return config, manifest


def tar(entries):
    """(name, bytes) for files, (name, target, type) for links."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content, *kind in entries:
            info = tarfile.TarInfo(name)
            if kind:
                info.type, info.linkname = kind[0], content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return out.getvalue().rstrip(b"\0") + bytes(1024)


def blobs(*contents):
    return [("blobs/sha256/" + sha256(content), content) for content in contents]


def layout(entries, *descriptors):
    return tar([*entries, ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
                ("index.json", encode({"schemaVersion": 2, "manifests": descriptors}))])


def named(name):
    return {"annotations": {"io.containerd.image.name": name}}


def seeds():
    layer = b"layer"
    config, manifest = image(layer)
    whole = blobs(layer, config, manifest)
    plain = layout(whole, described(MANIFEST, manifest, **named("docker.io/library/app:1")))
    yield "layout", plain
    yield "gzip", gzip.compress(plain, 9, mtime=0)
    yield "xz", lzma.compress(plain)
    yield "bzip2", bz2.compress(plain)
    yield "twice", gzip.compress(gzip.compress(plain, 9, mtime=0), 9, mtime=0)
    yield "cut_off", plain[:1400]
    yield "missing_blob", layout(whole[1:], described(MANIFEST, manifest, **named("app:1")))
    yield "wrong_digest", plain.replace(b"layer", b"laxer", 1)
    yield "tag_only", layout(whole, described(
        MANIFEST, manifest, annotations={"org.opencontainers.image.ref.name": "1.0"}))
    yield "no_name", layout(whole, described(MANIFEST, manifest))
    index = encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        described(MANIFEST, manifest, platform={"os": "linux", "architecture": "amd64"})]})
    yield "index", layout(whole + blobs(index), described(INDEX, index, **named("quay.io/a/b")))
    docker = encode([{"Config": "c.json", "RepoTags": ["localhost:5000/app:1"],
                      "Layers": ["b/layer.tar"]}])
    yield "docker", tar([("a/layer.tar", layer), ("b/layer.tar", "../a/layer.tar", tarfile.SYMTYPE),
                         ("c.json", config), ("manifest.json", docker)])
    yield "hard_link", tar([("l.tar", layer), ("b/layer.tar", "l.tar", tarfile.LNKTYPE),
                            ("c.json", config), ("manifest.json", docker)])
    yield "circle", tar([("b/layer.tar", "../x", tarfile.SYMTYPE), ("x", "b/layer.tar",
                         tarfile.SYMTYPE), ("c.json", config), ("manifest.json", docker)])
    yield "device", tar([("b/layer.tar", "", tarfile.CHRTYPE), ("c.json", config),
                         ("manifest.json", docker)])
    yield "leads_out", tar([("../evil", b"x"), ("manifest.json", docker)])
    yield "name", b"docker.io/library/debian:12\n"
    yield "empty_tar", bytes(1024)


def main():
    folder = pathlib.Path(__file__).resolve().parent / "corpus" / "archive_fuzzer"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in seeds():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()

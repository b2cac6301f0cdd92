"""Images for the interop cases, as OCI layouts whose bytes depend on a seed only."""

import gzip
import hashlib
import io
import json
import os
import random
import tarfile

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def encode(document):
    return json.dumps(document, separators=(",", ":")).encode()


def layer_tar(seed, sizes):
    """A tar with one file of random bytes for each size."""
    source = random.Random(seed)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for number, size in enumerate(sizes):
            info = tarfile.TarInfo(f"data/{seed}-{number}")
            info.size = size
            info.mode = 0o644
            tar.addfile(info, io.BytesIO(source.randbytes(size)))
    return out.getvalue()


class Layout:
    """An OCI layout under construction in `path`."""

    def __init__(self, path):
        self.path = path
        self.blobs = {}  # digest -> bytes
        self.manifests = []

    def add(self, content, media_type):
        digest = digest_of(content)
        self.blobs[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def image(self, seed, layers=((100,), (70_000, 5_000_000)), architecture="amd64"):
        """Adds an image; the default has a layer of some hundred bytes and one of 5 MB."""
        descriptors, diff_ids = [], []
        for number, sizes in enumerate(layers):
            content = layer_tar(f"{seed}.{number}", sizes)
            diff_ids.append(digest_of(content))
            descriptors.append(self.add(gzip.compress(content, 1, mtime=0), LAYER))
        config = self.add(encode({
            "architecture": architecture,
            "os": "linux",
            "config": {"Cmd": ["/none"], "Labels": {"seed": str(seed)}},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }), CONFIG)
        manifest = self.add(encode({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": descriptors,
        }), MANIFEST)
        return manifest | {"platform": {"architecture": architecture, "os": "linux"}}

    def index(self, manifests):
        return self.add(encode({
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": manifests,
        }), INDEX)

    def tag(self, descriptor, name):
        self.manifests.append(
            descriptor | {"annotations": {"org.opencontainers.image.ref.name": name}})
        return descriptor

    def write(self):
        os.makedirs(f"{self.path}/blobs/sha256", exist_ok=True)
        for digest, content in self.blobs.items():
            with open(f"{self.path}/blobs/{digest.replace(':', '/')}", "wb") as file:
                file.write(content)
        with open(f"{self.path}/oci-layout", "w") as file:
            file.write('{"imageLayoutVersion":"1.0.0"}')
        with open(f"{self.path}/index.json", "w") as file:
            json.dump({"schemaVersion": 2, "manifests": self.manifests}, file)
        return self


def read_blobs(path):
    """digest -> bytes of every blob of the layout in `path`."""
    blobs = {}
    folder = f"{path}/blobs/sha256"
    for name in os.listdir(folder):
        with open(f"{folder}/{name}", "rb") as file:
            blobs["sha256:" + name] = file.read()
    return blobs


def expect_same_blobs(expected, actual):
    """Fails, naming a digest, unless both have the same digests with the same bytes."""
    missing = sorted(expected.keys() - actual.keys())
    extra = sorted(actual.keys() - expected.keys())
    assert not missing, f"{len(missing)} blobs did not come back, first {missing[0]}"
    assert not extra, f"{len(extra)} blobs came from nowhere, first {extra[0]}"
    for digest, content in expected.items():
        assert actual[digest] == content, f"{digest} came back with other bytes"
        assert digest_of(content) == digest

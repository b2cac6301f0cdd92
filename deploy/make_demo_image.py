#!/usr/bin/env python3
"""make_demo_image.py DIRECTORY TAG: writes a small image as an OCI layout.

Its one layer is a gzip-compressed tar of a few files of this machine, under their own names.
"""

import gzip
import hashlib
import io
import json
import os
import sys
import tarfile

FILES = [
    "/etc/os-release",
    "/etc/debian_version",
    "/usr/bin/env",
    "/usr/bin/ls",
    "/usr/share/common-licenses/GPL-3",
    "/usr/share/zoneinfo/UTC",
]
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def main(directory, tag):
    blobs = os.path.join(directory, "blobs", "sha256")
    os.makedirs(blobs)

    def add(content, media_type):
        digest = hashlib.sha256(content).hexdigest()
        with open(os.path.join(blobs, digest), "wb") as file:
            file.write(content)
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(content)}

    tar_bytes = io.BytesIO()
    with tarfile.open(fileobj=tar_bytes, mode="w") as tar:
        for path in FILES:
            if os.path.exists(path):
                tar.add(os.path.realpath(path), arcname=path.lstrip("/"))
    machine = os.uname().machine
    layer = add(gzip.compress(tar_bytes.getvalue()),
                "application/vnd.oci.image.layer.v1.tar+gzip")
    config = add(json.dumps({
        "architecture": ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": {"Cmd": ["/usr/bin/ls"]},
        "rootfs": {
            "type": "layers",
            "diff_ids": ["sha256:" + hashlib.sha256(tar_bytes.getvalue()).hexdigest()],
        },
    }).encode(), "application/vnd.oci.image.config.v1+json")
    manifest = add(json.dumps({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": [layer],
    }).encode(), "application/vnd.oci.image.manifest.v1+json")
    manifest["annotations"] = {"org.opencontainers.image.ref.name": tag}
    with open(os.path.join(directory, "oci-layout"), "w") as file:
        json.dump({"imageLayoutVersion": "1.0.0"}, file)
    with open(os.path.join(directory, "index.json"), "w") as file:
        json.dump({"schemaVersion": 2, "manifests": [manifest]}, file)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])

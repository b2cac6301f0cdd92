"""podman: import, push, remove, pull by tag and by digest, save and compare."""

import json

from harness import case
from images import Layout, layer_tar
from registry import Registry

PODMAN = ("podman", "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs",
          "--events-backend", "none")


def podman(context):
    return (*PODMAN, "--root", f"{context.folder}/root", "--runroot", f"{context.folder}/run",
            "--tmpdir", f"{context.folder}/tmp")


@case
def import_push_pull(context):
    context.need("podman")
    context.need_root()
    command = podman(context)
    with open(f"{context.folder}/rootfs.tar", "wb") as file:
        file.write(layer_tar("podman", (10, 300_000)))
    remote = f"{context.address}/podman/image:v1"
    context.run(*command, "import", f"{context.folder}/rootfs.tar", remote)
    image_id = context.run(*command, "images", "--quiet", "--no-trunc", remote).strip()
    context.run(*command, "push", "--tls-verify=false", "--digestfile",
                f"{context.folder}/digest", remote)
    with open(f"{context.folder}/digest") as file:
        digest = file.read().strip()
    assert digest in Registry(context.address).read_image("podman/image", "v1")
    for reference in (remote, f"{context.address}/podman/image@{digest}"):
        context.run(*command, "rmi", "--all", "--force")
        context.run(*command, "pull", "--tls-verify=false", reference)
        pulled = context.run(*command, "images", "--quiet", "--no-trunc").split()
        assert pulled == [image_id], f"pulled {pulled}, pushed {image_id}"


@case
def pull_one_platform_of_an_index(context):
    context.need("podman")
    context.need_root()
    command = podman(context)
    layout = Layout(f"{context.folder}/image")
    platforms = [layout.image(f"podman-{name}", architecture=name) for name in ("amd64", "arm64")]
    Registry(context.address).push_layout("podman/index", layout, layout.index(platforms), "multi")
    remote = f"{context.address}/podman/index:multi"
    context.run(*command, "pull", "--tls-verify=false", "--arch", "arm64", remote)
    inspected = json.loads(context.run(*command, "image", "inspect", remote))[0]
    config = json.loads(layout.blobs[platforms[1]["digest"]])["config"]["digest"]
    assert "sha256:" + inspected["Id"] == config, inspected["Id"]

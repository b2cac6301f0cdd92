"""podman: import, push, remove, pull by tag and by digest, save and compare."""

import io
import json
import os
import re
import tarfile

from harness import Skip, case
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


@case
def pull_the_changed_parts_of_a_layer(context):
    """zstd:chunked: podman asks for the chunks that it lacks, many ranges in one request."""
    context.need("podman")
    context.need_root()
    folder = context.folder
    with open(f"{folder}/storage.conf", "w", encoding="ascii") as config:
        config.write(f'[storage]\ndriver = "overlay"\nrunroot = "{folder}/run"\n'
                     f'graphroot = "{folder}/graph"\n[storage.options]\npull_options = '
                     '{enable_partial_images = "true", use_hard_links = "false"}\n')
    environment = os.environ | {"CONTAINERS_STORAGE_CONF": f"{folder}/storage.conf"}
    podman_command = ("podman", "--cgroup-manager", "cgroupfs", "--events-backend", "none")

    def run(*arguments):
        return context.run(*podman_command, *arguments, env=environment)

    parts = [os.urandom(30_000) for _ in range(200)]
    with context.own_daemon() as daemon:
        for tag in ("v1", "v2"):
            with tarfile.open(f"{folder}/{tag}.tar", "w") as tar:
                for number, part in enumerate(parts):
                    member = tarfile.TarInfo(f"file{number}")
                    member.size = len(part)
                    tar.addfile(member, io.BytesIO(part))
            run("import", f"{folder}/{tag}.tar", f"{daemon.address}/chunked:{tag}")
            run("push", "--tls-verify=false", "--compression-format", "zstd:chunked",
                f"{daemon.address}/chunked:{tag}")
            parts[::20] = [os.urandom(30_000) for _ in parts[::20]]
        run("rmi", "--all", "--force")
        run("pull", "--tls-verify=false", f"{daemon.address}/chunked:v1")
        before = len(daemon.log())
        run("pull", "--tls-verify=false", f"{daemon.address}/chunked:v2")
        pulls = [line for line in daemon.log(before).splitlines() if " pull " in line]
        sent = sum(int(re.search(r" sent=(\d+)", line).group(1)) for line in pulls)
        if not any(" status=206 " in line for line in pulls):
            raise Skip("this podman pulls no parts")
        mounted = run("image", "mount", f"{daemon.address}/chunked:v2").strip()
        with tarfile.open(f"{folder}/v2.tar") as tar:
            for member in tar:
                with open(f"{mounted}/{member.name}", "rb") as file:
                    assert file.read() == tar.extractfile(member).read(), member.name
        run("image", "umount", "--all")
        run("rmi", "--all", "--force")
    assert sent < 1_000_000, f"{sent} bytes for 10 changed files of 30,000 in 6,000,000"
    return f"{sent} bytes for 300,000 that changed in 6,000,000"

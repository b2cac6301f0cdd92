"""docker with a dockerd of its own: load, push, pull by tag and by digest, save and compare."""

import json
import os
import shutil
import subprocess
import tarfile

from harness import Skip, case
from images import Layout, digest_of, layer_tar
from registry import Registry


def daemon_command(context):
    if shutil.which("dockerd") is None:
        raise Skip("dockerd is not installed (Debian: docker.io)")
    return ("dockerd", "--bridge=none", "--iptables=false", "--ip-masq=false",
            "--storage-driver=vfs", "--data-root", f"{context.folder}/data",
            "--exec-root", f"{context.folder}/exec", "--pidfile", f"{context.folder}/dockerd.pid",
            "--host", f"unix://{context.folder}/docker.sock")


def client(context):
    # Debian's client, when there are several: it fits Debian's dockerd.
    program = "/usr/bin/docker" if os.path.exists("/usr/bin/docker") else shutil.which("docker")
    if program is None:
        raise Skip("docker is not installed")
    return (program, "--config", f"{context.folder}/config",
            "--host", f"unix://{context.folder}/docker.sock")


def answers(docker):
    return lambda: subprocess.run((*docker, "version"), capture_output=True,
                                  check=False).returncode == 0


def layers_of_saved(path):
    """Digests of the layer tars in a `docker save` archive."""
    with tarfile.open(path) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))[0]
        return [digest_of(archive.extractfile(name).read()) for name in manifest["Layers"]]


@case
def import_push_pull(context):
    context.need_root()
    docker = client(context)
    with context.background(*daemon_command(context), ready=answers(docker)):
        rootfs = layer_tar("docker", (10, 300_000))
        with open(f"{context.folder}/rootfs.tar", "wb") as file:
            file.write(rootfs)
        remote = f"{context.address}/docker/image:v1"
        image_id = context.run(*docker, "import", f"{context.folder}/rootfs.tar", remote).strip()
        context.run(*docker, "push", remote)
        answer = Registry(context.address).get_manifest("docker/image", "v1").expect(200)
        Registry(context.address).read_image("docker/image", "v1")
        digest = answer.headers["Docker-Content-Digest"]
        for reference in (remote, f"{context.address}/docker/image@{digest}"):
            context.run(*docker, "image", "prune", "--all", "--force")
            context.fails(*docker, "image", "inspect", image_id)
            context.run(*docker, "pull", reference)
            context.run(*docker, "image", "inspect", image_id)
            context.run(*docker, "save", "--output", f"{context.folder}/saved.tar", image_id)
            assert layers_of_saved(f"{context.folder}/saved.tar") == [digest_of(rootfs)]
        pushed_again = f"{context.address}/docker/again:v1"
        context.run(*docker, "tag", image_id, pushed_again)
        context.run(*docker, "push", pushed_again)
        again = Registry(context.address).get_manifest("docker/again", "v1").expect(200)
        assert again.body == answer.body, "a push of what was pulled has another manifest"


@case
def pull_from_an_index(context):
    context.need_root()
    docker = client(context)
    layout = Layout(f"{context.folder}/image")
    platforms = [layout.image(f"docker-{name}", architecture=name) for name in ("amd64", "arm64")]
    Registry(context.address).push_layout("docker/index", layout, layout.index(platforms), "multi")
    with context.background(*daemon_command(context), ready=answers(docker)):
        remote = f"{context.address}/docker/index:multi"
        context.run(*docker, "pull", "--platform", "linux/arm64", remote)
        config = json.loads(layout.blobs[platforms[1]["digest"]])["config"]["digest"]
        assert context.run(*docker, "images", "--no-trunc", "--quiet", remote).strip() == config

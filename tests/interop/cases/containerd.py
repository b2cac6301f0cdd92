"""containerd of its own: ctr pulls from and pushes to the registry; its content store keeps the
compressed bytes, so equality is checked blob by blob."""

import subprocess

from harness import case
from images import Layout, expect_same_blobs
from registry import Registry


def configured(context):
    """The command of a containerd that touches nothing outside the case's folder."""
    path = f"{context.folder}/containerd.toml"
    with open(path, "w") as file:
        file.write(f"""version = 2
root = "{context.folder}/root"
state = "{context.folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "{context.folder}/c.sock"
[ttrpc]
  address = "{context.folder}/t.sock"
""")
    return ("containerd", "--config", path)


def ctr(context):
    return ("ctr", "--address", f"{context.folder}/c.sock", "--namespace", "interop")


def answers(command):
    return lambda: subprocess.run((*command, "version"), capture_output=True,
                                  check=False).returncode == 0


def content_of(context, digests):
    return {digest: subprocess.run((*ctr(context), "content", "get", digest), check=True,
                                   capture_output=True, timeout=60).stdout for digest in digests}


@case
def pull_and_push(context):
    context.need("containerd", "ctr")
    context.need_root()
    registry = Registry(context.address)
    layout = Layout(f"{context.folder}/image")
    root = layout.image("containerd")
    registry.push_layout("containerd/image", layout, root, "v1")
    by_tag = f"{context.address}/containerd/image:v1"
    by_digest = f"{context.address}/containerd/image@{root['digest']}"
    pushed = f"{context.address}/containerd/pushed:v2"
    with context.background(*configured(context), ready=answers(ctr(context))):
        for reference in (by_tag, by_digest):
            context.run(*ctr(context), "images", "pull", "--plain-http", "--snapshotter", "native",
                        reference)
            expect_same_blobs(layout.blobs, content_of(context, layout.blobs))
        context.run(*ctr(context), "images", "tag", by_tag, pushed)
        context.run(*ctr(context), "images", "push", "--plain-http", pushed)
    expect_same_blobs(layout.blobs, registry.read_image("containerd/pushed", "v2"))


@case
def index_with_all_platforms(context):
    context.need("containerd", "ctr")
    context.need_root()
    registry = Registry(context.address)
    layout = Layout(f"{context.folder}/image")
    platforms = [layout.image(f"ctr-{name}", architecture=name) for name in ("amd64", "arm64")]
    root = layout.index(platforms)
    registry.push_layout("containerd/index", layout, root, "multi")
    pulled = f"{context.address}/containerd/index:multi"
    pushed = f"{context.address}/containerd/index-pushed:multi"
    with context.background(*configured(context), ready=answers(ctr(context))):
        context.run(*ctr(context), "content", "fetch", "--plain-http", "--all-platforms", pulled)
        expect_same_blobs(layout.blobs, content_of(context, layout.blobs))
        context.run(*ctr(context), "images", "push", "--plain-http", pushed, pulled)
    expect_same_blobs(layout.blobs, registry.read_image("containerd/index-pushed", "multi"))

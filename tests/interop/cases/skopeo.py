"""skopeo: copy in both directions by tag and digest, whole indexes, inspect, list, delete."""

import json
import os

from harness import case
from images import Layout, expect_same_blobs, read_blobs
from registry import Registry

SKOPEO = ("skopeo", "--insecure-policy")
COPY = (*SKOPEO, "copy", "--quiet", "--all", "--preserve-digests",
        "--src-tls-verify=false", "--dest-tls-verify=false")


def round_trip(context, layout, tag, reference):
    """Pushes `tag` of the layout, pulls `reference`, compares every blob."""
    repository = f"docker://{context.address}/{reference.split('@')[0].rsplit(':', 1)[0]}"
    context.run(*COPY, f"oci:{layout.path}:{tag}", f"{repository}:{tag}")
    context.run(*COPY, f"docker://{context.address}/{reference}", f"oci:{context.folder}/back:x")
    expect_same_blobs(layout.blobs, read_blobs(f"{context.folder}/back"))


@case
def round_trip_by_tag(context):
    context.need("skopeo")
    layout = Layout(f"{context.folder}/image")
    layout.tag(layout.image("skopeo-tag"), "v1")
    round_trip(context, layout.write(), "v1", "skopeo/by-tag:v1")


@case
def round_trip_by_digest(context):
    context.need("skopeo")
    layout = Layout(f"{context.folder}/image")
    root = layout.tag(layout.image("skopeo-digest"), "v1")
    round_trip(context, layout.write(), "v1", f"skopeo/by-digest@{root['digest']}")


@case
def round_trip_of_an_index(context):
    """Two platforms and, below a nested index, a third."""
    context.need("skopeo")
    layout = Layout(f"{context.folder}/image")
    platforms = [layout.image(f"skopeo-{name}", architecture=name) for name in ("amd64", "arm64")]
    layout.tag(layout.index(platforms), "multi")
    round_trip(context, layout.write(), "multi", "skopeo/index:multi")


@case
def round_trip_of_a_directory(context):
    """skopeo's dir: form; also Docker's schema 2 media types."""
    context.need("skopeo")
    layout = Layout(f"{context.folder}/image")
    layout.tag(layout.image("skopeo-v2s2"), "v1")
    layout.write()
    remote = f"docker://{context.address}/skopeo/schema2:v1"
    context.run(*SKOPEO, "copy", "--quiet", "--format=v2s2", f"oci:{layout.path}:v1",
                f"dir:{context.folder}/sent")
    context.run(*COPY, f"dir:{context.folder}/sent", remote)
    context.run(*COPY, remote, f"dir:{context.folder}/back")
    for name in sorted(os.listdir(f"{context.folder}/sent")):
        with open(f"{context.folder}/sent/{name}", "rb") as sent:
            with open(f"{context.folder}/back/{name}", "rb") as back:
                assert sent.read() == back.read(), f"{name} came back different"


@case
def inspect_list_and_delete(context):
    context.need("skopeo")
    layout = Layout(f"{context.folder}/image")
    layout.tag(layout.image("skopeo-delete"), "v1")
    layout.tag(layout.image("skopeo-delete-2"), "v2")
    layout.write()
    remote = f"docker://{context.address}/skopeo/delete"
    for tag in ("v1", "v2"):
        context.run(*COPY, f"oci:{layout.path}:{tag}", f"{remote}:{tag}")
    inspected = json.loads(context.run(*SKOPEO, "inspect", "--tls-verify=false", f"{remote}:v1"))
    assert inspected["Digest"] == layout.manifests[0]["digest"], inspected
    assert inspected["Labels"] == {"seed": "skopeo-delete"}, inspected
    listed = json.loads(context.run(*SKOPEO, "list-tags", "--tls-verify=false", remote))
    assert listed["Tags"] == ["v1", "v2"], listed
    context.run(*SKOPEO, "delete", "--tls-verify=false", f"{remote}:v1")
    context.fails(*SKOPEO, "inspect", "--tls-verify=false", f"{remote}:v1")
    Registry(context.address).get_manifest(
        "skopeo/delete", layout.manifests[0]["digest"]).expect(404)
    listed = json.loads(context.run(*SKOPEO, "list-tags", "--tls-verify=false", remote))
    assert listed["Tags"] == ["v2"], listed


@case
def second_repository_mounts_the_layers(context):
    context.need("skopeo")
    layout = Layout(f"{context.folder}/image")
    layout.tag(layout.image("skopeo-mount"), "v1")
    layout.write()
    first, second = (f"docker://{context.address}/skopeo/mount-{n}:v1" for n in (1, 2))
    context.run(*COPY, f"oci:{layout.path}:v1", first)
    context.run(*COPY, first, second)
    context.run(*COPY, second, f"oci:{context.folder}/back:x")
    expect_same_blobs(layout.blobs, read_blobs(f"{context.folder}/back"))

"""Both doors show one store: what one pushed the other one has."""

import json
import os

from harness import Skip, case
from images import Layout, digest_of
from registry import Registry


def need_daemon(context):
    if context.daemon is None:
        raise Skip("needs varved; --registry gives a foreign registry")
    return context.daemon


@case
def pushed_image_is_listed(context):
    daemon = need_daemon(context)
    layout = Layout(context.folder)
    root = layout.image("cli")
    Registry(context.address).push_layout("cli/image", layout, root, "v1")
    assert "cli/image" in daemon.cli("image", "ls")
    assert root["digest"] in daemon.cli("image", "ls", "--json")


@case
def tag_and_untag(context):
    daemon = need_daemon(context)
    registry = Registry(context.address)
    layout = Layout(context.folder)
    root = layout.image("cli-tag")
    registry.push_layout("cli/tag", layout, root, "v1")
    daemon.cli("image", "tag", "cli/tag:v1", "cli/tag:v2")
    answer = registry.get_manifest("cli/tag", "v2").expect(200)
    assert digest_of(answer.body) == root["digest"]
    daemon.cli("image", "untag", "cli/tag:v1")
    registry.get_manifest("cli/tag", "v1").expect(404)
    registry.get_manifest("cli/tag", "v2").expect(200)


@case
def image_with_a_hold_is_not_deleted_by_a_client(context):
    daemon = need_daemon(context)
    registry = Registry(context.address)
    layout = Layout(context.folder)
    root = layout.image("cli-hold")
    registry.push_layout("cli/hold", layout, root, "v1")
    daemon.cli("hold", "create", "cli/hold:v1", "--name", "interop/web-1")
    assert "interop/web-1" in daemon.cli("hold", "ls", "-q").splitlines()
    path = f"/v2/cli/hold/manifests/{root['digest']}"
    refused = registry.request("DELETE", path).expect(409)
    assert b"hold interop/web-1" in refused.body, refused.body
    assert "tag cli/hold:v1" in daemon.cli("image", "why", "cli/hold:v1")
    kept = daemon.cli("image", "prune", "--all", "--dry-run", "--json")
    assert root["digest"] not in kept, kept
    daemon.cli("hold", "rm", "interop/web-1")
    registry.request("DELETE", path).expect(202)
    registry.get_manifest("cli/hold", "v1").expect(404)


@case
def blob_of_the_command_line_reads_back(context):
    daemon = need_daemon(context)
    content = os.urandom(3 << 20)
    with open(f"{context.folder}/blob", "wb") as file:
        file.write(content)
    put = daemon.cli("blob", "put", f"{context.folder}/blob", "--json")
    assert digest_of(content) in put, put
    size = json.loads(daemon.cli("blob", "stat", digest_of(content), "--json"))
    assert str(len(content)) in json.dumps(size), size
    daemon.cli("blob", "get", digest_of(content), "--output", f"{context.folder}/back")
    with open(f"{context.folder}/back", "rb") as file:
        assert file.read() == content

"""crane, oras and regctl: each copies an image in and out again."""

from cases.go_tools import go_build
from harness import case
from images import Layout, expect_same_blobs, read_blobs
from registry import Registry


def image_in(context, repository, seed):
    layout = Layout(f"{context.folder}/image")
    layout.tag(layout.image(seed), "v1")
    Registry(context.address).push_layout(repository, layout, layout.manifests[0], "v1")
    return layout.write()


@case
def crane(context):
    program = go_build("github.com/google/go-containerregistry/cmd/crane", "v0.20.6")
    layout = image_in(context, "crane/image", "crane")
    source, target = (f"{context.address}/crane/{name}" for name in ("image:v1", "copy:v2"))
    context.run(program, "--insecure", "copy", source, target)
    expect_same_blobs(layout.blobs, Registry(context.address).read_image("crane/copy", "v2"))
    context.run(program, "--insecure", "pull", "--format=oci", target, f"{context.folder}/back")
    expect_same_blobs(layout.blobs, read_blobs(f"{context.folder}/back"))
    assert context.run(program, "--insecure", "ls",
                       f"{context.address}/crane/copy").split() == ["v2"]
    assert "crane/copy" in context.run(program, "--insecure", "catalog", context.address)
    context.run(program, "--insecure", "delete",
                f"{context.address}/crane/copy@{layout.manifests[0]['digest']}")
    Registry(context.address).get_manifest("crane/copy", "v2").expect(404)


@case
def oras(context):
    """An artifact with a subject is found among its referrers."""
    program = go_build("oras.land/oras/cmd/oras", "v1.2.3")
    layout = image_in(context, "oras/image", "oras")
    with open(f"{context.folder}/note.txt", "w") as file:
        file.write("a signature, say")
    subject = f"{context.address}/oras/image:v1"
    context.run(program, "attach", "--plain-http", "--artifact-type", "text/x-note", subject,
                "note.txt", cwd=context.folder)
    said = context.run(program, "discover", "--plain-http", "--format", "json", subject)
    assert "text/x-note" in said, said
    answer = Registry(context.address).request(
        "GET", f"/v2/oras/image/referrers/{layout.manifests[0]['digest']}?artifactType=text/x-note")
    assert b"text/x-note" in answer.expect(200).body, answer.body
    context.run(program, "copy", "--from-plain-http", "--to-oci-layout", "--recursive", subject,
                f"{context.folder}/back:v1")
    expect_same_blobs(layout.blobs, {digest: content for digest, content in
                                     read_blobs(f"{context.folder}/back").items()
                                     if digest in layout.blobs})


@case
def regctl(context):
    program = go_build("github.com/regclient/regclient/cmd/regctl", "v0.8.3")
    layout = image_in(context, "regctl/image", "regctl")
    plain = ("--host", f"reg={context.address},tls=disabled")
    target = f"{context.address}/regctl/copy:v2"
    context.run(program, *plain, "image", "copy", f"{context.address}/regctl/image:v1", target)
    expect_same_blobs(layout.blobs, Registry(context.address).read_image("regctl/copy", "v2"))
    context.run(program, *plain, "tag", "delete", target)
    Registry(context.address).get_manifest("regctl/copy", "v2").expect(404)
    Registry(context.address).get_manifest("regctl/copy",
                                           layout.manifests[0]["digest"]).expect(200)

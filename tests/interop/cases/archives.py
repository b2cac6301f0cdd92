"""`varve load` and `varve save` against the archives of docker, podman and skopeo."""

import json
import os
import subprocess
import tarfile

from cases.cli import need_daemon
from cases.docker import answers, client, daemon_command
from cases.podman import podman
from harness import case
from images import Layout, digest_of, expect_same_blobs, layer_tar, read_blobs
from registry import Registry


def pipe(source, sink):
    """`source | sink`; both must succeed. Returns what the sink printed."""
    first = subprocess.Popen(source, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    second = subprocess.run(sink, stdin=first.stdout, capture_output=True, text=True, timeout=300,
                            check=False)
    first.stdout.close()
    said = first.stderr.read().decode(errors="replace")
    assert first.wait() == 0, f"{' '.join(source)}: {said}"
    assert second.returncode == 0, f"{' '.join(sink)}: {second.stdout}{second.stderr}"
    return second.stdout


def varve(daemon, *arguments):
    return (*daemon.command, *arguments)


def image_id(daemon, name):
    """What docker's classic store and podman call the image id."""
    return daemon.cli("inspect", "--format", "{{.ConfigDigest}}", name).strip()


def daemon_and_podman(context):
    """The daemon under test, and how podman is called beside it."""
    context.need("podman")
    context.need_root()
    return need_daemon(context), podman(context)


def write_rootfs(context, seed):
    path = f"{context.folder}/{seed}.tar"
    with open(path, "wb") as file:
        file.write(layer_tar(seed, (10, 300_000)))
    return path


@case
def docker_save_to_varve_and_back(context):
    context.need_root()
    daemon = need_daemon(context)
    docker = client(context)
    with context.background(*daemon_command(context), ready=answers(docker)):
        ids = {}
        for name in ("fromdocker:one", "fromdocker:two"):
            ids[name] = context.run(*docker, "import", "--change", "LABEL from=docker",
                                    write_rootfs(context, name), name).strip()
        said = pipe((*docker, "save", *ids), varve(daemon, "load"))
        for name, identity in ids.items():
            assert f"Loaded image: {name}" in said, said
            assert image_id(daemon, name) == identity, f"{name} has another id in varve"
        context.run(*docker, "image", "prune", "--all", "--force")
        pipe(varve(daemon, "save", *ids), (*docker, "load"))
        for name, identity in ids.items():
            found = context.run(*docker, "images", "--no-trunc", "--quiet", name).strip()
            assert found == identity, f"docker has {found} for {name}, it was {identity}"


@case
def names_of_other_registries_come_and_go_with_docker(context):
    context.need_root()
    daemon = need_daemon(context)
    docker = client(context)
    names = ("reg.test:5000/team/app:v1", "reg.test:5001/team/app:v1", "quay.test/app:v1", "app:v1")
    with context.background(*daemon_command(context), ready=answers(docker)):
        for name in names:
            seed = name.replace("/", "-")
            context.run(*docker, "import", write_rootfs(context, seed), name)
        said = pipe((*docker, "save", *names), varve(daemon, "load"))
        for name in names:
            assert f"Loaded image: {name}\n" in said, said
            assert daemon.cli("images", "--format", "{{.Repository}}:{{.Tag}}", name) == name + "\n"
        context.run(*docker, "image", "prune", "--all", "--force")
        pipe(varve(daemon, "save", *names), (*docker, "load"))
        listed = context.run(*docker, "images", "--format", "{{.Repository}}:{{.Tag}}").split()
        assert sorted(listed) == sorted(names), listed


@case
def gzip_layers_go_to_docker(context):
    """An image that was pushed with compressed layers loads into docker as the same image."""
    context.need_root()
    daemon = need_daemon(context)
    docker = client(context)
    layout = Layout(f"{context.folder}/image")
    root = layout.image("archive-gzip")
    Registry(context.address).push_layout("todocker", layout, root, "v1")
    with context.background(*daemon_command(context), ready=answers(docker)):
        pipe(varve(daemon, "save", "todocker:v1"), (*docker, "load"))
        found = context.run(*docker, "images", "--no-trunc", "--quiet", "todocker:v1").strip()
        assert found == image_id(daemon, "todocker:v1")


@case
def podman_save_and_load(context):
    daemon, command = daemon_and_podman(context)
    name = "localhost/frompodman:v1"
    context.run(*command, "import", write_rootfs(context, "podman"), name)
    identity = "sha256:" + json.loads(context.run(*command, "image", "inspect", name))[0]["Id"]
    for form in ("docker-archive", "oci-archive"):
        path = f"{context.folder}/{form}.tar"
        context.run(*command, "save", "--format", form, "--output", path, name)
        said = daemon.cli("load", "--input", path)
        assert "Loaded image: frompodman:v1" in said, said
        if form == "oci-archive":  # the other form has another config
            assert image_id(daemon, "frompodman:v1") == identity
        expected = image_id(daemon, "frompodman:v1")
        context.run(*command, "rmi", "--all", "--force")
        pipe(varve(daemon, "save", "frompodman:v1"), (*command, "load"))
        listed = context.run(*command, "images", "--quiet", "--no-trunc").split()
        assert listed == [expected], f"podman has {listed}, varve saved {expected}"
        context.run(*command, "rmi", "--all", "--force")
        context.run(*command, "import", write_rootfs(context, "podman"), name)
        identity = "sha256:" + json.loads(context.run(*command, "image", "inspect", name))[0]["Id"]


@case
def names_of_other_registries_come_and_go_with_podman(context):
    daemon, command = daemon_and_podman(context)
    names = ("reg.test:5000/team/pod:v1", "reg.test:5001/team/pod:v1")
    for form in ("docker-archive", "oci-archive"):
        for name in names:
            # podman takes no ':' in a path.
            seed = name.replace("/", "-").replace(":", "-")
            context.run(*command, "import", write_rootfs(context, seed), name)
            path = f"{context.folder}/{seed}.{form}.tar"
            context.run(*command, "save", "--format", form, "--output", path, name)
            said = daemon.cli("load", "--input", path)
            assert f"Loaded image: {name}\n" in said, said
        context.run(*command, "rmi", "--all", "--force")
        for name in names:
            pipe(varve(daemon, "save", name), (*command, "load"))
        listed = context.run(*command, "images", "--format", "{{.Repository}}:{{.Tag}}").split()
        assert sorted(listed) == sorted(names), listed
        context.run(*command, "rmi", "--all", "--force")


@case
def skopeo_oci_archive_out_and_in(context):
    context.need("skopeo")
    daemon = need_daemon(context)
    layout = Layout(f"{context.folder}/image")
    root = layout.image("archive-skopeo")
    registry = Registry(context.address)
    registry.push_layout("skopeo/archive", layout, root, "v1")
    remote = f"docker://{context.address}/skopeo/archive:v1"
    context.run("skopeo", "copy", "--src-tls-verify=false", "--preserve-digests", remote,
                f"oci-archive:{context.folder}/out.tar:skopeo/loaded:v1")
    daemon.cli("load", "--input", f"{context.folder}/out.tar")
    expect_same_blobs(layout.blobs, registry.read_image("skopeo/loaded", "v1"))
    daemon.cli("save", "--output", f"{context.folder}/saved.tar", "skopeo/loaded:v1")
    context.run("skopeo", "copy", "--preserve-digests", f"oci-archive:{context.folder}/saved.tar",
                f"oci:{context.folder}/back:v1")
    expect_same_blobs(layout.blobs, read_blobs(f"{context.folder}/back"))


@case
def flat_directories_of_skopeo(context):
    """Its form dir:, which has no name; of several platforms."""
    context.need("skopeo")
    daemon = need_daemon(context)
    layout = Layout(f"{context.folder}/flat-image")
    platforms = [layout.image(f"flat-{name}", architecture=name) for name in ("amd64", "arm64")]
    index = layout.tag(layout.index(platforms), "multi")
    layout.write()
    flat = f"{context.folder}/flat"
    context.run("skopeo", "copy", "--all", "--preserve-digests", f"oci:{layout.path}:multi",
                f"dir:{flat}")
    daemon.cli("load", "--input", flat, "--repository", "flat/skopeo")
    expect_same_blobs(layout.blobs,
                      Registry(context.address).read_image("flat/skopeo", index["digest"]))


@case
def flat_directories_of_podman(context):
    daemon, command = daemon_and_podman(context)
    name = "localhost/flatpodman:v1"
    for form in ("docker-dir", "oci-dir"):
        context.run(*command, "import", write_rootfs(context, form), name)
        path = f"{context.folder}/{form}"
        context.run(*command, "save", "--format", form, "--output", path, name)
        said = daemon.cli("load", "--input", path, "--repository", f"flat/{form}")
        assert said.count("Loaded image") == 1, said
        context.run(*command, "rmi", "--all", "--force")


@case
def saved_archives_are_reproducible_and_whole(context):
    daemon = need_daemon(context)
    layout = Layout(f"{context.folder}/image")
    platforms = [layout.image(f"archive-{name}", architecture=name) for name in ("amd64", "arm64")]
    registry = Registry(context.address)
    registry.push_layout("archive/multi", layout, layout.index(platforms), "v1")
    for number in (1, 2):
        daemon.cli("save", "--output", f"{context.folder}/{number}.tar", "archive/multi:v1")
    contents = []
    for number in (1, 2):
        with open(f"{context.folder}/{number}.tar", "rb") as file:
            contents.append(file.read())
    assert contents[0] == contents[1], "two saves of one image differ"
    with tarfile.open(f"{context.folder}/1.tar") as archive:
        names = archive.getnames()
    blobs = {"sha256:" + os.path.basename(name) for name in names if "/sha256/" in name}
    assert set(layout.blobs) <= blobs, "the archive lacks blobs of the index"
    daemon.cli("tag", "archive/multi:v1", "archive/kept:v1")
    daemon.cli("rmi", "archive/multi:v1")
    registry.get_manifest("archive/multi", "v1").expect(404)
    daemon.cli("load", "--input", f"{context.folder}/1.tar")
    expect_same_blobs(layout.blobs, registry.read_image("archive/multi", "v1"))


@case
def import_makes_an_image_that_podman_pulls(context):
    daemon, command = daemon_and_podman(context)
    rootfs = write_rootfs(context, "imported")
    identity = daemon.cli("import", "--change", 'CMD ["/bin/true"]', rootfs, "imported:v1").strip()
    assert daemon.cli("images", "--no-trunc", "--quiet", "imported:v1").split() == [identity]
    context.run(*command, "pull", "--tls-verify=false", f"{context.address}/imported:v1")
    config = image_id(daemon, "imported:v1")
    inspected = json.loads(context.run(*command, "image", "inspect", config))[0]
    assert inspected["Config"]["Cmd"] == ["/bin/true"], inspected["Config"]
    with open(rootfs, "rb") as file:
        assert inspected["RootFS"]["Layers"] == [digest_of(file.read())]

"""`varve load` of what every tool writes: a file, a pipe and a compressed file give the same.

Each case lets one tool write archives in all its forms. Each archive is loaded into a store of its
own for each way; standard output and error, exit code, and what the store then lists must not tell
which way it was.
"""

import gzip
import json
import os
import shutil
import subprocess

from cases.buildah import BUILDAH
from cases.cli import need_daemon
from cases.docker import answers, client, daemon_command
from cases.go_tools import go_build
from cases.podman import podman
from daemon import Daemon
from harness import Skip, case
from images import Layout, digest_of, encode
from registry import Registry

WAYS = ("file", "pipe", "file.gz", "pipe.gz")
COUNTS = {}  # tool -> archives

SMALL = ((100,), (70_000, 300_000))
COPY = ("skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false")


def load(daemon, path, piped, options):
    """(exit code, standard output, standard error) of one load."""
    command = (*daemon.command, "load", "--quiet", *options)
    if piped:
        with subprocess.Popen(("cat", path), stdout=subprocess.PIPE) as source:
            done = subprocess.run(command, stdin=source.stdout, capture_output=True, timeout=300,
                                  check=False)
    else:
        done = subprocess.run((*command, "--input", path), capture_output=True, timeout=300,
                              check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def load_in_all_ways(daemons, path, options):
    """Fails unless the archive loads, and each way says the same."""
    packed = f"{path}.packed"
    with open(path, "rb") as plain, gzip.open(packed, "wb", compresslevel=1) as out:
        shutil.copyfileobj(plain, out)
    said = {way: load(daemon, packed if way.endswith(".gz") else path, way.startswith("pipe"),
                      options) for way, daemon in daemons.items()}
    name = os.path.basename(path)
    assert said["file"][0] == 0, f"{name}: {said['file']}"
    for way in WAYS:
        assert said[way] == said["file"], f"{name}: {way} {said[way]}, file {said['file']}"


def compare(context, tool, archives, options=(), check=None):
    """Loads each archive in each way; `check` looks at each store. Returns the case's note."""
    daemons = {}
    try:
        for way in WAYS:
            daemons[way] = Daemon(context.binaries, f"{context.folder}/{way}")
        for path in archives:
            load_in_all_ways(daemons, path, options)
        listed = {way: daemon.cli("images", "--all", "--no-trunc", "--format",
                                  "{{.Repository}}:{{.Tag}} {{.Digest}} {{.ID}} {{.Size}}")
                  for way, daemon in daemons.items()}
        assert listed["file"], "nothing was loaded"
        for way, daemon in daemons.items():
            assert listed[way] == listed["file"], f"{way}:\n{listed[way]}\n{listed['file']}"
            if check is not None:
                check(daemon)
            daemon.cli("fsck")
            daemon.stop()
    finally:
        for daemon in daemons.values():
            daemon.kill()
    COUNTS[tool] = COUNTS.get(tool, 0) + len(archives)
    return f"{len(archives)} archives, each as {', '.join(WAYS)}"


def remote_images(context, repository):
    """Pushes an image, an index of two platforms, and a signed image; returns their references."""
    registry = Registry(context.address)
    layout = Layout(f"{context.folder}/{repository}")
    single = layout.image(f"{repository}-single", SMALL)
    registry.push_layout(repository, layout, single, "single")
    platforms = [layout.image(f"{repository}-{name}", SMALL, name)
                 for name in ("amd64", "arm64")]
    registry.push_layout(repository, layout, layout.index(platforms), "multi")
    signed = layout.image(f"{repository}-signed", SMALL)
    registry.push_layout(repository, layout, signed, "signed")
    subject = signed
    for depth in range(2):  # a signature, and a signature of that
        empty = layout.add(b"{}", "application/vnd.oci.empty.v1+json")
        payload = layout.add(f"{repository} {depth}".encode(), "application/x-payload")
        subject = layout.add(encode({
            "schemaVersion": 2, "mediaType": signed["mediaType"],
            "artifactType": "application/x-signature", "config": empty, "layers": [payload],
            "subject": {key: subject[key] for key in ("mediaType", "digest", "size")},
        }), signed["mediaType"])
        registry.push_layout(repository, layout, subject, subject["digest"])
    # As cosign does it.
    registry.push_layout(repository, layout, layout.image(f"{repository}-cosign", layers=((9,),)),
                         f"{signed['digest'].replace(':', '-')}.sig")
    return [f"{context.address}/{repository}:{tag}" for tag in ("single", "multi", "signed")]


def packed_directory(context, path):
    """A tar of a layout, with names as `tar -C path -c .` writes them."""
    context.run("tar", "-C", path, "-cf", f"{path}.tar", ".")
    return f"{path}.tar"


@case
def docker_archives(context):
    context.need_root()
    need_daemon(context)
    docker = client(context)
    images = remote_images(context, "piped/docker")
    folder = context.folder
    with context.background(*daemon_command(context), ready=answers(docker)):
        for image in images:
            context.run(*docker, "pull", image)
        context.run(*docker, "tag", images[0], "local:one")
        context.run(*docker, "tag", images[0], "team/local:two")
        identity = context.run(*docker, "images", "--no-trunc", "--quiet", "local:one").strip()
        archives = {"one": ["local:one"], "two-names": ["local:one", "team/local:two"],
                    "all": images, "id": [identity]}
        for name, saved in archives.items():
            context.run(*docker, "save", "--output", f"{folder}/{name}.tar", *saved)
    return compare(context, "docker", [f"{folder}/{name}.tar" for name in archives])


@case
def podman_archives(context):
    context.need("podman")
    context.need_root()
    need_daemon(context)
    command = podman(context)
    images = remote_images(context, "piped/podman")
    folder = context.folder
    for image in images:
        context.run(*command, "pull", "--tls-verify=false", image)
    context.run(*command, "tag", images[0], "localhost/piped:v1")
    paths = []
    for form in ("docker-archive", "oci-archive"):
        for number, image in enumerate([*images, "localhost/piped:v1"]):
            paths.append(f"{folder}/{form}-{number}.tar")
            context.run(*command, "save", "--format", form, "--output", paths[-1], image)
    paths.append(f"{folder}/several.tar")
    context.run(*command, "save", "--multi-image-archive", "--output", paths[-1], *images,
                "localhost/piped:v1")
    return compare(context, "podman", paths)


@case
def buildah_archives(context):
    context.need("buildah")
    context.need_root()
    need_daemon(context)
    folder = context.folder
    storage = (*BUILDAH, "--root", f"{folder}/root", "--runroot", f"{folder}/run")
    with open(f"{folder}/Containerfile", "w") as file:
        file.write("FROM scratch\nCOPY data /data\nLABEL made.by=buildah\n")
    with open(f"{folder}/data", "wb") as file:
        file.write(bytes(range(256)) * 4096)
    context.run(*storage, "build", "--isolation=chroot", "--tag", "localhost/built:v1", folder)
    paths = []
    for transport in ("oci-archive", "docker-archive"):
        for number, more in enumerate(((), ("--disable-compression=false",))):
            paths.append(f"{folder}/{transport}-{number}.tar")
            context.run(*storage, "push", *more, "localhost/built:v1",
                        f"{transport}:{paths[-1]}:localhost/built:v{number}")
    return compare(context, "buildah", paths)


@case
def skopeo_archives(context):
    context.need("skopeo")
    need_daemon(context)
    images = remote_images(context, "piped/skopeo")
    paths = []

    def copy(image, transport, *options):
        paths.append(f"{context.folder}/{len(paths)}.tar")
        context.run(*COPY, *options, f"docker://{image}",
                    f"{transport}:{paths[-1]}:skopeo/image{len(paths)}:v1")

    for image in images:
        copy(image, "oci-archive")
        copy(image, "docker-archive")
    copy(images[1], "oci-archive", "--all", "--preserve-digests")
    copy(images[0], "oci-archive", "--dest-compress-format", "zstd")
    copy(images[0], "docker-archive", "--additional-tag", "skopeo/additional:v2")
    return compare(context, "skopeo", paths)


@case
def crane_archives(context):
    program = go_build("github.com/google/go-containerregistry/cmd/crane", "v0.20.6")
    need_daemon(context)
    images = remote_images(context, "piped/crane")
    folder = context.folder
    paths = []
    for form in ("tarball", "legacy"):
        paths.append(f"{folder}/{form}.tar")
        context.run(program, "--insecure", "pull", f"--format={form}", *images, paths[-1])
        paths.append(f"{folder}/{form}-one.tar")
        context.run(program, "--insecure", "pull", f"--format={form}", images[2], paths[-1])
    # A layout has no names here: everything goes to the repository for such images.
    context.run(program, "--insecure", "pull", "--format=oci", images[0], f"{folder}/oci")
    paths.append(packed_directory(context, f"{folder}/oci"))
    context.run(program, "--insecure", "pull", "--format=oci", "--annotate-ref", *images,
                f"{folder}/named")
    paths.append(packed_directory(context, f"{folder}/named"))
    return compare(context, "crane", paths)


@case
def regctl_archives(context):
    program = go_build("github.com/regclient/regclient/cmd/regctl", "v0.8.3")
    need_daemon(context)
    images = remote_images(context, "piped/regctl")
    plain = ("--host", f"reg={context.address},tls=disabled")
    paths = []
    for number, image in enumerate(images):
        paths.append(f"{context.folder}/{number}.tar")
        context.run(program, *plain, "image", "export", image, paths[-1])
    paths.append(f"{context.folder}/one-platform.tar")
    context.run(program, *plain, "image", "export", "--platform", "linux/amd64", "--name",
                "exported:v1", images[1], paths[-1])
    return compare(context, "regctl", paths)


def with_whole_name(context, path, name):
    """A tar of the layout in which the image that is only called v1 has a name of its own."""
    with open(f"{path}/index.json", encoding="utf-8") as file:
        index = json.load(file)
    for entry in index["manifests"]:
        notes = entry.get("annotations", {})
        if notes.get("org.opencontainers.image.ref.name") == "v1":
            notes["org.opencontainers.image.ref.name"] = f"{name}:v1"
    shutil.copytree(path, f"{path}-named")
    with open(f"{path}-named/index.json", "w", encoding="utf-8") as file:
        json.dump(index, file)
    return packed_directory(context, f"{path}-named")


def expect_referrers(signed, tagged):
    """A check of what both layouts are loaded as: there is a signature, which has one too."""
    def check_repository(registry, repository):
        digest = digest_of(registry.get_manifest(repository, "v1").expect(200).body)
        assert digest == signed, f"{repository}:v1 is {digest}, not {signed}"
        if tagged:
            registry.get_manifest(repository, f"{digest.replace(':', '-')}.sig").expect(200)
        for _ in range(2):
            answer = registry.request("GET", f"/v2/{repository}/referrers/{digest}").expect(200)
            found = json.loads(answer.body)["manifests"]
            assert len(found) == 1, f"{digest} has the referrers {found} in {repository}"
            digest = found[0]["digest"]
            registry.read_image(repository, digest)

    def check(daemon):
        registry = Registry(daemon.address)
        for repository in ("loaded", "named/whole"):
            check_repository(registry, repository)
    return check


def digest_of_remote(context, reference):
    repository, tag = reference.split("/", 1)[1].rsplit(":", 1)
    return digest_of(Registry(context.address).get_manifest(repository, tag).expect(200).body)


@case
def regctl_layouts_with_referrers(context):
    """The signatures go where the image goes, and so do their tags."""
    program = go_build("github.com/regclient/regclient/cmd/regctl", "v0.8.3")
    need_daemon(context)
    signed = remote_images(context, "piped/ocidir")[2]
    layout = f"{context.folder}/copied"
    context.run(program, "--host", f"reg={context.address},tls=disabled", "image", "copy",
                "--referrers", "--digest-tags", signed, f"ocidir://{layout}:v1")
    archives = [packed_directory(context, layout),
                with_whole_name(context, layout, "named/whole")]
    return compare(context, "regctl", archives, ("--repository", "loaded"),
                   expect_referrers(digest_of_remote(context, signed), True))


@case
def oras_layouts_with_referrers(context):
    program = go_build("oras.land/oras/cmd/oras", "v1.2.3")
    need_daemon(context)
    signed = remote_images(context, "piped/oras")[2]
    layout = f"{context.folder}/copied"
    context.run(program, "copy", "--from-plain-http", "--to-oci-layout", "--recursive", signed,
                f"{layout}:v1")
    archives = [packed_directory(context, layout),
                with_whole_name(context, layout, "named/whole")]
    return compare(context, "oras", archives, ("--repository", "loaded"),
                   expect_referrers(digest_of_remote(context, signed), False))


@case
def umoci_layouts(context):
    program = go_build("github.com/opencontainers/umoci/cmd/umoci", "v0.5.1")
    need_daemon(context)
    layout = f"{context.folder}/layout"
    with open(f"{context.folder}/data", "wb") as file:
        file.write(bytes(range(256)) * 1000)
    context.run(program, "init", "--layout", layout)
    context.run(program, "new", "--image", f"{layout}:v1")
    context.run(program, "insert", "--rootless", "--image", f"{layout}:v1",
                f"{context.folder}/data", "/data")
    context.run(program, "tag", "--image", f"{layout}:v1", "v2")
    return compare(context, "umoci", [packed_directory(context, layout)],
                   ("--repository", "made/by-umoci"))


@case
def varve_archives(context):
    """What `varve save` writes of a signed image has its signatures, from whatever it is loaded."""
    daemon = need_daemon(context)
    signed = remote_images(context, "piped/varve")[2]
    path = f"{context.folder}/saved.tar"
    daemon.cli("save", "--output", path, "piped/varve:signed")
    daemon.cli("save", "--output", f"{context.folder}/all.tar", "piped/varve")

    def check(target):
        registry = Registry(target.address)
        digest = digest_of_remote(context, signed)
        for reference in ("signed", f"{digest.replace(':', '-')}.sig"):
            registry.get_manifest("piped/varve", reference).expect(200)
        answer = registry.request("GET", f"/v2/piped/varve/referrers/{digest}").expect(200)
        assert len(json.loads(answer.body)["manifests"]) == 1, answer.body

    return compare(context, "varve", [path, f"{context.folder}/all.tar"], check=check)


@case
def together(context):
    """Only counts."""
    need_daemon(context)
    if not COUNTS:
        raise Skip("no tool wrote an archive")
    archives = sum(COUNTS.values())
    tools = ", ".join(f"{tool} {count}" for tool, count in sorted(COUNTS.items()))
    return (f"{archives} archives of {len(COUNTS)} tools ({tools}) x {len(WAYS)} ways = "
            f"{archives * len(WAYS)} loads")

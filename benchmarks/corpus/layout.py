"""Images as plans of layers, and the OCI layouts that are made of them.

A plan says what each layer holds and where the bytes of its files lie; pack/ (Go) writes the
layers as a builder would, and this module the configurations, manifests, index and corpus.json.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
from typing import NamedTuple

FOLDER = pathlib.Path(__file__).resolve().parent
FORMS = ("docker", "podman", "plain")
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"


class Missing(Exception):
    """Raised when a tool or a package that a corpus needs is not to be had, with what to do."""


class Entry(NamedTuple):
    path: str
    type: str  # file, directory, symlink or link
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    link: str = ""
    size: int = 0
    source: str = ""  # the file that holds the bytes, from `offset`
    offset: int = 0


class Image(NamedTuple):
    repository: str
    tag: str
    created: int
    layers: list  # of lists of entries


def say(sentence):
    print(sentence, file=sys.stderr, flush=True)


def run(*command, **options):
    """The output of a command that must succeed."""
    if shutil.which(command[0]) is None:
        raise Missing(f"needs {command[0]}, which is not installed")
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, **options)
    if done.returncode != 0:
        raise Missing(f"{' '.join(command[:4])} …: {done.stderr.strip()[:600]}")
    return done.stdout


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def sorted_layer(entries):
    """One layer in the order in which builders walk a folder, with every parent directory."""
    by_path = {entry.path: entry for entry in entries}
    newest = max((entry.mtime for entry in entries), default=0)
    for path in list(by_path):
        while "/" in path:
            path = path.rpartition("/")[0]
            by_path.setdefault(path, Entry(path, "directory", 0o755, mtime=newest))
    ordered = sorted(by_path.values(), key=lambda entry: entry.path.split("/"))
    return _links_after_files(ordered)


def _links_after_files(ordered):
    """The first name of a hard-linked file carries its bytes, as in a walk."""
    carriers = {}  # path that holds the bytes: path of the entry that carries them
    by_path = {entry.path: entry for entry in ordered}
    result = []
    for entry in ordered:
        target = entry.link if entry.type == "link" else entry.path
        carrier = carriers.setdefault(target, entry.path)
        if entry.type == "link" and carrier == entry.path:
            result.append(by_path[target]._replace(path=entry.path))
        elif carrier != entry.path:
            result.append(entry._replace(type="link", link=carrier, size=0, source="", offset=0))
        else:
            result.append(entry)
    return result


def pack_program(folder, tags="pgzip", offline=False):
    """(program, version of Go): pack/ built once per state of its sources. Without the tag `pgzip`
    it needs nothing but Go's standard library, and knows no form `podman`."""
    go = run("go", "env", "GOVERSION").strip()
    sources = sorted((FOLDER / "pack").iterdir())
    state = hashlib.sha256(b"".join(path.read_bytes() for path in sources) + (go + tags).encode())
    program = f"{folder}/bin/pack-{state.hexdigest()[:16]}"
    if not os.path.exists(program):
        say("building the packer")
        run("go", "build", "-trimpath", "-tags", tags, "-o", program, ".", cwd=FOLDER / "pack",
            env=os.environ | ({"GOPROXY": "off"} if offline else {}))
    return program, go


def _pack(program, form, layers, blobs):
    plan = json.dumps({"layers": [{"entries": [entry._asdict() for entry in layer]}
                                  for layer in layers]})
    packed = subprocess.run((program, "--form", form, "--blobs", blobs), input=plan, text=True,
                            stdout=subprocess.PIPE, check=False)
    if packed.returncode != 0:
        raise RuntimeError(f"the packer failed on form {form}")
    return [json.loads(line) for line in packed.stdout.splitlines()]


def _put(blobs, document):
    data = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    digest = sha256(data)
    pathlib.Path(blobs, digest.partition(":")[2]).write_bytes(data)
    return {"digest": digest, "size": len(data)}


def _write_image(blobs, image, packed, form):
    """The descriptor of the image's manifest, as in index.json."""
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(image.created))
    media_type = LAYER_TYPE + ("" if form == "plain" else "+gzip")
    config = _put(blobs, {
        "created": created, "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer["diff_id"] for layer in packed]}})
    manifest = _put(blobs, {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
        "layers": [{"mediaType": media_type, "digest": layer["digest"],
                    "size": layer["size_bytes"]} for layer in packed]})
    return {"mediaType": "application/vnd.oci.image.manifest.v1+json", **manifest,
            "annotations": {
                "org.opencontainers.image.ref.name": f"{image.repository}:{image.tag}"}}


def corpus_digest(manifests):
    """What names a corpus: SHA-256 over the sorted digests of its image manifests, one a line."""
    return sha256("".join(f"{digest}\n" for digest in sorted(manifests)).encode())


def write_corpus(target, name, form, images, program, made_by):
    """Writes the layout of one form into the folder `target`, whole or not at all; returns what
    stands in its corpus.json."""
    unfinished = f"{target}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    blobs = f"{unfinished}/blobs/sha256"
    os.makedirs(blobs)
    distinct = {id(layer): layer for image in images for layer in image.layers}
    packed = dict(zip(distinct, _pack(program, form, list(distinct.values()), blobs)))
    index, described = [], []
    for image in images:
        layers = [packed[id(layer)] for layer in image.layers]
        descriptor = _write_image(blobs, image, layers, form)
        index.append(descriptor)
        described.append({
            "repository": image.repository, "tag": image.tag, "manifest": descriptor["digest"],
            "layers": len(layers), "layer_bytes": sum(one["size_bytes"] for one in layers),
            "raw_bytes": sum(one["raw_bytes"] for one in layers),
            "files": sum(one["files"] for one in layers)})
    by_digest = {layer["digest"]: layer for layer in packed.values()}
    corpus = {
        "name": name, "form": form,
        "digest": corpus_digest(image["manifest"] for image in described),
        "blob_bytes": sum(file.stat().st_size for file in pathlib.Path(blobs).iterdir()),
        "raw_bytes": sum(layer["raw_bytes"] for layer in by_digest.values()),
        "files": sum(layer["files"] for layer in by_digest.values()),
        "layers": sorted(by_digest.values(), key=lambda layer: layer["digest"]),
        "images": described, "made_by": made_by}
    pathlib.Path(unfinished, "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    pathlib.Path(unfinished, "index.json").write_text(json.dumps(
        {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
         "manifests": index}))
    pathlib.Path(unfinished, "corpus.json").write_text(json.dumps(corpus, indent=1) + "\n")
    shutil.rmtree(target, ignore_errors=True)
    os.rename(unfinished, target)
    return corpus

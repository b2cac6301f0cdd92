"""Workloads that store the images of a corpus one after the other and ask what that takes.

`store_release_train`, `store_nightly` and `store_os_family` push the docker-made form; with _podman
or _plain at the end, the others. Each takes a server of servers.py, or an archiver of archivers.py,
which stores the files of the image instead. Figures beside the usual ones: `empty_store_bytes`
before, `store_bytes` after all, `corpus_bytes` that were to be stored, and `added_bytes_N` by image
N; `added_bytes` is their mean without the first. The corpus must have been built:
benchmarks/corpus/build.
"""

import functools
import http.client
import json
import os
import pathlib
import shutil
import tarfile
import time
import urllib.parse

from servers import Missing

TICKS = os.sysconf("SC_CLK_TCK")
BLOCK_BYTES = 1 << 20
CORPORA = ("release_train", "nightly", "os_family", "synthetic")
FORMS = ("docker", "podman", "plain")


class Corpus:
    """One form of a corpus, as built."""

    def __init__(self, name, form):
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        root = os.environ.get("VARVE_CORPUS_DIR", f"{cache}/varve-corpus")
        self.folder = pathlib.Path(root, name, form)
        if not (self.folder / "corpus.json").exists():
            raise Missing(f"run benchmarks/corpus/build {name} --form {form}")
        self.description = json.loads((self.folder / "corpus.json").read_text())

    def blob(self, digest):
        return self.folder / "blobs/sha256" / digest.partition(":")[2]

    def images(self):
        """(repository, tag, manifest as bytes, digests of configuration and layers) in order."""
        for image in self.description["images"]:
            manifest = self.blob(image["manifest"]).read_bytes()
            parsed = json.loads(manifest)
            blobs = [part["digest"] for part in (parsed["config"], *parsed["layers"])]
            yield f"corpus/{image['repository']}", image["tag"], manifest, blobs


class Usage:
    """What a process and its descendants have used so far."""

    def __init__(self, pid):
        self.cpu_seconds = 0.0
        self.written_bytes = 0
        self.peak_rss_bytes = 0
        for one in _with_descendants(pid):
            fields = pathlib.Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            self.cpu_seconds += (int(fields[11]) + int(fields[12])) / TICKS
            self.written_bytes += _number(f"/proc/{one}/io", "write_bytes:")
            self.peak_rss_bytes += 1024 * _number(f"/proc/{one}/status", "VmHWM:")


def _number(path, key):
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1])
    return 0


def _with_descendants(pid):
    tree = [pid]
    for one in tree:
        for children in pathlib.Path(f"/proc/{one}/task").glob("*/children"):
            tree += map(int, children.read_text().split())
    return tree


def disk_flushes():
    lines = pathlib.Path("/proc/diskstats").read_text().splitlines()
    return sum(int(fields[18]) for fields in map(str.split, lines) if len(fields) > 18)


class Registry:
    """A client of one connection that pushes as the usual ones do: HEAD for each blob, a mount from
    another repository where the blob has gone before, else POST, PATCH and PUT."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120,
                                                     blocksize=BLOCK_BYTES)
        self.homes = {}  # digest: a repository that has it
        self.latencies_ms = []
        self.sent_bytes = 0

    def request(self, method, target, expected, body=None, headers=None):
        self.connection.request(method, target, body=body, headers=headers or {})
        response = self.connection.getresponse()
        said = response.read()
        if response.status not in expected:
            raise RuntimeError(f"{method} {target}: {response.status} {said[:300]!r}")
        location = urllib.parse.urlsplit(response.headers.get("Location", ""))
        return response.status, location.path + (f"?{location.query}" if location.query else "")

    def push_blob(self, repository, digest, path):
        status, _ = self.request("HEAD", f"/v2/{repository}/blobs/{digest}", (200, 404))
        if status == 200:
            return
        begin = f"/v2/{repository}/blobs/uploads/"
        if digest in self.homes:
            begin += f"?mount={digest}&from={self.homes[digest]}"
        status, location = self.request("POST", begin, (201, 202), headers={"Content-Length": "0"})
        self.homes.setdefault(digest, repository)
        if status == 201:
            return
        size = path.stat().st_size
        with open(path, "rb") as blob:
            _, location = self.request("PATCH", location, (202,), blob, {
                "Content-Length": str(size), "Content-Type": "application/octet-stream"})
        joint = "&" if "?" in location else "?"
        self.request("PUT", f"{location}{joint}digest={digest}", (201,),
                     headers={"Content-Length": "0"})
        self.sent_bytes += size

    def push(self, corpus, repository, tag, manifest, blobs):
        for digest in blobs:
            with self.timed():
                self.push_blob(repository, digest, corpus.blob(digest))
        with self.timed():
            self.request("PUT", f"/v2/{repository}/manifests/{tag}", (201,), manifest, {
                "Content-Type": json.loads(manifest)["mediaType"]})

    def timed(self):
        return _Timed(self.latencies_ms)


class _Timed:
    def __init__(self, latencies_ms):
        self.latencies_ms = latencies_ms

    def __enter__(self):
        self.begin = time.monotonic()

    def __exit__(self, *_):
        self.latencies_ms.append((time.monotonic() - self.begin) * 1e3)


def percentile(values, share):
    return sorted(values)[int(share * (len(values) - 1) + 0.5)] if values else 0.0


def measurement(name, corpus, latencies_ms, used, sizes):
    """The figures of a run; `sizes` are those of the store, before the first image and after each
    one; `used` has bytes, cpu_seconds, written_bytes, peak_rss_bytes and disk_flushes."""
    added = [after - before for before, after in zip(sizes, sizes[1:])]
    return {
        "name": name, "connections": 1, "operations": len(latencies_ms),
        "wall_seconds": sum(latencies_ms) / 1e3, **used,
        **{f"{title}_ms": percentile(latencies_ms, share)
           for title, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))},
        "store_bytes": sizes[-1], "empty_store_bytes": sizes[0],
        "corpus_bytes": corpus.description["blob_bytes"],
        "corpus_raw_bytes": corpus.description["raw_bytes"], "images": len(added),
        "added_bytes": sum(added[1:]) / max(1, len(added) - 1),
        **{f"added_bytes_{number}": size for number, size in enumerate(added, 1)}}


def push_images(name, corpus, server):
    """Pushes every image to a registry server."""
    client = Registry(server.port)
    before, flushes = Usage(server.process.pid), disk_flushes()
    sizes = [server.store_bytes()]
    for image in corpus.images():
        client.push(corpus, *image)
        sizes.append(server.store_bytes())
    after = Usage(server.process.pid)
    client.connection.close()
    return measurement(name, corpus, client.latencies_ms, {
        "bytes": client.sent_bytes, "cpu_seconds": after.cpu_seconds - before.cpu_seconds,
        "written_bytes": after.written_bytes - before.written_bytes,
        "peak_rss_bytes": after.peak_rss_bytes, "disk_flushes": disk_flushes() - flushes}, sizes)


def extract(corpus, blobs, target):
    """Unpacks the layers of an image one upon the other; returns the bytes of its files."""
    for digest in blobs[1:]:
        with tarfile.open(corpus.blob(digest), "r:*") as layer:
            # Absolute links and special modes are what an image has; it is our own.
            layer.extraction_filter = lambda member, _: member
            layer.extractall(target)
    return sum(os.lstat(os.path.join(parent, file)).st_size
               for parent, _, files in os.walk(target) for file in files)


def archive_images(name, corpus, archiver, work_dir):
    """Stores the files of every image in an archiver; each image lies in the same folder, so that
    it can tell what it has seen."""
    root = os.path.join(work_dir, "image")
    latencies_ms, sizes = [], [archiver.store_bytes()]
    used = {"bytes": 0, "cpu_seconds": 0.0, "written_bytes": 0, "peak_rss_bytes": 0,
            "disk_flushes": 0}
    for repository, tag, _, blobs in corpus.images():
        os.makedirs(root)
        used["bytes"] += extract(corpus, blobs, root)
        flushes, begin = disk_flushes(), time.monotonic()
        took = archiver.store(root, f"{repository}-{tag}".replace("/", "-"))
        latencies_ms.append((time.monotonic() - begin) * 1e3)
        used["disk_flushes"] += disk_flushes() - flushes
        used["cpu_seconds"] += took.ru_utime + took.ru_stime
        used["written_bytes"] += took.ru_oublock * 512
        used["peak_rss_bytes"] = max(used["peak_rss_bytes"], took.ru_maxrss * 1024)
        sizes.append(archiver.store_bytes())
        shutil.rmtree(root)
    return measurement(name, corpus, latencies_ms, used, sizes)


def store(corpus_name, form, name, server, seed, work_dir):
    """The workload; None for a server that stores no images."""
    del seed  # the corpus decides all
    if server.kind not in ("registry", "archiver"):
        return None
    corpus = Corpus(corpus_name, form)
    if server.kind == "archiver":
        return {name: archive_images(name, corpus, server, work_dir)}
    return {name: push_images(name, corpus, server)}


def _workloads():
    for corpus in CORPORA:
        for form in FORMS:
            name = f"store_{corpus}" + ("" if form == "docker" else f"_{form}")
            yield name, functools.partial(store, corpus, form, name)


WORKLOADS = dict(_workloads())


def corpus_digest(workload):
    """Names the corpus of a workload, for what is written beside its figures."""
    return Corpus(*WORKLOADS[workload].args[:2]).description["digest"]

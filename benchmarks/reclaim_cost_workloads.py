"""What it costs varved to remove much that has one thing in common, or that ends at one time:
`prune_shared_base` and `expire_links`, and each with four times as much. benchmarks/README.md says
what they do and what their figures are.

WORKLOADS is {workload: function(server, seed, work_dir)}, which gives {measurement: its figures} or
None when the workload is not for servers of that kind. VARVE_COST_SIZE=100 in the environment makes
all of them smaller.
"""

import concurrent.futures
import functools
import hashlib
import http.client
import itertools
import json
import os
import subprocess
import time

from native_workloads import FILL
from reclaim_workloads import PROMISE_SECONDS, ShortPromise, disk_flushes, expect, prune, used

SIZE = os.environ.get("VARVE_COST_SIZE")
IMAGES, LINKS = (int(SIZE), int(SIZE)) if SIZE else (16_000, 100_000)
TIMES = 4  # as much, in the workloads that show whether the cost grows in proportion
CONNECTIONS = 8
REPOSITORY = "shared/base"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


def digest_of(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def manifest_of(base, config, annotation):
    """An image whose layer and config every other one has, too."""
    def descriptor(kind, content):
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest_of(content),
                "size": len(content)}

    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST_TYPE,
                       "config": descriptor("config.v1+json", config),
                       "layers": [descriptor("layer.v1.tar+gzip", base)],
                       "annotations": {"image": annotation}}).encode()


class Registry:
    """One connection to a registry."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def request(self, method, path, content=None, **headers):
        self.connection.request(method, path, content, headers)
        response = self.connection.getresponse()
        said = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {said[:300]}")
        return response

    def push_blob(self, content):
        place = self.request("POST", f"/v2/{REPOSITORY}/blobs/uploads/").headers["Location"]
        sign = "&" if "?" in place else "?"
        self.request("PUT", f"{place}{sign}digest={digest_of(content)}", content)

    def put_manifest(self, name, content):
        self.request("PUT", f"/v2/{REPOSITORY}/manifests/{name}", content,
                     **{"Content-Type": MANIFEST_TYPE})


def push_images(port, seed, images):
    """Pushes so many images without a tag and one with the tag "kept", all on one base layer."""
    base, config = (f"{kind} of {seed}".encode() for kind in ("base", "config"))
    first = Registry(port)
    for content in (base, config):
        first.push_blob(content)
    first.put_manifest("kept", manifest_of(base, config, f"kept {seed}"))
    numbers = itertools.count()

    def push(_connection):
        registry = Registry(port)
        while (number := next(numbers)) < images:
            content = manifest_of(base, config, f"{number} {seed}")
            registry.put_manifest(digest_of(content), content)

    with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(push, range(CONNECTIONS)))
    return base


def figures(name, server, operations, seconds, before, flushes):
    """The measurement of what varved did since `before`."""
    after = used(server.process.pid)
    return {name: {
        "name": name, "connections": 1, "operations": operations, "bytes": 0,
        "wall_seconds": seconds, "cpu_seconds": after["cpu"] - before["cpu"],
        "written_bytes": after["written"] - before["written"], "peak_rss_bytes": after["peak"],
        "disk_flushes": disk_flushes() - flushes, "p50_ms": 0, "p99_ms": 0, "p999_ms": 0,
        "store_bytes": server.store_bytes()}}


def prune_shared_base(name, images, server, seed, work_dir):
    if server.name != "varve":
        return None
    with ShortPromise(os.path.abspath(f"{work_dir}/{name}-varve")) as varve:
        base = push_images(varve.port, seed, images)
        time.sleep(PROMISE_SECONDS + 3)  # promises end, the reclaimer drops the rows of the pushes
        before, flushes, begin = used(varve.process.pid), disk_flushes(), time.perf_counter()
        report = prune(f"{varve.directory}/varve.sock")
        seconds = time.perf_counter() - begin
        expect("images removed", (report["images"], report["named"]), (images, images))
        registry = Registry(varve.port)
        registry.request("HEAD", f"/v2/{REPOSITORY}/manifests/kept")
        registry.request("HEAD", f"/v2/{REPOSITORY}/blobs/{digest_of(base)}")
        return figures(name, varve, images, seconds, before, flushes)


class WithExpiredLinks(ShortPromise):
    """varved on a store with links whose time has passed."""

    links = 0  # set before it is made

    def command(self):
        subprocess.run([FILL, f"{self.directory}/store", "--expired-links", str(self.links)],
                       check=True, stdout=subprocess.DEVNULL)
        return super().command()

    def left(self):
        """How many are there yet, once varved has ended."""
        counted = subprocess.run([FILL, f"{self.directory}/store", "--count-links"], check=True,
                                 capture_output=True, text=True)
        return json.loads(counted.stdout)["links"]


def expire_links(name, links, server, _seed, work_dir):
    if server.name != "varve":
        return None
    one = type("Filled", (WithExpiredLinks,), {"links": links})
    with one(os.path.abspath(f"{work_dir}/{name}-varve")) as varve:
        before, flushes, begin = used(varve.process.pid), disk_flushes(), time.perf_counter()
        # Nothing ends for one promise time after a start; a prune waits for the pass under way.
        time.sleep(PROMISE_SECONDS + 3)
        prune(f"{varve.directory}/varve.sock")
        found = figures(name, varve, links, time.perf_counter() - begin, before, flushes)
        varve.process.terminate()
        varve.process.wait(60)
        expect("links left", varve.left(), 0)
        return found


WORKLOADS = {
    "prune_shared_base": functools.partial(prune_shared_base, "prune_shared_base", IMAGES),
    "prune_shared_base_4x": functools.partial(prune_shared_base, "prune_shared_base_4x",
                                              TIMES * IMAGES),
    "expire_links": functools.partial(expire_links, "expire_links", LINKS),
    "expire_links_4x": functools.partial(expire_links, "expire_links_4x", TIMES * LINKS),
}

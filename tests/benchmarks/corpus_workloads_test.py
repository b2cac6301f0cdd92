#!/usr/bin/env python3
"""benchmarks/corpus_workloads.py against a small registry in this process and a false archiver."""

import hashlib
import http.server
import io
import json
import os
import pathlib
import sys
import tarfile
import tempfile
import threading
import types
import unittest
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import corpus_workloads
from servers import Missing


class Registry(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, location=None):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if location:
            self.send_header("Location", location)
        self.end_headers()

    def split(self):
        url = urllib.parse.urlsplit(self.path)
        repository = url.path.removeprefix("/v2/").rsplit("/", 2)[0].removesuffix("/blobs")
        return repository, dict(urllib.parse.parse_qsl(url.query)), url.path.rpartition("/")[2]

    def do_HEAD(self):
        repository, _, digest = self.split()
        self.answer(200 if (repository, digest) in self.server.blobs else 404)

    def do_POST(self):
        repository, query, _ = self.split()
        if "mount" in query:
            assert (query["from"], query["mount"]) in self.server.blobs
            self.server.mounts += 1
            self.server.blobs[repository, query["mount"]] = b""
            self.answer(201)
        else:
            self.answer(202, f"http://127.0.0.1/v2/{repository}/blobs/uploads/1?state=s")

    def do_PATCH(self):
        repository, query, upload = self.split()
        self.server.upload = self.rfile.read(int(self.headers["Content-Length"]))
        assert query == {"state": "s"}
        self.answer(202, f"/v2/{repository}/blobs/uploads/{upload}")

    def do_PUT(self):
        repository, query, name = self.split()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "digest" in query:
            assert query["digest"] == f"sha256:{hashlib.sha256(self.server.upload).hexdigest()}"
            self.server.blobs[repository, query["digest"]] = self.server.upload
        else:
            self.server.tags[repository.removesuffix("/manifests"), name] = body
        self.answer(201)


def write_corpus(folder):
    """Two images in two repositories that share a layer of one file."""
    blobs = pathlib.Path(folder, "tiny/docker/blobs/sha256")
    blobs.mkdir(parents=True)

    def put(data, kind):
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "size": len(data),
                "digest": f"sha256:{digest}"}

    def layer(name):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as tar:
            member = tarfile.TarInfo(name)
            member.size = 3000
            tar.addfile(member, io.BytesIO(os.urandom(3000)))
        return put(out.getvalue(), "layer.v1.tar+gzip")

    shared, images = layer("base"), []
    for number in range(2):
        config = put(b'{"architecture":"amd64","os":"linux","author":"%d"}' % number,
                     "config.v1+json")
        manifest = put(json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config, "layers": [shared, layer(f"top{number}")]}).encode(),
            "manifest.v1+json")
        images.append({"repository": f"r{number}", "tag": "t", "manifest": manifest["digest"]})
    (blobs.parents[1] / "corpus.json").write_text(json.dumps(
        {"digest": "sha256:x", "blob_bytes": 5, "raw_bytes": 6, "images": images}))


class Workloads(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        os.environ["VARVE_CORPUS_DIR"] = self.folder.name
        write_corpus(self.folder.name)

    def run_store(self, server):
        found = corpus_workloads.store("tiny", "docker", "store_tiny", server, 1, self.folder.name)
        return found["store_tiny"]

    def test_a_registry_gets_every_blob_once(self):
        registry = http.server.HTTPServer(("127.0.0.1", 0), Registry)
        self.addCleanup(registry.server_close)
        registry.blobs, registry.tags, registry.mounts = {}, {}, 0
        threading.Thread(target=registry.serve_forever, daemon=True).start()
        self.addCleanup(registry.shutdown)
        server = types.SimpleNamespace(
            kind="registry", port=registry.server_port,
            process=types.SimpleNamespace(pid=os.getpid()),
            store_bytes=lambda: 100 + sum(map(len, registry.blobs.values())))
        figures = self.run_store(server)
        self.assertEqual(len(registry.blobs), 6)
        self.assertEqual(registry.mounts, 1)
        self.assertEqual(set(registry.tags), {("corpus/r0", "t"), ("corpus/r1", "t")})
        sent = sum(map(len, registry.blobs.values()))
        self.assertEqual(figures["bytes"], sent)
        self.assertEqual(figures["operations"], 2 * (3 + 1))
        self.assertEqual(figures["empty_store_bytes"], 100)
        self.assertEqual(figures["store_bytes"], 100 + sent)
        self.assertEqual(figures["added_bytes"], figures["added_bytes_2"])
        self.assertEqual(figures["added_bytes_1"] + figures["added_bytes_2"], sent)
        self.assertLess(figures["added_bytes_2"], figures["added_bytes_1"])

    def test_an_archiver_gets_the_files(self):
        seen = []

        def store(folder, title):
            seen.append((title, sorted(os.listdir(folder))))
            return types.SimpleNamespace(ru_utime=1.0, ru_stime=0.5, ru_oublock=2, ru_maxrss=3)
        server = types.SimpleNamespace(kind="archiver", store=store,
                                       store_bytes=lambda: 10 * len(seen))
        figures = self.run_store(server)
        self.assertEqual(seen, [("corpus-r0-t", ["base", "top0"]),
                                ("corpus-r1-t", ["base", "top1"])])
        self.assertEqual((figures["bytes"], figures["cpu_seconds"], figures["written_bytes"],
                          figures["peak_rss_bytes"], figures["store_bytes"]),
                         (12000, 3.0, 2048, 3072, 20))

    def test_a_corpus_that_is_not_built_says_how(self):
        with self.assertRaisesRegex(Missing, "benchmarks/corpus/build nightly --form plain"):
            corpus_workloads.Corpus("nightly", "plain")

    def test_a_server_of_plain_files_has_no_part(self):
        server = types.SimpleNamespace(kind="static")
        self.assertIsNone(corpus_workloads.WORKLOADS["store_nightly"](server, 1, "/x"))

    def test_names(self):
        self.assertLessEqual({"store_release_train", "store_nightly_podman",
                              "store_os_family_plain"}, set(corpus_workloads.WORKLOADS))


if __name__ == "__main__":
    unittest.main()

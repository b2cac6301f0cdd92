#!/usr/bin/env python3
"""The layouts that benchmarks/corpus writes: the same input gives the same digest, another input
another one, and the blobs are what the manifests say. Needs Go; the form of podman also needs its
module, which only the network has."""

import gzip
import hashlib
import io
import json
import pathlib
import shutil
import sys
import tarfile
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks/corpus"))

import calibration
import layout
import synthetic
from layout import Entry, Image

SKIPPED = 77


class Packed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.program, _ = layout.pack_program(cls.folder.name, "", offline=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def pack(self, form, content=b"abc" * 1000, title="x", program=None):
        """(corpus.json, its folder) of two images that share a layer."""
        source = pathlib.Path(self.folder.name, f"source-{title}")
        source.write_bytes(content)
        base = layout.sorted_layer([
            Entry("etc/name", "file", 0o640, 3, 4, 1000, size=5, source=str(source), offset=1),
            Entry("bin", "symlink", 0o777, link="usr/bin"), Entry("etc/again", "link",
                                                                 link="etc/name"),
            Entry("etc/" + "long" * 40, "file", size=0)])
        top = layout.sorted_layer([Entry("opt/all", "file", 0o4755, mtime=2000, size=len(content),
                                         source=str(source))])
        images = [Image("one", "1", 10, [base]), Image("two", "2", 20, [base, top])]
        target = f"{self.folder.name}/{title}-{form}"
        return layout.write_corpus(target, "tiny", form, images, program or self.program,
                                   {}), target

    def test_the_same_input_gives_the_same_digest(self):
        for form in ("docker", "plain"):
            first, _ = self.pack(form, title="a")
            second, _ = self.pack(form, title="b")
            other, _ = self.pack(form, content=b"abd" * 1000, title="c")
            self.assertEqual(first, second)
            self.assertNotEqual(first["digest"], other["digest"])

    def test_podman_compresses_the_same_layers_in_another_way(self):
        try:
            program, _ = layout.pack_program(self.folder.name, offline=True)
        except layout.Missing as reason:
            self.skipTest(f"the modules of pack/go.mod are not on this machine: {reason}")
        content = bytes(range(256)) * 8192  # more than one block of pgzip
        docker, _ = self.pack("docker", content, "d", program)
        podman, _ = self.pack("podman", content, "p", program)
        again, _ = self.pack("podman", content, "q", program)
        self.assertEqual(podman, again)
        self.assertNotEqual(podman["digest"], docker["digest"])
        self.assertEqual({layer["diff_id"] for layer in podman["layers"]},
                         {layer["diff_id"] for layer in docker["layers"]})

    def test_blobs_are_what_their_names_say(self):
        for form in ("docker", "plain"):
            corpus, target = self.pack(form)
            blobs = {path.name: path.read_bytes()
                     for path in pathlib.Path(target, "blobs/sha256").iterdir()}
            for name, data in blobs.items():
                self.assertEqual(hashlib.sha256(data).hexdigest(), name)
            self.assertEqual(len(blobs), 2 + 2 + 2)
            self.assertEqual(corpus["blob_bytes"], sum(map(len, blobs.values())))
            for image in corpus["images"]:
                manifest = json.loads(blobs[image["manifest"].partition(":")[2]])
                config = json.loads(blobs[manifest["config"]["digest"].partition(":")[2]])
                for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"]):
                    data = blobs[layer["digest"].partition(":")[2]]
                    raw = gzip.decompress(data) if form == "docker" else data
                    self.assertEqual(layout.sha256(raw), diff_id)
                    self.assertEqual(len(data), layer["size"])

    def test_entries_come_back(self):
        corpus, target = self.pack("docker")
        top = next(layer for layer in corpus["layers"] if layer["files"] == 2)
        data = pathlib.Path(target, "blobs/sha256", top["digest"].partition(":")[2]).read_bytes()
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            members = {member.name: member for member in tar}
            self.assertEqual(list(members), ["bin", "etc", "etc/again", "etc/" + "long" * 40,
                                             "etc/name"])
            again = members["etc/again"]
            self.assertEqual(tar.extractfile(again).read(), b"bcabc")
            self.assertEqual((again.mode, again.uid, again.gid, again.mtime), (0o640, 3, 4, 1000))
            self.assertEqual(members["etc/name"].linkname, "etc/again")
            self.assertEqual(members["bin"].linkname, "usr/bin")

    def test_a_source_that_is_too_short_is_an_error(self):
        source = pathlib.Path(self.folder.name, "short")
        source.write_bytes(b"123")
        image = Image("r", "t", 1, [[Entry("f", "file", size=4, source=str(source))]])
        with self.assertRaises(RuntimeError):
            layout.write_corpus(f"{self.folder.name}/short-out", "tiny", "plain", [image],
                                self.program, {})

    def pack_synthetic(self, title, form, parameters):
        scratch = pathlib.Path(self.folder.name, title)
        scratch.mkdir()
        images, _ = synthetic.images(None, str(scratch), parameters)
        return layout.write_corpus(f"{scratch}/out", "synthetic", form, images, self.program, {})

    def test_a_synthetic_corpus_is_that_of_its_parameters(self):
        digests = [self.pack_synthetic(f"repeat-{number}", "plain",
                                       {"raw_mb": raw_mb, "divisor": 64})["digest"]
                   for number, raw_mb in enumerate((16, 16, 32))]
        self.assertEqual(digests[0], digests[1])
        self.assertNotEqual(digests[0], digests[2])

    def test_layers_compress_as_those_of_docker_hub(self):
        layers = self.pack_synthetic("ratio", "docker", {"raw_mb": 256, "divisor": 16})["layers"]
        raw = [layer["raw_bytes"] for layer in layers]
        figures = calibration.of_compression(raw, [layer["size_bytes"] for layer in layers])
        figures += calibration.of_layers(raw, [layer["files"] for layer in layers], 16)
        for figure in figures:
            self.assertTrue(figure.met(), repr(figure))


if __name__ == "__main__":
    if shutil.which("go") is None:
        print("SKIP: needs a Go toolchain")
        sys.exit(SKIPPED)
    unittest.main()

#!/usr/bin/env python3
"""The plans of the corpora: order of entries, changed files, lock files, calibration."""

import os
import pathlib
import random
import re
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks/corpus"))

import calibration
import changes
import corpora
import debian
import layout
import node_application
import synthetic
from layout import Entry


class Layers(unittest.TestCase):
    def test_parents_come_first_and_names_sort_by_component(self):
        layer = layout.sorted_layer([Entry("a-b/c", "file", mtime=7), Entry("a/z", "file")])
        self.assertEqual([entry.path for entry in layer], ["a", "a/z", "a-b", "a-b/c"])
        self.assertEqual(layer[0], Entry("a", "directory", 0o755, mtime=7))

    def test_the_first_name_of_a_hard_link_carries_the_bytes(self):
        layer = layout.sorted_layer([Entry("x/b", "file", size=3, source="s", offset=9),
                                     Entry("x/a", "link", link="x/b"),
                                     Entry("x/c", "link", link="x/b")])
        self.assertEqual(layer[1:], [
            Entry("x/a", "file", size=3, source="s", offset=9),
            Entry("x/b", "link", link="x/a"), Entry("x/c", "link", link="x/a")])

    def test_a_corpus_is_named_by_its_manifests_in_any_order(self):
        self.assertEqual(layout.corpus_digest(["b", "a"]), layout.sha256(b"a\nb\n"))


class Changes(unittest.TestCase):
    TEXT = b"".join(b"line %d\n" % number for number in range(400))
    ELF = b"\x7fELF" + random.Random(1).randbytes(300_000)

    def test_every_kind_changes_and_the_seed_decides_how(self):
        for data in (self.TEXT, self.ELF, b"\0" + self.TEXT, b"x", b"\x7fELF"):
            first = changes.changed(data, random.Random(5))
            self.assertNotEqual(first, data)
            self.assertEqual(first, changes.changed(data, random.Random(5)))
            self.assertNotEqual(first, changes.changed(data, random.Random(6)))

    def test_a_text_keeps_nearly_all_of_its_lines(self):
        kept = set(changes.changed(self.TEXT, random.Random(5)).split(b"\n"))
        self.assertGreaterEqual(len(set(self.TEXT.split(b"\n")) & kept), 399)

    def test_an_executable_keeps_its_size_and_most_of_its_bytes(self):
        after = changes.changed(self.ELF, random.Random(5))
        self.assertEqual(len(after), len(self.ELF))
        same = sum(a == b for a, b in zip(after, self.ELF)) / len(after)
        self.assertTrue(0.9 < same < 0.995, same)

    def test_the_share_of_the_files_changes(self):
        with tempfile.TemporaryDirectory() as folder:
            source = f"{folder}/source"
            pathlib.Path(source).write_bytes(self.TEXT)
            entries = [Entry(f"f{i}", "file", size=len(self.TEXT), source=source)
                       for i in range(200)]
            with open(f"{folder}/scratch", "wb") as scratch:
                after, count = changes.change_entries(entries, 0.03, random.Random(2), scratch)
            differ = [entry for entry, old in zip(after, entries) if entry != old]
            self.assertEqual((count, len(differ)), (6, 6))
            self.assertEqual(os.path.getsize(scratch.name), sum(entry.size for entry in differ))


class Locks(unittest.TestCase):
    def test_every_set_of_packages_is_locked(self):
        packages = debian.read_lock()
        named = {package.name for package in packages}
        in_sets = {title for package in packages for title in package.sets}
        self.assertEqual(in_sets, {"base", *corpora.OS_FAMILY})
        self.assertIn(corpora.NIGHTLY_SET, corpora.OS_FAMILY)
        for names in corpora.OS_FAMILY.values():
            self.assertLessEqual(set(names), named)
        for package in packages:
            self.assertRegex(package.digest, "^sha256:[0-9a-f]{64}$")

    def test_every_release_is_locked_by_digest_and_names_no_registry(self):
        for release in node_application.RELEASES:
            packages = node_application.lock_of(release)["packages"]
            own = packages[f"node_modules/{node_application.APPLICATION}"]
            self.assertEqual(own["version"], release)
            for path, entry in packages.items():
                if path:
                    self.assertTrue(entry.get("integrity") or entry.get("inBundle"), path)
                self.assertNotIn("resolved", entry)

    def test_locks_name_no_host(self):
        for path in (debian.LOCK, node_application.LOCK):
            self.assertIsNone(re.search("://", path.read_text()), path)

    def test_slim_images_leave_documents_out(self):
        for name, path in (("./bin/ls", "usr/bin/ls"), ("./usr/share/doc/x/copyright",
                                                        "usr/share/doc/x/copyright"),
                           ("./usr/share/doc/x/README", None), ("./", None)):
            self.assertEqual(debian._installed_path(name), path)

    def test_a_version_that_is_not_served_is_replaced_and_told(self):
        with tempfile.TemporaryDirectory() as folder:
            archive = debian.Archive(folder)
            archive.served = lambda names: {"old": ["2", "1.9"], "same": ["1"]}

            def download(packages):
                for name, version in packages:
                    path = pathlib.Path(archive.folder, "debs", f"{name}_{version}_amd64.deb")
                    path.write_bytes(f"{name}{version}".encode())
            archive.download = download
            locked = [debian.Package(name, "1", layout.sha256(f"{name}1".encode()))
                      for name in ("old", "same")]
            packages, differences = archive.fetch(locked)
        self.assertEqual([package.version for package in packages], ["2", "1"])
        self.assertEqual(len(differences), 1)
        self.assertIn("old: locked 1 ", differences[0])


class Calibration(unittest.TestCase):
    def check(self, count, divisor):
        sizes, layers = synthetic.plan(count, divisor)
        raw = [1536 + sum(512 + (sizes[i] + 511) // 512 * 512 for i in drawn) for drawn in layers]
        figures = calibration.of_layers(raw, [len(drawn) for drawn in layers], divisor)
        figures += calibration.of_files(sizes, layers)
        for figure in figures:
            self.assertTrue(figure.met(), figure)
        self.assertEqual(len(figures), 11)

    def test_the_default_size(self):
        self.check(synthetic.layer_count(256e6, 16), 16)

    def test_a_larger_one(self):
        self.check(synthetic.layer_count(1e9, 16), 16)

    def test_a_figure_out_of_tolerance_is_not_met(self):
        even = calibration.of_layers([4e6] * 50, [30] * 50, 1)
        self.assertEqual([figure.met() for figure in even],
                         [True, False, False, False, True, False, False])

    def test_contents_are_those_of_the_seed(self):
        with tempfile.TemporaryDirectory() as folder:
            sizes = [1, 100, 5000, 70000] * 5
            places = [synthetic.write_contents(sizes, f"{folder}/{name}", seed)
                      for name, seed in (("a", 1), ("b", 1), ("c", 2))]
            self.assertEqual([size for _, size in places[0]], sizes)
            read = [pathlib.Path(folder, name).read_bytes() for name in "abc"]
        self.assertEqual(read[0], read[1])
        self.assertNotEqual(read[0], read[2])

    def test_images_have_every_layer(self):
        images = synthetic.compose(list(range(200)), random.Random(1))
        self.assertEqual({layer for image in images for layer in image}, set(range(200)))
        self.assertGreater(sum(map(len, images)), 250)


if __name__ == "__main__":
    unittest.main()

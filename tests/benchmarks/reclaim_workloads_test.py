#!/usr/bin/env python3
"""Tests what the workloads of removals compute from what clients measured; no server."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "benchmarks"))

import reclaim_workloads as reclaim
import targets


def operation(kind, due, ms, ok=True):
    return {"kind": kind, "due": due, "ms": ms, "image": 0, "ok": ok}


class Latencies(unittest.TestCase):
    def test_only_what_was_due_meanwhile_and_succeeded_counts(self):
        found = reclaim.latencies(
            [operation("push", 1, 9), operation("push", 2, 5), operation("pull", 3, 4),
             operation("pull", 3, 1), operation("pull", 3, 2, ok=False), operation("pull", 4, 7)],
            2, 4)
        self.assertEqual(found, {"all": [1, 4, 5], "push": [5], "pull": [1, 4]})

    def test_few_operations_have_no_high_percentile(self):
        self.assertEqual(set(reclaim.percentiles([1] * 99)), {"p50"})
        self.assertEqual(set(reclaim.percentiles([1] * 100)), {"p50", "p99"})
        self.assertEqual(set(reclaim.percentiles([1] * 1000)), {"p50", "p99", "p99.9"})
        self.assertEqual(reclaim.percentiles([]), {})

    def test_a_percentile_is_one_of_the_list(self):
        self.assertEqual(reclaim.percentile(list(range(1001)), 0.99), 990)
        self.assertEqual(reclaim.percentile(list(range(1001)), 0.999), 999)
        self.assertIsNone(reclaim.percentile([], 0.5))

    def test_the_ratio_is_that_of_the_same_percentile(self):
        idle = {"push": [1.0] * 99 + [2.0] * 1 + [4.0] * 900, "pull": []}
        beside = {"push": [8.0] * 1000, "pull": [1.0]}
        found = reclaim.compare_latencies(idle, beside)
        self.assertEqual(found["push p99 idle ms"], 4)
        self.assertEqual(found["push p99 beside ms"], 8)
        self.assertEqual(found["push p99 beside ÷ idle"], 2)
        self.assertFalse(any(key.startswith("pull") for key in found))


class Results(unittest.TestCase):
    def found(self):
        def part(ms, seconds):
            return reclaim.Beside({"all": [ms] * 2000, "push": [ms] * 1000, "pull": [ms] * 1000},
                                  seconds, None, 5, 0, "")

        return reclaim.results("prune_half", part(1.0, 20), part(3.0, 10), 7,
                               removal={"operations": 4, "wall_seconds": 10},
                               clients={"lost": 0})

    def test_a_target_finds_its_figures(self):
        results = {name: {"varve": [figures]} for name, figures in self.found().items()}
        ours = [verdict for verdict in targets.check(results)
                if verdict.target.measurement == "prune_half_clients"]
        self.assertEqual(len(ours), 6)
        for verdict in ours:
            self.assertEqual(verdict.value, 3)
            self.assertEqual(verdict.reached, " p99.9 " in verdict.target.figure)

    def test_the_rate_is_that_of_both_parts(self):
        clients = self.found()["prune_half_clients"]
        self.assertEqual(clients["per second idle"], 100)
        self.assertEqual(clients["per second beside"], 200)


class Removed(unittest.TestCase):
    OWN = reclaim.OWN_FILE_BYTES

    def report(self, images, freed, deferred=0, left=0):
        return {"images": images, "named": images, "freed_bytes": freed, "deferred": deferred,
                "deferred_bytes": left}

    def test_all_of_them(self):
        reclaim.expect_removed(self.report(10, 10 * self.OWN), 10, 10 * self.OWN)

    def test_but_for_what_is_put_off(self):
        reclaim.expect_removed(self.report(9, 9 * self.OWN, deferred=1), 10, 9 * self.OWN)
        for missed in (9, 10):  # a file that goes a little later
            reclaim.expect_removed(self.report(10, 9 * self.OWN, 1, self.OWN), 10,
                                   missed * self.OWN)

    def test_less_or_more_fails(self):
        whole = self.report(10, 10 * self.OWN)
        for report, missed in ((self.report(9, 9 * self.OWN), 9),
                               (self.report(11, 11 * self.OWN), 11),
                               (self.report(10, 9 * self.OWN), 9), (whole, 9),
                               (whole | {"named": 9}, 10)):
            with self.assertRaises(RuntimeError):
                reclaim.expect_removed(report, 10, missed * self.OWN)


class Files(unittest.TestCase):
    def test_what_they_take_is_counted_in_blocks(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "sub").mkdir()
            pathlib.Path(folder, "sub/one").write_bytes(b"x" * 73_728)
            self.assertGreaterEqual(reclaim.file_bytes(folder), 73_728)
            pathlib.Path(folder, "hole").touch()
            self.assertEqual(reclaim.file_bytes(folder), reclaim.file_bytes(f"{folder}/sub"))


if __name__ == "__main__":
    unittest.main()

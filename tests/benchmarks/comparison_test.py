#!/usr/bin/env python3
"""Tests what benchmarks/run computes: ratios, alternation, selection, tables, targets."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "benchmarks"))

import comparison
import reclaim_workloads
import targets


def measured(**changes):
    return {"name": "push", "connections": 4, "operations": 8, "bytes": 8_000_000_000,
            "wall_seconds": 10.0, "cpu_seconds": 4.0, "written_bytes": 8_000_000_000,
            "peak_rss_bytes": 30_000_000, "disk_flushes": 16, "p50_ms": 1.0, "p99_ms": 2.0,
            "p999_ms": 3.0, "store_bytes": 9_000_000_000} | changes


class Ratios(unittest.TestCase):
    def test_they_are_taken_within_rounds(self):
        ours = [measured(wall_seconds=seconds) for seconds in (1, 10, 4)]
        theirs = [measured(wall_seconds=seconds) for seconds in (2, 40, 4)]
        self.assertEqual(comparison.ratios(ours, theirs, "MB/s"), [2, 4, 1])
        by_server = {"varve": ours, "rival": theirs}
        self.assertEqual(comparison.median_ratio(by_server, "rival", "MB/s"), 2)

    def test_a_round_that_one_did_not_finish_is_left_out(self):
        ours = [measured(wall_seconds=1), None, measured(wall_seconds=4)]
        theirs = [None, measured(), measured(wall_seconds=8)]
        self.assertEqual(comparison.ratios(ours, theirs, "op/s"), [2])

    def test_there_is_none_without_the_rival(self):
        self.assertIsNone(comparison.median_ratio({"varve": [measured()]}, "rival", "MB/s"))

    def test_a_figure_of_bytes_needs_bytes(self):
        self.assertIsNone(comparison.figure_of(measured(bytes=0), "MB/s"))
        self.assertIsNone(comparison.figure_of(measured(bytes=0), "CPU-s/GB"))

    def test_figures(self):
        self.assertEqual(comparison.figure_of(measured(), "MB/s"), 800)
        self.assertEqual(comparison.figure_of(measured(), "CPU-s/GB"), 0.5)
        self.assertEqual(comparison.figure_of(measured(), "flushes/op"), 2)
        self.assertEqual(comparison.figure_of(measured(rss_bytes=5), "rss_bytes"), 5)


class Order(unittest.TestCase):
    def test_it_turns_round_each_time(self):
        orders = [comparison.order_of_round(["a", "b", "c"], number) for number in range(3)]
        self.assertEqual(orders, [["a", "b", "c"], ["c", "b", "a"], ["a", "b", "c"]])


class Selection(unittest.TestCase):
    MEASURES = {"blobs_1": ("push_unique_1", "pull_hot_1"), "blobs_2": ("push_unique_2",),
                "heads": ("head_hit", "head_missing"), "push_same": ("push_same",)}

    def test_everything_when_nothing_is_asked(self):
        self.assertEqual(list(comparison.select([], self.MEASURES)), list(self.MEASURES))

    def test_a_prefix_of_measurements_in_all_workloads(self):
        self.assertEqual(comparison.select(["push_unique"], self.MEASURES),
                         {"blobs_1": ["push_unique"], "blobs_2": ["push_unique"]})

    def test_a_measurement(self):
        self.assertEqual(comparison.select(["head_hit"], self.MEASURES), {"heads": ["head_hit"]})

    def test_a_workload_is_all_that_it_measures(self):
        self.assertEqual(comparison.select(["heads"], self.MEASURES), {"heads": [""]})

    def test_what_is_unknown_is_said(self):
        with self.assertRaisesRegex(ValueError, "pushes"):
            comparison.select(["heads", "pushes"], self.MEASURES)


class Table(unittest.TestCase):
    def test_a_row_has_medians_extremes_and_the_ratio(self):
        results = {"push": {"varve": [measured(wall_seconds=seconds) for seconds in (5, 10, 8)],
                            "rival": [measured(wall_seconds=20)] * 3}}
        lines = comparison.table(results, ["varve", "rival"],
                                 {"rival": "syncs nothing"}).splitlines()
        self.assertIn("rival (syncs nothing)", lines[0])
        self.assertEqual(lines[2],
                         "| push | 4 | 3 | MB/s | 1000 (800–1600) | 400 | ×2.50 |")
        self.assertEqual(len({line.count("|") for line in lines}), 1)

    def test_the_floor_is_named(self):
        results = {"push": {"varve": [measured(wall_seconds=20)], "floor": [measured()]}}
        self.assertIn("×0.50 of the floor", comparison.table(results, ["varve", "floor"], {}))

    def test_what_a_server_did_not_run_is_a_dash(self):
        results = {"push": {"varve": [measured()]},
                   "pull": {"varve": [measured()], "rival": [measured()]}}
        self.assertIn("| 800 | – |  |", comparison.table(results, ["varve", "rival"], {}))

    def test_a_server_that_took_no_part_has_no_column(self):
        results = {"push": {"varve": [measured()]}}
        self.assertNotIn("rival", comparison.table(results, ["varve", "rival"], {}))

    def test_further_keys_have_rows(self):
        results = {"push": {"varve": [measured(added_bytes=12)]}}
        self.assertIn("| added_bytes | 12.0 |", comparison.table(results, ["varve"], {}))


class Targets(unittest.TestCase):
    def verdict(self, at_least, limit, ours, theirs):
        results = {"push": {"varve": [measured(wall_seconds=ours)],
                            "rival": [measured(wall_seconds=theirs)]}}
        return targets.check(results, [targets.Target("push", "MB/s", "rival", at_least, limit)])[0]

    def test_it_is_computed_from_the_measurements(self):
        self.assertTrue(self.verdict(True, 2.5, 1, 2.6).reached)
        self.assertFalse(self.verdict(True, 2.5, 1, 2.4).reached)
        self.assertTrue(self.verdict(False, 0.4, 1, 0.3).reached)
        self.assertFalse(self.verdict(False, 0.4, 1, 0.5).reached)
        self.assertIn("MISSED", str(self.verdict(True, 2.5, 1, 2.4)))

    def test_without_a_measurement_it_is_neither(self):
        verdict = targets.check({}, [targets.Target("push", "MB/s", "rival", True, 1)])[0]
        self.assertIsNone(verdict.reached)
        self.assertIn("not measured", str(verdict))

    def test_a_limit_of_varve_alone(self):
        results = {"a": {"varve": [measured(peak_rss_bytes=10)]},
                   "b": {"varve": [measured(peak_rss_bytes=30)], "rival": [measured()]}}
        limit = targets.Target("*", "peak_rss_bytes", None, False, 20)
        self.assertFalse(targets.check(results, [limit])[0].reached)
        self.assertTrue(targets.check(results, [limit._replace(limit=30)])[0].reached)

    def test_every_target_names_a_figure_that_exists(self):
        every = dict.fromkeys(("all", "push", "pull"), [1.0] * 1000)
        of_clients = reclaim_workloads.compare_latencies(every, every)
        for target in targets.TARGETS:
            self.assertIn(target.figure, comparison.FIGURES | of_clients)


if __name__ == "__main__":
    unittest.main()

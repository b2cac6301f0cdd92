#!/usr/bin/env python3
"""Tests how benchmarks/run goes through rounds and what it says of servers that are missing or that
fail; with servers that are none."""

import contextlib
import importlib.machinery
import importlib.util
import io
import pathlib
import sys
import unittest

BENCHMARKS = pathlib.Path(__file__).resolve().parent.parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from servers import Missing, Server, first_line


def load_run():
    loader = importlib.machinery.SourceFileLoader("benchmarks_run", str(BENCHMARKS / "run"))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("benchmarks_run", loader))
    loader.exec_module(module)
    return module


run = load_run()


def measured(seconds):
    return {"name": "push", "connections": 1, "operations": 1, "bytes": 1_000_000_000,
            "wall_seconds": seconds, "cpu_seconds": 1, "written_bytes": 0, "peak_rss_bytes": 1,
            "disk_flushes": 1, "p50_ms": 1, "p99_ms": 1, "p999_ms": 1, "store_bytes": 1}


class Absent(Server):
    name = "absent"

    @classmethod
    def version(cls):
        raise Missing("apt-get install absent")


class Present(Server):
    name = "present"

    @classmethod
    def version(cls):
        return "1.0"


def a_run(**changes):
    return {"machine": {"cpu": "c", "cores": 2, "memory": "1 kB", "kernel": "k",
                        "file_system": "ext4 rw", "device": "/dev/d"},
            "time": "2026-01-02T03:04:05Z",
            "source": {"commit": "abc", "changed_files": ""}, "versions": {"varve": "1"},
            "missing": {}, "rounds": 1, "weaker_sync": {}, "corpora": {}, "failures": {},
            "measurements": {"push": {"varve": [measured(1)]}}} | changes


def report(*arguments):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        good = run.report(*arguments)
    return good, printed.getvalue()


class Rounds(unittest.TestCase):
    def test_servers_alternate(self):
        calls = []

        def once(name, _function, number):
            calls.append((number, name))
            return {"push": measured(1)}

        results, failures = run.run_workload(None, ["a", "b"], 3, once)
        self.assertEqual(calls, [(0, "a"), (0, "b"), (1, "b"), (1, "a"), (2, "a"), (2, "b")])
        self.assertEqual(len(results["push"]["b"]), 3)
        self.assertEqual(failures, {})

    def test_one_that_fails_does_not_end_the_others(self):
        def once(name, _function, number):
            if name == "b" and number == 1:
                raise RuntimeError("answered 404")
            return {"push": measured(1)}

        results, failures = run.run_workload(None, ["a", "b"], 3, once)
        self.assertEqual(failures, {"b": "round 2: answered 404"})
        self.assertEqual([found is not None for found in results["push"]["b"]],
                         [True, False, False])
        self.assertNotIn(None, results["push"]["a"])

    def test_a_workload_that_is_not_for_a_server_is_no_failure(self):
        def once(name, _function, _number):
            if name == "b":
                raise run.NotForThisServer
            return {"push": measured(1)}

        results, failures = run.run_workload(None, ["a", "b"], 2, once)
        self.assertEqual(failures, {})
        self.assertNotIn("b", results["push"])


class Reports(unittest.TestCase):
    def test_a_missing_rival_is_reported_with_its_reason(self):
        versions, missing = run.usable(["absent", "present"],
                                       {"absent": Absent, "present": Present})
        self.assertEqual(versions, {"present": "1.0"})
        good, text = report(a_run(missing=missing), lambda name: True, False)
        self.assertTrue(good)
        self.assertIn("MISSING absent: apt-get install absent", text)

    def test_a_failure_of_a_rival_is_reported_and_one_of_varve_is_an_error(self):
        good, text = report(a_run(failures={"push": {"rival": "round 1: no"}}), lambda _: True,
                            False)
        self.assertTrue(good)
        self.assertIn("FAILED push on rival, round 1: no", text)
        self.assertFalse(report(a_run(failures={"push": {"varve": "round 1: no"}}),
                                lambda _: True, False)[0])

    def test_a_missed_target_is_an_error(self):
        slow = {"push_unique_1x512m": {"varve": [measured(1)], "floor": [measured(0.5)]}}
        self.assertFalse(report(a_run(measurements=slow), lambda _: True, True)[0])
        fast = {"push_unique_1x512m": {"varve": [measured(1)], "floor": [measured(1)]}}
        self.assertTrue(report(a_run(measurements=fast), lambda _: True, True)[0])

    def test_a_report_says_of_which_commit_and_time_it_is(self):
        versions = {name: "1.0 of somebody's long path" for name in "abcdefgh"}
        text = report(a_run(versions=versions), lambda _: True, False)[1]
        self.assertIn("commit abc, run at 2026-01-02T03:04:05Z\n", text)
        self.assertLessEqual(max(map(len, text.split("\n\n|")[0].split("\n"))), 100)

    def test_only_what_was_asked_is_shown(self):
        both = {"push": {"varve": [measured(1)]}, "pull": {"varve": [measured(1)]}}
        text = report(a_run(measurements=both), lambda name: name.startswith("pull"), False)[1]
        self.assertIn("| pull |", text)
        self.assertNotIn("| push |", text)


class Versions(unittest.TestCase):
    def test_the_path_of_the_program_is_no_part_of_it(self):
        said = first_line("/bin/sh", "-c", "echo /bin/sh of 1.0")
        self.assertEqual(said, "of 1.0")


class Merging(unittest.TestCase):
    def test_rounds_stay_paired(self):
        first = a_run(measurements={"push": {"varve": [measured(1)], "a": [measured(2)]}})
        second = a_run(measurements={"push": {"varve": [measured(3)], "b": [measured(6)]}},
                       versions={"varve": "1", "b": "2"})
        merged = run.merge([first, second])
        push = merged["measurements"]["push"]
        self.assertEqual(run.comparison.rounds_of(push), 2)
        self.assertEqual(run.comparison.ratios(push["varve"], push["a"], "MB/s"), [2])
        self.assertEqual(run.comparison.ratios(push["varve"], push["b"], "MB/s"), [2])
        self.assertEqual(set(merged["versions"]), {"varve", "b"})


if __name__ == "__main__":
    unittest.main()

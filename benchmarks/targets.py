"""The figures that Varve is to reach, and whether measurements reach them.

A target compares the median of the ratios within rounds, or, without a rival, the median of varve's
own figure.
"""

import statistics
from typing import NamedTuple, Optional

import comparison

MIB = 1 << 20


class Target(NamedTuple):
    measurement: str  # "*": each of them
    figure: str
    rival: Optional[str]  # None: the limit is of varve's own figure
    at_least: bool  # False: at most
    limit: float


class Verdict(NamedTuple):
    target: Target
    value: Optional[float]  # None: not measured

    @property
    def reached(self):
        if self.value is None:
            return None
        target = self.target
        return self.value >= target.limit if target.at_least else self.value <= target.limit

    def __str__(self):
        target = self.target
        word = {None: "not measured", True: "reached", False: "MISSED"}[self.reached]
        sign = "≥" if target.at_least else "≤"
        against = f" ÷ {target.rival}" if target.rival else ""
        ratio = "×" if target.rival else ""
        found = "–" if self.value is None else f"{ratio}{comparison.number(self.value)}"
        limit = f"{ratio}{comparison.number(target.limit)}"
        return (f"{word:12}  {target.measurement}: {target.figure}{against} {found}, "
                f"to be {sign} {limit}")


def _large_pushes():
    for name in ("push_unique_1x512m", "push_unique_8x64m"):
        yield Target(name, "MB/s", "distribution", True, 2.5)
        yield Target(name, "CPU-s/GB", "distribution", False, 0.4)
        yield Target(name, "MB/s", "floor", True, 0.85)
        for rival in ("distribution-v3", "zot"):
            yield Target(name, "MB/s", rival, True, 1.5)
            yield Target(name, "CPU-s/GB", rival, False, 0.8)


def _large_pulls():
    for name in ("pull_hot_1x512m", "pull_hot_8x64m"):
        yield Target(name, "MB/s", "nginx", True, 0.95)
        yield Target(name, "CPU-s/GB", "nginx", False, 1.1)


def _first_pulls():
    for name in ("pull_after_push_1x256m", "pull_after_push_16x16m"):
        yield Target(name, "MB/s", "distribution", True, 1.1)


def _clients_beside_a_prune():
    for kind in ("all", "push", "pull"):
        yield Target("prune_half_clients", f"{kind} p99 beside ÷ idle", None, False, 2)
        yield Target("prune_half_clients", f"{kind} p99.9 beside ÷ idle", None, False, 4)


def _costs_in_proportion():
    for name in ("prune_shared_base", "expire_links"):
        yield Target(name, "CPU s", None, False, 5)
        yield Target(f"{name}_4x", "CPU s", None, False, 4 * 5)


TARGETS = (
    *_large_pushes(),
    Target("push_unique_2000x16k", "op/s", "distribution", True, 10),
    Target("manifest_put_tag", "op/s", "distribution", True, 6),
    *_large_pulls(),
    *_first_pulls(),
    Target("pull_range", "op/s", "distribution", True, 10),
    Target("manifest_by_tag", "op/s", "distribution", True, 10),
    Target("head_missing", "op/s", "distribution", True, 10),
    Target("head_hit", "op/s", "distribution", True, 10),
    Target("tags_list_10k", "op/s", "distribution", True, 8),
    Target("mixed_trace", "op/s", "distribution", True, 3),
    Target("mixed_trace", "p99 ms", "distribution", False, 0.4),
    Target("grpc_write", "MB/s", "containerd", True, 3),
    Target("grpc_read", "MB/s", "containerd", True, 2),
    *(Target(f"reopen_1m_{end}_{cache}", "p99 ms", None, False, 1000)
      for end in ("term", "kill") for cache in ("warm", "cold")),
    *_clients_beside_a_prune(),
    *_costs_in_proportion(),
    Target("idle_memory_1m", "RSS MB", None, False, 256 * MIB / 1e6),
    Target("*", "peak RSS MB", None, False, 256 * MIB / 1e6),
)


def value_of(target, results):
    """None when it was not measured. Of all measurements, the largest counts."""
    if target.measurement == "*":
        found = [value_of(target._replace(measurement=name), results) for name in results]
        return max((value for value in found if value is not None), default=None)
    by_server = results.get(target.measurement, {})
    if target.rival:
        return comparison.median_ratio(by_server, target.rival, target.figure)
    found = comparison.values(by_server.get(comparison.OURS, []), target.figure)
    return statistics.median(found) if found else None


def check(results, targets=TARGETS):
    return [Verdict(target, value_of(target, results)) for target in targets]

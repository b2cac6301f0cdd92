"""Workloads that remove images while clients push and pull: `prune_half` and, small enough for a
rival, `prune_half_2k`. benchmarks/README.md says what they do and what their figures are.

WORKLOADS is {workload: function(server, seed, work_dir)}, which gives {measurement: its figures} or
None when the workload is not for servers of that kind. VARVE_HALF_IMAGES=100 in the environment
makes both smaller, VARVE_HALF_IDLE_SECONDS=2 the idle part shorter.
"""

import functools
import json
import os
import pathlib
import shutil
import subprocess
import time
from typing import NamedTuple

from servers import ROOT, Before, Distribution, Varve

BIN = ROOT / "build/release/bin"
LOAD = os.environ.get("VARVE_LOAD_IMAGES", str(BIN / "varve_load_images"))
CLIENT = os.environ.get("VARVE", str(BIN / "varve"))
SMALLER = os.environ.get("VARVE_HALF_IMAGES")
IDLE_SECONDS = float(os.environ.get("VARVE_HALF_IDLE_SECONDS", "20"))
PROMISE_SECONDS = 5
LEAD_SECONDS = 2  # of clients alone, not counted, before a part that counts
OWN_BLOBS = 5  # of an image, beside its manifest: benchmarks/images/image_set.h
OWN_FILE_BYTES = 72 * 1024  # what they take of the disk as files
CONNECTIONS = 8
SAMPLE = 1000  # of the images that keep their tag
# So few operations have no such percentile.
LEAST_FOR_P99, LEAST_FOR_P999 = 100, 1000


class ShortPromise(Varve):
    """varved with a promise time that a benchmark can wait for: what was pushed stays so long."""

    def command(self):
        # A fresh store is one more reason to wait one promise time, and no more than that.
        return ["env", f"VARVE_RECLAIM_PROMISE={PROMISE_SECONDS}s",
                f"VARVE_RECLAIM_RENEW={PROMISE_SECONDS}s", *super().command()]


class BeforeWithShortPromise(Before):
    """The same of a build that may not have the second setting."""

    def command(self):
        return ["env", f"VARVE_RECLAIM_PROMISE={PROMISE_SECONDS}s", *super().command()]


# --- what operations took ------------------------------------------------------------------------

def percentile(ascending, share):
    """As varve_load takes it: the nearest of the list. None of an empty one."""
    if not ascending:
        return None
    return ascending[int(share * (len(ascending) - 1) + 0.5)]


def latencies(operations, begin, end):
    """{kind, and "all": ascending milliseconds} of those due in [begin, end) that succeeded."""
    found = {"all": [], "push": [], "pull": []}
    for operation in operations:
        if operation["ok"] and begin <= operation["due"] < end:
            found[operation["kind"]].append(operation["ms"])
            found["all"].append(operation["ms"])
    return {kind: sorted(values) for kind, values in found.items()}


def percentiles(ascending):
    """{name: value} of those that so many operations have."""
    named = {"p50": 0.5}
    if len(ascending) >= LEAST_FOR_P99:
        named["p99"] = 0.99
    if len(ascending) >= LEAST_FOR_P999:
        named["p99.9"] = 0.999
    return {name: percentile(ascending, share) for name, share in named.items() if ascending}


def compare_latencies(idle, beside):
    """The figures of clients: each percentile of each kind when idle, beside, and their ratio."""
    figures = {}
    for kind in idle:
        alone, together = percentiles(idle[kind]), percentiles(beside[kind])
        for name in together:
            if name not in alone:
                continue
            figures[f"{kind} {name} idle ms"] = alone[name]
            figures[f"{kind} {name} beside ms"] = together[name]
            figures[f"{kind} {name} beside ÷ idle"] = together[name] / alone[name]
    return figures


# --- what a process used -------------------------------------------------------------------------

def used(pid):
    """CPU seconds and written bytes of a process so far, and its peak resident memory."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    lines = pathlib.Path(f"/proc/{pid}/io").read_text().splitlines()
    io = dict(line.split(": ") for line in lines)
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    peak = status.partition("VmHWM:")[2].split()[0]
    return {"cpu": sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK"),
            "written": int(io["write_bytes"]), "peak": int(peak) * 1024}


def disk_flushes():
    """Of all disks since the start: field 16 of their statistics."""
    return sum(int((disk / "stat").read_text().split()[15])
               for disk in pathlib.Path("/sys/block").iterdir() if (disk / "device").exists())


def file_bytes(directory):
    """What the files below take of the disk."""
    total = 0
    for folder, _, names in os.walk(directory):
        total += sum(os.stat(os.path.join(folder, name)).st_blocks * 512 for name in names)
    return total


# --- clients -------------------------------------------------------------------------------------

class Clients:
    """varve_load_images against one server."""

    def __init__(self, server, seed, images, rate):
        self.server = server
        self.images = images
        self.rate = rate
        self.next_new = 0
        self.pushed = []  # beside those of fill
        self.common = [LOAD, "--port", str(server.port), "--server-pid", str(server.process.pid),
                       "--seed", str(seed), "--images", str(images), "--connections",
                       str(CONNECTIONS)]

    def run(self, *arguments, text=""):
        done = subprocess.run([*self.common, *map(str, arguments)], input=text,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        return [json.loads(line) for line in done.stdout.splitlines()]

    def beside(self, work):
        """Pushes and pulls while `work` runs: what came of it."""
        traffic = subprocess.Popen(
            [*self.common, "traffic", "--rate", str(self.rate), "--first-new", str(self.next_new)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            time.sleep(LEAD_SECONDS)
            begin = time.monotonic()
            result = work()
            end = time.monotonic()
            output, errors = traffic.communicate()
        finally:
            traffic.kill()
        if traffic.returncode != 0:
            raise RuntimeError(f"varve_load_images: {errors.strip()}")
        operations = [json.loads(line) for line in output.splitlines()]
        pushed = [one["image"] for one in operations if one["kind"] == "push" and one["ok"]]
        self.next_new += sum(one["kind"] == "push" for one in operations)
        self.pushed += pushed
        return Beside(latencies(operations, begin, end), end - begin, result, len(pushed),
                      sum(not one["ok"] for one in operations), errors.partition("\n")[0])

    def lost(self):
        """How many images that were pushed beside something, every request of it answered well,
        are not whole; RuntimeError when one is not that was there before."""
        return len(self.run("check", "--sample", SAMPLE,
                            text="\n".join(str(number) for number in self.pushed)))


class Beside(NamedTuple):
    latencies: dict  # of what was due meanwhile
    seconds: float
    result: object  # of the work
    pushed: int  # images, from the first to the last request
    failed: int  # pushes and pulls
    failure: str  # the first


def settle():
    """Until what the filling left behind is done: promises end, rows of the queue are dropped."""
    time.sleep(PROMISE_SECONDS + 10 if SMALLER is None else PROMISE_SECONDS + 3)


# --- varve ---------------------------------------------------------------------------------------

def prune(socket):
    """The report of `varve image prune --force` with the images it named."""
    done = subprocess.run(
        [CLIENT, "--address", f"unix://{socket}", "image", "prune", "--force", "--json"],
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"varve image prune: {done.stderr.strip()}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return lines[-1] | {"named": sum("deleted" in line for line in lines)}


def expect(what, found, expected):
    if found != expected:
        raise RuntimeError(f"{what}: {found}, expected {expected}")


def expect_removed(report, images, bytes_missed):
    """Whether a prune removed `images` images with their blobs and told what it did, but for what a
    promise puts off: two digests may share a place among the promises, and then the later end
    counts for both."""
    expect("images named", report["named"], report["images"])
    if not images - report["deferred"] <= report["images"] <= images:
        expect("images removed", report["images"], images)
    # The files that are left, or less: what was put off may have gone since.
    most = report["freed_bytes"] + report.get("deferred_bytes", 0)
    for what, found in (("bytes that du misses", bytes_missed),
                        ("bytes of the files", report["images"] * OWN_FILE_BYTES)):
        if not report["freed_bytes"] <= found <= most:
            expect(f"freed bytes and {what}", report["freed_bytes"], found)


def expect_no_failures(part):
    if part.failed:
        raise RuntimeError(f"{part.failed} pushes or pulls failed: {part.failure}")


def prune_varve(kind, name, seed, work_dir, images, rate):
    with kind(os.path.abspath(f"{work_dir}/{name}-{kind.name}")) as server:
        pid = server.process.pid
        blobs = f"{server.directory}/store/blobs"
        clients = Clients(server, seed, images, rate)
        filled = clients.run("fill")
        settle()
        start = used(pid)
        idle = clients.beside(lambda: time.sleep(IDLE_SECONDS))
        idle_cpu = (used(pid)["cpu"] - start["cpu"]) / (idle.seconds + LEAD_SECONDS)
        expect_no_failures(idle)
        bytes_before = file_bytes(blobs)

        def work():
            before, flushes = used(pid), disk_flushes()
            report = prune(f"{server.directory}/varve.sock")
            return report, before, used(pid), disk_flushes() - flushes

        beside = clients.beside(work)
        expect_no_failures(beside)
        report, before, after, flushes = beside.result
        freed = bytes_before + beside.pushed * OWN_FILE_BYTES - file_bytes(blobs)
        expect_removed(report, images // 2, freed)
        removed = report["images"]
        expect("images lost", clients.lost(), 0)
        return results(name, idle, beside, store_bytes=server.store_bytes(), removal={
            "operations": removed, "wall_seconds": beside.seconds, "disk_flushes": flushes,
            "cpu_seconds": after["cpu"] - before["cpu"], "peak_rss_bytes": after["peak"],
            "written_bytes": after["written"] - before["written"],
            "wall s": beside.seconds, "images": removed, "blobs": removed * OWN_BLOBS,
            "freed MB": freed / 1e6,
            "CPU s without clients": max(
                0, after["cpu"] - before["cpu"] - idle_cpu * beside.seconds),
        }, clients={
            "pushed meanwhile": beside.pushed, "failed meanwhile": 0, "lost": 0,
            "fill s": sum(one["wall_seconds"] for one in filled)})


def results(name, idle, beside, store_bytes, removal, clients):
    """The measurement of the removal and that of the clients: what they did in a second must be
    about the rate that was asked for, when idle and beside."""
    common = {"connections": CONNECTIONS, "operations": 0, "bytes": 0, "wall_seconds": 0,
              "cpu_seconds": 0, "written_bytes": 0, "peak_rss_bytes": 0, "disk_flushes": 0,
              "store_bytes": store_bytes}
    everything = beside.latencies["all"]
    common |= {key: percentile(everything, share) or 0
               for key, share in (("p50_ms", 0.5), ("p99_ms", 0.99), ("p999_ms", 0.999))}
    served = {"per second idle": len(idle.latencies["all"]) / idle.seconds,
              "per second beside": len(everything) / beside.seconds}
    of_clients = f"{name}_clients"
    return {name: common | {"name": name} | removal,
            of_clients: common | {"name": of_clients} | served |
            compare_latencies(idle.latencies, beside.latencies) | clients}


# --- the rival -----------------------------------------------------------------------------------

def collect_garbage(program, config):
    """(wall seconds, CPU seconds, what it said when it failed) of docker-registry's garbage
    collector."""
    begin = time.monotonic()
    with open(f"{config}.log", "wb") as log:
        process = subprocess.Popen([program, "garbage-collect", "--delete-untagged", config],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    said = pathlib.Path(f"{config}.log").read_text(errors="replace")[-300:]
    return (time.monotonic() - begin, usage.ru_utime + usage.ru_stime,
            said if process.returncode else None)


def prune_distribution(name, seed, work_dir, images, rate):
    directory = os.path.abspath(f"{work_dir}/{name}-distribution")
    with Distribution(directory) as server:
        clients = Clients(server, seed, images, rate)
        filled = clients.run("fill")
        # The same garbage once more, for the collector alone.
        copied = f"{directory}/copy"
        shutil.copytree(f"{directory}/store", copied)
        serving, offline = (pathlib.Path(directory, f"{one}.yml") for one in ("config", "offline"))
        offline.write_text(serving.read_text().replace(f"{directory}/store", copied))
        bytes_before, flushes = file_bytes(f"{copied}/docker/registry/v2/blobs"), disk_flushes()
        seconds, cpu_seconds, error = collect_garbage(server.program(), str(offline))
        if error:
            raise RuntimeError(f"garbage-collect failed: {error}")
        flushes = disk_flushes() - flushes
        freed = bytes_before - file_bytes(f"{copied}/docker/registry/v2/blobs")
        shutil.rmtree(copied)
        idle = clients.beside(lambda: time.sleep(IDLE_SECONDS))
        beside = clients.beside(lambda: collect_garbage(server.program(), str(serving)))
        # What fails or is missing afterwards is no failure of the workload: it is counted. The
        # collector itself ends with an error when it reads a tag that is being written.
        lost = clients.lost()
        removed = images // 2
        return results(name, idle, beside, store_bytes=server.store_bytes(), removal={
            "operations": removed, "wall_seconds": seconds, "disk_flushes": flushes,
            "cpu_seconds": cpu_seconds, "wall s": seconds, "images": removed,
            "blobs": removed * OWN_BLOBS, "freed MB": freed / 1e6,
            "CPU s without clients": cpu_seconds,
        }, clients={
            "pushed meanwhile": beside.pushed, "failed meanwhile": beside.failed, "lost": lost,
            "removal s": beside.seconds,
            "removal failed": int(beside.result[2] is not None),
            "fill s": sum(one["wall_seconds"] for one in filled)})


REMOVALS = {"varve": functools.partial(prune_varve, ShortPromise),
            "before": functools.partial(prune_varve, BeforeWithShortPromise),
            "distribution": prune_distribution}


def prune_half(server, seed, work_dir):
    if server.name == "distribution":  # hours
        return None
    one = REMOVALS.get(server.name)
    return one and one("prune_half", seed, work_dir, int(SMALLER or 20_000), 200)


def prune_half_2k(server, seed, work_dir):
    one = REMOVALS.get(server.name)
    return one and one("prune_half_2k", seed, work_dir, int(SMALLER or 2000), 40)


WORKLOADS = {"prune_half": prune_half, "prune_half_2k": prune_half_2k}
MEASURES = {name: (name, f"{name}_clients") for name in WORKLOADS}

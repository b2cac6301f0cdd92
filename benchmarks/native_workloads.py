#!/usr/bin/env python3
"""The workloads of the native API and of a store with a million blobs.

Each entry of WORKLOADS takes a running server of servers.py, the seed of its round and a folder
that lasts for all rounds of a run, and gives {measurement: its figures, as varve_load prints them},
or None when the workload is not for servers of that kind. Alone, this file runs one of them:

    benchmarks/native_workloads.py WORKLOAD [--rival containerd] [--rounds N] [--dir D]

VARVE_FILL_BLOBS=10000 in the environment makes the large store smaller.
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time

from servers import ROOT, SERVERS, free_port

BIN = ROOT / "build/release/bin"
LOAD = os.environ.get("VARVE_LOAD_NATIVE", str(BIN / "varve_load_native"))
HTTP_LOAD = os.environ.get("VARVE_LOAD", str(BIN / "varve_load"))
FILL = os.environ.get("VARVE_FILL_STORE", str(BIN / "varve_fill_store"))
BLOBS = int(os.environ.get("VARVE_FILL_BLOBS", "1000000"))
OPENINGS = 5  # of a store, per kind
IDLE_SECONDS = 5
NOT_FOR_THIS_SERVER = 3


def load(*arguments):
    """Runs varve_load_native; the measurements by name, or None."""
    done = subprocess.run([LOAD, *map(str, arguments)], capture_output=True, text=True,
                          check=False)
    if done.returncode == NOT_FOR_THIS_SERVER:
        return None
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    measurements = [json.loads(line) for line in done.stdout.splitlines()]
    return {measurement["name"]: measurement for measurement in measurements}


def over_socket(workload):
    """The workload of varve_load_native of that name, over the server's unix socket."""

    def run(server, seed, _work_dir):
        if server.name not in ("varve", "containerd"):
            return None
        path = f"{server.directory}/{'containerd' if server.name == 'containerd' else 'varve'}.sock"
        flags = ["--containerd"] if server.name == "containerd" else []
        return load("--socket", os.path.abspath(path), "--server-pid", server.process.pid,
                    "--seed", seed, *flags, workload)

    return run


class LargeStore:
    """varved on the filled store of a work folder, which is filled when it is not there yet."""

    def __init__(self, work_dir):
        self.data_dir = pathlib.Path(work_dir, f"filled-{BLOBS}")
        self.port = free_port()
        self.process = None
        if self.data_dir.exists():
            return
        partial = f"{self.data_dir}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        subprocess.run([FILL, partial, "--blobs", str(BLOBS)], check=True,
                       stdout=subprocess.DEVNULL)
        os.sync()
        os.rename(partial, self.data_dir)

    def start(self):
        """Starts varved; how many seconds until it answered a request and until it said ready."""
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            [SERVERS["varve"].binary(), "--data-dir", str(self.data_dir), "--registry",
             f"127.0.0.1:{self.port}", "--socket", f"{self.data_dir}.sock"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said_ready = []
        listener = threading.Thread(target=self._listen, args=(begin, said_ready), daemon=True)
        listener.start()
        answered = self._first_answer(begin)
        while not said_ready and listener.is_alive():
            time.sleep(0.001)
        return answered, said_ready[0]

    def _listen(self, begin, said_ready):
        for line in self.process.stdout:  # to its end, so that the pipe never fills
            if b"ready" in line and not said_ready:
                said_ready.append(time.perf_counter() - begin)

    def _first_answer(self, begin):
        while self.process.poll() is None:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
                # The first image of the plan of varve_fill_store.
                connection.request("HEAD", "/v2/team-00/service-00000/manifests/1.0.0", headers={
                    "Accept": "application/vnd.oci.image.manifest.v1+json"})
                status = connection.getresponse().status
                connection.close()
                if status != 200:
                    raise RuntimeError(f"the filled store answers {status}")
                return time.perf_counter() - begin
            except ConnectionError:
                time.sleep(0.001)
        raise RuntimeError("varved ended instead of opening the filled store")

    def stop(self, with_signal=signal.SIGTERM):
        self.process.send_signal(with_signal)
        self.process.wait(120)

    def memory(self, key):
        """A "Vm…" line of the process in bytes."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError(f"no {key}")

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2]
        return sum(map(int, fields.split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def push_until(self, with_signal, seconds, seed):
        """Puts manifests for a while and ends the daemon in the middle of it."""
        pushing = subprocess.Popen(
            [HTTP_LOAD, "--port", str(self.port), "--server-pid", str(self.process.pid), "--seed",
             str(seed), "manifests"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        self.stop(with_signal)
        pushing.wait(120)

    def forget_pages(self):
        """Takes the index out of the page cache: what the next start reads comes from the disk.
        Directories and inodes stay: only root could drop those."""
        os.sync()
        for path in pathlib.Path(self.data_dir, "index").iterdir():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def measurement(name, seconds, cpu_seconds, peak_rss_bytes, **more):
    """The figures of operations that took `seconds` each, in the form of varve_load."""
    ordered = sorted(seconds)
    return {name: {"name": name, "connections": 1, "operations": len(seconds), "bytes": 0,
                   "wall_seconds": sum(seconds), "cpu_seconds": cpu_seconds, "written_bytes": 0,
                   "peak_rss_bytes": peak_rss_bytes, "disk_flushes": 0,
                   "p50_ms": statistics.median(ordered) * 1000, "p99_ms": ordered[-1] * 1000,
                   "p999_ms": ordered[-1] * 1000} | more}


def reopen_1m(server, seed, work_dir):
    """From exec to the first answer and to the ready line, each time after two seconds of pushes
    that a SIGTERM or SIGKILL cut off."""
    if server.name != "varve":
        return None
    store = LargeStore(work_dir)
    store.start()
    results = {}
    pushes = random.Random(seed)
    for kind, with_signal in (("term", signal.SIGTERM), ("kill", signal.SIGKILL)):
        for cache in ("warm", "cold"):
            answers, readies, cpu, peak = [], [], 0.0, 0
            for _ in range(OPENINGS):
                store.push_until(with_signal, 2, pushes.randrange(1 << 30))
                if cache == "cold":
                    store.forget_pages()
                answered, ready = store.start()
                answers.append(answered)
                readies.append(ready)
                cpu += store.cpu_seconds()
                peak = max(peak, store.memory("VmHWM"))
            name = f"reopen_1m_{kind}_{cache}"
            results |= measurement(name, answers, cpu, peak)
            results |= measurement(f"{name}_ready", readies, cpu, peak)
    store.stop()
    return results


def idle_memory_1m(server, _seed, work_dir):
    """Resident memory after the open, 1,000 reads all over the store and five idle seconds; then
    while eight connections read all over it. "peak_rss_bytes" is the largest since the start,
    "rss_bytes" that of the moment."""
    if server.name != "varve":
        return None
    store = LargeStore(work_dir)
    begin = store.start()
    target = ("--port", store.port, "--server-pid", store.process.pid, "--blobs", BLOBS)
    load(*target, "reads")
    time.sleep(IDLE_SECONDS)
    results = measurement("idle_memory_1m", [begin[0]], store.cpu_seconds(),
                          store.memory("VmHWM"), rss_bytes=store.memory("VmRSS"))
    busy = load(*target, "--connections", 8, "--operations", 400_000, "reads")["reads"]
    results["reads_1m"] = busy | {"name": "reads_1m", "rss_bytes": store.memory("VmRSS")}
    time.sleep(IDLE_SECONDS)
    results |= measurement("idle_memory_1m_after_reads", [begin[0]], store.cpu_seconds(),
                           store.memory("VmHWM"), rss_bytes=store.memory("VmRSS"))
    store.stop()
    return results


WORKLOADS = {
    "grpc_write": over_socket("grpc_write"),
    "grpc_read": over_socket("grpc_read"),
    "find_missing": over_socket("find_missing"),
    "reopen_1m": reopen_1m,
    "idle_memory_1m": idle_memory_1m,
}
# Their measurements, where those have other names than the workload.
MEASURES = {
    "find_missing": ("find_missing", "find_missing_digests"),
    "reopen_1m": tuple(f"reopen_1m_{end}_{cache}{what}" for end in ("term", "kill")
                       for cache in ("warm", "cold") for what in ("", "_ready")),
    "idle_memory_1m": ("idle_memory_1m", "reads_1m", "idle_memory_1m_after_reads"),
}


def main():
    from containerd_server import Containerd  # only for a run of this file alone

    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--rival", choices=["containerd"])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--dir", default=".", help="on which disk; a filled store there is kept")
    options = parser.parse_args()
    classes = [SERVERS["varve"]] + ([Containerd] if options.rival else [])
    for number in range(options.rounds):
        for server_class in classes if number % 2 == 0 else classes[::-1]:
            with tempfile.TemporaryDirectory(dir=options.dir, prefix="native-") as scratch:
                with server_class(os.path.abspath(f"{scratch}/{server_class.name}")) as server:
                    found = WORKLOADS[options.workload](
                        server, random.randrange(1 << 30), os.path.abspath(options.dir))
            for one in (found or {}).values():
                print(json.dumps({"server": server_class.name} | one), flush=True)


if __name__ == "__main__":
    main()

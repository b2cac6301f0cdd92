#!/usr/bin/env python3
"""Writes and reads one blob through the native gRPC API, beside a push and pull over HTTP.

Each round runs both doors of varved one after the other, A B then B A, each time on a fresh daemon
with a fresh store on the same disk and with bytes that no round before had. The gRPC side is the
`varve` command (which hashes what it sends and what it gets) over the unix socket; the HTTP side is
the lean client of one_layer.py. Writes are durable when they are timed. Printed per metric: median
(min-max). CPU is user + system of the server process, and for gRPC of the client, from the kernel.
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import tempfile
import time

import one_layer

METRICS = ("write MB/s", "write CPU-s/GB", "read MB/s", "read CPU-s/GB", "client write CPU-s/GB",
           "client read CPU-s/GB", "peak RSS MB")


def varve(socket, *arguments):
    """Runs the command line; returns what it printed and its CPU seconds."""
    binary = os.environ.get("VARVE", str(one_layer.ROOT / "build/release/bin/varve"))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    to = subprocess.DEVNULL if arguments[1] == "get" else subprocess.PIPE
    ran = subprocess.run([binary, "--address", f"unix://{socket}", *arguments], check=True,
                         stdout=to)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (ran.stdout or b"").decode().strip(), cpu


def over_grpc(server, path, digest):
    socket = os.path.abspath(f"{server.directory}/varve.sock")

    def write():
        printed, cpu = varve(socket, "blob", "put", path)
        if printed != digest:
            raise RuntimeError(f"the store has {printed}, not {digest}")
        return cpu

    return write, lambda: varve(socket, "blob", "get", digest)[1]


def over_http(server, path, digest):
    client = one_layer.Client(server.port)
    return lambda: client.push(path, digest), lambda: client.pull(digest)


def measure(door, directory, mib):
    layer = f"{directory}.layer"
    digest = one_layer.make_layer(layer, mib << 20)
    os.sync()
    gigabytes = (mib << 20) / 1e9
    figures = {}
    with one_layer.Server("varve", directory) as server:
        write, read = (over_grpc if door == "grpc" else over_http)(server, layer, digest)
        for action, run in (("write", write), ("read", read)):
            cpu, start = server.cpu_seconds(), time.perf_counter()
            client_cpu = run()
            seconds = time.perf_counter() - start
            figures[f"{action} MB/s"] = gigabytes * 1000 / seconds
            figures[f"{action} CPU-s/GB"] = (server.cpu_seconds() - cpu) / gigabytes
            if client_cpu is not None:
                figures[f"client {action} CPU-s/GB"] = client_cpu / gigabytes
        figures["peak RSS MB"] = server.peak_rss_mb()
    pathlib.Path(layer).unlink()
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mib", type=int, default=512, help="size of the blob")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dir", default=".", help="where stores and blobs are made")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rounds = {"grpc": [], "http": []}
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="grpc-transfer-") as work:
        measure("grpc", f"{work}/warm-up", 16)
        for number in range(options.rounds):
            order = ["grpc", "http"]
            for door in order if number % 2 == 0 else order[::-1]:
                rounds[door].append(measure(door, f"{work}/{door}{number}", options.mib))
    if options.json:
        print(json.dumps(rounds, indent=1))
        return
    print(f"{options.mib} MiB, 1 connection, {options.rounds} rounds: median (min-max)")
    for metric in METRICS:
        line = f"{metric:22}"
        for door, measured in rounds.items():
            values = [figures[metric] for figures in measured if metric in figures]
            if values:
                line += f"  {door} {one_layer.summarise(values)}"
        if metric in rounds["http"][0]:
            ratio = statistics.median(ours[metric] / theirs[metric] for ours, theirs in
                                      zip(rounds["grpc"], rounds["http"]) if theirs[metric])
            line += f"  ratio {ratio:.2f}"
        print(line)


if __name__ == "__main__":
    main()

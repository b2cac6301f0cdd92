#!/usr/bin/env python3
"""Pushes and pulls one large layer: Varve beside Debian's docker-registry, alternated in one run.

Each round runs both servers one after the other, A B then B A, each on a fresh store on the same
disk. The client sends the file with sendfile(2), hashes nothing while timed, and uses POST, one
PATCH, PUT, as docker does. Printed per metric: median (min-max) and the median of the paired
ratios. Server CPU is user + system of the server process, from /proc.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TICKS = os.sysconf("SC_CLK_TCK")
ROOT = pathlib.Path(__file__).resolve().parent.parent
METRICS = ("push MB/s", "push CPU-s/GB", "pull MB/s", "pull CPU-s/GB", "peak RSS MB")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One server process on a fresh data directory; stopped and removed at exit."""

    def __init__(self, name, directory):
        self.port = free_port()
        self.directory = directory
        os.makedirs(directory)
        command = varve_command if name == "varve" else registry_command
        self.process = subprocess.Popen(command(self.port, directory), stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self.wait_until_ready()

    def wait_until_ready(self):
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("the server does not listen")

    def cpu_seconds(self):
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(stat[11]) + int(stat[12])) / TICKS

    def peak_rss_mb(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
        return 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        shutil.rmtree(self.directory)
        os.sync()


def varve_command(port, directory):
    binary = os.environ.get("VARVED", str(ROOT / "build/release/bin/varved"))
    return [binary, "--data-dir", f"{directory}/store", "--registry", f"127.0.0.1:{port}",
            "--socket", f"{directory}/varve.sock"]


def registry_command(port, directory):
    config = pathlib.Path(directory, "config.yml")
    config.write_text(f"version: 0.1\nlog: {{level: warn, accesslog: {{disabled: true}}}}\n"
                      f"storage: {{filesystem: {{rootdirectory: {directory}/store}}}}\n"
                      f"http: {{addr: '127.0.0.1:{port}'}}\n")
    return ["docker-registry", "serve", str(config)]


class Client:
    """A minimal HTTP client over one connection, so that the client costs as little as it can."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.buffer = bytearray(1 << 20)

    def send_head(self, method, target, length=0):
        self.socket.sendall(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n"
                            "Content-Type: application/octet-stream\r\n"
                            f"Content-Length: {length}\r\n\r\n".encode())

    def read_reply(self):
        """Returns (status, headers); drops the body, whose length is in the headers."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.socket.recv(65536)
            if not piece:
                raise RuntimeError("the server closed the connection")
            data += piece
        head, body = data.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        headers = dict((k.lower(), v) for k, v in (line.split(": ", 1) for line in lines[1:]))
        left = int(headers.get("content-length", 0)) - len(body)
        while left > 0:
            left -= self.socket.recv_into(self.buffer, min(left, len(self.buffer)))
        return int(lines[0].split()[1]), headers

    def request(self, method, target, expected, length=0):
        self.send_head(method, target, length)
        status, headers = self.read_reply()
        if status != expected:
            raise RuntimeError(f"{method} {target}: {status}, expected {expected}")
        return headers

    def push(self, path, digest):
        location = self.request("POST", "/v2/bench/layer/blobs/uploads/", 202)["location"]
        target = location[location.index("/v2/"):]
        size = os.path.getsize(path)
        self.send_head("PATCH", target, size)
        with open(path, "rb") as file:
            sent = 0
            while sent < size:
                sent += os.sendfile(self.socket.fileno(), file.fileno(), sent, size - sent)
        status, headers = self.read_reply()
        if status != 202:
            raise RuntimeError(f"PATCH: {status}")
        target = headers["location"][headers["location"].index("/v2/"):]
        self.request("PUT", f"{target}{'&' if '?' in target else '?'}digest={digest}", 201)

    def pull(self, digest):
        self.request("GET", f"/v2/bench/layer/blobs/{digest}", 200)


def measure(name, directory, path, digest):
    gigabytes = os.path.getsize(path) / 1e9
    with Server(name, directory) as server:
        client = Client(server.port)
        figures = {}
        for action, run in (("push", lambda: client.push(path, digest)),
                            ("pull", lambda: client.pull(digest))):
            cpu, start = server.cpu_seconds(), time.perf_counter()
            run()
            seconds = time.perf_counter() - start
            figures[f"{action} MB/s"] = gigabytes * 1000 / seconds
            figures[f"{action} CPU-s/GB"] = (server.cpu_seconds() - cpu) / gigabytes
        figures["peak RSS MB"] = server.peak_rss_mb()
        return figures


def make_layer(path, size):
    """Random bytes, so that nothing on the way can compress them; returns the digest."""
    sha256 = hashlib.sha256()
    with open(path, "wb") as file:
        for _ in range(size >> 20):
            piece = os.urandom(1 << 20)
            sha256.update(piece)
            file.write(piece)
    return f"sha256:{sha256.hexdigest()}"


def summarise(values):
    return f"{statistics.median(values):9.2f} ({min(values):.2f}-{max(values):.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mib", type=int, default=1024, help="size of the layer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dir", default=".", help="where stores and layer are made")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if shutil.which("docker-registry") is None:
        sys.exit("docker-registry is missing: apt-get install docker-registry")
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="one-layer-") as work:
        layer = f"{work}/layer"
        digest = make_layer(layer, options.mib << 20)
        measure("varve", f"{work}/warm-up", layer, digest)
        rounds = {"varve": [], "docker-registry": []}
        for number in range(options.rounds):
            order = ["varve", "docker-registry"]
            for name in order if number % 2 == 0 else order[::-1]:
                rounds[name].append(measure(name, f"{work}/{name}", layer, digest))
    if options.json:
        print(json.dumps(rounds, indent=1))
        return
    print(f"{options.mib} MiB, 1 connection, {options.rounds} rounds: median (min-max)")
    for metric in METRICS:
        ours = [figures[metric] for figures in rounds["varve"]]
        theirs = [figures[metric] for figures in rounds["docker-registry"]]
        ratio = statistics.median(a / b for a, b in zip(ours, theirs) if b)
        print(f"{metric:15} varve {summarise(ours)}  docker-registry {summarise(theirs)}"
              f"  ratio {ratio:.2f}")


if __name__ == "__main__":
    main()

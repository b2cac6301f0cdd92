#!/usr/bin/env python3
"""Prunes without pause while 16 clients push and pull images that share layers, and SIGKILLs.

A real varved: registry API for pushes and pulls, `varve` for prunes, holds, rmi. No pull of an
image that a tag or a hold keeps may fail, no prune may take one, and no manifest may be refused for
a blob that its client was told to exist within the promise time. In some lives of the daemon prunes
take every image that no hold names, in the others what dangles and what is in one repository. At
the end df, du, the files, the names and fsck must agree. Delays and pushes come from a seed.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from daemon import Daemon
from harness import scratch_folder
from registry import Registry
from soak_accounts import settle_accounts
from soak_client import BaseLayers, Client, Lives, Violation
from soak_model import DISPOSABLE, Counts, SoakModel

CLIENTS = 16
PRUNERS = 2
PROMISE_SECONDS = 1
UPLOAD_EXPIRY_SECONDS = 5
SHORTEST_ROUND_SECONDS = 0.3
PRUNES = [
    [],
    ["-a", "--filter", f"reference={DISPOSABLE}"],
    ["--filter", "until=1h"],
    ["-a", "--filter", f"reference={DISPOSABLE}:c1*", "--filter", "unused-for=1s"],
    ["-a", "--filter", f"label=kind={DISPOSABLE}", "--filter", "keep-last=2"],
    ["--filter", "label!=kind=nothing"],
    ["-a", "--dry-run"],
]
PRUNES_OF_ALL = [["-a"], ["-a", "--filter", "until=1h"], [], ["-a", "--filter", "label!=no=thing"]]


class EqualPrunes:
    """Since when the prunes run that ask for the same: the later ones attach to the first, and are
    told what it took before they came. Thread-safe."""

    def __init__(self):
        self._lock = threading.Lock()
        self._running = {}  # arguments -> [how many, monotonic begin of the first]

    def begins(self, arguments):
        """When the prune began that this one follows, or now."""
        with self._lock:
            running = self._running.setdefault(tuple(arguments), [0, time.monotonic()])
            running[0] += 1
            return running[1]

    def ends(self, arguments):
        with self._lock:
            running = self._running[tuple(arguments)]
            running[0] -= 1
            if running[0] == 0:
                del self._running[tuple(arguments)]


class Pruner(threading.Thread):
    """Runs one prune after the other until the daemon is killed."""

    def __init__(self, daemon, lives, model, counts, seed, prunes, equal):
        super().__init__(name="pruner")
        self.error = None
        self._daemon = daemon
        self._lives = lives
        self._life = lives.number
        self._model = model
        self._counts = counts
        self._source = random.Random(seed)
        self._prunes = prunes
        self._equal = equal

    def run(self):
        try:
            while self._lives.number == self._life and not self._lives.ending.is_set():
                arguments = self._source.choice(self._prunes)
                begin = self._equal.begins(arguments)
                try:
                    self._prune(arguments, begin)
                finally:
                    self._equal.ends(arguments)
        except Exception as error:  # reported by the main thread
            self.error = error

    def _prune(self, arguments, begin):
        """`begin`: since when an image must be kept that it may not take."""
        done = subprocess.run(
            [*self._daemon.command, "image", "prune", "--force", "--json", *arguments],
            check=False, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            if self._lives.number != self._life:
                return
            raise Violation(f"prune {arguments}: {done.stderr}")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        for line in lines[:-1]:
            if "deleted" not in line:
                continue
            repository, digest = line["deleted"].split("@")
            if self._model.kept_since(repository, digest, begin):
                raise Violation(f"prune {arguments} took {line}, which a tag or a hold keeps")
        report = lines[-1]
        if not report["dry_run"]:
            # An equal prune attaches to one that runs, and tells the same images again.
            self._counts.add("images pruned, as told", report["images"])
            self._counts.add("bytes freed, as told", report["freed_bytes"])
        for name in ("deferred", "skipped"):
            self._counts.add(f"{name} by prunes", report[name])
        self._counts.add("prunes")


def check_all(client, daemon, model):
    """After a restart, beside the clients: what is kept is there, what was removed is not."""
    for image, version, tags in model.all_kept():
        for name in [*tags, image.digest]:
            client.check_pull(image, name, version)
    registry = Registry(daemon.address)
    for name in model.gone():
        repository, reference = name
        status = registry.get_manifest(repository, reference).status
        if status != 404 and model.is_gone(name):
            raise Violation(f"{repository} {reference} was removed, and is there: {status}")
    registry.close()


class Soak:
    def __init__(self, binaries, folder, seed):
        self._source = random.Random(seed)
        self._lives, self._model, self._counts = Lives(), SoakModel(), Counts()
        self._daemon = Daemon(binaries, folder, RECLAIM_INTERVAL="100ms",
                              RECLAIM_UPLOAD_EXPIRY=f"{UPLOAD_EXPIRY_SECONDS}s",
                              RECLAIM_PROMISE=f"{PROMISE_SECONDS}s",
                              RECLAIM_RENEW=f"{PROMISE_SECONDS}s")
        bases = BaseLayers(seed)
        self._clients = [self._client(number, bases) for number in range(CLIENTS)]
        self._checker = self._client(CLIENTS, bases)  # never started: the main thread uses it
        self._threads = list(self._clients)
        self._starts = []

    def _client(self, number, bases):
        return Client(number, self._source.getrandbits(64), self._daemon, self._lives, self._model,
                      self._counts, bases, PROMISE_SECONDS)

    def run(self, rounds, longest_seconds):
        try:
            self._lives.up.set()
            for client in self._clients:
                client.start()
            for number in range(rounds):
                last = number + 1 == rounds
                self._round(number, longest_seconds, number % 3 == 2 and not last)
            self._stop_clients()
            sentences = settle_accounts(self._daemon, self._model)
            self._lives.ends()
            self._daemon.stop()
            self._daemon.start()
            self._lives.up.set()
            check_all(self._checker, self._daemon, self._model)
            self._daemon.stop()
            return sentences
        finally:
            self._lives.ending.set()
            self._lives.up.set()
            self._lives.number += 1
            self._daemon.kill()
            for thread in self._threads:
                thread.join()

    def _round(self, number, longest_seconds, prunes_all):
        """One life of the daemon, from its start to its SIGKILL."""
        if number > 0:
            self._lives.ends()
            self._daemon.kill()
            self._counts.add("kills")
            self._model.life_begins(prunes_all)
            self._starts.append(self._daemon.start())
            self._lives.up.set()
        prunes, equal = PRUNES_OF_ALL if prunes_all else PRUNES, EqualPrunes()
        pruners = [Pruner(self._daemon, self._lives, self._model, self._counts,
                          self._source.getrandbits(64), prunes, equal)
                   for _ in range(PRUNERS)]
        for pruner in pruners:
            pruner.start()
        self._threads = self._clients + pruners
        seconds = self._source.uniform(SHORTEST_ROUND_SECONDS, longest_seconds)
        end = time.monotonic() + seconds
        if number > 0:
            check_all(self._checker, self._daemon, self._model)
        while time.monotonic() < end:
            time.sleep(min(0.2, max(0, end - time.monotonic())))
            self._raise_errors()
        self._counts.add("seconds", seconds)

    def _raise_errors(self):
        for thread in self._threads:
            if thread.error is not None:
                raise thread.error

    def _stop_clients(self):
        self._lives.ending.set()
        for thread in self._threads:
            thread.join()
        self._raise_errors()

    def note(self):
        counts = self._counts
        parts = [f"{counts[name]} {name}" for name in (
            "images pushed", "indexes pushed", "manifests put",
            "manifests refused after the promise time", "told that a blob exists", "blobs mounted",
            "blobs uploaded", "tagged by putting the manifest again",
            "tags that came back", "pushes abandoned",
            "images pulled", "pulls that met a removal",
            "blobs read on while their image was removed", "images deleted",
            "tags removed by http", "tags removed by untag", "tags removed by rmi",
            "removals of a held image's last tag refused", "holds created", "holds released",
            "images that a prune took before the hold came", "prunes",
            "images pruned, as told", "deferred by prunes", "skipped by prunes", "kills",
            "interrupted requests")]
        return [", ".join(parts),
                f"{counts['bytes pushed'] / 1e6:.0f} MB pushed, "
                f"{counts['bytes pulled'] / 1e6:.0f} MB pulled, "
                f"{counts['bytes freed, as told'] / 1e6:.0f} MB freed as prunes told; "
                f"{counts['request seconds'] / max(1, counts['seconds']):.1f} requests of clients "
                f"under way on average; slowest start {max(self._starts, default=0):.2f} s"]


def prune_soak(binaries, folder, rounds, longest_seconds, seed=None):
    """Returns sentences about what happened; AssertionError when a promise was broken."""
    seed = seed if seed is not None else random.SystemRandom().getrandbits(32)
    print(f"        prune soak: {rounds} rounds of up to {longest_seconds} s, seed {seed}",
          flush=True)
    soak = Soak(binaries, folder, seed)
    try:
        sentences = soak.run(rounds, longest_seconds)
    except Exception as error:
        raise AssertionError(
            f"seed {seed}: {error}\nuntil then: {'; '.join(soak.note())}") from error
    return [*soak.note(), *sentences, f"seed {seed}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--rounds", type=int, default=10, help="lives of the daemon")
    parser.add_argument("--seconds", type=float, default=6, help="the longest round")
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    with scratch_folder() as folder:
        for sentence in prune_soak(os.path.abspath(options.bin), f"{folder}/daemon", options.rounds,
                                   options.seconds, options.seed):
            print(sentence)


if __name__ == "__main__":
    main()

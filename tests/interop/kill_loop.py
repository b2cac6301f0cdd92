#!/usr/bin/env python3
"""Kills a real varved with SIGKILL, again and again, while several threads push.

After each restart every blob, manifest and tag that a client was told to be stored must be there
with the right bytes. At the end, after reclamation, the files under blobs/ must be those that the
store still needs: nothing leaked. The delays come from a seed, which is printed.
"""

import argparse
import hashlib
import http.client
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from daemon import Daemon
from harness import scratch_folder
from images import digest_of
from registry import Registry, small_manifest

THREADS = 4
# Inline, just past inline, loose, and large enough to be killed in the middle.
SIZES = (300, 70_000, 400_000, 4_000_000)
MAX_INLINE_BYTES = 64 * 1024 - 64
CHECKED_PER_ROUND = 12  # of the older content, at random; what is new is checked whole


class Acknowledged:
    """What clients were told to be stored. Thread-safe."""

    def __init__(self):
        self._lock = threading.Lock()
        self.blobs = {}  # (repository, digest) -> (size, seed of its bytes)
        self.manifests = {}  # (repository, digest) -> bytes
        self.tags = {}  # (repository, tag) -> the digests it may have

    def blob(self, repository, content, seed):
        with self._lock:
            self.blobs[(repository, digest_of(content))] = (len(content), seed)

    def manifest(self, repository, content):
        with self._lock:
            self.manifests[(repository, digest_of(content))] = content

    def tag_begins(self, repository, tag, digest):
        """From now on the tag may have this value, too: the answer may be lost."""
        with self._lock:
            self.tags.setdefault((repository, tag), [None]).append(digest)

    def tag_done(self, repository, tag, digest):
        with self._lock:
            self.tags[(repository, tag)] = [digest]


def bytes_of(seed, size):
    return random.Random(seed).randbytes(size)


def push_images(address, worker, seed, acknowledged, stop):
    """Pushes image after image until the daemon is gone or `stop` is set. Returns their number."""
    source = random.Random(seed)
    registry = Registry(address)
    repository = f"kill/{worker % 2}"  # two workers share a repository
    done = 0
    try:
        while not stop.is_set():
            parts = []
            for _ in range(2):
                part_seed, size = source.getrandbits(64), source.choice(SIZES)
                if source.random() < 0.2:
                    part_seed, size = 7, 400_000  # everybody's base layer
                content = bytes_of(part_seed, size)
                push_blob(registry, repository, content, source)
                acknowledged.blob(repository, content, part_seed)
                parts.append(content)
            config_seed = source.getrandbits(64)
            config = bytes_of(config_seed, 500)
            push_blob(registry, repository, config, source)
            acknowledged.blob(repository, config, config_seed)
            manifest = small_manifest(config, parts)
            tag = f"w{worker}-{source.randrange(4)}"
            acknowledged.tag_begins(repository, tag, digest_of(manifest))
            registry.put_manifest(repository, tag, manifest).expect(201)
            acknowledged.manifest(repository, manifest)
            acknowledged.tag_done(repository, tag, digest_of(manifest))
            done += 1
    except (OSError, http.client.HTTPException):
        pass  # killed
    finally:
        registry.close()
    return done


def push_blob(registry, repository, content, source):
    """In one request or in chunks."""
    location = registry.begin_upload(repository)
    if source.random() < 0.5:
        half = len(content) // 2
        answer = registry.request("PATCH", location, content[:half],
                                  {"Content-Type": "application/octet-stream"}).expect(202)
        registry.finish_upload(answer.headers["Location"], digest_of(content),
                               content[half:]).expect(201)
    else:
        registry.finish_upload(location, digest_of(content), content).expect(201)


class Worker(threading.Thread):
    """A pushing thread that keeps what went wrong in it."""

    def __init__(self, *arguments):
        super().__init__()
        self.error = None
        self.images = 0
        self._arguments = arguments

    def run(self):
        try:
            self.images = push_images(*self._arguments)
        except Exception as error:  # reported by the main thread
            self.error = error


def check(address, acknowledged, known, source):
    """All tags and all that is new since `known`, and some of the old, are there with their bytes."""
    registry = Registry(address)
    try:
        blobs = pick(acknowledged.blobs, known["blobs"], source)
        for repository, digest in blobs:
            size, seed = acknowledged.blobs[(repository, digest)]
            answer = registry.get_blob(repository, digest)
            assert answer.status == 200, f"acknowledged blob {digest}: status {answer.status}"
            assert answer.body == bytes_of(seed, size), f"acknowledged blob {digest}: other bytes"
        for repository, digest in pick(acknowledged.manifests, known["manifests"], source):
            answer = registry.get_manifest(repository, digest)
            assert answer.status == 200, f"acknowledged manifest {digest}: status {answer.status}"
            assert answer.body == acknowledged.manifests[(repository, digest)], digest
        for (repository, tag), digests in acknowledged.tags.items():
            answer = registry.get_manifest(repository, tag)
            found = digest_of(answer.body) if answer.status == 200 else None
            assert answer.status in (200, 404), f"tag {tag}: status {answer.status}"
            assert found in digests, f"tag {tag} names {found}, acknowledged was {digests}"
            acknowledged.tags[(repository, tag)] = [found]
    finally:
        registry.close()
    known["blobs"], known["manifests"] = set(acknowledged.blobs), set(acknowledged.manifests)


def pick(present, known, source):
    old = sorted(known)
    return [key for key in present if key not in known] + source.sample(
        old, min(CHECKED_PER_ROUND, len(old)))


def delete_all_but_tagged(address, acknowledged):
    """Deletes every manifest that no tag names; returns digest -> size of what must stay."""
    registry = Registry(address)
    needed = {}
    tagged = {(repository, digests[0]) for (repository, _), digests in acknowledged.tags.items()}
    for repository, digest in acknowledged.manifests:
        if (repository, digest) not in tagged:
            registry.request("DELETE", f"/v2/{repository}/manifests/{digest}").expect(202)
    for repository, digest in tagged:
        if digest is None:
            continue
        answer = registry.get_manifest(repository, digest).expect(200)
        document = json.loads(answer.body)
        needed[digest] = len(answer.body)
        for part in [document["config"], *document["layers"]]:
            needed[part["digest"]] = part["size"]
    registry.close()
    return needed


def files_below(folder):
    """Content digest -> size of every file that is there."""
    found = []
    for directory, _, names in os.walk(folder):
        for name in names:
            with open(f"{directory}/{name}", "rb") as file:
                content = file.read()
            found.append(("sha256:" + hashlib.sha256(content).hexdigest(), len(content)))
    return found


def wait_until_reclaimed(daemon, needed, seconds=60):
    """Waits until blobs/ holds exactly the files of `needed`; fails when it does not get there."""
    expected = sorted(entry for entry in needed.items() if entry[1] > MAX_INLINE_BYTES)
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = sorted(files_below(f"{daemon.data_dir}/blobs"))
        except FileNotFoundError:
            found = None  # it went while we looked
        if found == expected:
            return sum(size for _, size in expected)
        if time.monotonic() > deadline:
            leaked = [entry for entry in found or [] if entry not in expected]
            missing = [entry for entry in expected if entry not in (found or [])]
            raise AssertionError(
                f"after {seconds} s of reclamation blobs/ has {len(leaked)} files too many "
                f"({sum(size for _, size in leaked)} bytes, first {leaked[:1]}), "
                f"{len(found or []) - len(set(found or []))} duplicates, and misses {len(missing)}")
        time.sleep(0.5)


def kill_loop(binaries, folder, rounds, seed=None):
    """Returns a note about what happened; AssertionError when a promise was broken."""
    seed = seed if seed is not None else random.SystemRandom().getrandbits(32)
    print(f"        kill loop: {rounds} rounds, seed {seed}", flush=True)
    source = random.Random(seed)
    acknowledged = Acknowledged()
    known = {"blobs": set(), "manifests": set()}
    # While it runs nothing is due: content without a tag is held by the promise of its upload.
    daemon = Daemon(binaries, folder, RECLAIM_INTERVAL="100ms", RECLAIM_PROMISE="24h")
    images, slowest_start = 0, 0.0
    try:
        for number in range(rounds):
            stop = threading.Event()
            workers = [Worker(daemon.address, worker, source.getrandbits(64), acknowledged, stop)
                       for worker in range(THREADS)]
            for worker in workers:
                worker.start()
            time.sleep(source.uniform(0.02, 0.5))
            daemon.kill()
            stop.set()
            for worker in workers:
                worker.join()
                images += worker.images
                if worker.error is not None:
                    raise AssertionError(f"round {number}, seed {seed}: {worker.error!r}")
            slowest_start = max(slowest_start, daemon.start())
            try:
                check(daemon.address, acknowledged, known, source)
            except AssertionError as error:
                raise AssertionError(f"round {number}, seed {seed}: {error}") from error
        needed = delete_all_but_tagged(daemon.address, acknowledged)
        daemon.stop()
        daemon = Daemon(binaries, folder, RECLAIM_INTERVAL="100ms", RECLAIM_PROMISE="0s",
                        RECLAIM_UPLOAD_EXPIRY="1s")
        left = wait_until_reclaimed(daemon, needed)
        check(daemon.address, only_tagged(acknowledged), {"blobs": set(), "manifests": set()},
              source)
        daemon.stop()
    finally:
        daemon.kill()
    return (f"{rounds} kills, {images} images, {len(acknowledged.blobs)} blobs acknowledged, "
            f"slowest start {slowest_start:.2f} s, blobs/ ends with {left} bytes, none leaked")


def only_tagged(acknowledged):
    rest = Acknowledged()
    rest.tags = acknowledged.tags
    return rest


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    with scratch_folder() as folder:
        print(kill_loop(os.path.abspath(options.bin), f"{folder}/daemon", options.rounds,
                        options.seed))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Kills a real varved with SIGKILL, again and again, while several threads push and delete.

After each restart every blob, manifest and tag that a client was told to be stored must be there
with the right bytes, and nothing that was deleted. The reclaimer runs all the time with a short
promise, so that it is killed at work, too. At the end, when it has caught up, the files under
blobs/ must be those that the store still names: nothing leaked. The delays and what is pushed come
from a seed, which is printed.
"""

import argparse
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
from kill_model import Model
from registry import Registry, small_manifest

THREADS = 4
# Inline, just past inline, loose, and large enough to be killed in the middle.
SIZES = (300, 70_000, 400_000, 3_000_000)
MAX_INLINE_BYTES = 64 * 1024 - 64
PROMISE_SECONDS = 2
LONG_ROUND_SECONDS = 2 * PROMISE_SECONDS  # long enough for the reclaimer to find work
CHECKED_PER_ROUND = 10  # of the older manifests, at random; what is new is checked whole


def bytes_of(seed, size):
    return random.Random(seed).randbytes(size)


class Worker(threading.Thread):
    """Pushes images and deletes some until the daemon is gone; keeps what went wrong."""

    def __init__(self, address, number, seed, model, stop):
        super().__init__()
        self.error = None
        self.images = 0
        self._registry = Registry(address)
        self._number = number
        self._repository = f"kill/{number % 2}"  # two workers share a repository
        self._source = random.Random(seed)
        self._model = model
        self._ending = stop

    def run(self):
        try:
            while not self._ending.is_set():
                self._push_image()
                if self._source.random() < 0.25:
                    self._delete_image()
        except (OSError, http.client.HTTPException) as error:
            if not self._ending.is_set():
                time.sleep(1)  # the kill may come a moment before the flag
                if not self._ending.is_set():
                    self.error = error
        except Exception as error:  # reported by the main thread
            self.error = error
        finally:
            self._registry.close()

    def _push_image(self):
        begin = time.monotonic()
        config = self._push_blob(self._source.getrandbits(64), 500)
        layers = [self._push_blob(*self._choose_layer()) for _ in range(2)]
        manifest = small_manifest(config[0], [content for content, _ in layers])
        tag = f"w{self._number}-{self._source.randrange(4)}"
        parts = [(digest_of(content), len(content), seed) for content, seed in [config, *layers]]
        self._model.manifest_begins(self._repository, tag, manifest, parts)
        answer = self._registry.put_manifest(self._repository, tag, manifest)
        if answer.status == 400 and time.monotonic() - begin > PROMISE_SECONDS:
            return  # this machine was too slow: a layer's promise had ended
        answer.expect(201)
        self._model.manifest_stored(self._repository, tag, manifest, parts)
        self.images += 1

    def _choose_layer(self):
        if self._source.random() < 0.2:
            return 7, 400_000  # everybody's base layer
        return self._source.getrandbits(64), self._source.choice(SIZES)

    def _push_blob(self, seed, size):
        """In one request or in chunks. Returns (content, seed)."""
        content = bytes_of(seed, size)
        location = self._registry.begin_upload(self._repository)
        begin = 0
        if self._source.random() < 0.5:
            begin = size // 2
            answer = self._registry.request(
                "PATCH", location, content[:begin],
                {"Content-Type": "application/octet-stream"}).expect(202)
            location = answer.headers["Location"]
        asked = time.monotonic()
        self._registry.finish_upload(location, digest_of(content), content[begin:]).expect(201)
        self._model.blob_stored(self._repository, content, seed, asked)
        return content, seed

    def _delete_image(self):
        mine = self._model.manifests_of(self._repository, self._number)
        if not mine:
            return
        digest = self._source.choice(mine)
        self._model.deletion_begins(self._repository, digest)
        self._registry.request(
            "DELETE", f"/v2/{self._repository}/manifests/{digest}").expect(202)
        self._model.deletion_done(self._repository, digest)


def check_blob(registry, repository, digest, size, seed, why):
    answer = registry.get_blob(repository, digest)
    what = f"blob {digest} of {repository}, {size} bytes, seed {seed}, {why}"
    assert answer.status == 200, f"{what}: status {answer.status}"
    assert answer.body == bytes_of(seed, size), f"{what}: other bytes"


def check(address, model, known, source):
    """What is new since `known` and some of the old, and every tag, is as acknowledged."""
    registry = Registry(address)
    for (repository, digest), (size, seed, asked) in model.blobs.items():
        age = time.monotonic() - asked
        if age < PROMISE_SECONDS:  # an older one is kept by a manifest or by nothing
            check_blob(registry, repository, digest, size, seed, f"promised {age:.2f} s ago")
    model.blobs.clear()
    present = sorted(model.manifests)
    old = [key for key in present if key in known]
    chosen = [key for key in present if key not in known]
    for repository, digest in chosen + source.sample(old, min(CHECKED_PER_ROUND, len(old))):
        content, parts = model.manifests[(repository, digest)]
        answer = registry.get_manifest(repository, digest)
        assert answer.status == 200, f"acknowledged manifest {digest}: status {answer.status}"
        assert answer.body == content, f"acknowledged manifest {digest}: other bytes"
        for part in parts:
            check_blob(registry, repository, *part, f"in manifest {digest}")
    for repository, digest in model.deleted:
        answer = registry.get_manifest(repository, digest)
        assert answer.status == 404, f"deleted manifest {digest}: status {answer.status}"
    model.deleted.clear()
    for (repository, tag), digests in model.tags.items():
        answer = registry.get_manifest(repository, tag)
        assert answer.status in (200, 404), f"tag {tag}: status {answer.status}"
        found = digest_of(answer.body) if answer.status == 200 else None
        assert found in digests, f"tag {tag} names {found}, it may name {digests}"
        model.tags[(repository, tag)] = {found}
    registry.close()
    known.clear()
    known.update(model.manifests)


def delete_all_but_tagged(address, model):
    """Deletes every manifest that no tag names; returns digest -> size of what must stay."""
    registry = Registry(address)
    tagged = {(repository, digest) for (repository, _), digests in model.tags.items()
              for digest in digests if digest is not None}
    for repository, digest in model.attempted - tagged:
        registry.request("DELETE", f"/v2/{repository}/manifests/{digest}").expect(202, 404)
    needed = {}
    for repository, digest in tagged:
        answer = registry.get_manifest(repository, digest).expect(200)
        document = json.loads(answer.body)
        needed[digest] = len(answer.body)
        for part in [document["config"], *document["layers"]]:
            needed[part["digest"]] = part["size"]
    registry.close()
    return needed


def files_below(folder):
    """(digest, size) of every file that is there."""
    found = []
    for directory, _, names in os.walk(folder):
        for name in names:
            with open(f"{directory}/{name}", "rb") as file:
                content = file.read()
            found.append((digest_of(content), len(content)))
    return sorted(found)


def wait_until_reclaimed(daemon, needed, seconds=60):
    """Waits until blobs/ holds exactly the files of `needed`; fails when it does not get there."""
    expected = sorted(entry for entry in needed.items() if entry[1] > MAX_INLINE_BYTES)
    deadline = time.monotonic() + seconds
    found = []
    while time.monotonic() < deadline:
        time.sleep(1)
        try:
            found = files_below(f"{daemon.data_dir}/blobs")
        except FileNotFoundError:
            continue  # one went while we looked
        if found == expected:
            return sum(size for _, size in expected)
    leaked = [entry for entry in found if entry not in expected]
    missing = [entry for entry in expected if entry not in found]
    raise AssertionError(
        f"after {seconds} s of reclamation blobs/ has {len(leaked)} files too many "
        f"({sum(size for _, size in leaked)} bytes, first {leaked[:1]}), "
        f"{len(found) - len(set(found))} twice, and misses {len(missing)}")


def run_round(daemon, model, source, number):
    """One daemon's life under load; returns the number of images pushed."""
    stop = threading.Event()
    workers = [Worker(daemon.address, worker, source.getrandbits(64), model, stop)
               for worker in range(THREADS)]
    for worker in workers:
        worker.start()
    time.sleep(LONG_ROUND_SECONDS if number % 20 == 9 else source.uniform(0.02, 0.4))
    daemon.kill()
    stop.set()
    for worker in workers:
        worker.join()
        if worker.error is not None:
            raise worker.error
    return sum(worker.images for worker in workers)


def kill_loop(binaries, folder, rounds, seed=None):
    """Returns a note about what happened; AssertionError when a promise was broken."""
    seed = seed if seed is not None else random.SystemRandom().getrandbits(32)
    print(f"        kill loop: {rounds} rounds, seed {seed}", flush=True)
    source = random.Random(seed)
    model, known = Model(), set()
    daemon = Daemon(binaries, folder, RECLAIM_INTERVAL="100ms", RECLAIM_UPLOAD_EXPIRY="5s",
                    RECLAIM_PROMISE=f"{PROMISE_SECONDS}s",
                    RECLAIM_RENEW=f"{PROMISE_SECONDS}s")
    images, starts = 0, []
    try:
        for number in range(rounds):
            try:
                images += run_round(daemon, model, source, number)
                starts.append(daemon.start())
                check(daemon.address, model, known, source)
            except Exception as error:
                raise AssertionError(f"round {number}, seed {seed}: {error}") from error
        needed = delete_all_but_tagged(daemon.address, model)
        model.manifests = {key: value for key, value in model.manifests.items()
                           if key[1] in needed}
        left = wait_until_reclaimed(daemon, needed)
        check(daemon.address, model, set(), source)
        daemon.stop()
    finally:
        daemon.kill()
    return (f"{rounds} kills, {images} images acknowledged, slowest start {max(starts):.2f} s, "
            f"{left} bytes left under blobs/, none leaked, seed {seed}")


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

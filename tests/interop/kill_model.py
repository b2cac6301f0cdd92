"""What clients were told by a daemon that may be killed at any time: the model of kill_loop.py."""

import threading

from images import digest_of


class Model:
    """Manifests, tags and blobs as acknowledged, and what is open because an answer was lost.

    A tag belongs to one worker, a manifest's bytes are pushed by one worker, so the answers about
    one name have an order. Thread-safe while workers run; the checks read it when they have ended.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self.blobs = {}  # (repository, digest) -> (size, seed, monotonic time of the request)
        self.manifests = {}  # (repository, digest) -> (bytes, [(digest, size, seed) of its parts])
        self.attempted = set()  # every (repository, digest) that may be there as a manifest
        self.deleted = set()  # (repository, digest) of manifests whose deletion was acknowledged
        self.tags = {}  # (repository, tag) -> the set of digests it may have; None = absent

    def blob_stored(self, repository, content, seed, asked):
        with self._lock:
            self.blobs[(repository, digest_of(content))] = (len(content), seed, asked)

    def manifest_begins(self, repository, tag, content, parts):
        """From now on the manifest says that its parts are there."""
        with self._lock:
            digest = digest_of(content)
            for part, _, _ in parts:
                self.blobs.pop((repository, part), None)
            self.attempted.add((repository, digest))
            self.tags.setdefault((repository, tag), {None}).add(digest)

    def manifest_stored(self, repository, tag, content, parts):
        with self._lock:
            digest = digest_of(content)
            self.manifests[(repository, digest)] = (content, parts)
            self.tags[(repository, tag)] = {digest}

    def deletion_begins(self, repository, digest):
        """No longer demanded, not yet forbidden."""
        with self._lock:
            self.manifests.pop((repository, digest), None)
            for (where, _), digests in self.tags.items():
                if where == repository and digest in digests:
                    digests.add(None)

    def deletion_done(self, repository, digest):
        with self._lock:
            self.deleted.add((repository, digest))
            self.attempted.discard((repository, digest))
            for (where, _), digests in self.tags.items():
                if where == repository:
                    digests.discard(digest)

    def manifests_of(self, repository, worker):
        """Digests of acknowledged manifests that the tags of `worker` name for sure."""
        with self._lock:
            return [next(iter(digests)) for (where, tag), digests in self.tags.items()
                    if where == repository and tag.startswith(f"w{worker}-")
                    and len(digests) == 1 and None not in digests]

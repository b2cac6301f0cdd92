"""What clients of prune_soak.py know: which images must be there, which may, and which are gone.

An image is *kept* while a hold names it, or a tag does and no prune of all images may take it. Each
change that could end that counts up its `version` before the request is sent, so a client that read
version and `kept` before a pull, and finds both unchanged after it, may demand that it succeeded.
"""

import threading
import time

DISPOSABLE = "soak/disposable"  # its tagged images are pruned, unless a hold names them


class Image:
    """One manifest or index of one repository, with everything under it. Its owner changes it."""

    def __init__(self, repository, root, parts):
        self.repository = repository
        self.root = root  # descriptor: digest, mediaType, size
        self.digest = root["digest"]
        self.parts = parts  # digest -> bytes, of manifests too
        self.tags = set()
        self.holds = set()
        self.exposed = False  # a prune of all images may have taken it
        self.version = 0
        self.kept_since = None  # monotonic; None: not kept

    def kept(self):
        return bool(self.holds) or (bool(self.tags) and not self.exposed)

    def settle(self):
        """After a change: since when it is kept."""
        if not self.kept():
            self.kept_since = None
        elif self.kept_since is None:
            self.kept_since = time.monotonic()


class SoakModel:
    """Thread-safe. A tag and an image belong to one client, so the answers about one have an order;
    every client reads all of them."""

    def __init__(self):
        self._lock = threading.Lock()
        self._images = {}  # (repository, digest) -> Image
        self._tags = {}  # (repository, tag) -> Image, or None: it is gone for sure
        self._deleted = set()  # (repository, digest) of deletions that were acknowledged
        self._prunes_of_all = [False]  # of each life of the daemon

    def life_begins(self, prunes_all):
        """In this life of the daemon everything goes that no hold names, or only what dangles."""
        with self._lock:
            self._prunes_of_all.append(prunes_all)
            if prunes_all:
                for image in self._images.values():
                    if not image.holds:
                        self._expose(image)

    @property
    def life(self):
        return len(self._prunes_of_all) - 1

    def pruned_all_since(self, life):
        with self._lock:
            return any(self._prunes_of_all[life:])

    def push_begins(self, image, tag):
        """Of an image that is new or was deleted. The tag moves away from what it named."""
        with self._lock:
            self._deleted.discard((image.repository, image.digest))
            self._forget_tag(image.repository, tag)
            known = self._images.get((image.repository, image.digest))
            if known is not None and known.exposed:  # what comes may be another one
                for old in list(known.tags):
                    self._forget_tag(image.repository, old)

    def push_done(self, image, tag, life):
        """`life`: in which the push began."""
        with self._lock:
            known = self._images.setdefault((image.repository, image.digest), image)
            known.tags.add(tag)
            self._tags[(image.repository, tag)] = known
            exposed = any(self._prunes_of_all[life:]) or image.repository == DISPOSABLE
            known.exposed = exposed and not known.holds
            known.settle()
            return known

    def untag_begins(self, image, tag):
        with self._lock:
            self._forget_tag(image.repository, tag)

    def untag_done(self, image, tag):
        with self._lock:
            self._tags[(image.repository, tag)] = None

    def deletion_begins(self, image):
        """With all its tags. Returns them."""
        with self._lock:
            tags = set(image.tags)
            for tag in tags:
                self._forget_tag(image.repository, tag)
            return tags

    def deletion_done(self, image, tags):
        with self._lock:
            self._deleted.add((image.repository, image.digest))
            self._images.pop((image.repository, image.digest), None)
            for tag in tags:
                self._tags[(image.repository, tag)] = None

    def lost(self, image):
        """A prune of all images took it, as it may."""
        with self._lock:
            image.version += 1
            self._images.pop((image.repository, image.digest), None)
            for tag in list(image.tags):
                self._forget_tag(image.repository, tag)

    def hold_done(self, image, name):
        """The answer says that the image was there, so its tags are, too."""
        with self._lock:
            image.holds.add(name)
            image.exposed = False
            image.settle()

    def hold_ends(self, image, name):
        with self._lock:
            image.holds.discard(name)
            if not image.holds and (self._prunes_of_all[-1] or image.repository == DISPOSABLE):
                image.exposed = True
            if not image.kept():
                image.version += 1
            image.settle()
            self._drop_unnamed(image)

    def images_of(self, source, owned):
        """One of the tags in `owned` that names an image, at random, as (image, tag)."""
        with self._lock:
            named = [(self._tags[name], name[1]) for name in owned if self._tags.get(name)]
        return source.choice(named) if named else (None, None)

    def pick(self, source):
        """A kept image of anybody: (image, tag or digest, version)."""
        with self._lock:
            for _ in range(8):
                if not self._images:
                    break
                image = source.choice(list(self._images.values()))
                if image.kept():
                    names = sorted(image.tags) + [image.digest]
                    return image, source.choice(names), image.version
        return None, None, None

    def must_be_there(self, image, version):
        with self._lock:
            return image.kept() and image.version == version

    def kept_since(self, repository, digest, when):
        """Whether it has been kept all the time since `when` (monotonic)."""
        with self._lock:
            image = self._images.get((repository, digest))
            return image is not None and image.kept_since is not None and image.kept_since < when

    def all_kept(self):
        """[(image, version, tags)] of all images that are kept."""
        with self._lock:
            return [(image, image.version, sorted(image.tags))
                    for image in self._images.values() if image.kept()]

    def gone(self):
        """What is absent for sure, now: tags as (repository, tag), and deleted manifests."""
        with self._lock:
            tags = [name for name, image in self._tags.items() if image is None]
            return tags + sorted(self._deleted)

    def is_gone(self, name):
        with self._lock:
            return name in self._deleted or self._tags.get(name, name) is None

    def _forget_tag(self, repository, tag):
        image = self._tags.pop((repository, tag), None)
        if image is None:
            return
        image.tags.discard(tag)
        image.version += 1  # who reads by the tag is not entitled to it any more
        image.settle()
        self._drop_unnamed(image)

    def _drop_unnamed(self, image):
        if not image.tags and not image.holds:
            self._images.pop((image.repository, image.digest), None)

    @staticmethod
    def _expose(image):
        image.exposed = True
        image.version += 1
        image.settle()


class Counts:
    """What happened, by name; thread-safe."""

    def __init__(self):
        self._lock = threading.Lock()
        self._of = {}

    def add(self, name, amount=1):
        with self._lock:
            self._of[name] = self._of.get(name, 0) + amount

    def __getitem__(self, name):
        with self._lock:
            return self._of.get(name, 0)

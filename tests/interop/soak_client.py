"""A client of prune_soak.py: pushes, pulls, tags, holds and deletes without end.

It outlives the daemon: a request that a SIGKILL interrupts is sent again to the next one, so that a
push begins before a crash and ends after it. What it was told it demands, by SoakModel.
"""

import http.client
import json
import random
import subprocess
import threading
import time

from images import CONFIG, INDEX, LAYER, MANIFEST, digest_of, encode
from registry import Registry
from soak_model import DISPOSABLE, Image

REPOSITORIES = [f"soak/{name}" for name in "abcd"]
TAGS_OF_A_CLIENT = 3  # in each repository: 16 clients keep some hundred images
# Inline, just past inline, loose; now and then one that takes a while to send.
OWN_SIZES = (300, 70_000, 150_000)
LARGE_BYTES = 3_000_000
BASE_BYTES = (90_000, 250_000)
BASES = 6
ACTIVE_BASES = 2
BASE_SECONDS = 3  # then another base comes, so that each is unreferenced now and then
MAX_HOLDS = 2  # of a client
FLICKERS = 40
MUST_FORCE = "(must force)"  # how the command line refuses the last tag of a held image
REMEMBERED = 4  # images of a client that are gone, to push them again


class Violation(Exception):
    """A promise was broken."""


class Lives:
    """Which life of the daemon it is, and whether it is up. Thread-safe."""

    def __init__(self):
        self.up = threading.Event()
        self.ending = threading.Event()  # of the soak
        self.number = 0

    def ends(self):
        """Before the SIGKILL, so that no error of it comes before the number has changed."""
        self.up.clear()
        self.number += 1


class BaseLayers:
    """A few layers that all clients share; which of them are in use changes with time."""

    def __init__(self, seed):
        source = random.Random(seed)
        self._contents = [source.randbytes(BASE_BYTES[number % 2]) for number in range(BASES)]
        self._begin = time.monotonic()

    def choose(self, source):
        turn = int((time.monotonic() - self._begin) / BASE_SECONDS)
        return self._contents[(turn + source.randrange(ACTIVE_BASES)) % BASES]


class Client(threading.Thread):
    """`daemon` for the address and the command line; `promise_seconds` as it is configured."""

    def __init__(self, number, seed, daemon, lives, model, counts, bases, promise_seconds):
        super().__init__(name=f"client {number}")
        self.error = None
        self._number = number
        self._source = random.Random(seed)
        self._daemon = daemon
        self._lives = lives
        self._model = model
        self._counts = counts
        self._bases = bases
        self._promise_seconds = promise_seconds
        self._registry = Registry(daemon.address)
        self._registry_life = 0
        self._owned = [(repository, f"c{number}-{slot}")
                       for repository in [*REPOSITORIES, DISPOSABLE]
                       for slot in range(TAGS_OF_A_CLIENT)]
        self._holds = []  # (image, name)
        self._held = 0
        self._gone = []  # (repository, root, parts) of images that were removed

    def run(self):
        actions = [(self._push, 30), (self._push_index, 8), (self._pull, 40), (self._slow_pull, 3),
                   (self._tag_again, 5), (self._remove, 8), (self._hold, 5), (self._release, 5),
                   (self._abandon, 2), (self._flicker, 8)]
        choices, weights = zip(*actions)
        try:
            while not self._lives.ending.is_set():
                self._source.choices(choices, weights)[0]()
        except Exception as error:  # reported by the main thread
            self.error = error
        finally:
            self._registry.close()

    # --- requests that outlive the daemon

    def _again(self, act):
        """What `act()` returns, which sends requests; from the start when a kill interrupts it."""
        while True:
            self._lives.up.wait()
            life = self._lives.number
            if life != self._registry_life:
                self._registry.close()
                self._registry_life = life
            try:
                return act()
            except (OSError, http.client.HTTPException) as error:
                self._registry.close()
                if self._lives.number == life:
                    raise Violation(f"{type(error).__name__}: {error}") from error
                self._counts.add("interrupted requests")

    def _request(self, *arguments, **options):
        def timed():
            begin = time.monotonic()
            try:
                return self._registry.request(*arguments, **options)
            finally:
                self._counts.add("request seconds", time.monotonic() - begin)
        return self._again(timed)

    def _cli(self, *arguments):
        """(exit code, output, errors) of `varve …` and whether a kill made it run again."""
        repeated = False
        while True:
            self._lives.up.wait()
            life = self._lives.number
            done = subprocess.run([*self._daemon.command, *arguments], check=False, text=True,
                                  capture_output=True, timeout=60)
            if done.returncode == 0 or self._lives.number == life:
                return done, repeated
            repeated = True

    # --- pushes

    def _push(self):
        """One image; its base layer is probably there, what is its own probably not."""
        if self._gone and self._source.random() < 0.3:
            repository, root, parts = self._gone.pop()
            self._push_image(repository, root, parts, self._tag())
            return
        repository = self._repository()
        root, parts = self._make_image(repository, "amd64")
        self._push_image(repository, root, parts, self._tag())

    def _push_index(self):
        """Two platforms, child by child; half of the time each blob is asked for once only."""
        repository = self._repository()
        children, parts = [], {}
        for architecture in ("amd64", "arm64"):
            root, below = self._make_image(repository, architecture)
            children.append(root | {"platform": {"architecture": architecture, "os": "linux"}})
            parts |= below
        content = encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": children})
        root = {"mediaType": INDEX, "digest": digest_of(content), "size": len(content)}
        image = Image(repository, root, parts | {root["digest"]: content})
        tag, life = self._tag(), self._model.life
        self._model.push_begins(image, tag)
        told, asked = {}, time.monotonic()
        for child in children:
            for digest in self._blobs_of(parts[child["digest"]]):
                if digest not in told or self._source.random() < 0.5:
                    told[digest] = self._tell(repository, parts[digest])
            if not self._put(repository, child["digest"], parts[child["digest"]], MANIFEST, asked):
                return
        if self._put(repository, tag, content, INDEX, asked):
            self._model.push_done(image, tag, life)
            self._counts.add("indexes pushed")

    def _make_image(self, repository, architecture):
        """(descriptor of the manifest, digest -> bytes) of an image that nobody has yet."""
        base = self._bases.choose(self._source)
        own_bytes = self._source.choice(OWN_SIZES) if self._source.random() < 0.96 else LARGE_BYTES
        own = self._source.randbytes(own_bytes)
        config = encode({
            "architecture": architecture, "os": "linux", "created": "2020-01-01T00:00:00Z",
            "config": {"Labels": {"kind": repository, "id": str(self._source.getrandbits(64))}},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(base), digest_of(own)]}})
        content = encode({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": describe(config, CONFIG),
            "layers": [describe(base, LAYER), describe(own, LAYER)]})
        parts = {digest_of(part): part for part in (base, own, config, content)}
        return describe(content, MANIFEST), parts

    def _push_image(self, repository, root, parts, tag):
        image = Image(repository, root, parts)
        life = self._model.life
        self._model.push_begins(image, tag)
        begin = time.monotonic()
        for digest in self._blobs_of(parts[root["digest"]]):
            self._tell(repository, parts[digest])
        if self._put(repository, tag, parts[root["digest"]], MANIFEST, begin):
            self._model.push_done(image, tag, life)
            self._counts.add("images pushed")

    @staticmethod
    def _blobs_of(manifest):
        document = json.loads(manifest)
        return [part["digest"] for part in [document["config"], *document["layers"]]]

    def _tell(self, repository, content):
        """Asks whether the blob exists, mounts or uploads it. Returns whether it existed."""
        digest = digest_of(content)
        way = self._source.random()
        if way < 0.65:
            answer = self._request("HEAD", f"/v2/{repository}/blobs/{digest}").expect(200, 404)
            if answer.status == 200:
                assert int(answer.headers["Content-Length"]) == len(content), answer.headers
                self._counts.add("told that a blob exists")
                return True
        location = None
        if 0.65 <= way < 0.9:
            other = self._source.choice(REPOSITORIES)
            answer = self._request("POST", f"/v2/{repository}/blobs/uploads/?mount={digest}"
                                   f"&from={other}", b"").expect(201, 202)
            if answer.status == 201:
                self._counts.add("blobs mounted")
                return True
            location = answer.headers["Location"]
        self._upload(repository, content, location, self._registry_life)
        return False

    def _upload(self, repository, content, location, life):
        """In the upload at `location`, which began in `life`, or in a new one. An upload that has
        received nothing need not outlive the daemon."""
        def upload():
            where = location if life == self._registry_life else None
            where = where or self._registry.begin_upload(repository)
            self._registry.finish_upload(where, digest_of(content), content).expect(201)
        self._again(upload)
        self._counts.add("blobs uploaded")
        self._counts.add("bytes pushed", len(content))

    def _put(self, repository, reference, content, media_type, begin):
        """A manifest all of whose blobs were told to be there since `begin`. False when that was
        so long ago that the promise has ended."""
        answer = self._request("PUT", f"/v2/{repository}/manifests/{reference}", content,
                               {"Content-Type": media_type})
        seconds = time.monotonic() - begin
        if answer.status == 201:
            self._counts.add("manifests put")
            return True
        if answer.status in (400, 404) and seconds > self._promise_seconds:
            self._counts.add("manifests refused after the promise time")
            return False
        raise Violation(
            f"PUT of manifest {digest_of(content)} as {repository}:{reference}, {seconds:.2f} s "
            f"after the first of its blobs was told to exist: status {answer.status}: "
            f"{answer.body[:300]!r}")

    def _tag_again(self):
        """A manifest put under another tag by somebody who asked about none of its blobs."""
        image, _ = self._model.images_of(self._source, self._owned)
        tag = self._tag()
        if image is None or image.root["mediaType"] != MANIFEST or tag in image.tags:
            return
        version, life = image.version, self._model.life
        again = Image(image.repository, image.root, image.parts)
        self._model.push_begins(again, tag)
        answer = self._request("PUT", f"/v2/{image.repository}/manifests/{tag}",
                               image.parts[image.digest], {"Content-Type": MANIFEST})
        if answer.status == 201:
            self._model.push_done(again, tag, life)
            self._counts.add("tagged by putting the manifest again")
        elif self._model.must_be_there(image, version):
            raise Violation(f"PUT of {image.digest}, which is in {image.repository}, as {tag}: "
                            f"status {answer.status}: {answer.body[:300]!r}")

    def _flicker(self):
        """The tag of one image goes and comes back so fast that a prune which saw the image without
        it meets it with it. Asks for nothing that would grant a promise or count as a pull."""
        repository, tag = self._source.choice(REPOSITORIES), f"c{self._number}-flicker"
        root, parts = self._make_image(repository, "amd64")
        begin, put_life = time.monotonic(), self._model.life
        for digest in self._blobs_of(parts[root["digest"]]):
            self._tell(repository, parts[digest])
        if not self._put(repository, tag, parts[root["digest"]], MANIFEST, begin):
            return
        path = f"/v2/{repository}/manifests/{tag}"
        for _ in range(FLICKERS):
            life = self._lives.number
            gone = self._request("DELETE", path).expect(202, 404)
            if (gone.status == 404 and self._lives.number == life
                    and not self._model.pruned_all_since(put_life)):
                raise Violation(f"{repository}:{tag} was put, {root['digest']}, and is gone")
            put_life = self._model.life
            put = self._request("PUT", path, parts[root["digest"]], {"Content-Type": MANIFEST})
            if put.status != 201:
                return  # a prune took it while it had no tag, and the reclaimer its blobs
            self._counts.add("tags that came back")

    def _abandon(self):
        """Tells the daemon of blobs that no manifest will name, or leaves an upload open."""
        repository = self._repository()
        content = self._source.randbytes(self._source.choice(OWN_SIZES))
        if self._source.random() < 0.5:
            self._tell(repository, content)
        else:
            location = self._again(lambda: self._registry.begin_upload(repository))
            self._request("PATCH", location, content, {"Content-Type": "application/octet-stream"})
        self._counts.add("pushes abandoned")

    def _repository(self):
        return DISPOSABLE if self._source.random() < 0.25 else self._source.choice(REPOSITORIES)

    def _tag(self):
        return f"c{self._number}-{self._source.randrange(TAGS_OF_A_CLIENT)}"

    # --- pulls

    def _pull(self):
        image, reference, version = self._model.pick(self._source)
        if image is not None:
            self.check_pull(image, reference, version)

    def check_pull(self, image, reference, version):
        """Reads all of an image; fails if something is missing that must be there all the time, and
        if any byte is wrong."""
        expected = [(image.digest, reference)]
        while expected:
            digest, name = expected.pop()
            answer = self._request("GET", f"/v2/{image.repository}/manifests/{name}",
                                   headers={"Accept": f"{MANIFEST}, {INDEX}"})
            if not self._is_right(image, reference, version, digest, answer):
                return
            document = json.loads(answer.body)
            expected += [(child["digest"],) * 2 for child in document.get("manifests", [])]
            for part in [document.get("config"), *document.get("layers", [])]:
                if part is None:
                    continue
                answer = self._request("GET", f"/v2/{image.repository}/blobs/{part['digest']}")
                if not self._is_right(image, reference, version, part["digest"], answer):
                    return
        self._counts.add("images pulled")

    def _is_right(self, image, reference, version, digest, answer):
        """Whether the answer has the bytes of `digest`; if not, they need not be there any more."""
        if answer.status == 200 and answer.body == image.parts[digest]:
            self._counts.add("bytes pulled", len(answer.body))
            return True
        what = f"pull of {image.repository} {reference}, {digest}"
        moved = reference != image.digest and digest == image.digest  # the tag, perhaps
        if answer.status == 200 and (not moved or digest_of(answer.body) != answer.headers.get(
                "Docker-Content-Digest")):
            raise Violation(f"{what}: {len(answer.body)} wrong bytes")
        if self._model.must_be_there(image, version):
            raise Violation(f"{what}: status {answer.status}: {answer.body[:200]!r}; "
                            f"tags {sorted(image.tags)}, holds {sorted(image.holds)}")
        if answer.status not in (200, 404):
            raise Violation(f"{what}, which is being removed: status {answer.status}")
        self._counts.add("pulls that met a removal")
        return False

    def _slow_pull(self):
        """Begins to read a large layer, and reads on when its image may have been removed."""
        mine, tag = self._model.images_of(self._source, self._owned)
        if mine is None:
            return
        digest, content = max(mine.parts.items(), key=lambda part: len(part[1]))
        connection = http.client.HTTPConnection(self._daemon.address, timeout=60)
        self._lives.up.wait()
        life = self._lives.number
        try:
            connection.request("GET", f"/v2/{mine.repository}/blobs/{digest}")
            response = connection.getresponse()
            head = response.read(1000)
            if response.status == 200:
                self._remove_image(mine, tag)
                time.sleep(self._source.uniform(0, 0.5))
                if head + response.read() != content:
                    raise Violation(f"{digest} was read with other bytes during its removal")
                self._counts.add("blobs read on while their image was removed")
        except (OSError, http.client.HTTPException) as error:
            if self._lives.number == life:
                raise Violation(f"slow pull: {type(error).__name__}: {error}") from error
        finally:
            connection.close()

    # --- removal and holds

    def _remove(self):
        image, tag = self._model.images_of(self._source, self._owned)
        if image is not None:
            self._remove_image(image, tag)

    def _remove_image(self, image, tag):
        if image.holds or self._source.random() < 0.5:
            self._untag(image, tag)
        else:
            self._delete_image(image)
        if image.root["mediaType"] == MANIFEST:
            self._gone = [*self._gone, (image.repository, image.root, image.parts)][-REMEMBERED:]

    def _untag(self, image, tag):
        """By one of three ways. The command line asks for force when a hold keeps the image."""
        life = self._lives.number
        must = self._model.must_be_there(image, image.version)
        self._model.untag_begins(image, tag)
        name = f"{image.repository}:{tag}"
        way = self._source.choice(["http", "untag", "rmi"])
        if way == "http":
            answer = self._request("DELETE", f"/v2/{image.repository}/manifests/{tag}")
            done, text = answer.status == 202, f"{answer.status} {answer.body[:200]!r}"
        else:
            command = ["image", "untag", name] if way == "untag" else ["rmi", name]
            ended, _ = self._cli(*command)
            if ended.returncode != 0 and image.holds and MUST_FORCE in ended.stderr:
                self._counts.add("removals of a held image's last tag refused")
                ended, _ = self._cli(*command, "--force")
            done, text = ended.returncode == 0, ended.stderr
        if not done and must and self._lives.number == life:
            raise Violation(f"removal of tag {name} by {way}: {text}")
        self._model.untag_done(image, tag)
        self._counts.add(f"tags removed by {way}")

    def _delete_image(self, image):
        life = self._lives.number
        must = self._model.must_be_there(image, image.version)
        tags = self._model.deletion_begins(image)
        answer = self._request("DELETE", f"/v2/{image.repository}/manifests/{image.digest}")
        if answer.status != 202 and (must and self._lives.number == life or answer.status != 404):
            raise Violation(f"deletion of {image.repository}@{image.digest}: "
                            f"status {answer.status}: {answer.body[:200]!r}")
        self._model.deletion_done(image, tags)
        self._counts.add("images deleted")

    def _hold(self):
        image, tag = self._model.images_of(self._source, self._owned)
        if image is None or len(self._holds) >= MAX_HOLDS:
            return
        self._held += 1
        name = f"client-{self._number}/{self._held}"
        version = image.version
        must = self._model.must_be_there(image, version)
        which = self._source.choice([f"{image.repository}:{tag}",
                                     f"{image.repository}@{image.digest}"])
        done, _ = self._cli("hold", "create", which, "--name", name)
        if done.returncode == 0:
            self._model.hold_done(image, name)
            self._holds.append((image, name))
            self._counts.add("holds created")
            self._delete_of_held(image)
        elif must and self._model.must_be_there(image, version):
            raise Violation(f"hold on {which}: {done.stderr}")
        else:
            self._model.lost(image)
            self._counts.add("images that a prune took before the hold came")

    def _delete_of_held(self, image):
        answer = self._request("DELETE", f"/v2/{image.repository}/manifests/{image.digest}")
        if answer.status != 409:
            raise Violation(f"deletion of {image.repository}@{image.digest}, which has a hold: "
                            f"status {answer.status}")

    def _release(self):
        if not self._holds:
            return
        image, name = self._holds.pop(self._source.randrange(len(self._holds)))
        self._model.hold_ends(image, name)
        done, repeated = self._cli("hold", "rm", name)
        if done.returncode != 0 and not repeated:
            raise Violation(f"release of hold {name}: {done.stderr}")
        self._counts.add("holds released")


def describe(content, media_type):
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

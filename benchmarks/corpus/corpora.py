"""The corpora by name."""

import calendar
import random
import tempfile
from typing import Callable, NamedTuple

import changes
import debian
import node_application
import synthetic
from layout import Image

FIRST_BUILD = calendar.timegm((2025, 11, 3, 2, 0, 0))
DAY_SECONDS = 86400
NIGHTS = 10
NIGHTLY_SET = "python"
CHANGED_SHARE = (0.01, 0.05)
NIGHTLY_SEED = 20251103

# Images of os_family and what each installs upon the base.
OS_FAMILY = {
    "web": ["nginx-light", "ca-certificates"],
    "cache": ["redis-server"],
    "python": ["python3", "python3-requests", "ca-certificates"],
    "python-web": ["python3-django", "gunicorn", "python3-psycopg2", "ca-certificates"],
    "git": ["git", "openssh-client", "ca-certificates"],
    "toolbox": ["git", "curl", "jq", "vim-tiny", "sqlite3", "python3", "openssh-client"],
    "c": ["gcc", "make", "libc6-dev"],
    "c++": ["g++", "make", "pkg-config"],
    "ruby": ["ruby", "ca-certificates"],
    "php": ["php-cli", "php-curl", "php-sqlite3", "ca-certificates"],
    "node": ["nodejs", "ca-certificates"],
    "graphics": ["imagemagick", "ca-certificates"],
}


COMMON_SOURCES = ("corpora.py", "layout.py", "pack/forms.go", "pack/go.mod", "pack/go.sum",
                  "pack/layer.go", "pack/main.go", "pack/pgzip.go")
DEBIAN_SOURCES = ("debian.py", "debian.lock")


class Corpus(NamedTuple):
    what: str
    # (cache directory, scratch directory, parameters) -> (images in the order of pushing, notes for
    # corpus.json)
    images: Callable
    sources: tuple  # the files beside those of COMMON_SOURCES that decide what comes of it


def release_train(folder, scratch, _parameters):
    packages, sets, differences = debian.unpack(folder, f"{scratch}/debian", ["node"])
    base = packages.layer(sets["base"], FIRST_BUILD)
    runtime = packages.layer(sets["node"], FIRST_BUILD + 60, sets["base"])
    images = []
    for number, release in enumerate(node_application.RELEASES):
        built = FIRST_BUILD + 3600 + number * 30 * DAY_SECONDS
        installed = node_application.install(release, folder, scratch)
        dependencies, application = node_application.layers(installed, built)
        images.append(Image("release-train", release, built,
                            [base, runtime, dependencies, application]))
    return images, {"changed": differences, "application": node_application.APPLICATION}


def nightly(folder, scratch, _parameters):
    packages, sets, differences = debian.unpack(folder, f"{scratch}/debian", [NIGHTLY_SET])
    layers = [packages.layer(sets["base"], FIRST_BUILD),
              packages.layer(sets[NIGHTLY_SET], FIRST_BUILD, sets["base"])]
    images, changed = [], []
    with open(f"{scratch}/changes", "wb") as bytes_changed:
        for night in range(NIGHTS):
            rng = random.Random(NIGHTLY_SEED + night)
            built = FIRST_BUILD + night * DAY_SECONDS
            if night > 0:
                share = rng.uniform(*CHANGED_SHARE)
                done = [changes.change_entries(layer, share, rng, bytes_changed)
                        for layer in layers]
                layers = [layer for layer, _ in done]
                changed.append(sum(count for _, count in done))
            rebuilt = [[entry._replace(mtime=built) for entry in layer] for layer in layers]
            images.append(Image("nightly", f"night-{night + 1}", built, rebuilt))
    return images, {"changed": differences, "files_changed": changed}


def os_family(folder, scratch, _parameters):
    packages, sets, differences = debian.unpack(folder, f"{scratch}/debian", list(OS_FAMILY))
    base = packages.layer(sets["base"], FIRST_BUILD)
    images = []
    for number, name in enumerate(OS_FAMILY):
        built = FIRST_BUILD + number * DAY_SECONDS
        layer = packages.layer(sets[name], built, sets["base"])
        images.append(Image(f"os-family/{name.replace('+', 'p')}", "latest", built,
                            [base, layer]))
    return images, {"changed": differences}


CORPORA = {
    "release_train": Corpus("six successive releases of node-red on Debian", release_train,
                            (*DEBIAN_SOURCES, "node_application.py", "release_train.lock")),
    "nightly": Corpus("ten rebuilds of one image, 1-5 % of the files changed", nightly,
                      (*DEBIAN_SOURCES, "changes.py")),
    "os_family": Corpus("twelve images of overlapping sets of Debian packages", os_family,
                        DEBIAN_SOURCES),
    "synthetic": Corpus("seeded images shaped like those of Docker Hub; no network",
                        synthetic.images, ("synthetic.py", "changes.py")),
}


def lock(folder):
    """Writes the lock files anew."""
    debian.write_lock(debian.Archive(folder), OS_FAMILY)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        node_application.write_lock(scratch)

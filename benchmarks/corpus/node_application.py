"""Releases of one Node application with their dependencies, as npm installs them.

release_train.lock holds the lock files of all releases in one: every entry once, with the releases
that have it. It names versions and digests, and no registry: npm is set up with its own.
"""

import json
import os
import pathlib
import stat

from layout import FOLDER, Entry, run, say, sorted_layer

APPLICATION = "node-red"
SCOPE = "@node-red"  # the application's own packages beside the one of its name
RELEASES = ("4.0.7", "4.0.8", "4.0.9", "4.1.0", "4.1.1", "4.1.2")
LOCK = FOLDER / "release_train.lock"
LEFT_OUT_OF_LOCK = ("resolved", "funding", "license", "deprecated", "engines")
NPM = ("npm", "--ignore-scripts", "--omit=optional", "--omit=dev", "--no-audit", "--no-fund",
       "--no-update-notifier", "--omit-lockfile-registry-resolved")
HOME = "usr/src/app"


def _package(release):
    return {"name": "application", "version": "1.0.0", "private": True,
            "dependencies": {APPLICATION: release}}


def write_lock(scratch):
    """Locks what npm resolves for each release today."""
    entries = {}  # (path, entry): releases
    for release in RELEASES:
        folder = pathlib.Path(scratch, f"lock-{release}")
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps(_package(release)))
        say(f"npm: resolving {APPLICATION} {release}")
        run(*NPM, "install", "--package-lock-only", cwd=folder)
        packages = json.loads((folder / "package-lock.json").read_text())["packages"]
        for path, entry in packages.items():
            if path:
                kept = {field: value for field, value in entry.items()
                        if field not in LEFT_OUT_OF_LOCK}
                key = path, json.dumps(kept, sort_keys=True)
                entries.setdefault(key, []).append(release)
    lines = [json.dumps([releases, path])[:-1] + f", {entry}]"
             for (path, entry), releases in sorted(entries.items())]
    LOCK.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def lock_of(release):
    """The package-lock.json of a release."""
    packages = {"": _package(release)}
    for releases, path, entry in json.loads(LOCK.read_text()):
        if release in releases:
            packages[path] = entry
    return {"name": "application", "version": "1.0.0", "lockfileVersion": 3, "requires": True,
            "packages": packages}


def install(release, cache, scratch):
    """The folder in which npm has installed a release."""
    folder = pathlib.Path(scratch, f"application-{release}")
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps(_package(release), indent=2) + "\n")
    (folder / "package-lock.json").write_text(json.dumps(lock_of(release), indent=2) + "\n")
    say(f"npm: installing {APPLICATION} {release}")
    before = os.umask(0o022)
    try:
        run(*NPM, "--cache", f"{cache}/npm", "ci", cwd=folder)
    finally:
        os.umask(before)
    # npm's note to itself may name the registry that served the packages.
    (folder / "node_modules/.package-lock.json").unlink(missing_ok=True)
    return folder


def _entries(folder, built):
    for parent, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(parent, name)
            found = os.lstat(path)
            entry = Entry(f"{HOME}/{os.path.relpath(path, folder)}", "file",
                          stat.S_IMODE(found.st_mode), mtime=built)
            if stat.S_ISLNK(found.st_mode):
                yield entry._replace(type="symlink", mode=0o777, link=os.readlink(path))
            elif stat.S_ISDIR(found.st_mode):
                yield entry._replace(type="directory")
            else:
                yield entry._replace(size=found.st_size, source=path)


def layers(folder, built):
    """(layer of the dependencies, layer of the application): npm and COPY give every file the time
    of the build."""
    own = tuple(f"{HOME}/node_modules/{name}" for name in (APPLICATION, SCOPE))
    application, dependencies = [], []
    for entry in _entries(folder, built):
        is_own = any(entry.path == path or entry.path.startswith(path + "/") for path in own)
        (application if is_own else dependencies).append(entry)
    return sorted_layer(dependencies), sorted_layer(application)

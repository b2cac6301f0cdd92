"""Debian packages of fixed versions, as layers.

debian.lock names every package with version and SHA-256 and the sets that it belongs to. A version
that the archive no longer serves is replaced by the newest, loudly: the corpus that comes of it
says so and has another digest. apt runs on a state of its own below the cache folder, so neither
the machine's packages nor the rights of root matter.
"""

import io
import os
import pathlib
import shutil
import subprocess
import tarfile
import urllib.parse
from typing import NamedTuple

from layout import FOLDER, Entry, Missing, run, say, sha256, sorted_layer

LOCK = FOLDER / "debian.lock"
RELEASE = "bookworm"
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")  # links into usr/
# What Debian's slim images leave out, all but the copyright files.
LEFT_OUT = ("usr/share/doc/", "usr/share/info/", "usr/share/lintian/", "usr/share/linda/",
            "usr/share/locale/", "usr/share/man/", "usr/share/groff/")
TYPES = {tarfile.REGTYPE: "file", tarfile.DIRTYPE: "directory", tarfile.SYMTYPE: "symlink",
         tarfile.LNKTYPE: "link"}


class Package(NamedTuple):
    name: str
    version: str
    digest: str
    sets: tuple = ()


def read_lock():
    """Packages of the lock file; lines `name version digest set,set…`."""
    lines = [line.split() for line in LOCK.read_text().splitlines() if not line.startswith("#")]
    return [Package(name, version, digest, tuple(sets.split(",")))
            for name, version, digest, sets in lines]


class Archive:
    """The Debian archive that the machine's apt is set up for, seen from an empty system."""

    def __init__(self, folder):
        self.folder = os.path.abspath(f"{folder}/debian")
        for part in ("state/lists/partial", "cache/archives/partial", "debs"):
            os.makedirs(f"{self.folder}/{part}", exist_ok=True)
        pathlib.Path(f"{self.folder}/status").touch()
        config = pathlib.Path(self.folder, "apt.conf")
        config.write_text(
            f'Dir::State "{self.folder}/state";\nDir::State::status "{self.folder}/status";\n'
            f'Dir::Cache "{self.folder}/cache";\nAPT::Sandbox::User "root";\n'
            f'APT::Architecture "amd64";\nAPT::Default-Release "{RELEASE}";\n')
        self.environment = os.environ | {"APT_CONFIG": str(config), "LC_ALL": "C"}
        self.updated = False

    def apt(self, *command):
        if not self.updated:
            self.updated = True
            say("apt-get update")
            self.apt("apt-get", "-qq", "update")
        return run(*command, env=self.environment, cwd=f"{self.folder}/debs")

    def path(self, package):
        name = f"{package.name}_{package.version.replace(':', '%3a')}_"
        return next(pathlib.Path(self.folder, "debs").glob(f"{name}*.deb"), None)

    def essential(self):
        """The packages of a minimal system."""
        fields = {}
        names = {"apt"}
        for line in self.apt("apt-cache", "dumpavail").splitlines():
            key, _, fields[key] = line.partition(": ")
            if key == "Essential" and fields[key] == "yes":
                names.add(fields["Package"])
        return sorted(names)

    def closure(self, names):
        """Those packages and all that they depend on, on an empty system, as {name: version}."""
        printed = self.apt("apt-get", "-qq", "--print-uris", "--no-install-recommends", "install",
                           *names)
        files = [line.split()[1] for line in printed.splitlines() if line.startswith("'")]
        return dict(urllib.parse.unquote(file).split("_")[:2] for file in files)

    def served(self, names):
        """{name: versions, the candidate first}"""
        found = {}
        for line in self.apt("apt-cache", "madison", *names).splitlines():
            name, version = [field.strip() for field in line.split("|")][:2]
            found.setdefault(name, []).append(version)
        return found

    def download(self, packages):
        """Brings those (name, version) into the cache, a hundred at a time."""
        for at in range(0, len(packages), 100):
            some = packages[at:at + 100]
            say(f"apt-get download: {at + len(some)} of {len(packages)} packages")
            self.apt("apt-get", "-qq", "download", *(f"{name}={version}" for name, version in some))

    def fetch(self, locked):
        """(the packages as they are here, what differs from the lock as sentences)"""
        wanted = [package for package in locked if not self.path(package)]
        served = self.served([package.name for package in wanted]) if wanted else {}
        replaced = {}
        for package in wanted:
            versions = served.get(package.name)
            if not versions:
                raise Missing(f"apt knows no package {package.name}; this corpus needs the archive "
                              f"of Debian {RELEASE}")
            if package.version not in versions:
                replaced[package.name] = versions[0]
        self.download([(package.name, replaced.get(package.name, package.version))
                       for package in wanted])
        packages, differences = [], []
        for package in locked:
            here = package._replace(version=replaced.get(package.name, package.version))
            here = here._replace(digest=sha256(self.path(here).read_bytes()))
            packages.append(here)
            if here != package:
                differences.append(f"{package.name}: locked {package.version} {package.digest}, "
                                   f"taken {here.version} {here.digest}")
        for difference in differences:
            say(f"CHANGED {difference}")
        return packages, differences


def write_lock(archive, sets):
    """Locks the newest of the packages that `sets`, {set: names}, need. Each set holds what is not
    in the set `base`."""
    versions = archive.closure(archive.essential())
    members = {name: ["base"] for name in versions}
    for title, names in sets.items():
        for name, version in archive.closure(archive.essential() + names).items():
            if "base" not in members.setdefault(name, []):
                members[name].append(title)
            versions[name] = version
    chosen = sorted(versions)
    archive.download([(name, versions[name]) for name in chosen
                      if not archive.path(Package(name, versions[name], ""))])
    lines = ["# name version digest sets; written by build --lock\n"]
    for name in chosen:
        digest = sha256(archive.path(Package(name, versions[name], "")).read_bytes())
        lines.append(f"{name} {versions[name]} {digest} {','.join(members[name])}\n")
    LOCK.write_text("".join(lines))


def _installed_path(name):
    """Where a member of a package comes to lie, or None when a slim image leaves it out."""
    path = name.removeprefix(".").strip("/")
    first = path.partition("/")[0]
    if first in MERGED:
        path = f"usr/{path}"
    left_out = path.startswith(LEFT_OUT) and not path.endswith("/copyright")
    return None if left_out or not path else path


def _members(tar_path, built):
    """Entries of an unpacked data archive: files keep their times, folders have that of the build,
    as dpkg leaves them."""
    with tarfile.open(tar_path) as tar:
        for member in tar:
            path = _installed_path(member.name)
            if path is None or (member.isdir() and path in {f"usr/{name}" for name in MERGED}):
                continue
            kind = TYPES[member.type]
            link = member.linkname
            if kind == "link":
                link = _installed_path(link)
            yield Entry(path, kind, member.mode, member.uid, member.gid,
                        built if kind == "directory" else int(member.mtime), link,
                        member.size if kind == "file" else 0, str(tar_path), member.offset_data)


def _status_paragraph(control):
    """What dpkg's status file says of an installed package."""
    first, _, rest = control.strip().partition("\n")
    return f"{first}\nStatus: install ok installed\n{rest}\n\n"


class Unpacked:
    """Packages unpacked below the folder `scratch`, ready to become layers."""

    def __init__(self, archive, packages, scratch):
        self.scratch = scratch
        self.packages = {package.name: package for package in packages}
        self.status = {}  # package: paragraph
        self.info = {}  # package: {file of /var/lib/dpkg/info: bytes}
        os.makedirs(scratch, exist_ok=True)
        for number, package in enumerate(packages, 1):
            if number % 50 == 0 or number == len(packages):
                say(f"unpacking packages: {number} of {len(packages)}")
            self._unpack(archive.path(package), package.name)

    def _unpack(self, deb, name):
        if shutil.which("dpkg-deb") is None:
            raise Missing("needs dpkg-deb, which is not installed")
        with open(f"{self.scratch}/{name}.tar", "wb") as tar:
            subprocess.run(("dpkg-deb", "--fsys-tarfile", str(deb)), check=True, stdout=tar)
        control = subprocess.run(("dpkg-deb", "--ctrl-tarfile", str(deb)), check=True,
                                 stdout=subprocess.PIPE).stdout
        with tarfile.open(fileobj=io.BytesIO(control)) as tar:
            files = {member.name.removeprefix("./"): tar.extractfile(member).read()
                     for member in tar if member.isfile()}
        self.status[name] = _status_paragraph(files.pop("control").decode())
        self.info[name] = files

    def _database(self, names, installed, built):
        """The files of dpkg's database that installing `names` writes, when `installed` are there
        afterwards."""
        contents = {"status": "".join(self.status[name] for name in sorted(installed)).encode()}
        for name in names:
            for kind, data in self.info[name].items():
                contents[f"info/{name}.{kind}"] = data
            with tarfile.open(f"{self.scratch}/{name}.tar") as tar:
                contents[f"info/{name}.list"] = "".join(
                    (member.name.removeprefix(".").rstrip("/") or "/.") + "\n"
                    for member in tar).encode()
        source = f"{self.scratch}/database-{'-'.join(sorted(names)[:1])}-{len(names)}-{built}"
        with open(source, "wb") as out:
            for path, data in contents.items():
                executable = path.endswith((".preinst", ".postinst", ".prerm", ".postrm"))
                yield Entry(f"var/lib/dpkg/{path}", "file", 0o755 if executable else 0o644,
                            mtime=built, size=len(data), source=source, offset=out.tell())
                out.write(data)

    def layer(self, names, built, beneath=()):
        """The layer that installing `names` upon the packages `beneath` makes."""
        entries = [] if beneath else [
            Entry(name, "symlink", 0o777, mtime=built, link=f"usr/{name}") for name in MERGED
            if name != "lib32" and name != "libx32"]
        for name in names:
            entries += _members(f"{self.scratch}/{name}.tar", built)
        entries += self._database(names, set(names) | set(beneath), built)
        return sorted_layer(entries)


def unpack(folder, scratch, sets):
    """(Unpacked, {set: names}, differences from the lock) for the packages of those sets."""
    archive = Archive(folder)
    locked = [package for package in read_lock() if set(package.sets) & {"base", *sets}]
    packages, differences = archive.fetch(locked)
    members = {title: [package.name for package in packages if title in package.sets]
               for title in ("base", *sets)}
    return Unpacked(archive, packages, scratch), members, differences

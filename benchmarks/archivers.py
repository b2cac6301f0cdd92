"""Backup programs as rivals in space: they store the files of an image, not its layers.

Neither is a server, and neither can give back the bytes of a layer that a client pushed; they tell
what deduplication of plain files with compression can reach. Both encrypt nothing here, or as
little as they can.
"""

import os
import shutil
import subprocess

from servers import Missing, first_line


class Archiver:
    """A repository of one program in a fresh `directory`, which is removed with it."""

    name = ""
    package = ""
    kind = "archiver"  # of files, not a server: only the workloads about space are for it
    weaker_sync = ""
    static_root = None
    port = None

    def __init__(self, directory):
        self.program()
        self.directory = os.path.abspath(directory)
        os.makedirs(directory)
        self.run(*self.initialise())

    @classmethod
    def program(cls):
        found = shutil.which(cls.name)
        if found is None:
            raise Missing(f"apt-get install {cls.package}")
        return found

    def environment(self):
        return {}

    def initialise(self):
        raise NotImplementedError

    def archive(self, title):
        """The command that stores the folder it runs in."""
        raise NotImplementedError

    def run(self, *arguments, cwd=None):
        """What a run of the program used."""
        with open(f"{self.directory}/output.log", "ab") as log:
            process = subprocess.Popen((self.program(), *arguments), cwd=cwd,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       env=os.environ | self.environment())
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            with open(f"{self.directory}/output.log", encoding="utf-8", errors="replace") as log:
                raise RuntimeError(f"{self.name} {arguments[0]}: {log.read()[-500:]}")
        return usage

    def store(self, folder, title):
        """Stores the files of `folder` as the archive `title`; returns what that used."""
        return self.run(*self.archive(title), cwd=folder)

    def store_bytes(self):
        """What the repository takes of the disk; what the program caches elsewhere is left out."""
        used = subprocess.run(("du", "-s", "-B1", f"{self.directory}/repository"), check=True,
                              capture_output=True, text=True)
        return int(used.stdout.split()[0])

    @classmethod
    def version(cls):
        cls.program()
        return first_line(cls.name, *cls.version_arguments)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory)


class Restic(Archiver):
    """restic with its defaults: content-defined chunks, zstd; it always encrypts."""

    name = "restic"
    package = "restic"
    version_arguments = ("version",)

    def environment(self):
        return {"RESTIC_PASSWORD": "benchmark", "RESTIC_REPOSITORY": f"{self.directory}/repository",
                "RESTIC_CACHE_DIR": f"{self.directory}/cache"}

    def initialise(self):
        return ("init", "--repository-version", "2")

    def archive(self, title):
        return ("backup", "--quiet", "--host", "benchmark", "--tag", title, ".")


class Borg(Archiver):
    """borgbackup: content-defined chunks, zstd at level 3 (its default is the weaker lz4)."""

    name = "borg"
    package = "borgbackup"
    version_arguments = ("--version",)

    def environment(self):
        return {"BORG_REPO": f"{self.directory}/repository", "BORG_BASE_DIR": self.directory,
                "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}

    def initialise(self):
        return ("init", "--encryption", "none")

    def archive(self, title):
        return ("create", "--compression", "zstd,3", f"::{title}", ".")


SERVERS = {archiver.name: archiver for archiver in (Restic, Borg)}

"""The servers that the harness compares, each started on an empty directory and a free port."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
GO_MODULES = {
    "distribution-v3": ("github.com/distribution/distribution/v3/cmd/registry", "v3.0.0"),
    "zot": ("zotregistry.dev/zot/v2/cmd/zot", "v2.1.2"),
}


class Missing(Exception):
    """Raised when a server cannot run here, with the reason."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def debian_program(name, package):
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
    if found is None:
        raise Missing(f"apt-get install {package}")
    return found


def go_program(name):
    """The rival built from its tagged module, once, below the system's temporary folder; or what
    the environment names, as VARVE_ZOT for zot."""
    variable = f"VARVE_{name.upper().replace('-', '_')}"
    own = os.environ.get(variable)
    if own:
        if shutil.which(own) is None:
            raise Missing(f"{variable} is {own}, which is no program")
        return own
    package, version = GO_MODULES[name]
    folder = f"{tempfile.gettempdir()}/varve-go-{os.getuid()}"
    os.makedirs(folder, mode=0o700, exist_ok=True)
    program = f"{folder}/{re.sub(r'[^a-zA-Z0-9.-]', '_', f'{package}@{version}')}"
    if os.path.exists(program):
        return program
    if shutil.which("go") is None:
        raise Missing("needs a Go toolchain")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        built = subprocess.run(("go", "install", f"{package}@{version}"), cwd=scratch, check=False,
                               env=os.environ | {"GOBIN": scratch}, capture_output=True, text=True)
        if built.returncode != 0:
            raise Missing(f"go install {package}@{version}: {built.stderr.strip()[-200:]}")
        os.rename(f"{scratch}/{os.listdir(scratch)[0]}", program)
    return program


class Server:
    """One server on a fresh `directory`, which is removed with it."""

    name = ""
    # What it can do: "registry"; "blobs", which takes and gives blobs and nothing else; "static",
    # which serves plain files; another word for a server with a protocol of its own.
    kind = "registry"
    # Empty when what it acknowledges is on stable storage; otherwise how much of it is, for the
    # title of its column.
    weaker_sync = ""
    static_root = None  # set by a server of plain files: where they go

    def __init__(self, directory):
        self.port = free_port()
        self.directory = directory
        os.makedirs(directory)
        command = self.command()
        with open(f"{directory}/server.log", "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        self.wait_until_ready()

    def command(self):
        raise NotImplementedError

    @classmethod
    def version(cls):
        raise NotImplementedError

    def try_to_connect(self):
        """OSError while it does not listen."""
        socket.create_connection(("127.0.0.1", self.port), 1).close()

    def wait_until_ready(self):
        for _ in range(1000):
            try:
                self.try_to_connect()
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.01)
        said = pathlib.Path(f"{self.directory}/server.log").read_text(errors="replace")
        raise RuntimeError(f"{self.name} does not listen: {said[-500:]}")

    def store_bytes(self):
        """What the whole data directory takes of the disk."""
        used = subprocess.run(("du", "-s", "-B1", self.directory), capture_output=True, text=True,
                              check=True)
        return int(used.stdout.split()[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
        os.sync()


def first_line(*command):
    """Of what it prints, without the path of the program, which some begin with."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0].strip().removeprefix(command[0]).strip() if lines else "unknown"


class Varve(Server):
    name = "varve"

    def command(self):
        return [self.binary(), "--data-dir", f"{self.directory}/store",
                "--registry", f"127.0.0.1:{self.port}", "--socket", f"{self.directory}/varve.sock"]

    @staticmethod
    def binary():
        return os.environ.get("VARVED", str(ROOT / "build/release/bin/varved"))

    @classmethod
    def version(cls):
        if not os.path.exists(cls.binary()):
            raise Missing(f"{cls.binary()} is not built: cmake --build --preset release")
        return first_line(cls.binary(), "--version")


class Before(Varve):
    """Another build of varved, as VARVE_BEFORE names it: what a change did, within the rounds."""

    name = "before"

    @staticmethod
    def binary():
        program = os.environ.get("VARVE_BEFORE")
        if not program:
            raise Missing("VARVE_BEFORE names no varved")
        return program


class Floor(Server):
    """The least that a registry must do: receive, hash, write and sync; sendfile."""

    name = "floor"
    kind = "blobs"

    @staticmethod
    def program():
        program = os.environ.get("VARVE_FLOOR", str(ROOT / "build/release/bin/varve_floor"))
        if not os.path.exists(program):
            raise Missing(f"{program} is not built: cmake --build --preset release")
        return program

    def command(self):
        os.makedirs(f"{self.directory}/store")
        return [self.program(), "--port", str(self.port), "--directory", f"{self.directory}/store"]

    @classmethod
    def version(cls):
        cls.program()
        return "of this tree"


class Distribution(Server):
    """Debian's docker-registry: distribution 2.8 built with a Go that hashes without SHA-NI. It
    syncs each file that it writes; the rename of the blob and the new directories it leaves to the
    journal of the file system."""

    name = "distribution"
    weaker_sync = "syncs files, not directories"

    @staticmethod
    def program():
        return debian_program("docker-registry", "docker-registry")

    def command(self):
        config = pathlib.Path(self.directory, "config.yml")
        config.write_text("version: 0.1\nlog: {level: warn, accesslog: {disabled: true}}\n"
                          f"storage: {{filesystem: {{rootdirectory: {self.directory}/store}}}}\n"
                          f"http: {{addr: '127.0.0.1:{self.port}'}}\n")
        return [self.program(), "serve", str(config)]

    @classmethod
    def version(cls):
        return first_line(cls.program(), "--version")


class DistributionV3(Distribution):
    """distribution v3 built with the Go of this machine."""

    name = "distribution-v3"

    @staticmethod
    def program():
        return go_program("distribution-v3")


class Zot(Server):
    """zot with `commit: true`, which makes it sync what it acknowledges."""

    name = "zot"

    def command(self):
        config = pathlib.Path(self.directory, "config.json")
        config.write_text(json.dumps({
            "storage": {"rootDirectory": f"{self.directory}/store", "commit": True, "gc": False,
                        "dedupe": False},
            "http": {"address": "127.0.0.1", "port": str(self.port)},
            "log": {"level": "error"}}))
        return [go_program("zot"), "serve", str(config)]

    @classmethod
    def version(cls):
        # A line of its log, in which "commit" begins with the tag.
        said = re.search(r'"commit":"([^"]*)"', first_line(go_program("zot"), "--version"))
        return f"zot {said[1] if said else 'unknown'}"


class Nginx(Server):
    """nginx with sendfile: serves plain files, so only what pulls runs on it."""

    name = "nginx"
    kind = "static"

    @staticmethod
    def program():
        return debian_program("nginx", "nginx-light")

    def command(self):
        self.static_root = f"{self.directory}/files"
        os.makedirs(self.static_root)
        os.chmod(self.directory, 0o755)
        config = pathlib.Path(self.directory, "nginx.conf")
        user = "user root;\n" if os.geteuid() == 0 else ""
        config.write_text(
            f"{user}worker_processes 2;\npid {self.directory}/nginx.pid;\ndaemon off;\n"
            f"error_log {self.directory}/error.log;\nevents {{}}\n"
            "http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;\n"
            f"server {{ listen 127.0.0.1:{self.port}; root {self.static_root}; }} }}\n")
        return [self.program(), "-c", str(config)]

    @classmethod
    def version(cls):
        return first_line(cls.program(), "-v")


SERVERS = {server.name: server
           for server in (Varve, Before, Floor, Distribution, DistributionV3, Zot, Nginx)}

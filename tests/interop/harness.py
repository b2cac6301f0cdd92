"""Registration and running of interop cases: one line a case, counts at the end."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
import traceback

from daemon import Daemon

COMMAND_SECONDS = 300
CASES = []


class Skip(Exception):
    """Raised by a case that cannot run here, with the reason."""


def case(function):
    """Registers `function(context)` as a case; its name is module.function."""
    CASES.append((f"{function.__module__.split('.')[-1]}.{function.__name__}", function))
    return function


class Context:
    """What a case gets: a fresh folder, a running registry that cases share, ways to run things.

    `address` is of the shared registry; `daemon` is the varved behind it, or None when the registry
    is foreign (run.py --registry).
    """

    def __init__(self, binaries, root, address, daemon, long):
        self.binaries = binaries
        self.folder = root
        self.address = address
        self.daemon = daemon
        self.long = long

    def for_case(self, number):
        folder = f"{self.folder}/{number}"  # short: podman and unix sockets limit their paths
        os.makedirs(folder)
        return Context(self.binaries, folder, self.address, self.daemon, self.long)

    def run(self, *command, timeout=COMMAND_SECONDS, **options):
        """Standard output of the command; fails with its standard error when it fails."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, check=False, **options)
        assert done.returncode == 0, (
            f"{' '.join(command)}\nexit {done.returncode}\n"
            f"{done.stdout[-1500:]}{done.stderr[-1500:]}")
        return done.stdout

    def fails(self, *command, **options):
        """Both outputs of a command that must fail."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS,
                              stdin=subprocess.DEVNULL, check=False, **options)
        assert done.returncode != 0, f"{' '.join(command)} succeeded:\n{done.stdout[-1500:]}"
        return done.stdout + done.stderr

    def need(self, *programs):
        """Skips the case when one of the programs is missing."""
        for program in programs:
            if shutil.which(program) is None:
                raise Skip(f"{program} is not installed")

    def need_root(self):
        if os.geteuid() != 0:
            raise Skip("needs root")

    @contextlib.contextmanager
    def own_daemon(self, **settings):
        """A varved for this case alone; stopped with SIGTERM at the end, which must succeed."""
        if self.daemon is None:
            raise Skip("needs a varved of its own; --registry gives a foreign one")
        daemon = Daemon(self.binaries, f"{self.folder}/daemon", **settings)
        try:
            yield daemon
        except BaseException:
            daemon.kill()
            raise
        daemon.stop()

    @contextlib.contextmanager
    def background(self, *command, ready):
        """Runs a helper daemon until the block ends; waits until `ready()` is true."""
        log_path = f"{self.folder}/{os.path.basename(command[0])}.log"
        with open(log_path, "wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 60
            while not ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    with open(log_path, errors="replace") as log:
                        raise Skip(f"{command[0]} does not run here: {last_line(log.read())}")
                time.sleep(0.1)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def run_cases(context, selected):
    """Runs the cases; returns (passed, failed, skipped)."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for number, (name, function) in enumerate(selected):
        begin = time.monotonic()
        try:
            note = function(context.for_case(number))
        except Skip as reason:
            counts["skipped"] += 1
            print(f"SKIP    {name}: {reason}", flush=True)
            continue
        except Exception:  # a case may fail in any way; the others run all the same
            counts["failed"] += 1
            print(f"FAILED  {name} after {time.monotonic() - begin:.1f} s", flush=True)
            print("        " + traceback.format_exc().replace("\n", "\n        "), flush=True)
            continue
        counts["passed"] += 1
        seconds = time.monotonic() - begin
        print(f"passed  {name} {seconds:.1f} s" + (f": {note}" if note else ""), flush=True)
    return counts["passed"], counts["failed"], counts["skipped"]


@contextlib.contextmanager
def scratch_folder():
    """A folder short enough for unix sockets, removed at the end."""
    folder = tempfile.mkdtemp(prefix="varve-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)

"""A varved of the build under test: its own data directory, a free port, its log in a file."""

import os
import re
import signal
import subprocess
import time

START_SECONDS = 30
STOP_SECONDS = 60


class Daemon:
    """Started on construction. `settings` become VARVE_… variables: RECLAIM_PROMISE="1s".

    `registry` is what --registry says; by default a port that is free, or `port`.
    """

    def __init__(self, binaries, folder, port=0, registry=None, **settings):
        self.folder = folder
        self.data_dir = f"{folder}/store"
        self.socket = f"{folder}/varve.sock"
        self.log_path = f"{folder}/varved.log"
        self.address = None  # of the registry, host:port
        self.process = None
        self._binaries = binaries
        self._port = port
        self._registry = registry
        self._environment = {name: text for name, text in os.environ.items()
                             if not name.startswith("VARVE_")}
        self._environment |= {f"VARVE_{name}": text for name, text in settings.items()}
        os.makedirs(folder, exist_ok=True)
        self.start()

    def start(self):
        """Starts it, on the port of the first time. Returns the seconds until it was ready."""
        begin = time.monotonic()
        with open(self.log_path, "ab") as log:
            log_start = log.tell()
            self.process = subprocess.Popen(
                [f"{self._binaries}/varved", "--data-dir", self.data_dir, "--socket", self.socket,
                 "--registry",
                 f"127.0.0.1:{self._port}" if self._registry is None else self._registry],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment)
        while time.monotonic() < begin + START_SECONDS:
            text = self.log(log_start)
            ready = re.search(r'( ready .*registry=|"ready",.*"registry":")([^\s"]+)', text)
            if ready:
                self.address = ready.group(2)
                if self._registry is None:
                    self._port = int(self.address.rsplit(":", 1)[1])
                return time.monotonic() - begin
            if self.process.poll() is not None:
                raise AssertionError(f"varved ended with {self.process.returncode}:\n{text}")
            time.sleep(0.01)
        self.kill()
        raise AssertionError(
            f"varved was not ready after {START_SECONDS} s:\n{self.log(log_start)}")

    def log(self, start=0):
        with open(self.log_path, "rb") as log:
            log.seek(start)
            return log.read().decode(errors="replace")

    def stop(self):
        """SIGTERM; fails unless it drains and exits with 0."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"varved did not stop within {STOP_SECONDS} s of SIGTERM") from None
        self.process = None
        assert code == 0, f"varved ended with {code} on SIGTERM:\n{self.log()[-2000:]}"

    def kill(self):
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    @property
    def command(self):
        """The beginning of a `varve` command line for this daemon."""
        return (f"{self._binaries}/varve", "--address", f"unix://{self.socket}")

    def cli(self, *arguments):
        """What `varve …` prints; fails when it does."""
        done = subprocess.run([*self.command, *arguments], check=False, capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == 0, f"varve {' '.join(arguments)}: {done.stderr}"
        return done.stdout

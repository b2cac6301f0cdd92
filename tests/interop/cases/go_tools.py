"""Programs that come as Go modules: built once into a cache below the system's temporary folder."""

import os
import re
import shutil
import subprocess
import tempfile

from harness import Skip

BUILD_SECONDS = 900


def go_build(package, version, minimum=(1, 24)):
    """Path of the program built from `package`@`version`; skips without Go or the module."""
    go = shutil.which("go")
    if go is None:
        raise Skip(f"needs Go {minimum[0]}.{minimum[1]} or later")
    said = subprocess.run((go, "version"), capture_output=True, text=True, check=False).stdout
    found = re.search(r"go(\d+)\.(\d+)", said)
    if not found or (int(found.group(1)), int(found.group(2))) < minimum:
        raise Skip(f"needs Go {minimum[0]}.{minimum[1]} or later, this is {said.strip()}")
    folder = f"{tempfile.gettempdir()}/varve-go-{os.getuid()}"
    os.makedirs(folder, mode=0o700, exist_ok=True)
    assert os.stat(folder).st_uid == os.getuid(), f"{folder} belongs to somebody else"
    name = re.sub(r"[^a-zA-Z0-9.-]", "_", f"{package}@{version}")
    program = f"{folder}/{name}"
    if os.path.exists(program):
        return program
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        environment = os.environ | {"GOFLAGS": "-mod=mod", "GOBIN": scratch}
        done = subprocess.run((go, "install", f"{package}@{version}"), cwd=scratch, env=environment,
                              capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
        if done.returncode != 0:
            raise Skip(f"go install {package}@{version} failed: {done.stderr.strip()[-300:]}")
        built = [entry for entry in os.listdir(scratch) if entry != "go.mod"]
        os.rename(f"{scratch}/{built[0]}", program)
    return program

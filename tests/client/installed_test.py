#!/usr/bin/env python3
"""Installs a build, compiles client/example against what was installed, by CMake and by pkg-config,
and lists the images of a daemon with both: installed_test.py BUILD. Compiles as CXX and CXXFLAGS
say."""

import io
import os
import pathlib
import shlex
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "client/example"
sys.path.insert(0, str(ROOT / "tests/interop"))
from daemon import Daemon  # noqa: E402


def run(*command, **environment):
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def compile_by_cmake(prefix, folder):
    run("cmake", "-S", EXAMPLE, "-B", folder, f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", folder)
    return f"{folder}/list_images"


def compile_by_pkg_config(prefix, folder):
    (description,) = pathlib.Path(prefix).glob("lib/**/pkgconfig/varve.pc")
    flags = run("pkg-config", "--cflags", "--libs", "varve",
                PKG_CONFIG_PATH=str(description.parent))
    os.mkdir(folder)
    program = f"{folder}/list_images"
    compiler = [os.environ["CXX"], "-std=c++20", *shlex.split(os.environ.get("CXXFLAGS", ""))]
    run(*compiler, "-o", program, EXAMPLE / "list_images.cc", *shlex.split(flags))
    check_one_include_is_enough(compiler, flags, folder)
    return program


def check_one_include_is_enough(compiler, flags, folder):
    """client.h brings whatever its calls take and return."""
    source = pathlib.Path(folder, "types.cc")
    source.write_text('#include "client/client.h"\n' + "".join(
        f"varve::{name} a_{name};\n" for name in (
            "BlobInfo", "ManifestInfo", "ImageMatch", "DiskUsage", "PruneRequest", "PruneReport",
            "PruneStep", "PruneJob", "HoldInfo", "LeaseInfo", "Event", "CheckStep")))
    run(*compiler, "-fsyntax-only", source, *shlex.split(flags))


def check_no_engine(prefix):
    """A client needs no engine to be built, so that none is installed."""
    text = "".join(path.read_text() for path in pathlib.Path(prefix).rglob("*.cmake"))
    assert "rocksdb" not in text.lower(), "the installed client asks for RocksDB"
    libraries = sorted(path.name for path in pathlib.Path(prefix).rglob("*.a"))
    parts = ("base", "client", "image", "messages", "proto")
    assert libraries == [f"libvarve_{part}.a" for part in parts], libraries


def import_image(daemon, folder):
    """The line that a listing has of it."""
    archive = f"{folder}/root.tar"
    with tarfile.open(archive, "w") as root:
        root.addfile(tarfile.TarInfo("hello"), io.BytesIO())
    daemon.cli("import", archive, "team/app:v1")
    (digest,) = daemon.cli("images", "--no-trunc", "-q").split()
    return f"team/app:v1 {digest}\n"


def main(build):
    with tempfile.TemporaryDirectory() as scratch:
        prefix = f"{scratch}/prefix"
        run("cmake", "--install", build, "--prefix", prefix)
        check_no_engine(prefix)
        programs = [compile_by_cmake(prefix, f"{scratch}/cmake"),
                    compile_by_pkg_config(prefix, f"{scratch}/pkg-config")]
        daemon = Daemon(f"{prefix}/bin", f"{scratch}/daemon")
        try:
            line = import_image(daemon, scratch)
            for program in programs:
                assert run(program, f"unix://{daemon.socket}") == line, program
        finally:
            daemon.stop()
        done = subprocess.run([programs[0], f"unix://{daemon.socket}"], capture_output=True,
                              text=True, check=False)
        assert done.returncode == 1 and "UNAVAILABLE" in done.stderr, done


if __name__ == "__main__":
    main(sys.argv[1])

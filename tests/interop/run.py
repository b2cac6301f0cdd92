#!/usr/bin/env python3
"""Real clients against a running varved: one line a case, then "N passed, N failed, N skipped"."""

import argparse
import importlib
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from daemon import Daemon
from harness import CASES, Context, run_cases, scratch_folder

MODULES = ["protocol", "restart", "cli", "native", "skopeo", "buildah", "podman", "docker",
           "containerd", "archives", "piped", "go_clients", "conformance", "killed",
           "pruned", "proxied", "mirrored", "served"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default="build/release/bin", help="folder with varved and varve")
    parser.add_argument("--registry", metavar="HOST:PORT",
                        help="test this running registry instead; cases that need varved skip")
    parser.add_argument("--only", default="", metavar="REGEX", help="run the cases that match")
    parser.add_argument("--long", action="store_true",
                        help="more rounds of the kill loop and of the prune soak")
    options = parser.parse_args()
    for module in MODULES:
        importlib.import_module(f"cases.{module}")
    selected = [entry for entry in CASES if re.search(options.only, entry[0])]
    binaries = os.path.abspath(options.bin)
    with scratch_folder() as root:
        if options.registry:
            context = Context(binaries, root, options.registry, None, options.long)
            passed, failed, skipped = run_cases(context, selected)
        else:
            daemon = Daemon(binaries, f"{root}/daemon")
            try:
                context = Context(binaries, root, daemon.address, daemon, options.long)
                passed, failed, skipped = run_cases(context, selected)
                daemon.stop()
            except AssertionError as error:
                failed += 1
                print(f"FAILED  shutdown: {error}")
            finally:
                daemon.kill()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

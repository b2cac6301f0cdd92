#!/usr/bin/env python3
"""Runs one small workload against varved and the floor with the programs of a build, VARVE_BIN."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def main():
    folder = pathlib.Path(os.environ.get("VARVE_BIN", ROOT / "build/release/bin"))
    programs = {"VARVED": "varved", "VARVE_LOAD": "varve_load", "VARVE_FLOOR": "varve_floor"}
    for program in programs.values():
        if not (folder / program).exists():
            print(f"SKIP: {folder / program} is not built")
            return 0
    environment = os.environ | {key: str(folder / name) for key, name in programs.items()}
    with tempfile.TemporaryDirectory() as work:
        done = subprocess.run(
            [sys.executable, "-B", ROOT / "benchmarks/run", "blobs_2000x16k", "--rival", "floor",
             "--rounds", "1", "--dir", work, "--json", f"{work}/run.json"],
            env=environment, capture_output=True, text=True, check=False)
        print(done.stdout, done.stderr)
        if done.returncode != 0:
            print(f"benchmarks/run ended with {done.returncode}")
            return 1
        run = json.loads(pathlib.Path(work, "run.json").read_text())
    for measurement in ("push_unique_2000x16k", "pull_hot_2000x16k"):
        for server in ("varve", "floor"):
            (found,) = run["measurements"][measurement][server]
            if found["bytes"] < 2000 * 16384 or found["wall_seconds"] <= 0:
                print(f"{measurement} on {server} moved {found['bytes']} bytes")
                return 1
    if run["measurements"]["push_unique_2000x16k"]["varve"][0]["store_bytes"] < 2000 * 16384:
        print("the store of varve does not hold what was pushed")
        return 1
    print("of the floor" in done.stdout and "the share of the floor is printed")
    return 0 if "of the floor" in done.stdout else 1


if __name__ == "__main__":
    sys.exit(main())

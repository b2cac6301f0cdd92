#!/usr/bin/env python3
"""Runs small workloads against varved, one also against the floor, with the programs of a build,
VARVE_BIN."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def run(workload, environment, work):
    """What benchmarks/run printed and its JSON; None when it failed."""
    done = subprocess.run(
        [sys.executable, "-B", ROOT / "benchmarks/run", workload, "--rival", "floor",
         "--rounds", "1", "--dir", work, "--json", f"{work}/run.json"],
        env=environment, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr)
    if done.returncode != 0:
        print(f"benchmarks/run {workload} ended with {done.returncode}")
        return None
    return done.stdout, json.loads(pathlib.Path(work, "run.json").read_text())["measurements"]


def blobs(environment, work):
    """What is wrong with the pushes and pulls of many small blobs."""
    done = run("blobs_2000x16k", environment, work)
    if done is None:
        return "it failed"
    text, measurements = done
    for measurement in ("push_unique_2000x16k", "pull_hot_2000x16k"):
        for server in ("varve", "floor"):
            (found,) = measurements[measurement][server]
            if found["bytes"] < 2000 * 16384 or found["wall_seconds"] <= 0:
                return f"{measurement} on {server} moved {found['bytes']} bytes"
    if measurements["push_unique_2000x16k"]["varve"][0]["store_bytes"] < 2000 * 16384:
        return "the store of varve does not hold what was pushed"
    return None if "of the floor" in text else "the share of the floor is not printed"


def prune(environment, work):
    """What is wrong with a prune of half of a few images beside clients."""
    done = run("prune_half_2k", environment | {"VARVE_HALF_IMAGES": "40",
                                               "VARVE_HALF_IDLE_SECONDS": "1"}, work)
    if done is None:
        return "it failed"
    (removal,) = done[1]["prune_half_2k"]["varve"]
    if (removal["images"], removal["blobs"], removal["operations"]) != (20, 100, 20):
        return f"the prune removed {removal['images']} images"
    (clients,) = done[1]["prune_half_2k_clients"]["varve"]
    if clients["pushed meanwhile"] == 0 or clients["all p50 idle ms"] <= 0:
        return "no client pushed meanwhile"
    return None


def removal_costs(environment, work):
    """What is wrong with the removal of a few images of one base layer and of a few links."""
    few = environment | {"VARVE_COST_SIZE": "50"}
    for workload, number in (("prune_shared_base", 50), ("prune_shared_base_4x", 200),
                             ("expire_links", 50), ("expire_links_4x", 200)):
        done = run(workload, few, work)
        if done is None:
            return f"{workload} failed"
        (found,) = done[1][workload]["varve"]
        if found["operations"] != number:
            return f"{workload} removed {found['operations']}"
    return None


def main():
    folder = pathlib.Path(os.environ.get("VARVE_BIN", ROOT / "build/release/bin"))
    programs = {"VARVED": "varved", "VARVE": "varve", "VARVE_LOAD": "varve_load",
                "VARVE_LOAD_IMAGES": "varve_load_images", "VARVE_FLOOR": "varve_floor",
                "VARVE_FILL_STORE": "varve_fill_store"}
    for program in programs.values():
        if not (folder / program).exists():
            print(f"SKIP: {folder / program} is not built")
            return 0
    environment = os.environ | {key: str(folder / name) for key, name in programs.items()}
    wrong = False
    for check in (blobs, prune, removal_costs):
        with tempfile.TemporaryDirectory() as work:
            reason = check(environment, work)
        if reason is not None:
            print(f"{check.__name__}: {reason}")
            wrong = True
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

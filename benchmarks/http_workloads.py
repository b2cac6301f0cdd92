"""The workloads of the distribution protocol, which varve_load runs against any registry; pulls of
blobs also against a server of plain files, and pushes of blobs against the floor.

WORKLOADS is {workload: function(server, seed, work_dir)}, which gives {measurement: its figures} or
None when the workload is not for servers of that kind. MEASURES is {workload: its measurements}.
"""

import functools
import json
import os
import pathlib
import subprocess

LOAD = os.environ.get("VARVE_LOAD", str(pathlib.Path(__file__).resolve().parent.parent /
                                        "build/release/bin/varve_load"))
NOT_FOR_THIS_SERVER = 3  # exit code of varve_load
KINDS = ("static", "blobs", "registry")


def run_load(workload, server, seed, _work_dir):
    if server.kind not in KINDS:
        return None
    command = [LOAD, "--port", str(server.port), "--server-pid", str(server.process.pid),
               "--seed", str(seed), "--kind", server.kind, workload]
    if server.static_root:
        command += ["--static-root", server.static_root]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == NOT_FOR_THIS_SERVER:
        return None
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip() or f"varve_load ended with {done.returncode}")
    measurements = [json.loads(line) for line in done.stdout.splitlines()]
    return {measurement["name"]: measurement for measurement in measurements}


def read_list():
    """{workload: its measurements}; empty, and nothing can run, without varve_load."""
    try:
        listed = subprocess.run((LOAD, "--port", "1", "--server-pid", "1", "--seed", "1", "list"),
                                capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        return {}
    return {line.split()[0]: tuple(line.split()[1:]) for line in listed.splitlines()}


MEASURES = read_list()
WORKLOADS = {name: functools.partial(run_load, name) for name in MEASURES}

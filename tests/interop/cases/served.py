"""What serves, and how it is told to: no registry, a read-only one, a log that is moved away."""

import json
import os
import signal
import time

from cases.protocol import curl
from harness import case


def wait_for(what, condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.02)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


@case
def a_hangup_opens_the_log_again_and_ends_nothing(context):
    context.need("curl")
    path = f"{context.folder}/moved.log"
    with context.own_daemon(LOG_FORMAT="json") as daemon:
        daemon.process.send_signal(signal.SIGHUP)
        wait_for("the line", lambda: '"event":"hangup"' in daemon.log())
        assert curl(context, f"http://{daemon.address}/v2/")[0] == 200
        for line in daemon.log().splitlines():
            json.loads(line)
    with context.own_daemon(LOG_FILE=f"{context.folder}/daemon/varved.log") as daemon:
        os.rename(daemon.log_path, path)
        daemon.process.send_signal(signal.SIGHUP)
        wait_for("the new file", lambda: os.path.exists(daemon.log_path))
        wait_for("the line", lambda: " info hangup " in daemon.log())
        assert curl(context, f"http://{daemon.address}/v2/a/manifests/v1")[0] == 404
        wait_for("the request", lambda: "reference=v1" in daemon.log())
        assert " ready " in read(path) and "reference=v1" not in read(path)


@case
def a_store_without_a_registry(context):
    with context.own_daemon(registry="") as daemon:
        assert daemon.address == "off", daemon.address
        daemon.cli("system", "info")


@case
def a_registry_that_is_only_read(context):
    context.need("curl")
    with context.own_daemon(REGISTRY_READ_ONLY="true") as daemon:
        base = f"http://{daemon.address}/v2"
        status, _, body = curl(context, "--request", "POST", f"{base}/a/blobs/uploads/")
        assert status == 405 and json.loads(body)["errors"][0]["code"] == "UNSUPPORTED", body
        blob = f"{context.folder}/blob"
        with open(blob, "wb") as file:
            file.write(b"pushed through the other door")
        daemon.cli("blob", "put", blob)  # the gRPC API takes it
        assert curl(context, f"{base}/_catalog")[0] == 200

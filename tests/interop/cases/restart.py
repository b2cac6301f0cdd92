"""Uploads go on after the connection, the daemon's process or its clean shutdown is gone."""

import os
import re

from harness import case
from images import digest_of
from registry import Registry

HALF_BYTES = 80 << 20  # above the 64 MiB after which an upload is checkpointed


def resume(context, end_daemon):
    """Pushes half an upload, ends the daemon, starts it again, resumes. Returns a note."""
    with context.own_daemon() as daemon:
        content = os.urandom(HALF_BYTES) + os.urandom(1 << 20)
        registry = Registry(daemon.address)
        location = registry.begin_upload("restart/blob")
        answer = registry.request("PATCH", location, content[:HALF_BYTES], {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"0-{HALF_BYTES - 1}",
        }).expect(202)
        location = answer.headers["Location"]
        registry.close()
        end_daemon(daemon)
        seconds = daemon.start()
        answer = registry.request("GET", location).expect(204)
        match = re.fullmatch(r"0-(\d+)", answer.headers.get("Range", "0-0"))
        assert match, answer.headers
        offset = int(match.group(1)) + 1 if match.group(1) != "0" else 0
        assert offset <= HALF_BYTES, f"it says to have {offset} bytes"
        location = answer.headers["Location"]
        answer = registry.request("PATCH", location, content[offset:], {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"{offset}-{len(content) - 1}",
        }).expect(202)
        digest = digest_of(content)
        registry.finish_upload(answer.headers["Location"], digest).expect(201)
        assert registry.get_blob("restart/blob", digest).expect(200).body == content
        # The answer to the final PUT may be lost: the client repeats it.
        registry.finish_upload(answer.headers["Location"], digest).expect(201)
        registry.close()
        return offset, f"resumed at {offset} of {HALF_BYTES} bytes, ready in {seconds:.2f} s"


@case
def upload_resumes_after_sigterm(context):
    offset, note = resume(context, lambda daemon: daemon.stop())
    assert offset == HALF_BYTES, f"a clean stop lost {HALF_BYTES - offset} bytes of the upload"
    return note


@case
def upload_resumes_after_sigkill(context):
    offset, note = resume(context, lambda daemon: daemon.kill())
    assert offset >= HALF_BYTES - (64 << 20), f"only {offset} bytes of {HALF_BYTES} survived"
    return note


@case
def store_is_the_same_after_restart(context):
    with context.own_daemon() as daemon:
        registry = Registry(daemon.address)
        content = os.urandom(1 << 20)
        digest = registry.push_blob("restart/kept", content)
        registry.close()
        daemon.stop()
        daemon.start()
        assert registry.get_blob("restart/kept", digest).expect(200).body == content
        registry.close()


@case
def second_daemon_on_the_same_store_is_refused(context):
    with context.own_daemon() as daemon:
        said = context.fails(f"{context.binaries}/varved", "--data-dir", daemon.data_dir,
                             "--socket", f"{context.folder}/second.sock",
                             "--registry", "127.0.0.1:0")
        assert str(daemon.process.pid) in said, f"does not name the first one's pid: {said}"

"""The protocol as curl sees it: what a person finds who looks at the wire."""

import json
import os

from harness import case
from images import digest_of
from registry import Registry, small_manifest


def curl(context, *arguments):
    """(status, headers in lower case, body) of one request."""
    body, headers = f"{context.folder}/body", f"{context.folder}/headers"
    status = context.run("curl", "--silent", "--show-error", "--max-time", "60", "--http1.1",
                         "--output", body, "--dump-header", headers,
                         "--write-out", "%{http_code}", *arguments)
    with open(headers) as file:
        lines = [line.rstrip().partition(": ") for line in file if ": " in line]
    content = b""
    if os.path.exists(body):
        with open(body, "rb") as file:
            content = file.read()
        os.remove(body)
    return int(status), {name.lower(): value for name, _, value in lines}, content


def write(context, name, content):
    path = f"{context.folder}/{name}"
    with open(path, "wb") as file:
        file.write(content)
    return path


def absolute(context, location):
    return location if location.startswith("http") else f"http://{context.address}{location}"


@case
def base_and_errors(context):
    context.need("curl")
    base = f"http://{context.address}/v2"
    status, _, _ = curl(context, f"{base}/")
    assert status == 200, status
    status, headers, body = curl(context, f"{base}/none/such/manifests/v1")
    assert status == 404 and headers["content-type"].startswith("application/json"), headers
    assert json.loads(body)["errors"][0]["code"] in ("MANIFEST_UNKNOWN", "NAME_UNKNOWN"), body
    digest = digest_of(b"never pushed")
    status, _, body = curl(context, f"{base}/none/such/blobs/{digest}")
    assert status == 404 and json.loads(body)["errors"][0]["code"] == "BLOB_UNKNOWN", body
    status, _, body = curl(context, f"{base}/UPPER/manifests/v1")
    assert status in (400, 404), (status, body)


@case
def chunked_upload_with_every_header(context):
    context.need("curl")
    content = os.urandom(300_000)
    digest = digest_of(content)
    base = f"http://{context.address}/v2/curl/chunks"
    status, headers, _ = curl(context, "--request", "POST", "--header", "Content-Length: 0",
                              f"{base}/blobs/uploads/")
    assert status == 202 and "location" in headers, (status, headers)
    location = absolute(context, headers["location"])
    for begin, end in ((0, 100_000), (100_000, 250_000)):
        part = write(context, "part", content[begin:end])
        status, headers, body = curl(
            context, "--request", "PATCH", "--header", "Content-Type: application/octet-stream",
            "--header", f"Content-Range: {begin}-{end - 1}", "--data-binary", f"@{part}", location)
        assert status == 202, (status, body)
        assert headers["range"] == f"0-{end - 1}", headers
        location = absolute(context, headers["location"])
    # A chunk in the wrong place is refused, says where to go on, and spoils nothing.
    part = write(context, "part", b"x" * 10)
    status, headers, _ = curl(
        context, "--request", "PATCH", "--header", "Content-Type: application/octet-stream",
        "--header", "Content-Range: 7-16", "--data-binary", f"@{part}", location)
    assert status == 416, status
    status, headers, _ = curl(context, location)
    assert status == 204 and headers["range"] == "0-249999", (status, headers)
    part = write(context, "part", content[250_000:])
    mark = "&" if "?" in location else "?"
    status, headers, body = curl(
        context, "--request", "PUT", "--header", "Content-Type: application/octet-stream",
        "--data-binary", f"@{part}", f"{location}{mark}digest={digest}")
    assert status == 201, (status, body)
    assert headers["docker-content-digest"] == digest, headers
    status, headers, body = curl(context, f"{base}/blobs/{digest}")
    assert status == 200 and body == content
    status, headers, body = curl(context, "--range", "1000-1999", f"{base}/blobs/{digest}")
    assert status == 206 and body == content[1000:2000], status
    assert headers["content-range"] == "bytes 1000-1999/300000", headers
    status, headers, _ = curl(context, "--head", f"{base}/blobs/{digest}")
    assert status == 200 and headers["content-length"] == "300000", headers


@case
def wrong_digest_stores_nothing(context):
    context.need("curl")
    base = f"http://{context.address}/v2/curl/wrong"
    wrong = digest_of(b"other bytes")
    part = write(context, "part", b"these bytes")
    status, _, body = curl(
        context, "--request", "POST", "--header", "Content-Type: application/octet-stream",
        "--data-binary", f"@{part}", f"{base}/blobs/uploads/?digest={wrong}")
    if status == 202:  # a registry without single-request uploads
        location = Registry(context.address).begin_upload("curl/wrong")
        answer = Registry(context.address).finish_upload(location, wrong, b"these bytes")
        status, body = answer.status, answer.body
    assert status == 400 and json.loads(body)["errors"][0]["code"] == "DIGEST_INVALID", body
    for digest in (wrong, digest_of(b"these bytes")):
        status, _, _ = curl(context, "--head", f"{base}/blobs/{digest}")
        assert status == 404, f"{digest} is there"


@case
def delete_touches_one_repository_only(context):
    registry = Registry(context.address)
    config, layer = b'{"rootfs":{}}', os.urandom(200_000)
    manifest = small_manifest(config, [layer])
    for repository in ("curl/one", "curl/two"):
        for content in (config, layer):
            registry.push_blob(repository, content)
        registry.put_manifest(repository, "v1", manifest).expect(201)
    registry.request("DELETE", f"/v2/curl/one/manifests/{digest_of(manifest)}").expect(202)
    registry.get_manifest("curl/one", "v1").expect(404)
    assert registry.read_image("curl/two", "v1")[digest_of(layer)] == layer


@case
def index_pushed_one_request_at_a_time_while_reclaiming(context):
    """Every pause is longer than the reclaimer's interval; promises carry the content over it."""
    import time

    from images import INDEX, Layout
    with context.own_daemon(RECLAIM_INTERVAL="100ms", RECLAIM_PROMISE="10s") as daemon:
        registry = Registry(daemon.address)
        layout = Layout(context.folder)
        platforms = [layout.image(f"slow-{name}", layers=((100,), (200_000,)), architecture=name)
                     for name in ("amd64", "arm64")]
        root = layout.index(platforms)
        for platform in platforms:
            document = json.loads(layout.blobs[platform["digest"]])
            for part in [document["config"], *document["layers"]]:
                registry.push_blob("slow/index", layout.blobs[part["digest"]])
                time.sleep(0.25)
            registry.put_manifest("slow/index", platform["digest"],
                                  layout.blobs[platform["digest"]]).expect(201)
            time.sleep(0.25)
        registry.put_manifest("slow/index", "multi", layout.blobs[root["digest"]],
                              INDEX).expect(201)
        assert registry.read_image("slow/index", "multi") == layout.blobs

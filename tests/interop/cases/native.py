"""The native API from other languages: Go's grpcurl by reflection, Python's grpcio by the proto."""

import base64
import json
import os
import subprocess

from cases.cli import need_daemon
from cases.go_tools import go_build
from harness import Skip, case
from images import Layout, digest_of
from registry import Registry

PYTHON = "/usr/bin/python3"  # which Debian's python3-grpcio is for

PYTHON_CLIENT = """
import os, sys
sys.path.insert(0, sys.argv[2])
import grpc
from varve.v1 import blobs_pb2, images_pb2

channel = grpc.insecure_channel("unix:" + sys.argv[1])
upload = channel.stream_unary("/varve.v1.Blobs/Write", blobs_pb2.WriteRequest.SerializeToString,
                              blobs_pb2.WriteResponse.FromString)
download = channel.unary_stream("/varve.v1.Blobs/Read", blobs_pb2.ReadRequest.SerializeToString,
                                blobs_pb2.ReadResponse.FromString)
listing = channel.unary_unary("/varve.v1.Images/List",
                              images_pb2.ListImagesRequest.SerializeToString,
                              images_pb2.ListImagesResponse.FromString)
content = os.urandom(5 << 20)
health = channel.unary_unary("/grpc.health.v1.Health/Check")
assert health(b"") == b"\\x08\\x01", "not serving"  # field 1, SERVING

def messages():
    yield blobs_pb2.WriteRequest(header=blobs_pb2.WriteRequest.Header(size_bytes=len(content)))
    for start in range(0, len(content), 1 << 20):
        yield blobs_pb2.WriteRequest(data=content[start:start + (1 << 20)])
    import hashlib
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    yield blobs_pb2.WriteRequest(commit=blobs_pb2.WriteRequest.Commit(expected_digest=digest))

blob = upload(messages()).blob
assert blob.size_bytes == len(content), blob
back = b"".join(part.data for part in download(blobs_pb2.ReadRequest(digest=blob.digest)))
assert back == content, "what was read is not what was written"
try:
    listing(images_pb2.ListImagesRequest(repository="no/such/repository"))
    raise SystemExit("a repository that does not exist was listed")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.NOT_FOUND, error
print(blob.digest)
"""


@case
def grpcurl_by_reflection(context):
    daemon = need_daemon(context)
    program = go_build("github.com/fullstorydev/grpcurl/cmd/grpcurl", "v1.9.3")
    layout = Layout(f"{context.folder}/image")
    root = layout.image("grpcurl")
    Registry(context.address).push_layout("native/grpcurl", layout, root, "v1")

    def call(method, request):
        return json.loads(context.run(program, "-plaintext", "-d", json.dumps(request),
                                      f"unix://{daemon.socket}", method))

    services = context.run(program, "-plaintext", f"unix://{daemon.socket}", "list").split()
    for name in ("varve.v1.Blobs", "varve.v1.Holds", "varve.v1.Images", "varve.v1.Leases",
                 "varve.v1.Repositories", "varve.v1.System", "varve.v1.Uploads",
                 "grpc.health.v1.Health"):
        assert name in services, services
    images = call("varve.v1.Images/List", {"repository": "native/grpcurl"})["images"]
    assert [image["manifest"]["digest"] for image in images] == [root["digest"]]
    resolved = call("varve.v1.Images/Resolve", {"repository": "native/grpcurl", "tag": "v1"})
    assert digest_of(base64.b64decode(resolved["bytes"])) == root["digest"]
    missing = digest_of(b"never pushed")
    answer = call("varve.v1.Blobs/FindMissing", {"digests": [missing, root["digest"]]})
    assert answer["missing"] == [missing], answer
    assert call("varve.v1.System/Info", {})["store_uuid"]


@case
def python_grpcio_writes_and_reads(context):
    daemon = need_daemon(context)
    context.need("protoc")
    have = subprocess.run((PYTHON, "-c", "import grpc, google.protobuf"), capture_output=True,
                          check=False)
    if have.returncode != 0:
        raise Skip("needs Debian's python3-grpcio and python3-protobuf")
    protos = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../proto")
    context.run("protoc", f"--proto_path={protos}", f"--python_out={context.folder}",
                "varve/v1/blobs.proto", "varve/v1/images.proto", "varve/v1/system.proto")
    digest = context.run(PYTHON, "-c", PYTHON_CLIENT, daemon.socket, context.folder).strip()
    assert digest in daemon.cli("blob", "stat", digest, "--json")

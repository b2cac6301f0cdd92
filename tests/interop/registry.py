"""A plain client of the distribution protocol: a registry without any tool's own logic."""

import http.client
import json

from images import CONFIG, INDEX, LAYER, MANIFEST, digest_of

ACCEPT = ", ".join([
    INDEX, MANIFEST,
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
])
TIMEOUT_SECONDS = 60


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def expect(self, *statuses):
        assert self.status in statuses, (
            f"status {self.status}, not {statuses}: {self.body[:300]!r}")
        return self


class Registry:
    """One keep-alive connection to `address`; not for several threads."""

    def __init__(self, address):
        self.address = address
        self._connection = None

    def request(self, method, path, body=None, headers=None):
        """One request. `path` may be the absolute URL of a Location header."""
        for scheme in ("http://", "https://"):
            if path.startswith(scheme):
                path = "/" + path[len(scheme):].split("/", 1)[1]
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self.address, timeout=TIMEOUT_SECONDS)
        try:
            self._connection.request(method, path, body, headers or {})
            response = self._connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        except BaseException:
            self.close()
            raise

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def begin_upload(self, repository):
        """Returns the location of a new upload."""
        answer = self.request("POST", f"/v2/{repository}/blobs/uploads/", b"").expect(202)
        return answer.headers["Location"]

    def finish_upload(self, location, digest, content=b""):
        mark = "&" if "?" in location else "?"
        return self.request("PUT", f"{location}{mark}digest={digest}", content,
                            {"Content-Type": "application/octet-stream"})

    def push_blob(self, repository, content):
        digest = digest_of(content)
        self.finish_upload(self.begin_upload(repository), digest, content).expect(201)
        return digest

    def get_blob(self, repository, digest):
        return self.request("GET", f"/v2/{repository}/blobs/{digest}")

    def put_manifest(self, repository, reference, content, media_type=MANIFEST):
        return self.request("PUT", f"/v2/{repository}/manifests/{reference}", content,
                            {"Content-Type": media_type})

    def get_manifest(self, repository, reference):
        return self.request("GET", f"/v2/{repository}/manifests/{reference}",
                            headers={"Accept": ACCEPT})

    def push_layout(self, repository, layout, root, tag):
        """Pushes what the manifest or index `root` of `layout` needs, then itself under `tag`."""
        document = json.loads(layout.blobs[root["digest"]])
        for child in document.get("manifests", []):
            self.push_layout(repository, layout, child, child["digest"])
        for part in [document.get("config")] + document.get("layers", []):
            if part is not None:
                self.push_blob(repository, layout.blobs[part["digest"]])
        self.put_manifest(repository, tag, layout.blobs[root["digest"]],
                          root["mediaType"]).expect(201)

    def read_image(self, repository, reference):
        """digest -> bytes of everything under `reference`; each is checked against its digest."""
        answer = self.get_manifest(repository, reference).expect(200)
        digest = digest_of(answer.body)
        assert answer.headers["Docker-Content-Digest"] == digest, (
            f"{repository}:{reference} says it is {answer.headers['Docker-Content-Digest']}, "
            f"its bytes are {digest}")
        blobs = {digest: answer.body}
        document = json.loads(answer.body)
        for child in document.get("manifests", []):
            blobs |= self.read_image(repository, child["digest"])
        for part in [document.get("config")] + document.get("layers", []):
            if part is None:
                continue
            content = self.get_blob(repository, part["digest"]).expect(200).body
            assert digest_of(content) == part["digest"], f"{part['digest']} has other bytes"
            assert len(content) == part["size"], f"{part['digest']} has another size"
            blobs[part["digest"]] = content
        return blobs


def small_manifest(config, layers):
    """A manifest over blob contents, for tests that push by hand."""
    def describe(content, media_type):
        return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

    return json.dumps({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": describe(config, CONFIG),
        "layers": [describe(layer, LAYER) for layer in layers],
    }).encode()

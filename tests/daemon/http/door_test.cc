// The OCI API as a client sees it, over the real engine and over the fake one.
#include <sys/socket.h>

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/engine.h"
#include "tests/daemon/http/fake_store.h"
#include "tests/daemon/http/http_client.h"
#include "tests/daemon/http/http_door.h"

namespace varve {
namespace {

class HttpDoor : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string(GetParam()) == "fake") {
      store_ = std::make_shared<FakeStore>();
    } else {
      absl::StatusOr<std::unique_ptr<Engine>> engine =
          OpenEngine(directory_.path() + "/store", EngineOptions());
      ASSERT_TRUE(engine.ok()) << engine.status();
      store_ = *std::move(engine);
    }
    server_ = StartDoor(*store_);
    ASSERT_NE(server_, nullptr);
    client_ = std::make_unique<HttpClient>(server_->port());
  }
  HttpClient& client() { return *client_; }

  // Both directions of one blob: HEAD and GET give it back.
  void ExpectBlob(const std::string& repository, const std::string& bytes,
                  const std::string& digest) {
    const std::string path = StrCat("/v2/", repository, "/blobs/", digest);
    const HttpResponse head = client().Do("HEAD", path);
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.Header("content-length"), StrCat(bytes.size()));
    EXPECT_EQ(head.Header("docker-content-digest"), digest);
    const HttpResponse get = client().Do("GET", path);
    EXPECT_EQ(get.status, 200);
    EXPECT_EQ(get.body.size(), bytes.size());
    EXPECT_TRUE(get.body == bytes);
    EXPECT_EQ(get.Header("docker-content-digest"), digest);
    EXPECT_EQ(get.Header("content-type"), "application/octet-stream");
    EXPECT_EQ(get.Header("accept-ranges"), "bytes");
    EXPECT_EQ(get.Header("etag"), StrCat("\"", digest, "\""));
  }

  TemporaryDirectory directory_;
  std::shared_ptr<const Store> store_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpClient> client_;
};

INSTANTIATE_TEST_SUITE_P(Stores, HttpDoor, testing::Values("fake", "engine"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(HttpDoor, BaseAndHealth) {
  for (const char* path : {"/v2/", "/v2"}) {
    const HttpResponse base = client().Do("GET", path);
    EXPECT_EQ(base.status, 200);
    EXPECT_EQ(base.Header("docker-distribution-api-version"), "registry/2.0");
    EXPECT_EQ(base.body, "{}");
  }
  EXPECT_EQ(client().Do("GET", "/livez").status, 200);
  EXPECT_EQ(client().Do("HEAD", "/readyz").status, 200);
}

TEST_P(HttpDoor, MonolithicPushesOfEverySize) {
  uint32_t seed = 1;
  for (const size_t size :
       {size_t{0}, size_t{1}, size_t{65535}, size_t{300'000}, size_t{5 << 20}}) {
    const std::string bytes = TestBytes(size, seed++);
    const HttpResponse pushed = PushBlob(client(), "a/b", bytes);
    EXPECT_EQ(pushed.status, 201) << size << " " << pushed.body;
    EXPECT_EQ(pushed.Header("location"), StrCat("/v2/a/b/blobs/", DigestOf(bytes)));
    EXPECT_EQ(pushed.Header("docker-content-digest"), DigestOf(bytes));
    ExpectBlob("a/b", bytes, DigestOf(bytes));
  }
}

TEST_P(HttpDoor, PostThenPut) {
  const std::string bytes = TestBytes(100'000);
  const std::string upload = NewUpload(client(), "a");
  const HttpResponse put = client().Do("PUT", StrCat(upload, "?digest=", DigestOf(bytes)), bytes);
  EXPECT_EQ(put.status, 201) << put.body;
  ExpectBlob("a", bytes, DigestOf(bytes));
  // The answer was lost and the client repeats the request: with and without its body.
  EXPECT_EQ(client().Do("PUT", StrCat(upload, "?digest=", DigestOf(bytes)), bytes).status, 201);
  EXPECT_EQ(client().Do("PUT", StrCat(upload, "?digest=", DigestOf(bytes))).status, 201);
  EXPECT_EQ(ErrorCode(client().Do("PUT", StrCat(upload, "?digest=", DigestOf("else")))),
            "BLOB_UPLOAD_UNKNOWN");
}

TEST_P(HttpDoor, Sha512) {
  const std::string bytes = TestBytes(70'000);
  const std::string digest = DigestOf(bytes, DigestAlgorithm::kSha512);
  const std::string announced = NewUpload(client(), "a", "?digest-algorithm=sha512");
  EXPECT_EQ(client().Do("PATCH", announced, bytes).status, 202);
  EXPECT_EQ(client().Do("PUT", StrCat(announced, "?digest=", digest)).status, 201);
  ExpectBlob("a", bytes, digest);
  // Not announced: the digest algorithm shows only at the end.
  const std::string silent = NewUpload(client(), "b");
  EXPECT_EQ(client().Do("PATCH", silent, bytes).status, 202);
  EXPECT_EQ(client().Do("PUT", StrCat(silent, "?digest=", digest)).status, 201);
  ExpectBlob("b", bytes, digest);
  EXPECT_EQ(client().Do("POST", "/v2/a/blobs/uploads/?digest-algorithm=md5").status, 400);
}

TEST_P(HttpDoor, ChunksInOrderAndOutOfOrder) {
  const std::string bytes = TestBytes(3000);
  const std::string upload = NewUpload(client(), "a");
  const auto patch = [&](size_t first, size_t last) {
    return client().Do("PATCH", upload, std::string_view(bytes).substr(first, last - first + 1),
                       {{"Content-Range", StrCat(first, "-", last)}});
  };
  EXPECT_EQ(patch(1000, 1999).status, 416);
  const HttpResponse first = patch(0, 999);
  EXPECT_EQ(first.status, 202) << first.body;
  EXPECT_EQ(first.Header("range"), "0-999");
  EXPECT_EQ(first.Header("location"), upload);
  for (const size_t wrong : {size_t{0}, size_t{999}, size_t{1001}, size_t{2000}}) {
    const HttpResponse refused = patch(wrong, 2999);
    EXPECT_EQ(refused.status, 416) << wrong;
    EXPECT_EQ(refused.Header("range"), "0-999");
    EXPECT_EQ(refused.Header("location"), upload);
    EXPECT_EQ(ErrorCode(refused), "BLOB_UPLOAD_INVALID");
  }
  const HttpResponse status = client().Do("GET", upload);
  EXPECT_EQ(status.status, 204);
  EXPECT_EQ(status.Header("range"), "0-999");
  EXPECT_EQ(status.Header("docker-upload-uuid"), upload.substr(upload.rfind('/') + 1));
  EXPECT_EQ(patch(1000, 1999).status, 202);
  const HttpResponse put = client().Do("PUT", StrCat(upload, "?digest=", DigestOf(bytes)),
                                       bytes.substr(2000), {{"Content-Range", "2000-2999"}});
  EXPECT_EQ(put.status, 201) << put.body;
  ExpectBlob("a", bytes, DigestOf(bytes));
}

TEST_P(HttpDoor, ChunkHeadersThatContradictTheBody) {
  const std::string upload = NewUpload(client(), "a");
  const auto code = [&](const char* range) {
    return ErrorCode(client().Do("PATCH", upload, "0123456789", {{"Content-Range", range}}));
  };
  EXPECT_EQ(code("0-10"), "SIZE_INVALID");
  EXPECT_EQ(code("9-0"), "BLOB_UPLOAD_INVALID");
  EXPECT_EQ(code("x"), "BLOB_UPLOAD_INVALID");
  EXPECT_EQ(client().Do("GET", upload).Header("range"), "0-0");
  EXPECT_EQ(client().Do("PATCH", upload, "0123456789", {{"Content-Range", "bytes 0-9/*"}}).status,
            202);
}

TEST_P(HttpDoor, StreamedUploads) {
  const std::string bytes = TestBytes(1 << 20);
  for (const size_t chunk : {size_t{10'000}, size_t{1 << 20}}) {
    const std::string repository = StrCat("stream", chunk);
    const std::string upload = NewUpload(client(), repository);
    const HttpResponse patch = client().DoChunked("PATCH", upload, bytes, chunk);
    EXPECT_EQ(patch.status, 202) << patch.body;
    EXPECT_EQ(patch.Header("range"), StrCat("0-", bytes.size() - 1));
    EXPECT_EQ(client().Do("PUT", StrCat(upload, "?digest=", DigestOf(bytes))).status, 201);
    ExpectBlob(repository, bytes, DigestOf(bytes));
  }
  // One byte a chunk, and the whole blob in the last request.
  const std::string small = TestBytes(3000, 5);
  const std::string target = StrCat(NewUpload(client(), "a"), "?digest=", DigestOf(small));
  EXPECT_EQ(client().DoChunked("PUT", target, small, 1).status, 201);
  ExpectBlob("a", small, DigestOf(small));
}

TEST_P(HttpDoor, ResumeAfterADroppedConnection) {
  const std::string bytes = TestBytes(900'000);
  const std::string upload = NewUpload(client(), "a");
  HttpClient dying(server_->port());
  dying.Send(StrCat("PATCH ", upload, " HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n"));
  dying.Send(bytes.substr(0, 500'000));
  // A half-closed client is gone too, and everything it sent has arrived.
  shutdown(dying.descriptor(), SHUT_WR);
  EXPECT_TRUE(dying.ReadToEnd());
  const HttpResponse status = client().Do("GET", upload);
  EXPECT_EQ(status.status, 204);
  EXPECT_EQ(status.Header("range"), "0-499999");
  EXPECT_EQ(client()
                .Do("PATCH", upload, bytes.substr(500'000), {{"Content-Range", "500000-899999"}})
                .status,
            202);
  EXPECT_EQ(client().Do("PUT", StrCat(upload, "?digest=", DigestOf(bytes))).status, 201);
  ExpectBlob("a", bytes, DigestOf(bytes));
}

TEST_P(HttpDoor, WrongDigestsStoreNothing) {
  const std::string bytes = TestBytes(5000);
  const std::string wrong = DigestOf("other");
  EXPECT_EQ(ErrorCode(client().Do("POST", "/v2/a/blobs/uploads/?digest=" + wrong, bytes)),
            "DIGEST_INVALID");
  const std::string upload = NewUpload(client(), "a");
  EXPECT_EQ(client().Do("PATCH", upload, bytes).status, 202);
  EXPECT_EQ(ErrorCode(client().Do("PUT", StrCat(upload, "?digest=", wrong))), "DIGEST_INVALID");
  EXPECT_EQ(client().Do("GET", upload).status, 404);
  EXPECT_EQ(client().Do("HEAD", "/v2/a/blobs/" + wrong).status, 404);
  EXPECT_EQ(client().Do("HEAD", "/v2/a/blobs/" + DigestOf(bytes)).status, 404);
  const std::string no_digest = NewUpload(client(), "a");
  EXPECT_EQ(ErrorCode(client().Do("PUT", no_digest, bytes)), "DIGEST_INVALID");
  EXPECT_EQ(ErrorCode(client().Do("PUT", no_digest + "?digest=sha256:short", bytes)),
            "DIGEST_INVALID");
  // Also one that the parser of the target refuses.
  for (const std::string& target :
       {no_digest + "?digest=" + wrong + "%0a", no_digest + "?digest=%zz",
        "/v2/a/blobs/" + wrong + "%00", std::string("/v2/a/referrers/%01")}) {
    EXPECT_EQ(ErrorCode(client().Do("PUT", target, bytes)), "DIGEST_INVALID") << target;
  }
}

TEST_P(HttpDoor, CancelledUploadsAreUnknown) {
  const std::string upload = NewUpload(client(), "a");
  EXPECT_EQ(client().Do("PATCH", upload, "abc").status, 202);
  const HttpResponse cancelled = client().Do("DELETE", upload);
  EXPECT_EQ(cancelled.status, 204);
  for (const char* method : {"GET", "PATCH", "DELETE"}) {
    const HttpResponse response = client().Do(method, upload);
    EXPECT_EQ(response.status, 404) << method;
    EXPECT_EQ(ErrorCode(response), "BLOB_UPLOAD_UNKNOWN");
  }
  // The id of another repository's upload is nobody's here.
  std::string other = NewUpload(client(), "a");
  other.replace(4, 1, "b");
  EXPECT_EQ(client().Do("GET", other).status, 404);
  EXPECT_EQ(client().Do("GET", "/v2/a/blobs/uploads/not%20an%20id").status, 404);
}

TEST_P(HttpDoor, Mounts) {
  const std::string bytes = TestBytes(80'000);
  const std::string digest = DigestOf(bytes);
  ASSERT_EQ(PushBlob(client(), "from", bytes).status, 201);
  EXPECT_EQ(client().Do("HEAD", "/v2/to/blobs/" + digest).status, 404);
  const HttpResponse mounted =
      client().Do("POST", StrCat("/v2/to/blobs/uploads/?mount=", digest, "&from=from"));
  EXPECT_EQ(mounted.status, 201) << mounted.body;
  EXPECT_EQ(mounted.Header("location"), "/v2/to/blobs/" + digest);
  ExpectBlob("to", bytes, digest);
  EXPECT_EQ(client().Do("POST", "/v2/any/blobs/uploads/?mount=" + digest).status, 201);
  ExpectBlob("any", bytes, digest);
  // What cannot be mounted is a new upload.
  for (const std::string& query :
       {"?mount=" + DigestOf("absent") + "&from=from", "?mount=" + digest + "&from=elsewhere",
        "?mount=" + digest + "&from=NOT%20a%20name"}) {
    EXPECT_FALSE(NewUpload(client(), "third", query).empty()) << query;
  }
  EXPECT_EQ(ErrorCode(client().Do("POST", "/v2/to/blobs/uploads/?mount=sha256:1")),
            "DIGEST_INVALID");
}

TEST_P(HttpDoor, Ranges) {
  for (const size_t size : {size_t{2048}, size_t{200'000}}) {
    const std::string bytes = TestBytes(size);
    ASSERT_EQ(PushBlob(client(), "a", bytes).status, 201);
    const std::string path = "/v2/a/blobs/" + DigestOf(bytes);
    const auto get = [&](const char* range) {
      return client().Do("GET", path, {}, {{"Range", range}});
    };
    const HttpResponse middle = get("bytes=500-1499");
    EXPECT_EQ(middle.status, 206);
    EXPECT_TRUE(middle.body == bytes.substr(500, 1000));
    EXPECT_EQ(middle.Header("content-range"), StrCat("bytes 500-1499/", size));
    EXPECT_TRUE(get("bytes=500-").body == bytes.substr(500));
    EXPECT_TRUE(get("bytes=-500").body == bytes.substr(size - 500));
    EXPECT_TRUE(get("bytes=2000-9999999").body == bytes.substr(2000));
    EXPECT_EQ(get("bytes=--5").status, 200);
    for (const char* range : {"bytes=999999-", "bytes=500-0", "bytes=-0"}) {
      const HttpResponse refused = get(range);
      EXPECT_EQ(refused.status, 416) << range;
      EXPECT_EQ(refused.Header("content-range"), StrCat("bytes */", size));
    }
    const std::string etag = StrCat("\"", DigestOf(bytes), "\"");
    EXPECT_EQ(client().Do("GET", path, {}, {{"Range", "bytes=0-1"}, {"If-Range", etag}}).status,
              206);
    EXPECT_EQ(client().Do("GET", path, {}, {{"Range", "bytes=0-1"}, {"If-Range", "\"x\""}}).status,
              200);
    EXPECT_EQ(client().Do("GET", path, {}, {{"If-None-Match", etag}}).status, 304);
    EXPECT_EQ(client().Do("HEAD", path, {}, {{"If-None-Match", etag}}).status, 304);
  }
}

TEST_P(HttpDoor, DeletedBlobsAreGone) {
  const std::string bytes = TestBytes(1000);
  const std::string path = "/v2/a/blobs/" + DigestOf(bytes);
  ASSERT_EQ(PushBlob(client(), "a", bytes).status, 201);
  EXPECT_EQ(client().Do("DELETE", path).status, 202);
  EXPECT_EQ(client().Do("HEAD", path).status, 404);
  const HttpResponse again = client().Do("DELETE", path);
  EXPECT_EQ(again.status, 404);
  EXPECT_EQ(ErrorCode(again), "BLOB_UNKNOWN");
}

}  // namespace
}  // namespace varve

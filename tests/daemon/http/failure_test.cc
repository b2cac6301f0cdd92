// How failures of the store reach clients, and how the door stops.
#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>

#include "daemon/log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/base/status.h"
#include "tests/daemon/http/fake_store.h"
#include "tests/daemon/http/http_client.h"
#include "tests/daemon/http/http_door.h"

namespace varve {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class HttpFailures : public testing::Test {
 protected:
  HttpFailures() : server_(StartDoor(store_)), client_(server_->port()) {}

  FakeStore store_;
  std::unique_ptr<HttpServer> server_;
  HttpClient client_;
};

TEST_F(HttpFailures, FullDiskIsSaidBeforeTheBodyIsSent) {
  const std::string upload = NewUpload(client_, "a");
  store_.FailNext("Expect", absl::ResourceExhaustedError("the disk is full: prune, or add space"));
  client_.Send(StrCat("PATCH ", upload,
                      " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
  const HttpResponse early = client_.Read();
  EXPECT_EQ(early.status, 403);
  EXPECT_EQ(ErrorCode(early), "DENIED");
  EXPECT_THAT(early.body, HasSubstr("the disk is full"));
}

TEST_F(HttpFailures, FullDiskInTheMiddleOfABody) {
  const std::string upload = NewUpload(client_, "a");
  store_.FailNext("Append", absl::ResourceExhaustedError("the disk is full"));
  EXPECT_EQ(client_.Do("PATCH", upload, TestBytes(600'000)).status, 403);
  EXPECT_EQ(client_.Do("GET", upload).status, 204) << "it goes on when there is room";
  EXPECT_EQ(client_.Do("GET", "/v2/").status, 200);
}

TEST_F(HttpFailures, TooManyUploadsAreRefusedForAMoment) {
  absl::Status full = absl::ResourceExhaustedError("there are too many; try again in a moment");
  full.SetPayload(kRetryAfterPayload, absl::Cord("5"));
  store_.FailNext("BeginUpload", full);
  const HttpResponse refused = client_.Do("POST", "/v2/a/blobs/uploads/");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(ErrorCode(refused), "UNAVAILABLE");
  EXPECT_EQ(refused.Header("retry-after"), "5");
  EXPECT_EQ(client_.Do("POST", "/v2/a/blobs/uploads/").status, 202);
  EXPECT_EQ(store_.last_client(), "127.0.0.1");
}

TEST_F(HttpFailures, ReadinessFollowsTheStore) {
  EXPECT_EQ(client_.Do("GET", "/readyz").body, "ok\n");
  store_.set_health(StoreHealth::kFull);
  EXPECT_EQ(client_.Do("GET", "/readyz").status, 200);
  EXPECT_EQ(client_.Do("GET", "/readyz").body, "full\n");
  for (const StoreHealth bad : {StoreHealth::kDead, StoreHealth::kLost}) {
    store_.set_health(bad);
    EXPECT_EQ(client_.Do("GET", "/readyz").status, 503);
    EXPECT_EQ(client_.Do("HEAD", "/readyz").status, 503);
    EXPECT_EQ(client_.Do("GET", "/livez").status, 200);
    EXPECT_EQ(client_.Do("GET", "/v2/").status, 200);
  }
  store_.set_health(StoreHealth::kReady);
  EXPECT_EQ(client_.Do("GET", "/readyz").status, 200);
}

TEST_F(HttpFailures, PrivateDetailDoesNotLeak) {
  store_.FailNext("StatBlob", absl::UnavailableError("/secret/path: Input/output error"));
  EXPECT_EQ(client_.Do("HEAD", "/v2/a/blobs/" + DigestOf("x")).status, 503);
  store_.FailNext("OpenBlob", absl::DataLossError("/secret/path is short"));
  const HttpResponse lost =
      client_.Do("GET", "/v2/a/blobs/" + DigestOf("x"), {}, {{"X-Request-Id", "my-id.1"}});
  EXPECT_EQ(lost.status, 500);
  EXPECT_EQ(ErrorCode(lost), "UNKNOWN");
  EXPECT_THAT(lost.body, Not(HasSubstr("secret")));
  EXPECT_THAT(lost.body, HasSubstr("my-id.1"));
  EXPECT_EQ(lost.Header("x-request-id"), "my-id.1");
  store_.FailNext("GetManifest", absl::UnavailableError("/secret"));
  const HttpResponse unavailable = client_.Do("GET", "/v2/a/manifests/v1");
  EXPECT_EQ(unavailable.status, 503);
  EXPECT_NE(unavailable.Header("retry-after"), "");
}

// The client is told a request id; whoever looks after the daemon finds what is wrong, as an error.
TEST_F(HttpFailures, AFailureOfTheStoreIsAnErrorInTheLog) {
  const TemporaryDirectory directory;
  const std::string log = directory.path() + "/log";
  ASSERT_TRUE(OpenLogFile(log).ok());
  const std::string upload = NewUpload(client_, "a");
  store_.FailNext("Append", Private(absl::InternalError("the directory /srv/blobs is gone")));
  const HttpResponse failed =
      client_.Do("PATCH", upload, TestBytes(100), {{"X-Request-Id", "failed.1"}});
  EXPECT_EQ(failed.status, 500);
  EXPECT_THAT(failed.body, AllOf(Not(HasSubstr("srv")), HasSubstr("failed.1")));
  store_.FailNext("OpenBlob", absl::UnavailableError("busy; try again"));
  EXPECT_EQ(client_.Do("GET", "/v2/a/blobs/" + DigestOf("x")).status, 503);
  // The line of an answer is written after it was sent: the next request waits for it.
  EXPECT_EQ(client_.Do("GET", "/v2/").status, 200);
  ASSERT_TRUE(OpenLogFile("").ok());
  std::ifstream lines(log);
  const std::string text(std::istreambuf_iterator<char>(lines), {});
  EXPECT_THAT(text, ContainsRegex("error request request=failed.1 .* reason=\"the directory "
                                  "/srv/blobs is gone\""));
  EXPECT_THAT(text, ContainsRegex("warning pull .*status=503"));
}

TEST_F(HttpFailures, ABusyUploadIsToBeRepeated) {
  const std::string upload = NewUpload(client_, "a");
  store_.FailNext("ResumeUpload", absl::AbortedError("another request works on this upload"));
  const HttpResponse busy = client_.Do("GET", upload);
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.Header("retry-after"), "1");
}

TEST_F(HttpFailures, ABlobInUseIsNotDeleted) {
  store_.FailNext("DeleteBlob", absl::FailedPreconditionError("manifest sha256:… names this blob"));
  const HttpResponse response = client_.Do("DELETE", "/v2/a/blobs/" + DigestOf("x"));
  EXPECT_EQ(response.status, 409);
  EXPECT_THAT(response.body, HasSubstr("names this blob"));
}

TEST_F(HttpFailures, RequestIdsAreMadeWhenAbsentOrOdd) {
  const HttpResponse made = client_.Do("GET", "/v2/");
  EXPECT_EQ(made.Header("x-request-id").size(), 16u);
  const HttpResponse odd = client_.Do("GET", "/v2/", {}, {{"X-Request-Id", "a b\"c"}});
  EXPECT_EQ(odd.Header("x-request-id").size(), 16u);
  EXPECT_NE(odd.Header("x-request-id"), made.Header("x-request-id"));
}

TEST_F(HttpFailures, EveryErrorHasABodyAndALength) {
  for (const char* path : {"/v2/a/blobs/sha256:zz", "/v2/a/manifests/absent", "/nowhere",
                           "/v2/-bad-/tags/list", "/v2/a/tags/list"}) {
    const HttpResponse get = client_.Do("GET", path);
    EXPECT_GE(get.status, 400) << path;
    EXPECT_NE(ErrorCode(get), "") << path << get.body;
    const HttpResponse head = client_.Do("HEAD", path);
    EXPECT_EQ(head.status, get.status) << path;
    EXPECT_EQ(head.Header("content-length"), get.Header("content-length")) << path;
  }
  const HttpResponse method = client_.Do("POST", "/v2/a/tags/list");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.Header("allow"), "GET, HEAD");
  EXPECT_EQ(ErrorCode(method), "UNSUPPORTED");
}

TEST_F(HttpFailures, FilesWithoutADescriptorAreReadAndSent) {
  store_.set_hide_descriptors(true);
  const std::string bytes = TestBytes(700'000);
  ASSERT_EQ(PushBlob(client_, "a", bytes).status, 201);
  const std::string path = "/v2/a/blobs/" + DigestOf(bytes);
  EXPECT_TRUE(client_.Do("GET", path).body == bytes);
  EXPECT_TRUE(client_.Do("GET", path, {}, {{"Range", "bytes=1000-600000"}}).body ==
              bytes.substr(1000, 599'001));
}

TEST_F(HttpFailures, StopLetsRunningRequestsFinish) {
  const std::string upload = NewUpload(client_, "a");
  HttpClient idle(server_->port());
  ASSERT_EQ(idle.Do("GET", "/v2/").status, 200);
  client_.Send(StrCat("PATCH ", upload, " HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc"));
  std::this_thread::sleep_for(milliseconds(100));
  std::thread stopper([this] { server_->Stop(std::chrono::seconds(10)); });
  EXPECT_TRUE(idle.ReadToEnd());
  EXPECT_FALSE(HttpClient(server_->port()).connected());
  client_.Send("def");
  const HttpResponse response = client_.Read();
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(response.Header("connection"), "close");
  stopper.join();
  EXPECT_EQ(store_.CheckpointedBytes(), "abcdef");
}

TEST_F(HttpFailures, StopCutsOffWhatDoesNotFinish) {
  const std::string upload = NewUpload(client_, "a");
  client_.Send(StrCat("PATCH ", upload, " HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc"));
  std::this_thread::sleep_for(milliseconds(100));
  const auto start = steady_clock::now();
  server_->Stop(milliseconds(200));
  EXPECT_LT(steady_clock::now() - start, std::chrono::seconds(5));
  EXPECT_TRUE(client_.ReadToEnd());
  EXPECT_EQ(store_.CheckpointedBytes(), "abc");
}

TEST_F(HttpFailures, AnAddressInUseIsSaid) {
  HttpServerOptions options;
  options.port = server_->port();
  const auto second = HttpServer::Start(store_, options);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(StrCat("127.0.0.1:", options.port)));
}

TEST_F(HttpFailures, ManyClientsAtOnce) {
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < 16; ++i) {
    threads.emplace_back([this, i] {
      HttpClient client(server_->port());
      for (uint32_t round = 0; round < 8; ++round) {
        // Half of the content is everybody's.
        const std::string bytes = TestBytes(100'000 + round, round % 2 == 0 ? round : i * 100);
        EXPECT_EQ(PushBlob(client, "a", bytes).status, 201);
        EXPECT_TRUE(client.Do("GET", "/v2/a/blobs/" + DigestOf(bytes)).body == bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace varve

// The HTTP door over a real engine that is closed and opened again, and under many clients at once.
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "storage/api/system.h"
#include "storage/engine.h"
#include "tests/daemon/http/http_client.h"
#include "tests/daemon/http/http_door.h"
#include "tests/support/process_use.h"

namespace varve {
namespace {

class HttpEngine : public testing::Test {
 protected:
  HttpEngine() { Open(); }
  ~HttpEngine() override { Close(); }

  void Open() {
    absl::StatusOr<std::unique_ptr<Engine>> engine =
        OpenEngine(directory_.path() + "/store", EngineOptions());
    ASSERT_TRUE(engine.ok()) << engine.status();
    store_ = *std::move(engine);
    server_ = StartDoor(*store_);
    ASSERT_NE(server_, nullptr);
  }
  void Close() {
    server_->Stop(std::chrono::milliseconds(1000));
    server_.reset();
    EXPECT_TRUE(store_->system.CheckpointUploads().ok());
    store_.reset();
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Engine> store_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpEngine, AnUploadGoesOnAfterARestart) {
  const std::string bytes = TestBytes(3 << 20);
  std::string upload;
  {
    HttpClient client(server_->port());
    upload = NewUpload(client, "a");
    ASSERT_EQ(client.Do("PATCH", upload, bytes.substr(0, 2 << 20)).status, 202);
  }
  Close();
  Open();
  HttpClient client(server_->port());
  const HttpResponse status = client.Do("GET", upload);
  EXPECT_EQ(status.status, 204);
  EXPECT_EQ(status.Header("range"), StrCat("0-", (2 << 20) - 1));
  const HttpResponse put =
      client.Do("PUT", StrCat(upload, "?digest=", DigestOf(bytes)), bytes.substr(2 << 20));
  EXPECT_EQ(put.status, 201) << put.body;
  EXPECT_TRUE(client.Do("GET", "/v2/a/blobs/" + DigestOf(bytes)).body == bytes);
}

TEST_F(HttpEngine, WhatWasAcknowledgedIsThereAfterARestart) {
  const std::string config = "{}";
  const std::string layer = TestBytes(500'000);
  const std::string manifest = ImageManifest(config, layer);
  {
    HttpClient client(server_->port());
    ASSERT_EQ(PushBlob(client, "a", config).status, 201);
    ASSERT_EQ(PushBlob(client, "a", layer).status, 201);
    ASSERT_EQ(PushManifest(client, "a", "v1", manifest).status, 201);
  }
  Close();
  Open();
  HttpClient client(server_->port());
  EXPECT_EQ(client.Do("GET", "/v2/a/manifests/v1").body, manifest);
  EXPECT_TRUE(client.Do("GET", "/v2/a/blobs/" + DigestOf(layer)).body == layer);
  EXPECT_EQ(client.Do("GET", "/v2/_catalog").body, "{\"repositories\":[\"a\"]}\n");
}

// Half of the content is everybody's, half is each client's own.
TEST_F(HttpEngine, SixtyFourClientsPushAndPull) {
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < 64; ++i) {
    threads.emplace_back([this, i] {
      HttpClient client(server_->port());
      const std::string repository = StrCat("repo", i % 4);
      for (uint32_t round = 0; round < 3; ++round) {
        const std::string config = StrCat("{\"n\":", round, "}");
        const std::string layer = TestBytes(40'000 * (round + 1), round % 2 == 0 ? 1 : i + 10);
        EXPECT_EQ(PushBlob(client, repository, config).status, 201);
        EXPECT_EQ(PushBlob(client, repository, layer).status, 201);
        const std::string manifest = ImageManifest(config, layer);
        EXPECT_EQ(PushManifest(client, repository, StrCat("t", i), manifest).status, 201);
        EXPECT_EQ(client.Do("GET", StrCat("/v2/", repository, "/manifests/t", i)).body, manifest);
        const std::string path = StrCat("/v2/", repository, "/blobs/", DigestOf(layer));
        EXPECT_TRUE(client.Do("GET", path).body == layer);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Two requests for one upload at the same time: one works, the other waits or is told to repeat.
TEST_F(HttpEngine, TwoRequestsForOneUpload) {
  HttpClient first(server_->port());
  HttpClient second(server_->port());
  const std::string upload = NewUpload(first, "a");
  first.Send(StrCat("PATCH ", upload, " HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc"));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const HttpResponse busy = second.Do("PATCH", upload, "zzz");
  EXPECT_EQ(busy.status, 503);
  EXPECT_NE(busy.Header("retry-after"), "");
  first.Send("def");
  EXPECT_EQ(first.Read().status, 202);
  EXPECT_EQ(second.Do("PUT", StrCat(upload, "?digest=", DigestOf("abcdef"))).status, 201);
}

// Each of them may wait a moment for the upload, but not with all the threads there are.
TEST_F(HttpEngine, ManyRequestsForOneUploadHoldNobodyUp) {
  RaiseDescriptorLimit();
  HttpClient first(server_->port());
  const std::string upload = NewUpload(first, "a");
  first.Send(
      StrCat("PATCH ", upload, " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nabc"));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  std::vector<std::unique_ptr<HttpClient>> others;
  for (int i = 0; i < 2000; ++i) {
    others.push_back(std::make_unique<HttpClient>(server_->port()));
    others.back()->Send(StrCat("GET ", upload, " HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  }
  EXPECT_EQ(HttpClient(server_->port()).Do("GET", "/livez").status, 200);
  first.Send("def");
  EXPECT_EQ(first.Read().status, 202);
}

}  // namespace
}  // namespace varve

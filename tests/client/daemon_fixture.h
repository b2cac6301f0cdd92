// A native door over a real store in a short temporary directory (the path of a unix socket is
// limited to 107 bytes), for tests of its clients. One thread.
#ifndef VARVE_TESTS_CLIENT_DAEMON_FIXTURE_H_
#define VARVE_TESTS_CLIENT_DAEMON_FIXTURE_H_

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "client/client.h"
#include "daemon/grpc/server.h"
#include "gtest/gtest.h"
#include "storage/engine.h"
#include "storage/image/hasher.h"

namespace varve {

inline Digest Sha256Of(std::string_view bytes) {
  return HashBytes(DigestAlgorithm::kSha256, bytes);
}

inline std::string TestBytes(size_t size, uint32_t seed) {
  std::string bytes(size, '\0');
  uint32_t state = seed * 2654435761u + 1;
  for (char& c : bytes) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24);
  }
  return bytes;
}

class DaemonTest : public testing::Test {
 protected:
  void SetUp() override {
    char directory[] = "/tmp/vcXXXXXX";
    ASSERT_NE(mkdtemp(directory), nullptr);
    directory_ = directory;
    options_.socket_path = directory_ + "/s";
    ASSERT_NO_FATAL_FAILURE(StartDaemon());
    absl::StatusOr<std::unique_ptr<Client>> client = Client::Connect(Address());
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  void TearDown() override {
    StopDaemon();
    std::filesystem::remove_all(directory_);
  }

  void StartDaemon(const EngineOptions& options = {}) {
    absl::StatusOr<std::unique_ptr<Store>> store = OpenEngine(directory_ + "/data", options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    absl::StatusOr<std::unique_ptr<GrpcServer>> server = GrpcServer::Start(*store_, options_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  // As a daemon that gets SIGTERM and gives running calls no time.
  void StopDaemon() {
    server_.reset();
    if (store_ != nullptr) {
      EXPECT_TRUE(store_->CheckpointIngests().ok());
    }
    store_.reset();
  }

  // What nothing keeps may go at once.
  void RestartDaemonWithoutPromises() {
    StopDaemon();
    EngineOptions options;
    options.promise_nanos = 0;
    ASSERT_NO_FATAL_FAILURE(StartDaemon(options));
  }

  std::string Address() const { return "unix://" + directory_ + "/s"; }
  std::string Path(const std::string& name) const { return directory_ + "/" + name; }

  std::string WriteFile(const std::string& name, const std::string& bytes) const {
    std::ofstream(Path(name), std::ios::binary) << bytes;
    return Path(name);
  }

  static std::string ReadFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // An image of one config and one layer, under the tags.
  ManifestInfo PutImage(const std::string& repository, const std::vector<std::string>& tags,
                        uint32_t seed, const std::string& created = "") {
    const std::string time = created.empty() ? "" : ",\"created\":\"" + created + "\"";
    const std::string config = "{\"seed\":" + std::to_string(seed) + time + "}";
    const std::string layer = TestBytes(5000, seed);
    for (const std::string& bytes : {config, layer}) {
      absl::StatusOr<std::unique_ptr<Ingest>> ingest = store_->BeginIngest(repository, {});
      EXPECT_TRUE(ingest.ok() && (*ingest)->Append(0, bytes).ok() &&
                  (*ingest)->Commit(Sha256Of(bytes), bytes.size()).ok());
    }
    const auto reference = [](const char* media_type, const std::string& bytes) {
      return std::string("{\"mediaType\":\"") + media_type + "\",\"digest\":\"" +
             Sha256Of(bytes).ToString() + "\",\"size\":" + std::to_string(bytes.size()) + "}";
    };
    const std::string manifest =
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
        "\"config\":" +
        reference("application/vnd.oci.image.config.v1+json", config) + ",\"layers\":[" +
        reference("application/vnd.oci.image.layer.v1.tar", layer) + "]}";
    PutManifestRequest request;
    request.bytes = manifest;
    request.tags = tags;
    const absl::StatusOr<ManifestInfo> info = client_->PutManifest(repository, request);
    EXPECT_TRUE(info.ok()) << info.status();
    return info.ok() ? *info : ManifestInfo();
  }

  std::string directory_;
  GrpcServerOptions options_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<Client> client_;
};

}  // namespace varve

#endif  // VARVE_TESTS_CLIENT_DAEMON_FIXTURE_H_

// The native door over a real store in a temporary directory, in this process. What talks to it is
// the business of those who derive: the client library (tests/client/connected_fixture.h), the
// command (tests/client/varve_command.h), stubs (tests/daemon/grpc/grpc_fixture.h). One thread.
#ifndef VARVE_TESTS_SUPPORT_DAEMON_FIXTURE_H_
#define VARVE_TESTS_SUPPORT_DAEMON_FIXTURE_H_

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "daemon/grpc/server.h"
#include "gtest/gtest.h"
#include "storage/api/system.h"
#include "storage/engine.h"
#include "tests/support/temporary_directory.h"

namespace varve {

class DaemonTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(StartDaemon()); }
  void TearDown() override { StopDaemon(); }

  void StartDaemon(const EngineOptions& options = {}) {
    absl::StatusOr<std::unique_ptr<Engine>> store = OpenEngine(directory_ + "/data", options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    ASSERT_NO_FATAL_FAILURE(StartServer(options_));
  }

  // Opens the door, again if it is open, over the store as it is.
  virtual void StartServer(const GrpcServerOptions& options) {
    server_.reset();
    absl::StatusOr<std::unique_ptr<GrpcServer>> server = GrpcServer::Start(*store_, options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  // As a daemon that gets SIGTERM and gives running calls no time.
  void StopDaemon() {
    server_.reset();
    if (store_ != nullptr) {
      EXPECT_TRUE(store_->system.CheckpointUploads().ok());
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

  std::string Address() const { return "unix://" + socket_path_; }
  std::string Path(const std::string& name) const { return directory_ + "/" + name; }

  std::string WriteFile(const std::string& name, const std::string& bytes) const {
    std::ofstream(Path(name), std::ios::binary) << bytes;
    return Path(name);
  }

  static std::string ReadFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  const TemporaryDirectory scratch_;

 protected:
  const std::string directory_ = scratch_.path();
  const std::string socket_path_ = directory_ + "/s";
  GrpcServerOptions options_ = {.socket_path = socket_path_};
  std::unique_ptr<Engine> store_;
  std::unique_ptr<GrpcServer> server_;
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_DAEMON_FIXTURE_H_

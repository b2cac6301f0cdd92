#include "tests/contract/doors/live_doors.h"

#include <cstdlib>
#include <utility>

namespace varve {
namespace {

// The fixture cannot go on without what `opened` should hold.
template <typename T>
T OrDie(absl::StatusOr<T> opened) {
  if (!opened.ok()) {
    ADD_FAILURE() << opened.status();
    std::abort();
  }
  return *std::move(opened);
}

class DoorUnderTest final : public StoreUnderTest {
 public:
  using OpenDoor = std::function<std::unique_ptr<LiveDoor>(const Store& engine)>;

  DoorUnderTest(std::unique_ptr<StoreUnderTest> behind, OpenDoor open)
      : behind_(std::move(behind)), open_(std::move(open)), door_(open_(behind_->store())) {}

  const Store& store() override { return door_->store(); }
  const Store& engine() override { return behind_->store(); }
  void Reopen() override {
    door_.reset();
    behind_->Reopen();
    door_ = open_(behind_->store());
  }
  void ReopenWith(const NameRule& names) override {
    door_.reset();
    behind_->ReopenWith(names);
    door_ = open_(behind_->store());
  }
  void Advance(int64_t nanos) override { behind_->Advance(nanos); }
  void JumpWall(int64_t nanos) override { behind_->JumpWall(nanos); }
  FileSystem& disk() override { return behind_->disk(); }
  std::string blobs_directory() const override { return behind_->blobs_directory(); }
  std::optional<uint64_t> blob_bytes_read() const override { return behind_->blob_bytes_read(); }

 private:
  const std::unique_ptr<StoreUnderTest> behind_;
  const OpenDoor open_;
  std::unique_ptr<LiveDoor> door_;
};

template <typename Door, typename Client>
StoreFactory OverMemory(std::string name) {
  return {std::move(name),
          [](const StoreSettings& settings) -> std::unique_ptr<StoreUnderTest> {
            return std::make_unique<DoorUnderTest>(
                MemoryStore().make(settings),
                [](const Store& engine) { return std::make_unique<Door>(engine); });
          },
          1000, Client::Can};
}

}  // namespace

LiveGrpcDoor::LiveGrpcDoor(const Store& engine) {
  GrpcServerOptions options;
  options.socket_path = directory_.path() + "/s";
  server_ = OrDie(GrpcServer::Start(engine, options));
  client_ = std::make_unique<GrpcStore>(engine, options.socket_path);
}

LiveHttpDoor::LiveHttpDoor(const Store& engine) {
  HttpServerOptions options;
  options.port = 0;
  server_ = OrDie(HttpServer::Start(engine, options));
  client_ = std::make_unique<HttpStore>(engine, server_->port());
}

StoreFactory GrpcDoorStore() { return OverMemory<LiveGrpcDoor, GrpcStore>("Grpc"); }
StoreFactory HttpDoorStore() { return OverMemory<LiveHttpDoor, HttpStore>("Http"); }

}  // namespace varve

// The doors of a daemon, open over a store: a server on a unix socket or a loopback port, and a
// client of it. One thread opens and closes them.
#ifndef VARVE_TESTS_CONTRACT_DOORS_LIVE_DOORS_H_
#define VARVE_TESTS_CONTRACT_DOORS_LIVE_DOORS_H_

#include <functional>
#include <memory>
#include <string>

#include "daemon/grpc/server.h"
#include "daemon/http/server.h"
#include "tests/contract/doors/grpc_store.h"
#include "tests/contract/doors/http_store.h"
#include "tests/support/temporary_directory.h"

namespace varve {

class LiveDoor {
 public:
  virtual ~LiveDoor() = default;
  virtual DoorStore& store() = 0;
};

class LiveGrpcDoor final : public LiveDoor {
 public:
  // `engine` must outlive the door.
  explicit LiveGrpcDoor(const Store& engine);
  GrpcStore& store() override { return *client_; }
  std::string address() const { return "unix://" + directory_.path() + "/s"; }

 private:
  const TemporaryDirectory directory_;
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<GrpcStore> client_;
};

class LiveHttpDoor final : public LiveDoor {
 public:
  explicit LiveHttpDoor(const Store& engine);
  HttpStore& store() override { return *client_; }
  uint16_t port() const { return server_->port(); }

 private:
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpStore> client_;
};

// A store in memory seen through a door: what the contract suites run over.
StoreFactory GrpcDoorStore();
StoreFactory HttpDoorStore();

}  // namespace varve

#endif  // VARVE_TESTS_CONTRACT_DOORS_LIVE_DOORS_H_

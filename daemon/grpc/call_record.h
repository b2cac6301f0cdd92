// One call of the native door from its arrival to the one log line it ends with. Knows nothing of
// gRPC. Belongs to its call; used by one thread at a time.
#ifndef VARVE_DAEMON_GRPC_CALL_RECORD_H_
#define VARVE_DAEMON_GRPC_CALL_RECORD_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "daemon/status_mapping.h"

namespace varve {

// The metadata key under which a client may send a request id, and gets it back.
inline constexpr char kRequestIdKey[] = "x-request-id";

// What an rpc is called in the log, what its errors are about, and whether it changes the store:
// calls that only read are logged at level debug when they succeed.
struct CallKind {
  std::string_view name;  // "Blobs.Stat"; static storage
  About about = About::kBlob;
  bool changes = false;
};

struct CallOutcome {
  int grpc_code = 0;
  std::string message;
  DoorError error;  // when it is one
};

// Who calls, for the log.
struct Caller {
  std::string address;  // without port; "unix" through a socket
  std::string user_agent;
};

// The address in what gRPC calls a peer: "ipv4:10.0.0.1:50000", "ipv6:%5B::1%5D:50000",
// "unix:/path".
std::string AddressOfPeer(std::string_view peer);

class CallRecord {
 public:
  // `sent_id` is the request id of the client; when it is empty or unfit for a log, one is made.
  CallRecord(const CallKind& kind, std::string_view sent_id, Caller caller);

  const std::string& request_id() const { return request_id_; }

  // Logs the outcome and gives what the client is told. Once, at the end.
  CallOutcome End(const absl::Status& status, std::string_view repository, uint64_t bytes) const;

 private:
  CallKind kind_;
  std::string request_id_;
  Caller caller_;
  std::chrono::steady_clock::time_point started_;
};

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_CALL_RECORD_H_

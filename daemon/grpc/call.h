// What the calls of the native door share: the store and its workers, and how gRPC meets the record
// of a call.
#ifndef VARVE_DAEMON_GRPC_CALL_H_
#define VARVE_DAEMON_GRPC_CALL_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "daemon/grpc/call_record.h"
#include "daemon/grpc/call_workers.h"
#include "daemon/grpc/error_details.h"
#include "daemon/grpc/event_feed.h"
#include "daemon/grpc/message_memory.h"
#include "daemon/grpc/stream_watch.h"
#include "storage/api/blobs.h"
#include "storage/api/store.h"
#include "storage/base/str_cat.h"

namespace varve {

// Owned by the server; outlives every call.
struct GrpcDoor {
  const Store store;
  CallWorkers& workers;
  StreamWatch& watch;
  EventFeed& feed;
  MessageMemory& message_memory;
  std::chrono::milliseconds stall_timeout;
  int64_t started_nanos;
  std::atomic<int> prunes = 0;  // running now
};

// The record of a call that has just arrived; its request id goes back as trailing metadata.
inline CallRecord BeginCall(const CallKind& kind, grpc::CallbackServerContext& context) {
  const auto sent = [&context](const char* key) -> std::string_view {
    const auto found = context.client_metadata().find(key);
    if (found == context.client_metadata().end()) return {};
    return {found->second.data(), found->second.size()};
  };
  CallRecord record(kind, sent(kRequestIdKey),
                    {AddressOfPeer(context.peer()), std::string(sent("user-agent"))});
  context.AddTrailingMetadata(kRequestIdKey, record.request_id());
  return record;
}

// The metadata key under which a client names the lease that a call works for.
inline constexpr char kLeaseKey[] = "varve-lease";

// The id of that lease, which lives as long as the call; empty: none.
inline std::string_view LeaseOf(const grpc::CallbackServerContext& context) {
  const auto sent = context.client_metadata().find(kLeaseKey);
  if (sent == context.client_metadata().end()) return {};
  return {sent->second.data(), sent->second.size()};
}

// Ends the record and gives the status for the client. Once a call, just before Finish.
inline grpc::Status EndCall(CallRecord& record, const absl::Status& status,
                            std::string_view repository, uint64_t bytes) {
  const CallOutcome outcome = record.End(status, repository, bytes);
  return {static_cast<grpc::StatusCode>(outcome.grpc_code), outcome.message,
          EncodeErrorDetails(outcome.error, outcome.message)};
}

// For a call that finds no place now: its client is told to come back soon.
inline absl::Status Busy(std::string_view sentence) {
  absl::Status status = absl::ResourceExhaustedError(ToAbsl(sentence));
  status.SetPayload(kRetryAfterPayload, absl::Cord("1"));
  return status;
}

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_CALL_H_

// The two messages of varve.v1.Blobs that carry payload, taken apart and put together by hand, so
// that the payload is hashed and written from, or read into, the memory that the network uses.
// Knows nothing of gRPC. Pure functions, any thread.
#ifndef VARVE_DAEMON_GRPC_BLOB_MESSAGES_H_
#define VARVE_DAEMON_GRPC_BLOB_MESSAGES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "storage/limits.h"

namespace varve {

// What a message of Blobs.Read carries at most, as blobs.proto says, and the fields before it: two
// numbers of up to 10 bytes, a length of 4, three tags.
inline constexpr size_t kReadDataBytes = kMiB;
// The same while memory for messages is short.
inline constexpr size_t kShortReadDataBytes = 64 * kKiB;
inline constexpr size_t kMaxReadHeadBytes = 32;

// Whether `message`, an encoded WriteRequest in pieces, consists of the field `data` alone, as
// every client writes a data message. If so, `*data` is its payload as views into `message`. False
// also for what is malformed: such and all other messages are for the general parser.
bool FindData(absl::Span<const std::string_view> message, std::vector<std::string_view>* data);

// What comes before the `data_bytes` of payload in an encoded ReadResponse.
std::string EncodeReadHead(uint64_t offset, uint64_t blob_size_bytes, size_t data_bytes);

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_BLOB_MESSAGES_H_

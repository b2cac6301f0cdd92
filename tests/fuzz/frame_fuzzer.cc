// Frames of a pack. Input: a byte that chooses, then bytes: a frame as a disk may give it back, one
// with a right checksum, which no mutation would find by itself, or chunks to be written.
#include <xxhash.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/base/bytes.h"
#include "storage/pack/frame.h"
#include "tests/fuzz/invariant.h"

namespace varve {
namespace {

void CheckFrame(std::string_view frame) {
  FrameReader reader;
  const absl::StatusOr<std::string_view> chunks = reader.Read(frame);
  if (chunks.ok()) {
    FUZZ_INVARIANT(!chunks->empty() && chunks->size() <= kMaxFrameBytes);
  } else {
    FUZZ_INVARIANT(absl::IsDataLoss(chunks.status()) ||
                   absl::IsFailedPrecondition(chunks.status()));
  }
}

void CheckFrameBody(std::string_view body) {
  std::string frame(body);
  AppendU64(&frame, XXH3_64bits(frame.data(), frame.size()));
  CheckFrame(frame);
}

void CheckChunks(std::string_view bytes) {
  if (bytes.empty()) return;
  FrameWriter writer(3);
  for (std::string_view rest = bytes; !rest.empty();) {
    const std::string_view chunk = rest.substr(0, 1 + static_cast<uint8_t>(rest.front()));
    FUZZ_INVARIANT(writer.Add(chunk) == static_cast<size_t>(chunk.data() - bytes.data()));
    rest.remove_prefix(chunk.size());
  }
  const absl::StatusOr<std::string> frame = writer.Finish();
  FUZZ_INVARIANT(frame.ok() && frame->size() <= bytes.size() + kFrameOverheadBytes);
  FrameReader reader;
  const absl::StatusOr<std::string_view> chunks = reader.Read(*frame);
  FUZZ_INVARIANT(chunks.ok() && *chunks == bytes);
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.front() == 'f') varve::CheckFrame(input.substr(1));
  if (input.front() == 'b') varve::CheckFrameBody(input.substr(1));
  if (input.front() == 'c') varve::CheckChunks(input.substr(1));
  return 0;
}

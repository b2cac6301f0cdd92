// Splitting a stream of any bytes and joining it again. Input: the stream. It comes back exactly,
// and is split the same whatever the pieces it comes in.
#include <cstdint>
#include <string_view>

#include "tests/fuzz/invariant.h"
#include "tests/storage/tar/archive_parts.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<varve::ArchiveParts> whole = varve::SplitArchive(stream);
  FUZZ_INVARIANT(whole.ok());
  for (const size_t piece_bytes : {size_t{1}, size_t{511}, size_t{513}}) {
    const absl::StatusOr<varve::ArchiveParts> pieces =
        varve::SplitArchive(stream, [piece_bytes] { return piece_bytes; });
    FUZZ_INVARIANT(pieces.ok() && *pieces == *whole);
  }
  for (const size_t place : {size_t{0}, size / 3, size}) {
    const absl::StatusOr<std::string> joined =
        varve::JoinArchive(*whole, {.max_bytes = size, .skipped_bytes = place});
    FUZZ_INVARIANT(joined.ok() && *joined == stream.substr(place));
  }
  return 0;
}

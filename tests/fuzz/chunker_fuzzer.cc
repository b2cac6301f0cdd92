// Cutting a content. Input: how often the rest is repeated, up to 255 times, the size of pieces in
// two bytes, then the rest. Cuts are the same in pieces, and within their limits.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/pack/chunker.h"
#include "tests/fuzz/invariant.h"

namespace varve {
namespace {

constexpr size_t kMaxContentBytes = 1'000'000;

std::vector<size_t> Cut(std::string_view content, std::optional<uint64_t> size_bytes,
                        size_t piece_bytes) {
  Chunker chunker;
  chunker.Begin(size_bytes);
  std::vector<size_t> ends;
  for (size_t at = 0; at < content.size();) {
    const Chunker::Piece piece = chunker.Next(content.substr(at, piece_bytes));
    FUZZ_INVARIANT(piece.size_bytes > 0 && piece.size_bytes <= piece_bytes);
    at += piece.size_bytes;
    if (piece.ends_chunk) ends.push_back(at);
  }
  return ends;
}

void CheckContent(std::string_view content, size_t piece_bytes) {
  const std::vector<size_t> ends = Cut(content, std::nullopt, SIZE_MAX);
  size_t begin = 0;
  for (const size_t end : ends) {
    FUZZ_INVARIANT(end - begin >= kMinChunkBytes && end - begin <= kMaxChunkBytes);
    begin = end;
  }
  FUZZ_INVARIANT(content.size() - begin < kMaxChunkBytes);
  FUZZ_INVARIANT(Cut(content, std::nullopt, piece_bytes) == ends);
  const std::vector<size_t> with_size = Cut(content, content.size(), piece_bytes);
  FUZZ_INVARIANT(content.size() <= kMaxWholeFileBytes ? with_size.empty() : with_size == ends);
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  varve::ByteReader input({reinterpret_cast<const char*>(data), size});
  const size_t repeats = input.U8();
  const size_t piece_bytes = 1 + (static_cast<size_t>(input.U8()) << 8 | input.U8());
  if (!input.ok()) return 0;
  std::string content;
  for (size_t i = 0; i <= repeats && content.size() < varve::kMaxContentBytes; ++i) {
    content += input.rest();
  }
  varve::CheckContent(content, piece_bytes);
  return 0;
}

#include "storage/deflate/block_boundaries.h"

#include <algorithm>

#include "storage/base/check.h"

namespace varve {
namespace {

constexpr int kRawWindowBits = -15;
constexpr size_t kPlainBytes = 32 << 10;
constexpr size_t kMaxInput = 1 << 30;  // of one call of zlib, whose sizes have 32 bits
// Flags of z_stream::data_type after inflate with Z_BLOCK.
constexpr int kUnusedBits = 7;
constexpr int kLastBlock = 64;
constexpr int kBlockEnd = 128;

}  // namespace

BlockBoundaries::BlockBoundaries() : plain_(kPlainBytes) {
  CheckInvariant(inflateInit2(&stream_, kRawWindowBits) == Z_OK, "zlib has memory for a stream");
}

BlockBoundaries::~BlockBoundaries() { inflateEnd(&stream_); }

std::optional<BlockBoundary> BlockBoundaries::Next(std::string_view& deflate) {
  bool full = true;
  while (!deflate.empty() || full) {
    const size_t given = std::min(deflate.size(), kMaxInput);
    // zlib reads through a pointer that is not const.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(deflate.data()));
    stream_.avail_in = static_cast<uInt>(given);
    stream_.next_out = plain_.data();
    stream_.avail_out = static_cast<uInt>(plain_.size());
    const int result = inflate(&stream_, Z_BLOCK);
    CheckInvariant(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR,
                   "zlib inflates what it has deflated");
    const size_t taken = given - stream_.avail_in;
    if (taken > 0) last_byte_ = static_cast<uint8_t>(deflate[taken - 1]);
    deflate.remove_prefix(taken);
    deflate_bytes_ += taken;
    plain_bytes_ += plain_.size() - stream_.avail_out;
    full = stream_.avail_out == 0;
    if (result == Z_STREAM_END) break;
    if ((stream_.data_type & kBlockEnd) != 0 && (stream_.data_type & kLastBlock) == 0) {
      const int unused = stream_.data_type & kUnusedBits;
      const auto mask = static_cast<uint8_t>((1U << ((8 - unused) % 8)) - 1);
      return BlockBoundary{plain_bytes_, deflate_bytes_ * 8 - static_cast<uint64_t>(unused),
                           static_cast<uint8_t>(last_byte_ & mask)};
    }
    if (taken == 0 && !full) break;
  }
  return std::nullopt;
}

}  // namespace varve

#include "storage/tar/sparse_map.h"

namespace varve {
namespace {

// Pairs: a map of more would itself be larger than any file needs.
constexpr uint64_t kMaxPairs = uint64_t{1} << 32;

}  // namespace

SparseMap::Verdict SparseMap::Feed(std::string_view block) {
  for (const char c : block) {
    if (c >= '0' && c <= '9') {
      if (!counted_) number_ = number_ * 10 + static_cast<uint64_t>(c - '0');
      if (number_ > kMaxPairs) return Verdict::kMalformed;
    } else if (c != '\n') {
      return Verdict::kMalformed;
    } else {
      lines_left_ = counted_ ? lines_left_ - 1 : number_ * 2;
      counted_ = true;
      if (lines_left_ == 0) return Verdict::kEnded;
    }
  }
  return Verdict::kGoesOn;
}

}  // namespace varve

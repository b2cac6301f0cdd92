// Finds the end of the map that the stored bytes of a GNU sparse 1.0 member begin with: decimal
// numbers, one a line, the first of which says how many pairs follow, and zeros up to a whole
// block. One thread.
#ifndef VARVE_STORAGE_TAR_SPARSE_MAP_H_
#define VARVE_STORAGE_TAR_SPARSE_MAP_H_

#include <cstdint>
#include <string_view>

namespace varve {

class SparseMap {
 public:
  enum class Verdict { kGoesOn, kEnded, kMalformed };

  // The next block. After kEnded, and after kMalformed, the map is over.
  Verdict Feed(std::string_view block);

 private:
  uint64_t number_ = 0;
  uint64_t lines_left_ = 0;
  bool counted_ = false;  // the first line was read
};

}  // namespace varve

#endif  // VARVE_STORAGE_TAR_SPARSE_MAP_H_

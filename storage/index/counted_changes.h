// How far a counter row and the rows that it counts may have moved apart while somebody walked the
// rows: whoever changes both says so around the transaction. Thread-safe.
#ifndef VARVE_STORAGE_INDEX_COUNTED_CHANGES_H_
#define VARVE_STORAGE_INDEX_COUNTED_CHANGES_H_

#include <atomic>
#include <cstdint>

#include "storage/base/check.h"

namespace varve {

class CountedChanges {
 public:
  struct Amount {
    uint64_t rows = 0;
    uint64_t bytes = 0;
  };

  // Lives around a transaction that may add or remove up to `rows` rows, of `bytes` bytes together.
  class Change {
   public:
    explicit Change(CountedChanges& changes, uint64_t rows = 1, uint64_t bytes = 0)
        : changes_(changes), rows_(rows), bytes_(bytes) {
      changes_.begun_rows_ += rows_;
      changes_.begun_bytes_ += bytes_;
    }
    ~Change() {
      changes_.ended_rows_ += rows_;
      changes_.ended_bytes_ += bytes_;
    }
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;

   private:
    CountedChanges& changes_;
    const uint64_t rows_;
    const uint64_t bytes_;
  };

  // Before the walk.
  Amount Ended() const { return {ended_rows_, ended_bytes_}; }
  // After it: at most so much changed since, or was under way then.
  Amount Since(const Amount& ended) const {
    const Amount begun = {begun_rows_, begun_bytes_};
    CheckInvariant(begun.rows >= ended.rows && begun.bytes >= ended.bytes,
                   "a change begins before it ends");
    return {begun.rows - ended.rows, begun.bytes - ended.bytes};
  }

 private:
  std::atomic<uint64_t> begun_rows_{0};
  std::atomic<uint64_t> begun_bytes_{0};
  std::atomic<uint64_t> ended_rows_{0};
  std::atomic<uint64_t> ended_bytes_{0};
};

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_COUNTED_CHANGES_H_

// The counter rows of Transaction::Add: one signed 64-bit integer, 8 bytes big-endian. Pure
// functions, shared by the engines so that they agree on every bit.
#ifndef VARVE_STORAGE_INDEX_COUNTER_H_
#define VARVE_STORAGE_INDEX_COUNTER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/base/bytes.h"

namespace varve {

inline std::string EncodeCounter(int64_t value) {
  std::string row;
  AppendU64(&row, static_cast<uint64_t>(value));
  return row;
}

// A row of any other size counts as zero: counters are statistics, and an engine that refused to
// merge one would stop every write of the store.
inline int64_t DecodeCounter(std::string_view row) {
  if (row.size() != sizeof(int64_t)) return 0;
  return ByteReader(row).I64();
}

// Wraps around at the ends of the range.
inline int64_t AddCounters(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_COUNTER_H_

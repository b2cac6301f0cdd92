// What one may ask of the index, in passing or inside a transaction: under both Index and
// Transaction, so that whoever only looks is one code for both. Thread-safety is that of what
// stands behind it.
//
// Batches (GetMany, FirstOfEach) are one round trip for up to kMaxBatchReads keys or ranges, more
// are InvalidArgument; GetAll and FirstOfAll take any number.
#ifndef VARVE_STORAGE_INDEX_READS_H_
#define VARVE_STORAGE_INDEX_READS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace varve {

struct KeyValue {
  std::string key;
  std::string value;
};

// The values of several keys in the order in which the keys were given; nullopt for an absent one.
using OptionalValues = std::vector<std::optional<std::string>>;

// Keys in [begin, end), in order; an empty `end` means up to the last key.
struct KeyRange {
  std::string begin;
  std::string end;
};

// The first row of several ranges in the order in which these were given; nullopt for an empty one.
using FirstRows = std::vector<std::optional<KeyValue>>;

// All keys that start with `prefix`, beginning after `prefix` + `after` when `after` is not empty.
KeyRange PrefixRange(std::string_view prefix, std::string_view after = {});

class Reads {
 public:
  virtual ~Reads() = default;

  // nullopt when the key is absent.
  virtual absl::StatusOr<std::optional<std::string>> Get(std::string_view key) = 0;
  virtual absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) = 0;
  virtual absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) = 0;
  virtual absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) = 0;
  // As Scan, for one who goes through many rows once, in large pages: what others have cached
  // stays.
  virtual absl::StatusOr<std::vector<KeyValue>> Walk(const KeyRange& range, size_t limit) {
    return Scan(range, limit);
  }

  // As Get, and in a transaction nobody changes the row until it ends (a shared guard).
  virtual absl::StatusOr<std::optional<std::string>> GetGuarded(std::string_view key) {
    return Get(key);
  }
  // In a transaction nobody changes the row until it ends; in passing this reads nothing.
  virtual absl::Status Protect(std::string_view /*key*/) { return absl::OkStatus(); }

  absl::StatusOr<bool> Has(std::string_view key);
  absl::StatusOr<bool> HasGuarded(std::string_view key);
  // Whether there is a row whose key starts with `prefix`.
  absl::StatusOr<bool> HasAny(std::string_view prefix);
};

// As GetMany and FirstOfEach, of any number, kMaxBatchReads at a time; in passing each batch is
// read as the state is then.
absl::StatusOr<OptionalValues> GetAll(Reads& reads, absl::Span<const std::string> keys);
absl::StatusOr<FirstRows> FirstOfAll(Reads& reads, absl::Span<const KeyRange> ranges);

// These go through the rows of a range in order, `page_rows` read at a time, which is the memory
// that they take; no snapshot is held: each page is of the state when it is read, and the next one
// begins after its last row, never at the front again. So the visitor may remove what it is given.
// False ends the visit, and so does an error, which is returned.
using RowVisitor = absl::FunctionRef<absl::StatusOr<bool>(const KeyValue& row)>;
using PageVisitor = absl::FunctionRef<absl::StatusOr<bool>(absl::Span<const KeyValue> rows)>;

// With Scan: few rows, or such as are read often.
absl::Status VisitRows(Reads& reads, KeyRange range, size_t page_rows, RowVisitor visit);
// A page in one call; never an empty one.
absl::Status VisitPages(Reads& reads, KeyRange range, size_t page_rows, PageVisitor visit);
// With Walk: a whole table, all keys that start with `prefix`.
absl::Status WalkRows(Reads& reads, std::string_view prefix, size_t page_rows, RowVisitor visit);
// How many WalkRows visits, 1,000 at a time: ~100 kB.
absl::StatusOr<uint64_t> CountRows(Reads& reads, std::string_view prefix);

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_READS_H_

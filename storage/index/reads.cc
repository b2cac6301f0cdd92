#include "storage/index/reads.h"

#include <iterator>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr size_t kCountPageRows = 1000;

// What `read` gives of each batch of `all`, in one list.
template <typename Found, typename Asked, typename Read>
absl::StatusOr<Found> ReadInBatches(absl::Span<const Asked> all, const Read& read) {
  Found found;
  found.reserve(all.size());
  for (size_t begin = 0; begin < all.size(); begin += kMaxBatchReads) {
    ASSIGN_OR_RETURN(Found batch, read(all.subspan(begin, kMaxBatchReads)));
    std::move(batch.begin(), batch.end(), std::back_inserter(found));
  }
  CheckInvariant(found.size() == all.size(), "a batch read answers for each key");
  return found;
}

using ReadPage = absl::StatusOr<std::vector<KeyValue>> (Reads::*)(const KeyRange& range,
                                                                  size_t limit);

// The one page loop.
absl::Status VisitPagesBy(ReadPage read, Reads& reads, KeyRange range, size_t page_rows,
                          PageVisitor visit) {
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<KeyValue> rows, (reads.*read)(range, page_rows));
    if (rows.empty()) return absl::OkStatus();
    CheckInvariant(rows.size() <= page_rows, "a page has no more rows than were asked for");
    CheckInvariant(rows.front().key >= range.begin, "a page comes after the one before");
    ASSIGN_OR_RETURN(const bool go_on, visit(rows));
    if (!go_on || rows.size() < page_rows) return absl::OkStatus();
    range.begin = rows.back().key;
    range.begin.push_back('\0');  // the least key above it
  }
}

absl::Status VisitRowsBy(ReadPage read, Reads& reads, KeyRange range, size_t page_rows,
                         RowVisitor visit) {
  return VisitPagesBy(read, reads, std::move(range), page_rows,
                      [&](absl::Span<const KeyValue> rows) -> absl::StatusOr<bool> {
                        for (const KeyValue& row : rows) {
                          ASSIGN_OR_RETURN(const bool go_on, visit(row));
                          if (!go_on) return false;
                        }
                        return true;
                      });
}

absl::StatusOr<bool> IsThere(const absl::StatusOr<std::optional<std::string>>& value) {
  if (!value.ok()) return value.status();
  return value->has_value();
}

}  // namespace

KeyRange PrefixRange(std::string_view prefix, std::string_view after) {
  KeyRange range;
  range.begin = prefix;
  if (!after.empty()) {
    range.begin += after;
    range.begin.push_back('\0');  // the least key above prefix + after
  }
  // The least key above all that start with `prefix`: drop 0xff bytes, which have no successor, and
  // raise the last one left. A prefix of only 0xff reaches to the end of the index.
  range.end = prefix;
  while (!range.end.empty() && static_cast<unsigned char>(range.end.back()) == 0xff) {
    range.end.pop_back();
  }
  if (!range.end.empty()) {
    range.end.back() = static_cast<char>(static_cast<unsigned char>(range.end.back()) + 1);
  }
  CheckInvariant(range.end.empty() || range.begin < range.end,
                 "a range of keys ends after it begins");
  return range;
}

absl::StatusOr<bool> Reads::Has(std::string_view key) { return IsThere(Get(key)); }

absl::StatusOr<bool> Reads::HasGuarded(std::string_view key) { return IsThere(GetGuarded(key)); }

absl::StatusOr<bool> Reads::HasAny(std::string_view prefix) {
  ASSIGN_OR_RETURN(const std::vector<KeyValue> rows, Scan(PrefixRange(prefix), 1));
  return !rows.empty();
}

absl::StatusOr<OptionalValues> GetAll(Reads& reads, absl::Span<const std::string> keys) {
  return ReadInBatches<OptionalValues>(
      keys, [&](absl::Span<const std::string> batch) { return reads.GetMany(batch); });
}

absl::StatusOr<FirstRows> FirstOfAll(Reads& reads, absl::Span<const KeyRange> ranges) {
  return ReadInBatches<FirstRows>(
      ranges, [&](absl::Span<const KeyRange> batch) { return reads.FirstOfEach(batch); });
}

absl::Status VisitRows(Reads& reads, KeyRange range, size_t page_rows, RowVisitor visit) {
  return VisitRowsBy(&Reads::Scan, reads, std::move(range), page_rows, visit);
}

absl::Status VisitPages(Reads& reads, KeyRange range, size_t page_rows, PageVisitor visit) {
  return VisitPagesBy(&Reads::Scan, reads, std::move(range), page_rows, visit);
}

absl::Status WalkRows(Reads& reads, std::string_view prefix, size_t page_rows, RowVisitor visit) {
  return VisitRowsBy(&Reads::Walk, reads, PrefixRange(prefix), page_rows, visit);
}

absl::StatusOr<uint64_t> CountRows(Reads& reads, std::string_view prefix) {
  uint64_t rows = 0;
  RETURN_IF_ERROR(WalkRows(reads, prefix, kCountPageRows, [&](const KeyValue&) {
    ++rows;
    return absl::StatusOr<bool>(true);
  }));
  return rows;
}

}  // namespace varve

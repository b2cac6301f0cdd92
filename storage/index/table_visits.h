// Page loops over the tables that many go through: edges, members, tags. Keys and values come
// parsed; DataLoss when one is malformed. Reads, order, snapshots and the end of a visit are those
// of VisitRows (reads.h).
#ifndef VARVE_STORAGE_INDEX_TABLE_VISITS_H_
#define VARVE_STORAGE_INDEX_TABLE_VISITS_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/index/keys.h"
#include "storage/index/reads.h"
#include "storage/index/rows.h"

namespace varve {

// Rows read at once when nothing else is said: 256 x ~150 B = 40 kB.
inline constexpr size_t kVisitPageRows = 256;

// Calls `visit` with the source of each edge whose key starts with `prefix`, an EdgePrefix: of a
// target, of one kind, of one repository.
using EdgeVisitor = absl::FunctionRef<absl::StatusOr<bool>(EdgeSource source)>;
absl::Status VisitEdges(Reads& reads, const std::string& prefix, EdgeVisitor visit,
                        size_t page_rows = kVisitPageRows);

// With each manifest that a repository lists, and its row; `range`: a part of one repository's.
using MemberVisitor =
    absl::FunctionRef<absl::StatusOr<bool>(const Member& member, const std::string& row)>;
absl::Status VisitMembers(Reads& reads, const KeyRange& range, MemberVisitor visit,
                          size_t page_rows = kVisitPageRows);
// The same of all repositories, past the cache (WalkRows).
absl::Status WalkMembers(Reads& reads, MemberVisitor visit);

// With each tag of a repository in the range.
using TagVisitor =
    absl::FunctionRef<absl::StatusOr<bool>(const std::string& tag, const TagRow& row)>;
absl::Status VisitTags(Reads& reads, const KeyRange& range, TagVisitor visit,
                       size_t page_rows = kVisitPageRows);

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_TABLE_VISITS_H_

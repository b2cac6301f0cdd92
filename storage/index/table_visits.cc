#include "storage/index/table_visits.h"

#include <utility>
#include <vector>

#include "storage/base/status.h"

namespace varve {
namespace {

// Edges read at first: as a rule these are all, or the first of them decides.
constexpr size_t kFewEdges = 16;

absl::StatusOr<bool> VisitMemberRow(const KeyValue& row, MemberVisitor visit) {
  Member member;
  if (!ParseMemberKey(row.key, &member.repository, &member.manifest)) {
    return absl::DataLossError("a member row of the index is damaged");
  }
  return visit(member, row.value);
}

}  // namespace

absl::Status VisitEdges(Reads& reads, const std::string& prefix, EdgeVisitor visit,
                        size_t page_rows) {
  const auto visit_row = [&](const KeyValue& row) -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(EdgeSource source, EdgeSourceOf(row.key));
    return visit(std::move(source));
  };
  KeyRange range = PrefixRange(prefix);
  ASSIGN_OR_RETURN(const std::vector<KeyValue> few, reads.Scan(range, kFewEdges));
  for (const KeyValue& row : few) {
    ASSIGN_OR_RETURN(const bool go_on, visit_row(row));
    if (!go_on) return absl::OkStatus();
  }
  if (few.size() < kFewEdges) return absl::OkStatus();
  range.begin = few.back().key + '\0';
  return VisitRows(reads, std::move(range), page_rows, visit_row);
}

absl::Status VisitMembers(Reads& reads, const KeyRange& range, MemberVisitor visit,
                          size_t page_rows) {
  return VisitRows(reads, range, page_rows,
                   [&](const KeyValue& row) { return VisitMemberRow(row, visit); });
}

absl::Status WalkMembers(Reads& reads, MemberVisitor visit) {
  return WalkRows(reads, MemberPrefix(), kVisitPageRows,
                  [&](const KeyValue& row) { return VisitMemberRow(row, visit); });
}

absl::Status VisitTags(Reads& reads, const KeyRange& range, TagVisitor visit, size_t page_rows) {
  return VisitRows(reads, range, page_rows, [&](const KeyValue& row) -> absl::StatusOr<bool> {
    RepositoryId repository = 0;
    std::string tag;
    if (!ParseTagKey(row.key, &repository, &tag)) {
      return absl::DataLossError("a tag row of the index is damaged");
    }
    ASSIGN_OR_RETURN(const TagRow tagged, TagRow::Decode(row.value));
    return visit(tag, tagged);
  });
}

}  // namespace varve

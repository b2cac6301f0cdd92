#include "storage/keep/newest_images.h"

#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/status.h"
#include "storage/index/rows.h"

namespace varve {
namespace {

constexpr size_t kPageRows = 256;

absl::StatusOr<bool> IsListed(Index& index, RepositoryId repository, const Digest& manifest) {
  for (const EdgeKind kind : {EdgeKind::kReference, EdgeKind::kPending}) {
    ASSIGN_OR_RETURN(const std::vector<KeyValue> edges,
                     index.Scan(PrefixRange(EdgePrefix(manifest, kind, repository)), 1));
    if (!edges.empty()) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<bool> NewestImages::Contains(RepositoryId repository, const Digest& manifest) {
  if (count_ == 0) return false;
  if (repository_ != repository) RETURN_IF_ERROR(Load(repository));
  return newest_.contains(manifest);
}

absl::Status NewestImages::Load(RepositoryId repository) {
  newest_.clear();
  repository_.reset();
  using Pushed = std::pair<int64_t, Digest>;
  // The oldest of them on top.
  std::priority_queue<Pushed, std::vector<Pushed>, std::greater<>> newest;
  const std::string prefix = MemberPrefix(repository);
  std::string after;
  for (bool more = true; more;) {
    ASSIGN_OR_RETURN(const std::vector<KeyValue> rows,
                     index_.Scan(PrefixRange(prefix, after), kPageRows));
    more = rows.size() == kPageRows;
    for (const KeyValue& row : rows) {
      after = row.key.substr(prefix.size());
      std::string_view key = after;
      Digest manifest;
      if (!Digest::ConsumeKey(&key, &manifest)) {
        return absl::DataLossError("a member row of the index is damaged");
      }
      ASSIGN_OR_RETURN(const MemberRow member, MemberRow::Decode(row.value));
      if (member.subject.has_value()) continue;
      if (newest.size() == count_ && Pushed(member.pushed_nanos, manifest) < newest.top()) continue;
      ASSIGN_OR_RETURN(const bool listed, IsListed(index_, repository, manifest));
      if (listed) continue;
      ASSIGN_OR_RETURN(const bool counts, counts_(repository, manifest));
      if (!counts) continue;
      newest.emplace(member.pushed_nanos, manifest);
      if (newest.size() > count_) newest.pop();
    }
  }
  for (; !newest.empty(); newest.pop()) newest_.insert(newest.top().second);
  repository_ = repository;
  return absl::OkStatus();
}

}  // namespace varve

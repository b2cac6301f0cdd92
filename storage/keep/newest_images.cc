#include "storage/keep/newest_images.h"

#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/status.h"
#include "storage/index/table_visits.h"
#include "storage/keep/what_keeps.h"

namespace varve {
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
  const auto consider = [&](const Member& one, const std::string& row) -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(const MemberRow member, MemberRow::Decode(row));
    if (member.subject.has_value()) return true;
    const Pushed pushed(member.pushed_nanos, one.manifest);
    if (newest.size() == count_ && pushed < newest.top()) return true;
    ASSIGN_OR_RETURN(const bool listed, IsListed(index_, one));
    if (listed) return true;
    ASSIGN_OR_RETURN(const bool counts, counts_(repository, one.manifest));
    if (!counts) return true;
    newest.push(pushed);
    if (newest.size() > count_) newest.pop();
    return true;
  };
  RETURN_IF_ERROR(VisitMembers(index_, PrefixRange(MemberPrefix(repository)), consider));
  for (; !newest.empty(); newest.pop()) newest_.insert(newest.top().second);
  repository_ = repository;
  return absl::OkStatus();
}

}  // namespace varve

#include "storage/recent_activity.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "storage/base/status.h"
#include "storage/limits.h"

namespace varve {
namespace {

// Activity that RecentActivity names.
constexpr int64_t kRecentNanos = 60 * kNanosPerSecond;

// Keeps the first `limit` rows; how many went.
template <typename Row>
uint64_t CutTo(size_t limit, std::vector<Row>* rows) {
  if (rows->size() <= limit) return 0;
  const uint64_t more = rows->size() - limit;
  rows->resize(limit);
  return more;
}

}  // namespace

absl::StatusOr<RecentActivity> ListRecentActivity(EngineParts& parts) {
  RecentActivity activity;
  activity.uploads = parts.uploads.ListOpen();
  std::sort(activity.uploads.begin(), activity.uploads.end(), [](const auto& a, const auto& b) {
    return std::tie(a.repository, a.id) < std::tie(b.repository, b.id);
  });
  activity.more_uploads = CutTo(kMaxNamedActivity, &activity.uploads);
  const int64_t since = parts.options.clock->MonotonicNanos() - kRecentNanos;
  for (const RepositoryId repository : parts.promises.activity().ActiveSince(since)) {
    if (repository == 0) continue;  // the whole store
    absl::StatusOr<std::string> name = parts.catalog.repositories.NameOf(repository);
    if (absl::IsNotFound(name.status())) continue;
    RETURN_IF_ERROR(name.status());
    activity.repositories.push_back(*std::move(name));
  }
  std::sort(activity.repositories.begin(), activity.repositories.end());
  activity.more_repositories = CutTo(kMaxNamedActivity, &activity.repositories);
  return activity;
}

}  // namespace varve

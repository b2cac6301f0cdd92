#include "storage/catalog/recent_pulls.h"

namespace varve {
namespace {

// 4,096 x ~200 B = 0.8 MB. When more manifests than that are pulled within seconds, some pulls are
// told twice.
constexpr size_t kMaxPulls = 4096;

}  // namespace

bool RecentPulls::IsRecent(const Pull& pull) const {
  return clock_.MonotonicNanos() - pull.began_nanos < kOnePullNanos;
}

bool RecentPulls::Begins(RepositoryId repository, const Digest& manifest, std::string_view tag) {
  MutexLock lock(mutex_);
  const Pulled pulled(repository, manifest);
  const auto before = pulls_.find(pulled);
  if (before != pulls_.end() && IsRecent(before->second) &&
      (tag.empty() || before->second.tag == tag)) {
    return false;
  }
  if (pulls_.size() >= kMaxPulls) {
    absl::erase_if(pulls_, [this](const auto& pull) { return !IsRecent(pull.second); });
    // To look at all of them must not become the price of each.
    if (pulls_.size() > kMaxPulls / 2) pulls_.clear();
  }
  pulls_.insert_or_assign(pulled, Pull{std::string(tag), clock_.MonotonicNanos()});
  return true;
}

bool RecentPulls::Contains(RepositoryId repository, const Digest& manifest) {
  MutexLock lock(mutex_);
  const auto found = pulls_.find(Pulled(repository, manifest));
  return found != pulls_.end() && IsRecent(found->second);
}

}  // namespace varve

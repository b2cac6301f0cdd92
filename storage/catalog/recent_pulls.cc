#include "storage/catalog/recent_pulls.h"

namespace varve {
namespace {

// 2 x 4,096 x ~200 B = 1.6 MB. When more manifests than that are pulled within seconds, some pulls
// are told twice.
constexpr size_t kMaxPulls = 4096;

}  // namespace

const RecentPulls::Pull* RecentPulls::Find(const Pulled& pulled) const {
  const int64_t now = clock_.MonotonicNanos();
  for (const Pulls* pulls : {&newer_, &older_}) {
    const auto found = pulls->find(pulled);
    if (found == pulls->end()) continue;
    return now - found->second.began_nanos < kOnePullNanos ? &found->second : nullptr;
  }
  return nullptr;
}

bool RecentPulls::Begins(RepositoryId repository, const Digest& manifest, std::string_view tag) {
  const Pulled pulled(repository, manifest);
  MutexLock lock(mutex_);
  const Pull* const before = Find(pulled);
  if (before != nullptr && (tag.empty() || before->tag == tag)) return false;
  const int64_t now = clock_.MonotonicNanos();
  if (newer_.size() >= kMaxPulls || now - newer_since_nanos_ >= kOnePullNanos) {
    older_ = std::move(newer_);
    newer_.clear();
    newer_since_nanos_ = now;
  }
  newer_.insert_or_assign(pulled, Pull{std::string(tag), now});
  return true;
}

bool RecentPulls::Contains(RepositoryId repository, const Digest& manifest) {
  MutexLock lock(mutex_);
  return Find(Pulled(repository, manifest)) != nullptr;
}

}  // namespace varve

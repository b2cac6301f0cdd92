#include "storage/catalog/pull_times.h"

#include <optional>
#include <string>

#include "storage/base/status.h"
#include "storage/index/rows.h"

namespace varve {
namespace {

// Between two passes at most so many are remembered (~150 B each); further ones go unrecorded.
constexpr size_t kMaxNoted = 65'536;
constexpr size_t kPageRows = 400;

}  // namespace

void PullTimes::Note(RepositoryId repository, const Digest& manifest) {
  const int64_t now = clock_.WallNanos();
  MutexLock lock(mutex_);
  const auto noted = noted_.find(Pulled(repository, manifest));
  if (noted != noted_.end()) {
    noted->second = now;
  } else if (noted_.size() < kMaxNoted) {
    noted_.emplace(Pulled(repository, manifest), now);
  }
}

absl::Status PullTimes::Flush(Index& index) {
  absl::flat_hash_map<Pulled, int64_t> noted;
  {
    MutexLock lock(mutex_);
    noted.swap(noted_);
  }
  auto next = noted.begin();
  while (next != noted.end()) {
    const auto begin = next;
    RETURN_IF_ERROR(index.Run(
        [&](Transaction& txn) -> absl::Status {
          next = begin;
          for (size_t rows = 0; next != noted.end() && rows < kPageRows; ++next, ++rows) {
            const auto& [repository, manifest] = next->first;
            ASSIGN_OR_RETURN(const std::optional<std::string> member,
                             txn.GetForUpdate(MemberKey(repository, manifest), Guard::kShared));
            if (!member.has_value()) continue;
            RETURN_IF_ERROR(txn.Put(PulledKey(repository, manifest),
                                    EncodeNumber(static_cast<uint64_t>(next->second))));
          }
          return absl::OkStatus();
        },
        Durability::kBuffered));
  }
  return absl::OkStatus();
}

}  // namespace varve

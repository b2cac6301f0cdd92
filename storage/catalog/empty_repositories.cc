#include "storage/catalog/empty_repositories.h"

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {
namespace {

// Repositories looked at by one call of RemoveSome, three ranges each.
constexpr size_t kRepositoriesAtOnce = 256;
static_assert(3 * kRepositoriesAtOnce <= kMaxBatchReads);

// What a repository has while somebody needs it. A deletion turns a member into its note, and the
// note into links: so looked for in this order, nothing is overlooked that moves meanwhile.
std::array<KeyRange, 3> ContentOf(RepositoryId repository) {
  return {PrefixRange(MemberPrefix(repository)), PrefixRange(EdgeRemovalPrefix(repository)),
          PrefixRange(LinkPrefix(repository))};
}

}  // namespace

void EmptyRepositories::Note(RepositoryId repository) {
  MutexLock lock(mutex_);
  // One that is left out is met again after the next start.
  if (maybe_empty_.size() < kMaxEmptyRepositories) maybe_empty_.try_emplace(repository, 0);
}

absl::Status EmptyRepositories::RemoveSome() {
  RETURN_IF_ERROR(NoteOlder());
  const int64_t now = parts_.clock.MonotonicNanos();
  std::vector<RepositoryId> due;
  {
    MutexLock lock(mutex_);
    for (const auto& [repository, when] : maybe_empty_) {
      if (when <= now && due.size() < kRepositoriesAtOnce) due.push_back(repository);
    }
  }
  if (due.empty()) return absl::OkStatus();
  std::vector<std::string> names;
  std::vector<KeyRange> content;
  for (const RepositoryId repository : due) {
    names.push_back(RepositoryNameKey(repository));
    for (KeyRange& range : ContentOf(repository)) content.push_back(std::move(range));
  }
  ASSIGN_OR_RETURN(const OptionalValues found, parts_.index.GetMany(names));
  ASSIGN_OR_RETURN(const FirstRows rows, parts_.index.FirstOfEach(content));
  CheckInvariant(found.size() == due.size() && rows.size() == 3 * due.size(),
                 "each repository that may be empty is looked at");
  for (size_t i = 0; i < due.size(); ++i) {
    const bool empty =
        !rows[3 * i].has_value() && !rows[3 * i + 1].has_value() && !rows[3 * i + 2].has_value();
    if (!empty || !found[i].has_value()) {
      MutexLock lock(mutex_);
      maybe_empty_.erase(due[i]);
    } else if (IsEmptyForLong(due[i], now)) {
      RETURN_IF_ERROR(RemoveIfEmpty(due[i], *found[i], Durability::kBuffered));
    }
  }
  return absl::OkStatus();
}

// What a client was told of this repository holds until its promises end, which takes the id. After
// a start there are none of before it, and as long as that holds everything, no link ends.
bool EmptyRepositories::IsEmptyForLong(RepositoryId repository, int64_t now_nanos) {
  const bool just_started = now_nanos - started_nanos_ < parts_.promises.promise_nanos();
  const int64_t wait = just_started ? parts_.promises.promise_nanos() : kLinkNanos;
  MutexLock lock(mutex_);
  int64_t& when = maybe_empty_[repository];
  if (when != 0) return true;
  when = now_nanos + wait;
  return false;
}

absl::Status EmptyRepositories::RemoveIfEmpty(RepositoryId repository, const std::string& name,
                                              Durability durability) {
  RETURN_IF_ERROR(parts_.index.Run(
      [&](Transaction& txn) -> absl::Status {
        const std::string key = RepositoryKey(name);
        // Whoever adds a member or a link guards this row shared.
        ASSIGN_OR_RETURN(const std::optional<std::string> value,
                         txn.GetForUpdate(key, Guard::kExclusive));
        if (!value.has_value()) return absl::OkStatus();
        ASSIGN_OR_RETURN(const RepositoryRow row, RepositoryRow::Decode(*value));
        if (row.id != repository) return absl::OkStatus();
        ASSIGN_OR_RETURN(const FirstRows rows, txn.FirstOfEach(ContentOf(repository)));
        for (const std::optional<KeyValue>& one : rows) {
          if (one.has_value()) return absl::OkStatus();
        }
        RETURN_IF_ERROR(txn.Delete(key));
        return txn.Delete(RepositoryNameKey(repository));
      },
      durability));
  MutexLock lock(mutex_);
  maybe_empty_.erase(repository);
  return absl::OkStatus();
}

// After a start, a page at each call: those that became empty before it.
absl::Status EmptyRepositories::NoteOlder() {
  std::string after;
  {
    MutexLock lock(mutex_);
    const bool full = maybe_empty_.size() + kRepositoriesAtOnce > kMaxEmptyRepositories;
    if (older_noted_ || full) return absl::OkStatus();
    after = older_after_;
  }
  ASSIGN_OR_RETURN(const std::vector<KeyValue> rows,
                   parts_.index.Scan(PrefixRange(RepositoryPrefix(), after), kRepositoriesAtOnce));
  MutexLock lock(mutex_);
  for (const KeyValue& row : rows) {
    older_after_ = row.key.substr(RepositoryPrefix().size());
    const absl::StatusOr<RepositoryRow> repository = RepositoryRow::Decode(row.value);
    if (repository.ok()) maybe_empty_.try_emplace(repository->id, 0);  // damage: fsck tells it
  }
  older_noted_ = rows.size() < kRepositoriesAtOnce;
  return absl::OkStatus();
}

}  // namespace varve

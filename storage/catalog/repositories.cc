// Repositories come with the first commit to them, and go some time after the last member and link.
#include <array>
#include <utility>
#include <vector>

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/catalog/catalog.h"
#include "storage/image/canonical_name.h"
#include "storage/image/names.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {
namespace {

// Repositories looked at by one call of RemoveEmptyRepositories, three ranges each.
constexpr size_t kRepositoriesAtOnce = 256;
static_assert(3 * kRepositoriesAtOnce <= kMaxBatchReads);

// What a repository has while somebody needs it. A deletion turns a member into its note, and the
// note into links: so looked for in this order, nothing is overlooked that moves meanwhile.
std::array<KeyRange, 3> ContentOf(RepositoryId repository) {
  return {PrefixRange(MemberPrefix(repository)), PrefixRange(UnlinkingPrefix(repository)),
          PrefixRange(LinkPrefix(repository))};
}

}  // namespace

absl::StatusOr<NamedRepository> Catalog::FindNamed(std::string_view name) {
  if (name.empty()) return NamedRepository{};
  RETURN_IF_ERROR(ValidateRepositoryName(name));
  const auto read = [this](std::string_view stored) {
    return parts_.index.Get(RepositoryKey(stored));
  };
  ASSIGN_OR_RETURN(const std::optional<NamedRepository> found, ResolveName(name, read));
  if (found.has_value()) return *found;
  return absl::NotFoundError(StrCat("there is no repository ", ShownName(name)));
}

absl::StatusOr<RepositoryId> Catalog::FindRepository(std::string_view name) {
  ASSIGN_OR_RETURN(const NamedRepository repository, FindNamed(name));
  return repository.id;
}

absl::StatusOr<std::optional<NamedRepository>> Catalog::ResolveName(std::string_view name,
                                                                    const ReadRow& read) {
  // Nothing is read twice for a name that is there, or that is canonical.
  std::string_view stored = name;
  ASSIGN_OR_RETURN(std::optional<std::string> value, read(stored));
  if (!value.has_value()) {
    stored = CanonicalOf(name);
    if (stored.size() == name.size()) return std::nullopt;
    ASSIGN_OR_RETURN(value, read(stored));
    if (!value.has_value()) return std::nullopt;
  }
  ASSIGN_OR_RETURN(const RepositoryRow row, RepositoryRow::Decode(*value));
  return NamedRepository{row.id, stored};
}

absl::StatusOr<NamedRepository> Catalog::MakeRepository(std::string_view name) {
  RETURN_IF_ERROR(ValidateRepositoryName(name));
  // Before the transaction: a new block of ids is one of its own.
  ASSIGN_OR_RETURN(const RepositoryId fresh, parts_.ids.Next());
  NamedRepository made;
  RETURN_IF_ERROR(parts_.index.Run([&](Transaction& txn) -> absl::Status {
    ASSIGN_OR_RETURN(const std::optional<NamedRepository> found,
                     ResolveName(name, [&txn](std::string_view stored) {
                       return txn.GetForUpdate(RepositoryKey(stored), Guard::kExclusive);
                     }));
    if (found.has_value()) {
      made = *found;
      return absl::OkStatus();
    }
    made = {fresh, CanonicalOf(name)};
    const RepositoryRow row{made.id, parts_.clock.WallNanos()};
    RETURN_IF_ERROR(txn.Put(RepositoryKey(made.name), row.Encode()));
    return txn.Put(RepositoryNameKey(made.id), made.name);
  }));
  return made;
}

absl::StatusOr<NamedRepository> Catalog::FindOrMakeRepository(std::string_view name) {
  const absl::StatusOr<NamedRepository> found = FindNamed(name);
  return absl::IsNotFound(found.status()) ? MakeRepository(name) : found;
}

absl::StatusOr<RepositoryId> Catalog::GuardRepository(Transaction& txn, std::string_view name) {
  if (name.empty()) return RepositoryId{0};
  ASSIGN_OR_RETURN(const std::optional<NamedRepository> found,
                   ResolveName(name, [&txn](std::string_view stored) {
                     return txn.GetForUpdate(RepositoryKey(stored), Guard::kShared);
                   }));
  if (!found.has_value()) return absl::OutOfRangeError("the repository was removed just now");
  return found->id;
}

absl::StatusOr<std::string> Catalog::RepositoryName(RepositoryId repository) {
  ASSIGN_OR_RETURN(std::optional<std::string> name,
                   parts_.index.Get(RepositoryNameKey(repository)));
  if (name.has_value()) return *std::move(name);
  return absl::NotFoundError(StrCat("no repository has the id ", repository));
}

void Catalog::NoteMaybeEmpty(RepositoryId repository) {
  MutexLock lock(empty_mutex_);
  // One that is left out is met again after the next start.
  if (maybe_empty_.size() < kMaxEmptyRepositories) maybe_empty_.try_emplace(repository, 0);
}

absl::Status Catalog::RemoveEmptyRepositories() {
  RETURN_IF_ERROR(NoteOlderRepositories());
  const int64_t now = parts_.clock.MonotonicNanos();
  std::vector<RepositoryId> due;
  {
    MutexLock lock(empty_mutex_);
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
      MutexLock lock(empty_mutex_);
      maybe_empty_.erase(due[i]);
    } else if (IsEmptyForLong(due[i], now)) {
      RETURN_IF_ERROR(RemoveIfEmpty(due[i], *found[i], Durability::kBuffered));
    }
  }
  return absl::OkStatus();
}

// What a client was told of this repository holds until its promises end, which takes the id. After
// a start there are none of before it, and as long as that holds everything, no link ends.
bool Catalog::IsEmptyForLong(RepositoryId repository, int64_t now_nanos) {
  const bool just_started = now_nanos - started_nanos_ < parts_.promises.promise_nanos();
  const int64_t wait = just_started ? parts_.promises.promise_nanos() : kLinkNanos;
  MutexLock lock(empty_mutex_);
  int64_t& when = maybe_empty_[repository];
  if (when != 0) return true;
  when = now_nanos + wait;
  return false;
}

absl::Status Catalog::RemoveIfEmpty(RepositoryId repository, const std::string& name,
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
  MutexLock lock(empty_mutex_);
  maybe_empty_.erase(repository);
  return absl::OkStatus();
}

// After a start, a page at each call: those that became empty before it.
absl::Status Catalog::NoteOlderRepositories() {
  std::string after;
  {
    MutexLock lock(empty_mutex_);
    const bool full = maybe_empty_.size() + kRepositoriesAtOnce > kMaxEmptyRepositories;
    if (older_noted_ || full) return absl::OkStatus();
    after = older_after_;
  }
  ASSIGN_OR_RETURN(const std::vector<KeyValue> rows,
                   parts_.index.Scan(PrefixRange(RepositoryPrefix(), after), kRepositoriesAtOnce));
  MutexLock lock(empty_mutex_);
  for (const KeyValue& row : rows) {
    older_after_ = row.key.substr(RepositoryPrefix().size());
    const absl::StatusOr<RepositoryRow> repository = RepositoryRow::Decode(row.value);
    if (repository.ok()) maybe_empty_.try_emplace(repository->id, 0);  // damage: fsck tells it
  }
  older_noted_ = rows.size() < kRepositoriesAtOnce;
  return absl::OkStatus();
}

}  // namespace varve

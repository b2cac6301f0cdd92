#include "storage/catalog/repositories.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "storage/base/str_cat.h"
#include "storage/image/names.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {

absl::StatusOr<NamedRepository> Repositories::FindNamed(std::string_view name) {
  if (name.empty()) return NamedRepository{};
  RETURN_IF_ERROR(ValidateRepositoryName(name));
  const auto read = [this](std::string_view stored) {
    return parts_.index.Get(RepositoryKey(stored));
  };
  ASSIGN_OR_RETURN(const std::optional<NamedRepository> found, ResolveName(name, read));
  if (found.has_value()) return *found;
  return absl::NotFoundError(StrCat("there is no repository ", ShownName(name)));
}

absl::StatusOr<RepositoryId> Repositories::Find(std::string_view name) {
  ASSIGN_OR_RETURN(const NamedRepository repository, FindNamed(name));
  return repository.id;
}

absl::StatusOr<std::optional<NamedRepository>> Repositories::ResolveName(std::string_view name,
                                                                         ReadRow read) {
  // Nothing is read twice for a name that is there, or that is canonical.
  std::string_view stored = name;
  ASSIGN_OR_RETURN(std::optional<std::string> value, read(stored));
  if (!value.has_value()) {
    stored = parts_.names.CanonicalOf(name);
    if (stored.size() == name.size()) return std::nullopt;
    ASSIGN_OR_RETURN(value, read(stored));
    if (!value.has_value()) return std::nullopt;
  }
  ASSIGN_OR_RETURN(const RepositoryRow row, RepositoryRow::Decode(*value));
  return NamedRepository{row.id, stored};
}

absl::StatusOr<NamedRepository> Repositories::Make(std::string_view name) {
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
    made = {fresh, parts_.names.CanonicalOf(name)};
    const RepositoryRow row{made.id, parts_.clock.WallNanos()};
    RETURN_IF_ERROR(txn.Put(RepositoryKey(made.name), row.Encode()));
    return txn.Put(RepositoryNameKey(made.id), made.name);
  }));
  return made;
}

absl::StatusOr<NamedRepository> Repositories::FindOrMake(std::string_view name) {
  const absl::StatusOr<NamedRepository> found = FindNamed(name);
  return absl::IsNotFound(found.status()) ? Make(name) : found;
}

absl::StatusOr<RepositoryId> Repositories::GuardNamed(Transaction& txn, std::string_view name) {
  if (name.empty()) return RepositoryId{0};
  ASSIGN_OR_RETURN(const std::optional<NamedRepository> found,
                   ResolveName(name, [&txn](std::string_view stored) {
                     return txn.GetForUpdate(RepositoryKey(stored), Guard::kShared);
                   }));
  if (!found.has_value()) return absl::OutOfRangeError("the repository was removed just now");
  return found->id;
}

absl::StatusOr<std::string> Repositories::NameOf(RepositoryId repository) {
  ASSIGN_OR_RETURN(std::optional<std::string> name,
                   parts_.index.Get(RepositoryNameKey(repository)));
  if (name.has_value()) return *std::move(name);
  return absl::NotFoundError(StrCat("no repository has the id ", repository));
}

absl::Status Repositories::Rename(RepositoryId repository, const std::string& from,
                                  const std::string& to) {
  RETURN_IF_ERROR(parts_.index.Run([&](Transaction& txn) -> absl::Status {
    // Whoever adds a member or a link guards the row of the name shared.
    std::vector<std::string> keys = {RepositoryKey(from), RepositoryKey(to)};
    ASSIGN_OR_RETURN(const OptionalValues values, txn.GetManyForUpdate(keys, Guard::kExclusive));
    if (values[1].has_value()) {
      return absl::AbortedError(
          StrCat("repository ", ShownName(to), " was made just now; try again"));
    }
    const absl::Status changed = absl::AbortedError(
        StrCat("repository ", ShownName(from), " was removed or merged just now"));
    if (!values[0].has_value()) return changed;
    ASSIGN_OR_RETURN(const RepositoryRow row, RepositoryRow::Decode(*values[0]));
    if (row.id != repository) return changed;
    RETURN_IF_ERROR(txn.Delete(keys[0]));
    RETURN_IF_ERROR(txn.Put(keys[1], *values[0]));
    return txn.Put(RepositoryNameKey(repository), to);
  }));
  ++renames_;  // before anything goes from it
  return absl::OkStatus();
}

absl::StatusOr<Page<std::string>> Repositories::List(const PageRequest& page) {
  const size_t page_rows = std::min(page.limit, kMaxPageRows);
  Page<std::string> names;
  size_t reads = 0;
  const auto add_page = [&](absl::Span<const KeyValue> rows) -> absl::StatusOr<bool> {
    std::vector<KeyRange> members;
    for (const KeyValue& row : rows) {
      ASSIGN_OR_RETURN(const RepositoryRow repository, RepositoryRow::Decode(row.value));
      members.push_back(PrefixRange(MemberPrefix(repository.id)));
    }
    ASSIGN_OR_RETURN(const FirstRows first, FirstOfAll(parts_.index, members));
    for (size_t i = 0; i < rows.size(); ++i) {
      // One to which nothing but blobs was pushed has no image to list.
      if (!first[i].has_value()) continue;
      names.more = names.rows.size() == page_rows;
      if (names.more) return false;
      names.rows.push_back(rows[i].key.substr(RepositoryPrefix().size()));
    }
    reads += rows.size();
    if (rows.size() <= page_rows || reads < kMaxListingReads) return true;
    names.more = true;
    names.next = rows.back().key.substr(RepositoryPrefix().size());
    return false;
  };
  RETURN_IF_ERROR(VisitPages(parts_.index, PrefixRange(RepositoryPrefix(), page.after),
                             page_rows + 1, add_page));
  return names;
}

}  // namespace varve

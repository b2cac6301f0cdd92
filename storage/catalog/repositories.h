// Repositories by name: which one a name means, and the rows that say so. A repository comes with
// the first commit to it; empty_repositories.h says when it goes. Thread-safe.
#ifndef VARVE_STORAGE_CATALOG_REPOSITORIES_H_
#define VARVE_STORAGE_CATALOG_REPOSITORIES_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/page.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/blob/id_allocator.h"
#include "storage/image/canonical_name.h"
#include "storage/index/index.h"
#include "storage/index/keys.h"

namespace varve {

// What a name means.
struct NamedRepository {
  RepositoryId id = 0;    // 0: the whole store
  std::string_view name;  // as the store has it: a part of the text that was asked for
};

class Repositories {
 public:
  struct Parts {
    Index& index;
    IdAllocator& ids;
    Clock& clock;
    const NameRule& names;
  };

  explicit Repositories(Parts parts) : parts_(parts) {}

  const NameRule& names() const { return parts_.names; }

  // The one place where it is decided what a name means: the repository of exactly this name, else
  // the one of its canonical name. NotFound when nothing was committed to either, or nothing is
  // left of that. "" is the whole store.
  absl::StatusOr<NamedRepository> FindNamed(std::string_view name);
  absl::StatusOr<RepositoryId> Find(std::string_view name);
  // As FindNamed; made under its canonical name when it is absent. In transactions of their own.
  absl::StatusOr<NamedRepository> FindOrMake(std::string_view name);
  // Its id, guarded against its removal; OutOfRange when it was removed since it was found.
  absl::StatusOr<RepositoryId> GuardNamed(Transaction& txn, std::string_view name);
  // The repository's name; NotFound when no repository has the id.
  absl::StatusOr<std::string> NameOf(RepositoryId repository);

  // What `request` answers for the repository that the name means. When it finds nothing, and a
  // repository was renamed meanwhile, it is asked once more: what was there is in the other one.
  template <typename Request>
  auto InRepository(std::string_view name, const Request& request)
      -> decltype(request(NamedRepository())) {
    for (;;) {
      const uint64_t renames = renames_;
      ASSIGN_OR_RETURN(const NamedRepository found, FindNamed(name));
      auto answer = request(found);
      if (!absl::IsNotFound(StatusOf(answer)) || renames_ == renames) return answer;
    }
  }

  // Gives the repository another name. Aborted when that one is taken, and when the repository does
  // not have the name `from` (any more).
  absl::Status Rename(RepositoryId repository, const std::string& from, const std::string& to);

  // The names of those that list an image. (Manifests::ListRepositories)
  absl::StatusOr<Page<std::string>> List(const PageRequest& page);

 private:
  // FindNamed's rule over rows that `read` gives.
  using ReadRow =
      absl::FunctionRef<absl::StatusOr<std::optional<std::string>>(std::string_view stored)>;
  absl::StatusOr<std::optional<NamedRepository>> ResolveName(std::string_view name, ReadRow read);
  absl::StatusOr<NamedRepository> Make(std::string_view name);

  static const absl::Status& StatusOf(const absl::Status& status) { return status; }
  template <typename T>
  static const absl::Status& StatusOf(const absl::StatusOr<T>& answer) {
    return answer.status();
  }

  const Parts parts_;
  std::atomic<uint64_t> renames_ = 0;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_REPOSITORIES_H_

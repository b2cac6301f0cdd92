// Deletions of manifests from a repository, by name or unless something needs them: what `rmi`,
// prune and merges are made of. One transaction decides, and makes a manifest invisible with its
// tags; its edges go after that (EdgeRemovals), or with a page of few. Thread-safe.
//
// Whoever tags, lists, holds or leases a manifest guards its blob row shared; a deletion guards it
// exclusively, so that what it finds holds until its commit.
#ifndef VARVE_STORAGE_CATALOG_MANIFEST_DELETIONS_H_
#define VARVE_STORAGE_CATALOG_MANIFEST_DELETIONS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/base/clock.h"
#include "storage/catalog/edge_removals.h"
#include "storage/catalog/empty_repositories.h"
#include "storage/catalog/image_events.h"
#include "storage/catalog/links.h"
#include "storage/catalog/repositories.h"
#include "storage/catalog/tags.h"
#include "storage/image/digest.h"
#include "storage/index/index.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"
#include "storage/promises/promises.h"

namespace varve {

// What became of a manifest; kAbsent: the repository does not list it (any more).
enum class Deletion { kDeleted, kKept, kAbsent };

// An image that goes, with the tags that may go with it.
struct Prunable {
  Member image;
  std::vector<std::string> tags;
};

// An image that its repository lists, and that nothing keeps; with all that its manifest names.
struct UnkeptImage {
  Digest manifest;
  std::vector<Digest> targets;
};

class ManifestDeletions {
 public:
  struct Parts {
    Index& index;
    Promises& promises;
    Clock& clock;
    Repositories& repositories;
    EmptyRepositories& empty_repositories;
    ImageEvents& events;
    Tags& tags;
    Links& links;
    EdgeRemovals& edge_removals;
  };

  explicit ManifestDeletions(Parts parts) : parts_(parts) {}

  // Manifests::DeleteManifest.
  absl::Status Delete(std::string_view repository, const Digest& digest);

  // Deletes a manifest from a repository, with its tags there, if `may_go` says so; that is asked
  // inside the deletion's transaction, where the manifest's blob row is guarded exclusively: what
  // it finds of tags and of manifests that list this one holds until the commit. It may write a few
  // rows, also when it says no. The transaction may run several times.
  using MayGo = std::function<absl::StatusOr<bool>(Transaction&, const MemberRow&)>;
  // Those who watch are told the repository's name, or `told_name`.
  absl::StatusOr<Deletion> DeleteIf(RepositoryId repository, const Digest& digest,
                                    const MayGo& may_go, std::string_view told_name = {});

  // conditional_deletions.cc
  // The first of those that go together, unless something else keeps one of them (VisitKeepers):
  // a claim, a tag that is not named, a manifest or a subject that is not among them. Most go
  // alone; several keep each other. With `elsewhere_may_tag`, what other repositories tag does not
  // keep it here. At most kMaxCircle.
  absl::StatusOr<Deletion> DeletePrunable(const std::vector<Prunable>& together,
                                          bool elsewhere_may_tag);
  // Unless something of this repository needs it: a tag, an index that lists it, its subject, a
  // hold or a lease. Tags that make it a referrer of `gone_subject` do not count.
  absl::StatusOr<Deletion> DeleteUnneeded(RepositoryId repository, const Digest& manifest,
                                          const Digest& gone_subject);
  // With its tags, unless it is claimed, or an index of this repository lists it. With `only_tags`,
  // also unless it has other tags here than those.
  absl::StatusOr<Deletion> DeleteUnlisted(RepositoryId repository, const Digest& manifest,
                                          const std::vector<std::string>* only_tags);
  // Removes a tag that names `manifest`, in one transaction with the manifest when nothing else of
  // the repository needs that. kKept: only the tag went; kAbsent: it does not name the manifest.
  // FailedPrecondition, unless `force`, as Manifests::Untag.
  absl::StatusOr<Deletion> RemoveTag(RepositoryId repository, std::string_view tag,
                                     const Digest& manifest, bool force);

  // delete_page.cc
  static constexpr size_t kPageImages = 32;
  static constexpr size_t kPageTargets = 170;
  // Deletes images of one repository, at most kPageImages with kPageTargets in all, by one
  // transaction: each unless something keeps it by now, also when that goes with it. `name` is the
  // repository's; OutOfRange when it is not any more.
  absl::StatusOr<std::vector<Deletion>> DeletePage(RepositoryId repository, std::string_view name,
                                                   absl::Span<const UnkeptImage> images);

 private:
  // FailedPrecondition when an index of the repository that lists the manifest, or one that lists
  // such an index, is tagged, held or leased; holds until the commit.
  absl::Status CheckUnlisted(Transaction& txn, std::string_view repository, const Member& manifest);

  // delete_page.cc
  // Takes the rows of images away that go.
  absl::Status DeleteRows(Transaction& txn, RepositoryId repository,
                          absl::Span<const UnkeptImage* const> images);
  absl::Status RemoveEdgesOf(Transaction& txn, RepositoryId repository,
                             absl::Span<const UnkeptImage* const> images, int64_t now);

  const Parts parts_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_MANIFEST_DELETIONS_H_

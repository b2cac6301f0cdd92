// Repositories, what is visible in them, manifests, tags: everything that has a name. Thread-safe.
//
// Kept in index tables (storage/FORMAT.md): a manifest listed by a repository is a member; what a
// member names there is an edge, which both keeps the target alive and makes it visible in that
// repository; what was pushed or mounted and is not named yet is visible through a link that
// expires.
#ifndef VARVE_STORAGE_CATALOG_CATALOG_H_
#define VARVE_STORAGE_CATALOG_CATALOG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/clock.h"
#include "storage/blob/blob_store.h"
#include "storage/blob/ingest_table.h"
#include "storage/catalog/manifest.h"
#include "storage/catalog/promises.h"
#include "storage/catalog/pull_times.h"
#include "storage/index/index.h"
#include "storage/store.h"

namespace varve {

class Catalog final : public CommitObserver {
 public:
  struct Parts {
    Index& index;
    BlobStore& blobs;
    IdAllocator& ids;
    Promises& promises;
    PullTimes& pull_times;
    Clock& clock;
    bool accept_sparse_index;
  };

  explicit Catalog(Parts parts) : parts_(parts) {}

  // The blob and manifest calls of Store, with the same contracts.
  absl::StatusOr<BlobInfo> StatBlob(std::string_view repository, const Digest& digest);
  absl::StatusOr<BlobReader> OpenBlob(std::string_view repository, const Digest& digest);
  absl::StatusOr<BlobInfo> MountBlob(std::string_view repository, const Digest& digest,
                                     std::optional<std::string_view> from);
  absl::Status DeleteBlob(std::string_view repository, const Digest& digest);

  absl::StatusOr<ManifestInfo> PutManifest(std::string_view repository,
                                           const PutManifestRequest& request);
  absl::StatusOr<Manifest> GetManifest(std::string_view repository,
                                       const ManifestReference& reference);
  absl::StatusOr<ManifestInfo> StatManifest(std::string_view repository,
                                            const ManifestReference& reference);
  absl::Status DeleteManifest(std::string_view repository, const Digest& digest);
  absl::Status Tag(std::string_view repository, std::string_view tag, const Digest& digest);
  absl::Status Untag(std::string_view repository, std::string_view tag);

  // listings.cc
  absl::StatusOr<Page<TagInfo>> ListTags(std::string_view repository, const PageRequest& page);
  absl::StatusOr<Page<std::string>> ListRepositories(const PageRequest& page);
  absl::StatusOr<Page<ReferrerInfo>> ListReferrers(std::string_view repository,
                                                   const Digest& subject,
                                                   std::string_view artifact_type,
                                                   const PageRequest& page);

  // CommitObserver: an upload makes its blob visible in its repository.
  absl::Status BeforeCommit(std::string_view repository, const Digest& digest) override;
  void WhileUploading(std::string_view repository) override;
  absl::Status InCommit(Transaction& txn, std::string_view repository,
                        const Digest& digest) override;

  // Background work, called by Engine::Reclaim and at open: finishes deletions of manifests that a
  // crash or an error interrupted; drops links that have expired.
  absl::Status FinishUnlinking();
  absl::Status ExpireLinks();

  // The repository's id; NotFound when nothing was ever committed to it.
  absl::StatusOr<RepositoryId> FindRepository(std::string_view name);
  // What a repository lists about a manifest; NotFound when it does not list it. Grants nothing.
  absl::StatusOr<ManifestInfo> ReadMember(RepositoryId repository, const Digest& digest);

 private:
  // The same, making it when it is absent.
  absl::StatusOr<RepositoryId> EnsureRepository(Transaction& txn, std::string_view name);

  absl::StatusOr<bool> IsVisible(RepositoryId repository, const Digest& digest);
  absl::StatusOr<bool> IsMember(RepositoryId repository, const Digest& manifest);
  // Shows a blob in a repository until it is named there or a day has passed.
  absl::Status Link(Transaction& txn, RepositoryId repository, const Digest& digest);
  // What manifests of the repository named before it was visible there is visible from now on; up
  // to `limit` of their edges change, two writes each.
  absl::Status ActivatePendingEdges(Transaction& txn, RepositoryId repository, const Digest& digest,
                                    size_t limit);

  // put_manifest.cc. A reference with what was found of it before the transaction.
  struct ResolvedReference {
    Digest digest;
    bool visible = false;         // else the edge is pending
    std::optional<BlobRow> blob;  // that was there; the transaction checks it again
  };
  absl::StatusOr<std::vector<ResolvedReference>> ResolveReferences(std::string_view repository,
                                                                   const ParsedManifest& manifest,
                                                                   bool whole_store);
  // What is there of `digest`, and whether the repository shows it.
  absl::StatusOr<ResolvedReference> ResolveReference(std::optional<RepositoryId> repository,
                                                     const Digest& digest, bool is_child,
                                                     bool whole_store);
  absl::Status WriteManifest(Transaction& txn, RepositoryId repository, const Digest& digest,
                             const MemberRow& member,
                             const std::vector<ResolvedReference>& references,
                             const std::vector<std::string>& tags);
  absl::Status SetTag(Transaction& txn, RepositoryId repository, std::string_view tag,
                      const Digest& digest);

  // delete_manifest.cc
  absl::Status Unlink(RepositoryId repository, const Digest& manifest, const std::string& note);
  absl::StatusOr<bool> UnlinkPage(RepositoryId repository, const Digest& manifest,
                                  const std::string& note, const std::vector<Digest>& targets,
                                  size_t begin);

  absl::StatusOr<Digest> Resolve(RepositoryId repository, const ManifestReference& reference);
  absl::StatusOr<Manifest> ReadManifest(RepositoryId repository,
                                        const ManifestReference& reference);
  // StatManifest within a repository; a digest gets a promise.
  absl::StatusOr<ManifestInfo> ClaimManifest(RepositoryId repository,
                                             const ManifestReference& reference);
  absl::StatusOr<bool> HasMembers(RepositoryId repository);
  absl::StatusOr<ReferrerInfo> ReadReferrer(RepositoryId repository, const Digest& digest);

  const Parts parts_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_CATALOG_H_

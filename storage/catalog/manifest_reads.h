// Manifests as clients read them, by tag or digest: every answer is a promise. Thread-safe.
#ifndef VARVE_STORAGE_CATALOG_MANIFEST_READS_H_
#define VARVE_STORAGE_CATALOG_MANIFEST_READS_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "storage/api/manifests.h"
#include "storage/base/clock.h"
#include "storage/blob/blob_store.h"
#include "storage/catalog/image_events.h"
#include "storage/catalog/members.h"
#include "storage/catalog/pull_times.h"
#include "storage/catalog/repositories.h"
#include "storage/catalog/tags.h"
#include "storage/index/keys.h"
#include "storage/promises/promises.h"

namespace varve {

class ManifestReads {
 public:
  struct Parts {
    BlobStore& blobs;
    Promises& promises;
    PullTimes& pull_times;
    Clock& clock;
    Repositories& repositories;
    ImageEvents& events;
    Members& members;
    Tags& tags;
  };

  explicit ManifestReads(Parts parts) : parts_(parts) {}

  // Manifests::GetManifest and StatManifest.
  absl::StatusOr<Manifest> Get(std::string_view repository, const ManifestReference& reference);
  absl::StatusOr<ManifestInfo> Stat(std::string_view repository,
                                    const ManifestReference& reference);

 private:
  // The same within a repository.
  absl::StatusOr<Manifest> GetIn(RepositoryId repository, const ManifestReference& reference);
  absl::StatusOr<ManifestInfo> StatIn(RepositoryId repository, const ManifestReference& reference);
  // The member that the reference names, promised: its manifest can be read from now on.
  absl::StatusOr<ManifestInfo> PromiseMember(RepositoryId repository,
                                             const ManifestReference& reference);

  const Parts parts_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_MANIFEST_READS_H_

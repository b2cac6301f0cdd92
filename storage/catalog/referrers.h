// What refers to a manifest in its repository: signatures, attestations, SBOMs. Thread-safe.
#ifndef VARVE_STORAGE_CATALOG_REFERRERS_H_
#define VARVE_STORAGE_CATALOG_REFERRERS_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "storage/api/manifests.h"
#include "storage/blob/blob_store.h"
#include "storage/catalog/members.h"
#include "storage/catalog/repositories.h"
#include "storage/image/digest.h"
#include "storage/index/index.h"
#include "storage/index/keys.h"
#include "storage/promises/promises.h"

namespace varve {

class Referrers {
 public:
  struct Parts {
    Index& index;
    BlobStore& blobs;
    Promises& promises;
    Repositories& repositories;
    Members& members;
  };

  explicit Referrers(Parts parts) : parts_(parts) {}

  // Manifests::ListReferrers. Memory in proportion to the page.
  absl::StatusOr<Page<ReferrerInfo>> List(std::string_view repository, const Digest& subject,
                                          std::string_view artifact_type, const PageRequest& page);

 private:
  absl::StatusOr<ReferrerInfo> Read(RepositoryId repository, const Digest& digest);

  const Parts parts_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_REFERRERS_H_

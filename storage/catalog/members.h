// Members: manifests that repositories list, by their rows. Reads only, in passing; grants no
// promise. Thread-safe.
#ifndef VARVE_STORAGE_CATALOG_MEMBERS_H_
#define VARVE_STORAGE_CATALOG_MEMBERS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "storage/api/manifests.h"
#include "storage/image/digest.h"
#include "storage/index/index.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"

namespace varve {

class Members {
 public:
  explicit Members(Index& index) : index_(index) {}

  absl::StatusOr<bool> Has(RepositoryId repository, const Digest& manifest);
  // What a repository lists about a manifest; NotFound when it does not list it.
  absl::StatusOr<ManifestInfo> Read(RepositoryId repository, const Digest& manifest);
  // The same of a row that was read.
  static ManifestInfo InfoOf(const Digest& manifest, MemberRow row);
  // The repositories that list a manifest.
  absl::StatusOr<std::vector<RepositoryId>> RepositoriesOf(const Digest& manifest);

 private:
  Index& index_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_MEMBERS_H_

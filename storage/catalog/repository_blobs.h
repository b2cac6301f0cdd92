// The blobs of repositories: who asks for one by a repository finds what that shows, and what is
// uploaded becomes visible there. Thread-safe.
#ifndef VARVE_STORAGE_CATALOG_REPOSITORY_BLOBS_H_
#define VARVE_STORAGE_CATALOG_REPOSITORY_BLOBS_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/api/blobs.h"
#include "storage/base/clock.h"
#include "storage/blob/blob_store.h"
#include "storage/blob/commit_participant.h"
#include "storage/catalog/empty_repositories.h"
#include "storage/catalog/links.h"
#include "storage/catalog/repositories.h"
#include "storage/image/canonical_name.h"
#include "storage/image/digest.h"
#include "storage/index/index.h"
#include "storage/promises/promises.h"

namespace varve {

class RepositoryBlobs final : public CommitParticipant {
 public:
  struct Parts {
    Index& index;
    BlobStore& blobs;
    Promises& promises;
    Clock& clock;
    Repositories& repositories;
    EmptyRepositories& empty_repositories;
    Links& links;
  };

  explicit RepositoryBlobs(Parts parts) : parts_(parts) {}

  // The calls of Blobs, with the same contracts.
  absl::StatusOr<BlobInfo> Stat(std::string_view repository, const Digest& digest);
  absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view repository,
                                                  absl::Span<const Digest> digests);
  absl::StatusOr<BlobReader> Open(std::string_view repository, const Digest& digest);
  absl::StatusOr<BlobInfo> Mount(std::string_view repository, const Digest& digest,
                                 std::optional<std::string_view> from);
  absl::Status Delete(std::string_view repository, const Digest& digest);

  // CommitParticipant: an upload makes its blob visible in its repository.
  absl::Status BeforeCommit(std::string_view repository, const Digest& digest) override;
  absl::Status InCommit(Transaction& txn, std::string_view repository,
                        const Digest& digest) override;
  void WhileUploading(std::string_view repository, int64_t began_nanos) override;
  std::string_view CanonicalOf(std::string_view repository) const override {
    return parts_.repositories.names().CanonicalOf(repository);
  }

 private:
  const Parts parts_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_REPOSITORY_BLOBS_H_

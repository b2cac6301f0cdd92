// The store through the OCI distribution API over a loopback connection. Thread-safe.
//
// As clients of registries do, it tags a manifest by pushing its bytes again under the tag, and
// finds the digest of a tag by HEAD.
#ifndef VARVE_TESTS_CONTRACT_DOORS_HTTP_STORE_H_
#define VARVE_TESTS_CONTRACT_DOORS_HTTP_STORE_H_

#include <memory>
#include <string>

#include "tests/contract/doors/door_store.h"
#include "tests/contract/doors/http_exchanges.h"

namespace varve {

class HttpStore final : public DoorStore {
 public:
  HttpStore(const Store& engine, uint16_t port) : DoorStore(engine), http_(port) {}

  static bool Can(Ability ability);

  absl::StatusOr<BlobInfo> StatBlob(std::string_view repository, const Digest& digest) override;
  absl::StatusOr<BlobReader> OpenBlob(std::string_view repository, const Digest& digest) override;
  absl::StatusOr<BlobInfo> MountBlob(std::string_view repository, const Digest& digest,
                                     std::optional<std::string_view> from) override;
  absl::Status DeleteBlob(std::string_view repository, const Digest& digest) override;
  absl::StatusOr<std::unique_ptr<OpenUpload>> BeginUpload(std::string_view repository,
                                                          UploadOptions options) override;
  absl::StatusOr<std::unique_ptr<OpenUpload>> ResumeUpload(std::string_view repository,
                                                           std::string_view id) override;
  absl::StatusOr<ManifestInfo> PutManifest(std::string_view repository,
                                           const PutManifestRequest& request) override;
  absl::StatusOr<Manifest> GetManifest(std::string_view repository,
                                       const ManifestReference& reference) override;
  absl::StatusOr<ManifestInfo> StatManifest(std::string_view repository,
                                            const ManifestReference& reference) override;
  absl::Status DeleteManifest(std::string_view repository, const Digest& digest) override;
  absl::Status Tag(std::string_view repository, std::string_view tag,
                   const Digest& digest) override;
  absl::Status Untag(std::string_view repository, std::string_view tag, bool force) override;
  absl::StatusOr<Page<TagInfo>> ListTags(std::string_view repository,
                                         const PageRequest& page) override;
  absl::StatusOr<Page<std::string>> ListRepositories(const PageRequest& page) override;
  absl::StatusOr<Page<ReferrerInfo>> ListReferrers(std::string_view repository,
                                                   const Digest& subject,
                                                   std::string_view artifact_type,
                                                   const PageRequest& page) override;

 private:
  HttpExchanges http_;
};

}  // namespace varve

#endif  // VARVE_TESTS_CONTRACT_DOORS_HTTP_STORE_H_

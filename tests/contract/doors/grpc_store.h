// The store through the native door: the client library (client/client.h), and its stub for single
// pieces of uploads, which the library sends in one go. Thread-safe.
//
// Each piece of an upload is a Write stream of its own, which the client ends; so every error
// belongs to the piece that caused it, and nothing is held in between.
#ifndef VARVE_TESTS_CONTRACT_DOORS_GRPC_STORE_H_
#define VARVE_TESTS_CONTRACT_DOORS_GRPC_STORE_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "client/client.h"
#include "tests/contract/doors/door_store.h"
#include "varve/v1/blobs.grpc.pb.h"

namespace varve {

class GrpcStore final : public DoorStore {
 public:
  GrpcStore(const Store& engine, const std::string& socket_path);

  static bool Can(Ability ability);
  Client& client() { return *client_; }
  v1::Blobs::Stub& blobs() { return *blobs_; }

  absl::StatusOr<BlobInfo> StatBlob(std::string_view repository, const Digest& digest) override;
  absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view repository,
                                                  absl::Span<const Digest> digests) override;
  absl::StatusOr<BlobReader> OpenBlob(std::string_view repository, const Digest& digest) override;
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
  absl::StatusOr<ImageMatch> FindImage(std::string_view name) override;
  absl::StatusOr<ImagePage> ListImages(const ImageQuery& query, const std::string& page_token,
                                       size_t limit) override;
  absl::StatusOr<ImageDetails> InspectImage(std::string_view repository,
                                            const ManifestReference& reference,
                                            std::string_view platform) override;
  absl::Status TagFrom(std::string_view from, const Digest& digest, std::string_view repository,
                       std::string_view tag) override;
  absl::StatusOr<RemovedImage> RemoveImage(std::string_view name, bool force) override;
  absl::StatusOr<PruneReport> Prune(const PruneRequest& request,
                                    const PruneObserver& observer) override;
  absl::StatusOr<PruneReport> AttachPrune(std::string_view id,
                                          const PruneObserver& observer) override;
  absl::Status CancelPrune(std::string_view id) override;
  absl::StatusOr<std::vector<PruneJob>> ListPrunes() override;
  absl::StatusOr<KeeperReport> ExplainKept(std::string_view name) override;
  absl::StatusOr<HoldInfo> CreateHold(const HoldRequest& request) override;
  absl::Status ReleaseHold(std::string_view name) override;
  absl::StatusOr<Page<HoldInfo>> ListHolds(const PageRequest& page) override;
  absl::StatusOr<LeaseInfo> CreateLease(const LeaseRequest& request) override;
  absl::StatusOr<std::vector<Digest>> AttachToLease(std::string_view id,
                                                    absl::Span<const Digest> contents) override;
  absl::StatusOr<LeaseInfo> RenewLease(std::string_view id, int64_t ttl_nanos) override;
  absl::Status DeleteLease(std::string_view id) override;
  absl::StatusOr<Page<LeaseInfo>> ListLeases(const PageRequest& page) override;
  absl::StatusOr<Page<BlobDetails>> ListBlobs(const PageRequest& page) override;
  absl::StatusOr<RepositoryInfo> DescribeRepository(std::string_view repository) override;
  absl::StatusOr<RepositoryMerge> MergeRepositories(std::string_view from, std::string_view into,
                                                    bool force) override;
  absl::StatusOr<StoreInfo> Info() override;
  absl::StatusOr<DiskUsage> MeasureDiskUsage() override;
  absl::StatusOr<CheckReport> Check(const CheckObserver& observer) override;
  absl::StatusOr<CheckReport> CheckContent(const CheckObserver& observer) override;
  absl::StatusOr<OrphanReport> DropOrphans(const std::function<bool()>& go_on) override;
  absl::StatusOr<OrphanReport> AdoptOrphans(const std::function<bool()>& go_on) override;

 private:
  const std::unique_ptr<Client> client_;
  const std::unique_ptr<v1::Blobs::Stub> blobs_;
};

}  // namespace varve

#endif  // VARVE_TESTS_CONTRACT_DOORS_GRPC_STORE_H_

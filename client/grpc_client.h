// The implementation of Client over gRPC; private to this library.
#ifndef VARVE_CLIENT_GRPC_CLIENT_H_
#define VARVE_CLIENT_GRPC_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "client/client.h"
#include "varve/v1/blobs.grpc.pb.h"
#include "varve/v1/claims.grpc.pb.h"
#include "varve/v1/images.grpc.pb.h"
#include "varve/v1/system.grpc.pb.h"
#include "varve/v1/uploads.grpc.pb.h"

namespace varve {

class GrpcClient final : public Client {
 public:
  GrpcClient(const std::shared_ptr<grpc::Channel>& channel, const ClientOptions& options)
      : options_(options),
        channel_(channel),
        blobs_(v1::Blobs::NewStub(channel)),
        holds_(v1::Holds::NewStub(channel)),
        images_(v1::Images::NewStub(channel)),
        leases_(v1::Leases::NewStub(channel)),
        repositories_(v1::Repositories::NewStub(channel)),
        system_(v1::System::NewStub(channel)),
        uploads_(v1::Uploads::NewStub(channel)) {}

  bool connected() const override { return channel_->GetState(false) == GRPC_CHANNEL_READY; }

  absl::StatusOr<BlobInfo> StatBlob(std::string_view repository, const Digest& digest) override;
  absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view repository,
                                                  absl::Span<const Digest> digests) override;
  absl::StatusOr<BlobInfo> PutBlob(ByteSource& source, const PutBlobOptions& options) override;
  absl::StatusOr<BlobInfo> GetBlob(const Digest& digest, const ByteSink& sink,
                                   const GetBlobOptions& options) override;
  absl::StatusOr<ManifestInfo> PutManifest(std::string_view repository,
                                           const PutManifestRequest& request) override;
  absl::StatusOr<Manifest> GetManifest(std::string_view repository,
                                       const ManifestReference& reference) override;
  absl::StatusOr<ManifestInfo> StatManifest(std::string_view repository,
                                            const ManifestReference& reference) override;
  absl::Status Tag(std::string_view repository, std::string_view tag,
                   const Digest& digest) override;
  absl::Status Untag(std::string_view repository, std::string_view tag, bool force) override;

  // grpc_images.cc
  absl::StatusOr<ImageMatch> FindImage(std::string_view name) override;
  absl::StatusOr<ImagePage> ListImages(const ImageQuery& query, const std::string& page_token,
                                       size_t limit) override;
  absl::StatusOr<ReferrerPage> ListReferrers(std::string_view repository, const Digest& subject,
                                             std::string_view artifact_type,
                                             const std::string& page_token, size_t limit) override;
  absl::StatusOr<ImageDetails> InspectImage(std::string_view repository,
                                            const ManifestReference& reference,
                                            std::string_view platform) override;
  absl::StatusOr<std::vector<HistoryEntry>> ImageHistory(std::string_view repository,
                                                         const ManifestReference& reference,
                                                         std::string_view platform) override;
  absl::Status TagFrom(std::string_view from, const Digest& digest, std::string_view repository,
                       std::string_view tag) override;
  absl::StatusOr<RemovedImage> RemoveImage(std::string_view name, bool force, bool now) override;
  absl::StatusOr<PruneReport> Prune(const PruneRequest& request,
                                    const PruneObserver& observer) override;
  absl::StatusOr<std::string> StartPrune(const PruneRequest& request) override;
  absl::StatusOr<PruneReport> AttachPrune(std::string_view id,
                                          const PruneObserver& observer) override;
  absl::Status CancelPrune(std::string_view id) override;
  absl::StatusOr<std::vector<PruneJob>> ListPrunes() override;
  absl::StatusOr<KeeperReport> ExplainKept(std::string_view name) override;

  // grpc_claims.cc
  absl::StatusOr<HoldInfo> CreateHold(const HoldRequest& request) override;
  absl::Status ReleaseHold(std::string_view name) override;
  absl::StatusOr<HoldPage> ListHolds(const std::string& page_token, size_t limit) override;
  absl::StatusOr<LeaseInfo> CreateLease(const LeaseRequest& request) override;
  absl::StatusOr<std::vector<Digest>> AttachToLease(std::string_view id,
                                                    absl::Span<const Digest> contents) override;
  absl::StatusOr<LeaseInfo> RenewLease(std::string_view id, int64_t ttl_nanos) override;
  absl::Status DeleteLease(std::string_view id) override;
  absl::StatusOr<LeasePage> ListLeases(const std::string& page_token, size_t limit) override;
  absl::StatusOr<UploadPage> ListUploads(const std::string& page_token, size_t limit) override;
  absl::Status AbortUpload(std::string_view id) override;

  // grpc_system.cc
  absl::StatusOr<BlobPage> ListBlobs(const std::string& page_token, size_t limit) override;
  absl::StatusOr<RepositoryPage> ListRepositories(const std::string& page_token,
                                                  size_t limit) override;
  absl::StatusOr<RepositoryInfo> DescribeRepository(std::string_view repository) override;
  absl::StatusOr<RepositoryMerge> MergeRepositories(std::string_view from, std::string_view into,
                                                    bool force) override;
  absl::StatusOr<DaemonInfo> Info() override;
  absl::StatusOr<RecentActivity> ListActivity() override;
  absl::StatusOr<DiskUsage> MeasureDiskUsage() override;
  absl::StatusOr<CheckReport> Check(const CheckObserver& observer) override;
  absl::StatusOr<CheckReport> CheckContent(const CheckObserver& observer) override;
  absl::StatusOr<OrphanReport> DropOrphans() override;
  absl::StatusOr<OrphanReport> AdoptOrphans() override;
  absl::Status WatchEvents(const WatchOptions& options, const EventSink& sink) override;

 private:
  absl::StatusOr<CheckReport> RunCheck(const v1::CheckRequest& request,
                                       const CheckObserver& observer);
  absl::StatusOr<Manifest> Resolve(std::string_view repository, const ManifestReference& reference,
                                   bool omit_bytes);
  // Where the upload stands at the daemon; 0 when there is none.
  absl::StatusOr<uint64_t> UploadOffset(const std::string& repository,
                                        const std::string& upload_id);
  void SetDeadline(grpc::ClientContext& context) const;
  void NameLease(grpc::ClientContext& context) const;
  // Makes a call that may be repeated. A daemon that answered before, and now does not, is waited
  // for as long as a transfer waits. With no deadline, the call takes the time it needs.
  enum class Deadline { kUsual, kNone };
  template <typename Stub, typename Request, typename Response>
  absl::Status Unary(Stub& stub,
                     grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                     const Request& request, Response* response,
                     Deadline deadline = Deadline::kUsual) {
    return Repeat(
        [&](grpc::ClientContext* context) { return (stub.*method)(context, request, response); },
        deadline);
  }
  absl::Status Repeat(const std::function<grpc::Status(grpc::ClientContext*)>& call,
                      Deadline deadline);

  // One try of an upload whose offset at the daemon is `offset`. `*committing` says whether the
  // last try came to its commit.
  absl::StatusOr<BlobInfo> PutFrom(uint64_t offset, ByteSource& source,
                                   const PutBlobOptions& options, const std::string& upload_id,
                                   bool* committing);
  // One stream of an upload, from `source.offset()` to the commit.
  absl::StatusOr<BlobInfo> PutOnce(ByteSource& source, const PutBlobOptions& options,
                                   const std::string& upload_id, bool* committing);

  const ClientOptions options_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::Blobs::Stub> blobs_;
  const std::unique_ptr<v1::Holds::Stub> holds_;
  const std::unique_ptr<v1::Images::Stub> images_;
  const std::unique_ptr<v1::Leases::Stub> leases_;
  const std::unique_ptr<v1::Repositories::Stub> repositories_;
  const std::unique_ptr<v1::System::Stub> system_;
  const std::unique_ptr<v1::Uploads::Stub> uploads_;
  std::atomic<bool> answered_ = false;  // the daemon was there
};

}  // namespace varve

#endif  // VARVE_CLIENT_GRPC_CLIENT_H_

// A Store in memory for tests of the HTTP door, with errors that a real one gives only on a broken
// disk. Thread-safe. It knows visibility, uploads, manifests, tags and referrers, and no promises.
#ifndef VARVE_TESTS_DAEMON_HTTP_FAKE_STORE_H_
#define VARVE_TESTS_DAEMON_HTTP_FAKE_STORE_H_

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/api/blobs.h"
#include "storage/api/claims.h"
#include "storage/api/event_log.h"
#include "storage/api/manifests.h"
#include "storage/api/pruning.h"
#include "storage/api/store.h"
#include "storage/api/system.h"
#include "storage/base/mutex.h"
#include "storage/image/manifest.h"

namespace varve {

class FakeStore : public Store {
 public:
  struct Upload {
    std::string repository;
    std::string bytes;
    bool held = false;
    bool checkpointed = false;
  };

  // The next call of `operation` ("OpenBlob", "Append", "Expect", "Commit", …) answers `status`.
  void FailNext(const std::string& operation, absl::Status status);
  // Blobs over the inline limit are served from a file without a descriptor for sendfile.
  void set_hide_descriptors(bool hide) { hide_descriptors_ = hide; }
  void set_health(StoreHealth health) { health_ = health; }
  size_t uploads() const;
  // Whom the last upload that was begun counts for.
  std::string last_client() const;
  // The bytes of the only upload, which must have been checkpointed since the last of them.
  std::string CheckpointedBytes() const;

  absl::StatusOr<BlobInfo> StatBlob(std::string_view repository, const Digest& digest) override;
  absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view repository,
                                                  absl::Span<const Digest> digests) override;
  absl::StatusOr<BlobReader> OpenBlob(std::string_view repository, const Digest& digest) override;
  absl::StatusOr<BlobInfo> MountBlob(std::string_view repository, const Digest& digest,
                                     std::optional<std::string_view> from) override;
  absl::Status DeleteBlob(std::string_view repository, const Digest& digest) override;
  absl::StatusOr<std::unique_ptr<Ingest>> BeginIngest(std::string_view repository,
                                                      IngestOptions options) override;
  absl::StatusOr<std::unique_ptr<Ingest>> ResumeIngest(std::string_view repository,
                                                       std::string_view id) override;
  absl::StatusOr<Page<UploadInfo>> ListUploads(const PageRequest&) override { return NotUsed(); }
  absl::Status AbortUpload(std::string_view) override { return NotUsed(); }
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
  // Never the same: nothing is used again.
  absl::StatusOr<uint64_t> TagsVersion(std::string_view repository) override;
  absl::StatusOr<Page<std::string>> ListRepositories(const PageRequest& page) override;
  absl::StatusOr<Page<ReferrerInfo>> ListReferrers(std::string_view repository,
                                                   const Digest& subject,
                                                   std::string_view artifact_type,
                                                   const PageRequest& page) override;
  // The HTTP door uses none of these.
  absl::StatusOr<ImageMatch> FindImage(std::string_view) override { return NotUsed(); }
  absl::StatusOr<ImagePage> ListImages(const ImageQuery&, const std::string&, size_t) override {
    return NotUsed();
  }
  absl::StatusOr<ImageDetails> InspectImage(std::string_view, const ManifestReference&,
                                            std::string_view) override {
    return NotUsed();
  }
  absl::Status TagFrom(std::string_view, const Digest&, std::string_view,
                       std::string_view) override {
    return NotUsed();
  }
  absl::StatusOr<RemovedImage> RemoveImage(std::string_view, bool) override { return NotUsed(); }
  absl::StatusOr<PruneReport> Prune(const PruneRequest&, const PruneObserver&) override {
    return NotUsed();
  }
  absl::StatusOr<PruneReport> AttachPrune(std::string_view, const PruneObserver&) override {
    return NotUsed();
  }
  absl::Status CancelPrune(std::string_view) override { return NotUsed(); }
  absl::StatusOr<std::vector<PruneJob>> ListPrunes() override { return NotUsed(); }
  absl::StatusOr<KeeperReport> ExplainKept(std::string_view) override { return NotUsed(); }
  absl::StatusOr<HoldInfo> CreateHold(const HoldRequest&) override { return NotUsed(); }
  absl::Status ReleaseHold(std::string_view) override { return NotUsed(); }
  absl::StatusOr<Page<HoldInfo>> ListHolds(const PageRequest&) override { return NotUsed(); }
  absl::StatusOr<LeaseInfo> CreateLease(const LeaseRequest&) override { return NotUsed(); }
  absl::StatusOr<std::vector<Digest>> AttachToLease(std::string_view,
                                                    absl::Span<const Digest>) override {
    return NotUsed();
  }
  absl::StatusOr<LeaseInfo> RenewLease(std::string_view, int64_t) override { return NotUsed(); }
  absl::Status DeleteLease(std::string_view) override { return NotUsed(); }
  absl::StatusOr<Page<LeaseInfo>> ListLeases(const PageRequest&) override { return NotUsed(); }
  absl::StatusOr<Page<BlobDetails>> ListBlobs(const PageRequest&) override { return NotUsed(); }
  absl::StatusOr<RepositoryInfo> DescribeRepository(std::string_view) override { return NotUsed(); }
  absl::StatusOr<RepositoryMerge> MergeRepositories(std::string_view, std::string_view,
                                                    bool) override {
    return NotUsed();
  }
  absl::StatusOr<StoreInfo> Info() override { return NotUsed(); }
  absl::StatusOr<RecentActivity> ListActivity() override { return NotUsed(); }
  void EndPromises() override {}
  absl::StatusOr<DiskUsage> MeasureDiskUsage() override { return NotUsed(); }
  absl::StatusOr<CheckReport> Check(const CheckObserver&) override { return NotUsed(); }
  absl::StatusOr<CheckReport> CheckContent(const CheckObserver&) override { return NotUsed(); }
  absl::StatusOr<OrphanReport> DropOrphans(const std::function<bool()>&) override {
    return NotUsed();
  }
  absl::StatusOr<OrphanReport> AdoptOrphans(const std::function<bool()>&) override {
    return NotUsed();
  }
  StoreHealth Health() override { return health_; }
  EventLog& events() override { return events_; }
  absl::StatusOr<ReclaimReport> Reclaim() override { return ReclaimReport(); }
  absl::Status CheckpointIngests() override { return absl::OkStatus(); }

 private:
  friend class FakeIngest;
  std::atomic<StoreHealth> health_ = StoreHealth::kReady;
  using Key = std::pair<std::string, Digest>;

  absl::Status Injected(const std::string& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<BlobInfo> Find(std::string_view repository, const Digest& digest)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Manifest> FindManifest(std::string_view repository,
                                        const ManifestReference& reference)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  static absl::Status NotUsed() { return absl::UnimplementedError("not for the HTTP door"); }

  bool hide_descriptors_ = false;
  EventLog events_{SystemClock(), 1};
  mutable Mutex mutex_;
  std::map<std::string, absl::Status> failures_ ABSL_GUARDED_BY(mutex_);
  std::map<Digest, std::string> blobs_ ABSL_GUARDED_BY(mutex_);
  std::set<Key> links_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Upload> uploads_ ABSL_GUARDED_BY(mutex_);
  std::map<Key, std::pair<Manifest, ParsedManifest>> manifests_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<std::string, std::string>, Digest> tags_ ABSL_GUARDED_BY(mutex_);
  uint64_t tags_version_ ABSL_GUARDED_BY(mutex_) = 0;
  int next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  std::string last_client_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_TESTS_DAEMON_HTTP_FAKE_STORE_H_

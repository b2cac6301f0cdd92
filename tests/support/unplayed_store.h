// A store that can do nothing: each call answers Unimplemented and says which it was. A double of a
// test derives from the roles that it plays, or from all of them, and overrides what its test
// needs. Thread-safe.
#ifndef VARVE_TESTS_SUPPORT_UNPLAYED_STORE_H_
#define VARVE_TESTS_SUPPORT_UNPLAYED_STORE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/api/blobs.h"
#include "storage/api/claims.h"
#include "storage/api/event_log.h"
#include "storage/api/images.h"
#include "storage/api/manifests.h"
#include "storage/api/store.h"
#include "storage/api/system.h"
#include "storage/base/str_cat.h"

namespace varve {

inline absl::Status NotPlayed(std::string_view call) {
  return absl::UnimplementedError(StrCat("this store has no words for ", call));
}

class UnplayedBlobs : public Blobs {
 public:
  absl::StatusOr<BlobInfo> StatBlob(std::string_view, const Digest&) override {
    return NotPlayed("StatBlob");
  }
  absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view,
                                                  absl::Span<const Digest>) override {
    return NotPlayed("FindMissing");
  }
  absl::StatusOr<BlobReader> OpenBlob(std::string_view, const Digest&) override {
    return NotPlayed("OpenBlob");
  }
  absl::StatusOr<BlobInfo> MountBlob(std::string_view, const Digest&,
                                     std::optional<std::string_view>) override {
    return NotPlayed("MountBlob");
  }
  absl::Status DeleteBlob(std::string_view, const Digest&) override {
    return NotPlayed("DeleteBlob");
  }
  absl::StatusOr<Page<BlobDetails>> ListBlobs(const PageRequest&) override {
    return NotPlayed("ListBlobs");
  }
  absl::StatusOr<std::unique_ptr<OpenUpload>> BeginUpload(std::string_view,
                                                          UploadOptions) override {
    return NotPlayed("BeginUpload");
  }
  absl::StatusOr<std::unique_ptr<OpenUpload>> ResumeUpload(std::string_view,
                                                           std::string_view) override {
    return NotPlayed("ResumeUpload");
  }
  absl::StatusOr<Page<UploadInfo>> ListUploads(const PageRequest&) override {
    return NotPlayed("ListUploads");
  }
  absl::Status AbortUpload(std::string_view) override { return NotPlayed("AbortUpload"); }
};

class UnplayedManifests : public Manifests {
 public:
  absl::StatusOr<ManifestInfo> PutManifest(std::string_view, const PutManifestRequest&) override {
    return NotPlayed("PutManifest");
  }
  absl::StatusOr<Manifest> GetManifest(std::string_view, const ManifestReference&) override {
    return NotPlayed("GetManifest");
  }
  absl::StatusOr<ManifestInfo> StatManifest(std::string_view, const ManifestReference&) override {
    return NotPlayed("StatManifest");
  }
  absl::Status DeleteManifest(std::string_view, const Digest&) override {
    return NotPlayed("DeleteManifest");
  }
  absl::Status Tag(std::string_view, std::string_view, const Digest&) override {
    return NotPlayed("Tag");
  }
  absl::Status Untag(std::string_view, std::string_view, bool) override {
    return NotPlayed("Untag");
  }
  absl::StatusOr<Page<TagInfo>> ListTags(std::string_view, const PageRequest&) override {
    return NotPlayed("ListTags");
  }
  absl::StatusOr<uint64_t> TagsVersion(std::string_view) override {
    return NotPlayed("TagsVersion");
  }
  absl::StatusOr<Page<ReferrerInfo>> ListReferrers(std::string_view, const Digest&,
                                                   std::string_view, const PageRequest&) override {
    return NotPlayed("ListReferrers");
  }
  absl::StatusOr<Page<std::string>> ListRepositories(const PageRequest&) override {
    return NotPlayed("ListRepositories");
  }
  absl::StatusOr<RepositoryInfo> DescribeRepository(std::string_view) override {
    return NotPlayed("DescribeRepository");
  }
  absl::StatusOr<RepositoryMerge> MergeRepositories(std::string_view, std::string_view,
                                                    bool) override {
    return NotPlayed("MergeRepositories");
  }
};

class UnplayedImages : public Images {
 public:
  absl::StatusOr<ImageMatch> FindImage(std::string_view) override { return NotPlayed("FindImage"); }
  absl::StatusOr<ImagePage> ListImages(const ImageQuery&, const std::string&, size_t) override {
    return NotPlayed("ListImages");
  }
  absl::StatusOr<ImageDetails> InspectImage(std::string_view, const ManifestReference&,
                                            std::string_view) override {
    return NotPlayed("InspectImage");
  }
  absl::Status TagFrom(std::string_view, const Digest&, std::string_view,
                       std::string_view) override {
    return NotPlayed("TagFrom");
  }
  absl::StatusOr<RemovedImage> RemoveImage(std::string_view, bool) override {
    return NotPlayed("RemoveImage");
  }
  // Apart, so that who plays no prunes does not depend on what they take and give.
  absl::StatusOr<PruneReport> Prune(const PruneRequest&, const PruneObserver&) override;
  absl::StatusOr<PruneReport> AttachPrune(std::string_view, const PruneObserver&) override;
  absl::Status CancelPrune(std::string_view) override;
  absl::StatusOr<std::vector<PruneJob>> ListPrunes() override;
};

class UnplayedClaims : public Claims {
 public:
  absl::StatusOr<KeeperReport> ExplainKept(std::string_view) override {
    return NotPlayed("ExplainKept");
  }
  absl::StatusOr<HoldInfo> CreateHold(const HoldRequest&) override {
    return NotPlayed("CreateHold");
  }
  absl::Status ReleaseHold(std::string_view) override { return NotPlayed("ReleaseHold"); }
  absl::StatusOr<Page<HoldInfo>> ListHolds(const PageRequest&) override {
    return NotPlayed("ListHolds");
  }
  absl::StatusOr<LeaseInfo> CreateLease(const LeaseRequest&) override {
    return NotPlayed("CreateLease");
  }
  absl::StatusOr<std::vector<Digest>> AttachToLease(std::string_view,
                                                    absl::Span<const Digest>) override {
    return NotPlayed("AttachToLease");
  }
  absl::StatusOr<LeaseInfo> RenewLease(std::string_view, int64_t) override {
    return NotPlayed("RenewLease");
  }
  absl::Status DeleteLease(std::string_view) override { return NotPlayed("DeleteLease"); }
  absl::StatusOr<Page<LeaseInfo>> ListLeases(const PageRequest&) override {
    return NotPlayed("ListLeases");
  }
};

class UnplayedSystem : public System {
 public:
  absl::StatusOr<StoreInfo> Info() override { return NotPlayed("Info"); }
  absl::StatusOr<RecentActivity> ListActivity() override { return NotPlayed("ListActivity"); }
  absl::StatusOr<DiskUsage> MeasureDiskUsage() override { return NotPlayed("MeasureDiskUsage"); }
  void EndPromises() override {}
  absl::StatusOr<CheckReport> Check(const CheckObserver&) override { return NotPlayed("Check"); }
  absl::StatusOr<CheckReport> CheckContent(const CheckObserver&) override {
    return NotPlayed("CheckContent");
  }
  absl::StatusOr<OrphanReport> DropOrphans(const std::function<bool()>&) override {
    return NotPlayed("DropOrphans");
  }
  absl::StatusOr<OrphanReport> AdoptOrphans(const std::function<bool()>&) override {
    return NotPlayed("AdoptOrphans");
  }
  StoreHealth Health() override { return StoreHealth::kReady; }
  EventLog& events() override { return events_; }
  absl::StatusOr<ReclaimReport> Reclaim() override { return NotPlayed("Reclaim"); }
  absl::Status CheckpointUploads() override { return NotPlayed("CheckpointUploads"); }

 private:
  EventLog events_{SystemClock(), 1};
};

class UnplayedStore : public UnplayedBlobs,
                      public UnplayedManifests,
                      public UnplayedImages,
                      public UnplayedClaims,
                      public UnplayedSystem,
                      public Store {
 public:
  UnplayedStore() : Store{*this, *this, *this, *this, *this} {}
  UnplayedStore(const UnplayedStore&) = delete;
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_UNPLAYED_STORE_H_

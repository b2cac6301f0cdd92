// The store as a client of one door sees it: Store on the near side, requests to a live server on
// the far side. What the door's API has no words for answers Unimplemented, and Can of each door
// tells tests beforehand. What only the daemon itself does (reclamation, checkpoints) goes to its
// engine.
//
// A new call of Store gets one line here, and an override in the doors that can express it.
#ifndef VARVE_TESTS_CONTRACT_DOORS_DOOR_STORE_H_
#define VARVE_TESTS_CONTRACT_DOORS_DOOR_STORE_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/api/blobs.h"
#include "storage/api/claims.h"
#include "storage/api/event_log.h"
#include "storage/api/manifests.h"
#include "storage/api/pruning.h"
#include "storage/api/store.h"
#include "storage/api/system.h"
#include "storage/base/str_cat.h"
#include "tests/contract/store_contract_fixture.h"

namespace varve {

class DoorStore : public Store {
 public:
  // `engine` is the store behind the door and must outlive it.
  explicit DoorStore(Store& engine) : engine_(engine) {}

  absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view,
                                                  absl::Span<const Digest>) override {
    return NoWordsFor("FindMissing");
  }
  absl::StatusOr<BlobInfo> MountBlob(std::string_view, const Digest&,
                                     std::optional<std::string_view>) override {
    return NoWordsFor("MountBlob");
  }
  absl::Status DeleteBlob(std::string_view, const Digest&) override {
    return NoWordsFor("DeleteBlob");
  }
  absl::StatusOr<Page<UploadInfo>> ListUploads(const PageRequest&) override {
    return NoWordsFor("ListUploads");
  }
  absl::Status AbortUpload(std::string_view) override { return NoWordsFor("AbortUpload"); }
  absl::Status DeleteManifest(std::string_view, const Digest&) override {
    return NoWordsFor("DeleteManifest");
  }
  absl::StatusOr<uint64_t> TagsVersion(std::string_view) override {
    return NoWordsFor("TagsVersion");
  }
  absl::StatusOr<Page<std::string>> ListRepositories(const PageRequest&) override {
    return NoWordsFor("ListRepositories");
  }
  absl::StatusOr<Page<ReferrerInfo>> ListReferrers(std::string_view, const Digest&,
                                                   std::string_view, const PageRequest&) override {
    return NoWordsFor("ListReferrers");
  }
  absl::StatusOr<ImageMatch> FindImage(std::string_view) override {
    return NoWordsFor("FindImage");
  }
  absl::StatusOr<ImagePage> ListImages(const ImageQuery&, const std::string&, size_t) override {
    return NoWordsFor("ListImages");
  }
  absl::StatusOr<ImageDetails> InspectImage(std::string_view, const ManifestReference&,
                                            std::string_view) override {
    return NoWordsFor("InspectImage");
  }
  absl::Status TagFrom(std::string_view, const Digest&, std::string_view,
                       std::string_view) override {
    return NoWordsFor("TagFrom");
  }
  absl::StatusOr<RemovedImage> RemoveImage(std::string_view, bool) override {
    return NoWordsFor("RemoveImage");
  }
  absl::StatusOr<PruneReport> Prune(const PruneRequest&, const PruneObserver&) override {
    return NoWordsFor("Prune");
  }
  absl::StatusOr<PruneReport> AttachPrune(std::string_view, const PruneObserver&) override {
    return NoWordsFor("AttachPrune");
  }
  absl::Status CancelPrune(std::string_view) override { return NoWordsFor("CancelPrune"); }
  absl::StatusOr<std::vector<PruneJob>> ListPrunes() override { return NoWordsFor("ListPrunes"); }
  absl::StatusOr<KeeperReport> ExplainKept(std::string_view) override {
    return NoWordsFor("ExplainKept");
  }
  absl::StatusOr<HoldInfo> CreateHold(const HoldRequest&) override {
    return NoWordsFor("CreateHold");
  }
  absl::Status ReleaseHold(std::string_view) override { return NoWordsFor("ReleaseHold"); }
  absl::StatusOr<Page<HoldInfo>> ListHolds(const PageRequest&) override {
    return NoWordsFor("ListHolds");
  }
  absl::StatusOr<LeaseInfo> CreateLease(const LeaseRequest&) override {
    return NoWordsFor("CreateLease");
  }
  absl::StatusOr<std::vector<Digest>> AttachToLease(std::string_view,
                                                    absl::Span<const Digest>) override {
    return NoWordsFor("AttachToLease");
  }
  absl::StatusOr<LeaseInfo> RenewLease(std::string_view, int64_t) override {
    return NoWordsFor("RenewLease");
  }
  absl::Status DeleteLease(std::string_view) override { return NoWordsFor("DeleteLease"); }
  absl::StatusOr<Page<LeaseInfo>> ListLeases(const PageRequest&) override {
    return NoWordsFor("ListLeases");
  }
  absl::StatusOr<Page<BlobDetails>> ListBlobs(const PageRequest&) override {
    return NoWordsFor("ListBlobs");
  }
  absl::StatusOr<RepositoryInfo> DescribeRepository(std::string_view) override {
    return NoWordsFor("DescribeRepository");
  }
  absl::StatusOr<RepositoryMerge> MergeRepositories(std::string_view, std::string_view,
                                                    bool) override {
    return NoWordsFor("MergeRepositories");
  }
  absl::StatusOr<StoreInfo> Info() override { return NoWordsFor("Info"); }
  absl::StatusOr<RecentActivity> ListActivity() override { return NoWordsFor("ListActivity"); }
  void EndPromises() override { engine_.EndPromises(); }
  absl::StatusOr<DiskUsage> MeasureDiskUsage() override { return NoWordsFor("MeasureDiskUsage"); }
  absl::StatusOr<CheckReport> Check(const CheckObserver&) override { return NoWordsFor("Check"); }
  absl::StatusOr<CheckReport> CheckContent(const CheckObserver&) override {
    return NoWordsFor("CheckContent");
  }
  absl::StatusOr<OrphanReport> DropOrphans(const std::function<bool()>&) override {
    return NoWordsFor("DropOrphans");
  }
  absl::StatusOr<OrphanReport> AdoptOrphans(const std::function<bool()>&) override {
    return NoWordsFor("AdoptOrphans");
  }
  StoreHealth Health() override { return engine_.Health(); }
  EventLog& events() override { return engine_.events(); }

  absl::StatusOr<ReclaimReport> Reclaim() override { return engine_.Reclaim(); }
  absl::Status CheckpointIngests() override { return engine_.CheckpointIngests(); }

 protected:
  static absl::Status NoWordsFor(std::string_view call) {
    return absl::UnimplementedError(StrCat("this door has no words for ", call));
  }

 private:
  Store& engine_;
};

// What a client says of a manifest that it pushed, when the answer tells no more than the digest.
// A payload that names the missing digest (kMissingDigestPayload), when `text` holds one.
absl::Status WithMissingDigest(absl::Status status, std::string_view text);

}  // namespace varve

#endif  // VARVE_TESTS_CONTRACT_DOORS_DOOR_STORE_H_

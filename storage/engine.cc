#include "storage/engine.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/api/blobs.h"
#include "storage/api/claims.h"
#include "storage/api/images.h"
#include "storage/api/manifests.h"
#include "storage/api/pruning.h"
#include "storage/api/system.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/catalog/blob_listing.h"
#include "storage/check/content_check.h"
#include "storage/check/reference_check.h"
#include "storage/engine_parts.h"
#include "storage/image/names.h"
#include "storage/images/keepers.h"
#include "storage/jobs/prune_jobs.h"
#include "storage/keep/dangling_search.h"
#include "storage/limits.h"
#include "storage/recent_activity.h"
#include "storage/reclaim/disk_usage.h"
#include "storage/reclaim/image_removal.h"
#include "storage/reclaim/prune.h"

namespace varve {
namespace {

ImageParts PartsOfImages(EngineParts& parts) { return {*parts.index, parts.blobs, parts.catalog}; }

DeletionRunner DeletionsWithReserve(EngineParts& parts) {
  return [&parts](const std::function<absl::Status()>& deletion) {
    return parts.reserve.Run(deletion);
  };
}

void EndAllPromises(EngineParts& parts) {
  parts.promises.EndAll();
  parts.reclaimer.LookAtEverything();
}

class EngineBlobs final : public Blobs {
 public:
  explicit EngineBlobs(EngineParts& parts) : parts_(parts) {}

  absl::StatusOr<BlobInfo> StatBlob(std::string_view repository, const Digest& digest) override {
    return parts_.catalog.blobs.Stat(repository, digest);
  }
  absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view repository,
                                                  absl::Span<const Digest> digests) override {
    if (digests.size() > kMaxFindMissingDigests) {
      return absl::InvalidArgumentError(
          StrCat("ask for at most ", kMaxFindMissingDigests, " digests at once"));
    }
    return parts_.catalog.blobs.FindMissing(repository, digests);
  }
  absl::StatusOr<BlobReader> OpenBlob(std::string_view repository, const Digest& digest) override {
    return parts_.catalog.blobs.Open(repository, digest);
  }
  absl::StatusOr<BlobInfo> MountBlob(std::string_view repository, const Digest& digest,
                                     std::optional<std::string_view> from) override {
    return parts_.catalog.blobs.Mount(repository, digest, from);
  }
  absl::Status DeleteBlob(std::string_view repository, const Digest& digest) override {
    return parts_.reserve.Run([&] { return parts_.catalog.blobs.Delete(repository, digest); });
  }
  absl::StatusOr<Page<BlobDetails>> ListBlobs(const PageRequest& page) override {
    return varve::ListBlobs(*parts_.index, parts_.blobs, page);
  }

  absl::StatusOr<std::unique_ptr<OpenUpload>> BeginUpload(std::string_view repository,
                                                          UploadOptions options) override {
    if (!repository.empty()) RETURN_IF_ERROR(ValidateRepositoryName(repository));
    return parts_.uploads.Begin(repository, options);
  }
  absl::StatusOr<std::unique_ptr<OpenUpload>> ResumeUpload(std::string_view repository,
                                                           std::string_view id) override {
    if (!repository.empty()) RETURN_IF_ERROR(ValidateRepositoryName(repository));
    return parts_.uploads.Resume(repository, id);
  }
  absl::StatusOr<Page<UploadInfo>> ListUploads(const PageRequest& page) override {
    return parts_.uploads.List(page);
  }
  absl::Status AbortUpload(std::string_view id) override { return parts_.uploads.Abort(id); }

 private:
  EngineParts& parts_;
};

class EngineManifests final : public Manifests {
 public:
  explicit EngineManifests(EngineParts& parts) : parts_(parts) {}

  absl::StatusOr<ManifestInfo> PutManifest(std::string_view repository,
                                           const PutManifestRequest& request) override {
    for (;;) {
      absl::StatusOr<ManifestInfo> put = parts_.catalog.puts.Put(repository, request);
      const bool lacks_room = absl::IsResourceExhausted(put.status());
      if (!lacks_room || !parts_.uploads.GiveWay(/*client=*/"", request.bytes.size())) return put;
    }
  }
  absl::StatusOr<Manifest> GetManifest(std::string_view repository,
                                       const ManifestReference& reference) override {
    return parts_.catalog.reads.Get(repository, reference);
  }
  absl::StatusOr<ManifestInfo> StatManifest(std::string_view repository,
                                            const ManifestReference& reference) override {
    return parts_.catalog.reads.Stat(repository, reference);
  }
  absl::Status DeleteManifest(std::string_view repository, const Digest& digest) override {
    return parts_.reserve.Run([&] { return parts_.catalog.deletions.Delete(repository, digest); });
  }
  absl::Status Tag(std::string_view repository, std::string_view tag,
                   const Digest& digest) override {
    return parts_.catalog.tags.Tag(repository, tag, digest);
  }
  absl::Status Untag(std::string_view repository, std::string_view tag, bool force) override {
    return parts_.reserve.Run([&] { return parts_.catalog.tags.Untag(repository, tag, force); });
  }

  absl::StatusOr<Page<TagInfo>> ListTags(std::string_view repository,
                                         const PageRequest& page) override {
    return parts_.catalog.tags.List(repository, page);
  }
  absl::StatusOr<uint64_t> TagsVersion(std::string_view repository) override {
    return parts_.catalog.tags.Version(repository);
  }
  absl::StatusOr<Page<ReferrerInfo>> ListReferrers(std::string_view repository,
                                                   const Digest& subject,
                                                   std::string_view artifact_type,
                                                   const PageRequest& page) override {
    return parts_.catalog.referrers.List(repository, subject, artifact_type, page);
  }
  absl::StatusOr<Page<std::string>> ListRepositories(const PageRequest& page) override {
    return parts_.catalog.repositories.List(page);
  }
  absl::StatusOr<RepositoryInfo> DescribeRepository(std::string_view repository) override {
    return parts_.describer.DescribeRepository(repository);
  }
  absl::StatusOr<RepositoryMerge> MergeRepositories(std::string_view from, std::string_view into,
                                                    bool force) override {
    return parts_.catalog.merges.Merge(from, into, force);
  }

 private:
  EngineParts& parts_;
};

class EngineImages final : public Images {
 public:
  explicit EngineImages(EngineParts& parts)
      : parts_(parts),
        prunes_(*parts.options.clock, *parts.options.random,
                [this](const PruneRequest& request, const PruneObserver& observer) {
                  return RunPrune(request, observer);
                }) {}

  absl::StatusOr<ImageMatch> FindImage(std::string_view name) override {
    return parts_.catalog.finder.FindPromised(name);
  }
  absl::StatusOr<ImagePage> ListImages(const ImageQuery& query, const std::string& page_token,
                                       size_t limit) override {
    return parts_.describer.ListImages(query, page_token, limit);
  }
  absl::StatusOr<ImageDetails> InspectImage(std::string_view repository,
                                            const ManifestReference& reference,
                                            std::string_view platform) override {
    return parts_.describer.InspectImage(repository, reference, platform);
  }
  absl::Status TagFrom(std::string_view from, const Digest& digest, std::string_view repository,
                       std::string_view tag) override {
    return parts_.catalog.copies.TagFrom(from, digest, repository, tag);
  }
  absl::StatusOr<RemovedImage> RemoveImage(std::string_view name, bool force) override {
    return ImageRemoval({PartsOfImages(parts_), parts_.promises, *parts_.options.clock,
                         DeletionsWithReserve(parts_)})
        .Remove(name, force);
  }

  absl::StatusOr<PruneReport> Prune(const PruneRequest& request,
                                    const PruneObserver& observer) override {
    // Said at once, not when its turn has come.
    RETURN_IF_ERROR(
        ParsePruneRequest(request, *parts_.options.clock, parts_.options.names).status());
    return request.dry_run ? RunPrune(request, observer) : prunes_.Run(request, observer);
  }
  absl::StatusOr<PruneReport> AttachPrune(std::string_view id,
                                          const PruneObserver& observer) override {
    return prunes_.Attach(id, observer);
  }
  absl::Status CancelPrune(std::string_view id) override { return prunes_.Cancel(id); }
  absl::StatusOr<std::vector<PruneJob>> ListPrunes() override { return prunes_.List(); }

 private:
  absl::StatusOr<PruneReport> RunPrune(const PruneRequest& request, const PruneObserver& observer);

  EngineParts& parts_;
  PruneJobs prunes_;
};

absl::StatusOr<PruneReport> EngineImages::RunPrune(const PruneRequest& request,
                                                   const PruneObserver& observer) {
  ASSIGN_OR_RETURN(PruneSelection selection,
                   ParsePruneRequest(request, *parts_.options.clock, parts_.options.names));
  RETURN_IF_ERROR(parts_.pull_times.Flush(*parts_.index));  // what is being pulled stays
  parts_.reclaimer.NoticeClockJump();
  if (request.now && !request.dry_run) EndAllPromises(parts_);
  if (!parts_.promises.KeepsEverything()) RETURN_IF_ERROR(parts_.ExpireClaims());
  varve::Prune prune(
      {PartsOfImages(parts_), parts_.describer, parts_.promises, *parts_.options.clock,
       DeletionsWithReserve(parts_), [this] { return parts_.Reclaim().status(); }},
      std::move(selection), request.dry_run, observer);
  ASSIGN_OR_RETURN(const PruneReport report, prune.Run());
  if (request.dry_run) return report;
  Event event;
  event.type = Event::Type::kPrune;
  event.freed_bytes = report.freed_bytes;
  parts_.events.Add(std::move(event));
  return report;
}

class EngineClaims final : public Claims {
 public:
  explicit EngineClaims(EngineParts& parts) : parts_(parts) {}

  absl::StatusOr<KeeperReport> ExplainKept(std::string_view name) override {
    Index& index = *parts_.index;
    ASSIGN_OR_RETURN(KeeperReport report,
                     varve::ExplainKept({index, parts_.catalog.repositories, parts_.catalog.finder,
                                         parts_.promises, *parts_.options.clock},
                                        name));
    ASSIGN_OR_RETURN(report.prune_takes,
                     IsKeptByGoing(index, DanglingScope::kDangling, report.digest));
    ASSIGN_OR_RETURN(report.prune_all_takes,
                     IsKeptByGoing(index, DanglingScope::kUnused, report.digest));
    return report;
  }

  absl::StatusOr<HoldInfo> CreateHold(const HoldRequest& request) override {
    return parts_.holds.Create(request);
  }
  absl::Status ReleaseHold(std::string_view name) override {
    return parts_.reserve.Run([&] { return parts_.holds.Release(name); });
  }
  absl::StatusOr<Page<HoldInfo>> ListHolds(const PageRequest& page) override {
    return parts_.holds.List(page);
  }
  absl::StatusOr<LeaseInfo> CreateLease(const LeaseRequest& request) override {
    return parts_.leases.Create(request);
  }
  absl::StatusOr<std::vector<Digest>> AttachToLease(std::string_view id,
                                                    absl::Span<const Digest> contents) override {
    return parts_.leases.Attach(id, contents);
  }
  absl::StatusOr<LeaseInfo> RenewLease(std::string_view id, int64_t ttl_nanos) override {
    return parts_.leases.Renew(id, ttl_nanos);
  }
  absl::Status DeleteLease(std::string_view id) override {
    return parts_.reserve.Run([&] { return parts_.leases.Delete(id); });
  }
  absl::StatusOr<Page<LeaseInfo>> ListLeases(const PageRequest& page) override {
    return parts_.leases.List(page);
  }

 private:
  EngineParts& parts_;
};

class EngineSystem final : public System {
 public:
  explicit EngineSystem(EngineParts& parts) : parts_(parts) {}

  absl::StatusOr<StoreInfo> Info() override;
  absl::StatusOr<RecentActivity> ListActivity() override { return ListRecentActivity(parts_); }
  absl::StatusOr<DiskUsage> MeasureDiskUsage() override {
    return varve::MeasureDiskUsage({PartsOfImages(parts_), parts_.uploads, parts_.orphans,
                                    *parts_.options.file_system, StrCat(parts_.directory, "/index"),
                                    DeletionReserve::PathIn(parts_.directory)});
  }
  void EndPromises() override { EndAllPromises(parts_); }
  absl::StatusOr<CheckReport> Check(const CheckObserver& observer) override {
    return ReferenceCheck(
               {*parts_.index, parts_.blobs, parts_.files, parts_.unnamed, parts_.removals,
                parts_.uploads, parts_.reclaimer, parts_.holds.changes(), parts_.leases.changes(),
                parts_.options.names, parts_.orphans},
               observer)
        .Run();
  }
  absl::StatusOr<CheckReport> CheckContent(const CheckObserver& observer) override {
    return ContentCheck({*parts_.index, parts_.blobs, parts_.promises, *parts_.options.clock},
                        observer)
        .Run();
  }
  absl::StatusOr<OrphanReport> DropOrphans(const std::function<bool()>& go_on) override;
  absl::StatusOr<OrphanReport> AdoptOrphans(const std::function<bool()>& go_on) override {
    return parts_.orphans.Adopt(go_on);
  }

  StoreHealth Health() override;
  EventLog& events() override { return parts_.events; }

  absl::StatusOr<ReclaimReport> Reclaim() override { return parts_.Reclaim(); }
  absl::Status CheckpointUploads() override {
    RETURN_IF_ERROR(parts_.pull_times.Flush(*parts_.index));
    return parts_.uploads.CheckpointAll();
  }

 private:
  EngineParts& parts_;
};

absl::StatusOr<StoreInfo> EngineSystem::Info() {
  const EngineOptions& options = parts_.options;
  StoreInfo info;
  info.uuid = parts_.store.uuid;
  info.created_nanos = parts_.store.created_nanos;
  info.format_version = parts_.store.format_version;
  info.blob_bytes = parts_.space.logical_bytes();
  info.max_bytes = options.max_bytes;
  info.promise_nanos = options.promise_nanos;
  info.renew_nanos = options.renew_nanos;
  info.names = options.names;
  ASSIGN_OR_RETURN(info.disk_total_bytes, options.file_system->TotalBytes(parts_.directory));
  ASSIGN_OR_RETURN(info.disk_free_bytes, options.file_system->FreeBytes(parts_.directory));
  return info;
}

absl::StatusOr<OrphanReport> EngineSystem::DropOrphans(const std::function<bool()>& go_on) {
  OrphanReport report;
  RETURN_IF_ERROR(parts_.reserve.Run([&]() -> absl::Status {
    ASSIGN_OR_RETURN(report, parts_.orphans.Drop(go_on));
    return parts_.removals.Finish();
  }));
  return report;
}

StoreHealth EngineSystem::Health() {
  switch (parts_.index->state()) {
    case IndexState::kLost:
      return StoreHealth::kLost;
    case IndexState::kFailed:
      return StoreHealth::kDead;
    case IndexState::kFull:
      return StoreHealth::kFull;
    case IndexState::kWorking:
      break;
  }
  const absl::StatusOr<uint64_t> free = parts_.options.file_system->FreeBytes(parts_.directory);
  const bool full = free.ok() && (*free == 0 || *free < parts_.options.min_free_bytes);
  return full ? StoreHealth::kFull : StoreHealth::kReady;
}

}  // namespace

struct EngineRoles {
  explicit EngineRoles(std::unique_ptr<EngineParts> given) : parts(std::move(given)) {}

  const std::unique_ptr<EngineParts> parts;
  EngineBlobs blobs{*parts};
  EngineManifests manifests{*parts};
  EngineImages images{*parts};
  EngineClaims claims{*parts};
  EngineSystem system{*parts};
};

Engine::Engine(std::unique_ptr<EngineParts> parts)
    : Engine(std::make_unique<EngineRoles>(std::move(parts))) {}

Engine::Engine(std::unique_ptr<EngineRoles> roles)
    : Store{roles->blobs, roles->manifests, roles->images, roles->claims, roles->system},
      roles_(std::move(roles)) {}

Engine::~Engine() = default;

}  // namespace varve

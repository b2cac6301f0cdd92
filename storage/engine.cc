#include "storage/engine.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "storage/base/mutex.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/blob/blob_files.h"
#include "storage/blob/blob_store.h"
#include "storage/blob/damage_reports.h"
#include "storage/blob/id_allocator.h"
#include "storage/blob/ingest_table.h"
#include "storage/blob/orphans.h"
#include "storage/blob/removals.h"
#include "storage/blob/reserve_file.h"
#include "storage/blob/space.h"
#include "storage/blob/unnamed_files.h"
#include "storage/catalog/catalog.h"
#include "storage/check/content_check.h"
#include "storage/check/reference_check.h"
#include "storage/claims/holds.h"
#include "storage/claims/leases.h"
#include "storage/image/names.h"
#include "storage/images/image_describer.h"
#include "storage/images/keepers.h"
#include "storage/index/counter.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"
#include "storage/index_opening.h"
#include "storage/jobs/prune_jobs.h"
#include "storage/keep/dangling_search.h"
#include "storage/limits.h"
#include "storage/promises/promises.h"
#include "storage/reclaim/disk_usage.h"
#include "storage/reclaim/image_removal.h"
#include "storage/reclaim/prune.h"
#include "storage/reclaim/reclaimer.h"
#include "storage/store_file.h"

namespace varve {
namespace {

std::string NewUuid(RandomSource& random) {
  // Version 4, variant 1.
  const uint64_t high = (random.Next() & ~0xf000ull) | 0x4000ull;
  const uint64_t low = (random.Next() & ~(3ull << 62)) | (2ull << 62);
  return absl::StrFormat("%08x-%04x-%04x-%04x-%012x", high >> 32, (high >> 16) & 0xffff,
                         high & 0xffff, low >> 48, low & 0xffffffffffffull);
}

std::string ReservePath(const std::string& directory) { return StrCat(directory, "/RESERVE"); }

// Activity that RecentActivity names.
constexpr int64_t kRecentNanos = 60 * kNanosPerSecond;

// Keeps the first `limit` rows; how many went.
template <typename Row>
uint64_t CutTo(size_t limit, std::vector<Row>* rows) {
  if (rows->size() <= limit) return 0;
  const uint64_t more = rows->size() - limit;
  rows->resize(limit);
  return more;
}

// The parts of an open store, in order of construction; see ARCHITECTURE.md for who calls whom.
class Engine final : public Store {
 public:
  Engine(const std::string& directory, const EngineOptions& options, StoreFile store,
         std::unique_ptr<FileLock> lock, std::unique_ptr<Index> index, int64_t stored_bytes)
      : directory_(directory),
        options_(options),
        store_(std::move(store)),
        lock_(std::move(lock)),
        index_(std::move(index)),
        ids_(*index_),
        unnamed_(ids_),
        files_(*options.file_system, StrCat(directory, "/blobs")),
        removals_(*index_, {&files_}, unnamed_, *options.clock),
        space_(*options.file_system, directory, {options.max_bytes, options.min_free_bytes},
               stored_bytes),
        reserve_(*options.file_system, ReservePath(directory), options.reserve_bytes),
        damage_(*options.clock, options.alarm),
        blobs_({*index_, ids_, files_, unnamed_, removals_, space_, *options.clock, damage_,
                options.promise_nanos}),
        promises_(*options.clock, options.promise_nanos, options.renew_nanos,
                  [this] { return space_.IsBelowMinFree(); }),
        pull_times_(*options.clock),
        events_(*options.clock, options.random->Next()),
        catalog_({*index_, blobs_, ids_, promises_, pull_times_, *options.clock,
                  options.accept_sparse_index, options_.names, events_}),
        images_({*index_, blobs_, catalog_, *options.clock,
                 [this](std::string_view name) { return catalog_.FindImage(name); }}),
        holds_({*index_, blobs_, catalog_, *options.clock}),
        leases_({*index_, blobs_, *options.clock, *options.random}),
        ingests_({*index_, blobs_, files_, unnamed_, space_, *options.clock, *options.random,
                  catalog_, options.ingest_expiry_nanos, promises_.note_upload_nanos(),
                  options.large_blob_bytes, options.max_uploads}),
        orphans_({*index_, files_, blobs_, removals_, space_, *options.clock}),
        reclaimer_({*index_, blobs_, removals_, promises_, space_, *options.clock}),
        prunes_(*options.clock, *options.random,
                [this](const PruneRequest& request, const PruneObserver& observer) {
                  return RunPrune(request, observer);
                }) {
    if (stored_bytes >= 0) return;
    MutexLock lock_problems(problems_mutex_);
    problems_.push_back(StrCat("the statistics say that the store holds ", stored_bytes,
                               " bytes, which is taken as none; varve fsck tells more"));
  }

  // Finds what a crash left; looks only at rows and files that can be unfinished.
  absl::Status Recover();

  absl::StatusOr<BlobInfo> StatBlob(std::string_view repository, const Digest& digest) override {
    return catalog_.StatBlob(repository, digest);
  }
  absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view repository,
                                                  absl::Span<const Digest> digests) override;
  absl::StatusOr<BlobReader> OpenBlob(std::string_view repository, const Digest& digest) override {
    return catalog_.OpenBlob(repository, digest);
  }
  absl::StatusOr<BlobInfo> MountBlob(std::string_view repository, const Digest& digest,
                                     std::optional<std::string_view> from) override {
    return catalog_.MountBlob(repository, digest, from);
  }
  absl::Status DeleteBlob(std::string_view repository, const Digest& digest) override {
    return WithReserve([&] { return catalog_.DeleteBlob(repository, digest); });
  }

  absl::StatusOr<std::unique_ptr<Ingest>> BeginIngest(std::string_view repository,
                                                      IngestOptions options) override {
    if (!repository.empty()) RETURN_IF_ERROR(ValidateRepositoryName(repository));
    return ingests_.Begin(repository, options);
  }
  absl::StatusOr<std::unique_ptr<Ingest>> ResumeIngest(std::string_view repository,
                                                       std::string_view id) override {
    if (!repository.empty()) RETURN_IF_ERROR(ValidateRepositoryName(repository));
    return ingests_.Resume(repository, id);
  }
  absl::StatusOr<Page<UploadInfo>> ListUploads(const PageRequest& page) override {
    return ingests_.List(page);
  }
  absl::Status AbortUpload(std::string_view id) override { return ingests_.Abort(id); }

  absl::StatusOr<ManifestInfo> PutManifest(std::string_view repository,
                                           const PutManifestRequest& request) override;
  absl::StatusOr<Manifest> GetManifest(std::string_view repository,
                                       const ManifestReference& reference) override {
    return catalog_.GetManifest(repository, reference);
  }
  absl::StatusOr<ManifestInfo> StatManifest(std::string_view repository,
                                            const ManifestReference& reference) override {
    return catalog_.StatManifest(repository, reference);
  }
  absl::Status DeleteManifest(std::string_view repository, const Digest& digest) override {
    return WithReserve([&] { return catalog_.DeleteManifest(repository, digest); });
  }
  absl::Status Tag(std::string_view repository, std::string_view tag,
                   const Digest& digest) override {
    return catalog_.Tag(repository, tag, digest);
  }
  absl::Status Untag(std::string_view repository, std::string_view tag, bool force) override {
    return WithReserve([&] { return catalog_.Untag(repository, tag, force); });
  }

  absl::StatusOr<Page<TagInfo>> ListTags(std::string_view repository,
                                         const PageRequest& page) override {
    return catalog_.ListTags(repository, page);
  }
  absl::StatusOr<uint64_t> TagsVersion(std::string_view repository) override {
    return catalog_.TagsVersion(repository);
  }
  absl::StatusOr<Page<std::string>> ListRepositories(const PageRequest& page) override {
    return catalog_.ListRepositories(page);
  }
  absl::StatusOr<Page<ReferrerInfo>> ListReferrers(std::string_view repository,
                                                   const Digest& subject,
                                                   std::string_view artifact_type,
                                                   const PageRequest& page) override {
    return catalog_.ListReferrers(repository, subject, artifact_type, page);
  }

  absl::StatusOr<ImageMatch> FindImage(std::string_view name) override {
    return catalog_.ResolveImage(name);
  }
  absl::StatusOr<ImagePage> ListImages(const ImageQuery& query, const std::string& page_token,
                                       size_t limit) override {
    return images_.ListImages(query, page_token, limit);
  }
  absl::StatusOr<ImageDetails> InspectImage(std::string_view repository,
                                            const ManifestReference& reference,
                                            std::string_view platform) override {
    return images_.InspectImage(repository, reference, platform);
  }
  absl::Status TagFrom(std::string_view from, const Digest& digest, std::string_view repository,
                       std::string_view tag) override {
    return catalog_.TagFrom(from, digest, repository, tag);
  }
  absl::StatusOr<RemovedImage> RemoveImage(std::string_view name, bool force) override;
  absl::StatusOr<PruneReport> Prune(const PruneRequest& request,
                                    const PruneObserver& observer) override;

  absl::StatusOr<PruneReport> AttachPrune(std::string_view id,
                                          const PruneObserver& observer) override {
    return prunes_.Attach(id, observer);
  }
  absl::Status CancelPrune(std::string_view id) override { return prunes_.Cancel(id); }
  absl::StatusOr<std::vector<PruneJob>> ListPrunes() override { return prunes_.List(); }

  absl::StatusOr<KeeperReport> ExplainKept(std::string_view name) override {
    ASSIGN_OR_RETURN(KeeperReport report,
                     varve::ExplainKept({*index_, catalog_, promises_, *options_.clock}, name));
    ASSIGN_OR_RETURN(report.prune_takes,
                     IsKeptByGoing(*index_, DanglingScope::kDangling, report.digest));
    ASSIGN_OR_RETURN(report.prune_all_takes,
                     IsKeptByGoing(*index_, DanglingScope::kUnused, report.digest));
    return report;
  }

  absl::StatusOr<HoldInfo> CreateHold(const HoldRequest& request) override {
    return holds_.Create(request);
  }
  absl::Status ReleaseHold(std::string_view name) override {
    return WithReserve([&] { return holds_.Release(name); });
  }
  absl::StatusOr<Page<HoldInfo>> ListHolds(const PageRequest& page) override {
    return holds_.List(page);
  }
  absl::StatusOr<LeaseInfo> CreateLease(const LeaseRequest& request) override {
    return leases_.Create(request);
  }
  absl::StatusOr<std::vector<Digest>> AttachToLease(std::string_view id,
                                                    absl::Span<const Digest> contents) override {
    return leases_.Attach(id, contents);
  }
  absl::StatusOr<LeaseInfo> RenewLease(std::string_view id, int64_t ttl_nanos) override {
    return leases_.Renew(id, ttl_nanos);
  }
  absl::Status DeleteLease(std::string_view id) override {
    return WithReserve([&] { return leases_.Delete(id); });
  }
  absl::StatusOr<Page<LeaseInfo>> ListLeases(const PageRequest& page) override {
    return leases_.List(page);
  }

  absl::StatusOr<Page<BlobDetails>> ListBlobs(const PageRequest& page) override {
    return catalog_.ListBlobs(page);
  }
  absl::StatusOr<RepositoryInfo> DescribeRepository(std::string_view repository) override {
    return images_.DescribeRepository(repository);
  }
  absl::StatusOr<RepositoryMerge> MergeRepositories(std::string_view from, std::string_view into,
                                                    bool force) override {
    return catalog_.MergeRepositories(from, into, force);
  }
  absl::StatusOr<StoreInfo> Info() override;
  absl::StatusOr<RecentActivity> ListActivity() override;
  void EndPromises() override {
    promises_.EndAll();
    reclaimer_.LookAtEverything();
  }
  absl::StatusOr<DiskUsage> MeasureDiskUsage() override;
  absl::StatusOr<CheckReport> Check(const CheckObserver& observer) override {
    return ReferenceCheck({*index_, blobs_, files_, unnamed_, removals_, ingests_, reclaimer_,
                           holds_.changes(), leases_.changes(), options_.names, orphans_},
                          observer)
        .Run();
  }
  absl::StatusOr<OrphanReport> DropOrphans(const std::function<bool()>& go_on) override;
  absl::StatusOr<OrphanReport> AdoptOrphans(const std::function<bool()>& go_on) override {
    return orphans_.Adopt(go_on);
  }
  StoreHealth Health() override;
  absl::StatusOr<CheckReport> CheckContent(const CheckObserver& observer) override {
    return ContentCheck({*index_, blobs_, promises_, *options_.clock}, observer).Run();
  }
  EventLog& events() override { return events_; }

  absl::StatusOr<ReclaimReport> Reclaim() override;
  absl::Status CheckpointIngests() override {
    RETURN_IF_ERROR(pull_times_.Flush(*index_));
    return ingests_.CheckpointAll();
  }

 private:
  absl::StatusOr<PruneReport> RunPrune(const PruneRequest& request, const PruneObserver& observer);
  // Files that no row names, and that this process did not make: a crash left them.
  // `reserved`: the id up to which the index had reserved them.
  absl::Status SettleUnnamedFiles(FileId reserved);
  void Warn(std::string_view sentence) const {
    if (options_.warn != nullptr) options_.warn(sentence);
  }
  absl::Status SaveLowWater();
  absl::Status Sweep(ReclaimReport* report);
  void TakeProblems(ReclaimReport* report) ABSL_LOCKS_EXCLUDED(problems_mutex_);
  absl::Status ExpireClaims() {
    absl::Status first_error = holds_.Expire();
    first_error.Update(leases_.Expire());
    return first_error;
  }
  ImageParts PartsOfImages() { return {*index_, blobs_, catalog_}; }
  DeletionRunner DeletionsWithReserve() {
    return [this](const std::function<absl::Status()>& deletion) { return WithReserve(deletion); };
  }
  // Runs a deletion; on a full disk once more with the reserve given up.
  template <typename Deletion>
  absl::Status WithReserve(Deletion deletion) {
    const absl::Status status = deletion();
    if (!absl::IsResourceExhausted(status)) return status;
    GiveUpReserve();
    return deletion();
  }
  // Says once that the reserve, or part of it, is missing, and once that it is there again.
  void TakeReserve() ABSL_LOCKS_EXCLUDED(reserve_mutex_);
  void GiveUpReserve() ABSL_LOCKS_EXCLUDED(reserve_mutex_);

  const std::string directory_;
  const EngineOptions options_;
  const StoreFile store_;
  const std::unique_ptr<FileLock> lock_;
  const std::unique_ptr<Index> index_;
  IdAllocator ids_;
  UnnamedFiles unnamed_;
  BlobFiles files_;
  Removals removals_;
  Mutex problems_mutex_;
  std::vector<std::string> problems_ ABSL_GUARDED_BY(problems_mutex_);  // of the start
  Space space_;
  Mutex reserve_mutex_;
  ReserveFile reserve_ ABSL_GUARDED_BY(reserve_mutex_);
  bool told_of_reserve_ ABSL_GUARDED_BY(reserve_mutex_) = false;  // that it is missing
  DamageReports damage_;
  BlobStore blobs_;
  Promises promises_;
  PullTimes pull_times_;
  EventLog events_;
  Catalog catalog_;
  ImageDescriber images_;
  Holds holds_;
  Leases leases_;
  IngestTable ingests_;
  Orphans orphans_;
  Reclaimer reclaimer_;
  PruneJobs prunes_;
};

absl::StatusOr<ManifestInfo> Engine::PutManifest(std::string_view repository,
                                                 const PutManifestRequest& request) {
  for (;;) {
    absl::StatusOr<ManifestInfo> put = catalog_.PutManifest(repository, request);
    const bool lacks_room = absl::IsResourceExhausted(put.status());
    if (!lacks_room || !ingests_.GiveWay(/*client=*/"", request.bytes.size())) return put;
  }
}

absl::StatusOr<RemovedImage> Engine::RemoveImage(std::string_view name, bool force) {
  return ImageRemoval({PartsOfImages(), promises_, *options_.clock, DeletionsWithReserve()})
      .Remove(name, force);
}

absl::StatusOr<PruneReport> Engine::Prune(const PruneRequest& request,
                                          const PruneObserver& observer) {
  // Said at once, not when its turn has come.
  RETURN_IF_ERROR(ParsePruneRequest(request, *options_.clock, options_.names).status());
  return request.dry_run ? RunPrune(request, observer) : prunes_.Run(request, observer);
}

absl::StatusOr<PruneReport> Engine::RunPrune(const PruneRequest& request,
                                             const PruneObserver& observer) {
  ASSIGN_OR_RETURN(PruneSelection selection,
                   ParsePruneRequest(request, *options_.clock, options_.names));
  RETURN_IF_ERROR(pull_times_.Flush(*index_));  // what is being pulled stays
  reclaimer_.NoticeClockJump();
  if (request.now && !request.dry_run) EndPromises();
  if (!promises_.KeepsEverything()) RETURN_IF_ERROR(ExpireClaims());
  varve::Prune prune({PartsOfImages(), images_, promises_, *options_.clock, DeletionsWithReserve(),
                      [this] { return Reclaim().status(); }},
                     std::move(selection), request.dry_run, observer);
  ASSIGN_OR_RETURN(const PruneReport report, prune.Run());
  if (request.dry_run) return report;
  Event event;
  event.type = Event::Type::kPrune;
  event.freed_bytes = report.freed_bytes;
  events_.Add(std::move(event));
  return report;
}

absl::StatusOr<DiskUsage> Engine::MeasureDiskUsage() {
  return varve::MeasureDiskUsage({PartsOfImages(), ingests_, orphans_, *options_.file_system,
                                  StrCat(directory_, "/index"), StrCat(directory_, "/RESERVE")});
}

absl::StatusOr<StoreInfo> Engine::Info() {
  StoreInfo info;
  info.uuid = store_.uuid;
  info.created_nanos = store_.created_nanos;
  info.format_version = store_.format_version;
  info.blob_bytes = space_.logical_bytes();
  info.max_bytes = options_.max_bytes;
  info.promise_nanos = options_.promise_nanos;
  info.renew_nanos = options_.renew_nanos;
  info.names = options_.names;
  ASSIGN_OR_RETURN(info.disk_total_bytes, options_.file_system->TotalBytes(directory_));
  ASSIGN_OR_RETURN(info.disk_free_bytes, options_.file_system->FreeBytes(directory_));
  return info;
}

absl::StatusOr<RecentActivity> Engine::ListActivity() {
  RecentActivity activity;
  activity.uploads = ingests_.ListOpen();
  std::sort(activity.uploads.begin(), activity.uploads.end(), [](const auto& a, const auto& b) {
    return std::tie(a.repository, a.id) < std::tie(b.repository, b.id);
  });
  activity.more_uploads = CutTo(kMaxNamedActivity, &activity.uploads);
  const int64_t since = options_.clock->MonotonicNanos() - kRecentNanos;
  for (const RepositoryId repository : promises_.activity().ActiveSince(since)) {
    if (repository == 0) continue;  // the whole store
    absl::StatusOr<std::string> name = catalog_.RepositoryName(repository);
    if (absl::IsNotFound(name.status())) continue;
    RETURN_IF_ERROR(name.status());
    activity.repositories.push_back(*std::move(name));
  }
  std::sort(activity.repositories.begin(), activity.repositories.end());
  activity.more_repositories = CutTo(kMaxNamedActivity, &activity.repositories);
  return activity;
}

absl::Status Engine::Recover() {
  ASSIGN_OR_RETURN(const FileId reserved, ids_.Reserved());  // before more are
  RETURN_IF_ERROR(removals_.Recover());
  RETURN_IF_ERROR(ingests_.Load());
  RETURN_IF_ERROR(orphans_.Load());
  RETURN_IF_ERROR(SettleUnnamedFiles(reserved));
  // What cannot be finished now is tried again, and told, by every Sweep.
  static_cast<void>(catalog_.FinishDeletions());
  TakeReserve();
  return absl::OkStatus();
}

void Engine::TakeReserve() {
  MutexLock lock(reserve_mutex_);
  reserve_.Take();
  const uint64_t missing = reserve_.missing_bytes();
  if ((missing > 0) == told_of_reserve_) return;
  told_of_reserve_ = missing > 0;
  if (missing == 0) return Warn("the reserve for deletions on a full disk is set aside again");
  const std::string until =
      reserve_.bytes_to_free() > 0
          ? StrCat(reserve_.bytes_to_free(), " more bytes have to be free for that on the disk of ",
                   directory_)
          : StrCat("the file system of ", directory_, " does not set them aside");
  Warn(StrCat("of the reserve of ", options_.reserve_bytes, " bytes ([store] reserve), ", missing,
              " are missing: ", until,
              "; without them, deletions may be refused once the disk is full"));
}

void Engine::GiveUpReserve() {
  MutexLock lock(reserve_mutex_);
  const bool held = reserve_.missing_bytes() < options_.reserve_bytes;
  reserve_.GiveUp();
  if (!held || std::exchange(told_of_reserve_, true)) return;
  Warn("the disk is full: the reserve was given up, so that deletions go on");
}

absl::Status Engine::SettleUnnamedFiles(FileId reserved) {
  const bool lost_rows = HasLostRows(*options_.file_system, directory_);
  ASSIGN_OR_RETURN(const Orphans::Settled settled,
                   orphans_.SettleUnnamed(ids_, reserved, ingests_.Files(), lost_rows));
  if (lost_rows) RETURN_IF_ERROR(ForgetLostRows(*options_.file_system, directory_));
  if (lost_rows || settled.went_back) {
    Warn(StrCat(lost_rows ? "acknowledged changes of the index were lost: "
                          : "the index is older than the files under blobs/: ",
                settled.kept,
                " files that nothing names are kept for a week; varve fsck --adopt gives back what "
                "is needed, --drop-orphans removes the rest"));
  }
  return SaveLowWater();
}

absl::StatusOr<OrphanReport> Engine::DropOrphans(const std::function<bool()>& go_on) {
  OrphanReport report;
  RETURN_IF_ERROR(WithReserve([&]() -> absl::Status {
    ASSIGN_OR_RETURN(report, orphans_.Drop(go_on));
    return removals_.Finish();
  }));
  return report;
}

StoreHealth Engine::Health() {
  switch (index_->state()) {
    case IndexState::kLost:
      return StoreHealth::kLost;
    case IndexState::kFailed:
      return StoreHealth::kDead;
    case IndexState::kFull:
      return StoreHealth::kFull;
    case IndexState::kWorking:
      break;
  }
  const absl::StatusOr<uint64_t> free = options_.file_system->FreeBytes(directory_);
  const bool full = free.ok() && (*free == 0 || *free < options_.min_free_bytes);
  return full ? StoreHealth::kFull : StoreHealth::kReady;
}

absl::Status Engine::SaveLowWater() {
  ASSIGN_OR_RETURN(const FileId low_water, unnamed_.LowWater());
  const std::string key = MetaKey("low_water");
  ASSIGN_OR_RETURN(const std::optional<std::string> saved, index_->Get(key));
  const std::string value = EncodeNumber(low_water);
  if (saved == value) return absl::OkStatus();
  return index_->Run([&](Transaction& txn) { return txn.Put(key, value); }, Durability::kBuffered);
}

absl::StatusOr<std::vector<Digest>> Engine::FindMissing(std::string_view repository,
                                                        absl::Span<const Digest> digests) {
  if (digests.size() > kMaxFindMissingDigests) {
    return absl::InvalidArgumentError(
        StrCat("ask for at most ", kMaxFindMissingDigests, " digests at once"));
  }
  return catalog_.FindMissing(repository, digests);
}

absl::StatusOr<ReclaimReport> Engine::Reclaim() {
  ReclaimReport report;
  RETURN_IF_ERROR(WithReserve([&] { return Sweep(&report); }));
  TakeReserve();
  return report;
}

absl::Status Engine::Sweep(ReclaimReport* report) {
  // Each step runs whatever became of the others: what one of them cannot deal with holds up
  // nobody.
  absl::Status first_error = catalog_.FinishDeletions();
  absl::StatusOr<ReclaimReport> reclaimed = reclaimer_.Run();
  first_error.Update(reclaimed.status());
  if (reclaimed.ok()) *report = *std::move(reclaimed);
  // These go by the wall clock: after a jump of it, which the reclaimer notices, they wait too.
  if (!promises_.KeepsEverything()) {
    ingests_.Expire();
    first_error.Update(catalog_.ExpireLinks());
    first_error.Update(ExpireClaims());
    first_error.Update(orphans_.Expire());
  }
  first_error.Update(catalog_.RemoveEmptyRepositories());
  ingests_.CheckpointIdle();
  first_error.Update(pull_times_.Flush(*index_));
  first_error.Update(SaveLowWater());
  TakeProblems(report);
  if (!absl::IsDataLoss(first_error)) return first_error;
  // One damaged row: the pass went round it.
  report->problems.push_back(std::string(first_error.message()));
  return absl::OkStatus();
}

void Engine::TakeProblems(ReclaimReport* report) {
  report->kept_aside += removals_.kept_aside();
  const auto take = [&](std::vector<std::string> problems) {
    for (std::string& problem : problems) {
      if (report->problems.size() < kMaxReclaimProblems) {
        report->problems.push_back(std::move(problem));
      }
    }
  };
  take(removals_.TakeProblems());
  take(ingests_.TakeProblems());
  MutexLock lock(problems_mutex_);
  take(std::exchange(problems_, {}));
}

std::string ParentOf(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Reads, or for a new store writes, STORE; checks that the index belongs to it.
absl::StatusOr<StoreFile> OpenStoreFile(const std::string& directory,
                                        const EngineOptions& options) {
  absl::StatusOr<StoreFile> store = ReadStoreFile(*options.file_system, directory);
  if (!absl::IsNotFound(store.status())) return store;
  ASSIGN_OR_RETURN(const std::vector<std::string> entries, options.file_system->List(directory));
  for (const std::string& entry : entries) {
    if (entry == "index" || entry == "blobs") {
      return absl::DataLossError(StrCat(directory,
                                        " holds a store without its STORE file; restore "
                                        "it from a backup, or choose another directory"));
    }
  }
  // The directory may have been made just now: a power cut must not take it with all that is in it.
  RETURN_IF_ERROR(options.file_system->SyncDirectory(ParentOf(directory)));
  StoreFile fresh;
  fresh.uuid = NewUuid(*options.random);
  fresh.created_nanos = options.clock->WallNanos();
  RETURN_IF_ERROR(WriteStoreFile(*options.file_system, directory, fresh));
  return fresh;
}

// Says in STORE that rows of this version may follow; before the first of them is written. A crash
// leaves the old STORE with old rows, or the new one, which allows both.
absl::Status UpgradeStoreFile(const std::string& directory, FileSystem& file_system,
                              StoreFile* store) {
  if (store->format_version == kStoreFormatVersion) return absl::OkStatus();
  store->format_version = kStoreFormatVersion;
  return WriteStoreFile(file_system, directory, *store);
}

absl::Status CheckIndexBelongs(Index& index, const StoreFile& store, FileSystem& file_system,
                               const std::string& blobs_directory) {
  const std::string key = MetaKey("uuid");
  ASSIGN_OR_RETURN(const std::optional<std::string> uuid, index.Get(key));
  if (uuid == store.uuid) return absl::OkStatus();
  if (uuid.has_value()) {
    return absl::DataLossError(StrCat("the index belongs to the store ", *uuid, ", but STORE says ",
                                      store.uuid, "; restore both together"));
  }
  // A fresh index beside blob files means that the old one was lost; opening would remove them all.
  ASSIGN_OR_RETURN(const std::vector<std::string> ranges, file_system.List(blobs_directory));
  if (!ranges.empty()) {
    return absl::DataLossError(
        StrCat("the index of ", blobs_directory, " is missing; restore it from a backup"));
  }
  return index.Run([&](Transaction& txn) { return txn.Put(key, store.uuid); });
}

absl::StatusOr<std::unique_ptr<Store>> OpenOnce(const std::string& directory,
                                                const EngineOptions& options) {
  FileSystem& file_system = *options.file_system;
  RETURN_IF_ERROR(file_system.CreateDirectory(directory));
  RETURN_IF_ERROR(file_system.CheckPrivate(directory));
  ASSIGN_OR_RETURN(std::unique_ptr<FileLock> lock, file_system.Lock(StrCat(directory, "/LOCK")));
  ASSIGN_OR_RETURN(StoreFile store, OpenStoreFile(directory, options));
  const std::string blobs_directory = StrCat(directory, "/blobs");
  RETURN_IF_ERROR(file_system.CreateDirectory(blobs_directory));
  RETURN_IF_ERROR(file_system.SyncDirectory(directory));
  absl::StatusOr<std::unique_ptr<Index>> index = OpenIndexOf(directory, options);
  RETURN_IF_ERROR(index.status());
  RETURN_IF_ERROR(CheckIndexBelongs(**index, store, file_system, blobs_directory));
  RETURN_IF_ERROR(UpgradeStoreFile(directory, file_system, &store));

  ASSIGN_OR_RETURN(const std::optional<std::string> counted,
                   (*index)->Get(CounterKey("blob_bytes")));
  const int64_t stored_bytes = counted.has_value() ? DecodeCounter(*counted) : 0;
  auto engine = std::make_unique<Engine>(directory, options, store, std::move(lock),
                                         *std::move(index), stored_bytes);
  RETURN_IF_ERROR(engine->Recover());
  return engine;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenEngine(const std::string& directory,
                                                  const EngineOptions& options) {
  absl::StatusOr<std::unique_ptr<Store>> store = OpenOnce(directory, options);
  if (absl::IsResourceExhausted(store.status()) &&
      options.file_system->Remove(ReservePath(directory)).ok()) {
    if (options.warn != nullptr) {
      options.warn("the disk is full; the reserve was given up to open the store");
    }
    store = OpenOnce(directory, options);
  }
  if (!absl::IsResourceExhausted(store.status())) return store;
  return AdviseRoom(store.status(), *options.file_system, directory);
}

}  // namespace varve

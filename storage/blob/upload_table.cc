#include "storage/blob/upload_table.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/blob/held_upload.h"
#include "storage/limits.h"

namespace varve {
namespace {

// How long a second holder waits for the first: clients that lost their connection come back before
// the daemon has noticed that the old one is dead.
constexpr std::chrono::milliseconds kHoldPatience{1000};
// Each waits with a thread of its door, which others need: more than so many wait for no moment.
constexpr size_t kMaxHoldWaiters = 16;
constexpr size_t kLoadPageRows = 256;

// Uploads of one client give way to another one's only when they rest for so long: longer than
// clients take between two requests.
constexpr int64_t kBetweenRequestsNanos = 10 * kNanosPerSecond;

absl::Status UnknownUpload(std::string_view id) {
  return absl::NotFoundError(StrCat(
      "upload ", id, " is not known: it was finished, cancelled or has expired; start again"));
}

absl::Status TooManyUploads(size_t limit) {
  absl::Status status = absl::ResourceExhaustedError(
      StrCat("there are ", limit, " unfinished uploads; try again in a moment"));
  status.SetPayload(kRetryAfterPayload, absl::Cord("5"));
  return status;
}

bool IsPrintable(std::string_view text) {
  for (const char c : text) {
    if (c <= ' ' || c > '~') return false;
  }
  return true;
}

}  // namespace

std::string UploadTable::NewId() {
  return absl::StrFormat("%016x%016x", parts_.random.Next(), parts_.random.Next());
}

absl::Status UploadTable::Load() {
  const int64_t oldest = parts_.clock.WallNanos() - parts_.expiry_nanos;
  std::string after;
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<KeyValue> rows,
                     parts_.index.Scan(PrefixRange(UploadPrefix(), after), kLoadPageRows));
    for (const KeyValue& row : rows) {
      const std::string_view id = std::string_view(row.key).substr(UploadPrefix().size());
      const absl::StatusOr<UploadRow> saved = UploadRow::Decode(row.value);
      const absl::Status loaded = saved.ok() ? LoadRow(id, *saved) : saved.status();
      if (loaded.ok()) continue;
      const bool damaged = absl::IsDataLoss(loaded) || absl::IsNotFound(loaded);
      if (!damaged && saved->updated_nanos > oldest) {
        MutexLock lock(mutex_);
        unread_files_.push_back(saved->file);
        if (problems_.size() < kMaxReclaimProblems) {
          problems_.push_back(StrCat("upload ", id, " cannot be resumed before the next start: ",
                                     ToStd(loaded.message())));
        }
        continue;
      }
      // Nothing of an unfinished upload was acknowledged: a damaged one goes, its file with it.
      parts_.blobs.Discard(saved.ok() ? saved->file : 0,
                           [&](Transaction& txn) { return txn.Delete(row.key); });
    }
    if (rows.size() < kLoadPageRows) return absl::OkStatus();
    after = rows.back().key.substr(UploadPrefix().size());
  }
}

absl::Status UploadTable::LoadRow(std::string_view id, const UploadRow& row) {
  ASSIGN_OR_RETURN(const UploadPtr upload, Upload::Load(of_uploads_, id, row));
  const int64_t idle_nanos = std::max<int64_t>(0, parts_.clock.WallNanos() - row.updated_nanos);
  MutexLock lock(mutex_);
  AddIdle(*upload, parts_.clock.MonotonicNanos() - idle_nanos);
  uploads_[upload->id()] = upload;
  return absl::OkStatus();
}

absl::flat_hash_set<FileId> UploadTable::Files() {
  MutexLock lock(mutex_);
  absl::flat_hash_set<FileId> files(unread_files_.begin(), unread_files_.end());
  for (const auto& [id, upload] : uploads_) {
    if (upload->file() != 0) files.insert(upload->file());
  }
  return files;
}

std::vector<std::string> UploadTable::TakeProblems() {
  MutexLock lock(mutex_);
  return std::exchange(problems_, {});
}

std::vector<RecentActivity::Upload> UploadTable::ListOpen() {
  std::vector<RecentActivity::Upload> open;
  MutexLock lock(mutex_);
  open.reserve(uploads_.size());
  for (const auto& [id, upload] : uploads_) {
    open.push_back({upload->repository(), id, upload->received_bytes(), upload->updated_nanos()});
  }
  return open;
}

bool UploadTable::ReceivesInto(FileId file) {
  MutexLock lock(mutex_);
  return std::any_of(uploads_.begin(), uploads_.end(),
                     [&](const auto& upload) { return upload.second->file() == file; });
}

DiskUsage::Part UploadTable::Usage() {
  DiskUsage::Part usage;
  std::vector<FileId> files;
  {
    MutexLock lock(mutex_);
    usage.count = uploads_.size();
    for (const auto& [id, upload] : uploads_) {
      usage.logical_bytes += upload->received_bytes();
      if (upload->file() != 0) files.push_back(upload->file());
    }
  }
  for (const FileId file : files) {
    const absl::StatusOr<FileStat> stat = parts_.files.Stat(file);
    if (stat.ok()) usage.disk_bytes += stat->allocated_bytes;  // else it has ended
  }
  return usage;
}

Page<UploadInfo> UploadTable::List(const PageRequest& page) {
  Page<UploadInfo> listed;
  const size_t limit = std::clamp<size_t>(page.limit, 1, kMaxPageRows);
  MutexLock lock(mutex_);
  for (auto at = uploads_.upper_bound(page.after); at != uploads_.end(); ++at) {
    if (listed.rows.size() == limit) {
      listed.more = true;
      break;
    }
    const Upload& upload = *at->second;
    const int64_t updated = upload.updated_nanos();
    listed.rows.push_back({upload.id(), upload.repository(), upload.client, upload.received_bytes(),
                           upload.started_nanos(), updated, updated + parts_.expiry_nanos,
                           upload.held});
  }
  return listed;
}

absl::StatusOr<std::unique_ptr<OpenUpload>> UploadTable::Begin(std::string_view repository,
                                                               const UploadOptions& options) {
  if (options.id.size() > kMaxUploadIdBytes || !IsPrintable(options.id)) {
    return absl::InvalidArgumentError(
        StrCat("an upload id has at most ", kMaxUploadIdBytes, " printable characters"));
  }
  const auto upload = std::make_shared<Upload>(
      of_uploads_, options.id.empty() ? NewId() : options.id, repository, options);
  upload->Wake();
  RETURN_IF_ERROR(Insert(upload));
  auto held = std::make_unique<HeldUpload>(*this, upload, repository);
  if (options.size_bytes.has_value()) {
    const absl::Status room = held->Expect(*options.size_bytes);
    if (!room.ok()) {
      held->Abort().IgnoreError();  // its client learns nothing of it but this
      return room;
    }
  }
  return held;
}

absl::Status UploadTable::Insert(const UploadPtr& upload) {
  for (;;) {
    UploadPtr gives_way;
    {
      MutexLock lock(mutex_);
      if (uploads_.contains(upload->id())) {
        return absl::AlreadyExistsError(
            StrCat("upload ", upload->id(), " exists; resume it instead"));
      }
      if (uploads_.size() < parts_.max_uploads) {
        uploads_.emplace(upload->id(), upload);
        return absl::OkStatus();
      }
      IdleUpload* const idlest = idle_.ForSlot(upload->client);
      if (idlest == nullptr) return TooManyUploads(parts_.max_uploads);
      gives_way = uploads_.find(static_cast<Upload*>(idlest)->id())->second;
      MarkHeld(*gives_way);
    }
    Drop(gives_way);
  }
}

absl::StatusOr<UploadTable::UploadPtr> UploadTable::Hold(
    std::string_view id, const std::function<bool(const Upload&)>& accepts) {
  const auto deadline = std::chrono::steady_clock::now() + kHoldPatience;
  MutexLock lock(mutex_);
  for (;;) {
    const auto found = uploads_.find(std::string(id));
    if (found == uploads_.end() || !accepts(*found->second)) return UnknownUpload(id);
    if (!found->second->held) {
      MarkHeld(*found->second);
      return found->second;
    }
    const auto patience = deadline - std::chrono::steady_clock::now();
    if (patience <= std::chrono::nanoseconds::zero() || waiting_ >= kMaxHoldWaiters) {
      return absl::AbortedError(
          StrCat("upload ", id, " is in use by another request; try again in a moment"));
    }
    ++waiting_;
    let_go_.WaitFor(mutex_, patience);
    CheckInvariant(waiting_ > 0, "who waits for an upload is counted");
    --waiting_;
  }
}

absl::StatusOr<std::unique_ptr<OpenUpload>> UploadTable::Resume(std::string_view repository,
                                                                std::string_view id) {
  ASSIGN_OR_RETURN(UploadPtr upload, Hold(id, [&](const Upload& candidate) {
                     return parts_.participant.CanonicalOf(candidate.repository()) ==
                            parts_.participant.CanonicalOf(repository);
                   }));
  return std::make_unique<HeldUpload>(*this, std::move(upload), repository);
}

absl::Status UploadTable::Abort(std::string_view id) {
  ASSIGN_OR_RETURN(const UploadPtr upload, Hold(id, [](const Upload&) { return true; }));
  Drop(upload);
  return absl::OkStatus();
}

bool UploadTable::GiveWay(const std::string& client, uint64_t wanted_bytes) {
  UploadPtr gives_way;
  {
    MutexLock lock(mutex_);
    const int64_t now = parts_.clock.MonotonicNanos();
    IdleUpload* chosen = idle_.IdleSince(now - kIdleUploadNanos);
    if (chosen == nullptr) {
      chosen = idle_.OverFairShare(client, wanted_bytes, now - kBetweenRequestsNanos);
    }
    if (chosen == nullptr) return false;
    gives_way = uploads_.find(static_cast<Upload*>(chosen)->id())->second;
    MarkHeld(*gives_way);
  }
  Drop(gives_way);
  return true;
}

void UploadTable::MarkHeld(Upload& upload) {
  CheckInvariant(!upload.held, "an upload is held by one at a time");
  idle_.Remove(upload);
  upload.held = true;
  upload.Wake();
}

std::vector<UploadTable::UploadPtr> UploadTable::HoldIdle(
    const std::function<bool(const Upload&)>& choose) {
  std::vector<UploadPtr> held;
  MutexLock lock(mutex_);
  for (const auto& [id, upload] : uploads_) {
    if (upload->held || !choose(*upload)) continue;
    MarkHeld(*upload);
    held.push_back(upload);
  }
  return held;
}

absl::Status UploadTable::CheckpointAll() {
  absl::Status first_error;
  for (const UploadPtr& upload : HoldIdle([](const Upload&) { return true; })) {
    first_error.Update(upload->Checkpoint(/*even_empty=*/true));
    LetGo(upload);
  }
  return first_error;
}

void UploadTable::CheckpointIdle() {
  const int64_t before = parts_.clock.MonotonicNanos() - kUploadCheckpointNanos;
  const auto is_due = [&](const Upload& upload) { return upload.IsCheckpointDue(before); };
  for (const UploadPtr& upload : HoldIdle(is_due)) {
    const absl::Status saved = upload->Checkpoint();
    if (!saved.ok() && !upload->CanGoOnAfter(saved)) {
      Drop(upload);
    } else {
      upload->PutOffCheckpoint();
      LetGo(upload);
    }
  }
}

void UploadTable::Expire() {
  const int64_t oldest = parts_.clock.WallNanos() - parts_.expiry_nanos;
  const auto is_old = [&](const Upload& upload) { return upload.updated_nanos() <= oldest; };
  for (const UploadPtr& upload : HoldIdle(is_old)) Drop(upload);
}

void UploadTable::Drop(const UploadPtr& upload) {
  upload->Discard();
  Forget(upload);
}

void UploadTable::Forget(const UploadPtr& upload) {
  MutexLock lock(mutex_);
  CheckInvariant(upload->held, "an upload is ended by who holds it");
  const size_t ended = uploads_.erase(upload->id());
  CheckInvariant(ended == 1, "an upload ends once");
  let_go_.NotifyAll();
}

void UploadTable::AddIdle(Upload& upload, int64_t since_nanos) {
  upload.idle_bytes = upload.received_bytes();
  upload.idle_since_nanos = since_nanos;
  idle_.Add(upload);
}

void UploadTable::LetGo(const UploadPtr& upload) {
  upload->Rest();
  MutexLock lock(mutex_);
  CheckInvariant(upload->held, "who lets go of an upload holds it");
  upload->held = false;
  AddIdle(*upload, parts_.clock.MonotonicNanos());
  let_go_.NotifyAll();
}

}  // namespace varve

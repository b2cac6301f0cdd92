#include "storage/blob/ingest_table.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/blob/held_ingest.h"
#include "storage/limits.h"

namespace varve {
namespace {

// How long a second holder waits for the first: clients that lost their connection come back before
// the daemon has noticed that the old one is dead.
constexpr std::chrono::milliseconds kHoldPatience{1000};
constexpr size_t kLoadPageRows = 256;

// A row is one index value: buffered bytes plus at most ~1 KiB of names and hash state.
constexpr size_t kMaxBufferedInRow = kMaxIndexValueBytes - 2 * kKiB;

absl::Status UnknownUpload(std::string_view id) {
  return absl::NotFoundError(StrCat(
      "upload ", id, " is not known: it was finished, cancelled or has expired; start again"));
}

bool IsPrintable(std::string_view text) {
  for (const char c : text) {
    if (c <= ' ' || c > '~') return false;
  }
  return true;
}

}  // namespace

std::string IngestTable::NewId() {
  return absl::StrFormat("%016x%016x", parts_.random.Next(), parts_.random.Next());
}

absl::Status IngestTable::Load() {
  std::string after;
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<KeyValue> rows,
                     parts_.index.Scan(PrefixRange(IngestPrefix(), after), kLoadPageRows));
    for (const KeyValue& row : rows) {
      const std::string_view id = std::string_view(row.key).substr(IngestPrefix().size());
      const absl::Status loaded = LoadRow(id, row.value);
      if (loaded.ok()) continue;
      if (!absl::IsDataLoss(loaded) && !absl::IsNotFound(loaded)) return loaded;
      // Nothing of an unfinished upload was acknowledged: a damaged one goes, its file with it.
      const absl::StatusOr<IngestRow> damaged = IngestRow::Decode(row.value);
      parts_.blobs.Discard(damaged.ok() ? damaged->file : 0,
                           [&](Transaction& txn) { return txn.Delete(row.key); });
    }
    if (rows.size() < kLoadPageRows) return absl::OkStatus();
    after = rows.back().key.substr(IngestPrefix().size());
  }
}

absl::Status IngestTable::LoadRow(std::string_view id, std::string_view value) {
  ASSIGN_OR_RETURN(const IngestRow row, IngestRow::Decode(value));
  if (row.file != 0) {
    ASSIGN_OR_RETURN(const std::optional<std::string> owner, parts_.index.Get(FileKey(row.file)));
    if (owner.has_value()) return absl::DataLossError("the upload was committed already");
  }
  auto upload = std::make_shared<Upload>();
  upload->id = std::string(id);
  upload->repository = row.repository;
  upload->started_nanos = row.started_nanos;
  upload->updated_nanos = row.updated_nanos;
  ASSIGN_OR_RETURN(upload->bytes, IngestBytes::Restore(BytesParts(), row));
  upload->checkpoint_bytes = upload->bytes->size_bytes();
  NoteReceived(*upload);
  upload->saved = true;
  upload->held = false;
  MutexLock lock(mutex_);
  uploads_[upload->id] = upload;
  return absl::OkStatus();
}

absl::flat_hash_set<FileId> IngestTable::Files() {
  MutexLock lock(mutex_);
  absl::flat_hash_set<FileId> files;
  for (const auto& [id, upload] : uploads_) {
    if (upload->bytes->file() != 0) files.insert(upload->bytes->file());
  }
  return files;
}

bool IngestTable::ReceivesInto(FileId file) {
  MutexLock lock(mutex_);
  return std::any_of(uploads_.begin(), uploads_.end(),
                     [&](const auto& upload) { return upload.second->file == file; });
}

DiskUsage::Part IngestTable::Usage() {
  DiskUsage::Part usage;
  std::vector<FileId> files;
  {
    MutexLock lock(mutex_);
    usage.count = uploads_.size();
    for (const auto& [id, upload] : uploads_) {
      usage.logical_bytes += upload->received_bytes;
      if (upload->file != 0) files.push_back(upload->file);
    }
  }
  for (const FileId file : files) {
    const absl::StatusOr<FileStat> stat = parts_.files.Stat(file);
    if (stat.ok()) usage.disk_bytes += stat->allocated_bytes;  // else it has ended
  }
  return usage;
}

absl::StatusOr<std::unique_ptr<Ingest>> IngestTable::Begin(std::string_view repository,
                                                           const IngestOptions& options) {
  if (options.id.size() > kMaxIngestIdBytes || !IsPrintable(options.id)) {
    return absl::InvalidArgumentError(
        StrCat("an upload id has at most ", kMaxIngestIdBytes, " printable characters"));
  }
  auto upload = std::make_shared<Upload>();
  upload->id = options.id.empty() ? NewId() : options.id;
  upload->repository = std::string(repository);
  upload->started_nanos = parts_.clock.WallNanos();
  upload->updated_nanos = upload->started_nanos;
  upload->bytes = std::make_unique<IngestBytes>(BytesParts(), options.algorithm);
  {
    MutexLock lock(mutex_);
    if (uploads_.size() >= kMaxOpenIngests) {
      return absl::ResourceExhaustedError(
          StrCat("there are ", kMaxOpenIngests, " unfinished uploads; finish or cancel some"));
    }
    if (!uploads_.try_emplace(upload->id, upload).second) {
      return absl::AlreadyExistsError(StrCat("upload ", upload->id, " exists; resume it instead"));
    }
  }
  auto ingest = std::make_unique<HeldIngest>(*this, upload);
  if (options.size_bytes.has_value()) {
    absl::Status room = ingest->Expect(*options.size_bytes);
    if (!room.ok()) return room;
  }
  return ingest;
}

absl::StatusOr<std::unique_ptr<Ingest>> IngestTable::Resume(std::string_view repository,
                                                            std::string_view id) {
  const auto deadline = std::chrono::steady_clock::now() + kHoldPatience;
  MutexLock lock(mutex_);
  for (;;) {
    const auto found = uploads_.find(ToAbsl(id));
    if (found == uploads_.end() || found->second->repository != repository) {
      return UnknownUpload(id);
    }
    if (!found->second->held) {
      found->second->held = true;
      return std::make_unique<HeldIngest>(*this, found->second);
    }
    const auto patience = deadline - std::chrono::steady_clock::now();
    if (patience <= std::chrono::nanoseconds::zero()) {
      return absl::AbortedError(
          StrCat("upload ", id, " is in use by another request; try again in a moment"));
    }
    let_go_.WaitFor(mutex_, patience);
  }
}

absl::Status IngestTable::Checkpoint(Upload& upload) {
  IngestBytes& bytes = *upload.bytes;
  if (upload.saved && upload.checkpoint_bytes == bytes.size_bytes()) return absl::OkStatus();
  if (bytes.buffered().size() > kMaxBufferedInRow) RETURN_IF_ERROR(bytes.Spill());
  NoteReceived(upload);
  RETURN_IF_ERROR(bytes.Sync(/*final=*/false));
  const IngestRow row{upload.repository, upload.started_nanos, upload.updated_nanos,
                      bytes.file(),      bytes.HashState(),    std::string(bytes.buffered())};
  // Buffered: it acknowledges nothing that a power cut may not take back; the client then learns
  // from the upload's status where to go on.
  RETURN_IF_ERROR(parts_.index.Run(
      [&](Transaction& txn) { return txn.Put(IngestKey(upload.id), row.Encode()); },
      Durability::kBuffered));
  if (bytes.file() != 0) parts_.unnamed.Settle(bytes.file());
  upload.saved = true;
  upload.checkpoint_bytes = bytes.size_bytes();
  return absl::OkStatus();
}

absl::Status IngestTable::CheckpointAll() {
  std::vector<UploadPtr> idle;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, upload] : uploads_) {
      if (upload->held) continue;
      upload->held = true;
      idle.push_back(upload);
    }
  }
  absl::Status first_error;
  for (const UploadPtr& upload : idle) {
    first_error.Update(Checkpoint(*upload));
    LetGo(upload);
  }
  return first_error;
}

void IngestTable::Expire() {
  const int64_t oldest = parts_.clock.WallNanos() - parts_.expiry_nanos;
  std::vector<UploadPtr> expired;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, upload] : uploads_) {
      if (upload->held || upload->updated_nanos > oldest) continue;
      upload->held = true;
      expired.push_back(upload);
    }
  }
  for (const UploadPtr& upload : expired) Drop(upload);
}

void IngestTable::Drop(const UploadPtr& upload) {
  const FileId file = upload->bytes->file();
  const bool saved = upload->saved;
  upload->bytes.reset();
  if (file != 0 || saved) {
    parts_.blobs.Discard(file, [&](Transaction& txn) {
      return saved ? txn.Delete(IngestKey(upload->id)) : absl::OkStatus();
    });
  }
  Forget(upload);
}

void IngestTable::Forget(const UploadPtr& upload) {
  MutexLock lock(mutex_);
  upload->gone = true;
  uploads_.erase(upload->id);
  let_go_.NotifyAll();
}

void IngestTable::LetGo(const UploadPtr& upload) {
  upload->bytes->CloseFile();
  MutexLock lock(mutex_);
  upload->held = false;
  let_go_.NotifyAll();
}

}  // namespace varve

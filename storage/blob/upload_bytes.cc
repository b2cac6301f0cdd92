#include "storage/blob/upload_bytes.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

// Hash and write alternate on pieces that stay in the processor's cache in between.
constexpr size_t kPieceBytes = 256 * kKiB;
// Write-back starts in steps of this size, so that the final sync finds little left to do.
constexpr uint64_t kWritebackBytes = 8 * kMiB;
// An upload of unknown size takes space in steps of this size.
constexpr uint64_t kSpaceStepBytes = 16 * kMiB;
constexpr size_t kRehashBufferBytes = kMiB;
// By which the room that a file takes may exceed its bytes.
constexpr uint64_t kMostRoundingBytes = 64 * kKiB;

}  // namespace

UploadBytes::~UploadBytes() {
  parts_.space.Release(AsReceived(taken_bytes_));
  const size_t buffered =
      parts_.buffered_bytes.fetch_sub(buffer_.size(), std::memory_order_relaxed);
  CheckInvariant(buffered >= buffer_.size(), "buffered bytes are counted until they are dropped");
}

absl::StatusOr<std::unique_ptr<UploadBytes>> UploadBytes::Restore(Parts parts,
                                                                  const UploadRow& row) {
  ASSIGN_OR_RETURN(const Hasher hasher, Hasher::Restore(row.hash_state));
  auto bytes = std::make_unique<UploadBytes>(parts, hasher.algorithm());
  bytes->hasher_ = hasher;
  bytes->size_bytes_ = hasher.bytes_hashed();
  if (row.file == 0) {
    if (row.buffered.size() != bytes->size_bytes()) {
      return absl::DataLossError("a saved upload has fewer bytes than its hash state");
    }
    bytes->buffer_ = row.buffered;
    parts.buffered_bytes.fetch_add(row.buffered.size(), std::memory_order_relaxed);
    return bytes;
  }
  ASSIGN_OR_RETURN(const FileStat stat, parts.files.Stat(row.file));
  if (stat.size_bytes < bytes->size_bytes()) {
    return absl::DataLossError("the file of a saved upload is shorter than its hash state");
  }
  bytes->file_id_ = row.file;
  bytes->entry_synced_ = true;
  bytes->synced_bytes_ = bytes->size_bytes();
  // Bytes written, or room reserved, past the saved state: cut off before the next write or sync.
  bytes->reserved_bytes_ = std::max(stat.size_bytes, stat.allocated_bytes);
  bytes->taken_bytes_ = bytes->size_bytes();
  parts.space.Add(AsReceived(bytes->taken_bytes_));
  // Room that a request had reserved when the daemon ended comes back now. The disk counts whole
  // blocks, so a little more than the bytes is no room past them.
  const bool has_room_left = stat.size_bytes > bytes->size_bytes() ||
                             stat.allocated_bytes > bytes->size_bytes() + kMostRoundingBytes;
  if (has_room_left) bytes->Rest();
  return bytes;
}

std::string UploadBytes::HashState() const {
  CheckInvariant(hasher_.bytes_hashed() == size_bytes_,
                 "a saved hash state covers the bytes that are saved with it");
  return hasher_.SaveState();
}

absl::Status UploadBytes::TakeSpace(uint64_t total_bytes) {
  if (total_bytes > kMaxBlobBytes) {
    return absl::ResourceExhaustedError(
        StrCat("a blob may have at most ", kMaxBlobBytes, " bytes"));
  }
  if (total_bytes <= taken_bytes_) return absl::OkStatus();
  RETURN_IF_ERROR(parts_.space.Take(total_bytes - taken_bytes_));
  taken_bytes_ = total_bytes;
  return absl::OkStatus();
}

absl::Status UploadBytes::OpenFile() {
  if (file_ != nullptr) return absl::OkStatus();
  if (file_id_ != 0) {
    ASSIGN_OR_RETURN(file_, parts_.files.OpenForWrite(file_id_));
    reserved_bytes_ = size_bytes();
    return file_->Truncate(size_bytes());
  }
  ASSIGN_OR_RETURN(UnnamedFiles::NewFile created, parts_.unnamed.Create(parts_.files));
  file_id_ = created.id;
  file_ = std::move(created.file);
  return absl::OkStatus();
}

absl::Status UploadBytes::CutFile() {
  if (reserved_bytes_ <= size_bytes()) return absl::OkStatus();
  if (file_ == nullptr) return OpenFile();  // which cuts it
  RETURN_IF_ERROR(file_->Truncate(size_bytes()));
  reserved_bytes_ = size_bytes();
  return absl::OkStatus();
}

void UploadBytes::Rest() {
  // An error of a write that was on its way stays with the pipeline, for the next call to meet.
  if (!Drain().ok()) return;
  pipeline_.reset();
  pipeline_refused_ = false;
  CutFile().IgnoreError();  // what does not come back now does so at the end
  if (taken_bytes_ > size_bytes()) {
    parts_.space.Release(AsReceived(taken_bytes_ - size_bytes()));
    taken_bytes_ = size_bytes();
  }
  if (synced_bytes_ == size_bytes() && entry_synced_) file_.reset();
}

absl::Status UploadBytes::MoveToFile() {
  RETURN_IF_ERROR(OpenFile());
  return file_->WriteAt(0, buffer_);
}

absl::Status UploadBytes::Spill() {
  if (file_id_ != 0) return absl::OkStatus();
  CheckInvariant(buffer_.size() == size_bytes_, "bytes that are in no file are all in memory");
  const absl::Status moved = MoveToFile();
  if (!moved.ok()) {
    // The bytes are still in memory, and nowhere else.
    file_.reset();
    const FileId file = std::exchange(file_id_, 0);
    const absl::Status removed = file == 0 ? absl::OkStatus() : parts_.files.Remove(file);
    if (file != 0 && (removed.ok() || absl::IsNotFound(removed))) parts_.unnamed.Settle(file);
    return moved;
  }
  parts_.buffered_bytes.fetch_sub(buffer_.size(), std::memory_order_relaxed);
  buffer_.clear();
  buffer_.shrink_to_fit();
  return absl::OkStatus();
}

absl::Status UploadBytes::ReserveAhead(uint64_t total_bytes) {
  if (total_bytes <= reserved_bytes_) return absl::OkStatus();
  absl::Status reserved;
  for (const uint64_t step : {kSpaceStepBytes, uint64_t{0}}) {
    reserved_bytes_ = total_bytes + step;
    reserved = file_->Reserve(reserved_bytes_);
    if (reserved.ok()) return reserved;
    RETURN_IF_ERROR(CutFile());
    if (!absl::IsResourceExhausted(reserved)) break;
  }
  return reserved;
}

absl::Status UploadBytes::Expect(uint64_t total_bytes) {
  RETURN_IF_ERROR(TakeSpace(total_bytes));
  if (total_bytes <= kMaxInlineBlobBytes || total_bytes <= reserved_bytes_) return absl::OkStatus();
  RETURN_IF_ERROR(Spill());
  RETURN_IF_ERROR(OpenFile());
  // What a reservation took before it failed is cut off again.
  reserved_bytes_ = total_bytes;
  const absl::Status reserved = file_->Reserve(total_bytes);
  if (!reserved.ok()) CutFile().IgnoreError();
  return reserved;
}

absl::Status UploadBytes::Append(std::string_view bytes) {
  const uint64_t total = size_bytes() + bytes.size();
  if (total > taken_bytes_) {
    const bool small = total <= kMaxInlineBlobBytes;
    // Near the limit of the store a whole step is too much; the bytes themselves may not be.
    if (small || !TakeSpace(total + kSpaceStepBytes).ok()) RETURN_IF_ERROR(TakeSpace(total));
  }
  CheckInvariant(total <= taken_bytes_, "an upload takes room before it takes bytes");
  if (file_id_ == 0) {
    const size_t buffered =
        parts_.buffered_bytes.fetch_add(bytes.size(), std::memory_order_relaxed) + bytes.size();
    if (total <= kMaxInlineBlobBytes && buffered <= kMaxBufferedUploadBytes) {
      hasher_.Update(bytes);
      buffer_.append(bytes);
      size_bytes_ = total;
      return absl::OkStatus();
    }
    parts_.buffered_bytes.fetch_sub(bytes.size(), std::memory_order_relaxed);
    RETURN_IF_ERROR(Spill());
  }
  RETURN_IF_ERROR(OpenFile());
  // A pipeline cannot take back what it has hashed but found no room for.
  if (total >= parts_.large_blob_bytes) RETURN_IF_ERROR(ReserveAhead(total));
  return Write(bytes);
}

bool UploadBytes::UsePipeline() {
  const bool large = std::max(reserved_bytes_, size_bytes_) >= parts_.large_blob_bytes;
  if (pipeline_ == nullptr && large && !pipeline_refused_) {
    pipeline_ = WritePipeline::Start(*file_, hasher_, parts_.pipelines, parts_.page_cache,
                                     std::max(reserved_bytes_, size_bytes_));
    pipeline_refused_ = pipeline_ == nullptr;
  }
  return pipeline_ != nullptr;
}

absl::Status UploadBytes::Write(std::string_view bytes) {
  if (UsePipeline()) {
    size_bytes_ += bytes.size();
    const absl::Status appended = pipeline_->Append(bytes);
    broken_ = broken_ || !appended.ok();
    return appended;
  }
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kPieceBytes);
    CheckInvariant(hasher_.bytes_hashed() == size_bytes_, "a byte is hashed when it is written");
    // A part of a piece for which there was no room is cut off again.
    reserved_bytes_ = std::max(reserved_bytes_, size_bytes_ + piece.size());
    RETURN_IF_ERROR(file_->WriteAt(size_bytes_, piece));
    hasher_.Update(piece);
    size_bytes_ += piece.size();
    bytes.remove_prefix(piece.size());
  }
  const uint64_t behind = size_bytes_ - writeback_bytes_;
  if (behind >= kWritebackBytes) {
    file_->StartWriteback({writeback_bytes_, behind});
    writeback_bytes_ = size_bytes_;
  }
  return absl::OkStatus();
}

absl::Status UploadBytes::Drain() {
  if (pipeline_ == nullptr) return absl::OkStatus();
  const absl::Status drained = pipeline_->Drain();
  broken_ = broken_ || !drained.ok();
  return drained;
}

absl::Status UploadBytes::Sync(bool final) {
  if (file_id_ == 0) return absl::OkStatus();
  const absl::Status synced = SyncFile(final);
  broken_ = broken_ || !synced.ok();
  return synced;
}

absl::Status UploadBytes::SyncFile(bool final) {
  const bool give_back = final && reserved_bytes_ > size_bytes();
  if (synced_bytes_ < size_bytes() || give_back) {
    RETURN_IF_ERROR(OpenFile());
    RETURN_IF_ERROR(Drain());
    if (give_back) RETURN_IF_ERROR(CutFile());
    RETURN_IF_ERROR(file_->Sync());
    synced_bytes_ = size_bytes();
    CheckInvariant(hasher_.bytes_hashed() == synced_bytes_, "what is synced is hashed");
  }
  if (!entry_synced_) {
    RETURN_IF_ERROR(parts_.files.SyncEntry(file_id_));
    entry_synced_ = true;
  }
  return absl::OkStatus();
}

absl::StatusOr<Digest> UploadBytes::DigestOf(DigestAlgorithm algorithm) {
  RETURN_IF_ERROR(Drain());
  CheckInvariant(hasher_.bytes_hashed() == size_bytes_, "a digest is of all bytes received");
  if (hasher_.algorithm() == algorithm) return hasher_.Current();
  if (file_id_ == 0) return HashBytes(algorithm, buffer_);
  Hasher hasher(algorithm);
  const absl::StatusOr<std::unique_ptr<ReadableFile>> opened = parts_.files.OpenForRead(file_id_);
  if (absl::IsNotFound(opened.status())) {
    return absl::DataLossError("the file of the upload is gone");
  }
  RETURN_IF_ERROR(opened.status());
  const ReadableFile& file = **opened;
  std::vector<char> buffer(kRehashBufferBytes);
  while (hasher.bytes_hashed() < size_bytes()) {
    const size_t want = std::min<uint64_t>(buffer.size(), size_bytes() - hasher.bytes_hashed());
    ASSIGN_OR_RETURN(const size_t read,
                     file.ReadAt(hasher.bytes_hashed(), absl::MakeSpan(buffer.data(), want)));
    if (read != want) return absl::DataLossError("the file of the upload became shorter");
    hasher.Update({buffer.data(), read});
  }
  return hasher.Current();
}

}  // namespace varve

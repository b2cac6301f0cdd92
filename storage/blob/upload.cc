#include "storage/blob/upload.h"

#include <functional>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

// A row is one index value: buffered bytes plus at most ~1 KiB of names and hash state.
constexpr size_t kMaxBufferedInRow = kMaxIndexValueBytes - 2 * kKiB;

}  // namespace

Upload::Upload(const Parts& parts, std::string_view id, std::string_view repository,
               const UploadOptions& options)
    : parts_(parts),
      id_(id),
      repository_(repository),
      algorithm_(options.algorithm),
      started_nanos_(parts.clock.WallNanos()),
      updated_nanos_(started_nanos_),
      began_nanos_(parts.clock.MonotonicNanos()),
      checkpoint_nanos_(began_nanos_) {
  client = options.client;
}

absl::StatusOr<std::shared_ptr<Upload>> Upload::Load(const Parts& parts, std::string_view id,
                                                     const UploadRow& row) {
  if (row.file != 0) {
    ASSIGN_OR_RETURN(const std::optional<std::string> owner, parts.index.Get(FileKey(row.file)));
    if (owner.has_value()) return absl::DataLossError("the upload was committed already");
  }
  auto upload = std::make_shared<Upload>(parts, id, row.repository, UploadOptions());
  ASSIGN_OR_RETURN(upload->bytes_, UploadBytes::Restore(parts.bytes, row));
  upload->algorithm_ = upload->bytes_->algorithm();
  upload->started_nanos_ = row.started_nanos;
  upload->updated_nanos_ = row.updated_nanos;
  upload->checkpoint_nanos_ = 0;
  upload->checkpoint_bytes_ = upload->bytes_->size_bytes();
  upload->saved_ = true;
  upload->held = false;
  upload->NoteReceived();
  upload->DropBytesIfNone();
  return upload;
}

void Upload::NoteReceived() {
  CheckInvariant(bytes_ != nullptr, "who works on an upload has woken it");
  received_bytes_ = bytes_->size_bytes();
  file_ = bytes_->file();
}

void Upload::Wake() {
  if (bytes_ == nullptr) bytes_ = std::make_unique<UploadBytes>(parts_.bytes, algorithm_);
}

void Upload::Rest() {
  bytes_->Rest();
  DropBytesIfNone();
}

void Upload::DropBytesIfNone() {
  const FileId file = bytes_->file();
  const bool file_is_saved = saved_ && file != 0;
  if (bytes_->size_bytes() > 0 || file_is_saved) return;
  bytes_.reset();
  file_ = 0;
  parts_.blobs.Discard(file);  // room that was reserved and got no bytes
}

absl::Status Upload::Expect(uint64_t total_bytes) {
  const absl::Status expected = bytes_->Expect(total_bytes);
  NoteReceived();
  return expected;
}

absl::Status Upload::Append(std::string_view repository, std::string_view bytes) {
  const absl::Status appended = bytes_->Append(bytes);
  NoteReceived();
  RETURN_IF_ERROR(appended);
  updated_nanos_ = parts_.clock.WallNanos();
  const int64_t now = parts_.clock.MonotonicNanos();
  if (now - announced_nanos_ >= parts_.announce_nanos) {
    announced_nanos_ = now;
    parts_.participant.WhileUploading(repository, began_nanos_);
  }
  const bool is_due = bytes_->size_bytes() - checkpoint_bytes_ >= kUploadCheckpointBytes ||
                      now - checkpoint_nanos_ >= kUploadCheckpointNanos;
  return is_due && bytes_->file() != 0 ? Checkpoint() : absl::OkStatus();
}

void Upload::Restart() {
  const FileId file = bytes_->file();
  bytes_ = std::make_unique<UploadBytes>(parts_.bytes, algorithm_);
  checkpoint_bytes_ = 0;
  NoteReceived();
  DiscardSaved(file);
}

absl::Status Upload::Checkpoint(bool even_empty) {
  if (saved_ && checkpoint_bytes_ == bytes_->size_bytes()) return absl::OkStatus();
  if (!saved_ && bytes_->size_bytes() == 0 && !even_empty) return absl::OkStatus();
  if (bytes_->buffered().size() > kMaxBufferedInRow) RETURN_IF_ERROR(bytes_->Spill());
  NoteReceived();
  RETURN_IF_ERROR(bytes_->Sync(/*final=*/false));
  CheckInvariant(bytes_->file() == 0 || bytes_->buffered().empty(),
                 "the bytes of an upload are in one place");
  const UploadRow row{repository_,    started_nanos_,      updated_nanos_,
                      bytes_->file(), bytes_->HashState(), std::string(bytes_->buffered())};
  // Buffered: it acknowledges nothing that a power cut may not take back; the client then learns
  // from the upload's status where to go on.
  RETURN_IF_ERROR(
      parts_.index.Run([&](Transaction& txn) { return txn.Put(UploadKey(id_), row.Encode()); },
                       Durability::kBuffered));
  parts_.bytes.unnamed.Settle(bytes_->file());
  saved_ = true;
  checkpoint_bytes_ = bytes_->size_bytes();
  PutOffCheckpoint();
  return absl::OkStatus();
}

bool Upload::IsCheckpointDue(int64_t before_nanos) const {
  return received_bytes_ > 0 && checkpoint_nanos_ <= before_nanos &&
         !(saved_ && checkpoint_bytes_ == received_bytes_);
}

absl::Status Upload::CheckContent(const Digest& expected, std::optional<uint64_t> size_bytes) {
  const uint64_t received = bytes_->size_bytes();
  if (size_bytes.has_value() && *size_bytes != received) {
    return absl::InvalidArgumentError(
        StrCat("the upload has ", received, " bytes, not ", *size_bytes));
  }
  ASSIGN_OR_RETURN(const Digest digest, bytes_->DigestOf(expected.algorithm()));
  if (digest == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat("the ", received, " bytes received have the digest ",
                                           digest.ToString(), ", not ", expected.ToString()));
}

absl::StatusOr<BlobInfo> Upload::Commit(std::string_view repository, const Digest& expected,
                                        std::optional<uint64_t> size_bytes) {
  RETURN_IF_ERROR(CheckContent(expected, size_bytes));
  CommitParticipant& participant = parts_.participant;
  RETURN_IF_ERROR(participant.BeforeCommit(repository, expected));
  RETURN_IF_ERROR(bytes_->Sync(/*final=*/true));
  const NewBlob blob{expected, bytes_->size_bytes(), bytes_->file(), bytes_->buffered()};
  const auto also = [&](Transaction& txn) -> absl::Status {
    if (saved_) RETURN_IF_ERROR(txn.Delete(UploadKey(id_)));
    return participant.InCommit(txn, repository, expected);
  };
  absl::StatusOr<BlobInfo> committed = parts_.blobs.Commit(blob, also);
  while (absl::IsOutOfRange(committed.status())) {
    RETURN_IF_ERROR(participant.BeforeCommit(repository, expected));
    committed = parts_.blobs.Commit(blob, also);
  }
  if (committed.ok()) bytes_.reset();
  return committed;
}

void Upload::Discard() {
  CheckInvariant(bytes_ != nullptr, "an upload has its bytes until it ends");
  const FileId file = bytes_->file();
  bytes_.reset();
  DiscardSaved(file);
}

void Upload::DiscardSaved(FileId file) {
  std::function<absl::Status(Transaction&)> drop_row;
  if (std::exchange(saved_, false)) {
    drop_row = [this](Transaction& txn) { return txn.Delete(UploadKey(id_)); };
  }
  parts_.blobs.Discard(file, drop_row);
}

}  // namespace varve

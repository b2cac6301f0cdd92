#include "storage/blob/held_ingest.h"

#include <memory>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {

HeldIngest::~HeldIngest() {
  if (!upload_->gone) table_.LetGo(upload_);
}

IngestStatus HeldIngest::status() const {
  const uint64_t offset = upload_->bytes == nullptr ? 0 : upload_->bytes->size_bytes();
  return {upload_->id, offset, upload_->started_nanos, upload_->updated_nanos};
}

absl::Status HeldIngest::CheckOpen() const {
  if (!upload_->gone) return absl::OkStatus();
  return absl::FailedPreconditionError("the upload has ended; start a new one");
}

absl::Status HeldIngest::DropUnlessResumable(absl::Status status) {
  if (status.ok()) return status;
  if (absl::IsResourceExhausted(status) && !upload_->bytes->broken()) {
    IngestTable::NoteReceived(*upload_);
  } else {
    table_.Drop(upload_);
  }
  return status;
}

absl::Status HeldIngest::WithRoom(uint64_t wanted_bytes,
                                  const std::function<absl::Status()>& work) {
  for (;;) {
    absl::Status status = work();
    const bool lacks_room = absl::IsResourceExhausted(status) && !upload_->bytes->broken();
    if (!lacks_room || !table_.GiveWay(upload_->client, wanted_bytes)) {
      return DropUnlessResumable(std::move(status));
    }
  }
}

absl::Status HeldIngest::CheckSize(uint64_t more_bytes) {
  if (more_bytes <= kMaxBlobBytes - upload_->bytes->size_bytes()) return absl::OkStatus();
  table_.Drop(upload_);
  return absl::ResourceExhaustedError(StrCat("a blob may have at most ", kMaxBlobBytes, " bytes"));
}

absl::Status HeldIngest::Expect(uint64_t more_bytes) {
  RETURN_IF_ERROR(CheckOpen());
  const uint64_t have = upload_->bytes->size_bytes();
  RETURN_IF_ERROR(CheckSize(more_bytes));
  const uint64_t total = have + more_bytes;
  RETURN_IF_ERROR(WithRoom(total, [&] { return upload_->bytes->Expect(total); }));
  IngestTable::NoteReceived(*upload_);
  return absl::OkStatus();
}

absl::Status HeldIngest::Append(uint64_t offset, std::string_view bytes) {
  RETURN_IF_ERROR(CheckOpen());
  IngestBytes& received = *upload_->bytes;
  if (offset != received.size_bytes()) {
    return absl::OutOfRangeError(
        StrCat("the upload continues at offset ", received.size_bytes(), ", not ", offset));
  }
  RETURN_IF_ERROR(CheckSize(bytes.size()));
  RETURN_IF_ERROR(WithRoom(offset + bytes.size(), [&] {
    return received.Append(bytes.substr(received.size_bytes() - offset));
  }));
  upload_->updated_nanos = table_.parts_.clock.WallNanos();
  IngestTable::NoteReceived(*upload_);
  const int64_t now = table_.parts_.clock.MonotonicNanos();
  if (now - upload_->announced_nanos >= table_.parts_.announce_nanos) {
    upload_->announced_nanos = now;
    table_.parts_.observer.WhileUploading(repository_, upload_->began_nanos);
  }
  const bool is_due = received.size_bytes() - upload_->checkpoint_bytes >= kIngestCheckpointBytes ||
                      now - upload_->checkpoint_nanos >= kIngestCheckpointNanos;
  if (is_due && received.file() != 0) RETURN_IF_ERROR(Checkpoint());
  return absl::OkStatus();
}

absl::Status HeldIngest::Restart() {
  RETURN_IF_ERROR(CheckOpen());
  const FileId file = upload_->bytes->file();
  const DigestAlgorithm algorithm = upload_->bytes->algorithm();
  const bool saved = upload_->saved;
  upload_->bytes = std::make_unique<IngestBytes>(table_.BytesParts(), algorithm);
  upload_->checkpoint_bytes = 0;
  upload_->saved = false;
  IngestTable::NoteReceived(*upload_);
  if (file != 0 || saved) {
    table_.parts_.blobs.Discard(file, [&](Transaction& txn) {
      return saved ? txn.Delete(IngestKey(upload_->id)) : absl::OkStatus();
    });
  }
  return absl::OkStatus();
}

absl::Status HeldIngest::Checkpoint() {
  RETURN_IF_ERROR(CheckOpen());
  return WithRoom(upload_->bytes->size_bytes(), [&] { return table_.Checkpoint(*upload_); });
}

absl::Status HeldIngest::CheckContent(const Digest& expected, std::optional<uint64_t> size_bytes) {
  const uint64_t received = upload_->bytes->size_bytes();
  if (size_bytes.has_value() && *size_bytes != received) {
    return absl::InvalidArgumentError(
        StrCat("the upload has ", received, " bytes, not ", *size_bytes));
  }
  ASSIGN_OR_RETURN(const Digest digest, upload_->bytes->DigestOf(expected.algorithm()));
  if (digest == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat("the ", received, " bytes received have the digest ",
                                           digest.ToString(), ", not ", expected.ToString()));
}

absl::Status HeldIngest::CommitBytes(const Digest& expected, BlobInfo* info) {
  CommitObserver& observer = table_.parts_.observer;
  RETURN_IF_ERROR(observer.BeforeCommit(repository_, expected));
  RETURN_IF_ERROR(upload_->bytes->Sync(/*final=*/true));
  const IngestBytes& bytes = *upload_->bytes;
  const NewBlob blob{expected, bytes.size_bytes(), bytes.file(), bytes.buffered()};
  const bool saved = upload_->saved;
  const auto also = [&](Transaction& txn) -> absl::Status {
    if (saved) RETURN_IF_ERROR(txn.Delete(IngestKey(upload_->id)));
    return observer.InCommit(txn, repository_, expected);
  };
  absl::StatusOr<BlobInfo> committed = table_.parts_.blobs.Commit(blob, also);
  while (absl::IsOutOfRange(committed.status())) {
    RETURN_IF_ERROR(observer.BeforeCommit(repository_, expected));
    committed = table_.parts_.blobs.Commit(blob, also);
  }
  ASSIGN_OR_RETURN(*info, committed);
  return absl::OkStatus();
}

absl::StatusOr<BlobInfo> HeldIngest::Commit(const Digest& expected,
                                            std::optional<uint64_t> size_bytes) {
  RETURN_IF_ERROR(CheckOpen());
  RETURN_IF_ERROR(DropUnlessResumable(CheckContent(expected, size_bytes)));
  BlobInfo info;
  RETURN_IF_ERROR(
      WithRoom(upload_->bytes->size_bytes(), [&] { return CommitBytes(expected, &info); }));
  upload_->bytes.reset();
  table_.Forget(upload_);
  return info;
}

absl::Status HeldIngest::Abort() {
  RETURN_IF_ERROR(CheckOpen());
  table_.Drop(upload_);
  return absl::OkStatus();
}

}  // namespace varve

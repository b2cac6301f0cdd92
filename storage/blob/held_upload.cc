#include "storage/blob/held_upload.h"

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {

HeldUpload::~HeldUpload() {
  if (!ended_) table_.LetGo(upload_);
}

UploadStatus HeldUpload::status() const {
  return {upload_->id(), upload_->size_bytes(), upload_->started_nanos(), upload_->updated_nanos()};
}

absl::Status HeldUpload::CheckOpen() const {
  if (!ended_) return absl::OkStatus();
  return absl::FailedPreconditionError("the upload has ended; start a new one");
}

void HeldUpload::Drop() {
  table_.Drop(upload_);
  ended_ = true;
}

absl::Status HeldUpload::CheckSize(uint64_t more_bytes) {
  if (more_bytes <= kMaxBlobBytes - upload_->size_bytes()) return absl::OkStatus();
  Drop();
  return absl::ResourceExhaustedError(StrCat("a blob may have at most ", kMaxBlobBytes, " bytes"));
}

absl::Status HeldUpload::WithRoom(uint64_t wanted_bytes,
                                  const std::function<absl::Status()>& work) {
  for (;;) {
    absl::Status status = work();
    if (status.ok()) return status;
    if (!upload_->CanGoOnAfter(status)) {
      Drop();
      return status;
    }
    if (!table_.GiveWay(upload_->client, wanted_bytes)) return status;
  }
}

absl::Status HeldUpload::Expect(uint64_t more_bytes) {
  RETURN_IF_ERROR(CheckOpen());
  RETURN_IF_ERROR(CheckSize(more_bytes));
  const uint64_t total = upload_->size_bytes() + more_bytes;
  return WithRoom(total, [&] { return upload_->Expect(total); });
}

absl::Status HeldUpload::Append(uint64_t offset, std::string_view bytes) {
  RETURN_IF_ERROR(CheckOpen());
  if (offset != upload_->size_bytes()) {
    return absl::OutOfRangeError(
        StrCat("the upload continues at offset ", upload_->size_bytes(), ", not ", offset));
  }
  RETURN_IF_ERROR(CheckSize(bytes.size()));
  RETURN_IF_ERROR(WithRoom(offset + bytes.size(), [&] {
    return upload_->Append(repository_, bytes.substr(upload_->size_bytes() - offset));
  }));
  CheckInvariant(upload_->size_bytes() == offset + bytes.size(),
                 "an upload has received a piece, or says why not");
  return absl::OkStatus();
}

absl::Status HeldUpload::Restart() {
  RETURN_IF_ERROR(CheckOpen());
  upload_->Restart();
  return absl::OkStatus();
}

absl::Status HeldUpload::Checkpoint() {
  RETURN_IF_ERROR(CheckOpen());
  return WithRoom(upload_->size_bytes(), [&] { return upload_->Checkpoint(); });
}

absl::StatusOr<BlobInfo> HeldUpload::Commit(const Digest& expected,
                                            std::optional<uint64_t> size_bytes) {
  RETURN_IF_ERROR(CheckOpen());
  BlobInfo info;
  RETURN_IF_ERROR(WithRoom(upload_->size_bytes(), [&]() -> absl::Status {
    ASSIGN_OR_RETURN(info, upload_->Commit(repository_, expected, size_bytes));
    return absl::OkStatus();
  }));
  table_.Forget(upload_);
  ended_ = true;
  return info;
}

absl::Status HeldUpload::Abort() {
  RETURN_IF_ERROR(CheckOpen());
  Drop();
  return absl::OkStatus();
}

}  // namespace varve

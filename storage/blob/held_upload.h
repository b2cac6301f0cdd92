// The OpenUpload that a door holds: one upload of the table, exclusively. Not thread-safe.
#ifndef VARVE_STORAGE_BLOB_HELD_UPLOAD_H_
#define VARVE_STORAGE_BLOB_HELD_UPLOAD_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "storage/blob/upload_table.h"

namespace varve {

class HeldUpload final : public OpenUpload {
 public:
  // `repository`: as its holder calls it, for whom a commit makes the blob visible there.
  HeldUpload(UploadTable& table, std::shared_ptr<Upload> upload, std::string_view repository)
      : table_(table), upload_(std::move(upload)), repository_(repository) {}
  ~HeldUpload() override;

  UploadStatus status() const override;
  absl::Status Expect(uint64_t more_bytes) override;
  absl::Status Append(uint64_t offset, std::string_view bytes) override;
  absl::Status Restart() override;
  absl::Status Checkpoint() override;
  absl::StatusOr<BlobInfo> Commit(const Digest& expected,
                                  std::optional<uint64_t> size_bytes) override;
  absl::Status Abort() override;

 private:
  absl::Status CheckOpen() const;
  // Drops the upload if so many more bytes would be too many for any blob.
  absl::Status CheckSize(uint64_t more_bytes);
  // Does `work`, which needs room for `wanted_bytes` in all: when there is none, once more after
  // each upload that gives way. Drops the upload when it cannot go on after the error.
  absl::Status WithRoom(uint64_t wanted_bytes, const std::function<absl::Status()>& work);
  void Drop();

  UploadTable& table_;
  const std::shared_ptr<Upload> upload_;
  const std::string repository_;
  bool ended_ = false;
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_HELD_UPLOAD_H_

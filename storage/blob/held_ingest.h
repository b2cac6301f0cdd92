// The Ingest that a door holds: one upload of the table, exclusively. Not thread-safe.
#ifndef VARVE_STORAGE_BLOB_HELD_INGEST_H_
#define VARVE_STORAGE_BLOB_HELD_INGEST_H_

#include <optional>
#include <string_view>

#include "storage/blob/ingest_table.h"

namespace varve {

class HeldIngest final : public Ingest {
 public:
  HeldIngest(IngestTable& table, IngestTable::UploadPtr upload)
      : table_(table), upload_(std::move(upload)) {}
  ~HeldIngest() override;

  IngestStatus status() const override;
  absl::Status Expect(uint64_t more_bytes) override;
  absl::Status Append(uint64_t offset, std::string_view bytes) override;
  absl::Status Restart() override;
  absl::Status Checkpoint() override;
  absl::StatusOr<BlobInfo> Commit(const Digest& expected,
                                  std::optional<uint64_t> size_bytes) override;
  absl::Status Abort() override;

 private:
  absl::Status CheckOpen() const;
  // Passes `status` on; a write that failed ends the upload, for its bytes can no longer be
  // trusted.
  absl::Status DropUnlessOk(absl::Status status);
  absl::Status CheckContent(const Digest& expected, std::optional<uint64_t> size_bytes);

  IngestTable& table_;
  const IngestTable::UploadPtr upload_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_HELD_INGEST_H_

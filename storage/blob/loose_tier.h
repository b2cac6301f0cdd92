// Blobs kept as they were received, one file each. Thread-safe.
#ifndef VARVE_STORAGE_BLOB_LOOSE_TIER_H_
#define VARVE_STORAGE_BLOB_LOOSE_TIER_H_

#include <functional>
#include <string>

#include "storage/base/clock.h"
#include "storage/blob/blob_files.h"
#include "storage/blob/blob_tier.h"

namespace varve {

// What is wrong with the file of a loose blob, by what a look at it answered; "" when nothing is.
absl::StatusOr<std::string> FaultOfFile(const BlobRow& row, const absl::StatusOr<FileStat>& stat);

class LooseTier final : public BlobTier {
 public:
  LooseTier(Index& index, BlobFiles& files, Clock& clock)
      : index_(index), files_(files), clock_(clock) {}

  absl::StatusOr<std::string> FaultOf(const BlobRow& row) override;
  absl::StatusOr<Fault> Open(const Digest& digest, const BlobRow& row, BlobReader* reader) override;
  absl::StatusOr<Fault> ReadAll(const Digest& digest, const BlobRow& row, uint64_t limit_bytes,
                                std::string* bytes) override;
  absl::StatusOr<bool> Matches(const Digest& digest, const BlobRow& row,
                               const std::function<absl::Status()>& rest) override;
  absl::StatusOr<bool> IsKnownGood(const NewBlob& blob, const BlobRow& row) override;
  absl::Status Put(Transaction& txn, const NewBlob& blob) override;
  absl::StatusOr<FileId> Delete(Transaction& txn, const Digest& digest,
                                const BlobRow& row) override;
  BlobCopy Measure(const BlobRow& row) override;
  StoredBytes StoredBytesOf(const BlobRow& row) override;
  DiskUsage::Part& PartOf(DiskUsage& usage) override { return usage.loose; }
  bool is_in_index() const override { return false; }

 private:
  Index& index_;
  BlobFiles& files_;
  Clock& clock_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_LOOSE_TIER_H_

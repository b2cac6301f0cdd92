// Small blobs, kept in the index. Thread-safe.
#ifndef VARVE_STORAGE_BLOB_INLINE_TIER_H_
#define VARVE_STORAGE_BLOB_INLINE_TIER_H_

#include <functional>
#include <string>

#include "storage/blob/blob_tier.h"

namespace varve {

class InlineTier final : public BlobTier {
 public:
  explicit InlineTier(Index& index) : index_(index) {}

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
  DiskUsage::Part& PartOf(DiskUsage& usage) override { return usage.inlined; }
  bool is_in_index() const override { return true; }

 private:
  // NotFound when there are none; DataLoss when what the index gives back is damaged.
  absl::StatusOr<std::string> Read(const Digest& digest);

  Index& index_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_INLINE_TIER_H_

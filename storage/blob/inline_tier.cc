#include "storage/blob/inline_tier.h"

#include <memory>
#include <optional>
#include <utility>

#include "storage/base/status.h"
#include "storage/image/hasher.h"

namespace varve {

absl::StatusOr<std::string> InlineTier::Read(const Digest& digest) {
  ASSIGN_OR_RETURN(std::optional<std::string> value, index_.Get(InlineKey(digest)));
  if (!value.has_value()) return absl::NotFoundError("its bytes are not in the index");
  return DecodeInlineBytes(*std::move(value));
}

// One read of the index has found the row; a second one for the bytes finds little more.
absl::StatusOr<std::string> InlineTier::FaultOf(const BlobRow&) { return std::string(); }

absl::StatusOr<BlobTier::Fault> InlineTier::ReadAll(const Digest& digest, const BlobRow&, uint64_t,
                                                    std::string* bytes) {
  absl::StatusOr<std::string> read = Read(digest);
  if (absl::IsNotFound(read.status())) return Fault{std::string(read.status().message()), false};
  if (absl::IsDataLoss(read.status())) return Fault{"its bytes in the index are damaged", true};
  RETURN_IF_ERROR(read.status());
  *bytes = *std::move(read);
  return Fault();
}

absl::StatusOr<BlobTier::Fault> InlineTier::Open(const Digest& digest, const BlobRow& row,
                                                 BlobReader* reader) {
  std::string bytes;
  ASSIGN_OR_RETURN(Fault fault, ReadAll(digest, row, row.size_bytes, &bytes));
  reader->bytes = std::make_unique<BytesInMemory>(std::move(bytes));
  return fault;
}

absl::StatusOr<bool> InlineTier::Matches(const Digest& digest, const BlobRow&,
                                         const std::function<absl::Status()>& rest) {
  const absl::StatusOr<std::string> bytes = Read(digest);
  RETURN_IF_ERROR(rest());
  RETURN_IF_ERROR(bytes.status());
  return HashBytes(digest.algorithm(), *bytes) == digest;
}

absl::StatusOr<bool> InlineTier::IsKnownGood(const NewBlob& blob, const BlobRow&) {
  // Whatever is wrong with what the index gives back: the new bytes take its place.
  const absl::StatusOr<std::string> bytes = Read(blob.digest);
  return blob.file == 0 && bytes.ok() && *bytes == blob.inline_bytes;
}

absl::Status InlineTier::Put(Transaction& txn, const NewBlob& blob) {
  return txn.Put(InlineKey(blob.digest), EncodeInlineBytes(blob.inline_bytes));
}

absl::StatusOr<FileId> InlineTier::Delete(Transaction& txn, const Digest& digest, const BlobRow&) {
  RETURN_IF_ERROR(txn.Delete(InlineKey(digest)));
  return FileId{0};
}

BlobCopy InlineTier::Measure(const BlobRow& row) { return {row.size_bytes, row.size_bytes, 0, 0}; }

StoredBytes InlineTier::StoredBytesOf(const BlobRow& row) { return AsReceived(row.size_bytes); }

}  // namespace varve

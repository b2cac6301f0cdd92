#include "storage/blob/loose_tier.h"

#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/blob/removals.h"
#include "storage/image/hasher.h"
#include "storage/limits.h"

namespace varve {
namespace {

static_assert(kProofPieceBytes % kDirectAlignment == 0);

struct FreeMemory {
  void operator()(char* memory) const { std::free(memory); }
};

}  // namespace

absl::StatusOr<std::string> FaultOfFile(const BlobRow& row, const absl::StatusOr<FileStat>& stat) {
  if (absl::IsNotFound(stat.status())) {
    return StrCat("its file ", BlobFiles::Name(row.file), " is gone");
  }
  if (absl::IsDataLoss(stat.status())) {
    return StrCat("something else is in the place of its file ", BlobFiles::Name(row.file));
  }
  RETURN_IF_ERROR(stat.status());
  if (stat->size_bytes == row.size_bytes) return std::string();
  return StrCat("its file ", BlobFiles::Name(row.file), " has ", stat->size_bytes, " bytes, not ",
                row.size_bytes);
}

absl::StatusOr<std::string> LooseTier::FaultOf(const BlobRow& row) {
  return FaultOfFile(row, files_.Stat(row.file));
}

absl::StatusOr<BlobTier::Fault> LooseTier::Open(const Digest&, const BlobRow& row,
                                                BlobReader* reader) {
  absl::StatusOr<std::unique_ptr<ReadableFile>> file = files_.OpenForRead(row.file);
  const absl::StatusOr<FileStat> stat = file.ok() ? (*file)->Stat() : file.status();
  ASSIGN_OR_RETURN(std::string fault, FaultOfFile(row, stat));
  if (!fault.empty()) return Fault{std::move(fault), false};
  reader->bytes = *std::move(file);
  return Fault();
}

absl::StatusOr<BlobTier::Fault> LooseTier::ReadAll(const Digest& digest, const BlobRow& row,
                                                   uint64_t limit_bytes, std::string* bytes) {
  BlobReader reader;
  ASSIGN_OR_RETURN(Fault fault, Open(digest, row, &reader));
  if (!fault.text.empty()) return fault;
  if (row.size_bytes > limit_bytes) {
    return absl::ResourceExhaustedError(
        StrCat(digest.ToString(), " has ", row.size_bytes, " bytes, too many to read whole"));
  }
  bytes->resize(row.size_bytes);
  ASSIGN_OR_RETURN(const size_t read,
                   reader.bytes->ReadAt(0, absl::MakeSpan(bytes->data(), bytes->size())));
  if (read != bytes->size()) return Fault{"its file became shorter while it was read", false};
  // The index checks what it gives back; for a file that is in memory anyway this does.
  if (HashBytes(digest.algorithm(), *bytes) == digest) return Fault();
  return Fault{"its bytes are not those that its digest names", true};
}

absl::StatusOr<bool> LooseTier::Matches(const Digest& digest, const BlobRow& row,
                                        const std::function<absl::Status()>& rest) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> file, files_.OpenForRead(row.file));
  file->BypassPageCache();
  const std::unique_ptr<char, FreeMemory> piece(
      static_cast<char*>(std::aligned_alloc(kDirectAlignment, kProofPieceBytes)));
  if (piece == nullptr) return absl::UnavailableError("no memory to read a blob back");
  Hasher hasher(digest.algorithm());
  for (uint64_t offset = 0;; offset += kProofPieceBytes) {
    ASSIGN_OR_RETURN(const size_t size,
                     file->ReadAt(offset, absl::MakeSpan(piece.get(), kProofPieceBytes)));
    hasher.Update({piece.get(), size});
    RETURN_IF_ERROR(rest());
    if (size < kProofPieceBytes) break;
  }
  return hasher.bytes_hashed() == row.size_bytes && hasher.Current() == digest;
}

absl::StatusOr<bool> LooseTier::IsKnownGood(const NewBlob&, const BlobRow& row) {
  const int64_t age = clock_.WallNanos() - row.proven_nanos;
  const bool trusted = age >= 0 && age < kTrustProvenNanos;
  if (!trusted) return false;
  const absl::StatusOr<std::string> fault = FaultOf(row);
  if (!fault.ok() || !fault->empty()) return false;
  // A file without its row goes at the next start.
  ASSIGN_OR_RETURN(const std::optional<std::string> owner, index_.Get(FileKey(row.file)));
  return owner.has_value();
}

absl::Status LooseTier::Put(Transaction& txn, const NewBlob& blob) {
  std::string owner;
  blob.digest.AppendKey(&owner);
  return txn.Put(FileKey(blob.file), owner);
}

absl::StatusOr<FileId> LooseTier::Delete(Transaction& txn, const Digest&, const BlobRow& row) {
  RETURN_IF_ERROR(txn.Delete(FileKey(row.file)));
  RETURN_IF_ERROR(Removals::Stage(txn, row.file));
  return row.file;
}

BlobCopy LooseTier::Measure(const BlobRow& row) {
  const absl::StatusOr<FileStat> stat = files_.Stat(row.file);
  const uint64_t disk_bytes = stat.ok() ? stat->allocated_bytes : 0;
  return {row.size_bytes, disk_bytes, disk_bytes, row.file};
}

StoredBytes LooseTier::StoredBytesOf(const BlobRow& row) { return AsReceived(row.size_bytes); }

}  // namespace varve

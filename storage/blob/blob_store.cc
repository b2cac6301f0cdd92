#include "storage/blob/blob_store.h"

#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "storage/limits.h"

namespace varve {
namespace {

static_assert(kProofPieceBytes % kDirectAlignment == 0);

constexpr char kBlobCountCounter[] = "blobs";
constexpr char kBlobBytesCounter[] = "blob_bytes";
constexpr char kFoundDamaged[] = "it was found damaged";

absl::Status Absent(const Digest& digest) {
  return absl::NotFoundError(StrCat("blob ", digest.ToString(), " is not here"));
}

absl::Status Damaged(const Digest& digest) {
  return absl::NotFoundError(StrCat("the stored bytes of blob ", digest.ToString(),
                                    " are damaged, so that it counts as absent; push it again"));
}

struct FreeMemory {
  void operator()(char* memory) const { std::free(memory); }
};

absl::Status CheckReadable(const Digest& digest, const BlobRow& row) {
  if (row.tier != BlobRow::Tier::kPacked) return absl::OkStatus();
  return absl::UnavailableError(StrCat("blob ", digest.ToString(),
                                       " is packed, which this version cannot read; install a "
                                       "newer one"));
}

}  // namespace

absl::StatusOr<std::optional<BlobRow>> BlobStore::ReadRow(const Digest& digest) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value, parts_.index.Get(BlobKey(digest)));
  if (!value.has_value()) return std::nullopt;
  ASSIGN_OR_RETURN(BlobRow row, BlobRow::Decode(*value));
  RETURN_IF_ERROR(CheckReadable(digest, row));
  return row;
}

absl::StatusOr<std::string> BlobStore::ReadInline(const Digest& digest) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value, parts_.index.Get(InlineKey(digest)));
  if (!value.has_value()) return Absent(digest);
  return DecodeInlineBytes(*value);
}

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

absl::StatusOr<std::string> BlobStore::FaultOf(const BlobRow& row) {
  if (row.quarantined) return kFoundDamaged;
  if (row.tier == BlobRow::Tier::kInline) return std::string();
  return FaultOfFile(row, parts_.files.Stat(row.file));
}

absl::StatusOr<bool> BlobStore::IsDamaged(const Digest& digest, const BlobRow& faulty,
                                          std::string_view fault) {
  ASSIGN_OR_RETURN(const std::optional<BlobRow> row, ReadRow(digest));
  if (!row.has_value()) return false;
  BlobRow seen = faulty;
  seen.quarantined = row->quarantined;  // perhaps since
  if (!SameCopy(*row, seen)) return false;
  parts_.damage.Report(digest, fault);
  return true;
}

absl::StatusOr<std::optional<BlobRow>> BlobStore::Find(const Digest& digest) {
  for (;;) {
    ASSIGN_OR_RETURN(std::optional<BlobRow> row, ReadRow(digest));
    if (!row.has_value()) return row;
    ASSIGN_OR_RETURN(const std::string fault, FaultOf(*row));
    if (fault.empty()) return row;
    ASSIGN_OR_RETURN(const bool damaged, IsDamaged(digest, *row, fault));
    if (damaged) return std::nullopt;
  }
}

absl::StatusOr<std::vector<std::optional<BlobRow>>> BlobStore::FindMany(
    absl::Span<const Digest> digests) {
  std::vector<std::string> keys;
  keys.reserve(digests.size());
  for (const Digest& digest : digests) keys.push_back(BlobKey(digest));
  ASSIGN_OR_RETURN(const OptionalValues values, GetAll(parts_.index, keys));
  std::vector<std::optional<BlobRow>> found(digests.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (!values[i].has_value()) continue;
    ASSIGN_OR_RETURN(const BlobRow row, BlobRow::Decode(*values[i]));
    RETURN_IF_ERROR(CheckReadable(digests[i], row));
    const absl::StatusOr<std::string> fault = FaultOf(row);
    if (fault.ok() && fault->empty()) {
      found[i] = row;
    } else {
      ASSIGN_OR_RETURN(found[i], Find(digests[i]));  // unless it was replaced meanwhile
    }
  }
  return found;
}

absl::StatusOr<bool> BlobStore::UpdateCopy(const Digest& digest, const BlobRow& seen,
                                           const std::function<void(BlobRow&)>& change) {
  bool changed = false;
  // Lost in a power cut, it is found out again.
  RETURN_IF_ERROR(parts_.index.Run(
      [&](Transaction& txn) -> absl::Status {
        changed = false;
        ASSIGN_OR_RETURN(const std::optional<std::string> value,
                         txn.GetForUpdate(BlobKey(digest), Guard::kExclusive));
        if (!value.has_value()) return absl::OkStatus();
        ASSIGN_OR_RETURN(BlobRow row, BlobRow::Decode(*value));
        if (!SameCopy(row, seen)) return absl::OkStatus();
        changed = true;
        change(row);
        return txn.Put(BlobKey(digest), row.Encode());
      },
      Durability::kBuffered));
  return changed;
}

absl::StatusOr<bool> BlobStore::Quarantine(const Digest& digest, const BlobRow& bad) {
  return UpdateCopy(digest, bad, [](BlobRow& row) { row.quarantined = true; });
}

absl::StatusOr<std::string> BlobStore::OpenBytes(const Digest& digest, const BlobRow& row,
                                                 BlobReader* reader) {
  if (row.quarantined) return kFoundDamaged;
  if (row.tier == BlobRow::Tier::kInline) {
    absl::StatusOr<std::string> bytes = ReadInline(digest);
    if (absl::IsNotFound(bytes.status())) return "its bytes are not in the index";
    if (absl::IsDataLoss(bytes.status())) {
      RETURN_IF_ERROR(Quarantine(digest, row).status());
      return "its bytes in the index are damaged";
    }
    RETURN_IF_ERROR(bytes.status());
    reader->inline_bytes = *std::move(bytes);
    return std::string();
  }
  absl::StatusOr<std::unique_ptr<ReadableFile>> file = parts_.files.OpenForRead(row.file);
  if (!file.ok()) return FaultOfFile(row, file.status());
  reader->file = *std::move(file);
  return FaultOfFile(row, reader->file->Stat());
}

absl::StatusOr<BlobReader> BlobStore::Open(const Digest& digest) {
  ASSIGN_OR_RETURN(OpenCopy copy, OpenAnyCopy(digest));
  return std::move(copy.reader);
}

absl::StatusOr<BlobStore::OpenCopy> BlobStore::OpenAnyCopy(const Digest& digest) {
  for (;;) {
    ASSIGN_OR_RETURN(const std::optional<BlobRow> row, ReadRow(digest));
    if (!row.has_value()) return Absent(digest);
    OpenCopy copy{*row, {}};
    copy.reader.info = {digest, row->size_bytes, row->created_nanos};
    ASSIGN_OR_RETURN(const std::string fault, OpenBytes(digest, *row, &copy.reader));
    if (fault.empty()) return copy;
    ASSIGN_OR_RETURN(const bool damaged, IsDamaged(digest, *row, fault));
    if (damaged) return Damaged(digest);
  }
}

absl::StatusOr<std::string> BlobStore::ReadAll(const Digest& digest, uint64_t limit_bytes) {
  ASSIGN_OR_RETURN(OpenCopy copy, OpenAnyCopy(digest));
  BlobReader& reader = copy.reader;
  if (reader.file == nullptr) return std::move(reader.inline_bytes);
  if (reader.info.size_bytes > limit_bytes) {
    return absl::ResourceExhaustedError(StrCat(digest.ToString(), " has ", reader.info.size_bytes,
                                               " bytes, too many to read whole"));
  }
  std::string bytes(reader.info.size_bytes, '\0');
  ASSIGN_OR_RETURN(const size_t read,
                   reader.file->ReadAt(0, absl::MakeSpan(bytes.data(), bytes.size())));
  std::string_view fault = "its file became shorter while it was read";
  if (read == bytes.size()) {
    // The index checks what it gives back; for a file that is in memory anyway this does.
    if (HashBytes(digest.algorithm(), bytes) == digest) return bytes;
    fault = "its bytes are not those that its digest names";
    RETURN_IF_ERROR(Quarantine(digest, copy.row).status());
  }
  parts_.damage.Report(digest, fault);
  return Damaged(digest);
}

absl::StatusOr<BlobStore::Copy> BlobStore::LookAtCopy(const NewBlob& blob) {
  Copy seen;
  ASSIGN_OR_RETURN(seen.row, ReadRow(blob.digest));
  if (!seen.row.has_value() || seen.row->quarantined) return seen;
  if (seen.row->tier == BlobRow::Tier::kInline) {
    // Whatever is wrong with what the index gives back: the new bytes take its place.
    const absl::StatusOr<std::string> bytes = ReadInline(blob.digest);
    seen.known_good = blob.file == 0 && bytes.ok() && *bytes == blob.inline_bytes;
  } else {
    const int64_t age = parts_.clock.WallNanos() - seen.row->proven_nanos;
    const bool trusted = age >= 0 && age < kTrustProvenNanos;
    if (!trusted) return seen;
    const absl::StatusOr<std::string> fault = FaultOf(*seen.row);
    if (!fault.ok() || !fault->empty()) return seen;
    // A file without its row goes at the next start.
    ASSIGN_OR_RETURN(const std::optional<std::string> owner,
                     parts_.index.Get(FileKey(seen.row->file)));
    seen.known_good = owner.has_value();
  }
  return seen;
}

absl::StatusOr<BlobInfo> BlobStore::Commit(const NewBlob& blob,
                                           const std::function<absl::Status(Transaction&)>& also) {
  uint64_t copy_id = blob.file;
  if (copy_id == 0) {
    ASSIGN_OR_RETURN(copy_id, parts_.ids.Next());
  }
  // Before the transaction, which does no disk I/O.
  ASSIGN_OR_RETURN(const Copy seen, LookAtCopy(blob));
  const CountedChanges::Change change(changes_, 1, blob.size_bytes);
  Visible visible;
  RETURN_IF_ERROR(parts_.index.Run([&](Transaction& txn) -> absl::Status {
    ASSIGN_OR_RETURN(visible, MakeVisible(txn, blob, copy_id, seen));
    return also(txn);
  }));
  if (blob.file != 0) parts_.unnamed.Settle(blob.file);
  if (visible.added) parts_.space.Add(blob.size_bytes);
  // The file goes at the next Removals::Finish if it does not go now.
  if (visible.unlink != 0) parts_.removals.Unlink(visible.unlink).IgnoreError();
  return BlobInfo{blob.digest, visible.row.size_bytes, visible.row.created_nanos};
}

absl::StatusOr<BlobStore::Visible> BlobStore::MakeVisible(Transaction& txn, const NewBlob& blob,
                                                          uint64_t copy_id, const Copy& seen) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value,
                   txn.GetForUpdate(BlobKey(blob.digest), Guard::kExclusive));
  Visible visible;
  int64_t created = parts_.clock.WallNanos();
  if (value.has_value()) {
    ASSIGN_OR_RETURN(visible.row, BlobRow::Decode(*value));
    RETURN_IF_ERROR(CheckReadable(blob.digest, visible.row));
    // Another commit of the same content may have ended since: its bytes are as fresh as these.
    const bool as_seen = seen.row.has_value() && SameCopy(visible.row, *seen.row);
    const bool stays = as_seen ? seen.known_good : !visible.row.quarantined;
    if (stays) {
      visible.unlink = blob.file;
      if (blob.file != 0) RETURN_IF_ERROR(Removals::Stage(txn, blob.file));
      return visible;
    }
    created = visible.row.created_nanos;
    ASSIGN_OR_RETURN(visible.unlink, Remove(txn, blob.digest, visible.row));
    RETURN_IF_ERROR(Count(txn, -1, -static_cast<int64_t>(visible.row.size_bytes)));
  }
  visible.added = !value.has_value();
  visible.row = BlobRow();
  visible.row.tier = blob.file == 0 ? BlobRow::Tier::kInline : BlobRow::Tier::kLoose;
  visible.row.size_bytes = blob.size_bytes;
  visible.row.file = blob.file;
  visible.row.created_nanos = created;
  visible.row.copy = copy_id;
  RETURN_IF_ERROR(txn.Put(BlobKey(blob.digest), visible.row.Encode()));
  if (blob.file == 0) {
    RETURN_IF_ERROR(txn.Put(InlineKey(blob.digest), EncodeInlineBytes(blob.inline_bytes)));
  } else {
    std::string owner;
    blob.digest.AppendKey(&owner);
    RETURN_IF_ERROR(txn.Put(FileKey(blob.file), owner));
  }
  RETURN_IF_ERROR(Count(txn, 1, static_cast<int64_t>(blob.size_bytes)));
  // Whoever does not name the blob within its promise loses it.
  const int64_t not_before = parts_.clock.WallNanos() + parts_.promise_nanos;
  RETURN_IF_ERROR(txn.Put(CondemnedKey(not_before, blob.digest), ""));
  return visible;
}

absl::StatusOr<bool> BlobStore::LooseBytesMatch(const Digest& digest, const BlobRow& row,
                                                const std::function<absl::Status()>& rest) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> file, parts_.files.OpenForRead(row.file));
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

absl::StatusOr<BlobStore::Proof> BlobStore::Prove(const Digest& digest, const BlobRow& row,
                                                  const std::function<absl::Status()>& rest) {
  absl::StatusOr<bool> matches = true;
  if (row.tier == BlobRow::Tier::kInline) {
    const absl::StatusOr<std::string> bytes = ReadInline(digest);
    matches = bytes.ok() ? absl::StatusOr<bool>(HashBytes(digest.algorithm(), *bytes) == digest)
                         : bytes.status();
    RETURN_IF_ERROR(rest());
  } else {
    RETURN_IF_ERROR(CheckReadable(digest, row));
    matches = LooseBytesMatch(digest, row, rest);
  }
  if (absl::IsNotFound(matches.status()) || absl::IsDataLoss(matches.status())) matches = false;
  if (absl::IsUnavailable(matches.status()) && row.proven_nanos != 0) {
    // What the disk does not give now was not proven for a push that brings the bytes.
    RETURN_IF_ERROR(
        UpdateCopy(digest, row, [](BlobRow& unread) { unread.proven_nanos = 0; }).status());
  }
  RETURN_IF_ERROR(matches.status());
  const int64_t now = parts_.clock.WallNanos();
  ASSIGN_OR_RETURN(
      const bool same,
      *matches ? UpdateCopy(digest, row, [now](BlobRow& proven) { proven.proven_nanos = now; })
               : Quarantine(digest, row));
  if (!same) return Proof::kChanged;
  return *matches ? Proof::kGood : Proof::kBad;
}

absl::StatusOr<FileId> BlobStore::Remove(Transaction& txn, const Digest& digest,
                                         const BlobRow& row) {
  RETURN_IF_ERROR(txn.Delete(BlobKey(digest)));
  if (row.tier == BlobRow::Tier::kInline) {
    RETURN_IF_ERROR(txn.Delete(InlineKey(digest)));
    return FileId{0};
  }
  RETURN_IF_ERROR(txn.Delete(FileKey(row.file)));
  RETURN_IF_ERROR(Removals::Stage(txn, row.file));
  return row.file;
}

absl::Status BlobStore::Count(Transaction& txn, int64_t blobs, int64_t bytes) {
  RETURN_IF_ERROR(txn.Add(CounterKey(kBlobCountCounter), blobs));
  return txn.Add(CounterKey(kBlobBytesCounter), bytes);
}

absl::StatusOr<BlobStore::NewBlob> BlobStore::Stage(const Digest& digest, std::string_view bytes) {
  NewBlob blob{digest, bytes.size(), 0, {}};
  // Only asked whether there is room: the commit takes it.
  RETURN_IF_ERROR(parts_.space.Take(bytes.size()));
  parts_.space.Release(bytes.size());
  if (bytes.size() <= kMaxInlineBlobBytes) {
    blob.inline_bytes = bytes;
    return blob;
  }
  ASSIGN_OR_RETURN(const UnnamedFiles::NewFile created, parts_.unnamed.Create(parts_.files));
  blob.file = created.id;
  absl::Status status = created.file->WriteAt(0, bytes);
  if (status.ok()) status = created.file->Sync();
  if (status.ok()) status = parts_.files.SyncEntry(blob.file);
  if (!status.ok()) {
    Discard(blob.file);
    return status;
  }
  return blob;
}

void BlobStore::Discard(FileId file, const std::function<absl::Status(Transaction&)>& also) {
  bool named = false;
  const absl::Status staged = parts_.index.Run(
      [&](Transaction& txn) -> absl::Status {
        if (also != nullptr) RETURN_IF_ERROR(also(txn));
        if (file == 0) return absl::OkStatus();
        ASSIGN_OR_RETURN(const std::optional<std::string> owner,
                         txn.GetForUpdate(FileKey(file), Guard::kExclusive));
        named = owner.has_value();
        return named ? absl::OkStatus() : Removals::Stage(txn, file);
      },
      Durability::kBuffered);
  if (file == 0) return;
  if (!staged.ok()) {
    MutexLock lock(mutex_);
    leftovers_.push_back(file);
    return;
  }
  if (!named) parts_.removals.Unlink(file).IgnoreError();
  parts_.unnamed.Settle(file);
}

void BlobStore::DiscardLeftovers() {
  std::vector<FileId> files;
  {
    MutexLock lock(mutex_);
    files.swap(leftovers_);
  }
  for (const FileId file : files) Discard(file);
}

}  // namespace varve

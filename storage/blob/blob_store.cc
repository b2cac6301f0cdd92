#include "storage/blob/blob_store.h"

#include <memory>
#include <utility>
#include <vector>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/index/batch_reads.h"
#include "storage/limits.h"

namespace varve {
namespace {

// A commit looks again when another one of the same digest overtook it; each look means that
// somebody else's commit succeeded.
constexpr int kMaxCommitAttempts = 64;

constexpr char kBlobCountCounter[] = "blobs";
constexpr char kBlobBytesCounter[] = "blob_bytes";

absl::Status Absent(const Digest& digest) {
  return absl::NotFoundError(StrCat("blob ", digest.ToString(), " is not here; push it"));
}

}  // namespace

absl::StatusOr<std::optional<BlobRow>> BlobStore::ReadRow(const Digest& digest) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value, parts_.index.Get(BlobKey(digest)));
  if (!value.has_value()) return std::nullopt;
  ASSIGN_OR_RETURN(BlobRow row, BlobRow::Decode(*value));
  return row;
}

bool BlobStore::BytesAreThere(const BlobRow& row) {
  if (row.quarantined) return false;
  if (row.tier == BlobRow::Tier::kInline) return true;
  const absl::StatusOr<FileStat> stat = parts_.files.Stat(row.file);
  return stat.ok() && stat->size_bytes == row.size_bytes;
}

absl::StatusOr<std::optional<BlobRow>> BlobStore::Find(const Digest& digest) {
  ASSIGN_OR_RETURN(std::optional<BlobRow> row, ReadRow(digest));
  if (row.has_value() && !BytesAreThere(*row)) return std::nullopt;
  return row;
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
    if (BytesAreThere(row)) found[i] = row;
  }
  return found;
}

absl::Status BlobStore::Quarantine(const Digest& digest, const BlobRow& bad) {
  return parts_.index.Run([&](Transaction& txn) -> absl::Status {
    ASSIGN_OR_RETURN(const std::optional<std::string> value,
                     txn.GetForUpdate(BlobKey(digest), Guard::kExclusive));
    if (!value.has_value()) return absl::OkStatus();
    ASSIGN_OR_RETURN(BlobRow row, BlobRow::Decode(*value));
    if (!SameCopy(row, bad)) return absl::OkStatus();  // replaced meanwhile
    row.quarantined = true;
    return txn.Put(BlobKey(digest), row.Encode());
  });
}

absl::StatusOr<BlobReader> BlobStore::Open(const Digest& digest) {
  FileId missing = 0;
  for (;;) {
    ASSIGN_OR_RETURN(const std::optional<BlobRow> row, ReadRow(digest));
    if (!row.has_value() || row->quarantined) return Absent(digest);
    BlobReader reader;
    reader.info = {digest, row->size_bytes, row->created_nanos};
    if (row->tier == BlobRow::Tier::kInline) {
      ASSIGN_OR_RETURN(const std::optional<std::string> value, parts_.index.Get(InlineKey(digest)));
      if (!value.has_value()) return Absent(digest);
      absl::StatusOr<std::string> bytes = DecodeInlineBytes(*value);
      if (absl::IsDataLoss(bytes.status())) {
        RETURN_IF_ERROR(Quarantine(digest, *row));
        return Absent(digest);
      }
      RETURN_IF_ERROR(bytes.status());
      reader.inline_bytes = *std::move(bytes);
      return reader;
    }
    // A file that is gone was replaced or removed after its row was read: read the row again. The
    // same row twice means that the disk lost the file; a push of the digest heals that.
    absl::StatusOr<std::unique_ptr<ReadableFile>> file = parts_.files.OpenForRead(row->file);
    if (absl::IsNotFound(file.status())) {
      if (missing == row->file) return Absent(digest);
      missing = row->file;
      continue;
    }
    RETURN_IF_ERROR(file.status());
    ASSIGN_OR_RETURN(const FileStat stat, (*file)->Stat());
    if (stat.size_bytes != row->size_bytes) return Absent(digest);
    reader.file = *std::move(file);
    return reader;
  }
}

absl::StatusOr<std::string> BlobStore::ReadAll(const Digest& digest, uint64_t limit_bytes) {
  ASSIGN_OR_RETURN(BlobReader reader, Open(digest));
  if (reader.file == nullptr) return std::move(reader.inline_bytes);
  if (reader.info.size_bytes > limit_bytes) {
    return absl::ResourceExhaustedError(StrCat(digest.ToString(), " has ", reader.info.size_bytes,
                                               " bytes, too many to read whole"));
  }
  std::string bytes(reader.info.size_bytes, '\0');
  ASSIGN_OR_RETURN(const size_t read,
                   reader.file->ReadAt(0, absl::MakeSpan(bytes.data(), bytes.size())));
  if (read != bytes.size()) return Absent(digest);
  return bytes;
}

absl::StatusOr<BlobInfo> BlobStore::Commit(const NewBlob& blob,
                                           const std::function<absl::Status(Transaction&)>& also) {
  const CountedChanges::Change change(changes_, 1, blob.size_bytes);
  Visible visible;
  absl::Status status;
  for (int attempt = 0; attempt < kMaxCommitAttempts; ++attempt) {
    // Looked at before the transaction, which compares the row again: transactions do no disk I/O.
    Copy copy;
    ASSIGN_OR_RETURN(copy.row, ReadRow(blob.digest));
    copy.good = copy.row.has_value() && BytesAreThere(*copy.row);
    status = parts_.index.Run([&](Transaction& txn) -> absl::Status {
      ASSIGN_OR_RETURN(visible, MakeVisible(txn, blob, copy, visible));
      return also(txn);
    });
    if (!absl::IsAborted(status)) break;
  }
  RETURN_IF_ERROR(status);
  if (blob.file != 0) parts_.unnamed.Settle(blob.file);
  if (visible.added) parts_.space.Add(blob.size_bytes);
  // The file goes at the next Removals::Finish if it does not go now.
  if (visible.unlink != 0) parts_.removals.Unlink(visible.unlink).IgnoreError();
  return BlobInfo{blob.digest, visible.row.size_bytes, visible.row.created_nanos};
}

absl::StatusOr<BlobStore::Visible> BlobStore::MakeVisible(Transaction& txn, const NewBlob& blob,
                                                          const Copy& copy, const Visible& before) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value,
                   txn.GetForUpdate(BlobKey(blob.digest), Guard::kExclusive));
  Visible visible;
  int64_t created = parts_.clock.WallNanos();
  if (value.has_value()) {
    ASSIGN_OR_RETURN(visible.row, BlobRow::Decode(*value));
    // The run before was committed after all: what it owes afterwards is still to be done.
    const bool repeated = before.written && SameCopy(visible.row, before.row) &&
                          visible.row.created_nanos == before.row.created_nanos;
    if (repeated) return before;
    if (!copy.row.has_value() || !SameCopy(visible.row, *copy.row)) {
      return absl::AbortedError("another push of the same content is being committed; try again");
    }
    if (copy.good) {
      visible.unlink = blob.file;
      if (blob.file != 0) RETURN_IF_ERROR(Removals::Stage(txn, blob.file));
      return visible;
    }
    created = visible.row.created_nanos;
    ASSIGN_OR_RETURN(visible.unlink, Remove(txn, blob.digest, visible.row));
  }
  visible.written = true;
  visible.added = !value.has_value();
  visible.row = {blob.file == 0 ? BlobRow::Tier::kInline : BlobRow::Tier::kLoose, false,
                 blob.size_bytes, blob.file, created};
  RETURN_IF_ERROR(txn.Put(BlobKey(blob.digest), visible.row.Encode()));
  if (blob.file == 0) {
    RETURN_IF_ERROR(txn.Put(InlineKey(blob.digest), EncodeInlineBytes(blob.inline_bytes)));
  } else {
    std::string owner;
    blob.digest.AppendKey(&owner);
    RETURN_IF_ERROR(txn.Put(FileKey(blob.file), owner));
  }
  RETURN_IF_ERROR(txn.Add(CounterKey(kBlobCountCounter), 1));
  RETURN_IF_ERROR(txn.Add(CounterKey(kBlobBytesCounter), static_cast<int64_t>(blob.size_bytes)));
  // Whoever does not name the blob within its promise loses it.
  const int64_t not_before = parts_.clock.WallNanos() + parts_.promise_nanos;
  RETURN_IF_ERROR(txn.Put(CondemnedKey(not_before, blob.digest), ""));
  return visible;
}

absl::StatusOr<FileId> BlobStore::Remove(Transaction& txn, const Digest& digest,
                                         const BlobRow& row) {
  RETURN_IF_ERROR(txn.Delete(BlobKey(digest)));
  RETURN_IF_ERROR(txn.Add(CounterKey(kBlobCountCounter), -1));
  RETURN_IF_ERROR(txn.Add(CounterKey(kBlobBytesCounter), -static_cast<int64_t>(row.size_bytes)));
  if (row.tier == BlobRow::Tier::kInline) {
    RETURN_IF_ERROR(txn.Delete(InlineKey(digest)));
    return FileId{0};
  }
  RETURN_IF_ERROR(txn.Delete(FileKey(row.file)));
  RETURN_IF_ERROR(Removals::Stage(txn, row.file));
  return row.file;
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

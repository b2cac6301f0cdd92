#include "storage/blob/blob_store.h"

#include <memory>
#include <utility>
#include <vector>

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

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

}  // namespace

absl::StatusOr<BlobTier*> BlobStore::TierOf(const Digest& digest, const BlobRow& row) {
  switch (row.tier) {
    case BlobRow::Tier::kInline:
      return &inline_;
    case BlobRow::Tier::kLoose:
      return &loose_;
    case BlobRow::Tier::kPacked:
      break;
  }
  return absl::UnavailableError(StrCat("blob ", digest.ToString(),
                                       " is packed, which this version cannot read; install a "
                                       "newer one"));
}

absl::StatusOr<std::optional<BlobRow>> BlobStore::ReadRow(const Digest& digest) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value, parts_.index.Get(BlobKey(digest)));
  if (!value.has_value()) return std::nullopt;
  return BlobRow::Decode(*value);
}

absl::StatusOr<std::string> BlobStore::FaultOf(const Digest& digest, const BlobRow& row) {
  ASSIGN_OR_RETURN(BlobTier* const tier, TierOf(digest, row));
  if (row.quarantined) return kFoundDamaged;
  return tier->FaultOf(row);
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
    ASSIGN_OR_RETURN(const std::string fault, FaultOf(digest, *row));
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
    const absl::StatusOr<std::string> fault = FaultOf(digests[i], row);
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

template <typename Read>
absl::StatusOr<BlobRow> BlobStore::ReadCopy(const Digest& digest, const Read& read) {
  for (;;) {
    ASSIGN_OR_RETURN(std::optional<BlobRow> row, ReadRow(digest));
    if (!row.has_value()) return Absent(digest);
    ASSIGN_OR_RETURN(BlobTier* const tier, TierOf(digest, *row));
    BlobTier::Fault fault{kFoundDamaged, false};
    if (!row->quarantined) {
      ASSIGN_OR_RETURN(fault, read(*tier, *row));
      if (fault.text.empty()) return *std::move(row);
    }
    if (fault.is_of_bytes) RETURN_IF_ERROR(Quarantine(digest, *row).status());
    ASSIGN_OR_RETURN(const bool damaged, IsDamaged(digest, *row, fault.text));
    if (damaged) return Damaged(digest);
  }
}

absl::StatusOr<BlobReader> BlobStore::Open(const Digest& digest) {
  BlobReader reader;
  ASSIGN_OR_RETURN(const BlobRow row, ReadCopy(digest, [&](BlobTier& tier, const BlobRow& copy) {
                     return tier.Open(digest, copy, &reader);
                   }));
  reader.info = {digest, row.size_bytes, row.created_nanos};
  return reader;
}

absl::StatusOr<std::string> BlobStore::ReadAll(const Digest& digest, uint64_t limit_bytes) {
  std::string bytes;
  RETURN_IF_ERROR(ReadCopy(digest, [&](BlobTier& tier, const BlobRow& copy) {
                    return tier.ReadAll(digest, copy, limit_bytes, &bytes);
                  }).status());
  return bytes;
}

absl::StatusOr<BlobStore::Copy> BlobStore::LookAtCopy(const NewBlob& blob) {
  Copy seen;
  ASSIGN_OR_RETURN(seen.row, ReadRow(blob.digest));
  if (!seen.row.has_value()) return seen;
  ASSIGN_OR_RETURN(BlobTier* const tier, TierOf(blob.digest, *seen.row));
  if (seen.row->quarantined) return seen;
  ASSIGN_OR_RETURN(seen.known_good, tier->IsKnownGood(blob, *seen.row));
  return seen;
}

absl::StatusOr<BlobInfo> BlobStore::Commit(const NewBlob& blob,
                                           const std::function<absl::Status(Transaction&)>& also) {
  CheckInvariant(blob.inline_bytes.size() == (blob.file == 0 ? blob.size_bytes : 0),
                 "the bytes of a new blob are in one place");
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
  parts_.unnamed.Settle(blob.file);
  parts_.space.Add(visible.more);
  // The file goes at the next Removals::Finish if it does not go now.
  parts_.removals.Unlink(visible.unlink).IgnoreError();
  return BlobInfo{blob.digest, visible.row.size_bytes, visible.row.created_nanos};
}

absl::StatusOr<BlobStore::Visible> BlobStore::MakeVisible(Transaction& txn, const NewBlob& blob,
                                                          uint64_t copy_id, const Copy& seen) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value,
                   txn.GetForUpdate(BlobKey(blob.digest), Guard::kExclusive));
  Visible visible;
  int64_t created = parts_.clock.WallNanos();
  Removed before;
  if (value.has_value()) {
    ASSIGN_OR_RETURN(visible.row, BlobRow::Decode(*value));
    // Another commit of the same content may have ended since: its bytes are as fresh as these.
    const bool as_seen = seen.row.has_value() && SameCopy(visible.row, *seen.row);
    const bool stays = as_seen ? seen.known_good : !visible.row.quarantined;
    // A file that is given back to the blob that names it (Orphans::Adopt) is no other copy: its
    // own row is written again, and nothing of it goes.
    const bool same_file = blob.file != 0 && visible.row.file == blob.file;
    if (stays && !same_file) {
      visible.unlink = blob.file;
      RETURN_IF_ERROR(Removals::Stage(txn, blob.file));
      return visible;
    }
    created = visible.row.created_nanos;
    if (same_file) {
      ASSIGN_OR_RETURN(BlobTier* const tier, TierOf(blob.digest, visible.row));
      before.bytes = tier->StoredBytesOf(visible.row);
    } else {
      ASSIGN_OR_RETURN(before, Remove(txn, blob.digest, visible.row));
      visible.unlink = before.unlink;
    }
  }
  CheckInvariant(copy_id != 0, "each copy of a blob has a number");
  visible.row = BlobRow();
  visible.row.tier = blob.tier();
  visible.row.size_bytes = blob.size_bytes;
  visible.row.file = blob.file;
  visible.row.created_nanos = created;
  visible.row.copy = copy_id;
  RETURN_IF_ERROR(txn.Put(BlobKey(blob.digest), visible.row.Encode()));
  ASSIGN_OR_RETURN(BlobTier* const tier, TierOf(blob.digest, visible.row));
  RETURN_IF_ERROR(tier->Put(txn, blob));
  const StoredBytes now = tier->StoredBytesOf(visible.row);
  visible.more = {now.logical - before.bytes.logical, now.physical - before.bytes.physical};
  RETURN_IF_ERROR(
      Count(txn, value.has_value() ? 0 : 1, static_cast<int64_t>(visible.more.logical)));
  // Whoever does not name the blob within its promise loses it.
  const int64_t not_before = parts_.clock.WallNanos() + parts_.promise_nanos;
  RETURN_IF_ERROR(txn.Put(CondemnedKey(not_before, blob.digest), ""));
  return visible;
}

absl::StatusOr<BlobStore::Proof> BlobStore::Prove(const Digest& digest, const BlobRow& row,
                                                  const std::function<absl::Status()>& rest) {
  ASSIGN_OR_RETURN(BlobTier* const tier, TierOf(digest, row));
  absl::StatusOr<bool> matches = tier->Matches(digest, row, rest);
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

absl::StatusOr<BlobStore::Removed> BlobStore::Remove(Transaction& txn, const Digest& digest,
                                                     const BlobRow& row) {
  ASSIGN_OR_RETURN(BlobTier* const tier, TierOf(digest, row));
  RETURN_IF_ERROR(txn.Delete(BlobKey(digest)));
  ASSIGN_OR_RETURN(const FileId unlink, tier->Delete(txn, digest, row));
  return Removed{unlink, tier->StoredBytesOf(row)};
}

uint64_t BlobStore::FreedBytes(const BlobCopy& copy) {
  if (copy.disk_bytes == 0) return 0;
  return absl::IsNotFound(parts_.files.Stat(copy.file).status()) ? copy.disk_bytes : 0;
}

absl::Status BlobStore::Count(Transaction& txn, int64_t blobs, int64_t bytes) {
  if (blobs != 0) RETURN_IF_ERROR(txn.Add(CounterKey(kBlobCountCounter), blobs));
  return bytes == 0 ? absl::OkStatus() : txn.Add(CounterKey(kBlobBytesCounter), bytes);
}

absl::StatusOr<NewBlob> BlobStore::Stage(const Digest& digest, std::string_view bytes) {
  NewBlob blob{digest, bytes.size(), 0, {}};
  // Only asked whether there is room: the commit takes it.
  RETURN_IF_ERROR(parts_.space.Take(bytes.size()));
  parts_.space.Release(AsReceived(bytes.size()));
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
  if (file == 0 && also == nullptr) return;
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

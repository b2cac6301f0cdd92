#include "storage/blob/orphans.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr size_t kPageRows = 256;
constexpr size_t kReadBytes = kMiB;

absl::StatusOr<bool> HasRow(Index& index, const std::string& key) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value, index.Get(key));
  return value.has_value();
}

// By every algorithm that a digest may have.
absl::StatusOr<std::vector<Digest>> HashFile(BlobFiles& files, FileId file, uint64_t size_bytes) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> reader, files.OpenForRead(file));
  Hasher sha256(DigestAlgorithm::kSha256);
  Hasher sha512(DigestAlgorithm::kSha512);
  std::string buffer(kReadBytes, '\0');
  for (uint64_t offset = 0; offset < size_bytes;) {
    ASSIGN_OR_RETURN(const size_t read,
                     reader->ReadAt(offset, absl::MakeSpan(buffer.data(), buffer.size())));
    if (read == 0) break;
    const std::string_view bytes(buffer.data(), read);
    sha256.Update(bytes);
    sha512.Update(bytes);
    offset += read;
  }
  return std::vector<Digest>{sha256.Current(), sha512.Current()};
}

}  // namespace

absl::StatusOr<FileId> SavedLowWater(Index& index) {
  ASSIGN_OR_RETURN(const std::optional<std::string> saved, index.Get(MetaKey("low_water")));
  if (!saved.has_value()) return FileId{1};
  return DecodeNumber(*saved);
}

absl::StatusOr<std::vector<FileId>> FindUnnamedFiles(Index& index, BlobFiles& files, FileId first,
                                                     FileId end,
                                                     const absl::flat_hash_set<FileId>& uploads) {
  ASSIGN_OR_RETURN(std::vector<FileId> found, files.List(first, end));
  std::vector<FileId> unnamed;
  for (const FileId file : found) {
    if (uploads.contains(file)) continue;
    bool named = false;
    for (const std::string& key : {FileKey(file), RemovingKey(file), OrphanKey(file)}) {
      ASSIGN_OR_RETURN(const bool there, HasRow(index, key));
      named = named || there;
    }
    if (!named) unnamed.push_back(file);
  }
  return unnamed;
}

void Orphans::Count(const OrphanRow& row, int sign) {
  const uint64_t bytes = row.size_bytes;
  if (sign > 0) {
    parts_.space.AddOrphan(bytes);
  } else {
    parts_.space.ReleaseOrphan(bytes);
  }
  MutexLock lock(mutex_);
  usage_.count += static_cast<uint64_t>(sign);
  usage_.logical_bytes += static_cast<uint64_t>(sign) * bytes;
  usage_.disk_bytes += static_cast<uint64_t>(sign) * row.disk_bytes;
}

DiskUsage::Part Orphans::Usage() const {
  MutexLock lock(mutex_);
  return usage_;
}

absl::Status Orphans::Visit(const std::function<absl::StatusOr<bool>(const Orphan&)>& visit) {
  return WalkRows(parts_.index, OrphanPrefix(), kPageRows,
                  [&](const KeyValue& row) -> absl::StatusOr<bool> {
                    Orphan orphan;
                    if (!ParseOrphanKey(row.key, &orphan.file)) {
                      return absl::DataLossError("the key of an orphan row is damaged");
                    }
                    ASSIGN_OR_RETURN(orphan.row, OrphanRow::Decode(row.value));
                    return visit(orphan);
                  });
}

absl::Status Orphans::Load() {
  return Visit([&](const Orphan& orphan) -> absl::StatusOr<bool> {
    Count(orphan.row, 1);
    return true;
  });
}

absl::StatusOr<Orphans::Settled> Orphans::SettleUnnamed(IdAllocator& ids, FileId reserved,
                                                        const absl::flat_hash_set<FileId>& uploads,
                                                        bool lost_rows) {
  ASSIGN_OR_RETURN(const FileId low_water, SavedLowWater(parts_.index));
  ASSIGN_OR_RETURN(const FileId end, parts_.files.EndOfRanges());
  ASSIGN_OR_RETURN(std::vector<FileId> unnamed,
                   FindUnnamedFiles(parts_.index, parts_.files, low_water, end, uploads));
  // An id is reserved before its directory and its file are made: an index that has reserved less
  // is older than they are.
  Settled settled;
  settled.went_back = end >= reserved + kFilesPerDirectory ||
                      std::any_of(unnamed.begin(), unnamed.end(),
                                  [reserved](FileId file) { return file >= reserved; });
  if (!settled.went_back && !lost_rows) {
    // Before the low-water mark passes them: a file that came back below it would never be found.
    RETURN_IF_ERROR(parts_.removals.RemoveUnnamed({unnamed.begin(), unnamed.end()}));
    return settled;
  }
  RETURN_IF_ERROR(Keep(unnamed));
  settled.kept = unnamed.size();
  if (settled.went_back) RETURN_IF_ERROR(ids.RaiseTo(end));
  return settled;
}

absl::Status Orphans::Keep(const std::vector<FileId>& files) {
  for (const FileId file : files) {
    ASSIGN_OR_RETURN(const FileStat stat, parts_.files.Stat(file));
    {
      // What was reserved for the rest of an upload goes back to the disk.
      ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> writer, parts_.files.OpenForWrite(file));
      RETURN_IF_ERROR(writer->Truncate(stat.size_bytes));
    }
    ASSIGN_OR_RETURN(const FileStat cut, parts_.files.Stat(file));
    const OrphanRow row = {cut.size_bytes, cut.allocated_bytes, parts_.clock.WallNanos()};
    RETURN_IF_ERROR(
        parts_.index.Run([&](Transaction& txn) { return txn.Put(OrphanKey(file), row.Encode()); }));
    Count(row, 1);
  }
  return absl::OkStatus();
}

absl::Status Orphans::Remove(const Orphan& orphan) {
  RETURN_IF_ERROR(parts_.index.Run([&](Transaction& txn) -> absl::Status {
    RETURN_IF_ERROR(txn.Delete(OrphanKey(orphan.file)));
    return Removals::Stage(txn, orphan.file);
  }));
  Count(orphan.row, -1);
  // The file goes at the next Removals::Finish if it does not go now.
  parts_.removals.Unlink(orphan.file).IgnoreError();
  return absl::OkStatus();
}

absl::StatusOr<OrphanReport> Orphans::Alone(
    const std::function<absl::Status(const Orphan&, OrphanReport*)>& work) {
  if (working_.exchange(true)) {
    return absl::AbortedError("somebody else settles these files already; try again later");
  }
  OrphanReport report;
  const absl::Status status = Visit([&](const Orphan& orphan) -> absl::StatusOr<bool> {
    RETURN_IF_ERROR(work(orphan, &report));
    return true;
  });
  working_ = false;
  RETURN_IF_ERROR(status);
  return report;
}

absl::Status Orphans::Expire() {
  if (Usage().count == 0) return absl::OkStatus();
  const int64_t now = parts_.clock.WallNanos();
  const absl::Status status =
      Alone([&](const Orphan& orphan, OrphanReport*) {
        return now - orphan.row.found_nanos < kOrphanNanos ? absl::OkStatus() : Remove(orphan);
      }).status();
  return absl::IsAborted(status) ? absl::OkStatus() : status;
}

absl::StatusOr<OrphanReport> Orphans::Adopt(const std::function<bool()>& go_on) {
  return AdoptOr(
      [](const Orphan& orphan, OrphanReport* report) {
        ++report->kept;
        report->kept_bytes += orphan.row.size_bytes;
        return absl::OkStatus();
      },
      go_on);
}

absl::StatusOr<OrphanReport> Orphans::Drop(const std::function<bool()>& go_on) {
  return AdoptOr(
      [this](const Orphan& orphan, OrphanReport* report) -> absl::Status {
        RETURN_IF_ERROR(Remove(orphan));
        ++report->removed;
        report->removed_bytes += orphan.row.size_bytes;
        return absl::OkStatus();
      },
      go_on);
}

absl::StatusOr<OrphanReport> Orphans::AdoptOr(
    const std::function<absl::Status(const Orphan&, OrphanReport*)>& otherwise,
    const std::function<bool()>& go_on) {
  return Alone([&](const Orphan& orphan, OrphanReport* report) -> absl::Status {
    if (!go_on()) return absl::CancelledError("stopped; what was done so far stays done");
    const absl::StatusOr<bool> adopted = AdoptOne(orphan);
    if (absl::IsResourceExhausted(adopted.status())) return adopted.status();  // so would the next
    if (!adopted.ok()) {
      if (report->failed == 0) {
        report->problem = StrCat(BlobFiles::Name(orphan.file), ": ", adopted.status().message());
      }
      ++report->failed;
      report->failed_bytes += orphan.row.size_bytes;
      return absl::OkStatus();
    }
    if (!*adopted) return otherwise(orphan, report);
    ++report->adopted;
    report->adopted_bytes += orphan.row.size_bytes;
    return absl::OkStatus();
  });
}

// What was hashed may be in the page cache only.
absl::Status Orphans::MakeDurable(FileId file) {
  ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> writer, parts_.files.OpenForWrite(file));
  RETURN_IF_ERROR(writer->Sync());
  return parts_.files.SyncEntry(file);
}

absl::StatusOr<bool> Orphans::AdoptOne(const Orphan& orphan) {
  const absl::StatusOr<std::vector<Digest>> digests =
      HashFile(parts_.files, orphan.file, orphan.row.size_bytes);
  if (absl::IsNotFound(digests.status())) return false;  // there are no bytes to give back
  RETURN_IF_ERROR(digests.status());
  for (const Digest& digest : *digests) {
    ASSIGN_OR_RETURN(const std::vector<KeyValue> edges,
                     parts_.index.Scan(PrefixRange(EdgePrefix(digest)), 1));
    // A blob that was pushed anew after the index was copied: its row names the file of before; or
    // this file, whose own row was lost.
    ASSIGN_OR_RETURN(const bool listed, HasRow(parts_.index, BlobKey(digest)));
    if (edges.empty() && !listed) continue;
    ASSIGN_OR_RETURN(const std::optional<BlobRow> there, parts_.blobs.Find(digest));
    if (there.has_value() && there->file != orphan.file) continue;
    RETURN_IF_ERROR(MakeDurable(orphan.file));
    // As if it had been pushed: a copy that came meanwhile wins, and this file goes.
    const NewBlob blob{digest, orphan.row.size_bytes, orphan.file, {}};
    RETURN_IF_ERROR(
        parts_.blobs
            .Commit(blob, [&](Transaction& txn) { return txn.Delete(OrphanKey(orphan.file)); })
            .status());
    Count(orphan.row, -1);
    return true;
  }
  return false;
}

}  // namespace varve

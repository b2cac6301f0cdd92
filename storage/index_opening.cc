#include "storage/index_opening.h"

#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/cord.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/blob/blob_files.h"
#include "storage/blob/orphans.h"
#include "storage/index/keys.h"
#include "storage/index/rocksdb_index.h"
#include "storage/index/rocksdb_status.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr size_t kUploadPageRows = 16;  // of up to 64 KiB

std::string MarkPath(const std::string& directory) { return StrCat(directory, "/LOST_ROWS"); }

absl::Status MarkLostRows(FileSystem& file_system, const std::string& directory) {
  const absl::Status made = file_system.Create(MarkPath(directory)).status();
  if (!made.ok() && !absl::IsAlreadyExists(made)) return made;
  return file_system.SyncDirectory(directory);
}

// Files that no row names in what can still be read of the index.
absl::StatusOr<size_t> CountUnnamedFiles(const std::string& directory,
                                         const EngineOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Index> index,
                   ReadRocksdbIndex(StrCat(directory, "/index"), options.index));
  absl::flat_hash_set<FileId> uploads;
  RETURN_IF_ERROR(WalkRows(*index, UploadPrefix(), kUploadPageRows,
                           [&](const KeyValue& row) -> absl::StatusOr<bool> {
                             const absl::StatusOr<UploadRow> upload = UploadRow::Decode(row.value);
                             if (upload.ok()) uploads.insert(upload->file);
                             return true;
                           }));
  BlobFiles files(*options.file_system, StrCat(directory, "/blobs"));
  ASSIGN_OR_RETURN(const FileId low_water, SavedLowWater(*index));
  ASSIGN_OR_RETURN(const FileId end, files.EndOfRanges());
  ASSIGN_OR_RETURN(const std::vector<FileId> unnamed,
                   FindUnnamedFiles(*index, files, low_water, end, uploads));
  return unnamed.size();
}

absl::Status DamageError(const absl::Status& damage, std::string_view id,
                         const std::string& directory, const EngineOptions& options) {
  const absl::StatusOr<size_t> unnamed = CountUnnamedFiles(directory, options);
  const std::string files =
      unnamed.ok() ? StrCat(*unnamed,
                            " files under blobs/ are then named by nothing, and are kept "
                            "for a week (varve fsck --adopt)")
                   : StrCat("what is left cannot be read: ", unnamed.status().message());
  return absl::DataLossError(StrCat(damage.message(), "; ", files, ". Restore ", directory,
                                    "/index from a backup, or start once with --accept-loss=", id,
                                    " to go on without them"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Index>> OpenIndexOf(const std::string& directory,
                                                   const EngineOptions& options) {
  const std::string path = StrCat(directory, "/index");
  if (options.open_index != nullptr) return options.open_index(path);
  RocksdbIndexOptions index_options = options.index;
  index_options.warn = options.warn;
  absl::StatusOr<std::unique_ptr<Index>> index = OpenRocksdbIndex(path, index_options);
  const auto payload = index.status().GetPayload(kLogDamagePayload);
  if (!payload.has_value()) return index;
  const std::string id(*payload);
  if (id != options.accept_loss) return DamageError(index.status(), id, directory, options);
  RETURN_IF_ERROR(MarkLostRows(*options.file_system, directory));
  index_options.accept_loss = id;
  return OpenRocksdbIndex(path, index_options);
}

absl::Status AdviseBackup(const absl::Status& damage, const std::string& directory) {
  const std::string_view message = ToStd(damage.message());
  // Others, of the log or of whole files, say themselves what to do.
  if (!message.starts_with(kIndexError) || message.find("backup") != message.npos) return damage;
  return Private(absl::DataLossError(
      StrCat("the index is damaged where the store needs it to start: restore ", directory,
             "/index from a backup, the whole directory of one moment (", message, ")")));
}

absl::Status AdviseRoom(const absl::Status& full, FileSystem& file_system,
                        const std::string& directory) {
  // The rows of the logs become tables, as rows in memory do when the index is opened in place.
  uint64_t wanted = kIndexReopenBytes;
  const std::string index = StrCat(directory, "/index");
  const absl::StatusOr<std::vector<std::string>> files = file_system.List(index);
  for (const std::string& file : files.ok() ? *files : std::vector<std::string>()) {
    if (!file.ends_with(".log")) continue;
    const absl::StatusOr<FileStat> log = file_system.Stat(StrCat(index, "/", file));
    if (log.ok()) wanted += 2 * log->size_bytes;
  }
  const absl::StatusOr<uint64_t> free = file_system.FreeBytes(directory);
  // More may be free than this user's quota leaves.
  const bool quota = free.ok() && *free >= wanted;
  const uint64_t lacking = free.ok() && !quota ? wanted - *free : wanted;
  absl::Status advised = absl::ResourceExhaustedError(
      StrCat("the disk is full: the store needs room to open; free ", lacking,
             " bytes on the file system of ", directory, quota ? ", or of the quota there," : "",
             " and start again. Nothing is lost (", full.message(), ")"));
  return IsPrivate(full) ? Private(std::move(advised)) : advised;
}

bool HasLostRows(FileSystem& file_system, const std::string& directory) {
  return file_system.Stat(MarkPath(directory)).ok();
}

absl::Status ForgetLostRows(FileSystem& file_system, const std::string& directory) {
  RETURN_IF_ERROR(file_system.Remove(MarkPath(directory)));
  return file_system.SyncDirectory(directory);
}

}  // namespace varve

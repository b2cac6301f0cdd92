// The parts of a check that are about no single row: counters, and the files under blobs/.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/check/reference_check.h"
#include "storage/index/counter.h"
#include "storage/index/rows.h"

namespace varve {
namespace {

using Kind = CheckFinding::Kind;

// Rows of up to 64 KiB.
constexpr size_t kUploadPageRows = 16;
constexpr uint64_t kFilesBetweenSteps = 256;

}  // namespace

absl::Status ReferenceCheck::CheckCounter(std::string_view name, uint64_t counted,
                                          const std::function<uint64_t()>& changed) {
  if (unreadable_) return absl::OkStatus();
  const absl::StatusOr<std::optional<std::string>> read = parts_.index.Get(CounterKey(name));
  if (!read.ok()) return Tolerate(read.status(), "what the counter ", CounterKey(name));
  const std::optional<std::string>& value = *read;
  const int64_t says = value.has_value() ? DecodeCounter(*value) : 0;
  const uint64_t more = static_cast<uint64_t>(says) - counted;
  const uint64_t fewer = counted - static_cast<uint64_t>(says);
  // Asked after the counter was read: what changed it had begun.
  if (std::min(more, fewer) <= changed()) return absl::OkStatus();
  return Tell({Kind::kWrongStatistics, std::nullopt, "",
               StrCat("the counter ", name, " says ", says, ", but there are ", counted)});
}

absl::Status ReferenceCheck::WalkFiles() {
  return parts_.files.VisitEntries(
      [&](const std::string& name, FileId file) { return VisitFile(name, file); });
}

absl::Status ReferenceCheck::VisitFile(const std::string& name, FileId file) {
  ++report_.files;
  if (report_.files % kFilesBetweenSteps == 0) RETURN_IF_ERROR(Say(std::nullopt));
  bool named = false;
  if (file != 0) {
    const absl::StatusOr<bool> found = IsNamed(file);
    if (!found.ok()) return Tolerate(found.status(), "what file ", FileKey(file));
    named = *found;
  }
  const std::string kept_aside = file == 0 ? std::string() : parts_.removals.ReasonKeptAside(file);
  if (!kept_aside.empty()) {
    return Tell(
        {Kind::kStrayFile, std::nullopt, "",
         StrCat("the file blobs/", name, " is garbage and cannot be unlinked: ", kept_aside)});
  }
  if (named) return absl::OkStatus();
  return Tell({Kind::kStrayFile, std::nullopt, "",
               StrCat("nothing names the file blobs/", name, ": nothing removes it")});
}

absl::StatusOr<bool> ReferenceCheck::IsNamed(FileId file) {
  ASSIGN_OR_RETURN(const bool of_blob, parts_.index.Has(FileKey(file)));
  if (of_blob) return true;
  // In the order in which a file goes through them, so that one that goes on is met: being written,
  // of an upload that was saved, of a blob, garbage, gone.
  if (parts_.unnamed.Contains(file) || parts_.uploads.ReceivesInto(file)) return true;
  ASSIGN_OR_RETURN(const bool of_upload, IsUpload(file));
  if (of_upload) return true;
  for (const std::string& key : {FileKey(file), OrphanKey(file), RemovingKey(file)}) {
    ASSIGN_OR_RETURN(const bool there, parts_.index.Has(key));
    if (there) return true;
  }
  const absl::StatusOr<FileStat> stat = parts_.files.Stat(file);
  if (absl::IsNotFound(stat.status())) return true;
  if (absl::IsDataLoss(stat.status())) return false;  // a link, a directory, …
  RETURN_IF_ERROR(stat.status());
  return false;
}

absl::StatusOr<bool> ReferenceCheck::IsUpload(FileId file) {
  bool found = false;
  RETURN_IF_ERROR(WalkRows(parts_.index, UploadPrefix(), kUploadPageRows,
                           [&](const KeyValue& row) -> absl::StatusOr<bool> {
                             const absl::StatusOr<UploadRow> upload = UploadRow::Decode(row.value);
                             found = upload.ok() && upload->file == file;
                             return !found;
                           }));
  return found;
}

}  // namespace varve

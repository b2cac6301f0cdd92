// The parts of a check that are about no single row: the condemned queue, counters, and the files
// under blobs/.
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

// 2,048 x ~100 B = 200 kB.
constexpr size_t kCondemnedPageRows = 2048;
// Rows of up to 64 KiB.
constexpr size_t kUploadPageRows = 16;
constexpr uint64_t kFilesBetweenSteps = 256;

}  // namespace

absl::Status ReferenceCheck::DropCondemned(absl::flat_hash_set<Digest>* digests) {
  if (digests->empty()) return absl::OkStatus();
  return WalkRows(parts_.index, CondemnedPrefix(), kCondemnedPageRows,
                  [&](const KeyValue& row) -> absl::StatusOr<bool> {
                    int64_t not_before = 0;
                    Digest digest;
                    if (ParseCondemnedKey(row.key, &not_before, &digest)) digests->erase(digest);
                    return !digests->empty();
                  });
}

absl::Status ReferenceCheck::CheckCondemned() {
  absl::flat_hash_set<Digest> lost;
  lost.swap(unreferenced_);
  RETURN_IF_ERROR(DropCondemned(&lost));
  if (lost.empty()) return absl::OkStatus();
  // A pass of the reclaimer moves and drops such rows. Without one, whoever commits a blob or takes
  // its last edge away leaves a row that stays: what has neither now has none.
  RETURN_IF_ERROR(parts_.reclaimer.BetweenPasses([&]() -> absl::Status {
    for (auto it = lost.begin(); it != lost.end();) {
      const Digest digest = *it;
      ASSIGN_OR_RETURN(const bool kept, parts_.index.HasAny(EdgePrefix(digest)));
      ASSIGN_OR_RETURN(const std::optional<std::string> row, parts_.index.Get(BlobKey(digest)));
      if (kept || !row.has_value()) {
        lost.erase(it++);
      } else {
        ++it;
      }
    }
    return DropCondemned(&lost);
  }));
  for (const Digest& digest : lost) {
    RETURN_IF_ERROR(Tell({Kind::kNeverReclaimed, digest, "",
                          StrCat("blob ", digest.ToString(),
                                 " is kept by nothing, and the reclaimer will never look at it")}));
  }
  return absl::OkStatus();
}

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

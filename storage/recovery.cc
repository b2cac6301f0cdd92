// What a crash, or a loss that the operator accepted, left: settled as the store opens.
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/engine_parts.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"
#include "storage/index_opening.h"

namespace varve {

absl::Status EngineParts::Recover() {
  ASSIGN_OR_RETURN(const FileId reserved, ids.Reserved());  // before more are
  RETURN_IF_ERROR(removals.Recover());
  RETURN_IF_ERROR(uploads.Load());
  RETURN_IF_ERROR(orphans.Load());
  RETURN_IF_ERROR(SettleUnnamedFiles(reserved));
  // What cannot be finished now is tried again, and told, by every Sweep.
  static_cast<void>(catalog.edge_removals.FinishAll());
  reserve.Take();
  return absl::OkStatus();
}

absl::Status EngineParts::SettleUnnamedFiles(FileId reserved) {
  const bool lost_rows = HasLostRows(*options.file_system, directory);
  ASSIGN_OR_RETURN(const Orphans::Settled settled,
                   orphans.SettleUnnamed(ids, reserved, uploads.Files(), lost_rows));
  if (lost_rows) RETURN_IF_ERROR(ForgetLostRows(*options.file_system, directory));
  if (lost_rows || settled.went_back) {
    options.Warn(StrCat(lost_rows ? "acknowledged changes of the index were lost: "
                                  : "the index is older than the files under blobs/: ",
                        settled.kept,
                        " files that nothing names are kept for a week; varve fsck --adopt gives "
                        "back what is needed, --drop-orphans removes the rest"));
  }
  return SaveLowWater();
}

absl::Status EngineParts::SaveLowWater() {
  ASSIGN_OR_RETURN(const FileId low_water, unnamed.LowWater());
  const std::string key = MetaKey("low_water");
  ASSIGN_OR_RETURN(const std::optional<std::string> saved, index->Get(key));
  const std::string value = EncodeNumber(low_water);
  if (saved == value) return absl::OkStatus();
  return index->Run([&](Transaction& txn) { return txn.Put(key, value); }, Durability::kBuffered);
}

}  // namespace varve

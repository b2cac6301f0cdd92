// Looks for what is wrong in the whole store: System::Check. It works out from tags, members,
// holds, leases and the bytes of the manifests what must be alive, and compares that with the
// edges, the blobs, the condemned queue, the counters and the files under blobs/.
//
// One walk over the index in the order of its keys, then one over the directories. Each row is
// looked at in passing; what seems wrong is looked at again in a transaction that guards what
// decides it, and only then told. So pushes, prunes and uploads beside it are no findings, and wait
// for it no longer than for each other.
//
// It repairs nothing, and does not hash content: bytes that changed under their right length are
// found when they are read. Memory: one page of rows, one manifest, and bounded notes. An object is
// one check; one thread.
#ifndef VARVE_STORAGE_CHECK_REFERENCE_CHECK_H_
#define VARVE_STORAGE_CHECK_REFERENCE_CHECK_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/system.h"
#include "storage/blob/blob_files.h"
#include "storage/blob/blob_store.h"
#include "storage/blob/orphans.h"
#include "storage/blob/unnamed_files.h"
#include "storage/blob/upload_table.h"
#include "storage/check/check_rules.h"
#include "storage/claims/holds.h"
#include "storage/claims/leases.h"
#include "storage/index/counted_changes.h"
#include "storage/index/index.h"
#include "storage/reclaim/reclaimer.h"

namespace varve {

class ReferenceCheck {
 public:
  struct Parts {
    Index& index;
    BlobStore& blobs;
    BlobFiles& files;
    UnnamedFiles& unnamed;
    Removals& removals;
    UploadTable& uploads;
    Reclaimer& reclaimer;
    const CountedChanges& hold_changes;
    const CountedChanges& lease_changes;
    const NameRule& names;
    const Orphans& orphans;
  };

  ReferenceCheck(const Parts& parts, const CheckObserver& observer)
      : parts_(parts), observer_(observer) {}

  // Once. Cancelled when the observer says no. Rows that are damaged are told, and what lies behind
  // them is checked; any other error of the disk or the index ends the check.
  absl::StatusOr<CheckReport> Run();

 private:
  using Rule = std::function<absl::Status(Reads& reads, CheckFindings* findings)>;
  // Applies a rule in passing, and once more with guards if that finds something.
  absl::Status Apply(const Rule& rule);
  absl::Status Tell(CheckFinding finding);
  // What to say of bytes that are not here: where they may be. "" when there are no orphans.
  std::string OrphanAdvice() const;
  absl::Status Damaged(std::string text);
  // How far it is, with what was found if that is new.
  absl::Status Say(std::optional<CheckFinding> finding);

  absl::Status WalkIndex();
  absl::Status WalkStretch(std::string begin, const std::string& end, size_t page_rows);
  // What cannot be read from `begin` on is told; where reading goes on, or `end`.
  absl::StatusOr<std::string> SkipDamage(const std::string& begin, const std::string& end);
  // Damage that a step met is told, and the check goes on.
  absl::Status Tolerate(const absl::Status& status, std::string_view what,
                        std::string_view key = {});
  absl::Status VisitRow(const KeyValue& row);  // notes which row the rules are about
  absl::Status VisitBlob(const KeyValue& row);
  absl::Status VisitEdge(const KeyValue& row);
  absl::Status VisitMember(const KeyValue& row);
  absl::Status VisitName(const KeyValue& row);   // tables whose keys hold a name
  absl::Status VisitOther(const KeyValue& row);  // tables whose keys hold repositories and digests
  absl::Status VisitNote(std::string_view key);
  absl::Status UnreadableKey(std::string_view key);

  // Whether the manifest names the target; nullopt when its bytes cannot be read.
  absl::StatusOr<std::optional<bool>> Names(const Digest& manifest, const Digest& target);
  absl::StatusOr<std::optional<ParsedManifest>> ReadManifest(const Digest& manifest);

  // Blobs without an edge must have a condemned row: those noted that have none are told.
  absl::Status CheckCondemned();
  absl::Status DropCondemned(absl::flat_hash_set<Digest>* digests);
  // `changed` says how much may have changed while it was counted.
  absl::Status CheckCounter(std::string_view name, uint64_t counted,
                            const std::function<uint64_t()>& changed);

  absl::Status WalkFiles();
  absl::Status VisitFile(const std::string& name, FileId file);
  absl::StatusOr<bool> IsNamed(FileId file);
  absl::StatusOr<bool> IsUpload(FileId file);

  const Parts parts_;
  const CheckObserver& observer_;
  CheckReport report_;
  CountedChanges::Amount blobs_;  // counted
  uint64_t holds_ = 0;
  uint64_t leases_ = 0;
  std::string about_;        // the key of the row that the rules are about
  bool unreadable_ = false;  // some rows: what was counted is not all
  absl::flat_hash_set<Digest> unreferenced_;
  std::optional<Digest> missing_target_;  // the last that was told
  // Hashes of what manifests name, in order, so that each is parsed once while there is room.
  absl::flat_hash_map<Digest, std::vector<size_t>> named_;
  size_t named_count_ = 0;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CHECK_REFERENCE_CHECK_H_

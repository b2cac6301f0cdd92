// Blobs by digest, whichever tier keeps their bytes. Knows nothing of repositories. Thread-safe.
#ifndef VARVE_STORAGE_BLOB_BLOB_STORE_H_
#define VARVE_STORAGE_BLOB_BLOB_STORE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/api/blobs.h"
#include "storage/base/clock.h"
#include "storage/blob/blob_files.h"
#include "storage/blob/blob_tier.h"
#include "storage/blob/damage_reports.h"
#include "storage/blob/id_allocator.h"
#include "storage/blob/inline_tier.h"
#include "storage/blob/loose_tier.h"
#include "storage/blob/removals.h"
#include "storage/blob/space.h"
#include "storage/blob/unnamed_files.h"
#include "storage/index/counted_changes.h"
#include "storage/index/index.h"
#include "storage/index/rows.h"

namespace varve {

class BlobStore {
 public:
  struct Parts {
    Index& index;
    IdAllocator& ids;
    BlobFiles& files;
    UnnamedFiles& unnamed;
    Removals& removals;
    Space& space;
    Clock& clock;
    DamageReports& damage;
    int64_t promise_nanos;  // how long a blob that nobody names is kept after its commit
  };

  explicit BlobStore(Parts parts)
      : parts_(parts), inline_(parts.index), loose_(parts.index, parts.files, parts.clock) {}

  // The tier that keeps the bytes of a blob, by its row. Unavailable when a newer version has
  // packed it.
  absl::StatusOr<BlobTier*> TierOf(const Digest& digest, const BlobRow& row);

  // The row of a blob whose bytes are there: nullopt when it is absent, quarantined, or its tier
  // finds a fault (BlobTier::FaultOf), which is told to the operator. An error when the disk does
  // not say. Costs an index read, and a stat for a loose blob.
  absl::StatusOr<std::optional<BlobRow>> Find(const Digest& digest);
  // The same of many, in their order, with few reads of the index.
  absl::StatusOr<std::vector<std::optional<BlobRow>>> FindMany(absl::Span<const Digest> digests);

  // NotFound when Find says nullopt, in other words when it is damaged. The reader keeps the bytes
  // whatever is removed meanwhile.
  absl::StatusOr<BlobReader> Open(const Digest& digest);

  // The whole blob in memory; for manifests and configs. ResourceExhausted over `limit_bytes`.
  // Bytes of a file that are not those of the digest are quarantined, and NotFound.
  absl::StatusOr<std::string> ReadAll(const Digest& digest, uint64_t limit_bytes);

  // Makes the blob visible together with what `also` writes, in one synced transaction. Over a copy
  // that is there already the new bytes, which were just hashed, win: the store cannot know what
  // the disk has made of the old ones. A copy that it does know stays, and the new file is removed:
  // one that was proven within kTrustProvenNanos, inline bytes that are the same, and what another
  // commit of the digest has put there meanwhile, so that simultaneous ones switch once. On success
  // the file is settled; on an error it is still the caller's (Discard).
  absl::StatusOr<BlobInfo> Commit(const NewBlob& blob,
                                  const std::function<absl::Status(Transaction&)>& also);

  // What reading a stored copy back has shown.
  enum class Proof {
    kGood,     // the row says so from now on
    kBad,      // it is quarantined
    kChanged,  // another copy has taken its place, or none
  };
  // Reads the copy that `row` describes back from the disk and hashes it; calls `rest` after each
  // piece of kProofPieceBytes, whose error ends it. Unavailable when the disk does not give the
  // bytes: what is wrong may pass, so the copy stays; but it is not proven any more.
  absl::StatusOr<Proof> Prove(const Digest& digest, const BlobRow& row,
                              const std::function<absl::Status()>& rest);

  // Writes `bytes` where a NewBlob of that size keeps them: nothing to do for an inline one, else a
  // synced file. Discard it when its commit fails.
  absl::StatusOr<NewBlob> Stage(const Digest& digest, std::string_view bytes);

  // Removes a file that was written for a commit that failed or never came (0: none was), with what
  // `also` writes in the same transaction. A file that a row names after all (the outcome was
  // unknown) stays. When the index does not answer, it is tried again by DiscardLeftovers.
  void Discard(FileId file, const std::function<absl::Status(Transaction&)>& also = nullptr);
  void DiscardLeftovers();

  // What Remove has taken out: the caller counts it, and after the commit unlinks the file, if
  // there is one, and releases the bytes.
  struct Removed {
    FileId unlink = 0;
    StoredBytes bytes;
  };
  // Takes the blob's record out of the index, as part of `txn`, in which its row is guarded
  // exclusively.
  absl::StatusOr<Removed> Remove(Transaction& txn, const Digest& digest, const BlobRow& row);
  // What the disk has got back by now of a blob that was removed since `copy` was measured.
  uint64_t FreedBytes(const BlobCopy& copy);

  // Adds to the statistics of what the store holds.
  static absl::Status Count(Transaction& txn, int64_t blobs, int64_t bytes);

  // Around every transaction that may change how many blobs there are: Commit has its own, whoever
  // calls Remove makes one.
  CountedChanges& changes() { return changes_; }

 private:
  // What the store held under a digest when it was last looked at.
  struct Copy {
    std::optional<BlobRow> row;
    bool known_good = false;
  };
  // What a commit's transaction did.
  struct Visible {
    BlobRow row;
    FileId unlink = 0;  // a file that is garbage once the transaction is committed
    StoredBytes more;   // than before
  };

  absl::StatusOr<std::optional<BlobRow>> ReadRow(const Digest& digest);
  // What is wrong with the stored copy, as far as that shows without reading it; "" when nothing
  // is. An error when the disk does not say.
  absl::StatusOr<std::string> FaultOf(const Digest& digest, const BlobRow& row);
  // Calls `read` for the blob's copy, and once more for each one that took its place meanwhile,
  // until it meets no fault. NotFound when the blob is absent or damaged.
  template <typename Read>
  absl::StatusOr<BlobRow> ReadCopy(const Digest& digest, const Read& read);
  // Whether the blob still has the copy in which `fault` was found: then it is damaged, and that is
  // told. Else it was replaced or removed since `faulty` was read.
  absl::StatusOr<bool> IsDamaged(const Digest& digest, const BlobRow& faulty,
                                 std::string_view fault);
  absl::StatusOr<Copy> LookAtCopy(const NewBlob& blob);
  // Changes the row of the copy that `seen` describes; false when another one is there by now.
  absl::StatusOr<bool> UpdateCopy(const Digest& digest, const BlobRow& seen,
                                  const std::function<void(BlobRow&)>& change);
  // Marks the copy that `bad` describes as damaged, so that the next push of it replaces it.
  absl::StatusOr<bool> Quarantine(const Digest& digest, const BlobRow& bad);
  // `copy_id` names the new copy; `seen` is what was there before the transaction.
  absl::StatusOr<Visible> MakeVisible(Transaction& txn, const NewBlob& blob, uint64_t copy_id,
                                      const Copy& seen);

  const Parts parts_;
  InlineTier inline_;
  LooseTier loose_;
  CountedChanges changes_;
  Mutex mutex_;
  std::vector<FileId> leftovers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_BLOB_STORE_H_

// Blobs by digest: inline ones in the index, loose ones as files. Knows nothing of repositories.
// Thread-safe.
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
#include "storage/base/clock.h"
#include "storage/blob/blob_files.h"
#include "storage/blob/removals.h"
#include "storage/blob/space.h"
#include "storage/blob/unnamed_files.h"
#include "storage/index/counted_changes.h"
#include "storage/index/index.h"
#include "storage/index/rows.h"
#include "storage/store.h"

namespace varve {

class BlobStore {
 public:
  // What a commit adds: a digest with its bytes in a durable file, or to be kept inline.
  struct NewBlob {
    Digest digest;
    uint64_t size_bytes = 0;
    FileId file = 0;                // synced, and its directory entry too; 0 = inline
    std::string_view inline_bytes;  // when file is 0
  };
  struct Parts {
    Index& index;
    BlobFiles& files;
    UnnamedFiles& unnamed;
    Removals& removals;
    Space& space;
    Clock& clock;
    int64_t promise_nanos;  // how long a blob that nobody names is kept after its commit
  };

  explicit BlobStore(Parts parts) : parts_(parts) {}

  // The row of a blob whose bytes are there: nullopt when it is absent, quarantined, or its file is
  // missing or of the wrong size. Costs an index read, and a stat for a loose blob.
  absl::StatusOr<std::optional<BlobRow>> Find(const Digest& digest);
  // The same of many, in their order, with few reads of the index.
  absl::StatusOr<std::vector<std::optional<BlobRow>>> FindMany(absl::Span<const Digest> digests);

  // NotFound when Find says nullopt. The reader keeps the bytes whatever is removed meanwhile.
  absl::StatusOr<BlobReader> Open(const Digest& digest);

  // The whole blob in memory; only for manifests. ResourceExhausted over `limit_bytes`.
  absl::StatusOr<std::string> ReadAll(const Digest& digest, uint64_t limit_bytes);

  // Makes the blob visible together with what `also` writes, in one synced transaction. When a good
  // copy is there already, that one stays and the new file is removed; a bad one is replaced. On
  // success the file is settled; on an error it is still the caller's (Discard).
  absl::StatusOr<BlobInfo> Commit(const NewBlob& blob,
                                  const std::function<absl::Status(Transaction&)>& also);

  // Writes `bytes` where a NewBlob of that size keeps them: nothing to do for an inline one, else a
  // synced file. Discard it when its commit fails.
  absl::StatusOr<NewBlob> Stage(const Digest& digest, std::string_view bytes);

  // Removes a file that was written for a commit that failed or never came, with what `also` writes
  // in the same transaction. A file that a row names after all (the outcome was unknown) stays.
  // When the index does not answer, the file is tried again by DiscardLeftovers.
  void Discard(FileId file, const std::function<absl::Status(Transaction&)>& also = nullptr);
  void DiscardLeftovers();

  // Takes the blob's record out of the index, as part of `txn`, in which its row is guarded
  // exclusively; returns the file that the caller must unlink after the commit, or 0.
  absl::StatusOr<FileId> Remove(Transaction& txn, const Digest& digest, const BlobRow& row);

  // Around every transaction that may change how many blobs there are: Commit has its own, whoever
  // calls Remove makes one.
  CountedChanges& changes() { return changes_; }

 private:
  // What the store held under a digest when its bytes were last looked at.
  struct Copy {
    std::optional<BlobRow> row;
    bool good = false;
  };
  // What one run of a commit's transaction did.
  struct Visible {
    BlobRow row;
    FileId unlink = 0;     // a file that is garbage once the transaction is committed
    bool written = false;  // `row` is of this commit, not one that was there
    bool added = false;    // the store did not hold the content before
  };

  absl::StatusOr<std::optional<BlobRow>> ReadRow(const Digest& digest);
  bool BytesAreThere(const BlobRow& row);
  // Marks the copy that `bad` describes as damaged, so that the next push of it replaces it.
  absl::Status Quarantine(const Digest& digest, const BlobRow& bad);
  // `before` is what the last run of the same commit did, whose outcome may be unknown.
  absl::StatusOr<Visible> MakeVisible(Transaction& txn, const NewBlob& blob, const Copy& copy,
                                      const Visible& before);

  const Parts parts_;
  CountedChanges changes_;
  Mutex mutex_;
  std::vector<FileId> leftovers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_BLOB_STORE_H_

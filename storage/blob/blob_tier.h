// Where the bytes of a blob are kept: in the index (inline) or in a file of their own (loose). All
// that differs between the two is a function of this interface, which BlobStore::TierOf chooses by
// the row: nobody else asks. Thread-safe.
#ifndef VARVE_STORAGE_BLOB_BLOB_TIER_H_
#define VARVE_STORAGE_BLOB_BLOB_TIER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/blobs.h"
#include "storage/api/system.h"
#include "storage/blob/space.h"
#include "storage/image/digest.h"
#include "storage/index/index.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"

namespace varve {

// What a commit brings: a digest with its bytes, in a durable file or in memory.
struct NewBlob {
  Digest digest;
  uint64_t size_bytes = 0;
  FileId file = 0;                // synced, and its directory entry too; 0: they are in memory
  std::string_view inline_bytes;  // then

  // Which tier keeps them.
  BlobRow::Tier tier() const { return file == 0 ? BlobRow::Tier::kInline : BlobRow::Tier::kLoose; }
};

// A blob as it was when it was looked at.
struct BlobCopy {
  uint64_t size_bytes = 0;  // of the blob
  uint64_t kept_bytes = 0;  // what keeping it costs, on the disk or in the index
  uint64_t disk_bytes = 0;  // of that, what the disk gets back when the file goes
  FileId file = 0;          // 0: there is none of its own
};

class BlobTier {
 public:
  // What is wrong with a stored copy.
  struct Fault {
    std::string text;          // "": nothing
    bool is_of_bytes = false;  // the bytes were read, and are not those of the blob
  };

  virtual ~BlobTier() = default;

  // What an *exists* answer checks: the fault of a copy as far as it shows without reading it; ""
  // when there is none. An error when the disk does not say.
  virtual absl::StatusOr<std::string> FaultOf(const BlobRow& row) = 0;
  // The same of opening it for `reader`.
  virtual absl::StatusOr<Fault> Open(const Digest& digest, const BlobRow& row,
                                     BlobReader* reader) = 0;
  // Reads it whole, and knows afterwards that these are its bytes. ResourceExhausted over
  // `limit_bytes`.
  virtual absl::StatusOr<Fault> ReadAll(const Digest& digest, const BlobRow& row,
                                        uint64_t limit_bytes, std::string* bytes) = 0;
  // Whether the digest is that of the bytes as they are read back from the disk; calls `rest` after
  // each kProofPieceBytes, whose error ends it. NotFound and DataLoss: there are no such bytes.
  virtual absl::StatusOr<bool> Matches(const Digest& digest, const BlobRow& row,
                                       const std::function<absl::Status()>& rest) = 0;
  // Whether the copy is known to be as good as the bytes of `blob`, which has the same digest.
  virtual absl::StatusOr<bool> IsKnownGood(const NewBlob& blob, const BlobRow& row) = 0;

  // The rows beside the blob's own that keep a copy, written and deleted as part of `txn`. Delete
  // returns the file to unlink after the commit, which it staged; 0: none.
  virtual absl::Status Put(Transaction& txn, const NewBlob& blob) = 0;
  virtual absl::StatusOr<FileId> Delete(Transaction& txn, const Digest& digest,
                                        const BlobRow& row) = 0;

  // Looks at the disk; a file that is lost takes nothing.
  virtual BlobCopy Measure(const BlobRow& row) = 0;
  // What the copy counts for in Space.
  virtual StoredBytes StoredBytesOf(const BlobRow& row) = 0;
  // In the words of people: the part of a measurement, and whether listings say "inlined".
  virtual DiskUsage::Part& PartOf(DiskUsage& usage) = 0;
  virtual bool is_in_index() const = 0;
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_BLOB_TIER_H_

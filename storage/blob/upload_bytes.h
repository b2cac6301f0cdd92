// The bytes of one upload and their running hash: in memory while they fit an inline blob, else in
// a blob file that already has its final name. Not thread-safe; the upload's holder owns it.
#ifndef VARVE_STORAGE_BLOB_UPLOAD_BYTES_H_
#define VARVE_STORAGE_BLOB_UPLOAD_BYTES_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/blob/blob_files.h"
#include "storage/blob/page_cache_budget.h"
#include "storage/blob/space.h"
#include "storage/blob/unnamed_files.h"
#include "storage/blob/write_pipeline.h"
#include "storage/image/hasher.h"
#include "storage/index/rows.h"

namespace varve {

class UploadBytes {
 public:
  struct Parts {
    BlobFiles& files;
    UnnamedFiles& unnamed;
    Space& space;
    std::atomic<size_t>& buffered_bytes;  // of all uploads; bounded by kMaxBufferedUploadBytes
    std::atomic<size_t>& pipelines;       // of all uploads; bounded by kMaxWritePipelines
    PageCacheBudget& page_cache;          // of all pipelines
    uint64_t large_blob_bytes = kLargeBlobBytes;
  };

  UploadBytes(Parts parts, DigestAlgorithm algorithm) : parts_(parts), hasher_(algorithm) {}
  ~UploadBytes();  // gives back what it took of Space; leaves the file
  UploadBytes(const UploadBytes&) = delete;
  UploadBytes& operator=(const UploadBytes&) = delete;

  // Continues from a saved row: nothing is read again, bytes past the saved state are cut off.
  // DataLoss when the file is missing or shorter than the row says.
  static absl::StatusOr<std::unique_ptr<UploadBytes>> Restore(Parts parts, const UploadRow& row);

  uint64_t size_bytes() const { return size_bytes_; }
  FileId file() const { return file_id_; }
  std::string_view buffered() const { return buffer_; }
  DigestAlgorithm algorithm() const { return hasher_.algorithm(); }
  // After exactly the bytes that the last Sync made durable, or that are buffered.
  std::string HashState() const;

  // Makes room for a total of `total_bytes`, before they arrive.
  absl::Status Expect(uint64_t total_bytes);
  // After ResourceExhausted some of `bytes` may have been received, as size_bytes() says; the rest
  // can be appended when there is room, unless the upload is broken().
  absl::Status Append(std::string_view bytes);
  // Whether bytes that were received may be lost, so that the upload must be dropped.
  bool broken() const { return broken_; }
  // Moves buffered bytes to a file; nothing to do when they are there.
  absl::Status Spill();
  // Makes the bytes so far and the file's entry durable; gives back room that was reserved past
  // them when `final`. Nothing to do for buffered bytes.
  absl::Status Sync(bool final);
  // While nobody works on the upload: gives back all room past what was received, of the file and
  // of Space, and the descriptor; the next write takes them again. The descriptor is kept when
  // there are bytes whose sync could still report an error.
  void Rest();
  // The digest of the bytes; reads them again only when the upload was hashed with another
  // algorithm.
  absl::StatusOr<Digest> DigestOf(DigestAlgorithm algorithm);

 private:
  absl::Status TakeSpace(uint64_t total_bytes);
  absl::Status OpenFile();
  absl::Status MoveToFile();
  absl::Status ReserveAhead(uint64_t total_bytes);
  absl::Status CutFile();
  absl::Status SyncFile(bool final);
  absl::Status Write(std::string_view bytes);
  bool UsePipeline();
  absl::Status Drain();

  const Parts parts_;
  Hasher hasher_;            // trails size_bytes_ while the pipeline has work
  uint64_t size_bytes_ = 0;  // received
  std::string buffer_;
  FileId file_id_ = 0;
  std::unique_ptr<WritableFile> file_;  // opened at the first write
  uint64_t taken_bytes_ = 0;            // of Space
  uint64_t reserved_bytes_ = 0;         // of the file, from its start
  uint64_t writeback_bytes_ = 0;        // handed to the disk so far, without waiting
  uint64_t synced_bytes_ = 0;
  bool entry_synced_ = false;
  bool broken_ = false;
  bool pipeline_refused_ = false;
  std::unique_ptr<WritePipeline> pipeline_;  // of a large upload while it is held
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_UPLOAD_BYTES_H_

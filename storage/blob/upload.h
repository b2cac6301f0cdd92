// One upload: the bytes that it has received, with their running hash, and the row by which it
// survives a restart once it is saved. UploadTable has them all; whoever holds one there
// (HeldUpload) works on it alone.
#ifndef VARVE_STORAGE_BLOB_UPLOAD_H_
#define VARVE_STORAGE_BLOB_UPLOAD_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/blobs.h"
#include "storage/base/clock.h"
#include "storage/blob/blob_store.h"
#include "storage/blob/commit_participant.h"
#include "storage/blob/idle_uploads.h"
#include "storage/blob/upload_bytes.h"
#include "storage/index/index.h"
#include "storage/index/rows.h"

namespace varve {

// The base and `held` belong to the table, under its mutex.
class Upload final : public IdleUpload {
 public:
  struct Parts {
    Index& index;
    BlobStore& blobs;
    Clock& clock;
    CommitParticipant& participant;
    int64_t announce_nanos;  // between two WhileUploading of one upload, at least
    UploadBytes::Parts bytes;
  };

  // A new one without bytes. `parts` must outlive it, here and below.
  Upload(const Parts& parts, std::string_view id, std::string_view repository,
         const UploadOptions& options);
  // The one that was saved as `row`. NotFound or DataLoss: it cannot go on.
  static absl::StatusOr<std::shared_ptr<Upload>> Load(const Parts& parts, std::string_view id,
                                                      const UploadRow& row);

  // For anybody, at any time; the last three as of the last piece that was received.
  const std::string& id() const { return id_; }
  const std::string& repository() const { return repository_; }  // as it was begun
  int64_t started_nanos() const { return started_nanos_; }
  int64_t updated_nanos() const { return updated_nanos_; }
  uint64_t received_bytes() const { return received_bytes_; }
  FileId file() const { return file_; }  // 0: they are in memory

  // For the holder alone, or for the table while there is none.
  uint64_t size_bytes() const { return bytes_ == nullptr ? 0 : bytes_->size_bytes(); }
  // Before anything else that a holder does, and after all of it: gives back room, and memory, that
  // nobody needs between two requests.
  void Wake();
  void Rest();
  // Announces a total of `total_bytes`.
  absl::Status Expect(uint64_t total_bytes);
  // The next bytes, which are of `repository` as its holder calls it. What was received stays,
  // whatever the answer. Saves it now and then.
  absl::Status Append(std::string_view repository, std::string_view bytes);
  // Starts again with no bytes.
  void Restart();
  // Makes what was received resumable. `even_empty`: also when that is nothing, which otherwise has
  // no row.
  absl::Status Checkpoint(bool even_empty = false);
  // Whether one is wanted, whose last one was before `before_nanos` (monotonic).
  bool IsCheckpointDue(int64_t before_nanos) const;
  void PutOffCheckpoint() { checkpoint_nanos_ = parts_.clock.MonotonicNanos(); }
  // Makes the bytes a blob of `repository`, which ends the upload. InvalidArgument unless they have
  // that digest and size.
  absl::StatusOr<BlobInfo> Commit(std::string_view repository, const Digest& expected,
                                  std::optional<uint64_t> size_bytes);
  // Ends it without: its bytes go unless a row names their file by now.
  void Discard();
  // Whether it can go on after `failed`: only after a lack of room, unless that took bytes with it;
  // after any other error its bytes can no longer be trusted.
  bool CanGoOnAfter(const absl::Status& failed) const {
    return absl::IsResourceExhausted(failed) && !bytes_->broken();
  }

  bool held = true;

 private:
  absl::Status CheckContent(const Digest& expected, std::optional<uint64_t> size_bytes);
  // Tells anybody where the holder's bytes are.
  void NoteReceived();
  void DropBytesIfNone();
  // Removes the file, if there is one, and the row, if there is one.
  void DiscardSaved(FileId file);

  const Parts& parts_;
  const std::string id_;
  const std::string repository_;
  DigestAlgorithm algorithm_;
  int64_t started_nanos_;
  std::atomic<int64_t> updated_nanos_;
  std::atomic<uint64_t> received_bytes_ = 0;
  std::atomic<FileId> file_ = 0;
  std::unique_ptr<UploadBytes> bytes_;  // null while nobody holds it and it has none
  const int64_t began_nanos_;           // or the start of the daemon, monotonic
  int64_t announced_nanos_ = 0;         // the last WhileUploading, monotonic
  int64_t checkpoint_nanos_ = 0;        // when it was last saved, or begun; monotonic
  uint64_t checkpoint_bytes_ = 0;       // covered by the saved row
  bool saved_ = false;                  // there is a row
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_UPLOAD_H_

// All open uploads by id. An upload is held by at most one OpenUpload at a time; in between it
// waits here, and in the index once it was checkpointed, until it is continued or expires. One that
// has no bytes yet is in memory only. Thread-safe.
//
// Nobody is shut out by others' uploads: when there are too many, or no room on the disk, those
// that nobody works on give way (storage/blob/idle_uploads.h).
#ifndef VARVE_STORAGE_BLOB_UPLOAD_TABLE_H_
#define VARVE_STORAGE_BLOB_UPLOAD_TABLE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/blobs.h"
#include "storage/api/system.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/blob/blob_store.h"
#include "storage/blob/commit_participant.h"
#include "storage/blob/idle_uploads.h"
#include "storage/blob/page_cache_budget.h"
#include "storage/blob/upload.h"
#include "storage/index/index.h"

namespace varve {

class UploadTable {
 public:
  struct Parts {
    Index& index;
    BlobStore& blobs;
    BlobFiles& files;
    UnnamedFiles& unnamed;
    Space& space;
    Clock& clock;
    RandomSource& random;
    CommitParticipant& participant;
    int64_t expiry_nanos;
    int64_t announce_nanos;  // between two WhileUploading of one upload, at least
    uint64_t large_blob_bytes = kLargeBlobBytes;
    size_t max_uploads = kMaxOpenUploads;
  };

  explicit UploadTable(const Parts& parts)
      : parts_(parts),
        of_uploads_{parts.index,
                    parts.blobs,
                    parts.clock,
                    parts.participant,
                    parts.announce_nanos,
                    {parts.files, parts.unnamed, parts.space, buffered_bytes_, pipelines_,
                     page_cache_, parts.large_blob_bytes}} {}

  // At open, before any other call: takes over the uploads that were checkpointed. Damaged ones go;
  // one that cannot be looked at now stays as it is, until the next start.
  absl::Status Load();

  // Files of the uploads that Load met; call before the first Begin.
  absl::flat_hash_set<FileId> Files() ABSL_LOCKS_EXCLUDED(mutex_);
  // What went wrong since the last call, a sentence each, for the log.
  std::vector<std::string> TakeProblems() ABSL_LOCKS_EXCLUDED(mutex_);

  absl::StatusOr<std::unique_ptr<OpenUpload>> Begin(std::string_view repository,
                                                    const UploadOptions& options);
  // The repository may be called by another of its names than at the beginning.
  absl::StatusOr<std::unique_ptr<OpenUpload>> Resume(std::string_view repository,
                                                     std::string_view id);

  Page<UploadInfo> List(const PageRequest& page) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Abort(std::string_view id);

  // Drops one upload that nobody works on, so that there is room for `wanted_bytes` of a request of
  // `client`: the idlest if it is idle for kIdleUploadNanos, else one of a client that has more
  // than its share. False when none gives way.
  bool GiveWay(const std::string& client, uint64_t wanted_bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  // How many uploads there are and what they take, up to the last piece that each received.
  DiskUsage::Part Usage() ABSL_LOCKS_EXCLUDED(mutex_);

  std::vector<RecentActivity::Upload> ListOpen() ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether an upload receives into the file, as far as its last piece says.
  bool ReceivesInto(FileId file) ABSL_LOCKS_EXCLUDED(mutex_);

  // Checkpoints the uploads that nobody holds; a holder checkpoints its own.
  absl::Status CheckpointAll();
  // Drops the uploads that nobody continued for `expiry_nanos`.
  void Expire();
  // Checkpoints the uploads that nobody works on and that have bytes since their last checkpoint,
  // when that is long ago.
  void CheckpointIdle();

 private:
  friend class HeldUpload;

  using UploadPtr = std::shared_ptr<Upload>;

  std::string NewId();
  absl::Status LoadRow(std::string_view id, const UploadRow& row);
  // Waits for its holder; NotFound unless `accepts`.
  absl::StatusOr<UploadPtr> Hold(std::string_view id,
                                 const std::function<bool(const Upload&)>& accepts)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void MarkHeld(Upload& upload) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Holds those that nobody holds and that `choose` wants.
  std::vector<UploadPtr> HoldIdle(const std::function<bool(const Upload&)>& choose)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Insert(const UploadPtr& upload) ABSL_LOCKS_EXCLUDED(mutex_);
  void AddIdle(Upload& upload, int64_t since_nanos) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What a holder does last. Drop discards the upload; Forget is for one that has ended.
  void Drop(const UploadPtr& upload) ABSL_LOCKS_EXCLUDED(mutex_);
  void Forget(const UploadPtr& upload) ABSL_LOCKS_EXCLUDED(mutex_);
  void LetGo(const UploadPtr& upload) ABSL_LOCKS_EXCLUDED(mutex_);

  const Parts parts_;
  std::atomic<size_t> buffered_bytes_{0};
  std::atomic<size_t> pipelines_{0};
  PageCacheBudget page_cache_{parts_.clock, PageCacheBudget::DefaultCapacity()};
  const Upload::Parts of_uploads_;
  Mutex mutex_;
  ConditionVariable let_go_;
  size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;  // for let_go_
  absl::btree_map<std::string, UploadPtr> uploads_ ABSL_GUARDED_BY(mutex_);
  IdleUploads idle_ ABSL_GUARDED_BY(mutex_);
  std::vector<FileId> unread_files_ ABSL_GUARDED_BY(mutex_);  // of rows that Load left alone
  std::vector<std::string> problems_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_UPLOAD_TABLE_H_

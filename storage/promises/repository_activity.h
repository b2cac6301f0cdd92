// When a repository was last written to and read from, and how long its uploads have gone on: what
// makes its promises last longer. Kept by the low bits of the repository's id in fixed memory, so
// two repositories may share a place: then each renews what was promised in both. Times are
// monotonic nanoseconds. Thread-safe; noting takes two atomic operations, or one lock for an
// upload.
#ifndef VARVE_STORAGE_PROMISES_REPOSITORY_ACTIVITY_H_
#define VARVE_STORAGE_PROMISES_REPOSITORY_ACTIVITY_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/index/keys.h"
#include "storage/limits.h"

namespace varve {

class RepositoryActivity {
 public:
  // Writes with less than `pause_nanos` between them are one stretch of work; uploads are
  // remembered for so long after their last bytes. While `space_is_short` says so (asked once a
  // second at most; null: never), only they count: what nothing keeps goes as early as it may.
  RepositoryActivity(Clock& clock, int64_t pause_nanos, std::function<bool()> space_is_short);

  void NoteWrite(RepositoryId repository);
  void NoteRead(RepositoryId repository);
  class Reading;
  // A blob of the repository is being sent while the result lives: it is being read all the time.
  Reading BeginRead(RepositoryId repository);
  // Bytes arrived of the upload that began at `began_nanos`.
  void NoteUpload(RepositoryId repository, int64_t began_nanos) ABSL_LOCKS_EXCLUDED(mutex_);

  // The last write, if its stretch of work began before `before_nanos`; 0: none such.
  int64_t LastWriteNanos(RepositoryId repository, int64_t before_nanos);
  // The last read, now while a blob is being sent; 0: none.
  int64_t LastReadNanos(RepositoryId repository);
  // When bytes last arrived of an upload that began before `before_nanos`; 0: of none.
  int64_t LastUploadNanos(RepositoryId repository, int64_t before_nanos)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Repositories written to or read from since `since_nanos`; of those that share a place, the last
  // one.
  std::vector<RepositoryId> ActiveSince(int64_t since_nanos);

 private:
  struct Place {
    std::atomic<int64_t> work_began_nanos = 0;  // the stretch of the last write
    std::atomic<int64_t> write_nanos = 0;
    std::atomic<int64_t> read_nanos = 0;
    std::atomic<uint64_t> reads = 0;  // that are going on
    std::atomic<RepositoryId> repository = 0;
  };
  // What those who read share, for they may outlive this object.
  struct Places {
    std::array<Place, kActivityPlaces> all;
    std::atomic<bool> short_of_space = false;  // as it was when somebody looked
    Place& Of(RepositoryId repository) { return all[repository % kActivityPlaces]; }
  };
  // Uploads that began and received at about the same time count as one.
  struct Upload {
    int64_t began_nanos = 0;
    int64_t last_nanos = 0;
  };
  using Uploads = absl::InlinedVector<Upload, 2>;

  bool SpaceIsShort(int64_t now);
  void DropOver(Uploads& uploads, int64_t now) const;
  static void AddUpload(Uploads& uploads, const Upload& upload);

  Clock& clock_;
  const int64_t pause_nanos_;
  const std::function<bool()> space_is_short_;
  std::atomic<int64_t> space_looked_nanos_ = 0;
  const std::shared_ptr<Places> places_ = std::make_shared<Places>();
  std::atomic<bool> had_uploads_ = false;
  Mutex mutex_;
  absl::flat_hash_map<uint64_t, Uploads> uploads_ ABSL_GUARDED_BY(mutex_);  // by place
  size_t forget_uploads_at_ ABSL_GUARDED_BY(mutex_) = 64;
};

// May outlive the activity that it was noted in, as an open blob may outlive its store; its clock
// may not go before it.
class RepositoryActivity::Reading {
 public:
  Reading(Reading&&) = default;
  Reading& operator=(Reading&&) = delete;
  ~Reading();

 private:
  friend class RepositoryActivity;
  Reading(std::shared_ptr<Places> places, Clock& clock, RepositoryId repository);

  std::shared_ptr<Places> places_;  // null: moved away
  Clock& clock_;
  const RepositoryId repository_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_PROMISES_REPOSITORY_ACTIVITY_H_

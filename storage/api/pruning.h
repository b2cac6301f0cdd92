// What prunes take and give (Images::Prune). Times are nanoseconds since 1970, UTC.
#ifndef VARVE_STORAGE_API_PRUNING_H_
#define VARVE_STORAGE_API_PRUNING_H_

#include <cstdint>
#include <string>
#include <vector>

#include "storage/api/images.h"

namespace varve {

struct PruneRequest {
  std::vector<std::string> filters;  // as ImageQuery's
  bool dry_run = false;              // say what would go, and remove nothing
  // Every image that is not in use, with all its tags; otherwise only dangling ones. The filter
  // dangling=false means it too.
  bool all = false;
  // Ends, when its turn comes, what was promised before, and the wait after a start of the daemon.
  // Clients that were told that something exists may be told soon after that it does not.
  bool now = false;
};

struct PruneReport {
  uint64_t images = 0;         // removed
  uint64_t content_bytes = 0;  // of the blobs that only they kept, as pushed
  uint64_t freed_bytes = 0;    // disk space given back by now
  uint64_t deferred = 0;       // images and blobs that something keeps for now
  uint64_t untagged = 0;       // tags removed
  uint64_t skipped = 0;        // images that were tagged, listed or held since they were looked at
  int64_t deferred_until_nanos = 0;  // when the last of the deferred may go; 0: none is
  uint64_t deferred_bytes = 0;       // disk space that the removed images leave for then
};

// What a prune came to about one image.
struct PruneStep {
  enum class Kind {
    kRemoved,
    kDeferred,
    kSkipped,
    kStarted,  // first: the job has this id
    kQueued,   // nothing new: the job waits for its turn, or works
  };
  Kind kind = Kind::kRemoved;
  ImageInfo image;
  std::vector<std::string> untagged;  // "repository:tag", that went with it
  std::string reason;                 // of kDeferred and kSkipped, for people
  int64_t until_nanos = 0;            // of kDeferred: when it may go
  std::string job;                    // of kStarted and kQueued
  uint64_t looked_at = 0;             // of kQueued: images so far
};

// A prune that runs, waits for its turn, or ended a while ago.
struct PruneJob {
  enum class State {
    kQueued,
    kRunning,
    kDone,
    kCancelled,  // told to stop before it was through; `report` says what it did
  };
  std::string id;
  PruneRequest request;
  State state = State::kQueued;
  int64_t queued_nanos = 0;
  int64_t started_nanos = 0;  // 0: not yet
  int64_t ended_nanos = 0;
  PruneReport report;  // so far
  std::string error;   // when it has ended: why it failed or stopped; "" when it did neither
  int callers = 0;     // that listen
};

}  // namespace varve

#endif  // VARVE_STORAGE_API_PRUNING_H_

// The store as a whole: what it is, how it is, what it is used for, and its upkeep. One of the
// roles of the store, whose general contract is in storage/api/store.h. Times are nanoseconds since
// 1970, UTC.
#ifndef VARVE_STORAGE_API_SYSTEM_H_
#define VARVE_STORAGE_API_SYSTEM_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/image/canonical_name.h"
#include "storage/image/digest.h"

namespace varve {

class EventLog;

struct StoreInfo {
  std::string uuid;
  int64_t created_nanos = 0;
  uint32_t format_version = 0;
  uint64_t blob_bytes = 0;        // of all blobs as pushed, uploads included
  uint64_t max_bytes = 0;         // the limit of that; 0 = as the disk allows
  uint64_t disk_total_bytes = 0;  // of the file system below
  uint64_t disk_free_bytes = 0;
  int64_t promise_nanos = 0;  // as EngineOptions has them
  int64_t renew_nanos = 0;
  NameRule names;
};

// Who works with the store: whom it hits when promises end early.
struct RecentActivity {
  struct Upload {
    std::string repository;  // empty: the whole store
    std::string id;
    uint64_t received_bytes = 0;
    int64_t updated_nanos = 0;
  };
  std::vector<Upload> uploads;  // open; the first kMaxNamedActivity by repository and id
  uint64_t more_uploads = 0;
  // Written to or read from in the last minute, by name; the first kMaxNamedActivity.
  std::vector<std::string> repositories;
  uint64_t more_repositories = 0;
};

// What the disk space of the store is used for. Logical bytes are as pushed, disk bytes as the file
// system allocated them.
struct DiskUsage {
  struct Part {
    uint64_t count = 0;
    uint64_t logical_bytes = 0;
    uint64_t disk_bytes = 0;
  };
  uint64_t repositories = 0;
  uint64_t tags = 0;
  uint64_t images = 0;  // that are tagged, dangling or held themselves
  Part tagged;          // images that a tag names, each manifest once, and all blobs they need
  Part dangling;        // images that prune would remove, and the blobs that only they keep
  // Of those with a tag, or with a hold on themselves: the ones that a hold keeps, directly or
  // through an index, each manifest once; and all blobs that holds, or leases alone, keep.
  Part in_use;
  Part unused;        // what prune of all images would remove, the dangling ones among them
  Part loose;         // blobs in files
  Part inlined;       // blobs in the index
  Part unreferenced;  // of both: blobs that nothing keeps, waiting for the reclaimer
  Part uploads;       // unfinished ones
  Part orphans;       // files that lost their rows to damage of the index
  uint64_t index_disk_bytes = 0;
  uint64_t reserve_disk_bytes = 0;  // set aside, so that deletions work on a full disk
};

// One thing that a check found wrong.
struct CheckFinding {
  enum class Kind {
    kDamagedRow,         // a row of the index that cannot be read
    kMissingEdge,        // something names content, and no edge says so: it may be reclaimed
    kEdgeWithoutSource,  // an edge from what is gone or names something else: its target never goes
    kMissingContent,     // an image, tag or hold needs content that the store does not have
    kBadContent,         // a blob whose bytes are gone, damaged or of the wrong size
    kTagWithoutImage,    // a tag names what its repository does not list
    kMissingRow,         // a row that another one needs
    kOrphanRow,          // a row about what is gone
    kNeverEnds,          // a hold, lease or link whose end nobody will look for
    kLiveRemoval,        // what is in use is marked as being removed
    kNeverReclaimed,     // a blob that nothing keeps, and at which the reclaimer will never look
    kStrayFile,          // a file under blobs/ that nothing names
    kWrongStatistics,    // a counter that differs from what it counts
    kTwoNames,           // no defect: two repositories whose names mean the same today
  };
  Kind kind = Kind::kDamagedRow;
  std::optional<Digest> digest;  // what it is about, when that has one
  std::string repository;        // where, when it is about one
  std::string text;              // a sentence for people
};

struct CheckReport {
  uint64_t rows = 0;          // of the index, looked at
  uint64_t manifests = 0;     // read, once for each repository that lists one
  uint64_t files = 0;         // under blobs/, looked at
  uint64_t findings = 0;      // defects: without kTwoNames
  uint64_t hashed_blobs = 0;  // read back from the disk and hashed
  uint64_t hashed_bytes = 0;
};

// What a check met, or, without a finding, how far it is.
struct CheckStep {
  std::optional<CheckFinding> finding;
  CheckReport so_far;
};

// False ends the check.
using CheckObserver = std::function<bool(const CheckStep& step)>;

// What became of files that had lost their rows.
struct OrphanReport {
  uint64_t adopted = 0;  // something needs them: they are blobs again
  uint64_t adopted_bytes = 0;
  uint64_t kept = 0;  // nothing needs them now
  uint64_t kept_bytes = 0;
  uint64_t removed = 0;
  uint64_t removed_bytes = 0;
  uint64_t failed = 0;  // they could not be read or made blobs again, and stay
  uint64_t failed_bytes = 0;
  std::string problem;  // what was wrong with the first of these
};

// How the store is, for those who watch the daemon; from good to bad.
enum class StoreHealth {
  kReady,
  kFull,  // the disk is: reads and deletions go on
  kDead,  // the disk failed: reads go on as far as they can, until the daemon is started again
  kLost,  // not even reads: the daemon has to be started again now
};

struct ReclaimReport {
  uint64_t blobs = 0;        // records removed
  uint64_t freed_bytes = 0;  // disk space that the removed files gave back
  uint64_t deferred = 0;     // kept for now because of a promise
  uint64_t kept_aside = 0;   // files and rows that could not be dealt with: tried again later
  // What went wrong, a sentence each, for the log. At most kMaxReclaimProblems of them.
  std::vector<std::string> problems;
};

class System {
 public:
  virtual ~System() = default;

  virtual absl::StatusOr<StoreInfo> Info() = 0;
  virtual absl::StatusOr<RecentActivity> ListActivity() = 0;
  // Walks the whole index: takes time in proportion to the store, and little memory.
  virtual absl::StatusOr<DiskUsage> MeasureDiskUsage() = 0;
  // Ends what was promised so far, and the wait after a start: then what nothing keeps goes with
  // the next Reclaim. For operators; not leases or holds.
  virtual void EndPromises() = 0;
  // Looks for what is wrong: what must be alive, by what tags, members, holds, leases and the
  // manifests themselves say, is compared with edges, blobs, the condemned queue, counters and
  // files. Tells each finding as it is met; what changes meanwhile is none. Repairs nothing, and
  // does not hash content. Takes time in proportion to the store, and little memory. Cancelled when
  // the observer says no.
  virtual absl::StatusOr<CheckReport> Check(const CheckObserver& observer) = 0;
  // Reads every blob back from the disk and hashes it, at half speed while clients push. One whose
  // bytes are not what its digest says is told, and quarantined: it answers absent until it is
  // pushed again. Broken off, or stopped with the daemon, the next call goes on where it was.
  // Cancelled when the observer says no.
  virtual absl::StatusOr<CheckReport> CheckContent(const CheckObserver& observer) = 0;
  // Files that lost their rows because the index was damaged or replaced, kept for a week. Adopt
  // reads and hashes each, and makes those blobs again that something needs. Drop does the same and
  // removes the rest. One that cannot be read or made a blob again stays, and the others go on.
  // Both take time in proportion to the bytes, and are cancelled when `go_on` says no, between two
  // files.
  virtual absl::StatusOr<OrphanReport> DropOrphans(const std::function<bool()>& go_on) = 0;
  virtual absl::StatusOr<OrphanReport> AdoptOrphans(const std::function<bool()>& go_on) = 0;

  // Costs no more than a look at the disk's free space, and waits for nobody.
  virtual StoreHealth Health() = 0;
  // What happened to images since the daemon started; the newest kMaxEvents are kept.
  virtual EventLog& events() = 0;

  // Removes what is due (the condemned queue) and expired uploads; time in proportion to
  // the garbage. Safe at any moment beside everything else.
  virtual absl::StatusOr<ReclaimReport> Reclaim() = 0;
  // Makes all open uploads resumable; called before a shutdown.
  virtual absl::Status CheckpointUploads() = 0;
};

}  // namespace varve

#endif  // VARVE_STORAGE_API_SYSTEM_H_

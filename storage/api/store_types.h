// What calls of the Store take and give: plain values. Times are nanoseconds since 1970, UTC.
#ifndef VARVE_STORAGE_API_STORE_TYPES_H_
#define VARVE_STORAGE_API_STORE_TYPES_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "storage/image/canonical_name.h"
#include "storage/image/digest.h"
#include "storage/image/image_config.h"
#include "storage/image/platform.h"

namespace varve {

struct BlobInfo {
  Digest digest;
  uint64_t size_bytes = 0;
  int64_t created_nanos = 0;  // when it was first committed
};

struct IngestOptions {
  // Chosen by the client, or empty for a random one. At most kMaxIngestIdBytes printable
  // characters.
  std::string id;
  DigestAlgorithm algorithm = DigestAlgorithm::kSha256;  // what is hashed while bytes arrive
  std::optional<uint64_t> size_bytes;  // when known: room is reserved, or ResourceExhausted at once
  // Whom the upload counts for when there are too many of them: an address, or "" for a client of
  // this machine's socket.
  std::string client;
};

struct IngestStatus {
  std::string id;
  uint64_t offset_bytes = 0;  // bytes received so far: where the next Append must start
  int64_t started_nanos = 0;
  int64_t updated_nanos = 0;
};

// An unfinished upload, as people see it.
struct UploadInfo {
  std::string id;
  std::string repository;  // "": the whole store
  std::string client;      // IngestOptions::client of whoever began it; "" after a restart
  uint64_t received_bytes = 0;
  int64_t started_nanos = 0;
  int64_t updated_nanos = 0;
  int64_t expires_nanos = 0;  // unless it goes on
  bool in_request = false;    // a request works on it now
};

// What a manifest is called in a request: a tag or a digest.
using ManifestReference = std::variant<std::string, Digest>;

struct ManifestInfo {
  Digest digest;
  std::string media_type;
  std::string artifact_type;      // empty when none
  std::optional<Digest> subject;  // what it refers to, when it is a referrer
  std::optional<Digest> config;   // absent for an image index
  uint64_t size_bytes = 0;        // of the manifest itself
  uint64_t content_bytes = 0;     // config and layers as the manifest states them; children's sizes
  int64_t pushed_nanos = 0;
};

struct Manifest {
  ManifestInfo info;
  std::string bytes;
};

struct PutManifestRequest {
  std::string_view bytes;
  std::string media_type;                                // empty: taken from the bytes
  std::optional<Digest> expected;                        // the digest the client named
  DigestAlgorithm algorithm = DigestAlgorithm::kSha256;  // when `expected` is absent
  std::vector<std::string> tags;
  // Its config and layers need only be somewhere in the store, not visible in the repository: only
  // doors for trusted local clients may set it. Children of an index must be in the repository.
  bool whole_store = false;
};

struct PageRequest {
  std::string after;   // the last name of the page before; empty for the first page
  size_t limit = 100;  // at most kMaxPageRows are given
};

template <typename Row>
struct Page {
  std::vector<Row> rows;
  bool more = false;  // ask again with `after` = `next`, or when that is empty the last row's name
  std::string next;   // of a page that reached its budget of reads before its number of rows
};

struct TagInfo {
  std::string name;
  Digest digest;
  int64_t tagged_nanos = 0;
};

struct ReferrerInfo {
  ManifestInfo manifest;
  // The manifest's own annotations, as the JSON object that was pushed; "" when there are none.
  std::string annotations_json;
};

// One row of a listing: a tag, or a manifest that no tag of its repository names.
struct ImageInfo {
  std::string repository;
  std::string tag;  // empty: no tag of this repository names it
  int64_t tagged_nanos = 0;
  int64_t pulled_nanos = 0;  // the last pull, a few seconds coarse; 0 = never
  ManifestInfo manifest;
  // Of the config; for an index, of its child for this machine's platform, else of its first image.
  // Absent when no such config is here or it does not say.
  std::optional<int64_t> created_nanos;
  Platform platform;
  // What the image is made of: config and layers; of an index, those of all children that are here.
  uint64_t total_bytes = 0;
};

struct ImageQuery {
  std::string repository;  // only this one; empty: all
  // "key=value" in Docker's grammar (storage/image/image_filter.h); images that match all.
  std::vector<std::string> filters;
  // Also what belongs to other images: manifests without a tag that an index lists or that refer to
  // another one, and those whose tag "sha256-<hex>[.suffix]" attaches them to an image that the
  // repository lists. Otherwise, of those without a tag, only the dangling ones.
  bool all = false;
};

struct ImagePage {
  std::vector<ImageInfo> images;  // may be fewer than wanted, also none, before the last page
  std::string next_page_token;    // empty after the last page
};

// What the name that a person typed stands for.
struct ImageMatch {
  Digest manifest;
  bool by_id = false;  // the name was an image id, the digest of a config, or a prefix of one
  // Where it is: the repository of the name; for an id, every repository that lists the manifest.
  struct Place {
    std::string repository;
    std::vector<std::string> tags;  // those of the repository that name it, in byte order
    uint64_t more_tags = 0;         // that a door left out of the list
  };
  std::vector<Place> places;  // at least one
  uint64_t more_places = 0;   // that a door left out of the list
  std::string tag;            // of the name, when it had one and no digest
};

struct LayerInfo {
  Digest digest;
  std::string media_type;
  uint64_t size_bytes = 0;
  std::string diff_id;  // of the uncompressed layer, as the config states it; or empty
};

// One entry of an image index.
struct ChildInfo {
  Digest digest;
  std::string media_type;
  uint64_t size_bytes = 0;  // of its manifest
  Platform platform;
  bool present = false;      // in this repository
  uint64_t total_bytes = 0;  // as ImageInfo's, when present
};

struct ImageDetails {
  ImageInfo image;  // its tag is that of the request
  // "repository:tag" of all tags in the store that name it, the first kMaxImageNames.
  std::vector<std::string> references;
  uint64_t more_references = 0;     // how many more there are
  std::vector<ChildInfo> children;  // of an index, in its order
  std::string annotations_json;     // the manifest's own; "" when there are none
  // The manifest that the rest describes: the image itself, or the chosen child of an index. Absent
  // when that is not here: then the rest is empty. An artifact has no more than config and layers.
  std::optional<Digest> described;
  std::optional<Digest> config;
  std::string author;
  std::string docker_version;
  std::string runtime_json;  // the "config" object of the config: Env, Cmd, Labels, …; or ""
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<LayerInfo> layers;      // lowest first
  std::vector<HistoryEntry> history;  // oldest first
};

// What a removal did, in the order in which it did it.
struct RemovedImage {
  std::vector<std::string> untagged;  // "repository:tag"
  // Manifests that left a repository: "repository@sha256:…".
  std::vector<std::string> deleted;
  // That a door left out of the lists.
  uint64_t more_untagged = 0;
  uint64_t more_deleted = 0;
  // Clients were promised what only this image needed: manifests of its repository, which stay as
  // dangling images, and content of so much disk space, until then as it looks now; 0: none.
  uint64_t promised_images = 0;
  uint64_t promised_bytes = 0;
  int64_t promised_until_nanos = 0;
};

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

// Called for each image as it is removed, or why it is not; false ends the prune after it.
using PruneObserver = std::function<bool(const PruneStep& step)>;

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

// One thing that keeps content from being reclaimed.
struct Keeper {
  enum class Kind {
    kTag,       // `name` of `repository` names it
    kHold,      // `name`
    kLease,     // `name`
    kManifest,  // `manifest`, in `repository`, lists or names it
    kSubject,   // it refers to `manifest`, which `repository` has
    kMember,    // it is an image of `repository`: until a prune, when nothing else keeps it
    kPromise,   // somebody was told that it exists
  };
  Kind kind = Kind::kTag;
  // 0: of what was asked about; else of the last kManifest or kSubject before it that is one less.
  size_t depth = 0;
  std::string repository;
  std::string name;
  Digest manifest;
  int64_t since_nanos = 0;  // 0: not known
  int64_t until_nanos = 0;  // 0: until it is taken away
};

struct KeeperReport {
  Digest digest;
  std::vector<Keeper> keepers;  // none: it goes with the next pass of the reclaimer
  bool complete = true;         // else only the first kMaxKeepers
  // What keeps it is reached by no tag, hold, lease or promise, so that the next prune takes all of
  // it: a manifest that nothing needs, or several that need each other.
  bool dangling = false;
  // Whether a prune without filters takes it, and one of all images; what promises and leases put
  // off counts as taken.
  bool prune_takes = false;
  bool prune_all_takes = false;
};

// "A container uses this image": while it is there, the image, and what it lists, stays.
struct HoldRequest {
  // The caller's, unique in the store: kMaxClaimNameBytes letters, digits, '.', '_', '-', '/', ':'.
  std::string name;
  std::string repository;  // that lists the manifest; empty: any
  Digest manifest;
  int64_t ttl_nanos = 0;  // 0: until it is released; at most kMaxHoldNanos
};

struct HoldInfo {
  std::string name;
  std::string repository;
  Digest manifest;
  int64_t created_nanos = 0;
  int64_t expires_nanos = 0;  // 0: never
};

// A client's claim on content while it builds, pushes or pulls.
struct LeaseRequest {
  std::string id;         // as HoldRequest::name; empty: a random one
  std::string owner;      // for people: who works; at most kMaxLeaseOwnerBytes
  int64_t ttl_nanos = 0;  // required; at most kMaxLeaseNanos
  std::vector<std::pair<std::string, std::string>> labels;
};

struct LeaseInfo {
  std::string id;
  std::string owner;
  int64_t created_nanos = 0;
  int64_t deadline_nanos = 0;
  uint64_t contents = 0;  // digests attached
  std::vector<std::pair<std::string, std::string>> labels;
};

struct BlobDetails {
  BlobInfo blob;
  bool inlined = false;      // kept in the index, not in a file
  bool referenced = false;   // something keeps it; else the reclaimer takes it after its promise
  bool quarantined = false;  // known to be damaged: answers absent until it is pushed again
};

struct RepositoryInfo {
  std::string name;
  uint64_t tags = 0;
  uint64_t manifests = 0;
  int64_t created_nanos = 0;
};

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

// What making one repository of two came to.
struct RepositoryMerge {
  // A tag that both have, of different images. The one that was set last stays, or would.
  struct Collision {
    std::string tag;
    Digest from;
    Digest into;
    bool from_stays = false;
  };
  std::string from;  // both as the store has them
  std::string into;
  bool merged = false;  // false: tags collide, and it was not forced; nothing has changed
  std::vector<Collision> collisions;  // by tag, the first kMaxMergeCollisions
  uint64_t more_collisions = 0;
  uint64_t manifests = 0;  // that moved
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

}  // namespace varve

#endif  // VARVE_STORAGE_API_STORE_TYPES_H_

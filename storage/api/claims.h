// What keeps content: holds, leases, and why something is kept. One of the roles of the store,
// whose general contract is in storage/api/store.h. Times are nanoseconds since 1970, UTC.
#ifndef VARVE_STORAGE_API_CLAIMS_H_
#define VARVE_STORAGE_API_CLAIMS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/api/page.h"
#include "storage/image/digest.h"

namespace varve {

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

class Claims {
 public:
  virtual ~Claims() = default;

  // What keeps an image (by any name that FindImage takes) or any content (by its digest) alive,
  // down to tags, holds, leases and promises. Grants no promise. NotFound when it is not here.
  virtual absl::StatusOr<KeeperReport> ExplainKept(std::string_view name) = 0;
  // Holds keep an image, and what it lists, from prune and from deletion. The same hold again is
  // success and sets its end anew; AlreadyExists when the name holds another image; NotFound when
  // the repository does not list the manifest.
  virtual absl::StatusOr<HoldInfo> CreateHold(const HoldRequest& request) = 0;
  virtual absl::Status ReleaseHold(std::string_view name) = 0;
  virtual absl::StatusOr<Page<HoldInfo>> ListHolds(const PageRequest& page) = 0;  // by name

  // Leases keep content, by digest, from the reclaimer, and manifests from prune and deletion.
  // AlreadyExists when there is a lease of that id.
  virtual absl::StatusOr<LeaseInfo> CreateLease(const LeaseRequest& request) = 0;
  // Content that is not here is kept as soon as it comes. Answers which of it is not here now.
  virtual absl::StatusOr<std::vector<Digest>> AttachToLease(std::string_view id,
                                                            absl::Span<const Digest> contents) = 0;
  // From now on.
  virtual absl::StatusOr<LeaseInfo> RenewLease(std::string_view id, int64_t ttl_nanos) = 0;
  virtual absl::Status DeleteLease(std::string_view id) = 0;
  virtual absl::StatusOr<Page<LeaseInfo>> ListLeases(const PageRequest& page) = 0;  // by id
};

}  // namespace varve

#endif  // VARVE_STORAGE_API_CLAIMS_H_

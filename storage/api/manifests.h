// Manifests, their tags and the repositories that list them. One of the roles of the store, whose
// general contract is in storage/api/store.h. Times are nanoseconds since 1970, UTC.
#ifndef VARVE_STORAGE_API_MANIFESTS_H_
#define VARVE_STORAGE_API_MANIFESTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/page.h"
#include "storage/image/digest.h"

namespace varve {

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

struct RepositoryInfo {
  std::string name;
  uint64_t tags = 0;
  uint64_t manifests = 0;
  int64_t created_nanos = 0;
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

class Manifests {
 public:
  virtual ~Manifests() = default;

  // Put: InvalidArgument for what is malformed, FailedPrecondition when it names content
  // that is absent (payload kMissingDigestPayload: the digest).
  virtual absl::StatusOr<ManifestInfo> PutManifest(std::string_view repository,
                                                   const PutManifestRequest& request) = 0;
  virtual absl::StatusOr<Manifest> GetManifest(std::string_view repository,
                                               const ManifestReference& reference) = 0;
  virtual absl::StatusOr<ManifestInfo> StatManifest(std::string_view repository,
                                                    const ManifestReference& reference) = 0;
  // Removes it and its tags from this repository, and from no other. FailedPrecondition when a hold
  // or a lease is on it, and when an index there lists it, directly or through others, that is
  // tagged, held or leased. A promise refuses nothing.
  virtual absl::Status DeleteManifest(std::string_view repository, const Digest& digest) = 0;
  virtual absl::Status Tag(std::string_view repository, std::string_view tag,
                           const Digest& digest) = 0;
  // The image stays, as a dangling one if nothing else names it. FailedPrecondition, unless
  // `force`, when it is the last tag, of any repository, of an image with a hold: the hold keeps
  // the image, which only its digest names from then on. A tag that moves on is never refused.
  virtual absl::Status Untag(std::string_view repository, std::string_view tag, bool force) = 0;

  // Listings, in byte order of the name. NotFound when the repository does not exist.
  virtual absl::StatusOr<Page<TagInfo>> ListTags(std::string_view repository,
                                                 const PageRequest& page) = 0;
  // A number that is another one once a tag of the repository has changed, and sometimes when none
  // has: what was made of a listing can be used again while it stays the same, if it was asked for
  // before the listing. Another run of the daemon has other numbers.
  virtual absl::StatusOr<uint64_t> TagsVersion(std::string_view repository) = 0;
  // `page.after` is a digest. With `artifact_type`, only referrers of that type. A promise for each
  // one told.
  virtual absl::StatusOr<Page<ReferrerInfo>> ListReferrers(std::string_view repository,
                                                           const Digest& subject,
                                                           std::string_view artifact_type,
                                                           const PageRequest& page) = 0;
  virtual absl::StatusOr<Page<std::string>> ListRepositories(const PageRequest& page) = 0;
  virtual absl::StatusOr<RepositoryInfo> DescribeRepository(std::string_view repository) = 0;
  // Makes everything of `from` part of `into`: images with their tags, holds and times, and what
  // was pushed and not named yet; then `from` is gone. When there is no `into`, `from` is called so
  // from then on. Of tags that both have for different images the one that was set last stays; with
  // such tags, and without `force`, nothing is done. Pushes and pulls go on meanwhile. Broken off,
  // the same call, or what the error says, goes on. FailedPrecondition: they are one already, or an
  // image of `from` cannot be read; Aborted: somebody else changed one of them. Time in proportion
  // to `from`.
  virtual absl::StatusOr<RepositoryMerge> MergeRepositories(std::string_view from,
                                                            std::string_view into, bool force) = 0;
};

// Status payload that names the digest a manifest put missed: "sha256:…".
inline constexpr char kMissingDigestPayload[] = "varve/missing-digest";

}  // namespace varve

#endif  // VARVE_STORAGE_API_MANIFESTS_H_

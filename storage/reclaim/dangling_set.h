// Images that go together: what is dangling once all of the set is gone, and what nothing but the
// set keeps. A prune fills it while it removes, a dry run and the disk usage instead of removing.
// Memory in proportion to the set and the blobs its images name. Owned by one call; one thread.
#ifndef VARVE_STORAGE_RECLAIM_DANGLING_SET_H_
#define VARVE_STORAGE_RECLAIM_DANGLING_SET_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/blob/blob_files.h"
#include "storage/blob/blob_store.h"
#include "storage/catalog/catalog.h"
#include "storage/catalog/image_keepers.h"
#include "storage/digest/digest.h"
#include "storage/index/index.h"
#include "storage/index/keys.h"

namespace varve {

// Calls `visit` for every manifest that a repository lists, in pages; an error of it ends the walk.
absl::Status VisitMembers(Index& index, const std::function<absl::Status(const Member&)>& visit);

class DanglingSet {
 public:
  struct Parts {
    Index& index;
    BlobStore& blobs;
    BlobFiles& files;
    Catalog& catalog;
  };
  // A blob as it was when an image of the set was read.
  struct Copy {
    FileId file = 0;  // 0: inline
    uint64_t size_bytes = 0;
    uint64_t allocated_bytes = 0;  // of the file
  };
  // A manifest with what it names.
  struct Content {
    Member member;
    std::vector<Digest> children;
    std::vector<std::pair<Digest, Copy>> blobs;  // that are here; the manifest too
  };

  // Which images nothing keeps: those without a tag, or all that are not in use.
  enum class Scope { kDangling, kUnused };

  explicit DanglingSet(Parts parts, Scope scope = Scope::kDangling)
      : parts_(parts), scope_(scope) {}

  // Offers `member` to `take` if it is dangling, and when that says yes, adds it to the set and
  // offers in turn what follows it. `follows` tells the second kind from the first.
  absl::Status Gather(
      const Member& member,
      const std::function<absl::StatusOr<bool>(const Content& content, bool follows)>& take);

  // Whether nothing outside the set needs the member: no hold, no tag of any repository (kUnused:
  // whatever its tags), no manifest that lists it, no subject in its repository. A tag that makes
  // it the referrer of an image there follows that image. Leases are for the caller to look at.
  // False for what is in the set, and for no member.
  absl::StatusOr<bool> IsDangling(const Member& member);

  // Reads what the manifest names. One that is lost or damaged names nothing.
  absl::StatusOr<Content> Read(const Member& member);
  // Now it is in the set.
  void Add(const Content& content);
  // Members that may be dangling now that this one is in the set: what it lists, in any repository,
  // and what refers to it.
  absl::StatusOr<std::vector<Member>> Followers(const Content& content);

  // Calls `visit` for each blob that nothing but the set keeps or kept.
  absl::Status VisitOwnBlobs(
      const std::function<absl::Status(const Digest& digest, const Copy& copy)>& visit);

  size_t size() const { return members_.size(); }

 private:
  absl::StatusOr<bool> KeptByTag(const Member& member);
  absl::StatusOr<bool> SubjectStays(RepositoryId repository, const Digest& subject);
  absl::StatusOr<bool> KeptFromOutside(const Digest& target, EdgeKind kind);
  absl::Status AddBlob(const Digest& digest, Content* content);

  const Parts parts_;
  const Scope scope_;
  absl::flat_hash_set<Member> members_;
  absl::flat_hash_map<Digest, Copy> blobs_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_RECLAIM_DANGLING_SET_H_

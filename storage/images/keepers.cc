#include "storage/images/keepers.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/index/rows.h"
#include "storage/keep/what_keeps.h"
#include "storage/limits.h"

namespace varve {
namespace {

class KeeperWalk {
 public:
  explicit KeeperWalk(const KeeperParts& parts) : parts_(parts) {}

  absl::StatusOr<KeeperReport> Run(const Digest& digest) {
    report_.digest = digest;
    RETURN_IF_ERROR(Explain(digest, 0));
    report_.dangling = !report_.keepers.empty() && report_.complete && !reached_;
    return std::move(report_);
  }

 private:
  bool IsFull() {
    if (report_.keepers.size() < kMaxKeepers) return false;
    report_.complete = false;
    return true;
  }

  absl::Status Explain(const Digest& digest, size_t depth) {
    // What several name is shown once; what keeps itself by way of others ends here.
    if (!visited_.insert(digest).second) return absl::OkStatus();
    if (depth > kMaxIndexDepth + 2) {
      report_.complete = false;
      return absl::OkStatus();
    }
    const int64_t kept_nanos = parts_.promises.KeptNanos(digest);
    if (kept_nanos > 0 && !IsFull()) {
      Keeper keeper;
      keeper.kind = Keeper::Kind::kPromise;
      keeper.depth = depth;
      keeper.until_nanos = parts_.clock.WallNanos() + kept_nanos;
      report_.keepers.push_back(std::move(keeper));
      reached_ = true;
    }
    return VisitContentKeepers(parts_.index, digest,
                               [&](const ImageKeeper& found) { return Add(digest, found, depth); });
  }

  // False when the report is full.
  absl::StatusOr<bool> Add(const Digest& digest, const ImageKeeper& found, size_t depth) {
    if (IsFull()) return false;
    const Member& image = found.image;
    Keeper keeper;
    keeper.depth = depth;
    keeper.name = found.name;
    if (image.repository != 0) {
      ASSIGN_OR_RETURN(keeper.repository, parts_.repositories.NameOf(image.repository));
    }
    switch (found.kind) {
      case ImageKeeper::Kind::kTag:
        reached_ = true;
        RETURN_IF_ERROR(AddTag(image.repository, std::move(keeper)));
        return true;
      case ImageKeeper::Kind::kHold: {
        keeper.kind = Keeper::Kind::kHold;
        ASSIGN_OR_RETURN(const std::optional<HoldRow> row, Read<HoldRow>(HoldKey(found.name)));
        if (row.has_value()) keeper.since_nanos = row->created_nanos;
        if (row.has_value()) keeper.until_nanos = row->expires_nanos;
        reached_ = true;
        break;
      }
      case ImageKeeper::Kind::kLease: {
        keeper.kind = Keeper::Kind::kLease;
        ASSIGN_OR_RETURN(const std::optional<LeaseRow> row, Read<LeaseRow>(LeaseKey(found.name)));
        if (row.has_value()) keeper.since_nanos = row->created_nanos;
        if (row.has_value()) keeper.until_nanos = row->deadline_nanos;
        reached_ = true;
        break;
      }
      case ImageKeeper::Kind::kMember: {
        keeper.kind = Keeper::Kind::kMember;
        ASSIGN_OR_RETURN(const std::optional<MemberRow> row,
                         Read<MemberRow>(MemberKey(image.repository, digest)));
        if (row.has_value()) keeper.since_nanos = row->pushed_nanos;
        break;
      }
      case ImageKeeper::Kind::kSubject:
        // It lives with the image to which its field or a tag attaches it.
        if (!found.name.empty()) {
          RETURN_IF_ERROR(AddTag(image.repository, keeper));
          if (IsFull()) return false;
          keeper.name.clear();
        }
        return AddImage(Keeper::Kind::kSubject, image.manifest, std::move(keeper));
      case ImageKeeper::Kind::kLister:
        return AddImage(Keeper::Kind::kManifest, image.manifest, std::move(keeper));
    }
    report_.keepers.push_back(std::move(keeper));
    return true;
  }

  absl::Status AddTag(RepositoryId repository, Keeper keeper) {
    keeper.kind = Keeper::Kind::kTag;
    ASSIGN_OR_RETURN(const std::optional<TagRow> row,
                     Read<TagRow>(TagKey(repository, keeper.name)));
    if (row.has_value()) keeper.since_nanos = row->tagged_nanos;
    report_.keepers.push_back(std::move(keeper));
    return absl::OkStatus();
  }

  absl::StatusOr<bool> AddImage(Keeper::Kind kind, const Digest& manifest, Keeper keeper) {
    const size_t depth = keeper.depth;
    keeper.kind = kind;
    keeper.manifest = manifest;
    report_.keepers.push_back(std::move(keeper));
    RETURN_IF_ERROR(Explain(manifest, depth + 1));
    return true;
  }

  template <typename Row>
  absl::StatusOr<std::optional<Row>> Read(const std::string& key) {
    ASSIGN_OR_RETURN(const std::optional<std::string> value, parts_.index.Get(key));
    if (!value.has_value()) return std::nullopt;
    ASSIGN_OR_RETURN(Row row, Row::Decode(*value));
    return row;
  }

  const KeeperParts& parts_;
  KeeperReport report_;
  absl::flat_hash_set<Digest> visited_;
  bool reached_ = false;  // by a tag, a hold, a lease or a promise
};

}  // namespace

absl::StatusOr<KeeperReport> ExplainKept(const KeeperParts& parts, std::string_view name) {
  Digest digest;
  if (const absl::StatusOr<Digest> given = Digest::Parse(name); given.ok()) {
    digest = *given;
    ASSIGN_OR_RETURN(const std::optional<std::string> blob, parts.index.Get(BlobKey(digest)));
    if (!blob.has_value()) {
      return absl::NotFoundError(StrCat("no content has the digest ", digest.ToString()));
    }
  } else {
    ASSIGN_OR_RETURN(const ImageMatch found, parts.finder.Find(name));
    digest = found.manifest;
  }
  return KeeperWalk(parts).Run(digest);
}

}  // namespace varve

#include "storage/images/keepers.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/names.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr size_t kPageRows = 256;

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
    const int64_t held_nanos = parts_.promises.HeldNanos(digest);
    if (held_nanos > 0 && !IsFull()) {
      Keeper keeper;
      keeper.kind = Keeper::Kind::kPromise;
      keeper.depth = depth;
      keeper.until_nanos = parts_.clock.WallNanos() + held_nanos;
      report_.keepers.push_back(std::move(keeper));
      reached_ = true;
    }
    const std::string prefix = EdgePrefix(digest);
    std::string after;
    for (;;) {
      ASSIGN_OR_RETURN(const std::vector<KeyValue> edges,
                       parts_.index.Scan(PrefixRange(prefix, after), kPageRows));
      for (const KeyValue& edge : edges) {
        if (IsFull()) return absl::OkStatus();
        after = edge.key.substr(prefix.size());
        RETURN_IF_ERROR(AddEdge(edge.key, depth));
      }
      if (edges.size() < kPageRows) return absl::OkStatus();
    }
  }

  absl::Status AddEdge(std::string_view key, size_t depth) {
    Digest target;
    EdgeSource source;
    if (!ParseEdgeKey(key, &target, &source)) {
      return absl::DataLossError("an edge row of the index is damaged");
    }
    Keeper keeper;
    keeper.depth = depth;
    keeper.name = source.name;
    if (source.repository != 0) {
      ASSIGN_OR_RETURN(keeper.repository, parts_.catalog.RepositoryName(source.repository));
    }
    switch (source.kind) {
      case EdgeKind::kTag: {
        keeper.kind = Keeper::Kind::kTag;
        ASSIGN_OR_RETURN(const std::optional<TagRow> row,
                         Read<TagRow>(TagKey(source.repository, source.name)));
        if (row.has_value()) keeper.since_nanos = row->tagged_nanos;
        const std::optional<Digest> subject = SubjectOfTag(source.name);
        const std::string repository = keeper.repository;
        if (!subject.has_value()) break;
        ASSIGN_OR_RETURN(const bool here, IsListed(source.repository, *subject));
        if (!here) break;
        // It lives with the image to which the tag attaches it.
        report_.keepers.push_back(std::move(keeper));
        return AddSubject(*subject, repository, depth);
      }
      case EdgeKind::kHold: {
        keeper.kind = Keeper::Kind::kHold;
        ASSIGN_OR_RETURN(const std::optional<HoldRow> row, Read<HoldRow>(HoldKey(source.name)));
        if (row.has_value()) keeper.since_nanos = row->created_nanos;
        if (row.has_value()) keeper.until_nanos = row->expires_nanos;
        break;
      }
      case EdgeKind::kLease: {
        keeper.kind = Keeper::Kind::kLease;
        ASSIGN_OR_RETURN(const std::optional<LeaseRow> row, Read<LeaseRow>(LeaseKey(source.name)));
        if (row.has_value()) keeper.since_nanos = row->created_nanos;
        if (row.has_value()) keeper.until_nanos = row->deadline_nanos;
        break;
      }
      case EdgeKind::kReference:
      case EdgeKind::kPending:
        keeper.kind = Keeper::Kind::kManifest;
        keeper.manifest = source.manifest;
        report_.keepers.push_back(std::move(keeper));
        return Explain(source.manifest, depth + 1);
      case EdgeKind::kMember:
        return AddMember(target, source.repository, std::move(keeper));
    }
    report_.keepers.push_back(std::move(keeper));
    reached_ = true;
    return absl::OkStatus();
  }

  absl::StatusOr<bool> IsListed(RepositoryId repository, const Digest& manifest) {
    const absl::Status member = parts_.catalog.ReadMember(repository, manifest).status();
    if (absl::IsNotFound(member)) return false;
    RETURN_IF_ERROR(member);
    return true;
  }

  absl::Status AddSubject(const Digest& subject, const std::string& repository, size_t depth) {
    if (IsFull()) return absl::OkStatus();
    Keeper follows;
    follows.kind = Keeper::Kind::kSubject;
    follows.depth = depth;
    follows.repository = repository;
    follows.manifest = subject;
    report_.keepers.push_back(std::move(follows));
    return Explain(subject, depth + 1);
  }

  absl::Status AddMember(const Digest& digest, RepositoryId repository, Keeper keeper) {
    const absl::StatusOr<ManifestInfo> member = parts_.catalog.ReadMember(repository, digest);
    if (absl::IsNotFound(member.status())) return absl::OkStatus();  // being deleted
    RETURN_IF_ERROR(member.status());
    const size_t depth = keeper.depth;
    const std::string name = keeper.repository;
    keeper.kind = Keeper::Kind::kMember;
    keeper.since_nanos = member->pushed_nanos;
    report_.keepers.push_back(std::move(keeper));
    if (!member->subject.has_value()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const bool here, IsListed(repository, *member->subject));
    return here ? AddSubject(*member->subject, name, depth) : absl::OkStatus();
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
    ASSIGN_OR_RETURN(const ImageMatch found, parts.catalog.FindImage(name));
    digest = found.manifest;
  }
  return KeeperWalk(parts).Run(digest);
}

}  // namespace varve

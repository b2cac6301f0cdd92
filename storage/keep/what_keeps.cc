#include "storage/keep/what_keeps.h"

#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/names.h"
#include "storage/index/table_visits.h"

namespace varve {
namespace {

// As a rule an image has fewer edges, of all kinds: they come with one read.
constexpr size_t kFewRows = 32;
constexpr EdgeKind kListerKinds[] = {EdgeKind::kReference, EdgeKind::kPending};

// Tells the keepers of one image, or of other content.
class KeeperVisit {
 public:
  KeeperVisit(Reads& reads, const Digest& content, KeeperVisitor visit)
      : reads_(reads), content_(content), visit_(visit) {}

  bool ended() const { return ended_; }

  // In the order of kinds that VisitKeepers promises.
  absl::Status OfImageEdges() {
    ASSIGN_OR_RETURN(const std::vector<KeyValue> few,
                     reads_.Scan(PrefixRange(EdgePrefix(content_)), kFewRows));
    const bool complete = few.size() < kFewRows;
    for (const EdgeKind kind : {EdgeKind::kHold, EdgeKind::kLease, EdgeKind::kTag,
                                EdgeKind::kReference, EdgeKind::kPending}) {
      const std::string prefix = EdgePrefix(content_, kind);
      if (!complete) {
        RETURN_IF_ERROR(OfEdges(prefix));
      } else {
        for (const KeyValue& row : few) {
          if (ended_ || row.key.compare(0, prefix.size(), prefix) != 0) continue;
          ASSIGN_OR_RETURN(EdgeSource edge, EdgeSourceOf(row.key));
          RETURN_IF_ERROR(OfEdge(std::move(edge)));
        }
      }
      if (ended_) break;
    }
    return absl::OkStatus();
  }

  absl::Status OfEdges(const std::string& prefix) {
    return VisitEdges(reads_, prefix, [this](EdgeSource edge) -> absl::StatusOr<bool> {
      RETURN_IF_ERROR(OfEdge(std::move(edge)));
      return !ended_;
    });
  }

  // The repository lists the content, which may refer to a subject there. False when it does not.
  absl::StatusOr<bool> OfMember(RepositoryId repository, bool tell_member) {
    ASSIGN_OR_RETURN(const std::optional<std::string> value,
                     reads_.Get(MemberKey(repository, content_)));
    if (!value.has_value()) return false;
    if (tell_member) {
      RETURN_IF_ERROR(Tell({ImageKeeper::Kind::kMember, {repository, content_}, {}}));
      if (ended_) return true;
    }
    ASSIGN_OR_RETURN(const MemberRow row, MemberRow::Decode(*value));
    if (!row.subject.has_value()) return true;
    const Member subject{repository, *row.subject};
    ASSIGN_OR_RETURN(const bool here, IsHere(reads_, subject));
    if (here) RETURN_IF_ERROR(Tell({ImageKeeper::Kind::kSubject, subject, {}}));
    return true;
  }

 private:
  absl::Status OfEdge(EdgeSource edge) {
    ImageKeeper keeper = KeeperOf(content_, std::move(edge));
    if (keeper.kind == ImageKeeper::Kind::kMember) {
      return OfMember(keeper.image.repository, /*tell_member=*/true).status();
    }
    if (keeper.kind == ImageKeeper::Kind::kSubject) {
      ASSIGN_OR_RETURN(const bool here, IsHere(reads_, keeper.image));
      if (!here) {
        keeper.kind = ImageKeeper::Kind::kTag;
        keeper.image.manifest = content_;
      }
    }
    return Tell(keeper);
  }

  absl::Status Tell(const ImageKeeper& keeper) {
    ASSIGN_OR_RETURN(const bool more, visit_(keeper));
    ended_ = !more;
    return absl::OkStatus();
  }

  Reads& reads_;
  const Digest& content_;
  const KeeperVisitor visit_;
  bool ended_ = false;
};

absl::StatusOr<std::optional<Claim>> FirstClaimOf(Reads& reads,
                                                  absl::Span<const std::string> prefixes) {
  std::vector<KeyRange> ranges;
  for (const std::string& prefix : prefixes) ranges.push_back(PrefixRange(prefix));
  ASSIGN_OR_RETURN(const FirstRows rows, reads.FirstOfEach(ranges));
  for (const std::optional<KeyValue>& row : rows) {
    if (!row.has_value()) continue;
    ASSIGN_OR_RETURN(EdgeSource edge, EdgeSourceOf(row->key));
    return Claim{edge.kind, std::move(edge.name)};
  }
  return std::nullopt;
}

}  // namespace

ImageKeeper KeeperOf(const Digest& target, EdgeSource edge) {
  using Kind = ImageKeeper::Kind;
  switch (edge.kind) {
    case EdgeKind::kHold:
      return {Kind::kHold, {edge.repository, target}, std::move(edge.name)};
    case EdgeKind::kLease:
      return {Kind::kLease, {}, std::move(edge.name)};
    case EdgeKind::kMember:
      return {Kind::kMember, {edge.repository, target}, {}};
    case EdgeKind::kReference:
    case EdgeKind::kPending:
      return {Kind::kLister, {edge.repository, edge.manifest}, {}};
    case EdgeKind::kTag:
      break;
  }
  if (const std::optional<Digest> subject = SubjectOfTag(edge.name)) {
    return {Kind::kSubject, {edge.repository, *subject}, std::move(edge.name)};
  }
  return {Kind::kTag, {edge.repository, target}, std::move(edge.name)};
}

KeeperWeight Weigh(DanglingScope scope, const Member& image, const ImageKeeper& keeper) {
  switch (keeper.kind) {
    case ImageKeeper::Kind::kHold:
      return KeeperWeight::kStays;
    case ImageKeeper::Kind::kLease:
    case ImageKeeper::Kind::kMember:
      return KeeperWeight::kNone;
    case ImageKeeper::Kind::kTag:
      return scope == DanglingScope::kDangling ? KeeperWeight::kStays : KeeperWeight::kNone;
    case ImageKeeper::Kind::kLister:
      return KeeperWeight::kWithImage;
    case ImageKeeper::Kind::kSubject:
      break;
  }
  // A tag of another repository keeps what that lists; without tags that does not matter here.
  const bool elsewhere = keeper.image.repository != image.repository;
  return elsewhere && scope == DanglingScope::kUnused ? KeeperWeight::kNone
                                                      : KeeperWeight::kWithImage;
}

absl::Status VisitKeepers(Reads& reads, const Member& image, KeeperVisitor visit) {
  KeeperVisit keepers(reads, image.manifest, visit);
  RETURN_IF_ERROR(keepers.OfImageEdges());
  if (keepers.ended()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool listed, keepers.OfMember(image.repository, /*tell_member=*/false));
  if (listed) return absl::OkStatus();
  return absl::NotFoundError(StrCat("manifest ", image.manifest.ToString(), " is not a member"));
}

absl::Status VisitContentKeepers(Reads& reads, const Digest& content, KeeperVisitor visit) {
  return KeeperVisit(reads, content, visit).OfEdges(EdgePrefix(content));
}

absl::Status VisitListers(Reads& reads, const Member& image, KeeperVisitor visit) {
  KeeperVisit listers(reads, image.manifest, visit);
  for (const EdgeKind kind : kListerKinds) {
    if (listers.ended()) break;
    RETURN_IF_ERROR(listers.OfEdges(EdgePrefix(image.manifest, kind, image.repository)));
  }
  return absl::OkStatus();
}

// Edges of members lie between those of claims and all others.
static_assert(EdgeKind::kHold < EdgeKind::kMember && EdgeKind::kLease < EdgeKind::kMember);
static_assert(EdgeKind::kMember < EdgeKind::kPending && EdgeKind::kMember < EdgeKind::kReference &&
              EdgeKind::kMember < EdgeKind::kTag);

absl::StatusOr<std::vector<std::optional<EdgeSource>>> FirstKeepingEdges(
    Reads& reads, absl::Span<const Digest> manifests) {
  std::vector<KeyRange> ranges;
  for (const Digest& manifest : manifests) {
    const KeyRange all = PrefixRange(EdgePrefix(manifest));
    const KeyRange members = PrefixRange(EdgePrefix(manifest, EdgeKind::kMember));
    ranges.push_back({all.begin, members.begin});
    ranges.push_back({members.end, all.end});
  }
  ASSIGN_OR_RETURN(const FirstRows rows, reads.FirstOfEach(ranges));
  std::vector<std::optional<EdgeSource>> edges(manifests.size());
  for (size_t i = 0; i < manifests.size(); ++i) {
    const std::optional<KeyValue>& row = rows[2 * i].has_value() ? rows[2 * i] : rows[2 * i + 1];
    if (!row.has_value()) continue;
    ASSIGN_OR_RETURN(edges[i], EdgeSourceOf(row->key));
  }
  return edges;
}

KeyRange EdgesOfImages(const Digest& content) {
  return {EdgePrefix(content, EdgeKind::kMember), PrefixRange(EdgePrefix(content)).end};
}

absl::StatusOr<bool> IsDangling(Reads& reads, const Member& image) {
  bool kept = false;
  RETURN_IF_ERROR(
      VisitKeepers(reads, image, [&](const ImageKeeper& keeper) -> absl::StatusOr<bool> {
        kept = !keeper.is_claim();
        return !kept;
      }));
  return !kept;
}

std::string Claim::Text() const {
  return StrCat(kind == EdgeKind::kHold ? "hold " : "lease ", name);
}

absl::StatusOr<std::optional<Claim>> FindClaim(Reads& reads, const Digest& manifest) {
  return FirstClaimOf(
      reads, {EdgePrefix(manifest, EdgeKind::kHold), EdgePrefix(manifest, EdgeKind::kLease)});
}

absl::StatusOr<std::optional<Claim>> FindClaimIn(Reads& reads, const Member& image) {
  return FirstClaimOf(reads, {EdgePrefix(image.manifest, EdgeKind::kHold, image.repository),
                              EdgePrefix(image.manifest, EdgeKind::kHold, 0),
                              EdgePrefix(image.manifest, EdgeKind::kLease)});
}

absl::StatusOr<bool> IsTagged(Reads& reads, const Member& image) {
  return reads.HasAny(EdgePrefix(image.manifest, EdgeKind::kTag, image.repository));
}

absl::StatusOr<bool> IsListed(Reads& reads, const Member& image) {
  for (const EdgeKind kind : kListerKinds) {
    ASSIGN_OR_RETURN(const bool listed,
                     reads.HasAny(EdgePrefix(image.manifest, kind, image.repository)));
    if (listed) return true;
  }
  return false;
}

absl::StatusOr<bool> IsHere(Reads& reads, const Member& subject) {
  RETURN_IF_ERROR(reads.Protect(BlobKey(subject.manifest)));
  return reads.Has(MemberKey(subject.repository, subject.manifest));
}

absl::StatusOr<std::optional<Digest>> AttachedTo(Reads& reads, RepositoryId repository,
                                                 std::string_view tag) {
  const std::optional<Digest> subject = SubjectOfTag(tag);
  if (!subject.has_value()) return std::nullopt;
  ASSIGN_OR_RETURN(const bool here, IsHere(reads, {repository, *subject}));
  return here ? subject : std::nullopt;
}

absl::StatusOr<bool> IsNeededUntagged(Reads& reads, const Member& image, const MemberRow& row) {
  ASSIGN_OR_RETURN(const bool listed, IsListed(reads, image));
  if (listed) return true;
  ASSIGN_OR_RETURN(const std::optional<Claim> claim, FindClaimIn(reads, image));
  if (claim.has_value() || !row.subject.has_value()) return claim.has_value();
  return IsHere(reads, {image.repository, *row.subject});
}

}  // namespace varve

#include "storage/keep/image_keepers.h"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/names.h"
#include "storage/index/rows.h"

namespace varve {
namespace {

constexpr size_t kPageRows = 256;
// As a rule an image has fewer edges, of all kinds: they come with one read.
constexpr size_t kFewRows = 32;

// Goes over edges of one image, in the order of kinds that the caller asks for.
class KeeperVisit {
 public:
  KeeperVisit(Reads& reads, const Member& image, const KeeperVisitor& visit)
      : reads_(reads), image_(image), visit_(visit) {}

  absl::Status Run() {
    const KeyRange all = PrefixRange(EdgePrefix(image_.manifest));
    ASSIGN_OR_RETURN(const std::vector<KeyValue> few, reads_.Scan(all, kFewRows));
    const bool complete = few.size() < kFewRows;
    for (const EdgeKind kind : {EdgeKind::kHold, EdgeKind::kLease, EdgeKind::kTag,
                                EdgeKind::kReference, EdgeKind::kPending}) {
      const std::string prefix = EdgePrefix(image_.manifest, kind);
      if (!complete) {
        RETURN_IF_ERROR(Scan(prefix));
      } else {
        for (const KeyValue& edge : few) {
          if (edge.key.compare(0, prefix.size(), prefix) == 0) RETURN_IF_ERROR(OfEdge(edge.key));
        }
      }
      if (ended_) return absl::OkStatus();
    }
    return OfMember();
  }

  absl::Status Scan(const std::string& prefix) {
    std::string after;
    while (!ended_) {
      ASSIGN_OR_RETURN(const std::vector<KeyValue> edges,
                       reads_.Scan(PrefixRange(prefix, after), kPageRows));
      for (const KeyValue& edge : edges) {
        RETURN_IF_ERROR(OfEdge(edge.key));
        after = edge.key.substr(prefix.size());
      }
      if (edges.size() < kPageRows) break;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status OfEdge(std::string_view key) {
    if (ended_) return absl::OkStatus();
    ASSIGN_OR_RETURN(EdgeSource source, EdgeSourceOf(key));
    switch (source.kind) {
      case EdgeKind::kHold:
        return Visit({ImageKeeper::Kind::kHold, {}, std::move(source.name)});
      case EdgeKind::kLease:
        return Visit({ImageKeeper::Kind::kLease, {}, std::move(source.name)});
      case EdgeKind::kReference:
      case EdgeKind::kPending:
        return Visit({ImageKeeper::Kind::kLister, {source.repository, source.manifest}, {}});
      case EdgeKind::kTag:
        break;
      case EdgeKind::kMember:
        return absl::OkStatus();
    }
    const std::optional<Digest> subject = SubjectOfTag(source.name);
    if (subject.has_value()) {
      const Member referred{source.repository, *subject};
      ASSIGN_OR_RETURN(const bool here, IsListed(referred));
      if (here) return Visit({ImageKeeper::Kind::kSubject, referred, std::move(source.name)});
    }
    return Visit(
        {ImageKeeper::Kind::kTag, {source.repository, image_.manifest}, std::move(source.name)});
  }

  absl::Status OfMember() {
    ASSIGN_OR_RETURN(const std::optional<std::string> value,
                     reads_.Get(MemberKey(image_.repository, image_.manifest)));
    if (!value.has_value()) {
      return absl::NotFoundError(
          StrCat("manifest ", image_.manifest.ToString(), " is not a member"));
    }
    ASSIGN_OR_RETURN(const MemberRow row, MemberRow::Decode(*value));
    if (!row.subject.has_value()) return absl::OkStatus();
    const Member subject{image_.repository, *row.subject};
    ASSIGN_OR_RETURN(const bool here, IsListed(subject));
    if (!here) return absl::OkStatus();
    return Visit({ImageKeeper::Kind::kSubject, subject, {}});
  }

  // A put of the subject guards its blob row exclusively, so none comes between.
  absl::StatusOr<bool> IsListed(const Member& subject) {
    RETURN_IF_ERROR(reads_.Protect(BlobKey(subject.manifest)));
    return reads_.Has(MemberKey(subject.repository, subject.manifest));
  }

  absl::Status Visit(const ImageKeeper& keeper) {
    ASSIGN_OR_RETURN(const bool more, visit_(keeper));
    ended_ = !more;
    return absl::OkStatus();
  }

  Reads& reads_;
  const Member& image_;
  const KeeperVisitor& visit_;
  bool ended_ = false;
};

}  // namespace

absl::Status VisitKeepers(Reads& reads, const Member& image, const KeeperVisitor& visit) {
  return KeeperVisit(reads, image, visit).Run();
}

absl::StatusOr<std::vector<std::optional<EdgeSource>>> FirstKeepingEdges(
    Reads& reads, absl::Span<const Digest> manifests) {
  // Edges of members lie between those of claims and all others.
  static_assert(EdgeKind::kHold < EdgeKind::kMember && EdgeKind::kLease < EdgeKind::kMember);
  static_assert(EdgeKind::kMember < EdgeKind::kPending && EdgeKind::kMember < EdgeKind::kTag);
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

absl::Status VisitListers(Reads& reads, const Member& image, const KeeperVisitor& visit) {
  KeeperVisit walk(reads, image, visit);
  for (const EdgeKind kind : {EdgeKind::kReference, EdgeKind::kPending}) {
    RETURN_IF_ERROR(walk.Scan(EdgePrefix(image.manifest, kind, image.repository)));
  }
  return absl::OkStatus();
}

}  // namespace varve

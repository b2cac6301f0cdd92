// How a prune goes through the images: a page at a time.
#include <algorithm>
#include <deque>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/image/names.h"
#include "storage/index/rows.h"
#include "storage/index/table_visits.h"
#include "storage/jobs/work_pace.h"
#include "storage/limits.h"
#include "storage/reclaim/announced_removal.h"
#include "storage/reclaim/prune.h"

namespace varve {
namespace {

constexpr uint64_t kMembersBetweenQuestions = 1024;

// What a page could not do, its images may do alone: somebody holds a guard of one of them, or the
// repository has just got another name.
bool MayGoAlone(const absl::Status& page) {
  return absl::IsUnavailable(page) || absl::IsOutOfRange(page) || absl::IsDataLoss(page);
}

}  // namespace

absl::Status Prune::Walk() {
  WorkPace pace(parts_.promises);
  std::vector<Listed> page;
  const auto end_page = [&]() -> absl::Status {
    RETURN_IF_ERROR(OfferPage(page));
    page.clear();
    page_size_ = std::min(2 * page_size_, ManifestDeletions::kPageImages);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(
      WalkMembers(parts_.images.index,
                  [&](const Member& member, const std::string& row) -> absl::StatusOr<bool> {
                    if (dry_run_) {
                      RETURN_IF_ERROR(Plan(member));
                    } else {
                      page.push_back({member, row});
                      if (page.size() >= page_size_) RETURN_IF_ERROR(end_page());
                    }
                    pace.Rest();
                    // Whether somebody still wants this is asked also where nothing goes.
                    if (++looked_at_ % kMembersBetweenQuestions == 0) {
                      PruneStep nothing_new;
                      nothing_new.kind = PruneStep::Kind::kQueued;
                      nothing_new.looked_at = looked_at_;
                      Tell(std::move(nothing_new));
                    }
                    return !stopped_;
                  }));
  return stopped_ ? absl::OkStatus() : end_page();
}

absl::Status Prune::OfferPage(const std::vector<Listed>& page) {
  std::vector<Digest> manifests;
  for (const Listed& listed : page) manifests.push_back(listed.image.manifest);
  ASSIGN_OR_RETURN(const auto edges, FirstKeepingEdges(parts_.images.index, manifests));
  CheckInvariant(edges.size() == page.size(), "each image of a page is looked at");
  for (size_t i = 0; i < page.size() && !stopped_; ++i) {
    const Member& image = page[i].image;
    const bool stays =
        edges[i].has_value() &&
        Weigh(scope_, image, KeeperOf(image.manifest, *edges[i])) == KeeperWeight::kStays;
    if (stays) continue;
    absl::StatusOr<MemberRow> row = MemberRow::Decode(page[i].row);
    if (!edges[i].has_value() && row.ok() && !row->subject.has_value()) {
      RETURN_IF_ERROR(AddToPage(image, *std::move(row)));
    } else {
      RETURN_IF_ERROR(Offer(image));
    }
  }
  return stopped_ ? absl::OkStatus() : TakePage();
}

absl::Status Prune::AddToPage(const Member& image, MemberRow row) {
  const absl::StatusOr<std::string> name = NameOf(image.repository);
  if (absl::IsNotFound(name.status())) return absl::OkStatus();  // it went with all its images
  RETURN_IF_ERROR(name.status());
  ASSIGN_OR_RETURN(ImageDescription described,
                   parts_.descriptions.DescribeMember(
                       image.repository, *name, Members::InfoOf(image.manifest, std::move(row))));
  ASSIGN_OR_RETURN(const bool selected, IsSelected(image, described, /*tags=*/{}));
  if (!selected) return absl::OkStatus();
  std::optional<PruneStep> deferral = PromiseDeferral(described.info);
  if (deferral.has_value()) {
    TellDeferred(image, *std::move(deferral));
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(ImageContent content, ReadContent(parts_.images, image));
  CheckInvariant(!content.blobs.empty() && content.blobs.front() == image.manifest,
                 "the content of an image begins with its manifest");
  const size_t targets = content.blobs.size() - 1;
  if (!content.complete || targets > ManifestDeletions::kPageTargets) return Offer(image);
  const bool fits = page_.empty() || (page_.front().content.image.repository == image.repository &&
                                      page_targets_ + targets <= ManifestDeletions::kPageTargets);
  if (!fits) RETURN_IF_ERROR(TakePage());
  page_.push_back({{*name, std::move(described.info), {}}, std::move(content)});
  page_targets_ += targets;
  return absl::OkStatus();
}

absl::Status Prune::TakePage() {
  const std::vector<Going> page = std::exchange(page_, {});
  page_targets_ = 0;
  if (page.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto copies, NewCopies(page));
  const absl::StatusOr<std::vector<Deletion>> outcomes = RemovePage(page);
  if (MayGoAlone(outcomes.status())) {
    for (size_t i = 0; i < page.size() && !stopped_; ++i) {
      RETURN_IF_ERROR(Offer(page[i].content.image));
    }
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(outcomes.status());
  std::vector<Member> images;
  for (size_t i = 0; i < page.size(); ++i) {
    const ImageContent& content = page[i].content;
    images.push_back(content.image);
    TellOutcome(page[i].candidate, (*outcomes)[i]);
    if ((*outcomes)[i] != Deletion::kDeleted) continue;
    for (const Digest& blob : content.blobs) {
      const auto copy = copies.find(blob);
      if (copy != copies.end()) blobs_.insert(*copy);
    }
  }
  ASSIGN_OR_RETURN(const std::vector<bool> referred, HaveReferrers(parts_.images.index, images));
  for (size_t i = 0; i < page.size(); ++i) {
    if ((*outcomes)[i] != Deletion::kDeleted) continue;
    if (!referred[i] && page[i].content.children.empty()) continue;
    RETURN_IF_ERROR(AddFollowers(page[i].content));
  }
  if (blobs_.size() >= kMaxPruneBlobs) RETURN_IF_ERROR(Reclaim());
  return TakeFollowers();
}

absl::StatusOr<std::vector<Deletion>> Prune::RemovePage(const std::vector<Going>& page) {
  std::deque<AnnouncedRemoval> announced;
  std::vector<UnkeptImage> images;
  std::vector<size_t> places;
  for (size_t i = 0; i < page.size(); ++i) {
    const ImageContent& content = page[i].content;
    CheckInvariant(content.image.repository == page.front().content.image.repository,
                   "a page of deletions is of one repository");
    announced.emplace_back(parts_.promises, content.image.manifest);
    // Somebody asked for it since it was looked at.
    if (!announced.back().may_go_on()) continue;
    images.push_back({content.image.manifest, {content.blobs.begin() + 1, content.blobs.end()}});
    places.push_back(i);
  }
  std::vector<Deletion> deleted;
  RETURN_IF_ERROR(parts_.run([&]() -> absl::Status {
    ASSIGN_OR_RETURN(deleted, parts_.images.catalog.deletions.DeletePage(
                                  page.front().content.image.repository,
                                  page.front().candidate.repository, images));
    return absl::OkStatus();
  }));
  CheckInvariant(deleted.size() == images.size(), "each image of a page has an outcome");
  std::vector<Deletion> outcomes(page.size(), Deletion::kKept);
  for (size_t i = 0; i < images.size(); ++i) outcomes[places[i]] = deleted[i];
  return outcomes;
}

absl::StatusOr<absl::flat_hash_map<Digest, BlobCopy>> Prune::NewCopies(
    const std::vector<Going>& page) {
  absl::flat_hash_set<Digest> blobs;
  for (const Going& going : page) {
    for (const Digest& blob : going.content.blobs) {
      if (!blobs_.contains(blob)) blobs.insert(blob);
    }
  }
  const std::vector<Digest> digests(blobs.begin(), blobs.end());
  ASSIGN_OR_RETURN(const auto copies, ReadCopies(parts_.images, digests));
  absl::flat_hash_map<Digest, BlobCopy> here;
  for (size_t i = 0; i < digests.size(); ++i) {
    if (copies[i].has_value()) here.emplace(digests[i], *copies[i]);
  }
  return here;
}

}  // namespace varve

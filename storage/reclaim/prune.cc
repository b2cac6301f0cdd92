#include "storage/reclaim/prune.h"

#include <algorithm>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/names.h"
#include "storage/image/time_text.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"
#include "storage/keep/what_keeps.h"
#include "storage/limits.h"
#include "storage/reclaim/announced_removal.h"

namespace varve {
namespace {

bool IsOwnName(const std::string& tag) { return !SubjectOfTag(tag).has_value(); }

DanglingScope ScopeOf(const PruneSelection& selection) {
  return selection.all ? DanglingScope::kUnused : DanglingScope::kDangling;
}

}  // namespace

absl::StatusOr<PruneSelection> ParsePruneRequest(const PruneRequest& request, Clock& clock,
                                                 const NameRule& names) {
  PruneSelection selection;
  ASSIGN_OR_RETURN(selection.filter, ParseImageFilter(request.filters, PruneFilterKeys(),
                                                      LocalTimeReference(clock), names));
  const std::optional<bool>& dangling = selection.filter.dangling;
  if (request.all && dangling.value_or(false)) {
    return absl::InvalidArgumentError(
        "invalid filter 'dangling=[false true]': a prune of all images takes none that are "
        "dangling only");
  }
  selection.all = request.all || !dangling.value_or(true);
  selection.now = request.now;
  return selection;
}

Prune::Prune(Parts parts, PruneSelection selection, bool dry_run, const PruneObserver& observer)
    : parts_(std::move(parts)),
      selection_(std::move(selection)),
      dry_run_(dry_run),
      observer_(observer),
      scope_(ScopeOf(selection_)),
      newest_(parts_.images.index, selection_.filter.keep_last.value_or(0),
              [this](RepositoryId repository, const Digest& manifest) -> absl::StatusOr<bool> {
                ASSIGN_OR_RETURN(const std::vector<std::string> tags,
                                 parts_.images.catalog.tags.Of(repository, manifest));
                // What tags only make a referrer is no image of its own.
                if (!tags.empty() && std::none_of(tags.begin(), tags.end(), IsOwnName)) {
                  return false;
                }
                ASSIGN_OR_RETURN(const std::string name, NameOf(repository));
                return HasSelectedNames(name, manifest, tags);
              }),
      search_(parts_.images.index, scope_,
              dry_run ? DanglingSearch::MayGo([this](const Member& image, bool follows) {
                return MayGo(image, follows);
              })
                      : DanglingSearch::MayGo()) {}

absl::StatusOr<bool> Prune::MayGo(const Member& image, bool follows) {
  ASSIGN_OR_RETURN(std::optional<Candidate> candidate, Select(image, follows));
  if (!candidate.has_value()) return false;
  ASSIGN_OR_RETURN(std::optional<PruneStep> deferral, Deferral(image, candidate->info));
  const bool goes = !deferral.has_value();
  if (image == planned_) {
    candidate_ = std::move(candidate);
    deferral_ = std::move(deferral);
  }
  return goes;
}

absl::StatusOr<PruneReport> Prune::Run() {
  do {
    walk_again_ = false;
    const absl::Status walked = Walk();
    if (!stopped_) RETURN_IF_ERROR(walked);
  } while (walk_again_ && !stopped_);
  RETURN_IF_ERROR(Reclaim());
  return report_;
}

absl::Status Prune::Plan(const Member& image) {
  planned_ = image;
  candidate_.reset();
  deferral_.reset();
  ASSIGN_OR_RETURN(const bool goes, search_.Goes(image));
  if (deferral_.has_value()) TellDeferred(image, *std::move(deferral_));
  if (!goes) return absl::OkStatus();
  TellRemoved(*candidate_);
  ASSIGN_OR_RETURN(const ImageContent content, ReadContent(parts_.images, image));
  for (const Digest& blob : content.blobs) {
    ASSIGN_OR_RETURN(const DanglingSearch::Owners owners, search_.OwnersOf(blob, &image));
    if (owners != DanglingSearch::Owners::kGoing) continue;
    ASSIGN_OR_RETURN(const std::optional<BlobCopy> copy, ReadCopy(parts_.images, blob));
    if (copy.has_value()) report_.content_bytes += copy->size_bytes;
  }
  return absl::OkStatus();
}

absl::StatusOr<Prune::Kept> Prune::LookAt(const Member& image,
                                          const std::function<void(const ImageKeeper&)>& by) {
  Kept kept;
  const absl::Status visited = VisitKeepers(
      parts_.images.index, image, [&](const ImageKeeper& keeper) -> absl::StatusOr<bool> {
        switch (Weigh(scope_, image, keeper)) {
          case KeeperWeight::kNone:
            break;
          case KeeperWeight::kStays: {
            const std::optional<Digest> subject = SubjectOfTag(keeper.name);
            const bool subject_went = keeper.kind == ImageKeeper::Kind::kTag &&
                                      subject.has_value() &&
                                      subjects_.contains({keeper.image.repository, *subject});
            kept.stays = !subject_went;
            break;
          }
          case KeeperWeight::kWithImage:
            kept.by_images = true;
            if (by == nullptr) return false;
            by(keeper);
            break;
        }
        return !kept.stays;
      });
  // Somebody else deleted it.
  if (absl::IsNotFound(visited)) kept.stays = true;
  if (!kept.stays) RETURN_IF_ERROR(visited);
  return kept;
}

absl::Status Prune::Offer(const Member& image) {
  ASSIGN_OR_RETURN(const Kept kept, LookAt(image, nullptr));
  if (kept.stays) return absl::OkStatus();
  std::vector<Prunable> circle;
  if (kept.by_images) {
    ASSIGN_OR_RETURN(std::optional<std::vector<Prunable>> found, FindCircle(image));
    if (!found.has_value()) return absl::OkStatus();
    circle = *std::move(found);
  }
  RETURN_IF_ERROR(Take(image, /*follows=*/false, std::move(circle)).status());
  return TakeFollowers();
}

absl::Status Prune::TakeFollowers() {
  while (!waiting_.empty() && !stopped_) {
    const Member one = waiting_.back();
    waiting_.pop_back();
    ASSIGN_OR_RETURN(const Kept still, LookAt(one, nullptr));
    if (still.stays || still.by_images) continue;
    RETURN_IF_ERROR(Take(one, /*follows=*/true, {}).status());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::vector<Prunable>>> Prune::FindCircle(const Member& image) {
  const std::optional<std::vector<Prunable>> none;
  // As a rule nothing refers to it, and it goes with what keeps it, or not at all.
  ASSIGN_OR_RETURN(const bool referred, HasReferrers(parts_.images.index, image));
  if (!referred) return none;
  // Most of those are kept, which an earlier search knows.
  ASSIGN_OR_RETURN(const bool may_go, search_.Goes(image));
  if (!may_go) return none;
  std::vector<Member> found = {image};
  std::vector<bool> follows;
  absl::flat_hash_set<Member> seen = {image};
  bool closed = false;
  for (size_t next = 0; next < found.size(); ++next) {
    const Member one = found[next];
    ASSIGN_OR_RETURN(
        const Kept kept, LookAt(one, [&](const ImageKeeper& keeper) {
          closed = closed || (keeper.kind == ImageKeeper::Kind::kSubject && keeper.image == image);
          if (found.size() <= kMaxCircle && seen.insert(keeper.image).second) {
            found.push_back(keeper.image);
          }
        }));
    if (kept.stays || found.size() > kMaxCircle) return none;
    follows.push_back(kept.by_images);
  }
  if (!closed) return none;
  std::vector<Prunable> circle;
  for (size_t i = 1; i < found.size(); ++i) {
    ASSIGN_OR_RETURN(std::optional<Candidate> candidate, Select(found[i], follows[i]));
    if (!candidate.has_value()) return none;
    ASSIGN_OR_RETURN(std::optional<PruneStep> deferral, Deferral(found[i], candidate->info));
    if (deferral.has_value()) {
      TellDeferred(found[i], *std::move(deferral));
      return none;
    }
    circle.push_back({found[i], std::move(candidate->tags)});
  }
  return std::optional<std::vector<Prunable>>(std::move(circle));
}

absl::StatusOr<std::string> Prune::NameOf(RepositoryId repository) {
  if (!last_name_.has_value() || last_name_->first != repository) {
    ASSIGN_OR_RETURN(std::string name, parts_.images.catalog.repositories.NameOf(repository));
    last_name_.emplace(repository, std::move(name));
  }
  return last_name_->second;
}

absl::StatusOr<std::optional<Prune::Candidate>> Prune::Select(const Member& image, bool follows) {
  Candidate candidate;
  ASSIGN_OR_RETURN(candidate.repository, NameOf(image.repository));
  absl::StatusOr<ImageDescription> described =
      parts_.descriptions.Describe(image.repository, candidate.repository, image.manifest);
  // Somebody else deleted it.
  if (absl::IsNotFound(described.status())) return std::optional<Candidate>();
  RETURN_IF_ERROR(described.status());
  std::vector<std::string>& tags = candidate.tags;
  ASSIGN_OR_RETURN(tags, parts_.images.catalog.tags.Of(image.repository, image.manifest));
  // A tag that came just now is no reason to go with it.
  if (!selection_.all) tags.erase(std::remove_if(tags.begin(), tags.end(), IsOwnName), tags.end());
  if (!follows || std::any_of(tags.begin(), tags.end(), IsOwnName)) {
    ASSIGN_OR_RETURN(const bool selected, IsSelected(image, *described, tags));
    if (!selected) return std::optional<Candidate>();
  }
  candidate.info = std::move(described->info);
  return std::optional<Candidate>(std::move(candidate));
}

absl::StatusOr<bool> Prune::Take(const Member& image, bool follows,
                                 std::vector<Prunable> together) {
  ASSIGN_OR_RETURN(std::optional<Candidate> candidate, Select(image, follows));
  if (!candidate.has_value()) return false;
  ASSIGN_OR_RETURN(std::optional<PruneStep> deferral, Deferral(image, candidate->info));
  if (deferral.has_value()) {
    TellDeferred(image, *std::move(deferral));
    return false;
  }
  ASSIGN_OR_RETURN(const ImageContent content, ReadContent(parts_.images, image));
  std::vector<std::pair<Digest, BlobCopy>> copies;
  for (const Digest& blob : content.blobs) {
    if (blobs_.contains(blob)) continue;
    ASSIGN_OR_RETURN(const std::optional<BlobCopy> copy, ReadCopy(parts_.images, blob));
    if (copy.has_value()) copies.emplace_back(blob, *copy);
  }
  together.insert(together.begin(), Prunable{image, candidate->tags});
  ASSIGN_OR_RETURN(const Deletion outcome, Remove(together));
  TellOutcome(*candidate, outcome);
  if (outcome != Deletion::kDeleted) return false;
  blobs_.insert(copies.begin(), copies.end());
  RETURN_IF_ERROR(AddFollowers(content));
  if (blobs_.size() >= kMaxPruneBlobs) RETURN_IF_ERROR(Reclaim());
  return true;
}

absl::Status Prune::AddFollowers(const ImageContent& gone) {
  return VisitFollowers(parts_.images, gone, [&](const Member& follower, bool by_tag) {
    if (by_tag) {
      // Its tag does not keep it any more.
      if (subjects_.size() >= kMaxPruneFollowers) subjects_.clear();
      subjects_.insert(gone.image);
    }
    if (waiting_.size() < kMaxPruneFollowers) {
      waiting_.push_back(follower);
    } else {
      walk_again_ = true;
    }
    return absl::OkStatus();
  });
}

void Prune::TellDeferred(const Member& image, PruneStep step) {
  if (deferred_.contains(image)) return;
  if (deferred_.size() < kMaxPruneFollowers) deferred_.insert(image);
  Tell(std::move(step));
}

void Prune::TellOutcome(const Candidate& candidate, Deletion outcome) {
  if (outcome == Deletion::kDeleted) return TellRemoved(candidate);
  if (outcome == Deletion::kAbsent) return;
  PruneStep step;
  step.kind = PruneStep::Kind::kSkipped;
  step.image = candidate.info;
  step.reason = "it was tagged, listed or held since it was looked at";
  Tell(std::move(step));
}

void Prune::TellRemoved(const Candidate& candidate) {
  PruneStep step;
  step.image = candidate.info;
  for (const std::string& tag : candidate.tags) {
    step.untagged.push_back(StrCat(candidate.repository, ":", tag));
  }
  Tell(std::move(step));
}

absl::StatusOr<bool> Prune::IsSelected(const Member& member, const ImageDescription& image,
                                       const std::vector<std::string>& tags) {
  if (!Matches(selection_.filter, image)) return false;
  if (!HasSelectedNames(image.info.repository, member.manifest, tags)) return false;
  ASSIGN_OR_RETURN(const bool used, WasUsedLately(member, image.info, tags));
  if (used) return false;
  if (!selection_.filter.keep_last.has_value()) return true;
  ASSIGN_OR_RETURN(const bool newest, newest_.Contains(member.repository, member.manifest));
  return !newest;
}

// All its names go with an image, so all of them must match.
bool Prune::HasSelectedNames(const std::string& repository, const Digest& manifest,
                             const std::vector<std::string>& tags) {
  const ImageFilter& filter = selection_.filter;
  if (filter.references.empty()) return true;
  if (tags.empty()) {
    return filter.MatchesName(repository, StrCat(repository, "@", manifest.ToString()));
  }
  return std::all_of(tags.begin(), tags.end(), [&](const std::string& tag) {
    return filter.MatchesName(repository, StrCat(repository, ":", tag));
  });
}

absl::StatusOr<bool> Prune::WasUsedLately(const Member& member, const ImageInfo& image,
                                          const std::vector<std::string>& tags) {
  if (!selection_.filter.unused_since_nanos.has_value()) return false;
  const int64_t since = *selection_.filter.unused_since_nanos;
  if (image.manifest.pushed_nanos > since || image.pulled_nanos > since) return true;
  for (const std::string& tag : tags) {
    ASSIGN_OR_RETURN(const std::optional<std::string> value,
                     parts_.images.index.Get(TagKey(member.repository, tag)));
    if (!value.has_value()) continue;
    ASSIGN_OR_RETURN(const TagRow row, TagRow::Decode(*value));
    if (row.tagged_nanos > since) return true;
  }
  return false;
}

absl::StatusOr<std::optional<PruneStep>> Prune::Deferral(const Member& member,
                                                         const ImageInfo& image) {
  PruneStep step;
  step.kind = PruneStep::Kind::kDeferred;
  step.image = image;
  ASSIGN_OR_RETURN(const std::optional<Claim> claim,
                   FindClaim(parts_.images.index, member.manifest));
  if (claim.has_value() && claim->kind == EdgeKind::kLease) {
    step.reason = StrCat(claim->Text(), " covers it");
    ASSIGN_OR_RETURN(const std::optional<std::string> value,
                     parts_.images.index.Get(LeaseKey(claim->name)));
    if (value.has_value()) {
      ASSIGN_OR_RETURN(const LeaseRow lease, LeaseRow::Decode(*value));
      step.until_nanos = lease.deadline_nanos;
    }
    return step;
  }
  return PromiseDeferral(image);
}

std::optional<PruneStep> Prune::PromiseDeferral(const ImageInfo& image) {
  const int64_t kept_nanos = parts_.promises.KeptNanos(image.manifest.digest);
  // A dry run ends no promises; the prune itself did, and those that hold now were given since.
  if (kept_nanos == 0 || (dry_run_ && selection_.now)) return std::nullopt;
  PruneStep step;
  step.kind = PruneStep::Kind::kDeferred;
  step.image = image;
  step.reason = parts_.promises.KeepsEverything()
                    ? "the daemon was started, or its clock set forward, a short time ago"
                    : "it was pushed, pulled or asked for a short time ago";
  step.until_nanos = parts_.clock.WallNanos() + kept_nanos;
  return step;
}

absl::StatusOr<Deletion> Prune::Remove(const std::vector<Prunable>& together) {
  const AnnouncedRemoval announced(parts_.promises, together.front().image.manifest);
  // Somebody asked for it since Deferral looked.
  if (!announced.may_go_on()) return Deletion::kKept;
  Deletion outcome = Deletion::kAbsent;
  RETURN_IF_ERROR(parts_.run([&]() -> absl::Status {
    ASSIGN_OR_RETURN(outcome,
                     parts_.images.catalog.deletions.DeletePrunable(together, selection_.all));
    return absl::OkStatus();
  }));
  return outcome;
}

void Prune::Tell(PruneStep step) {
  switch (step.kind) {
    case PruneStep::Kind::kRemoved:
      ++report_.images;
      report_.untagged += step.untagged.size();
      break;
    case PruneStep::Kind::kDeferred:
      ++report_.deferred;
      report_.deferred_until_nanos = std::max(report_.deferred_until_nanos, step.until_nanos);
      break;
    case PruneStep::Kind::kSkipped:
      ++report_.skipped;
      break;
    case PruneStep::Kind::kStarted:
    case PruneStep::Kind::kQueued:
      break;  // of the job, not of the prune
  }
  if (observer_ != nullptr && !observer_(step)) stopped_ = true;
}

}  // namespace varve

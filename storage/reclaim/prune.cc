#include "storage/reclaim/prune.h"

#include <algorithm>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/catalog/dangling.h"
#include "storage/catalog/names.h"
#include "storage/catalog/time_text.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"
#include "storage/reclaim/announced_removal.h"
#include "storage/reclaim/work_pace.h"

namespace varve {
namespace {

constexpr uint64_t kMembersBetweenQuestions = 1024;

bool IsOwnName(const std::string& tag) { return !SubjectOfTag(tag).has_value(); }

DanglingSet::Scope ScopeOf(const PruneSelection& selection) {
  return selection.all ? DanglingSet::Scope::kUnused : DanglingSet::Scope::kDangling;
}

}  // namespace

absl::StatusOr<PruneSelection> ParsePruneRequest(const PruneRequest& request, Clock& clock) {
  PruneSelection selection;
  ASSIGN_OR_RETURN(selection.filter,
                   ParseImageFilter(request.filters, PruneFilterKeys(), LocalTimeReference(clock)));
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
      set_(parts_.images, ScopeOf(selection_)),
      newest_(parts_.images.index, selection_.filter.keep_last.value_or(0),
              [this](RepositoryId repository, const Digest& manifest) -> absl::StatusOr<bool> {
                ASSIGN_OR_RETURN(const std::vector<std::string> tags,
                                 parts_.images.catalog.TagsOf(repository, manifest));
                // What tags only make a referrer is no image of its own.
                if (!tags.empty() && std::none_of(tags.begin(), tags.end(), IsOwnName)) {
                  return false;
                }
                ASSIGN_OR_RETURN(const std::string name, NameOf(repository));
                return HasSelectedNames(name, manifest, tags);
              }) {}

absl::StatusOr<PruneReport> Prune::Run() {
  WorkPace pace(parts_.promises);
  const absl::Status walked =
      VisitMembers(parts_.images.index, [&](const Member& member) -> absl::Status {
        RETURN_IF_ERROR(set_.Gather(member, [&](const DanglingSet::Content& content, bool follows) {
          return Take(content, follows);
        }));
        pace.Rest();
        // Whether somebody still wants this is asked also where nothing goes.
        if (++looked_at_ % kMembersBetweenQuestions == 0) {
          PruneStep nothing_new;
          nothing_new.kind = PruneStep::Kind::kQueued;
          Tell(std::move(nothing_new));
        }
        return stopped_ ? absl::CancelledError("the observer has seen enough") : absl::OkStatus();
      });
  if (!stopped_) RETURN_IF_ERROR(walked);
  RETURN_IF_ERROR(Reclaim());
  return report_;
}

absl::StatusOr<std::string> Prune::NameOf(RepositoryId repository) {
  if (!last_name_.has_value() || last_name_->first != repository) {
    ASSIGN_OR_RETURN(std::string name, parts_.images.catalog.RepositoryName(repository));
    last_name_.emplace(repository, std::move(name));
  }
  return last_name_->second;
}

absl::StatusOr<bool> Prune::Take(const DanglingSet::Content& content, bool follows) {
  if (stopped_) return false;
  const Member& member = content.member;
  ASSIGN_OR_RETURN(const std::string name, NameOf(member.repository));
  absl::StatusOr<ImageDescription> image =
      parts_.descriptions.Describe(member.repository, name, member.manifest);
  if (absl::IsNotFound(image.status())) return false;  // somebody else deleted it
  RETURN_IF_ERROR(image.status());
  ASSIGN_OR_RETURN(std::vector<std::string> tags,
                   parts_.images.catalog.TagsOf(member.repository, member.manifest));
  // A tag that came just now is no reason to go with it.
  if (!selection_.all) tags.erase(std::remove_if(tags.begin(), tags.end(), IsOwnName), tags.end());
  if (!follows || std::any_of(tags.begin(), tags.end(), IsOwnName)) {
    ASSIGN_OR_RETURN(const bool selected, IsSelected(member, *image, tags));
    if (!selected) return false;
  }
  ASSIGN_OR_RETURN(std::optional<PruneStep> deferral, Deferral(member, image->info));
  if (deferral.has_value()) {
    if (deferred_.insert(member).second) Tell(*std::move(deferral));
    return false;
  }
  ASSIGN_OR_RETURN(const Catalog::Deletion outcome, Remove(member, tags));
  if (outcome == Catalog::Deletion::kAbsent) return false;
  PruneStep step;
  step.image = std::move(image->info);
  if (outcome == Catalog::Deletion::kKept) {
    step.kind = PruneStep::Kind::kSkipped;
    step.reason = "it was tagged, listed or held since it was looked at";
    Tell(std::move(step));
    return false;
  }
  for (const std::string& tag : tags) step.untagged.push_back(StrCat(name, ":", tag));
  Tell(std::move(step));
  return true;
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
  const int64_t held_nanos = parts_.promises.HeldNanos(member.manifest);
  // A dry run ends no promises; the prune itself did, and those that hold now were given since.
  if (held_nanos == 0 || (dry_run_ && selection_.now)) return std::nullopt;
  step.reason = parts_.promises.HoldsEverything()
                    ? "the daemon was started, or its clock set forward, a short time ago"
                    : "it was pushed, pulled or asked for a short time ago";
  step.until_nanos = parts_.clock.WallNanos() + held_nanos;
  return step;
}

absl::StatusOr<Catalog::Deletion> Prune::Remove(const Member& member,
                                                const std::vector<std::string>& tags) {
  if (dry_run_) return Catalog::Deletion::kDeleted;
  const AnnouncedRemoval announced(parts_.promises, member.manifest);
  // Somebody asked for it since Deferral looked.
  if (!announced.may_go_on()) return Catalog::Deletion::kKept;
  Catalog::Deletion outcome = Catalog::Deletion::kAbsent;
  RETURN_IF_ERROR(parts_.run([&]() -> absl::Status {
    ASSIGN_OR_RETURN(outcome, parts_.images.catalog.DeletePrunable(
                                  member.repository, member.manifest, {tags, selection_.all}));
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

absl::Status Prune::Reclaim() {
  std::vector<std::pair<Digest, DanglingSet::Copy>> own;
  RETURN_IF_ERROR(set_.VisitOwnBlobs([&](const Digest& digest, const DanglingSet::Copy& copy) {
    report_.content_bytes += copy.size_bytes;
    own.emplace_back(digest, copy);
    return absl::OkStatus();
  }));
  if (dry_run_) return absl::OkStatus();
  RETURN_IF_ERROR(parts_.reclaim());
  for (const auto& [digest, copy] : own) RETURN_IF_ERROR(Measure(digest, copy));
  return absl::OkStatus();
}

// Looked up instead of believed: another pass of the reclaimer may have taken it, and a push may
// have brought it back.
absl::Status Prune::Measure(const Digest& digest, const DanglingSet::Copy& copy) {
  ASSIGN_OR_RETURN(const std::optional<std::string> row, parts_.images.index.Get(BlobKey(digest)));
  if (row.has_value()) {
    ASSIGN_OR_RETURN(const std::vector<KeyValue> edges,
                     parts_.images.index.Scan(PrefixRange(EdgePrefix(digest)), 1));
    if (edges.empty()) {
      ++report_.deferred;
      report_.deferred_bytes += copy.file == 0 ? copy.size_bytes : copy.allocated_bytes;
      report_.deferred_until_nanos =
          std::max(report_.deferred_until_nanos,
                   parts_.clock.WallNanos() + parts_.promises.HeldNanos(digest));
    }
  }
  if (copy.file == 0) return absl::OkStatus();
  const bool file_gone = absl::IsNotFound(parts_.images.files.Stat(copy.file).status());
  if (file_gone) report_.freed_bytes += copy.allocated_bytes;
  return absl::OkStatus();
}

}  // namespace varve

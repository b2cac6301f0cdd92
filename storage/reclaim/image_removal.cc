#include "storage/reclaim/image_removal.h"

#include <algorithm>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/short_id.h"
#include "storage/keep/what_keeps.h"
#include "storage/reclaim/announced_removal.h"

namespace varve {
namespace {

// A tag may move between the look and the removal; each time somebody else's tag succeeded.
constexpr int kMaxAttempts = 8;

absl::Status Conflict(const ImageMatch& found, std::string_view how, std::string_view why) {
  return absl::FailedPreconditionError(
      StrCat("conflict: unable to delete ", ShortId(found.manifest), " (", how, ") - ", why));
}

absl::Status ListedConflict(const ImageMatch& found, std::string_view repository) {
  return Conflict(found, "cannot be forced",
                  StrCat("an image index in repository ", ShownName(repository),
                         " lists the image; remove the index instead"));
}

}  // namespace

absl::StatusOr<RemovedImage> ImageRemoval::Remove(std::string_view name, bool force) {
  RemovedImage removed;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    ASSIGN_OR_RETURN(ImageMatch found, parts_.images.catalog.finder.Find(name));
    if (found.by_id && !force) RETURN_IF_ERROR(LeaveToSubjects(&found));
    if (found.tag.empty()) {
      RETURN_IF_ERROR(CheckUnclaimed(found));
      RETURN_IF_ERROR(CheckConflicts(found, force));
      RETURN_IF_ERROR(RemoveFromPlaces(found, force, &removed));
      return removed;
    }
    ASSIGN_OR_RETURN(const bool done, RemoveTag(found, force, &removed));
    if (done) return removed;
  }
  return absl::UnavailableError(StrCat("the tag ", name, " keeps moving; try again"));
}

absl::StatusOr<Deletion> ImageRemoval::Delete(
    const std::function<absl::StatusOr<Deletion>()>& deletion) {
  Deletion outcome = Deletion::kAbsent;
  RETURN_IF_ERROR(parts_.run([&]() -> absl::Status {
    ASSIGN_OR_RETURN(outcome, deletion());
    return absl::OkStatus();
  }));
  return outcome;
}

absl::StatusOr<bool> ImageRemoval::RemoveTag(const ImageMatch& found, bool force,
                                             RemovedImage* removed) {
  const std::string& repository = found.places[0].repository;
  const std::string& tag = found.tag;
  const Digest& manifest = found.manifest;
  ASSIGN_OR_RETURN(const RepositoryId id, parts_.images.catalog.repositories.Find(repository));
  // Read before it goes: afterwards nobody may know what it listed.
  ASSIGN_OR_RETURN(const ImageContent content, ReadContent(parts_.images, {id, manifest}));
  ASSIGN_OR_RETURN(const Deletion outcome, Delete([&] {
                     return parts_.images.catalog.deletions.RemoveTag(id, tag, manifest, force);
                   }));
  if (outcome == Deletion::kAbsent) return false;
  removed->untagged.push_back(StrCat(repository, ":", tag));
  if (outcome == Deletion::kDeleted) {
    RETURN_IF_ERROR(AfterDeletion(content, repository, removed));
  }
  return true;
}

absl::Status ImageRemoval::LeaveToSubjects(ImageMatch* found) {
  Catalog& catalog = parts_.images.catalog;
  std::vector<ImageMatch::Place> loose;
  for (const ImageMatch::Place& place : found->places) {
    if (found->places.size() == 1 || !place.tags.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const RepositoryId id, catalog.repositories.Find(place.repository));
    const absl::StatusOr<ManifestInfo> member = catalog.members.Read(id, found->manifest);
    if (absl::IsNotFound(member.status())) continue;  // somebody else deleted it
    RETURN_IF_ERROR(member.status());
    bool has_subject = member->subject.has_value();
    if (has_subject) {
      ASSIGN_OR_RETURN(has_subject, IsHere(parts_.images.index, {id, *member->subject}));
    }
    if (!has_subject) loose.push_back(place);
  }
  if (!loose.empty()) found->places = std::move(loose);
  return absl::OkStatus();
}

absl::Status ImageRemoval::CheckUnclaimed(const ImageMatch& found) {
  for (const ImageMatch::Place& place : found.places) {
    ASSIGN_OR_RETURN(const RepositoryId id,
                     parts_.images.catalog.repositories.Find(place.repository));
    ASSIGN_OR_RETURN(const std::optional<Claim> claim,
                     FindClaimIn(parts_.images.index, {id, found.manifest}));
    if (!claim.has_value()) continue;
    return Conflict(found, "cannot be forced", StrCat("image is being used by ", claim->Text()));
  }
  return absl::OkStatus();
}

absl::Status ImageRemoval::CheckConflicts(const ImageMatch& found, bool force) {
  size_t tags = 0;
  size_t tagged_places = 0;
  for (const ImageMatch::Place& place : found.places) {
    const absl::StatusOr<RepositoryId> id =
        parts_.images.catalog.repositories.Find(place.repository);
    RETURN_IF_ERROR(id.status());
    ASSIGN_OR_RETURN(const bool listed, IsListed(parts_.images.index, {*id, found.manifest}));
    if (listed) return ListedConflict(found, place.repository);
    tags += place.tags.size();
    if (!place.tags.empty()) ++tagged_places;
  }
  if (force || tags <= 1) return absl::OkStatus();
  return Conflict(found, "must be forced",
                  tagged_places > 1 ? "image is referenced in multiple repositories"
                                    : "image is referenced by several tags");
}

absl::Status ImageRemoval::RemoveFromPlaces(const ImageMatch& found, bool force,
                                            RemovedImage* removed) {
  for (const ImageMatch::Place& place : found.places) {
    ASSIGN_OR_RETURN(const RepositoryId id,
                     parts_.images.catalog.repositories.Find(place.repository));
    ASSIGN_OR_RETURN(const ImageContent content, ReadContent(parts_.images, {id, found.manifest}));
    ASSIGN_OR_RETURN(const Deletion outcome, Delete([&] {
                       return parts_.images.catalog.deletions.DeleteUnlisted(
                           id, found.manifest, force ? nullptr : &place.tags);
                     }));
    if (outcome == Deletion::kKept) {
      // Somebody tagged or listed it since it was looked at.
      return Conflict(
          found, "must be forced",
          StrCat("image has got another reference in repository ", ShownName(place.repository)));
    }
    if (outcome == Deletion::kAbsent) continue;  // somebody else deleted it
    for (const std::string& tag : place.tags) {
      removed->untagged.push_back(StrCat(place.repository, ":", tag));
    }
    RETURN_IF_ERROR(AfterDeletion(content, place.repository, removed));
  }
  return absl::OkStatus();
}

absl::Status ImageRemoval::AfterDeletion(const ImageContent& content, const std::string& repository,
                                         RemovedImage* removed) {
  const RepositoryId id = content.image.repository;
  removed->deleted.push_back(StrCat(repository, "@", content.image.manifest.ToString()));
  // Each with the image that it may follow.
  std::vector<std::pair<Member, Digest>> waiting;
  const auto add_followers = [&](const ImageContent& gone) {
    return VisitFollowers(parts_.images, gone, [&](const Member& follower, bool) {
      waiting.emplace_back(follower, gone.image.manifest);
      return absl::OkStatus();
    });
  };
  RETURN_IF_ERROR(NotePromised(content, removed));
  RETURN_IF_ERROR(add_followers(content));
  while (!waiting.empty()) {
    const auto [member, gone] = waiting.back();
    waiting.pop_back();
    if (member.repository != id) continue;
    // A client may have been told that it exists, and be about to list it again: then prune takes
    // it later.
    const AnnouncedRemoval announced(parts_.promises, member.manifest);
    if (!announced.may_go_on()) {
      ++removed->promised_images;
      NotePromise(announced.wait_nanos(), removed);
      continue;
    }
    ASSIGN_OR_RETURN(const ImageContent one, ReadContent(parts_.images, member));
    ASSIGN_OR_RETURN(const std::vector<std::string> tags,
                     parts_.images.catalog.tags.Of(id, one.image.manifest));
    const Digest& follower = one.image.manifest;
    const Digest& subject = gone;
    ASSIGN_OR_RETURN(const Deletion outcome, Delete([&] {
                       return parts_.images.catalog.deletions.DeleteUnneeded(id, follower, subject);
                     }));
    if (outcome != Deletion::kDeleted) continue;
    for (const std::string& tag : tags) removed->untagged.push_back(StrCat(repository, ":", tag));
    removed->deleted.push_back(StrCat(repository, "@", member.manifest.ToString()));
    RETURN_IF_ERROR(NotePromised(one, removed));
    RETURN_IF_ERROR(add_followers(one));
  }
  return absl::OkStatus();
}

void ImageRemoval::NotePromise(int64_t kept_nanos, RemovedImage* removed) {
  removed->promised_until_nanos =
      std::max(removed->promised_until_nanos, parts_.clock.WallNanos() + kept_nanos);
}

absl::Status ImageRemoval::NotePromised(const ImageContent& content, RemovedImage* removed) {
  for (const Digest& digest : content.blobs) {
    const int64_t kept_nanos = parts_.promises.KeptNanos(digest);
    if (kept_nanos == 0) continue;
    ASSIGN_OR_RETURN(const bool kept, parts_.images.index.HasAny(EdgePrefix(digest)));
    if (kept) continue;
    ASSIGN_OR_RETURN(const std::optional<BlobCopy> copy, ReadCopy(parts_.images, digest));
    if (!copy.has_value()) continue;
    removed->promised_bytes += copy->kept_bytes;
    NotePromise(kept_nanos, removed);
  }
  return absl::OkStatus();
}

}  // namespace varve

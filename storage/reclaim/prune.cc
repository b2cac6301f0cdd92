#include "storage/reclaim/prune.h"

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/catalog/time_text.h"
#include "storage/index/keys.h"
#include "storage/reclaim/announced_removal.h"

namespace varve {

absl::StatusOr<PruneReport> Prune::Run() {
  ASSIGN_OR_RETURN(filter_, ParseImageFilter(request_.filters, PruneFilterKeys(),
                                             LocalTimeReference(parts_.clock)));
  if (!filter_.dangling.value_or(true)) {
    return absl::InvalidArgumentError(
        "only dangling images can be pruned; leave out dangling=false, or remove images by name");
  }
  const absl::Status walked =
      VisitMembers(parts_.images.index, [&](const Member& member) -> absl::Status {
        RETURN_IF_ERROR(set_.Gather(member, [&](const DanglingSet::Content& content, bool follows) {
          return Take(content, follows);
        }));
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
  const absl::StatusOr<ImageDescription> image =
      parts_.descriptions.Describe(member.repository, name, member.manifest);
  if (absl::IsNotFound(image.status())) return false;  // somebody else deleted it
  RETURN_IF_ERROR(image.status());
  if (!follows && !Matches(filter_, *image)) return false;
  // A client that pulls reads the manifest first and its layers for minutes after.
  const int64_t since_pull_nanos = parts_.clock.WallNanos() - image->info.pulled_nanos;
  if (image->info.pulled_nanos != 0 && since_pull_nanos < parts_.promise_nanos) {
    ++report_.deferred;
    return false;
  }
  ASSIGN_OR_RETURN(const bool removed, Remove(member));
  if (!removed) return false;
  ++report_.images;
  if (observer_ != nullptr && !observer_(image->info)) stopped_ = true;
  return true;
}

absl::StatusOr<bool> Prune::Remove(const Member& member) {
  const AnnouncedRemoval announced(parts_.promises, member.manifest);
  if (!announced.may_go_on()) {
    ++report_.deferred;
    return false;
  }
  if (request_.dry_run) return true;
  Catalog::Deletion outcome = Catalog::Deletion::kAbsent;
  RETURN_IF_ERROR(parts_.run([&]() -> absl::Status {
    ASSIGN_OR_RETURN(outcome,
                     parts_.images.catalog.DeleteDangling(member.repository, member.manifest));
    return absl::OkStatus();
  }));
  return outcome == Catalog::Deletion::kDeleted;
}

absl::Status Prune::Reclaim() {
  std::vector<std::pair<Digest, DanglingSet::Copy>> own;
  RETURN_IF_ERROR(set_.VisitOwnBlobs([&](const Digest& digest, const DanglingSet::Copy& copy) {
    report_.content_bytes += copy.size_bytes;
    own.emplace_back(digest, copy);
    return absl::OkStatus();
  }));
  if (request_.dry_run) return absl::OkStatus();
  RETURN_IF_ERROR(parts_.reclaim());
  // Looked up instead of believed: another pass of the reclaimer may have taken some of them, and
  // a push may have brought some back.
  for (const auto& [digest, copy] : own) {
    ASSIGN_OR_RETURN(const std::optional<std::string> row,
                     parts_.images.index.Get(BlobKey(digest)));
    if (row.has_value()) {
      ASSIGN_OR_RETURN(const std::vector<KeyValue> edges,
                       parts_.images.index.Scan(PrefixRange(EdgePrefix(digest)), 1));
      if (edges.empty()) ++report_.deferred;
    }
    if (copy.file == 0) continue;
    const bool file_gone = absl::IsNotFound(parts_.images.files.Stat(copy.file).status());
    if (file_gone) report_.freed_bytes += copy.allocated_bytes;
  }
  return absl::OkStatus();
}

}  // namespace varve

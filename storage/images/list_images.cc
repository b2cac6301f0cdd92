// Listing images: one walk over repositories, their tags, then their manifests without a tag. A
// page ends when it is full or has read enough; its token is where the walk stood.
#include <algorithm>
#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/names.h"
#include "storage/images/image_describer.h"
#include "storage/index/table_visits.h"
#include "storage/keep/what_keeps.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr size_t kRowsPerScan = 128;

// The last row that the walk has dealt with. As a token: "repository:tag" or "repository@digest";
// without tag or digest, none of that kind yet.
struct Position {
  std::string repository;  // empty: before the first
  bool untagged = false;   // past the tags of the repository
  std::string after;

  std::string Token() const { return StrCat(repository, untagged ? "@" : ":", after); }
};

absl::StatusOr<Position> ParsePosition(const std::string& token, const std::string& repository) {
  Position position;
  if (token.empty()) {
    position.repository = repository;
    return position;
  }
  const absl::Status unknown =
      absl::InvalidArgumentError("the page token is not one that this listing gave");
  const size_t mark = token.find_first_of(":@");
  if (mark == std::string::npos) return unknown;
  position = {token.substr(0, mark), token[mark] == '@', token.substr(mark + 1)};
  const bool known =
      ValidateRepositoryName(position.repository).ok() &&
      (repository.empty() || repository == position.repository) &&
      (position.after.empty() ||
       (position.untagged ? Digest::Parse(position.after).ok() : ValidateTag(position.after).ok()));
  if (!known) return unknown;
  return position;
}

class ImageWalk {
 public:
  ImageWalk(const ImageDescriber::Parts& parts, ImageDescriber& images, const ImageQuery& query,
            const ImageFilter& filter, size_t limit)
      : parts_(parts),
        images_(images),
        query_(query),
        filter_(filter),
        limit_(limit),
        rows_per_scan_(std::min(kRowsPerScan, limit + 1)) {}

  absl::StatusOr<ImagePage> Run(Position start);

 private:
  // These answer false when the page ends here.
  absl::StatusOr<bool> WalkRepository(RepositoryId id);
  absl::StatusOr<bool> WalkTags(RepositoryId id);
  absl::StatusOr<bool> WalkUntagged(RepositoryId id);
  absl::StatusOr<bool> Add(RepositoryId id, const Digest& digest, std::string_view tag,
                           int64_t tagged_nanos);

  // Whether the tag only attaches its manifest to another one of the repository, and the listing
  // is not of those too.
  absl::StatusOr<bool> IsAttached(RepositoryId id, std::string_view tag);
  // Whether the listing shows this manifest, which has no tag in its repository.
  absl::StatusOr<bool> ShowsUntagged(RepositoryId id, const Digest& digest);
  bool MatchesName(std::string_view reference) {
    budget_.Spend(filter_.references.size());
    return filter_.MatchesName(position_.repository, reference);
  }

  const ImageDescriber::Parts& parts_;
  ImageDescriber& images_;
  const ImageQuery& query_;
  const ImageFilter& filter_;
  const size_t limit_;
  const size_t rows_per_scan_;
  ReadBudget budget_{kMaxListingReads};
  Position position_;
  ImagePage page_;
};

absl::StatusOr<ImagePage> ImageWalk::Run(Position start) {
  position_ = std::move(start);
  KeyRange range = PrefixRange(RepositoryPrefix());
  if (!position_.repository.empty()) range.begin = RepositoryKey(position_.repository);
  const auto walk = [&](const KeyValue& repository) -> absl::StatusOr<bool> {
    budget_.Spend(1);
    const std::string name = repository.key.substr(RepositoryPrefix().size());
    if (!query_.repository.empty() && name != query_.repository) return false;
    ASSIGN_OR_RETURN(const RepositoryRow row, RepositoryRow::Decode(repository.value));
    if (name != position_.repository) position_ = {name, false, ""};
    ASSIGN_OR_RETURN(const bool more, WalkRepository(row.id));
    if (!more) page_.next_page_token = position_.Token();
    return more;
  };
  RETURN_IF_ERROR(VisitRows(parts_.index, std::move(range), 1, walk));
  return std::move(page_);
}

absl::StatusOr<bool> ImageWalk::WalkRepository(RepositoryId id) {
  if (!position_.untagged) {
    if (!filter_.dangling.value_or(false)) {
      ASSIGN_OR_RETURN(const bool more, WalkTags(id));
      if (!more) return false;
    }
    position_ = {position_.repository, true, ""};
  }
  // Without `all`, what has no tag is shown only when it is dangling.
  if (!query_.all && !filter_.dangling.value_or(true)) return true;
  return WalkUntagged(id);
}

absl::StatusOr<bool> ImageWalk::WalkTags(RepositoryId id) {
  bool more = true;
  const auto visit = [&](const std::string& tag, const TagRow& row) -> absl::StatusOr<bool> {
    budget_.Spend(1);
    ASSIGN_OR_RETURN(const bool attached, IsAttached(id, tag));
    if (!attached && MatchesName(StrCat(position_.repository, ":", tag))) {
      ASSIGN_OR_RETURN(more, Add(id, row.digest, tag, row.tagged_nanos));
      if (!more) return false;
    }
    position_.after = tag;
    more = !budget_.used_up();
    return more;
  };
  budget_.Spend(1);
  RETURN_IF_ERROR(
      VisitTags(parts_.index, PrefixRange(TagPrefix(id), position_.after), visit, rows_per_scan_));
  return more;
}

absl::StatusOr<bool> ImageWalk::WalkUntagged(RepositoryId id) {
  std::string after;
  if (!position_.after.empty()) {
    ASSIGN_OR_RETURN(const Digest last, Digest::Parse(position_.after));
    last.AppendKey(&after);
  }
  bool more = true;
  const auto visit = [&](const Member& member, const std::string&) -> absl::StatusOr<bool> {
    budget_.Spend(1);
    ASSIGN_OR_RETURN(const bool shown, ShowsUntagged(id, member.manifest));
    if (shown) {
      ASSIGN_OR_RETURN(more, Add(id, member.manifest, "", 0));
      if (!more) return false;
    }
    position_.after = member.manifest.ToString();
    more = !budget_.used_up();
    return more;
  };
  budget_.Spend(1);
  RETURN_IF_ERROR(
      VisitMembers(parts_.index, PrefixRange(MemberPrefix(id), after), visit, rows_per_scan_));
  return more;
}

absl::StatusOr<bool> ImageWalk::IsAttached(RepositoryId id, std::string_view tag) {
  if (query_.all) return false;
  if (SubjectOfTag(tag).has_value()) budget_.Spend(1);
  ASSIGN_OR_RETURN(const std::optional<Digest> subject, AttachedTo(parts_.index, id, tag));
  return subject.has_value();
}

absl::StatusOr<bool> ImageWalk::ShowsUntagged(RepositoryId id, const Digest& digest) {
  if (!MatchesName(StrCat(position_.repository, "@", digest.ToString()))) return false;
  budget_.Spend(1);
  ASSIGN_OR_RETURN(const bool tagged, IsTagged(parts_.index, {id, digest}));
  if (tagged) return false;
  if (query_.all && !filter_.dangling.has_value()) return true;
  budget_.Spend(5);
  const absl::StatusOr<bool> dangling = IsDangling(parts_.index, {id, digest});
  if (absl::IsNotFound(dangling.status())) return false;  // being deleted
  RETURN_IF_ERROR(dangling.status());
  return (query_.all || *dangling) && filter_.MatchesDangling(*dangling);
}

absl::StatusOr<bool> ImageWalk::Add(RepositoryId id, const Digest& digest, std::string_view tag,
                                    int64_t tagged_nanos) {
  absl::StatusOr<ImageDescription> image =
      images_.Describe(id, position_.repository, digest, &budget_);
  if (absl::IsNotFound(image.status())) return true;  // being deleted
  RETURN_IF_ERROR(image.status());
  if (!Matches(filter_, *image)) return true;
  // Only now, so that a full page is the last one when nothing follows.
  if (page_.images.size() == limit_) return false;
  image->info.tag = std::string(tag);
  image->info.tagged_nanos = tagged_nanos;
  page_.images.push_back(std::move(image->info));
  return true;
}

}  // namespace

absl::Status ImageDescriber::ResolveTimeBounds(ImageFilter* filter) {
  const auto created = [this](const std::string& name) -> absl::StatusOr<int64_t> {
    const absl::StatusOr<ImageMatch> found = parts_.finder.Find(name);
    // Of a repository that does not exist a listing is empty; of a filter it is a mistake.
    if (absl::IsNotFound(found.status())) {
      return absl::InvalidArgumentError(
          StrCat("before and since take an image: ", ToStd(found.status().message())));
    }
    RETURN_IF_ERROR(found.status());
    const ImageMatch& match = *found;
    const std::string& repository = match.places.front().repository;
    ASSIGN_OR_RETURN(const RepositoryId id, parts_.repositories.Find(repository));
    ASSIGN_OR_RETURN(const ImageDescription image, Describe(id, repository, match.manifest));
    return CreatedOrPushed(image.info);
  };
  for (const std::string& name : filter->before) {
    ASSIGN_OR_RETURN(const int64_t nanos, created(name));
    filter->older_than_nanos = std::min(filter->older_than_nanos.value_or(nanos), nanos);
  }
  for (const std::string& name : filter->since) {
    ASSIGN_OR_RETURN(const int64_t nanos, created(name));
    filter->newer_than_nanos = std::max(filter->newer_than_nanos.value_or(nanos), nanos);
  }
  return absl::OkStatus();
}

absl::StatusOr<ImagePage> ImageDescriber::ListImages(const ImageQuery& asked,
                                                     const std::string& page_token, size_t limit) {
  ImageQuery query = asked;
  ASSIGN_OR_RETURN(const NamedRepository found, parts_.repositories.FindNamed(asked.repository));
  query.repository = std::string(found.name);
  ASSIGN_OR_RETURN(const Position start, ParsePosition(page_token, query.repository));
  ASSIGN_OR_RETURN(ImageFilter filter,
                   ParseImageFilter(query.filters, ListFilterKeys(),
                                    LocalTimeReference(parts_.clock), parts_.repositories.names()));
  RETURN_IF_ERROR(ResolveTimeBounds(&filter));
  return ImageWalk(parts_, *this, query, filter, std::clamp<size_t>(limit, 1, kMaxPageRows))
      .Run(start);
}

}  // namespace varve

#include "storage/catalog/image_finder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/short_id.h"
#include "storage/limits.h"

namespace varve {
namespace {

// Any number of digits will do while they name one image. Blobs looked at before the answer is that
// there are too few digits: two or more are enough in a store of 100,000 blobs.
constexpr size_t kMaxIdCandidates = 1024;
constexpr size_t kCandidatePageRows = 256;
// Manifests looked at that name a candidate: a layer that many images share is no config.
constexpr size_t kMaxNamers = 256;
// Images that an ambiguous name is answered with.
constexpr size_t kMaxShownMatches = 8;

absl::Status NoSuchImage(std::string_view name) {
  return absl::NotFoundError(StrCat("no such image: ", name));
}

// The leading digits of a digest.
struct IdPrefix {
  std::vector<DigestAlgorithm> algorithms;  // of which the digest may be
  std::string digits;                       // 1 to all of them, lower-case hexadecimal

  bool IsWhole() const { return digits.size() == 2 * DigestSizeBytes(algorithms.front()); }
};

bool IsHexDigit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

// nullopt when `name` cannot be an id.
std::optional<IdPrefix> ParseIdPrefix(std::string_view name) {
  IdPrefix id;
  for (const DigestAlgorithm algorithm : {DigestAlgorithm::kSha256, DigestAlgorithm::kSha512}) {
    const std::string prefix = StrCat(DigestAlgorithmName(algorithm), ":");
    if (name.substr(0, prefix.size()) != prefix) continue;
    id.algorithms = {algorithm};
    name.remove_prefix(prefix.size());
    break;
  }
  if (name.empty() || !std::all_of(name.begin(), name.end(), IsHexDigit)) return std::nullopt;
  if (id.algorithms.empty()) id.algorithms = {DigestAlgorithm::kSha256, DigestAlgorithm::kSha512};
  const auto too_short_for = [&](DigestAlgorithm algorithm) {
    return name.size() > 2 * DigestSizeBytes(algorithm);
  };
  id.algorithms.erase(std::remove_if(id.algorithms.begin(), id.algorithms.end(), too_short_for),
                      id.algorithms.end());
  if (id.algorithms.empty()) return std::nullopt;
  id.digits = name;
  return id;
}

// The rows of blobs whose digests begin so.
KeyRange BlobsWith(DigestAlgorithm algorithm, const std::string& digits) {
  const bool odd = digits.size() % 2 == 1;
  const std::string prefix = StrCat(BlobPrefix(), std::string(1, static_cast<char>(algorithm)));
  // Half a byte is a range of 16 bytes.
  const std::string first = prefix + absl::HexStringToBytes(ToAbsl(digits + (odd ? "0" : "")));
  const std::string last = prefix + absl::HexStringToBytes(ToAbsl(digits + (odd ? "f" : "")));
  return {first, PrefixRange(last).end};
}

}  // namespace

absl::StatusOr<std::optional<ImageMatch>> ImageFinder::FindByReference(
    const ImageReference& reference) {
  const absl::StatusOr<NamedRepository> repository =
      parts_.repositories.FindNamed(reference.repository);
  if (absl::IsNotFound(repository.status())) return std::nullopt;
  RETURN_IF_ERROR(repository.status());
  ImageMatch found;
  if (reference.digest.has_value()) {
    found.manifest = *reference.digest;
  } else {
    const absl::StatusOr<Digest> tagged = parts_.tags.Find(repository->id, reference.tag);
    if (absl::IsNotFound(tagged.status())) return std::nullopt;
    RETURN_IF_ERROR(tagged.status());
    found.manifest = *tagged;
    found.tag = reference.tag;
  }
  ASSIGN_OR_RETURN(const bool is_member, parts_.members.Has(repository->id, found.manifest));
  if (!is_member) return std::nullopt;
  ASSIGN_OR_RETURN(std::vector<std::string> tags, parts_.tags.Of(repository->id, found.manifest));
  found.places.push_back({std::string(repository->name), std::move(tags)});
  return found;
}

absl::StatusOr<std::vector<Digest>> ImageFinder::BlobsLike(std::string_view name) {
  std::vector<Digest> blobs;
  const std::optional<IdPrefix> id = ParseIdPrefix(name);
  if (!id.has_value()) return blobs;
  for (const DigestAlgorithm algorithm : id->algorithms) {
    RETURN_IF_ERROR(
        VisitPages(parts_.index, BlobsWith(algorithm, id->digits), kCandidatePageRows,
                   [&](absl::Span<const KeyValue> rows) -> absl::StatusOr<bool> {
                     for (const KeyValue& row : rows) {
                       if (!ParseBlobKey(row.key, &blobs.emplace_back())) {
                         return absl::DataLossError("a blob row of the index is damaged");
                       }
                     }
                     if (blobs.size() < kMaxIdCandidates) return true;
                     return absl::FailedPreconditionError(StrCat(
                         name, " is ambiguous: too many digests begin with it; type more digits"));
                   }));
  }
  return blobs;
}

absl::StatusOr<std::vector<Digest>> ImageFinder::ManifestsAmong(const std::vector<Digest>& blobs) {
  std::vector<KeyRange> members;
  members.reserve(blobs.size());
  for (const Digest& blob : blobs) {
    members.push_back(PrefixRange(EdgePrefix(blob, EdgeKind::kMember)));
  }
  ASSIGN_OR_RETURN(const FirstRows first, FirstOfAll(parts_.index, members));
  std::vector<Digest> manifests;
  for (size_t i = 0; i < blobs.size(); ++i) {
    if (!first[i].has_value()) continue;
    // The edge outlives the membership while a deletion is under way.
    ASSIGN_OR_RETURN(const std::vector<RepositoryId> repositories,
                     parts_.members.RepositoriesOf(blobs[i]));
    if (!repositories.empty()) manifests.push_back(blobs[i]);
  }
  return manifests;
}

absl::Status ImageFinder::AddImagesOfConfig(const Digest& config, std::vector<Digest>* images) {
  ASSIGN_OR_RETURN(
      const std::vector<KeyValue> edges,
      parts_.index.Scan(PrefixRange(EdgePrefix(config, EdgeKind::kReference)), kMaxNamers));
  for (const KeyValue& edge : edges) {
    if (images->size() > kMaxShownMatches) return absl::OkStatus();
    ASSIGN_OR_RETURN(const EdgeSource source, EdgeSourceOf(edge.key));
    if (std::find(images->begin(), images->end(), source.manifest) != images->end()) continue;
    const absl::StatusOr<ManifestInfo> member =
        parts_.members.Read(source.repository, source.manifest);
    if (absl::IsNotFound(member.status())) continue;  // being deleted
    RETURN_IF_ERROR(member.status());
    if (member->config == config) images->push_back(source.manifest);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ImageMatch::Place>> ImageFinder::PlacesOf(const Digest& manifest) {
  std::vector<ImageMatch::Place> places;
  ASSIGN_OR_RETURN(const std::vector<RepositoryId> repositories,
                   parts_.members.RepositoriesOf(manifest));
  for (const RepositoryId repository : repositories) {
    ImageMatch::Place place;
    ASSIGN_OR_RETURN(place.repository, parts_.repositories.NameOf(repository));
    ASSIGN_OR_RETURN(place.tags, parts_.tags.Of(repository, manifest));
    places.push_back(std::move(place));
  }
  std::sort(places.begin(), places.end(),
            [](const auto& a, const auto& b) { return a.repository < b.repository; });
  return places;
}

absl::StatusOr<std::string> ImageFinder::ShowImages(const std::vector<Digest>& images) {
  std::string shown;
  for (size_t i = 0; i < std::min(images.size(), kMaxShownMatches); ++i) {
    const std::string id = images[i].ToString();
    shown += StrCat(i == 0 ? "" : ", ", ShortId(images[i]));
    ASSIGN_OR_RETURN(const std::vector<ImageMatch::Place> places, PlacesOf(images[i]));
    if (places.empty()) continue;  // deleted meanwhile
    // Rather a place where it has a tag.
    const auto tagged = std::find_if(places.begin(), places.end(),
                                     [](const auto& place) { return !place.tags.empty(); });
    shown += tagged == places.end()
                 ? StrCat(" (", ShownName(places[0].repository), "@", id, ")")
                 : StrCat(" (", ShownName(tagged->repository), ":", tagged->tags[0], ")");
  }
  return StrCat(shown, images.size() > kMaxShownMatches ? " or others" : "");
}

absl::StatusOr<ImageMatch> ImageFinder::FindById(std::string_view name) {
  ASSIGN_OR_RETURN(const std::vector<Digest> blobs, BlobsLike(name));
  ASSIGN_OR_RETURN(std::vector<Digest> images, ManifestsAmong(blobs));
  if (images.size() > 1) {
    ASSIGN_OR_RETURN(const std::string shown, ShowImages(images));
    return absl::FailedPreconditionError(
        StrCat(name, " is ambiguous: it may be ", shown, "; type more digits"));
  }
  if (images.empty()) {
    // What was an image id before ids were digests of manifests.
    for (const Digest& blob : blobs) RETURN_IF_ERROR(AddImagesOfConfig(blob, &images));
    if (images.size() > 1) {
      ASSIGN_OR_RETURN(const std::string shown, ShowImages(images));
      return absl::FailedPreconditionError(
          StrCat(name, " is ambiguous: it may be the config of ", shown, "; name one by its id"));
    }
  }
  if (images.empty()) return NoSuchImage(name);
  ImageMatch found;
  found.manifest = images[0];
  found.by_id = true;
  ASSIGN_OR_RETURN(found.places, PlacesOf(found.manifest));
  if (found.places.empty()) return NoSuchImage(name);  // deleted meanwhile
  return found;
}

absl::StatusOr<ImageMatch> ImageFinder::Find(std::string_view name) {
  const std::optional<IdPrefix> id = ParseIdPrefix(name);
  // A whole id is never a reference.
  if (id.has_value() && id->IsWhole()) return FindById(name);
  const absl::StatusOr<ImageReference> reference = ParseImageReference(name);
  if (!reference.ok() && !id.has_value()) return reference.status();
  if (reference.ok()) {
    ASSIGN_OR_RETURN(std::optional<ImageMatch> found, FindByReference(*reference));
    if (found.has_value()) return *std::move(found);
  }
  return FindById(name);
}

absl::StatusOr<ImageMatch> ImageFinder::FindPromised(std::string_view name) {
  const int64_t began = parts_.clock.MonotonicNanos();
  ASSIGN_OR_RETURN(ImageMatch found, Find(name));
  // Granted first, read after: see Promises.
  bool was_promised = true;
  for (const ImageMatch::Place& place : found.places) {
    ASSIGN_OR_RETURN(const RepositoryId repository, parts_.repositories.Find(place.repository));
    ASSIGN_OR_RETURN(
        const bool before,
        parts_.promises.Grant(repository, found.manifest, Promises::Answer::kManifestRead, began));
    was_promised = was_promised && before;
  }
  if (was_promised) return found;
  ASSIGN_OR_RETURN(ImageMatch again, Find(name));
  // Another image took the name just now: as if it had been asked for a moment before.
  if (again.manifest != found.manifest) return found;
  return again;
}

}  // namespace varve

// What a name that a person typed stands for: a reference if there is such an image, else an image
// id or the leading digits of one, as Docker has it.
#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/catalog/catalog.h"
#include "storage/limits.h"

namespace varve {
namespace {

// Any number of digits will do while they name one image. Blobs looked at before the answer is that
// there are too few digits: two or more are enough in a store of 100,000 blobs.
constexpr size_t kMaxIdCandidates = 1024;
constexpr size_t kCandidatePageRows = 256;
// Manifests looked at that name a candidate: a layer that many images share is no config.
constexpr size_t kMaxNamers = 256;
// Candidates that an ambiguous name is answered with.
constexpr size_t kMaxShownMatches = 4;

constexpr size_t kShortIdDigits = 12;

absl::Status NoSuchImage(std::string_view name) {
  return absl::NotFoundError(StrCat("no such image: ", name));
}

// The leading digits of a digest.
struct IdPrefix {
  DigestAlgorithm algorithm = DigestAlgorithm::kSha256;
  std::string digits;  // 1 to all of them, lower-case hexadecimal

  bool IsWhole() const { return digits.size() == 2 * DigestSizeBytes(algorithm); }
};

// nullopt when `name` cannot be an id.
std::optional<IdPrefix> ParseIdPrefix(std::string_view name) {
  IdPrefix id;
  for (const DigestAlgorithm algorithm : {DigestAlgorithm::kSha256, DigestAlgorithm::kSha512}) {
    const std::string prefix = StrCat(DigestAlgorithmName(algorithm), ":");
    if (name.substr(0, prefix.size()) != prefix) continue;
    id.algorithm = algorithm;
    name.remove_prefix(prefix.size());
    break;
  }
  if (name.empty() || name.size() > 2 * DigestSizeBytes(id.algorithm)) return std::nullopt;
  for (const char c : name) {
    if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) return std::nullopt;
  }
  id.digits = name;
  return id;
}

// The rows of blobs whose digests begin so.
KeyRange BlobsWith(const IdPrefix& id) {
  const bool odd = id.digits.size() % 2 == 1;
  const std::string prefix = StrCat(BlobPrefix(), std::string(1, static_cast<char>(id.algorithm)));
  // Half a byte is a range of 16 bytes.
  const std::string first = prefix + absl::HexStringToBytes(ToAbsl(id.digits + (odd ? "0" : "")));
  const std::string last = prefix + absl::HexStringToBytes(ToAbsl(id.digits + (odd ? "f" : "")));
  return {first, PrefixRange(last).end};
}

}  // namespace

absl::StatusOr<std::optional<FoundImage>> Catalog::FindByReference(
    const ImageReference& reference) {
  const absl::StatusOr<RepositoryId> repository = FindRepository(reference.repository);
  if (absl::IsNotFound(repository.status())) return std::nullopt;
  RETURN_IF_ERROR(repository.status());
  FoundImage found;
  if (reference.digest.has_value()) {
    found.match.manifest = *reference.digest;
  } else {
    const absl::StatusOr<Digest> tagged = Resolve(*repository, reference.tag);
    if (absl::IsNotFound(tagged.status())) return std::nullopt;
    RETURN_IF_ERROR(tagged.status());
    found.match.manifest = *tagged;
    found.match.tag = reference.tag;
  }
  ASSIGN_OR_RETURN(const bool is_member, IsMember(*repository, found.match.manifest));
  if (!is_member) return std::nullopt;
  found.id = found.match.manifest;
  ASSIGN_OR_RETURN(std::vector<std::string> tags, TagsOf(*repository, found.match.manifest));
  found.match.places.push_back({reference.repository, std::move(tags)});
  return found;
}

absl::Status Catalog::MatchId(const Digest& candidate, std::vector<IdMatch>* matches) {
  ASSIGN_OR_RETURN(const std::vector<RepositoryId> repositories, RepositoriesOf(candidate));
  if (!repositories.empty()) {
    matches->push_back({candidate, candidate});
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(
      const std::vector<KeyValue> edges,
      parts_.index.Scan(PrefixRange(EdgePrefix(candidate, EdgeKind::kReference)), kMaxNamers));
  absl::flat_hash_set<Digest> namers;
  for (const KeyValue& edge : edges) {
    ASSIGN_OR_RETURN(const EdgeSource source, EdgeSourceOf(edge.key));
    if (namers.contains(source.manifest)) continue;
    const absl::StatusOr<ManifestInfo> member = ReadMember(source.repository, source.manifest);
    if (absl::IsNotFound(member.status())) continue;  // being deleted
    RETURN_IF_ERROR(member.status());
    if (member->config != candidate) continue;
    namers.insert(source.manifest);
    matches->push_back({candidate, source.manifest});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ImageMatch::Place>> Catalog::PlacesOf(const Digest& manifest) {
  std::vector<ImageMatch::Place> places;
  ASSIGN_OR_RETURN(const std::vector<RepositoryId> repositories, RepositoriesOf(manifest));
  for (const RepositoryId repository : repositories) {
    ImageMatch::Place place;
    ASSIGN_OR_RETURN(place.repository, RepositoryName(repository));
    ASSIGN_OR_RETURN(place.tags, TagsOf(repository, manifest));
    places.push_back(std::move(place));
  }
  std::sort(places.begin(), places.end(),
            [](const auto& a, const auto& b) { return a.repository < b.repository; });
  return places;
}

absl::StatusOr<std::string> Catalog::ShowMatch(const IdMatch& match) {
  const std::string id = match.id.ToString();
  const size_t digits = id.find(':') + 1;
  std::string shown = id.substr(digits, kShortIdDigits);
  ASSIGN_OR_RETURN(const std::vector<ImageMatch::Place> places, PlacesOf(match.manifest));
  for (const ImageMatch::Place& place : places) {
    const std::string name =
        place.tags.empty() ? StrCat("@", match.manifest.ToString()) : StrCat(":", place.tags[0]);
    return StrCat(shown, " (", place.repository, name, ")");
  }
  return shown;
}

// Several manifests may name one config (the same image pushed in another media type, or compressed
// otherwise): the one that has a tag is meant, if there is just one such.
absl::StatusOr<Catalog::IdMatch> Catalog::ChooseMatch(std::string_view name,
                                                      const std::vector<IdMatch>& matches) {
  if (matches.empty()) return NoSuchImage(name);
  if (matches.size() == 1) return matches[0];
  bool same_image = true;
  bool same_id = true;
  for (const IdMatch& match : matches) {
    same_image = same_image && match.manifest == matches[0].manifest;
    same_id = same_id && match.id == matches[0].id;
  }
  if (same_image) return matches[0];
  std::vector<IdMatch> tagged;
  for (size_t i = 0; same_id && i < matches.size() && tagged.size() < 2; ++i) {
    ASSIGN_OR_RETURN(
        const std::vector<KeyValue> tags,
        parts_.index.Scan(PrefixRange(EdgePrefix(matches[i].manifest, EdgeKind::kTag)), 1));
    if (!tags.empty()) tagged.push_back(matches[i]);
  }
  if (tagged.size() == 1) return tagged[0];
  std::string shown;
  for (size_t i = 0; i < std::min(matches.size(), kMaxShownMatches); ++i) {
    ASSIGN_OR_RETURN(const std::string one, ShowMatch(matches[i]));
    shown += StrCat(i == 0 ? "" : ", ", one);
  }
  return absl::FailedPreconditionError(
      StrCat(name, " is ambiguous: it may be ", shown,
             matches.size() > kMaxShownMatches ? " or others" : "",
             same_id ? "; name one by its tag or manifest digest" : "; type more digits"));
}

absl::StatusOr<FoundImage> Catalog::FindById(std::string_view name) {
  const std::optional<IdPrefix> id = ParseIdPrefix(name);
  if (!id.has_value()) return NoSuchImage(name);
  std::vector<IdMatch> matches;
  KeyRange range = BlobsWith(*id);
  for (size_t candidates = 0; candidates < kMaxIdCandidates;) {
    ASSIGN_OR_RETURN(const std::vector<KeyValue> rows,
                     parts_.index.Scan(range, kCandidatePageRows));
    for (const KeyValue& row : rows) {
      Digest candidate;
      if (!ParseBlobKey(row.key, &candidate)) {
        return absl::DataLossError("a blob row of the index is damaged");
      }
      RETURN_IF_ERROR(MatchId(candidate, &matches));
    }
    candidates += rows.size();
    if (rows.size() < kCandidatePageRows) {
      ASSIGN_OR_RETURN(const IdMatch chosen, ChooseMatch(name, matches));
      FoundImage found;
      found.id = chosen.id;
      found.match.manifest = chosen.manifest;
      found.match.by_id = true;
      ASSIGN_OR_RETURN(found.match.places, PlacesOf(chosen.manifest));
      if (found.match.places.empty()) return NoSuchImage(name);  // deleted meanwhile
      return found;
    }
    range.begin = StrCat(rows.back().key, std::string_view("\0", 1));
  }
  return absl::FailedPreconditionError(
      StrCat(name, " is ambiguous: too many digests begin with it; type more digits"));
}

absl::StatusOr<FoundImage> Catalog::FindImage(std::string_view name) {
  const std::optional<IdPrefix> id = ParseIdPrefix(name);
  // A whole id is never a reference.
  if (id.has_value() && id->IsWhole()) return FindById(name);
  const absl::StatusOr<ImageReference> reference = ParseImageReference(name);
  if (!reference.ok() && !id.has_value()) return reference.status();
  if (reference.ok()) {
    ASSIGN_OR_RETURN(std::optional<FoundImage> found, FindByReference(*reference));
    if (found.has_value()) return *std::move(found);
  }
  return FindById(name);
}

absl::StatusOr<ImageMatch> Catalog::ResolveImage(std::string_view name) {
  const int64_t began = parts_.clock.MonotonicNanos();
  ASSIGN_OR_RETURN(FoundImage found, FindImage(name));
  // Granted first, read after: see Promises.
  bool was_promised = true;
  for (const ImageMatch::Place& place : found.match.places) {
    ASSIGN_OR_RETURN(const RepositoryId repository, FindRepository(place.repository));
    ASSIGN_OR_RETURN(const bool before,
                     parts_.promises.Grant(repository, found.match.manifest,
                                           Promises::Answer::kManifestRead, began));
    was_promised = was_promised && before;
  }
  if (was_promised) return std::move(found.match);
  ASSIGN_OR_RETURN(FoundImage again, FindImage(name));
  // Another image took the name just now: as if it had been asked for a moment before.
  if (again.match.manifest != found.match.manifest) return std::move(found.match);
  return std::move(again.match);
}

}  // namespace varve

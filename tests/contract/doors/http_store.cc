#include "tests/contract/doors/http_store.h"

#include <algorithm>
#include <utility>

#include "daemon/http/route.h"
#include "storage/base/status.h"
#include "storage/image/hasher.h"
#include "tests/contract/doors/http_upload.h"
#include "tests/contract/doors/json_text.h"

namespace varve {
namespace {

std::string BlobPath(std::string_view repository, const Digest& digest) {
  return StrCat("/v2/", PercentEncode(repository), "/blobs/", digest.ToString());
}

std::string ManifestPath(std::string_view repository, const ManifestReference& reference) {
  const Digest* digest = std::get_if<Digest>(&reference);
  return StrCat(
      "/v2/", PercentEncode(repository), "/manifests/",
      digest != nullptr ? digest->ToString() : PercentEncode(std::get<std::string>(reference)));
}

std::string PageQuery(const PageRequest& page) {
  std::string query = StrCat("?n=", page.limit);
  if (!page.after.empty()) query += StrCat("&last=", PercentEncode(page.after));
  return query;
}

bool HasNextPage(const HttpResponse& response) { return !response.Header("link").empty(); }

absl::StatusOr<ManifestInfo> InfoOf(const HttpResponse& response) {
  ManifestInfo info;
  ASSIGN_OR_RETURN(info.digest, Digest::Parse(response.Header("docker-content-digest")));
  info.media_type = response.Header("content-type");
  info.size_bytes = ParseDecimal(response.Header("content-length")).value_or(0);
  return info;
}

absl::StatusOr<ReferrerInfo> ReferrerOf(std::string_view descriptor, const Digest& subject) {
  ReferrerInfo referrer;
  ManifestInfo& manifest = referrer.manifest;
  ASSIGN_OR_RETURN(manifest.digest, Digest::Parse(JsonString(JsonMember(descriptor, "digest"))));
  manifest.media_type = JsonString(JsonMember(descriptor, "mediaType"));
  manifest.artifact_type = JsonString(JsonMember(descriptor, "artifactType"));
  manifest.size_bytes = ParseDecimal(JsonMember(descriptor, "size")).value_or(0);
  manifest.subject = subject;  // what was asked for
  referrer.annotations_json = JsonMember(descriptor, "annotations");
  return referrer;
}

}  // namespace

// What the API has no words for.
bool HttpStore::Can(Ability ability) {
  switch (ability) {
    // The OCI API has no calls about the whole store.
    case Ability::kWholeStore:
    // The OCI API asks for one blob at a time.
    case Ability::kFindMissing:
    // The OCI API does not tell it; what is made of it shows in listings of tags.
    case Ability::kTagsVersion:
    // The OCI API has no calls about images as people see them, nor about the store.
    case Ability::kListImages:
    // The OCI API has neither holds nor leases.
    case Ability::kClaims:
    // The OCI API gives a manifest's digest, type and size only.
    case Ability::kManifestDetails:
    // The OCI API tags a manifest by pushing it, which needs all that it names.
    case Ability::kTagWithoutContent:
    // Between two requests an upload is kept so that it survives a restart.
    case Ability::kSmallUploads:
    // The client has read the whole blob when OpenBlob returns (see DoorsTest).
    case Ability::kOpenReaders:
    // The OCI API has no upload ids chosen by the client.
    case Ability::kChosenUploadIds:
    case Ability::kNewUploadIds:
    // Each piece is a request of its own, and nothing is held in between.
    case Ability::kHeldUploads:
    // The OCI API has no upload that starts again.
    case Ability::kRestartUpload:
    // The OCI API has no size of an upload ahead of its bytes.
    case Ability::kUploadSize:
    // The disk is the machine's business.
    case Ability::kPowerCut:
      return false;
    case Ability::kMountBlob:
    case Ability::kDeleteBlob:
    case Ability::kDeleteManifest:
      return true;
  }
  return false;
}

absl::StatusOr<BlobInfo> HttpStore::StatBlob(std::string_view repository, const Digest& digest) {
  const HttpResponse response = http_.Do("HEAD", BlobPath(repository, digest));
  RETURN_IF_ERROR(StatusOf(response, About::kBlob));
  BlobInfo info;
  ASSIGN_OR_RETURN(info.digest, Digest::Parse(response.Header("docker-content-digest")));
  info.size_bytes = ParseDecimal(response.Header("content-length")).value_or(0);
  return info;
}

absl::StatusOr<BlobReader> HttpStore::OpenBlob(std::string_view repository, const Digest& digest) {
  HttpResponse response = http_.Do("GET", BlobPath(repository, digest));
  RETURN_IF_ERROR(StatusOf(response, About::kBlob));
  BlobReader reader;
  ASSIGN_OR_RETURN(reader.info.digest, Digest::Parse(response.Header("docker-content-digest")));
  reader.info.size_bytes = response.body.size();
  reader.bytes = std::make_unique<BytesInMemory>(std::move(response.body));
  return reader;
}

absl::StatusOr<BlobInfo> HttpStore::MountBlob(std::string_view repository, const Digest& digest,
                                              std::optional<std::string_view> from) {
  std::string target =
      StrCat("/v2/", PercentEncode(repository), "/blobs/uploads/?mount=", digest.ToString());
  if (from) target += StrCat("&from=", PercentEncode(*from));
  const HttpResponse response = http_.Do("POST", target);
  RETURN_IF_ERROR(StatusOf(response, About::kBlob));
  if (response.status == 202) {  // the door offers an upload instead
    RETURN_IF_ERROR(StatusOf(http_.Do("DELETE", response.Header("location")), About::kUpload));
    return absl::NotFoundError("the blob cannot be mounted");
  }
  return StatBlob(repository, digest);
}

absl::Status HttpStore::DeleteBlob(std::string_view repository, const Digest& digest) {
  return StatusOf(http_.Do("DELETE", BlobPath(repository, digest)), About::kBlob);
}

absl::StatusOr<std::unique_ptr<OpenUpload>> HttpStore::BeginUpload(std::string_view repository,
                                                                   UploadOptions options) {
  return HttpUpload::Begin(http_, repository, options);
}

absl::StatusOr<std::unique_ptr<OpenUpload>> HttpStore::ResumeUpload(std::string_view repository,
                                                                    std::string_view id) {
  return HttpUpload::Resume(http_, repository, id);
}

absl::StatusOr<ManifestInfo> HttpStore::PutManifest(std::string_view repository,
                                                    const PutManifestRequest& put) {
  if (put.whole_store) return NotPlayed("blobs of the whole store");
  // By digest when the client names one, or the algorithm, or no tag.
  const bool by_digest =
      put.expected || put.tags.empty() || put.algorithm != DigestAlgorithm::kSha256;
  std::string target;
  if (by_digest) {
    target = ManifestPath(repository,
                          put.expected ? *put.expected : HashBytes(put.algorithm, put.bytes));
  } else {
    target = ManifestPath(repository, put.tags[0]);
  }
  for (size_t i = by_digest ? 0 : 1; i < put.tags.size(); ++i) {
    target += StrCat(i == (by_digest ? 0u : 1u) ? "?tag=" : "&tag=", PercentEncode(put.tags[i]));
  }
  HttpHeaders headers;
  if (!put.media_type.empty()) headers.emplace_back("Content-Type", put.media_type);
  const HttpResponse response = http_.Do("PUT", target, put.bytes, headers);
  const absl::Status status = StatusOf(response, About::kManifest);
  if (!status.ok()) return WithMissingDigest(status, response.body);
  ManifestInfo info;
  ASSIGN_OR_RETURN(info.digest, Digest::Parse(response.Header("docker-content-digest")));
  info.media_type = put.media_type;
  info.size_bytes = put.bytes.size();
  return info;
}

absl::StatusOr<Manifest> HttpStore::GetManifest(std::string_view repository,
                                                const ManifestReference& reference) {
  HttpResponse response = http_.Do("GET", ManifestPath(repository, reference));
  RETURN_IF_ERROR(StatusOf(response, About::kManifest));
  Manifest manifest;
  ASSIGN_OR_RETURN(manifest.info, InfoOf(response));
  manifest.bytes = std::move(response.body);
  return manifest;
}

absl::StatusOr<ManifestInfo> HttpStore::StatManifest(std::string_view repository,
                                                     const ManifestReference& reference) {
  const HttpResponse response = http_.Do("HEAD", ManifestPath(repository, reference));
  RETURN_IF_ERROR(StatusOf(response, About::kManifest));
  return InfoOf(response);
}

absl::Status HttpStore::DeleteManifest(std::string_view repository, const Digest& digest) {
  return StatusOf(http_.Do("DELETE", ManifestPath(repository, digest)), About::kTag);
}

absl::Status HttpStore::Tag(std::string_view repository, std::string_view tag,
                            const Digest& digest) {
  ASSIGN_OR_RETURN(const Manifest manifest, GetManifest(repository, digest));
  return StatusOf(http_.Do("PUT", ManifestPath(repository, std::string(tag)), manifest.bytes,
                           {{"Content-Type", manifest.info.media_type}}),
                  About::kManifest);
}

// The door always forces: see there.
absl::Status HttpStore::Untag(std::string_view repository, std::string_view tag, bool /*force*/) {
  return StatusOf(http_.Do("DELETE", ManifestPath(repository, std::string(tag))), About::kTag);
}

absl::StatusOr<Page<TagInfo>> HttpStore::ListTags(std::string_view repository,
                                                  const PageRequest& page) {
  // The door gives longer pages than the store.
  const PageRequest bounded{page.after, std::min(page.limit, kMaxPageRows)};
  const HttpResponse response =
      http_.Do("GET", StrCat("/v2/", PercentEncode(repository), "/tags/list", PageQuery(bounded)));
  RETURN_IF_ERROR(StatusOf(response, About::kName));
  Page<TagInfo> tags;
  tags.more = HasNextPage(response);
  for (const std::string_view name : JsonElements(JsonMember(response.body, "tags"))) {
    TagInfo tag;
    tag.name = JsonString(name);
    ASSIGN_OR_RETURN(const ManifestInfo manifest, StatManifest(repository, tag.name));
    tag.digest = manifest.digest;
    tags.rows.push_back(tag);
  }
  return tags;
}

absl::StatusOr<Page<std::string>> HttpStore::ListRepositories(const PageRequest& page) {
  const HttpResponse response = http_.Do("GET", "/v2/_catalog" + PageQuery(page));
  RETURN_IF_ERROR(StatusOf(response, About::kName));
  Page<std::string> repositories;
  repositories.more = HasNextPage(response);
  for (const std::string_view name : JsonElements(JsonMember(response.body, "repositories"))) {
    repositories.rows.push_back(JsonString(name));
  }
  return repositories;
}

absl::StatusOr<Page<ReferrerInfo>> HttpStore::ListReferrers(std::string_view repository,
                                                            const Digest& subject,
                                                            std::string_view artifact_type,
                                                            const PageRequest& page) {
  std::string target =
      StrCat("/v2/", PercentEncode(repository), "/referrers/", subject.ToString(), PageQuery(page));
  if (!artifact_type.empty()) target += StrCat("&artifactType=", PercentEncode(artifact_type));
  const HttpResponse response = http_.Do("GET", target);
  RETURN_IF_ERROR(StatusOf(response, About::kManifest));
  Page<ReferrerInfo> referrers;
  referrers.more = HasNextPage(response);
  for (const std::string_view row : JsonElements(JsonMember(response.body, "manifests"))) {
    ASSIGN_OR_RETURN(ReferrerInfo referrer, ReferrerOf(row, subject));
    referrers.rows.push_back(std::move(referrer));
  }
  return referrers;
}

}  // namespace varve

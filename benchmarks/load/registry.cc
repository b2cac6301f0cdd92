#include "benchmarks/load/registry.h"

#include <cstring>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/digest.h"
#include "storage/image/hasher.h"

namespace varve::load {
namespace {

constexpr char kManifestType[] = "application/vnd.oci.image.manifest.v1+json";

// splitmix64: one multiplication chain a word, no state to share between threads.
uint64_t NextWord(uint64_t* state) {
  uint64_t word = (*state += 0x9e3779b97f4a7c15ull);
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ull;
  word = (word ^ (word >> 27)) * 0x94d049bb133111ebull;
  return word ^ (word >> 31);
}

// The path and query of a Location, which may be a whole URL.
std::string TargetOf(const std::string& location) {
  const size_t scheme = location.find("://");
  if (scheme == std::string::npos) return location;
  const size_t path = location.find('/', scheme + 3);
  return path == std::string::npos ? "/" : location.substr(path);
}

std::string WithQuery(const std::string& target, const std::string& query) {
  return StrCat(target, target.find('?') == std::string::npos ? "?" : "&", query);
}

std::string DescriptorJson(std::string_view type, const Blob& blob) {
  return StrCat("{\"mediaType\":\"", type, "\",\"digest\":\"", blob.digest,
                "\",\"size\":", blob.bytes.size(), "}");
}

}  // namespace

Blob MakeBlob(uint64_t seed, size_t size) {
  Blob blob;
  blob.bytes.resize(size);
  uint64_t state = seed * 0x2545f4914f6cdd1dull + 1;
  for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
    const uint64_t word = NextWord(&state);
    std::memcpy(blob.bytes.data() + i, &word, std::min(sizeof(word), size - i));
  }
  blob.digest = HashBytes(DigestAlgorithm::kSha256, blob.bytes).ToString();
  return blob;
}

Blob MakeManifest(const Blob& config, const std::vector<const Blob*>& layers,
                  std::string_view note) {
  std::string list;
  for (const Blob* layer : layers) {
    list += StrCat(list.empty() ? "" : ",",
                   DescriptorJson("application/vnd.oci.image.layer.v1.tar", *layer));
  }
  Blob manifest;
  manifest.bytes =
      StrCat("{\"schemaVersion\":2,\"mediaType\":\"", kManifestType,
             "\",\"config\":", DescriptorJson("application/vnd.oci.image.config.v1+json", config),
             ",\"layers\":[", list, "],\"annotations\":{\"note\":\"", note, "\"}}");
  manifest.digest = HashBytes(DigestAlgorithm::kSha256, manifest.bytes).ToString();
  return manifest;
}

absl::StatusOr<HttpResponse> Registry::Expect(int status, const HttpRequest& request, Body body) {
  ASSIGN_OR_RETURN(HttpResponse response, connection_.Call(request, body));
  if (response.status == status) return response;
  return absl::InvalidArgumentError(StrCat(request.method, " ", request.target, " answered ",
                                           response.status, ", expected ", status));
}

absl::StatusOr<std::string> Registry::BeginUpload() {
  const std::string target = StrCat("/v2/", repository_, "/blobs/uploads/");
  ASSIGN_OR_RETURN(const HttpResponse begun, Expect(202, {"POST", target, "", ""}));
  return TargetOf(begun.location);
}

absl::Status Registry::FinishUpload(const std::string& location, const Blob& blob) {
  const std::string target = WithQuery(location, StrCat("digest=", blob.digest));
  return Expect(201, {"PUT", target, "", ""}).status();
}

absl::StatusOr<uint64_t> Registry::PushBlob(const Blob& blob) {
  ASSIGN_OR_RETURN(const std::string location, BeginUpload());
  ASSIGN_OR_RETURN(
      const HttpResponse sent,
      Expect(202, {"PATCH", location, "Content-Type: application/octet-stream\r\n", blob.bytes}));
  RETURN_IF_ERROR(FinishUpload(TargetOf(sent.location), blob));
  return blob.bytes.size();
}

absl::StatusOr<uint64_t> Registry::PushBlobInTwo(const Blob& blob) {
  constexpr char kStream[] = "Content-Type: application/octet-stream\r\n";
  ASSIGN_OR_RETURN(const std::string location, BeginUpload());
  RETURN_IF_ERROR(
      connection_.SendAndBreak({"PATCH", location, kStream, blob.bytes}, blob.bytes.size() / 2));
  const size_t sent_before = blob.bytes.size() / 2;
  ASSIGN_OR_RETURN(const HttpResponse status, connection_.Call({"GET", location, "", ""}));
  if (status.status == 404) {
    ASSIGN_OR_RETURN(const uint64_t again, PushBlob(blob));
    return sent_before + again;
  }
  if (status.status != 204) {
    return absl::InvalidArgumentError(
        StrCat("GET ", location, " answered ", status.status, ", expected 204 or 404"));
  }
  // The newest Location counts: some registries keep the offset in it.
  const std::string resumed = status.location.empty() ? location : TargetOf(status.location);
  const size_t offset = status.range_end == 0 ? 0 : static_cast<size_t>(status.range_end) + 1;
  const std::string_view rest = std::string_view(blob.bytes).substr(offset);
  const std::string headers =
      StrCat(kStream, "Content-Range: ", offset, "-", blob.bytes.size() - 1, "\r\n");
  ASSIGN_OR_RETURN(const HttpResponse sent, Expect(202, {"PATCH", resumed, headers, rest}));
  RETURN_IF_ERROR(FinishUpload(TargetOf(sent.location), blob));
  return sent_before + rest.size();
}

absl::StatusOr<uint64_t> Registry::PutManifest(std::string_view tag, const Blob& manifest) {
  const std::string target = StrCat("/v2/", repository_, "/manifests/", tag);
  const std::string headers = StrCat("Content-Type: ", kManifestType, "\r\n");
  RETURN_IF_ERROR(Expect(201, {"PUT", target, headers, manifest.bytes}).status());
  return manifest.bytes.size();
}

absl::StatusOr<HttpResponse> Registry::GetBlob(std::string_view digest, Body body) {
  const std::string target = StrCat("/v2/", repository_, "/blobs/", digest);
  return Expect(200, {"GET", target, "", ""}, body);
}

absl::StatusOr<HttpResponse> Registry::GetManifest(std::string_view reference, Body body) {
  const std::string target = StrCat("/v2/", repository_, "/manifests/", reference);
  const std::string headers = StrCat("Accept: ", kManifestType, "\r\n");
  return Expect(200, {"GET", target, headers, ""}, body);
}

absl::StatusOr<uint64_t> Registry::PullBlob(std::string_view digest) {
  ASSIGN_OR_RETURN(const HttpResponse response, GetBlob(digest, Body::kDrop));
  return response.body_bytes;
}

absl::StatusOr<std::string> Registry::ReadBlob(std::string_view digest) {
  ASSIGN_OR_RETURN(HttpResponse response, GetBlob(digest, Body::kKeep));
  return std::move(response.body);
}

absl::StatusOr<uint64_t> Registry::PullRange(std::string_view digest, uint64_t offset,
                                             uint64_t length) {
  const std::string target = StrCat("/v2/", repository_, "/blobs/", digest);
  const std::string headers = StrCat("Range: bytes=", offset, "-", offset + length - 1, "\r\n");
  ASSIGN_OR_RETURN(const HttpResponse response, Expect(206, {"GET", target, headers, ""}));
  if (response.body_bytes != length) return absl::DataLossError("the range has another length");
  return response.body_bytes;
}

absl::StatusOr<uint64_t> Registry::PullManifest(std::string_view reference) {
  ASSIGN_OR_RETURN(const HttpResponse response, GetManifest(reference, Body::kDrop));
  return response.body_bytes;
}

absl::StatusOr<std::string> Registry::ReadManifest(std::string_view reference) {
  ASSIGN_OR_RETURN(HttpResponse response, GetManifest(reference, Body::kKeep));
  return std::move(response.body);
}

absl::Status Registry::ProvideBlob(const Blob& blob) {
  const std::string target = StrCat("/v2/", repository_, "/blobs/", blob.digest);
  ASSIGN_OR_RETURN(const HttpResponse response, connection_.Call({"HEAD", target, "", ""}));
  if (response.status == 200) return absl::OkStatus();
  if (response.status == 404) return PushBlob(blob).status();
  return absl::InvalidArgumentError(StrCat("HEAD ", target, " answered ", response.status));
}

absl::Status Registry::HeadBlob(std::string_view digest, int expected) {
  const std::string target = StrCat("/v2/", repository_, "/blobs/", digest);
  return Expect(expected, {"HEAD", target, "", ""}).status();
}

absl::StatusOr<uint64_t> Registry::ListTags(size_t page_size) {
  std::string target = StrCat("/v2/", repository_, "/tags/list?n=", page_size);
  uint64_t tags = 0;
  while (!target.empty()) {
    ASSIGN_OR_RETURN(const HttpResponse page, Expect(200, {"GET", target, "", ""}, Body::kKeep));
    // Strings of the list: all of the body's but the two keys and the name.
    uint64_t quotes = 0;
    for (const char c : page.body) quotes += c == '"' ? 1 : 0;
    tags += quotes / 2 - 3;
    const size_t begin = page.link.find('<');
    const size_t end = page.link.find('>');
    target = begin == std::string::npos || end == std::string::npos
                 ? ""
                 : TargetOf(page.link.substr(begin + 1, end - begin - 1));
  }
  return tags;
}

}  // namespace varve::load

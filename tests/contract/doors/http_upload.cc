#include "tests/contract/doors/http_upload.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "daemon/http/route.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

std::string SessionPath(std::string_view repository, std::string_view id) {
  return StrCat("/v2/", PercentEncode(repository), "/blobs/uploads/", PercentEncode(id));
}

// "0-<last byte>", and "0-0" when there is none: of one byte the protocol cannot tell.
uint64_t BytesReceived(const HttpResponse& response) {
  const std::string range = response.Header("range");
  const std::optional<uint64_t> last =
      ParseDecimal(std::string_view(range).substr(std::min(range.size(), range.find('-') + 1)));
  return last.value_or(0) == 0 ? 0 : *last + 1;
}

absl::Status NoWordsFor(std::string_view what) {
  return absl::UnimplementedError(StrCat("the OCI API has no words for ", what));
}

}  // namespace

absl::StatusOr<std::unique_ptr<OpenUpload>> HttpUpload::Begin(HttpExchanges& http,
                                                              std::string_view repository,
                                                              const UploadOptions& options) {
  if (!options.id.empty()) return NoWordsFor("an upload named by its client");
  if (options.size_bytes) return NoWordsFor("the size of an upload that begins");
  std::string target = SessionPath(repository, "");
  if (options.algorithm != DigestAlgorithm::kSha256) {
    target += StrCat("?digest-algorithm=", DigestAlgorithmName(options.algorithm));
  }
  const HttpResponse response = http.Do("POST", target);
  RETURN_IF_ERROR(StatusOf(response, About::kUpload));
  UploadStatus status;
  status.id = response.Header("docker-upload-uuid");
  return std::make_unique<HttpUpload>(http, response.Header("location"), status);
}

absl::StatusOr<std::unique_ptr<OpenUpload>> HttpUpload::Resume(HttpExchanges& http,
                                                               std::string_view repository,
                                                               std::string_view id) {
  const HttpResponse response = http.Do("GET", SessionPath(repository, id));
  RETURN_IF_ERROR(StatusOf(response, About::kUpload));
  UploadStatus status;
  status.id = id;
  status.offset_bytes = BytesReceived(response);
  return std::make_unique<HttpUpload>(http, response.Header("location"), status);
}

absl::Status HttpUpload::Expect(uint64_t) { return NoWordsFor("bytes to come"); }

absl::Status HttpUpload::Append(uint64_t offset, std::string_view bytes) {
  if (bytes.empty()) {
    if (offset != status_.offset_bytes) return absl::OutOfRangeError("no bytes at another offset");
    return Checkpoint();
  }
  const uint64_t last = bytes.size() - 1 > std::numeric_limits<uint64_t>::max() - offset
                            ? std::numeric_limits<uint64_t>::max()
                            : offset + bytes.size() - 1;
  const HttpResponse response =
      http_.Do("PATCH", location_, bytes, {{"Content-Range", StrCat(offset, "-", last)}});
  RETURN_IF_ERROR(StatusOf(response, About::kUpload));
  status_.offset_bytes = offset + bytes.size();
  if (response.Header("range") != StrCat("0-", status_.offset_bytes - 1)) {
    return absl::InternalError(StrCat("the door counts ", response.Header("range")));
  }
  return absl::OkStatus();
}

absl::Status HttpUpload::Restart() { return NoWordsFor("an upload that starts again"); }

absl::Status HttpUpload::Checkpoint() {
  return StatusOf(http_.Do("PATCH", location_), About::kUpload);
}

absl::StatusOr<BlobInfo> HttpUpload::Commit(const Digest& expected, std::optional<uint64_t>) {
  const HttpResponse response =
      http_.Do("PUT", StrCat(location_, "?digest=", PercentEncode(expected.ToString())));
  RETURN_IF_ERROR(StatusOf(response, About::kUpload));
  BlobInfo info;
  ASSIGN_OR_RETURN(info.digest, Digest::Parse(response.Header("docker-content-digest")));
  info.size_bytes = status_.offset_bytes;
  return info;
}

absl::Status HttpUpload::Abort() { return StatusOf(http_.Do("DELETE", location_), About::kUpload); }

}  // namespace varve

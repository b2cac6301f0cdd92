// Images and manifests as messages of varve.v1, in both directions. Pure functions. Text that comes
// out of JSON is valid UTF-8, as a string of a message must be: its parser has checked it.
#ifndef VARVE_PROTO_CONVERT_IMAGES_H_
#define VARVE_PROTO_CONVERT_IMAGES_H_

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/convert/values.h"
#include "storage/api/images.h"
#include "storage/api/manifests.h"
#include "storage/base/status.h"
#include "varve/v1/images.pb.h"

namespace varve {

void ToMessage(const ManifestInfo& info, v1::ManifestInfo* message);
absl::StatusOr<ManifestInfo> FromMessage(const v1::ManifestInfo& message);

void ToMessage(const ImageInfo& info, v1::Image* message);
absl::StatusOr<ImageInfo> FromMessage(const v1::Image& message);

void ToMessage(const ImageMatch& match, v1::FindImageResponse* message);
absl::StatusOr<ImageMatch> FromMessage(const v1::FindImageResponse& message);

void ToMessage(const ImageDetails& details, v1::ImageDetails* message);
absl::StatusOr<ImageDetails> FromMessage(const v1::ImageDetails& message);

// The message has them newest first.
void ToMessage(const std::vector<HistoryEntry>& oldest_first, v1::ImageHistoryResponse* message);
std::vector<HistoryEntry> FromMessage(const v1::ImageHistoryResponse& message);

void ToMessage(const ImageQuery& query, v1::ListImagesRequest* message);
ImageQuery FromMessage(const v1::ListImagesRequest& message);

void ToMessage(const RemovedImage& removed, v1::RemoveImageResponse* message);
RemovedImage FromMessage(const v1::RemoveImageResponse& message);

// The image of a repository that a request names by tag or by digest.
template <typename Request>
void SetReference(const ManifestReference& reference, Request* request) {
  if (const Digest* digest = std::get_if<Digest>(&reference)) {
    request->set_digest(digest->ToString());
  } else {
    request->set_tag(std::get<std::string>(reference));
  }
}

// InvalidArgument when it names none.
template <typename Request>
absl::StatusOr<ManifestReference> ReferenceOf(const Request& request) {
  if (request.has_tag()) return ManifestReference(request.tag());
  if (!request.has_digest()) {
    return absl::InvalidArgumentError("name the image by tag or by digest");
  }
  ASSIGN_OR_RETURN(const Digest digest, RequiredDigest("digest", request.digest()));
  return ManifestReference(digest);
}

// A list that no message may outgrow, as images.proto says: 1,000 x (255 + 128) B = 383 kB.
inline constexpr size_t kMaxListed = 1000;

}  // namespace varve

#endif  // VARVE_PROTO_CONVERT_IMAGES_H_

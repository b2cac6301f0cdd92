// Between the messages of varve.v1 and the vocabulary of the store. Pure functions.
#ifndef VARVE_DAEMON_GRPC_MESSAGES_H_
#define VARVE_DAEMON_GRPC_MESSAGES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "storage/api/blobs.h"
#include "storage/api/claims.h"
#include "storage/api/images.h"
#include "storage/api/manifests.h"
#include "storage/image/digest.h"
#include "varve/v1/blobs.pb.h"
#include "varve/v1/images.pb.h"

namespace varve {

void ToMessage(const BlobInfo& info, v1::BlobInfo* message);
void ToMessage(const ManifestInfo& info, v1::ManifestInfo* message);
void ToMessage(int64_t nanos, google::protobuf::Timestamp* message);

// image_messages.cc
void ToMessage(const ImageInfo& info, v1::Image* message);
void ToMessage(const ImageMatch& match, v1::FindImageResponse* message);
void ToMessage(const ImageDetails& details, v1::ImageDetails* message);
// Newest first, as ImageHistoryResponse wants them.
void ToMessage(const std::vector<HistoryEntry>& oldest_first, v1::ImageHistoryResponse* message);
void ToMessage(const RemovedImage& removed, v1::RemoveImageResponse* message);
void ToMessage(const PruneReport& report, v1::PruneResponse::Report* message);
// One, or more when it has many tags: see PruneResponse.untagged.
std::vector<v1::PruneResponse> ToMessages(const PruneStep& step);
void ToMessage(const std::vector<PruneJob>& jobs, v1::ListPrunesResponse* message);
void ToMessage(const KeeperReport& report, v1::ExplainResponse* message);
PruneRequest FromMessage(const v1::PruneRequest& message);
void ToMessage(const BlobDetails& details, v1::StoredBlob* message);

// Parses a digest that `field` of a request must have; InvalidArgument, naming the field.
absl::StatusOr<Digest> RequiredDigest(std::string_view field, const std::string& text);

// As RequiredDigest, but an empty text is nullopt.
absl::StatusOr<std::optional<Digest>> OptionalDigest(std::string_view field,
                                                     const std::string& text);

// InvalidArgument unless `id` is 1 to kMaxIngestIdBytes letters, digits, '-', '_' or '.'.
absl::Status ValidateUploadId(std::string_view id);

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_MESSAGES_H_

// Messages of varve.v1 in the vocabulary of storage/api/. Pure functions; what a daemon
// sends is checked, never trusted. Private to this library.
#ifndef VARVE_CLIENT_MESSAGES_H_
#define VARVE_CLIENT_MESSAGES_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/blobs.h"
#include "storage/api/claims.h"
#include "storage/api/manifests.h"
#include "storage/api/images.h"
#include "varve/v1/blobs.pb.h"
#include "varve/v1/claims.pb.h"
#include "varve/v1/images.pb.h"

namespace varve {

int64_t Nanos(const google::protobuf::Timestamp& time);

absl::StatusOr<BlobInfo> FromMessage(const v1::BlobInfo& message);
absl::StatusOr<ManifestInfo> FromMessage(const v1::ManifestInfo& message);
absl::StatusOr<ImageInfo> FromMessage(const v1::Image& message);
absl::StatusOr<ImageMatch> FromMessage(const v1::FindImageResponse& message);
absl::StatusOr<ImageDetails> FromMessage(const v1::ImageDetails& message);
absl::StatusOr<HoldInfo> FromMessage(const v1::Hold& message);
LeaseInfo FromMessage(const v1::Lease& message);
PruneReport FromMessage(const v1::PruneResponse::Report& message);
// Of any message but the report.
absl::StatusOr<PruneStep> FromMessage(const v1::PruneResponse& message);
PruneJob FromMessage(const v1::PruneJob& message);
absl::StatusOr<KeeperReport> FromMessage(const v1::ExplainResponse& message);
// Oldest first, as ImageDetails::history.
std::vector<HistoryEntry> FromMessage(const v1::ImageHistoryResponse& message);

}  // namespace varve

#endif  // VARVE_CLIENT_MESSAGES_H_

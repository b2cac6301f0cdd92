// Blobs and uploads as messages of varve.v1, in both directions. Pure functions.
#ifndef VARVE_PROTO_CONVERT_BLOBS_H_
#define VARVE_PROTO_CONVERT_BLOBS_H_

#include "absl/status/statusor.h"
#include "proto/convert/values.h"
#include "storage/api/blobs.h"
#include "varve/v1/blobs.pb.h"
#include "varve/v1/uploads.pb.h"

namespace varve {

void ToMessage(const BlobInfo& info, v1::BlobInfo* message);
absl::StatusOr<BlobInfo> FromMessage(const v1::BlobInfo& message);

void ToMessage(const BlobDetails& details, v1::StoredBlob* message);
absl::StatusOr<BlobDetails> FromMessage(const v1::StoredBlob& message);

void ToMessage(const UploadInfo& info, v1::Upload* message);
UploadInfo FromMessage(const v1::Upload& message);

}  // namespace varve

#endif  // VARVE_PROTO_CONVERT_BLOBS_H_

// One Write stream as a state machine over the store's OpenUpload: header, data, commit. Knows
// nothing of gRPC. Belongs to one stream; used by one thread at a time; calls block on the disk.
#ifndef VARVE_DAEMON_GRPC_BLOB_UPLOAD_H_
#define VARVE_DAEMON_GRPC_BLOB_UPLOAD_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/api/blobs.h"
#include "storage/api/claims.h"
#include "varve/v1/blobs.pb.h"

namespace varve {

// InvalidArgument unless `id` is 1 to kMaxUploadIdBytes letters, digits, '-', '_' or '.'.
absl::Status ValidateUploadId(std::string_view id);

class BlobUpload {
 public:
  // All must outlive the upload. What it is about is attached to `lease`, if that is not empty.
  BlobUpload(Blobs& blobs, Claims& claims, v1::WriteResponse& response, std::string_view lease)
      : blobs_(blobs), claims_(claims), lease_(lease), response_(response) {}

  // Takes the next message. True when the upload is over and the response complete. After an error,
  // call End only.
  absl::StatusOr<bool> Take(const v1::WriteRequest& request);

  // Takes a data message whose payload is in `pieces`; otherwise as Take.
  absl::Status TakeData(absl::Span<const std::string_view> pieces);

  // The stream has ended, whyever. Lets go of an upload that is not committed: one with an id is
  // kept for a later stream, one without is dropped. With `half_closed`, the client ended it on
  // purpose: what is kept is made to survive a restart, and the response says how much that is.
  absl::Status End(bool half_closed);

  uint64_t received_bytes() const { return received_bytes_; }
  const std::string& repository() const { return header_.repository(); }

 private:
  absl::StatusOr<bool> TakeHeader(const v1::WriteRequest::Header& header);
  absl::Status BeginOrResume();
  absl::Status TakeCommit(const v1::WriteRequest::Commit& commit);

  Blobs& blobs_;
  Claims& claims_;
  const std::string_view lease_;
  v1::WriteResponse& response_;
  bool opened_ = false;  // a header was taken
  v1::WriteRequest::Header header_;
  std::optional<Digest> expected_;
  std::unique_ptr<OpenUpload> upload_;  // null before the header, and after commit and abort
  uint64_t offset_bytes_ = 0;           // of upload_
  uint64_t received_bytes_ = 0;         // by this stream
};

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_BLOB_UPLOAD_H_

// An upload through the native door; see grpc_store.h. Not thread-safe.
#ifndef VARVE_TESTS_CONTRACT_DOORS_GRPC_UPLOAD_H_
#define VARVE_TESTS_CONTRACT_DOORS_GRPC_UPLOAD_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>

#include "storage/api/blobs.h"
#include "varve/v1/blobs.grpc.pb.h"

namespace varve {

absl::Status FromGrpcStatus(const grpc::Status& status);

class GrpcUpload final : public OpenUpload {
 public:
  // Begins an upload of that id, or goes on with it at offset 0. `stub` must outlive the upload.
  static absl::StatusOr<std::unique_ptr<OpenUpload>> Begin(v1::Blobs::Stub& stub,
                                                           std::string_view repository,
                                                           const UploadOptions& options);
  static absl::StatusOr<std::unique_ptr<OpenUpload>> Resume(v1::Blobs::Stub& stub,
                                                            std::string_view repository,
                                                            std::string_view id);

  GrpcUpload(v1::Blobs::Stub& stub, std::string_view repository, UploadStatus status)
      : stub_(stub), repository_(repository), status_(std::move(status)) {}

  UploadStatus status() const override { return status_; }
  absl::Status Expect(uint64_t more_bytes) override;
  absl::Status Append(uint64_t offset, std::string_view bytes) override;
  absl::Status Restart() override;
  absl::Status Checkpoint() override;
  absl::StatusOr<BlobInfo> Commit(const Digest& expected,
                                  std::optional<uint64_t> size_bytes) override;
  absl::Status Abort() override;

 private:
  struct Piece {
    uint64_t offset = 0;
    std::optional<uint64_t> size_bytes;  // of the whole upload
    std::string_view bytes;
    std::optional<v1::WriteRequest::Commit> commit;
  };
  // One Write stream; our offset follows on success.
  absl::StatusOr<v1::WriteResponse> Write(const Piece& piece);

  v1::Blobs::Stub& stub_;
  const std::string repository_;
  UploadStatus status_;
};

}  // namespace varve

#endif  // VARVE_TESTS_CONTRACT_DOORS_GRPC_UPLOAD_H_

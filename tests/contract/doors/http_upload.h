// An upload by the OCI distribution API. Each call is a request of its own. Not
// thread-safe.
#ifndef VARVE_TESTS_CONTRACT_DOORS_HTTP_UPLOAD_H_
#define VARVE_TESTS_CONTRACT_DOORS_HTTP_UPLOAD_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "storage/api/blobs.h"
#include "tests/contract/doors/http_exchanges.h"

namespace varve {

class HttpUpload final : public OpenUpload {
 public:
  // `http` must outlive the upload.
  static absl::StatusOr<std::unique_ptr<OpenUpload>> Begin(HttpExchanges& http,
                                                           std::string_view repository,
                                                           const UploadOptions& options);
  static absl::StatusOr<std::unique_ptr<OpenUpload>> Resume(HttpExchanges& http,
                                                            std::string_view repository,
                                                            std::string_view id);

  HttpUpload(HttpExchanges& http, std::string location, UploadStatus status)
      : http_(http), location_(std::move(location)), status_(std::move(status)) {}

  UploadStatus status() const override { return status_; }
  absl::Status Expect(uint64_t more_bytes) override;
  absl::Status Append(uint64_t offset, std::string_view bytes) override;
  absl::Status Restart() override;
  absl::Status Checkpoint() override;
  absl::StatusOr<BlobInfo> Commit(const Digest& expected,
                                  std::optional<uint64_t> size_bytes) override;
  absl::Status Abort() override;

 private:
  HttpExchanges& http_;
  const std::string location_;
  UploadStatus status_;
};

}  // namespace varve

#endif  // VARVE_TESTS_CONTRACT_DOORS_HTTP_UPLOAD_H_

// The OCI distribution calls of the workloads, over one connection each; any registry answers them.
#ifndef VARVE_BENCHMARKS_LOAD_REGISTRY_H_
#define VARVE_BENCHMARKS_LOAD_REGISTRY_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "benchmarks/load/http_connection.h"

namespace varve::load {

// Bytes with their digest, made before anything is timed.
struct Blob {
  std::string bytes;
  std::string digest;  // "sha256:…"
};

// `size` bytes that depend on `seed` only and that nothing compresses or shares.
Blob MakeBlob(uint64_t seed, size_t size);

// An OCI image manifest over blobs that were pushed; `note` makes manifests differ.
Blob MakeManifest(const Blob& config, const std::vector<const Blob*>& layers,
                  std::string_view note);

class Registry {
 public:
  Registry(std::string host, int port, std::string repository)
      : connection_(std::move(host), port), repository_(std::move(repository)) {}

  // What follows is about this repository.
  void Use(std::string repository) { repository_ = std::move(repository); }

  // As docker pushes: POST, one PATCH, PUT. Gives the payload's size.
  absl::StatusOr<uint64_t> PushBlob(const Blob& blob);
  // Breaks off in the middle of the PATCH, asks where the upload stands, and goes on there; a
  // registry that does not know the upload any more gets all of it again, as from docker. Gives the
  // bytes sent in all: the payload's size when nothing was sent twice.
  absl::StatusOr<uint64_t> PushBlobInTwo(const Blob& blob);
  // As docker: asks for the blob and pushes it when it is absent.
  absl::Status ProvideBlob(const Blob& blob);
  absl::StatusOr<uint64_t> PutManifest(std::string_view tag, const Blob& manifest);
  absl::StatusOr<uint64_t> PullBlob(std::string_view digest);
  absl::StatusOr<uint64_t> PullRange(std::string_view digest, uint64_t offset, uint64_t length);
  absl::StatusOr<uint64_t> PullManifest(std::string_view reference);
  // The bytes, to be compared.
  absl::StatusOr<std::string> ReadBlob(std::string_view digest);
  absl::StatusOr<std::string> ReadManifest(std::string_view reference);
  // InvalidArgument when the answer is not `expected`.
  absl::Status HeadBlob(std::string_view digest, int expected);
  // Walks all pages of `page_size`; gives the number of tags.
  absl::StatusOr<uint64_t> ListTags(size_t page_size);

 private:
  absl::StatusOr<HttpResponse> Expect(int status, const HttpRequest& request,
                                      Body body = Body::kDrop);
  absl::StatusOr<HttpResponse> GetBlob(std::string_view digest, Body body);
  absl::StatusOr<HttpResponse> GetManifest(std::string_view reference, Body body);
  absl::StatusOr<std::string> BeginUpload();
  absl::Status FinishUpload(const std::string& location, const Blob& blob);

  HttpConnection connection_;
  std::string repository_;
};

}  // namespace varve::load

#endif  // VARVE_BENCHMARKS_LOAD_REGISTRY_H_

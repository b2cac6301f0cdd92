// The calls of the native workloads, against either service that keeps blobs behind a unix socket:
// varve.v1.Blobs, and the content service of containerd. Belongs to one thread.
#ifndef VARVE_BENCHMARKS_NATIVE_BLOB_SERVICE_H_
#define VARVE_BENCHMARKS_NATIVE_BLOB_SERVICE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "benchmarks/load/registry.h"

namespace varve::load {

class BlobService {
 public:
  virtual ~BlobService() = default;

  // Stores the blob, in messages of 1 MiB, which is what the clients of both services send. Returns
  // its size when the service says that it is stored.
  virtual absl::StatusOr<uint64_t> Write(const Blob& blob) = 0;
  // Takes the blob and forgets it; returns its size.
  virtual absl::StatusOr<uint64_t> Read(std::string_view digest) = 0;
  // How many of `digests` the service lacks. Unimplemented where there is no such call.
  virtual absl::StatusOr<uint64_t> CountMissing(const std::vector<std::string>& digests) = 0;
};

// A service on a connection of its own to `socket`.
std::unique_ptr<BlobService> ConnectVarve(const std::string& socket);
std::unique_ptr<BlobService> ConnectContainerd(const std::string& socket);

}  // namespace varve::load

#endif  // VARVE_BENCHMARKS_NATIVE_BLOB_SERVICE_H_

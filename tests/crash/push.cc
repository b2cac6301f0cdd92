#include "tests/crash/push.h"

#include <memory>

#include "storage/api/blobs.h"
#include "storage/api/manifests.h"
#include "storage/base/status.h"

namespace varve {

absl::Status PushBlob(Blobs& blobs, const std::string& repository, const TestBlob& blob) {
  ASSIGN_OR_RETURN(
      const std::unique_ptr<OpenUpload> upload,
      blobs.BeginUpload(repository, {.id = "", .size_bytes = blob.bytes.size(), .client = {}}));
  RETURN_IF_ERROR(upload->Append(0, blob.bytes));
  return upload->Commit(blob.digest, blob.bytes.size()).status();
}

absl::Status PutManifest(Manifests& manifests, const std::string& repository,
                         const TestManifest& manifest, const std::vector<std::string>& tags) {
  PutManifestRequest request;
  request.bytes = manifest.bytes;
  request.expected = manifest.digest;
  request.tags = tags;
  return manifests.PutManifest(repository, request).status();
}

}  // namespace varve

#include "tests/golden/golden_store.h"

#include <memory>
#include <string_view>

#include "storage/base/status.h"
#include "storage/image/hasher.h"
#include "tests/crash/scenario.h"

namespace varve {
namespace {

// Repetitive, so that a checkout's history stays small.
TestBlob RepeatedBlob(std::string_view line, size_t size_bytes, DigestAlgorithm algorithm) {
  std::string bytes;
  while (bytes.size() < size_bytes) bytes += line;
  bytes.resize(size_bytes);
  return {HashBytes(algorithm, bytes), bytes};
}

}  // namespace

GoldenContent MakeGoldenContent() {
  GoldenContent content;
  content.config = RepeatedBlob("config of the golden image\n", 400, DigestAlgorithm::kSha256);
  content.layer = RepeatedBlob("sediment of one season\n", 65'600, DigestAlgorithm::kSha256);
  content.sha512 = RepeatedBlob("named by sha512\n", 200, DigestAlgorithm::kSha512);
  content.upload = RepeatedBlob("arrives in two parts\n", 300, DigestAlgorithm::kSha256);
  content.image = MakeImage(content.config, {content.layer});
  content.signature = MakeImage(content.config, {content.config}, content.image);
  content.index = MakeImageIndex({content.image});
  return content;
}

absl::Status WriteGoldenStore(const std::string& directory) {
  const GoldenContent content = MakeGoldenContent();
  FakeClock clock;
  SeededRandom random(1);
  EngineOptions options;
  options.clock = &clock;
  options.random = &random;
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<Engine> store, OpenEngine(directory, options));
    RETURN_IF_ERROR(PushBlob(store->blobs, kGoldenApp, content.config));
    RETURN_IF_ERROR(PushBlob(store->blobs, kGoldenApp, content.layer));
    RETURN_IF_ERROR(PushBlob(store->blobs, kGoldenApp, content.sha512));
    RETURN_IF_ERROR(PutManifest(store->manifests, kGoldenApp, content.image, {"latest", "v1"}));
  }
  // Opened again, so that some rows lie in tables and some in the log.
  ASSIGN_OR_RETURN(const std::unique_ptr<Engine> store, OpenEngine(directory, options));
  RETURN_IF_ERROR(PutManifest(store->manifests, kGoldenApp, content.signature, {}));
  RETURN_IF_ERROR(PutManifest(store->manifests, kGoldenApp, content.index, {"all"}));
  RETURN_IF_ERROR(store->blobs.MountBlob(kGoldenMirror, content.layer.digest, kGoldenApp).status());
  ASSIGN_OR_RETURN(
      const std::unique_ptr<OpenUpload> upload,
      store->blobs.BeginUpload(kGoldenApp, {.id = kGoldenUpload, .size_bytes = {}, .client = {}}));
  RETURN_IF_ERROR(
      upload->Append(0, std::string_view(content.upload.bytes).substr(0, kGoldenUploadBytes)));
  return upload->Checkpoint();
}

}  // namespace varve

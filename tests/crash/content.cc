#include "tests/crash/content.h"

#include <utility>

#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "tests/support/fake_clock.h"

namespace varve {
namespace {

constexpr char kImageType[] = "application/vnd.oci.image.manifest.v1+json";
constexpr char kIndexType[] = "application/vnd.oci.image.index.v1+json";

std::string Descriptor(std::string_view media_type, const Digest& digest, size_t size_bytes) {
  return StrCat(R"({"mediaType":")", media_type, R"(","digest":")", digest.ToString(),
                R"(","size":)", size_bytes, "}");
}

}  // namespace

TestBlob MakeBlob(uint64_t seed, size_t size_bytes) {
  SeededRandom random(seed * 1'000'003 + size_bytes);
  std::string bytes;
  bytes.reserve(size_bytes + sizeof(uint64_t));
  while (bytes.size() < size_bytes) {
    uint64_t word = random.Next();
    for (size_t i = 0; i < sizeof(word); ++i, word >>= 8) {
      bytes.push_back(static_cast<char>(word & 0xff));
    }
  }
  bytes.resize(size_bytes);
  const Digest digest = HashBytes(DigestAlgorithm::kSha256, bytes);
  return {digest, std::move(bytes)};
}

TestManifest MakeImage(const TestBlob& config, const std::vector<TestBlob>& layers,
                       const std::optional<TestManifest>& subject) {
  TestManifest manifest;
  manifest.blobs.push_back(config.digest);
  std::string list;
  for (const TestBlob& layer : layers) {
    manifest.blobs.push_back(layer.digest);
    list += list.empty() ? "" : ",";
    list += Descriptor("application/vnd.oci.image.layer.v1.tar", layer.digest, layer.bytes.size());
  }
  manifest.bytes = StrCat(
      R"({"schemaVersion":2,"mediaType":")", kImageType, R"(","config":)",
      Descriptor("application/vnd.oci.image.config.v1+json", config.digest, config.bytes.size()),
      R"(,"layers":[)", list, "]");
  if (subject.has_value()) {
    manifest.subject = subject->digest;
    manifest.bytes +=
        StrCat(R"(,"subject":)", Descriptor(kImageType, subject->digest, subject->bytes.size()));
  }
  manifest.bytes += "}";
  manifest.digest = HashBytes(DigestAlgorithm::kSha256, manifest.bytes);
  return manifest;
}

TestManifest MakeImageIndex(const std::vector<TestManifest>& children) {
  TestManifest manifest;
  std::string list;
  for (const TestManifest& child : children) {
    manifest.children.push_back(child.digest);
    list += list.empty() ? "" : ",";
    list += Descriptor(kImageType, child.digest, child.bytes.size());
  }
  manifest.bytes =
      StrCat(R"({"schemaVersion":2,"mediaType":")", kIndexType, R"(","manifests":[)", list, "]}");
  manifest.digest = HashBytes(DigestAlgorithm::kSha256, manifest.bytes);
  return manifest;
}

TestManifest WithNote(TestManifest manifest, size_t note_bytes) {
  manifest.bytes.pop_back();
  manifest.bytes += StrCat(R"(,"annotations":{"note":")", std::string(note_bytes, 'n'), R"("}})");
  manifest.digest = HashBytes(DigestAlgorithm::kSha256, manifest.bytes);
  return manifest;
}

TestBlob Contents::Add(TestBlob blob) {
  blobs[blob.digest] = blob.bytes;
  return blob;
}

TestManifest Contents::Add(TestManifest manifest) {
  manifests[manifest.digest] = manifest;
  return manifest;
}

}  // namespace varve

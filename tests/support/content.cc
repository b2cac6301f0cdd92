#include "tests/support/content.h"

#include <utility>

#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "tests/support/fake_clock.h"

namespace varve {
namespace {

std::string Descriptor(std::string_view media_type, std::string_view digest, size_t size_bytes,
                       std::string_view more = "") {
  return StrCat(R"({"mediaType":")", media_type, R"(","digest":")", digest, R"(","size":)",
                size_bytes, more, "}");
}

// Of what has a digest and bytes.
template <typename Content>
std::string DescriptorOf(std::string_view media_type, const Content& content) {
  return Descriptor(media_type, content.digest.ToString(), content.bytes.size());
}

}  // namespace

std::string TestBytes(size_t size, uint64_t seed) {
  SeededRandom random(seed);
  std::string bytes;
  bytes.reserve(size + sizeof(uint64_t));
  while (bytes.size() < size) {
    uint64_t word = random.Next();
    for (size_t i = 0; i < sizeof(word); ++i, word >>= 8) {
      bytes.push_back(static_cast<char>(word & 0xff));
    }
  }
  bytes.resize(size);
  return bytes;
}

Digest Sha256Of(std::string_view bytes) { return HashBytes(DigestAlgorithm::kSha256, bytes); }

std::string DigestOf(std::string_view bytes, DigestAlgorithm algorithm) {
  return HashBytes(algorithm, bytes).ToString();
}

std::string Described(std::string_view media_type, std::string_view bytes, std::string_view more) {
  return Descriptor(media_type, DigestOf(bytes), bytes.size(), more);
}

std::string Join(const std::vector<std::string>& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += (text.empty() ? "" : ",") + piece;
  return text;
}

std::string ManifestOf(std::string_view config, const std::vector<std::string>& layers,
                       std::string_view more) {
  return StrCat(R"({"schemaVersion":2,"mediaType":")", std::string_view(kManifestType),
                R"(","config":)", config, R"(,"layers":[)", Join(layers), "]", more, "}");
}

std::string IndexOf(const std::vector<std::string>& descriptors, std::string_view more) {
  return StrCat(R"({"schemaVersion":2,"mediaType":")", std::string_view(kIndexType),
                R"(","manifests":[)", Join(descriptors), "]", more, "}");
}

TestBlob MakeBlob(uint64_t seed, size_t size_bytes) {
  std::string bytes = TestBytes(size_bytes, seed * 1'000'003 + size_bytes);
  const Digest digest = Sha256Of(bytes);
  return {digest, std::move(bytes)};
}

TestManifest MakeImage(const TestBlob& config, const std::vector<TestBlob>& layers,
                       const std::optional<TestManifest>& subject) {
  TestManifest manifest;
  manifest.blobs.push_back(config.digest);
  std::vector<std::string> descriptors;
  for (const TestBlob& layer : layers) {
    manifest.blobs.push_back(layer.digest);
    descriptors.push_back(DescriptorOf(kLayerType, layer));
  }
  std::string more;
  if (subject.has_value()) {
    manifest.subject = subject->digest;
    more = StrCat(R"(,"subject":)", DescriptorOf(kManifestType, *subject));
  }
  manifest.bytes = ManifestOf(DescriptorOf(kConfigType, config), descriptors, more);
  manifest.digest = Sha256Of(manifest.bytes);
  return manifest;
}

TestManifest MakeImageIndex(const std::vector<TestManifest>& children) {
  TestManifest manifest;
  std::vector<std::string> descriptors;
  for (const TestManifest& child : children) {
    manifest.children.push_back(child.digest);
    descriptors.push_back(DescriptorOf(kManifestType, child));
  }
  manifest.bytes = IndexOf(descriptors);
  manifest.digest = Sha256Of(manifest.bytes);
  return manifest;
}

TestManifest WithNote(TestManifest manifest, size_t note_bytes) {
  manifest.bytes.pop_back();
  manifest.bytes += StrCat(R"(,"annotations":{"note":")", std::string(note_bytes, 'n'), R"("}})");
  manifest.digest = Sha256Of(manifest.bytes);
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

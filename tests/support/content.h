// What tests push: bytes, blobs and manifests made from seeds, the same in every run, and the JSON
// that manifests are made of. Value types.
#ifndef VARVE_TESTS_SUPPORT_CONTENT_H_
#define VARVE_TESTS_SUPPORT_CONTENT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "storage/image/digest.h"

namespace varve {

// Pseudo-random bytes that depend on `seed` alone, and that do not compress.
std::string TestBytes(size_t size, uint64_t seed = 1);

Digest Sha256Of(std::string_view bytes);
// The same as text.
std::string DigestOf(std::string_view bytes, DigestAlgorithm algorithm = DigestAlgorithm::kSha256);

inline constexpr char kManifestType[] = "application/vnd.oci.image.manifest.v1+json";
inline constexpr char kIndexType[] = "application/vnd.oci.image.index.v1+json";
inline constexpr char kConfigType[] = "application/vnd.oci.image.config.v1+json";
inline constexpr char kLayerType[] = "application/vnd.oci.image.layer.v1.tar";

// The descriptor of `bytes`. `more` here and below is further fields, each after a comma.
std::string Described(std::string_view media_type, std::string_view bytes,
                      std::string_view more = "");
// The pieces with commas between.
std::string Join(const std::vector<std::string>& pieces);
// An image manifest, an index: of descriptors.
std::string ManifestOf(std::string_view config, const std::vector<std::string>& layers,
                       std::string_view more = "");
std::string IndexOf(const std::vector<std::string>& descriptors, std::string_view more = "");

struct TestBlob {
  Digest digest;
  std::string bytes;
};

// One seed and size give one blob.
TestBlob MakeBlob(uint64_t seed, size_t size_bytes);

struct TestManifest {
  Digest digest;
  std::string bytes;
  std::vector<Digest> blobs;      // config and layers
  std::vector<Digest> children;   // of an image index
  std::optional<Digest> subject;  // what it refers to
};

TestManifest MakeImage(const TestBlob& config, const std::vector<TestBlob>& layers,
                       const std::optional<TestManifest>& subject = std::nullopt);
TestManifest MakeImageIndex(const std::vector<TestManifest>& children);
// The same with an annotation of that many bytes: over 64 KiB it is kept in a file.
TestManifest WithNote(TestManifest manifest, size_t note_bytes);

// All that a scenario may ever show, so that a check can ask also for what must not be there.
struct Contents {
  std::set<std::string> repositories;
  std::map<Digest, std::string> blobs;
  std::map<Digest, TestManifest> manifests;

  TestBlob Add(TestBlob blob);
  TestManifest Add(TestManifest manifest);
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_CONTENT_H_

// What scenarios push: blobs and manifests made from seeds, the same in every run. Value types.
#ifndef VARVE_TESTS_CRASH_CONTENT_H_
#define VARVE_TESTS_CRASH_CONTENT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "storage/image/digest.h"

namespace varve {

struct TestBlob {
  Digest digest;
  std::string bytes;
};

// Pseudo-random bytes: one seed and size give one blob.
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

#endif  // VARVE_TESTS_CRASH_CONTENT_H_

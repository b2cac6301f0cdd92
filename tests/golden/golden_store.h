// What the golden stores hold, and how one is made. A golden store is written once by the version
// whose format it shows, committed, and must open ever after.
#ifndef VARVE_TESTS_GOLDEN_GOLDEN_STORE_H_
#define VARVE_TESTS_GOLDEN_GOLDEN_STORE_H_

#include <string>

#include "absl/status/status.h"
#include "storage/engine.h"
#include "tests/support/content.h"
#include "tests/support/fake_clock.h"

namespace varve {

inline constexpr char kGoldenApp[] = "team/app";
inline constexpr char kGoldenMirror[] = "mirror";
inline constexpr char kGoldenUpload[] = "unfinished";
inline constexpr char kGoldenUuid[] = "910a2dec-8902-4cc1-beeb-8da1658eec67";
inline constexpr size_t kGoldenUploadBytes = 100;

struct GoldenContent {
  TestBlob config;
  TestBlob layer;          // loose; also mounted in the mirror
  TestBlob sha512;         // inline, pushed under its sha512 digest
  TestBlob upload;         // of which kGoldenUploadBytes have arrived
  TestManifest image;      // tags "latest" and "v1"
  TestManifest signature;  // refers to the image
  TestManifest index;      // lists the image; tag "all"
};
GoldenContent MakeGoldenContent();

// Writes the store in `directory`, which must not exist, with the machine's file system, a clock
// that stands at FakeClock::kDefaultWallNanos, and seeded randomness.
absl::Status WriteGoldenStore(const std::string& directory);

}  // namespace varve

#endif  // VARVE_TESTS_GOLDEN_GOLDEN_STORE_H_

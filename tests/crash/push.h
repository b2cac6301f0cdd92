// What clients of a store do with the content of tests.
#ifndef VARVE_TESTS_CRASH_PUSH_H_
#define VARVE_TESTS_CRASH_PUSH_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/api/blobs.h"
#include "storage/api/manifests.h"
#include "storage/api/store.h"
#include "tests/support/content.h"

namespace varve {

// Pushes a whole blob.
absl::Status PushBlob(Blobs& blobs, const std::string& repository, const TestBlob& blob);
absl::Status PutManifest(Manifests& manifests, const std::string& repository,
                         const TestManifest& manifest, const std::vector<std::string>& tags);

}  // namespace varve

#endif  // VARVE_TESTS_CRASH_PUSH_H_

// Scenarios: what clients do, step by step, and what each step must have brought about once it is
// acknowledged. A scenario is built once and replayed any number of times; it keeps no state.
#ifndef VARVE_TESTS_CRASH_SCENARIO_H_
#define VARVE_TESTS_CRASH_SCENARIO_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/crash/crashing_store.h"
#include "tests/crash/model.h"
#include "tests/crash/push.h"

namespace varve {

struct Step {
  std::string name;
  std::function<absl::Status(CrashingStore&)> act;
  std::function<void(Model&)> effect;
  // Of a call that is several transactions: what each adds. A power cut may leave any number of
  // them, from the front; `effect` is all of them.
  std::vector<std::function<void(Model&)>> stages = {};
};

struct Scenario {
  std::string name;
  Contents contents;
  std::vector<Step> steps;

  // Each adds steps. Pushes in pieces pass Checkpoint between them; a resumed one lets go of the
  // upload and takes it up by its id.
  void Push(const std::string& repository, const TestBlob& blob);
  void PushInPieces(const std::string& repository, const TestBlob& blob, size_t pieces,
                    bool resumed);
  // An upload that is left with half of its bytes: aborted, or forgotten until it expires.
  void BeginAndAbort(const std::string& repository, const TestBlob& blob);
  void BeginAndLeave(const std::string& repository, const TestBlob& blob);
  void Put(const std::string& repository, const TestManifest& manifest,
           const std::vector<std::string>& tags);
  void Tag(const std::string& repository, const std::string& tag, const TestManifest& manifest);
  void Untag(const std::string& repository, const std::string& tag);
  void Mount(const std::string& repository, const TestBlob& blob, const std::string& from);
  void DeleteBlob(const std::string& repository, const TestBlob& blob);
  void DeleteManifest(const std::string& repository, const TestManifest& manifest);
  // An image or an index with its children, tagged in another repository.
  void TagFrom(const std::string& from, const TestManifest& manifest,
               const std::vector<TestManifest>& children, const std::string& repository,
               const std::string& tag);
  // `rmi` of a tag, which takes `deleted` with it, in this order.
  void RemoveTag(const std::string& repository, const std::string& tag,
                 const std::vector<TestManifest>& deleted);
  // Removes `dangling` from the repository, in this order, and reclaims.
  void Prune(const std::string& repository, const std::vector<TestManifest>& dangling);
  // "A container uses this image", and its end.
  void Hold(const std::string& hold, const std::string& repository, const TestManifest& manifest);
  void ReleaseHold(const std::string& hold);
  // A lease of a day, with content attached; its end.
  void Lease(const std::string& id, const std::vector<Digest>& digests);
  void DeleteLease(const std::string& id);
  void Reclaim();
  void Wait(int64_t nanos);
  void Restart();
};

// Sizes of blobs: kept in the index, in a file, in a file that is written in several pieces.
inline constexpr size_t kInlineBytes = 700;
inline constexpr size_t kLooseBytes = 70'000;
inline constexpr size_t kLargeBytes = 300'000;

Scenario InlinePushes();
Scenario LoosePushes();
Scenario PiecewisePushes();
Scenario ManifestsAndTags();
// Manifests that are kept in files.
Scenario LargeManifests();
Scenario Deletions();
Scenario Removals();
// Tags across repositories, rmi and prune.
Scenario Cleaning();
// Holds and leases, and what they keep from prune.
Scenario Claims();
Scenario Uploads();
// Everything above in an order that the seed chooses.
Scenario Mixed(uint64_t seed, size_t steps);

}  // namespace varve

#endif  // VARVE_TESTS_CRASH_SCENARIO_H_

#include "tests/crash/scenario.h"

#include "storage/api/pruning.h"
#include "storage/base/str_cat.h"
#include "tests/support/fake_clock.h"

namespace varve {
namespace {

constexpr char kApp[] = "team/app";
constexpr char kMirror[] = "mirror";
constexpr int64_t kTwoDays = 48 * 3600 * kNanosPerSecond;

}  // namespace

Scenario InlinePushes() {
  Scenario scenario;
  scenario.name = "inline pushes";
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    scenario.Push(kApp, MakeBlob(seed, kInlineBytes));
  }
  scenario.Push(kApp, MakeBlob(1, kInlineBytes));
  scenario.Push(kMirror, MakeBlob(1, kInlineBytes));
  return scenario;
}

Scenario LoosePushes() {
  Scenario scenario;
  scenario.name = "loose pushes";
  scenario.Push(kApp, MakeBlob(11, kLooseBytes));
  scenario.Push(kApp, MakeBlob(12, kLargeBytes));
  // The same content again, in the same repository and in another one.
  scenario.Push(kApp, MakeBlob(11, kLooseBytes));
  scenario.Push(kMirror, MakeBlob(12, kLargeBytes));
  return scenario;
}

Scenario PiecewisePushes() {
  Scenario scenario;
  scenario.name = "piecewise pushes";
  scenario.PushInPieces(kApp, MakeBlob(21, kLargeBytes), 3, /*resumed=*/false);
  scenario.PushInPieces(kApp, MakeBlob(22, kLargeBytes), 3, /*resumed=*/true);
  scenario.PushInPieces(kApp, MakeBlob(23, kInlineBytes), 2, /*resumed=*/true);
  return scenario;
}

Scenario ManifestsAndTags() {
  Scenario scenario;
  scenario.name = "manifests and tags";
  const TestBlob config = MakeBlob(31, kInlineBytes);
  const TestBlob layer = MakeBlob(32, kLooseBytes);
  const TestBlob other = MakeBlob(33, kInlineBytes);
  const TestManifest first = MakeImage(config, {layer});
  const TestManifest second = MakeImage(config, {layer, other});
  scenario.Push(kApp, config);
  scenario.Push(kApp, layer);
  scenario.Put(kApp, first, {"latest", "v1"});
  scenario.Push(kApp, other);
  scenario.Put(kApp, second, {"latest"});
  scenario.Tag(kApp, "v2", second);
  scenario.Put(kApp, MakeImageIndex({first, second}), {"all"});
  scenario.Put(kApp, MakeImage(config, {other}, first), {});
  scenario.Tag(kApp, "v2", first);
  scenario.Untag(kApp, "v1");
  return scenario;
}

Scenario LargeManifests() {
  Scenario scenario;
  scenario.name = "large manifests";
  const TestBlob config = MakeBlob(91, kInlineBytes);
  const TestManifest first = WithNote(MakeImage(config, {}), kLooseBytes);
  const TestManifest second = WithNote(MakeImage(config, {}), kLooseBytes + 1);
  scenario.Push(kApp, config);
  scenario.Put(kApp, first, {"latest"});
  scenario.Put(kApp, second, {"latest"});
  // Its bytes take the place of those that are there.
  scenario.Put(kApp, second, {"again"});
  return scenario;
}

Scenario Deletions() {
  Scenario scenario;
  scenario.name = "deletions";
  const TestBlob config = MakeBlob(41, kInlineBytes);
  const TestBlob layer = MakeBlob(42, kLooseBytes);
  const TestManifest image = MakeImage(config, {layer});
  scenario.Push(kApp, config);
  scenario.Push(kApp, layer);
  scenario.Mount(kMirror, layer, kApp);
  scenario.Put(kApp, image, {"a", "b"});
  scenario.Untag(kApp, "a");
  scenario.DeleteManifest(kApp, image);
  scenario.DeleteBlob(kMirror, layer);
  scenario.Put(kApp, image, {"again"});
  scenario.DeleteManifest(kApp, image);
  scenario.DeleteBlob(kApp, layer);
  return scenario;
}

Scenario Removals() {
  Scenario scenario;
  scenario.name = "removals";
  const TestBlob config = MakeBlob(51, kInlineBytes);
  const TestBlob shared = MakeBlob(52, kLooseBytes);
  const TestBlob lost = MakeBlob(53, kLooseBytes);
  const TestManifest kept = MakeImage(config, {shared});
  const TestManifest dropped = MakeImage(config, {shared, lost});
  for (const TestBlob& blob : {config, shared, lost}) scenario.Push(kApp, blob);
  scenario.Put(kApp, kept, {"kept"});
  scenario.Put(kApp, dropped, {"dropped"});
  scenario.DeleteManifest(kApp, dropped);
  scenario.Reclaim();
  // What was removed comes back in a new file.
  scenario.Push(kApp, lost);
  scenario.Put(kApp, dropped, {"back"});
  scenario.DeleteManifest(kApp, kept);
  scenario.Push(kMirror, MakeBlob(54, kLooseBytes));
  scenario.Reclaim();
  scenario.Reclaim();
  return scenario;
}

Scenario Cleaning() {
  Scenario scenario;
  scenario.name = "cleaning";
  const TestBlob config = MakeBlob(71, kInlineBytes);
  const TestBlob shared = MakeBlob(72, kLooseBytes);
  const TestBlob own = MakeBlob(73, kLooseBytes);
  const TestManifest child = MakeImage(config, {shared, own});
  const TestManifest old = MakeImageIndex({child});
  const TestManifest now = MakeImage(config, {shared});
  for (const TestBlob& blob : {config, shared, own}) scenario.Push(kApp, blob);
  scenario.Put(kApp, child, {});
  scenario.Put(kApp, old, {"all", "latest"});
  scenario.TagFrom(kApp, old, {child}, kMirror, "all");
  scenario.Put(kApp, now, {"latest"});
  scenario.RemoveTag(kApp, "all", {old, child});
  scenario.RemoveTag(kMirror, "all", {old, child});
  scenario.TagFrom(kApp, now, {}, kMirror, "one");
  scenario.Push(kApp, own);
  scenario.Put(kApp, child, {"latest"});
  scenario.Put(kApp, old, {"latest"});
  scenario.Put(kApp, now, {"latest", "kept"});
  scenario.Prune(kApp, {old, child});
  scenario.RemoveTag(kApp, "latest", {});
  scenario.Push(kApp, own);
  return scenario;
}

Scenario Claims() {
  Scenario scenario;
  scenario.name = "claims";
  const TestBlob config = MakeBlob(81, kInlineBytes);
  const TestBlob layer = MakeBlob(82, kLooseBytes);
  const TestBlob leased = MakeBlob(83, kLooseBytes);
  const TestManifest held = MakeImage(config, {layer});
  const TestManifest other = MakeImage(config, {});
  scenario.Lease("build", {leased.digest, other.digest});
  for (const TestBlob& blob : {config, layer, leased}) scenario.Push(kApp, blob);
  scenario.Put(kApp, held, {"v1"});
  scenario.Hold("web", kApp, held);
  scenario.Put(kApp, other, {"v1"});
  scenario.Tag(kApp, "v2", other);
  scenario.Prune(kApp, {});
  scenario.ReleaseHold("web");
  scenario.Prune(kApp, {held});
  scenario.Untag(kApp, "v1");
  scenario.Untag(kApp, "v2");
  scenario.Prune(kApp, {});
  scenario.DeleteLease("build");
  scenario.Prune(kApp, {other});
  return scenario;
}

Scenario Uploads() {
  Scenario scenario;
  scenario.name = "uploads";
  scenario.BeginAndAbort(kApp, MakeBlob(61, kLooseBytes));
  scenario.BeginAndLeave(kApp, MakeBlob(62, kLooseBytes));
  scenario.BeginAndLeave(kApp, MakeBlob(63, kInlineBytes));
  scenario.Push(kApp, MakeBlob(64, kLooseBytes));
  scenario.Restart();
  scenario.Wait(kTwoDays);
  scenario.Reclaim();
  scenario.Push(kApp, MakeBlob(62, kLooseBytes));
  return scenario;
}

// Chooses steps that must succeed, from what has been pushed so far. Before each image its blobs
// are pushed again, because a reclamation may have come between.
Scenario Mixed(uint64_t seed, size_t steps) {
  Scenario scenario;
  scenario.name = StrCat("mixed ", seed);
  SeededRandom random(seed);
  const std::vector<std::string> repositories = {kApp, kMirror, "base"};
  struct Listed {
    std::string repository;
    TestManifest manifest;
  };
  std::vector<Listed> listed;
  while (scenario.steps.size() < steps) {
    const std::string repository = repositories[random.Below(repositories.size())];
    const uint64_t dice = random.Below(100);
    const bool inline_blob = random.Below(2) == 0;
    const TestBlob blob = MakeBlob(100 + random.Below(6), inline_blob ? kInlineBytes : kLooseBytes);
    if (dice < 20) {
      scenario.Push(repository, blob);
    } else if (dice < 30) {
      scenario.PushInPieces(repository, blob, 1 + random.Below(3), random.Below(2) == 0);
    } else if (dice < 50 || listed.empty()) {
      const TestBlob config = MakeBlob(200 + random.Below(3), kInlineBytes);
      scenario.Push(repository, config);
      scenario.Push(repository, blob);
      const TestManifest image = MakeImage(config, {blob});
      scenario.Put(repository, image, {StrCat("t", random.Below(3))});
      listed.push_back({repository, image});
    } else if (dice < 60) {
      const Listed& one = listed[random.Below(listed.size())];
      scenario.Tag(one.repository, StrCat("t", random.Below(3)), one.manifest);
    } else if (dice < 75) {
      const Listed one = listed[random.Below(listed.size())];
      scenario.DeleteManifest(one.repository, one.manifest);
      std::erase_if(listed, [&](const Listed& other) {
        return other.repository == one.repository && other.manifest.digest == one.manifest.digest;
      });
    } else if (dice < 82) {
      scenario.BeginAndAbort(repository, blob);
    } else if (dice < 88) {
      scenario.BeginAndLeave(repository, blob);
    } else if (dice < 92) {
      scenario.Restart();
    } else {
      scenario.Reclaim();
    }
  }
  return scenario;
}

}  // namespace varve

#include "benchmarks/load/workloads.h"

#include <atomic>
#include <filesystem>
#include <fstream>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve::load {
namespace {

constexpr size_t kMiB = 1024 * 1024;

struct Shape {
  size_t blobs;
  size_t size_bytes;
  int connections;
};
constexpr Shape kOneLarge{1, 512 * kMiB, 1};
constexpr Shape kEightMiddling{8, 64 * kMiB, 4};
constexpr Shape kManySmall{2000, 16 * 1024, 8};
constexpr Shape kOneLayer{1, 256 * kMiB, 1};
constexpr Shape kLayersOfAnImage{16, 16 * kMiB, 4};

using Measurements = absl::StatusOr<std::vector<Measurement>>;

std::vector<Blob> MakeBlobs(const Target& target, const Shape& shape) {
  std::vector<Blob> blobs;
  for (size_t i = 0; i < shape.blobs; ++i) {
    blobs.push_back(MakeBlob(target.seed * 1'000'003 + i, shape.size_bytes));
  }
  return blobs;
}

absl::StatusOr<Measurement> PushAll(const Target& target, const std::string& name,
                                    const Shape& shape, const std::vector<Blob>& blobs) {
  const auto registries = Connect(target, shape.connections, "bench/blobs");
  return Measure(name, target.server, shape.connections, blobs.size(),
                 [&](int connection, size_t i) {
                   return registries[static_cast<size_t>(connection)]->PushBlob(blobs[i]);
                 });
}

// For a server of plain files: puts each blob where a registry would serve it.
absl::Status WriteFiles(const Target& target, const std::vector<Blob>& blobs) {
  const std::filesystem::path folder =
      std::filesystem::path(target.static_root) / "v2/bench/blobs/blobs";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  for (const Blob& blob : blobs) {
    std::ofstream file(folder / blob.digest, std::ios::binary);
    file.write(blob.bytes.data(), static_cast<std::streamsize>(blob.bytes.size()));
    if (!file.flush())
      return absl::UnavailableError(StrCat("cannot write below ", folder.string()));
  }
  return absl::OkStatus();
}

// Push, then pull what was pushed: the page cache holds it.
Measurements PushAndPull(const Target& target, const std::string& shape_name, const Shape& shape) {
  const std::vector<Blob> blobs = MakeBlobs(target, shape);
  std::vector<Measurement> results;
  if (target.kind != Kind::kStatic) {
    ASSIGN_OR_RETURN(results.emplace_back(),
                     PushAll(target, StrCat("push_unique_", shape_name), shape, blobs));
  } else {
    RETURN_IF_ERROR(WriteFiles(target, blobs));
  }
  const auto registries = Connect(target, shape.connections, "bench/blobs");
  const auto pull = [&](int connection, size_t i) {
    return registries[static_cast<size_t>(connection)]->PullBlob(blobs[i % blobs.size()].digest);
  };
  // Once unmeasured: the first pull of a page pays for its mapping on either side.
  RETURN_IF_ERROR(Measure("warm", target.server, shape.connections, blobs.size(), pull).status());
  const size_t pulls = shape.blobs == 1 ? 4 : shape.blobs * 2;
  ASSIGN_OR_RETURN(results.emplace_back(), Measure(StrCat("pull_hot_", shape_name), target.server,
                                                   shape.connections, pulls, pull));
  return results;
}

// What was pushed a moment ago is pulled for the first time, as when a build is deployed at once.
Measurements PullAfterPush(const Target& target, const std::string& shape_name,
                           const Shape& shape) {
  const std::vector<Blob> blobs = MakeBlobs(target, shape);
  RETURN_IF_ERROR(PushAll(target, "push", shape, blobs).status());
  const auto registries = Connect(target, shape.connections, "bench/blobs");
  ASSIGN_OR_RETURN(
      Measurement pulled,
      Measure(StrCat("pull_after_push_", shape_name), target.server, shape.connections,
              blobs.size(), [&](int connection, size_t i) {
                return registries[static_cast<size_t>(connection)]->PullBlob(blobs[i].digest);
              }));
  return std::vector<Measurement>{std::move(pulled)};
}

Measurements PushSame(const Target& target) {
  const std::vector<Blob> blobs = MakeBlobs(target, kEightMiddling);
  RETURN_IF_ERROR(PushAll(target, "first", kEightMiddling, blobs).status());
  // As clients do: ask, and send nothing when the answer is yes.
  const auto registries = Connect(target, 4, "bench/blobs");
  ASSIGN_OR_RETURN(Measurement again,
                   Measure("push_same", target.server, 4, 4000,
                           [&](int connection, size_t i) -> absl::StatusOr<uint64_t> {
                             RETURN_IF_ERROR(registries[static_cast<size_t>(connection)]->HeadBlob(
                                 blobs[i % blobs.size()].digest, 200));
                             return blobs[i % blobs.size()].bytes.size();
                           }));
  again.bytes = 0;  // nothing was sent
  return std::vector<Measurement>{std::move(again)};
}

Measurements PushResume(const Target& target) {
  const std::vector<Blob> blobs = MakeBlobs(target, kEightMiddling);
  const auto registries = Connect(target, 4, "bench/blobs");
  std::atomic<uint64_t> sent = 0;
  ASSIGN_OR_RETURN(Measurement resumed,
                   Measure("push_resume", target.server, 4, blobs.size(),
                           [&](int connection, size_t i) -> absl::StatusOr<uint64_t> {
                             Registry& registry = *registries[static_cast<size_t>(connection)];
                             ASSIGN_OR_RETURN(const uint64_t bytes,
                                              registry.PushBlobInTwo(blobs[i]));
                             sent += bytes;
                             return blobs[i].bytes.size();
                           }));
  // Of the half that the server had received before the connection broke.
  resumed.more.emplace_back("sent_again_bytes", static_cast<double>(sent - resumed.bytes));
  return std::vector<Measurement>{std::move(resumed)};
}

Measurements PullRange(const Target& target) {
  const std::vector<Blob> blobs = MakeBlobs(target, kOneLarge);
  if (target.kind == Kind::kStatic) {
    RETURN_IF_ERROR(WriteFiles(target, blobs));
  } else {
    RETURN_IF_ERROR(PushAll(target, "first", kOneLarge, blobs).status());
  }
  constexpr size_t kRange = 64 * 1024;
  const auto registries = Connect(target, 4, "bench/blobs");
  const auto pull = [&](int connection, size_t i) {
    // Scattered and the same for every server of a round.
    const uint64_t slots = kOneLarge.size_bytes / kRange;
    const uint64_t slot = (i * 2'654'435'761ull + target.seed) % slots;
    return registries[static_cast<size_t>(connection)]->PullRange(blobs[0].digest, slot * kRange,
                                                                  kRange);
  };
  RETURN_IF_ERROR(Measure("warm", target.server, 4, 100, pull).status());
  ASSIGN_OR_RETURN(Measurement ranges, Measure("pull_range", target.server, 4, 2000, pull));
  return std::vector<Measurement>{std::move(ranges)};
}

Measurements Heads(const Target& target) {
  constexpr int kConnections = 8;
  const std::vector<Blob> blobs = MakeBlobs(target, kManySmall);
  RETURN_IF_ERROR(PushAll(target, "first", kManySmall, blobs).status());
  std::vector<std::string> absent;
  for (size_t i = 0; i < blobs.size(); ++i) absent.push_back(MakeBlob(~i, 16).digest);
  const auto registries = Connect(target, kConnections, "bench/blobs");
  const auto head = [&](bool present) {
    return [&, present](int connection, size_t i) -> absl::StatusOr<uint64_t> {
      const std::string& digest =
          present ? blobs[i % blobs.size()].digest : absent[i % absent.size()];
      RETURN_IF_ERROR(
          registries[static_cast<size_t>(connection)]->HeadBlob(digest, present ? 200 : 404));
      return 0;
    };
  };
  ASSIGN_OR_RETURN(Measurement hit,
                   Measure("head_hit", target.server, kConnections, 10'000, head(true)));
  ASSIGN_OR_RETURN(Measurement miss,
                   Measure("head_missing", target.server, kConnections, 10'000, head(false)));
  return std::vector<Measurement>{std::move(hit), std::move(miss)};
}

Measurements Manifests(const Target& target) {
  constexpr int kConnections = 8;
  constexpr size_t kTags = 10'000;
  const Blob config = MakeBlob(target.seed + 1, 2000);
  const Blob layer = MakeBlob(target.seed + 2, 4096);
  Registry first(target.host, target.port, "bench/tags");
  RETURN_IF_ERROR(first.PushBlob(config).status());
  RETURN_IF_ERROR(first.PushBlob(layer).status());
  std::vector<Blob> manifests;
  for (size_t i = 0; i < kTags; ++i) manifests.push_back(MakeManifest(config, {&layer}, StrCat(i)));
  const auto registries = Connect(target, kConnections, "bench/tags");
  ASSIGN_OR_RETURN(Measurement put,
                   Measure("manifest_put_tag", target.server, kConnections, kTags,
                           [&](int connection, size_t i) {
                             return registries[static_cast<size_t>(connection)]->PutManifest(
                                 StrCat("tag-", i), manifests[i]);
                           }));
  ASSIGN_OR_RETURN(
      Measurement get,
      Measure("manifest_by_tag", target.server, kConnections, kTags, [&](int connection, size_t i) {
        return registries[static_cast<size_t>(connection)]->PullManifest(
            StrCat("tag-", i * 7919 % kTags));
      }));
  // All tags, in pages as large as the registry gives them.
  const auto list = [&](int, size_t) -> absl::StatusOr<uint64_t> {
    ASSIGN_OR_RETURN(const uint64_t tags, first.ListTags(kTags));
    if (tags != kTags) return absl::DataLossError(StrCat("the listing has ", tags, " tags"));
    return 0;
  };
  ASSIGN_OR_RETURN(Measurement listed, Measure("tags_list_10k", target.server, 1, 20, list));
  return std::vector<Measurement>{std::move(put), std::move(get), std::move(listed)};
}

}  // namespace

std::vector<std::unique_ptr<Registry>> Connect(const Target& target, int count,
                                               const std::string& repository) {
  std::vector<std::unique_ptr<Registry>> registries;
  for (int i = 0; i < count; ++i) {
    registries.push_back(std::make_unique<Registry>(target.host, target.port, repository));
  }
  return registries;
}

const std::vector<Workload>& Workloads() {
  static const std::vector<Workload> workloads = {
      {"blobs_1x512m",
       {"push_unique_1x512m", "pull_hot_1x512m"},
       Kind::kStatic,
       [](const Target& t) { return PushAndPull(t, "1x512m", kOneLarge); }},
      {"blobs_8x64m",
       {"push_unique_8x64m", "pull_hot_8x64m"},
       Kind::kStatic,
       [](const Target& t) { return PushAndPull(t, "8x64m", kEightMiddling); }},
      {"blobs_2000x16k",
       {"push_unique_2000x16k", "pull_hot_2000x16k"},
       Kind::kStatic,
       [](const Target& t) { return PushAndPull(t, "2000x16k", kManySmall); }},
      {"pull_after_push_1x256m",
       {"pull_after_push_1x256m"},
       Kind::kBlobs,
       [](const Target& t) { return PullAfterPush(t, "1x256m", kOneLayer); }},
      {"pull_after_push_16x16m",
       {"pull_after_push_16x16m"},
       Kind::kBlobs,
       [](const Target& t) { return PullAfterPush(t, "16x16m", kLayersOfAnImage); }},
      {"push_same", {"push_same"}, Kind::kRegistry, PushSame},
      {"push_resume", {"push_resume"}, Kind::kRegistry, PushResume},
      {"pull_range", {"pull_range"}, Kind::kStatic, PullRange},
      {"heads", {"head_hit", "head_missing"}, Kind::kRegistry, Heads},
      {"manifests",
       {"manifest_put_tag", "manifest_by_tag", "tags_list_10k"},
       Kind::kRegistry,
       Manifests},
      {"mixed_trace", {"mixed_trace"}, Kind::kRegistry, MixedTrace},
  };
  return workloads;
}

}  // namespace varve::load

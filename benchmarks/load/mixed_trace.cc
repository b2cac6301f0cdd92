// Requests like those of the IBM registry traces (FAST'18): more than nine reads to a write, half
// of them of manifests; 65 % of the layers are smaller than 1 MB and 80 % smaller than 10 MB; by
// Zipf popularity, the most popular 1 % of the layers get about half of the layer reads. The
// sequence is the same in every round, the content is not.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <random>

#include "benchmarks/load/workloads.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve::load {
namespace {

constexpr size_t kImages = 300;  // there before the trace; 1 % are three
constexpr size_t kPushes = 125;  // of 3 PUTs each: 7 % of all requests
constexpr size_t kOperations = 5000;
constexpr int kConnections = 8;
constexpr double kZipfExponent = 1.3;                // the first three of 300 get 49 %
constexpr double kLayerReads = 0.49, kReads = 0.98;  // of what is no push; the rest are HEADs

// The size of the layer with popularity rank `rank`: 65 % are below 1 MB, 15 % below 10 MB, the
// rest below 40 MB, each part uniform in the logarithm. Multiples of the golden ratio spread the
// sizes over the ranks evenly, the same way in every round: a few layers get most reads, so that
// drawing their sizes would make each round another workload.
size_t LayerSize(size_t rank) {
  constexpr double kGolden = 0.6180339887498949;
  const double share = std::fmod(0.5 + static_cast<double>(rank) * kGolden, 1.0);
  const auto between = [&](double begin, double end, double low, double high) {
    return static_cast<size_t>(low * std::pow(high / low, (share - begin) / (end - begin)));
  };
  if (share < 0.65) return between(0, 0.65, 1e3, 1e6);
  if (share < 0.80) return between(0.65, 0.80, 1e6, 10e6);
  return between(0.80, 1, 10e6, 40e6);
}

struct Image {
  Blob config, layer, manifest;
  std::string tag;
};

Image MakeImage(uint64_t seed, size_t rank) {
  Image image;
  image.config = MakeBlob(seed * 2, 3000);
  image.layer = MakeBlob(seed * 2 + 1, LayerSize(rank));
  image.manifest = MakeManifest(image.config, {&image.layer}, StrCat(seed));
  image.tag = StrCat("v", seed);
  return image;
}

absl::StatusOr<uint64_t> PushImage(Registry& registry, const Image& image) {
  ASSIGN_OR_RETURN(const uint64_t config, registry.PushBlob(image.config));
  ASSIGN_OR_RETURN(const uint64_t layer, registry.PushBlob(image.layer));
  ASSIGN_OR_RETURN(const uint64_t manifest, registry.PutManifest(image.tag, image.manifest));
  return config + layer + manifest;
}

// What a request of the trace is; a push is what a client does for one image of one layer.
enum class Action { kPullLayer, kPullManifest, kHead, kPush };
constexpr std::array<const char*, 4> kActionNames = {"pull_layer", "pull_manifest", "head", "push"};

struct Request {
  Action action;
  size_t image;
};

std::vector<Request> MakeTrace() {
  std::mt19937_64 random(1);
  std::vector<double> weights;
  for (size_t i = 0; i < kImages; ++i) {
    weights.push_back(1 / std::pow(static_cast<double>(i + 1), kZipfExponent));
  }
  std::discrete_distribution<size_t> popular(weights.begin(), weights.end());
  std::vector<Request> trace;
  for (size_t i = 0; i < kOperations - kPushes; ++i) {
    const double share = std::uniform_real_distribution<>(0, 1)(random);
    const Action action = share < kLayerReads ? Action::kPullLayer
                          : share < kReads    ? Action::kPullManifest
                                              : Action::kHead;
    trace.push_back({action, popular(random)});
  }
  for (size_t i = 0; i < kPushes; ++i) trace.push_back({Action::kPush, i});
  std::shuffle(trace.begin(), trace.end(), random);
  return trace;
}

absl::StatusOr<uint64_t> Perform(Registry& registry, Action action, const Image& image) {
  switch (action) {
    case Action::kPullLayer:
      return registry.PullBlob(image.layer.digest);
    case Action::kPullManifest:
      return registry.PullManifest(image.tag);
    case Action::kHead:
      RETURN_IF_ERROR(registry.HeadBlob(image.layer.digest, 200));
      return 0;
    case Action::kPush:
      return PushImage(registry, image);
  }
  return 0;
}

// p50 and p99 of each kind of request.
void AddLatencies(const std::vector<Request>& trace, const std::vector<double>& took_ms,
                  Measurement* measurement) {
  for (size_t action = 0; action < kActionNames.size(); ++action) {
    std::vector<double> sorted;
    for (size_t i = 0; i < trace.size(); ++i) {
      if (static_cast<size_t>(trace[i].action) == action) sorted.push_back(took_ms[i]);
    }
    std::sort(sorted.begin(), sorted.end());
    const std::string name = kActionNames[action];
    measurement->more.emplace_back(name + "_p50_ms", Percentile(sorted, 0.5));
    measurement->more.emplace_back(name + "_p99_ms", Percentile(sorted, 0.99));
  }
}

}  // namespace

absl::StatusOr<std::vector<Measurement>> MixedTrace(const Target& target) {
  using Clock = std::chrono::steady_clock;
  std::vector<Image> there, to_push;
  for (size_t i = 0; i < kImages; ++i) there.push_back(MakeImage(target.seed * 4096 + i, i));
  for (size_t i = 0; i < kPushes; ++i) {
    to_push.push_back(MakeImage(target.seed * 4096 + kImages + i, kImages + i));
  }
  const std::vector<Request> trace = MakeTrace();
  const auto registries = Connect(target, kConnections, "bench/mixed");
  const auto fill = [&](int connection, size_t i) {
    return PushImage(*registries[static_cast<size_t>(connection)], there[i]);
  };
  RETURN_IF_ERROR(Measure("first", target.server, kConnections, there.size(), fill).status());
  std::vector<double> took_ms(trace.size());
  const auto request = [&](int connection, size_t i) -> absl::StatusOr<uint64_t> {
    const auto [action, image] = trace[i];
    const Clock::time_point begin = Clock::now();
    ASSIGN_OR_RETURN(const uint64_t bytes,
                     Perform(*registries[static_cast<size_t>(connection)], action,
                             action == Action::kPush ? to_push[image] : there[image]));
    took_ms[i] = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    return bytes;
  };
  ASSIGN_OR_RETURN(Measurement mixed,
                   Measure("mixed_trace", target.server, kConnections, trace.size(), request));
  AddLatencies(trace, took_ms, &mixed);
  return std::vector<Measurement>{std::move(mixed)};
}

}  // namespace varve::load

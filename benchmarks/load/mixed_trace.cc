// Requests like those of the IBM registry traces (FAST'18): nine reads to one write; half of the
// reads are manifests; 65 % of the layers are smaller than 1 MB and 80 % smaller than 10 MB;
// popularity by Zipf, so that the top 1 % of the layers gets about half of the layer reads. The
// sequence depends on the seed only.
#include <algorithm>
#include <cmath>
#include <random>

#include "benchmarks/load/workloads.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve::load {
namespace {

constexpr size_t kImages = 150;
constexpr size_t kOperations = 5000;
constexpr int kConnections = 8;
constexpr double kZipfExponent = 1.05;

// 65 % up to 1 MB, 15 % up to 10 MB, the rest up to 40 MB, each uniform in the logarithm.
size_t LayerSize(std::mt19937_64& random) {
  const double share = std::uniform_real_distribution<>(0, 1)(random);
  const auto between = [&](double low, double high) {
    return static_cast<size_t>(
        std::exp(std::uniform_real_distribution<>(std::log(low), std::log(high))(random)));
  };
  if (share < 0.65) return between(1e3, 1e6);
  if (share < 0.80) return between(1e6, 10e6);
  return between(10e6, 40e6);
}

struct Image {
  Blob config, layer, manifest;
  std::string tag;
};

Image MakeImage(uint64_t seed, std::mt19937_64& random) {
  Image image;
  image.config = MakeBlob(seed * 2, 3000);
  image.layer = MakeBlob(seed * 2 + 1, LayerSize(random));
  image.manifest = MakeManifest(image.config, image.layer, StrCat(seed));
  image.tag = StrCat("v", seed);
  return image;
}

absl::StatusOr<uint64_t> PushImage(Registry& registry, const Image& image) {
  ASSIGN_OR_RETURN(const uint64_t config, registry.PushBlob(image.config));
  ASSIGN_OR_RETURN(const uint64_t layer, registry.PushBlob(image.layer));
  ASSIGN_OR_RETURN(const uint64_t manifest, registry.PutManifest(image.tag, image.manifest));
  return config + layer + manifest;
}

enum class Kind { kPullLayer, kPullManifest, kHead, kPush };

struct Request {
  Kind kind;
  size_t image;
};

std::vector<Request> MakeTrace(std::mt19937_64& random, size_t pushes) {
  std::vector<double> weights;
  for (size_t i = 0; i < kImages; ++i) {
    weights.push_back(1 / std::pow(static_cast<double>(i + 1), kZipfExponent));
  }
  std::discrete_distribution<size_t> popular(weights.begin(), weights.end());
  std::vector<Request> trace;
  for (size_t i = 0; i < kOperations - pushes; ++i) {
    const double share = std::uniform_real_distribution<>(0, 1)(random);
    const Kind kind = share < 0.56   ? Kind::kPullLayer
                      : share < 0.96 ? Kind::kPullManifest
                                     : Kind::kHead;
    trace.push_back({kind, popular(random)});
  }
  for (size_t i = 0; i < pushes; ++i) trace.push_back({Kind::kPush, i});
  std::shuffle(trace.begin(), trace.end(), random);
  return trace;
}

}  // namespace

absl::StatusOr<std::vector<Measurement>> MixedTrace(const Target& target) {
  constexpr size_t kPushes = 100;
  std::mt19937_64 random(target.seed);
  std::vector<Image> there, to_push;
  for (size_t i = 0; i < kImages; ++i) there.push_back(MakeImage(target.seed * 4096 + i, random));
  for (size_t i = 0; i < kPushes; ++i) {
    to_push.push_back(MakeImage(target.seed * 4096 + kImages + i, random));
  }
  const std::vector<Request> trace = MakeTrace(random, kPushes);
  const auto registries = Connect(target, kConnections, "bench/mixed");
  RETURN_IF_ERROR(
      Measure("first", target.server, kConnections, there.size(), [&](int connection, size_t i) {
        return PushImage(*registries[static_cast<size_t>(connection)], there[i]);
      }).status());
  ASSIGN_OR_RETURN(
      Measurement mixed,
      Measure("mixed_trace", target.server, kConnections, trace.size(),
              [&](int connection, size_t i) -> absl::StatusOr<uint64_t> {
                Registry& registry = *registries[static_cast<size_t>(connection)];
                const Request& request = trace[i];
                switch (request.kind) {
                  case Kind::kPullLayer:
                    return registry.PullBlob(there[request.image].layer.digest);
                  case Kind::kPullManifest:
                    return registry.PullManifest(there[request.image].tag);
                  case Kind::kHead:
                    RETURN_IF_ERROR(registry.HeadBlob(there[request.image].layer.digest, 200));
                    return 0;
                  case Kind::kPush:
                    return PushImage(registry, to_push[request.image]);
                }
                return 0;
              }));
  return std::vector<Measurement>{std::move(mixed)};
}

}  // namespace varve::load

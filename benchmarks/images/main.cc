// varve_load_images: fills a registry with images of which half are dangling, pushes and pulls
// beside whatever else goes on, and checks what is there. benchmarks/reclaim_workloads.py starts
// it; the JSON objects that it prints, one a line, are for that.
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <random>

#include "benchmarks/images/image_set.h"
#include "benchmarks/images/traffic.h"
#include "benchmarks/load/measurement.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve::load {
namespace {

struct Arguments {
  int port = 0;
  pid_t server = 0;
  uint64_t seed = 0;
  size_t images = 0;
  int connections = 8;
  double rate = 0;       // of traffic
  size_t first_new = 0;  // the number of the first image that it pushes
  size_t sample = 0;     // of the first images, to be checked
};

using Registries = std::vector<std::unique_ptr<Registry>>;

Registries Connect(const Arguments& arguments) {
  Registries registries;
  for (int i = 0; i < arguments.connections; ++i) {
    registries.push_back(std::make_unique<Registry>("127.0.0.1", arguments.port, ""));
  }
  return registries;
}

// The bases of every repository, the images that end untagged, the images that take their tags.
absl::Status Fill(const Arguments& arguments) {
  const ImageSet set(arguments.seed, arguments.images);
  const Registries registries = Connect(arguments);
  for (size_t repository = 0; repository < set.repositories(); ++repository) {
    registries[0]->Use(ImageSet::RepositoryName(repository));
    for (size_t base = 0; base < kBases; ++base) {
      RETURN_IF_ERROR(registries[0]->PushBlob(set.Base(base)).status());
    }
  }
  for (const size_t odd : {0u, 1u}) {
    const auto push = [&](int connection, size_t i) {
      return PushImage(*registries[static_cast<size_t>(connection)], set,
                       set.Describe(2 * i + odd));
    };
    ASSIGN_OR_RETURN(const Measurement filled,
                     Measure(odd == 0 ? "fill_untagged" : "fill_tagged", arguments.server,
                             arguments.connections, set.images() / 2, push));
    std::printf("%s\n", filled.Json().c_str());
  }
  return absl::OkStatus();
}

bool InputHasEnded() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  return poll(&input, 1, 0) > 0;
}

// One operation in four pushes an image, the others pull one of the tagged. Ends when the input
// does.
absl::Status Traffic(const Arguments& arguments) {
  constexpr size_t kPushEvery = 4;
  const ImageSet set(arguments.seed, arguments.images);
  const Registries registries = Connect(arguments);
  const auto prepare = [&](int connection, size_t number) -> PreparedOperation {
    Registry& registry = *registries[static_cast<size_t>(connection)];
    if (number % kPushEvery == 0) {
      return [&, image = set.DescribeNew(arguments.first_new + number / kPushEvery)] {
        return PushImage(registry, set, image).status();
      };
    }
    std::mt19937_64 random(arguments.seed + arguments.first_new + number);
    const size_t tag = random() % (set.images() / 2);
    return
        [&, image = set.Describe(2 * tag + 1)] { return PullImage(registry, set, image).status(); };
  };
  for (const PacedOperation& operation :
       RunAtRate(arguments.rate, arguments.connections, InputHasEnded, prepare)) {
    const bool push = operation.number % kPushEvery == 0;
    const size_t image = push ? arguments.first_new + operation.number / kPushEvery : 0;
    if (!operation.status.ok()) {
      std::fprintf(stderr, "%s\n", std::string(operation.status.message()).c_str());
    }
    std::printf("{\"kind\":\"%s\",\"due\":%.6f,\"ms\":%.4f,\"image\":%zu,\"ok\":%s}\n",
                push ? "push" : "pull", operation.due_seconds, operation.latency_ms, image,
                operation.status.ok() ? "true" : "false");
  }
  return absl::OkStatus();
}

// A sample of the tagged images of the first ones, spread evenly, and of the new ones those whose
// numbers are the input. Prints which of the new ones are not whole; that of the others is an
// error.
absl::Status Check(const Arguments& arguments) {
  const ImageSet set(arguments.seed, arguments.images);
  const Registries registries = Connect(arguments);
  const size_t tagged = set.images() / 2;
  const size_t sample = std::min(arguments.sample, tagged);
  std::vector<size_t> added;
  for (size_t number = 0; std::cin >> number;) added.push_back(number);
  std::vector<absl::Status> outcomes(added.size());
  const auto check = [&](int connection, size_t i) -> absl::StatusOr<uint64_t> {
    Registry& registry = *registries[static_cast<size_t>(connection)];
    if (i < sample) {
      RETURN_IF_ERROR(CheckImage(registry, set, set.Describe(2 * (i * tagged / sample) + 1)));
    } else {
      outcomes[i - sample] = CheckImage(registry, set, set.DescribeNew(added[i - sample]));
    }
    return 0;
  };
  RETURN_IF_ERROR(
      Measure("check", arguments.server, arguments.connections, sample + added.size(), check)
          .status());
  for (size_t i = 0; i < added.size(); ++i) {
    if (outcomes[i].ok()) continue;
    std::fprintf(stderr, "%s\n", std::string(outcomes[i].message()).c_str());
    std::printf("{\"lost\":%zu}\n", added[i]);
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app("Pushes, pulls and checks images of a store that is half garbage",
               "varve_load_images");
  Arguments arguments;
  app.add_option("--port", arguments.port)->required();
  app.add_option("--server-pid", arguments.server)->required();
  app.add_option("--seed", arguments.seed, "Of all content")->required();
  app.add_option("--images", arguments.images, "That fill pushes, half of them untagged")
      ->required()
      ->check(CLI::Range(2, 1'000'000));
  app.add_option("--connections", arguments.connections)->capture_default_str();
  app.require_subcommand(1);
  CLI::App* const fill = app.add_subcommand("fill");
  CLI::App* const traffic = app.add_subcommand("traffic", "Until its input ends");
  traffic->add_option("--rate", arguments.rate, "Operations a second")->required();
  traffic->add_option("--first-new", arguments.first_new, "The first image that it pushes");
  CLI::App* const check =
      app.add_subcommand("check", "Also of the new images whose numbers are the input");
  check->add_option("--sample", arguments.sample, "Of the tagged images of fill");
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = fill->parsed()      ? Fill(arguments)
                              : traffic->parsed() ? Traffic(arguments)
                                                  : Check(arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "varve_load_images: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace varve::load

int main(int argc, char** argv) { return varve::load::Main(argc, argv); }

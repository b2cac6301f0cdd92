// varve_fill_store: makes a large store in an empty directory within a minute or two, and prints
// what is in it as one JSON object.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "absl/strings/str_format.h"
#include "benchmarks/fill/fill_store.h"
#include "storage/limits.h"

int main(int argc, char** argv) {
  CLI::App app("Makes a store of many blobs, for measuring how varved takes its size",
               "varve_fill_store");
  std::string directory;
  uint64_t blobs = 1'000'000;
  app.add_option("DIRECTORY", directory, "Where; must be empty or absent")->required();
  app.add_option("--blobs", blobs, "How many")
      ->capture_default_str()
      ->check(CLI::Range(varve::kMinPlannedBlobs, uint64_t{1'000'000'000}));
  CLI11_PARSE(app, argc, argv);
  const absl::StatusOr<varve::FilledStore> filled =
      varve::FillStore(directory, varve::StorePlan(blobs));
  if (!filled.ok()) {
    std::fprintf(stderr, "varve_fill_store: %s\n", std::string(filled.status().message()).c_str());
    return 1;
  }
  absl::PrintF(
      "{\"blobs\":%d,\"blob_bytes\":%d,\"loose_blobs\":%d,\"repositories\":%d,\"images\":%d}\n",
      filled->blobs, filled->blob_bytes, filled->loose_blobs, filled->repositories, filled->images);
  return 0;
}

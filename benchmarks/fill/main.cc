// varve_fill_store: makes a large store in an empty directory within a minute or two, and prints
// what is in it as one JSON object.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "absl/strings/str_format.h"
#include "benchmarks/fill/fill_store.h"
#include "storage/engine.h"
#include "storage/limits.h"

namespace {

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "varve_fill_store: %s\n", std::string(status.message()).c_str());
  return 1;
}

absl::Status MakeExpiredLinks(const std::string& directory, uint64_t links) {
  {
    const auto store = varve::OpenEngine(directory, varve::EngineOptions());
    if (!store.ok()) return store.status();
  }
  return varve::AddExpiredLinks(directory, links);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Makes a store of many blobs, for measuring how varved takes its size",
               "varve_fill_store");
  std::string directory;
  uint64_t blobs = 1'000'000;
  app.add_option("DIRECTORY", directory, "Where; must be empty or absent")->required();
  app.add_option("--blobs", blobs, "How many")
      ->capture_default_str()
      ->check(CLI::Range(varve::kMinPlannedBlobs, uint64_t{1'000'000'000}));
  uint64_t expired_links = 0;
  app.add_option("--expired-links", expired_links,
                 "Makes a store with so many links whose time has passed, and nothing else");
  bool count_links = false;
  app.add_flag("--count-links", count_links, "Only counts the links that wait for their time");
  CLI11_PARSE(app, argc, argv);
  if (count_links) {
    const absl::StatusOr<uint64_t> links = varve::CountExpiringLinks(directory);
    if (!links.ok()) return Fail(links.status());
    absl::PrintF("{\"links\":%d}\n", *links);
    return 0;
  }
  if (expired_links != 0) {
    const absl::Status made = MakeExpiredLinks(directory, expired_links);
    return made.ok() ? 0 : Fail(made);
  }
  const absl::StatusOr<varve::FilledStore> filled =
      varve::FillStore(directory, varve::StorePlan(blobs));
  if (!filled.ok()) return Fail(filled.status());
  absl::PrintF(
      "{\"blobs\":%d,\"blob_bytes\":%d,\"loose_blobs\":%d,\"repositories\":%d,\"images\":%d}\n",
      filled->blobs, filled->blob_bytes, filled->loose_blobs, filled->repositories, filled->images);
  return 0;
}

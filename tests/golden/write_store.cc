// Makes a golden store: varve_golden_writer --write <new directory>. Run once for each format
// version, from this directory, so that nothing in the files depends on where it ran; commit the
// result.
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>

#include "tests/golden/golden_store.h"

int main(int argc, char** argv) {
  if (argc != 3 || std::string_view(argv[1]) != "--write") {
    std::fprintf(stderr, "usage: varve_golden_writer --write <new directory>\n");
    return 2;
  }
  const absl::Status written = varve::WriteGoldenStore(argv[2]);
  if (!written.ok()) std::fprintf(stderr, "%s\n", std::string(written.message()).c_str());
  if (!written.ok()) return 1;
  // Locks and RocksDB's record of its own settings are no part of the format.
  const std::filesystem::path store = argv[2];
  std::filesystem::remove(store / "LOCK");
  std::filesystem::remove(store / "index" / "LOCK");
  for (const auto& entry : std::filesystem::directory_iterator(store / "index")) {
    if (entry.path().filename().string().starts_with("OPTIONS")) {
      std::filesystem::remove(entry.path());
    }
  }
  return 0;
}

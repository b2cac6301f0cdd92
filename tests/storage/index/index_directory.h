// A directory for one RocksDB index of a test, removed with its content at destruction, and what
// the tests do to the files in it.
#ifndef VARVE_TESTS_STORAGE_INDEX_INDEX_DIRECTORY_H_
#define VARVE_TESTS_STORAGE_INDEX_INDEX_DIRECTORY_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "storage/index/rocksdb_index.h"
#include "tests/support/temporary_directory.h"

namespace varve {

class IndexDirectory {
 public:
  std::string path() const { return root_.path() + "/index"; }

  absl::StatusOr<std::unique_ptr<Index>> Open() const {
    RocksdbIndexOptions options;
    options.cache_bytes = 8 << 20;
    return OpenRocksdbIndex(path(), options);
  }

  // Files whose names end so, oldest number first.
  std::vector<std::string> Files(const std::string& suffix) const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(path())) {
      if (entry.path().string().ends_with(suffix)) files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  static std::string Read(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  static void Write(const std::string& file, const std::string& bytes) {
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out << bytes;
  }

 private:
  const TemporaryDirectory root_;
};

}  // namespace varve

#endif  // VARVE_TESTS_STORAGE_INDEX_INDEX_DIRECTORY_H_

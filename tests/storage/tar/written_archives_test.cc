// Archives as Python and GNU tar write them: the seeds of a fuzz target, made by
// tests/fuzz/tar_seeds.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/str_cat.h"
#include "tests/storage/tar/archive_parts.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Written(std::string_view name) {
  std::ifstream stream(StrCat(VARVE_TAR_SEEDS, "/", name), std::ios::binary);
  EXPECT_TRUE(stream.is_open()) << name;
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

// What the files of an archive store, those that are no skeleton.
std::vector<std::string> StoredIn(std::string_view name) {
  const std::string archive = Written(name);
  const ArchiveParts parts = SplitArchive(archive).value();
  EXPECT_TRUE(parts.is_tar) << name;
  EXPECT_EQ(JoinArchive(parts).value(), archive) << name;
  EXPECT_FALSE(parts.times.empty()) << name;
  std::vector<std::string> stored;
  for (const ArchiveParts::Content& content : parts.contents) {
    EXPECT_EQ(content.size_bytes, content.bytes.size()) << name;
    stored.push_back(content.bytes);
  }
  return stored;
}

TEST(WrittenArchivesTest, PythonWritesThreeFormats) {
  for (const std::string_view name : {"ustar", "gnu", "pax"}) {
    EXPECT_THAT(StoredIn(name), ElementsAre(std::string(600, '1'), std::string(1'100, '2')))
        << name;
  }
}

TEST(WrittenArchivesTest, GnuTarWritesSparseFilesInFour) {
  // Data of a hole's neighbour are stored up to a whole block.
  const std::string sparse = StrCat(std::string(512, 'x'), std::string(160, '\0'),
                                    std::string(700, 'y'), std::string(164, '\0'));
  for (const std::string_view name :
       {"old_sparse", "pax_sparse_0.0", "pax_sparse_0.1", "pax_sparse_1.0"}) {
    EXPECT_THAT(StoredIn(name), ElementsAre(std::string(600, '1'), sparse, std::string(512, '2')))
        << name;
  }
}

// All but the members are zeros: what is left of headers has no time and no padding.
TEST(WrittenArchivesTest, EveryHeaderOfEveryFormatHasItsTimeTaken) {
  for (const std::string_view name : {"ustar", "gnu", "pax", "old_sparse", "pax_sparse_1.0"}) {
    const ArchiveParts parts = SplitArchive(Written(name)).value();
    EXPECT_EQ(parts.skeleton.find("14524770400"), std::string::npos) << name;  // 1,700,000,000
  }
}

}  // namespace
}  // namespace varve

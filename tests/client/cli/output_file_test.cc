#include "client/cli/output_file.h"

#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"

namespace varve {
namespace {

class OutputFileTest : public testing::Test {
 protected:
  std::string Path() const { return directory_ + "/out"; }
  std::string Content() const {
    std::ifstream file(Path());
    return {std::istreambuf_iterator<char>(file), {}};
  }
  long Files() const { return std::distance(std::filesystem::directory_iterator(directory_), {}); }

  const TemporaryDirectory scratch_;
  const std::string directory_ = scratch_.path();
};

TEST_F(OutputFileTest, AppearsWhenItIsComplete) {
  auto file = OutputFile::Create(Path());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->Write("some ").ok());
  EXPECT_TRUE((*file)->Write("bytes").ok());
  EXPECT_FALSE(std::filesystem::exists(Path()));
  EXPECT_TRUE((*file)->Complete().ok());
  EXPECT_EQ(Content(), "some bytes");
  EXPECT_EQ(Files(), 1);
}

TEST_F(OutputFileTest, LeavesTheOldFileWhenItIsNotCompleted) {
  std::ofstream(Path()) << "old";
  {
    auto file = OutputFile::Create(Path());
    ASSERT_TRUE(file.ok() && (*file)->Write("new").ok());
    EXPECT_EQ(Files(), 2);
  }
  EXPECT_EQ(Content(), "old");
  EXPECT_EQ(Files(), 1);
}

TEST_F(OutputFileTest, KeepsTheModeOfTheFileItReplaces) {
  std::ofstream(Path()) << "old";
  ASSERT_EQ(chmod(Path().c_str(), 0640), 0);
  auto file = OutputFile::Create(Path());
  ASSERT_TRUE(file.ok() && (*file)->Complete().ok());
  struct stat info {};
  ASSERT_EQ(stat(Path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
}

TEST_F(OutputFileTest, IsRemovedWhenASignalEndsTheProcess) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    EXPECT_EXIT(
        {
          auto file = OutputFile::Create(Path());
          if (file.ok() && (*file)->Write("half").ok() && Files() == 1) raise(signal);
        },
        testing::KilledBySignal(signal), "");
    EXPECT_EQ(Files(), 0);
  }
}

TEST_F(OutputFileTest, WritesToADeviceDirectly) {
  auto file = OutputFile::Create("/dev/null");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->Write("x").ok());
  EXPECT_TRUE((*file)->Complete().ok());
  EXPECT_FALSE(std::filesystem::is_regular_file("/dev/null"));
  EXPECT_FALSE(OutputFile::Create(directory_ + "/none/out").ok());
}

}  // namespace
}  // namespace varve

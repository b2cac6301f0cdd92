// The same archive from a file and from a pipe, each into a store of its own: the same images, the
// same words, the same exit code, whatever the archive is. VARVE_FAMILY_SEED and VARVE_FAMILY_COUNT
// choose other archives, and more.
#include <fcntl.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "client/archive/load.h"
#include "gmock/gmock.h"
#include "tests/client/archive/archive_family.h"
#include "tests/client/varve_command.h"
#include "tests/support/pipe_writer.h"

namespace varve {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t usual) {
  const char* const text = std::getenv(name);
  return text == nullptr ? usual : std::strtoull(text, nullptr, 10);
}

// What a load says, as text to compare.
class SayingObserver final : public LoadObserver {
 public:
  void ImageLoaded(const LoadedImage& image) override {
    ++loaded;
    said += "loaded " + image.repository + ":" + image.tag + " " + image.manifest.ToString();
    if (image.replaced) said += " in place of " + image.replaced->ToString();
    said += "\n";
  }
  void ImageFailed(const std::string& name, const absl::Status& status) override {
    said += "failed " + name + ": " + status.ToString() + "\n";
  }

  std::string said;
  size_t loaded = 0;
};

// A daemon beside that of the fixture.
class OtherDaemon : public CommandTest {
 public:
  OtherDaemon() { SetUp(); }
  ~OtherDaemon() override { TearDown(); }
  void TestBody() override {}
  using ConnectedTest::client_;

  // `cat path | varve load -q`.
  CommandOutcome LoadPiped(const std::string& path) {
    const std::string command = "cat " + path + " | VARVE_ADDRESS=" + Address() + " " VARVE_BINARY +
                                " load -q >" + Path("out") + " 2>" + Path("err");
    const int status = std::system(command.c_str());
    return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            .out = ReadFile(Path("out")),
            .err = ReadFile(Path("err"))};
  }
};

class LoadDifferentialTest : public CommandTest {
 protected:
  // All images under all names; the store must be sound.
  static std::string Holdings(Client& client) {
    std::string text;
    std::string token;
    do {
      const absl::StatusOr<ImagePage> page =
          client.ListImages({.repository = "", .filters = {}, .all = true}, token, 1000);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return text;
      for (const ImageInfo& image : page->images) {
        text += image.repository + ":" + image.tag + " " + image.manifest.digest.ToString() + " " +
                std::to_string(image.total_bytes) + "\n";
      }
      token = page->next_page_token;
    } while (!token.empty());
    const absl::StatusOr<CheckReport> check = client.Check(nullptr);
    EXPECT_TRUE(check.ok() && check->findings == 0) << check.status();
    return text;
  }

  OtherDaemon other_;
};

TEST_F(LoadDifferentialTest, AFamilyOfArchives) {
  const uint64_t seed = FromEnvironment("VARVE_FAMILY_SEED", 1);
  const uint64_t count = FromEnvironment("VARVE_FAMILY_COUNT", 250);
  size_t whole = 0, partly = 0, refused = 0;
  for (uint64_t number = 0; number < count; ++number) {
    const FamilyArchive archive = ArchiveFamily(seed, number).Make();
    SayingObserver from_file;
    const int file = open(WriteFile("archive", archive.bytes).c_str(), O_RDONLY | O_CLOEXEC);
    const absl::Status file_status = LoadImages(*client_, file, {}, from_file);
    close(file);
    SayingObserver from_pipe;
    const absl::Status pipe_status =
        LoadImages(*other_.client_, PipeWriter(archive.bytes).fd(), {}, from_pipe);
    EXPECT_EQ(file_status, pipe_status) << archive.story;
    EXPECT_EQ(from_file.said, from_pipe.said) << archive.story;
    ++(file_status.ok() ? whole : from_file.loaded > 0 ? partly : refused);
  }
  EXPECT_EQ(Holdings(*client_), Holdings(*other_.client_));
  std::printf(
      "family of seed %llu: %llu archives, each from a file and a pipe: %zu loaded whole, "
      "%zu in part, %zu refused\n",
      static_cast<unsigned long long>(seed), static_cast<unsigned long long>(count), whole, partly,
      refused);
  if (count < 100) return;
  EXPECT_GE(whole, count / 10) << "the family shall not be made of broken archives only";
  EXPECT_GE(partly, 1u);
  EXPECT_GE(refused, count / 10);
}

// The command says the same, too, and ends the same.
TEST_F(LoadDifferentialTest, TheCommandFromAFileFromItsInputAndFromAPipe) {
  const uint64_t seed = FromEnvironment("VARVE_FAMILY_SEED", 1);
  for (uint64_t number = 1'000'000; number < 1'000'030; ++number) {
    const FamilyArchive archive = ArchiveFamily(seed, number).Make();
    const std::string path = WriteFile("archive", archive.bytes);
    const CommandOutcome file = Run({"load", "-q", "-i", path});
    const CommandOutcome pipe = other_.LoadPiped(path);
    EXPECT_EQ(file.exit_code, pipe.exit_code) << archive.story;
    EXPECT_EQ(file.out, pipe.out) << archive.story;
    EXPECT_EQ(file.err, pipe.err) << archive.story;
  }
}

}  // namespace
}  // namespace varve

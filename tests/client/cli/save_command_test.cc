// `varve save` as a command: the file it leaves, or does not, and how it ends.
#include <pty.h>

#include <csignal>
#include <thread>

#include "gmock/gmock.h"
#include "tests/client/archive/save_fixture.h"

namespace varve {
namespace {

using testing::HasSubstr;

class SaveCommandTest : public SaveTest {
 protected:
  static constexpr size_t kLayerBytes = 3'000'000;

  void SetUp() override {
    SaveTest::SetUp();
    layer_ = TestBytes(kLayerBytes, 1);
    PutImage("app", {"v1"}, ConfigFor("amd64"), {layer_});
  }

  // The file of the layer in the store.
  std::string LayerFile() const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(Path("data/blobs"))) {
      if (entry.is_regular_file() && entry.file_size() == kLayerBytes) return entry.path();
    }
    ADD_FAILURE() << "the layer has no file";
    return {};
  }

  std::string layer_;
};

TEST_F(SaveCommandTest, TheFileIsThereWhenItIsComplete) {
  const absl::StatusOr<std::string> archive = Save({"app:v1"});
  ASSERT_TRUE(archive.ok()) << archive.status();
  const CommandOutcome outcome = Run({"save", "app:v1", "-o", Path("out.tar"), "--json"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "{\"file\":\"" + Path("out.tar") +
                             "\",\"size_bytes\":" + std::to_string(archive->size()) + "}\n");
  EXPECT_EQ(ReadFile(Path("out.tar")) == *archive, true);
  EXPECT_EQ(FilesBeside("out.tar"), 1u);
  EXPECT_EQ(Run({"image", "save", "-q", "app:v1"}).out == *archive, true);
}

TEST_F(SaveCommandTest, ASavedImageIsLoadedUnderTheNameItHad) {
  PutImage("team/app", {"v1"}, ConfigFor("arm64"), {layer_});
  ASSERT_EQ(Run({"save", "-q", "app:v1", "team/app:v1", "-o", Path("out.tar")}).exit_code, 0);
  ASSERT_EQ(Run({"rmi", "app:v1", "team/app:v1"}).exit_code, 0);
  EXPECT_EQ(Run({"load", "-q", "-i", Path("out.tar")}).out,
            "Loaded image: app:v1\nLoaded image: team/app:v1\n");
  EXPECT_EQ(Run({"images", "-q", "app:v1"}).out.size(), 13u);
  EXPECT_NE(Run({"images", "-q", "app:v1"}).out, Run({"images", "-q", "team/app:v1"}).out);
}

TEST_F(SaveCommandTest, AFileOfThisMachineIsNotBlamedOnTheDaemon) {
  const CommandOutcome directory = Run({"save", "app:v1", "-o", directory_});
  EXPECT_EQ(directory.exit_code, 1);
  EXPECT_EQ(directory.err, "varve: open " + directory_ + ": Is a directory\n");
  const CommandOutcome full = Run({"images"}, "", "/dev/full");
  EXPECT_EQ(full.exit_code, 1);
  EXPECT_EQ(full.err, "varve: write to standard output: No space left on device\n");
}

TEST_F(SaveCommandTest, AFailureLeavesNothing) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"save", "none", "-o", Path("out.tar")},
                                             {"save", "app:v1", "-o", "/dev/full"},
                                             {"save", "app:v1", "-o", Path("none/out.tar")}}) {
    EXPECT_EQ(Run(arguments).exit_code, 1);
  }
  EXPECT_EQ(FilesBeside("out.tar"), 0u);
  EXPECT_EQ(Run({"save", "app:v1"}, "", "/dev/full").exit_code, 1);
}

TEST_F(SaveCommandTest, ADamagedBlobIsToldByTheExitCode) {
  StopDaemon();
  {
    std::fstream file(LayerFile(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(2'000'000);
    file.put('X').put('Y');
  }
  StartDaemon();
  WriteFile("out.tar", "older");
  const CommandOutcome outcome = Run({"save", "-q", "app:v1", "-o", Path("out.tar")});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, HasSubstr(Sha256Of(layer_).ToString()));
  EXPECT_EQ(ReadFile(Path("out.tar")), "older");
  EXPECT_EQ(FilesBeside("out.tar"), 1u);
}

TEST_F(SaveCommandTest, AMissingBlobIsFoundBeforeTheFirstByte) {
  StopDaemon();
  std::filesystem::remove(LayerFile());
  StartDaemon();
  const CommandOutcome outcome = Run({"save", "-q", "app:v1"});
  EXPECT_EQ(outcome.exit_code, 3) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr("missing or damaged"));
}

TEST_F(SaveCommandTest, ASignalLeavesNothing) {
  const std::string out = Path("out.tar");
  PutImage("large", {"v1"}, ConfigFor("arm64"), {TestBytes(60'000'000, 2)});
  const std::string address = "VARVE_ADDRESS=" + Address();
  const char* const environment[] = {address.c_str(), nullptr};
  const pid_t child = fork();
  if (child == 0) {
    execle(VARVE_BINARY, VARVE_BINARY, "save", "-q", "large:v1", "-o", out.c_str(), nullptr,
           environment);
    _exit(127);
  }
  // Until there are bytes in the file that is not complete.
  const auto begun = [this] {
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      const std::string name = entry.path().filename();
      if (name.rfind("out.tar.", 0) == 0 && entry.file_size() > 0) return true;
    }
    return false;
  };
  while (!begun() && waitpid(child, nullptr, WNOHANG) == 0) std::this_thread::yield();
  kill(child, SIGINT);
  waitpid(child, nullptr, 0);
  EXPECT_FALSE(std::filesystem::exists(out));
  EXPECT_EQ(FilesBeside("out.tar"), 0u);
}

TEST_F(SaveCommandTest, ATerminalIsNoPlaceForAnArchive) {
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, nullptr);
  ASSERT_GE(child, 0);
  if (child == 0) {
    execl(VARVE_BINARY, VARVE_BINARY, "save", "app:v1", nullptr);
    _exit(127);
  }
  std::string shown;
  char buffer[1000];
  for (ssize_t got = 0; (got = read(terminal, buffer, sizeof(buffer))) > 0;) {
    shown.append(buffer, static_cast<size_t>(got));
  }
  close(terminal);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 2);
  EXPECT_THAT(shown, HasSubstr("cowardly refusing to save to a terminal"));
}

TEST_F(SaveCommandTest, WrongUsage) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"save"},
                                             {"save", "UPPER"},
                                             {"save", "app", "--platform", "linux"},
                                             {"save", "app", "--json"}}) {
    EXPECT_EQ(Run(arguments).exit_code, 2);
  }
}

}  // namespace
}  // namespace varve

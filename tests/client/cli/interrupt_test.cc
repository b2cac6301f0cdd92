// Ctrl-C in an upload: the command ends by the signal, and says how the upload goes on.
#include <signal.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "gmock/gmock.h"
#include "tests/client/varve_command.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class CliInterruptTest : public CommandTest {
 protected:
  // `varve arguments…` with standard input from `in`, ended by SIGINT once it would tell.
  std::string Interrupt(const std::vector<std::string>& arguments, int in) const {
    std::vector<std::string> words = {VARVE_BINARY, "--address", Address()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, 0);
    posix_spawn_file_actions_addopen(&actions, 2, Path("stderr").c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    // Also where whoever runs the tests ignores the signal.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGINT);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    pid_t child = 0;
    EXPECT_EQ(posix_spawn(&child, argv[0], &actions, &attributes, argv.data(), environ), 0);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    EXPECT_TRUE(CatchesInterrupt(child));
    kill(child, SIGINT);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) << status;
    return ReadFile(Path("stderr"));
  }

  // Waits, as long as it takes, until the process has a handler; false when it ends before.
  static bool CatchesInterrupt(pid_t process) {
    for (;;) {
      std::ifstream file("/proc/" + std::to_string(process) + "/status");
      for (std::string line; std::getline(file, line);) {
        if (line.rfind("State:\tZ", 0) == 0) return false;
        if (line.rfind("SigCgt:", 0) != 0) continue;
        if ((std::stoull(line.substr(7), nullptr, 16) >> (SIGINT - 1) & 1) != 0) return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  // A pipe that gives `bytes` and never ends.
  int EndlessPipe(const std::string& bytes) {
    EXPECT_EQ(pipe2(pipe_, O_CLOEXEC), 0);
    EXPECT_EQ(write(pipe_[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    return pipe_[0];
  }

  void TearDown() override {
    for (const int fd : pipe_) {
      if (fd >= 0) close(fd);
    }
    CommandTest::TearDown();
  }

  int pipe_[2] = {-1, -1};
};

TEST_F(CliInterruptTest, AnUploadOfAFileGoesOn) {
  const std::string path = WriteFile("layer", TestBytes(100'000, 1));
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  UploadOptions options;
  options.id = UploadIdOfFile(fd, "");
  {
    // While another one works on the upload, the command waits.
    const auto held = store_->blobs.BeginUpload("", options);
    ASSERT_TRUE(held.ok() && (*held)->Append(0, TestBytes(100'000, 1).substr(0, 60'000)).ok());
    EXPECT_THAT(Interrupt({"blob", "put", path}, fd),
                AllOf(StartsWith("varve: interrupted; what arrived is kept"),
                      HasSubstr("the same command goes on from there\n")));
  }
  close(fd);
  EXPECT_EQ(OutputOf({"blob", "put", "-q", path}),
            Sha256Of(TestBytes(100'000, 1)).ToString() + "\n");
}

TEST_F(CliInterruptTest, AnUploadFromAPipeBeginsAnew) {
  EXPECT_THAT(Interrupt({"blob", "put", "-"}, EndlessPipe("some bytes")),
              AllOf(StartsWith("varve: interrupted; "), HasSubstr("begins anew")));
}

TEST_F(CliInterruptTest, ALoadSaysTheSame) {
  EXPECT_THAT(Interrupt({"load"}, EndlessPipe("")),
              AllOf(StartsWith("varve: interrupted; "), HasSubstr("--input")));
}

TEST_F(CliInterruptTest, AnImportSaysThatItMadeNothing) {
  EXPECT_THAT(Interrupt({"import", "-", "app:1"}, EndlessPipe("")),
              AllOf(StartsWith("varve: interrupted; "), HasSubstr("no image was made")));
}

}  // namespace
}  // namespace varve

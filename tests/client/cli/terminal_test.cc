// `varve` on a terminal, which a pseudo terminal stands in for, and how it ends.
#include <pty.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

#include "gmock/gmock.h"
#include "tests/client/connected_fixture.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

class CliTerminalTest : public ConnectedTest {
 protected:
  struct Outcome {
    std::string output;
    int status = 0;  // as waitpid gives it
  };

  // Runs `varve arguments…` on a terminal of that kind and presses `keys`, Ctrl-C by default, once
  // `at` appears, if that is not empty.
  Outcome RunOnTerminal(const std::vector<std::string>& arguments, const char* term = "xterm",
                        const std::string& at = "", const std::string& keys = "\x03") {
    winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
    std::vector<std::string> words = {VARVE_BINARY, "--address", Address()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::string term_variable = std::string("TERM=") + term;
    char* environment[] = {term_variable.data(), nullptr};
    int terminal = -1;
    const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
    if (child == 0) {
      execve(VARVE_BINARY, argv.data(), environment);
      _exit(127);
    }
    Outcome outcome;
    bool pressed = at.empty();
    char buffer[4096];
    for (;;) {
      const ssize_t count = read(terminal, buffer, sizeof(buffer));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) break;  // EIO: the child has ended
      outcome.output.append(buffer, static_cast<size_t>(count));
      if (!pressed && outcome.output.find(at) != std::string::npos) {
        pressed = true;
        EXPECT_EQ(write(terminal, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
      }
    }
    EXPECT_EQ(waitpid(child, &outcome.status, 0), child);
    close(terminal);
    return outcome;
  }
};

TEST_F(CliTerminalTest, ATransferHasARow) {
  const std::string bytes = TestBytes(3'000'000, 1);
  const std::string path = WriteFile("layer.tar", bytes);
  const Outcome put = RunOnTerminal({"blob", "put", path});
  EXPECT_EQ(put.status, 0);
  EXPECT_THAT(put.output, AllOf(HasSubstr("layer.tar  uploading"), HasSubstr("3MB in "),
                                EndsWith("\x1b[J" + Sha256Of(bytes).ToString() + "\r\n")));
  const Outcome get =
      RunOnTerminal({"blob", "get", Sha256Of(bytes).ToString(), "-o", Path("copy")});
  EXPECT_THAT(get.output, HasSubstr("done         3MB in "));
  EXPECT_EQ(ReadFile(Path("copy")), bytes);
}

TEST_F(CliTerminalTest, ADumbTerminalAndQuietGetNoCommands) {
  const std::string path = WriteFile("layer.tar", "bytes");
  const Outcome dumb = RunOnTerminal({"blob", "put", path}, "dumb");
  EXPECT_THAT(dumb.output, AllOf(HasSubstr("layer.tar: done, 5B in "), Not(HasSubstr("\x1b"))));
  EXPECT_EQ(RunOnTerminal({"blob", "put", "-q", path}).output,
            Sha256Of("bytes").ToString() + "\r\n");
}

TEST_F(CliTerminalTest, CtrlCEndsAsTheShellExpectsWithTheCursorBelowTheRows) {
  // Its input is the terminal, where nothing comes. Shells call this exit code 130.
  const Outcome outcome = RunOnTerminal({"blob", "put", "-"}, "xterm", "uploading");
  EXPECT_TRUE(WIFSIGNALED(outcome.status));
  EXPECT_EQ(WTERMSIG(outcome.status), SIGINT);
  EXPECT_THAT(outcome.output, HasSubstr("\n\x1b[J^C"));
  EXPECT_THAT(outcome.output, Not(HasSubstr("\x1b[?")));  // no mode was changed
}

TEST_F(CliTerminalTest, CtrlCLeavesNoPartOfAFile) {
  const std::string bytes = TestBytes(100'000'000, 3);
  ASSERT_EQ(RunOnTerminal({"blob", "put", WriteFile("in", bytes)}).status, 0);
  const Outcome outcome = RunOnTerminal(
      {"blob", "get", Sha256Of(bytes).ToString(), "-o", Path("copy")}, "xterm", "downloading");
  EXPECT_TRUE(WIFSIGNALED(outcome.status));
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    EXPECT_NE(entry.path().filename().string().rfind("copy", 0), 0u) << entry.path();
  }
}

TEST_F(CliTerminalTest, DamageHasItsOwnExitCode) {
  const std::string bytes = TestBytes(300'000, 2);
  ASSERT_TRUE(WIFEXITED(RunOnTerminal({"blob", "put", WriteFile("in", bytes)}).status));
  size_t damaged = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(Path("data/blobs"))) {
    if (!entry.is_regular_file() || entry.file_size() != bytes.size()) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(1000);
    file.put(static_cast<char>(~bytes[1000]));
    ++damaged;
  }
  ASSERT_EQ(damaged, 1u);
  const Outcome outcome =
      RunOnTerminal({"blob", "get", Sha256Of(bytes).ToString(), "-o", Path("copy")});
  ASSERT_TRUE(WIFEXITED(outcome.status));
  EXPECT_EQ(WEXITSTATUS(outcome.status), 3);
  EXPECT_FALSE(std::filesystem::exists(Path("copy")));
}

// The questions of `image prune`, to a person.
class PrunePromptTest : public CliTerminalTest {
 protected:
  void SetUp() override {
    CliTerminalTest::SetUp();
    ASSERT_NO_FATAL_FAILURE(RestartDaemonWithoutPromises());
    PutImage("app", {"v1", "v2"}, 1);
    PutImage("web", {"v1"}, 2);
  }

  Outcome Answer(const std::string& keys, const std::vector<std::string>& more = {"-a"}) {
    std::vector<std::string> arguments = {"image", "prune"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunOnTerminal(arguments, "xterm", kQuestion, keys);
  }
  bool IsThere(const std::string& name) { return store_->images.FindImage(name).ok(); }

  static constexpr char kQuestion[] = "Are you sure you want to continue? [y/N] ";
};

TEST_F(PrunePromptTest, SaysHowManyImagesWillGoAndThatThereAreNoHolds) {
  const Outcome outcome = Answer("n\n");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("WARNING! This will remove all images without at least one hold on "
                              "them: 2 images with 3 tags, "),
                    HasSubstr("There are no holds: nothing says which images containers use.")));
  EXPECT_THAT(outcome.output, Not(HasSubstr("untagged:")));
  EXPECT_TRUE(IsThere("app:v1"));
}

TEST_F(PrunePromptTest, CountsWithoutWhatIsHeldOrFilteredOut) {
  const auto image = store_->images.FindImage("web:v1");
  ASSERT_TRUE(image.ok()) << image.status();
  ASSERT_TRUE(store_->claims.CreateHold({"web-1", "web", image->manifest, 0}).ok());
  const Outcome outcome = Answer("n\n");
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("hold on them: 1 image with 2 tags, "),
                                    Not(HasSubstr("There are no holds"))));
  EXPECT_THAT(Answer("n\n", {"--filter", "dangling=false", "--filter", "reference=web"}).output,
              HasSubstr("hold on them: 0 images with 0 tags, 0B"));
}

TEST_F(PrunePromptTest, AnythingButYesIsNo) {
  // Enter alone, another word, the end of the input.
  for (const char* keys : {"\n", "no\n", "yesterday\n", "\x04"}) {
    const Outcome outcome = Answer(keys);
    EXPECT_EQ(outcome.status, 0) << keys;
    EXPECT_THAT(outcome.output, Not(HasSubstr("reclaimed"))) << keys;
    EXPECT_TRUE(IsThere("app:v1") && IsThere("web:v1")) << keys;
  }
}

TEST_F(PrunePromptTest, CtrlCRemovesNothingAndEndsAsTheShellExpects) {
  const Outcome outcome = Answer("\x03");
  EXPECT_TRUE(WIFSIGNALED(outcome.status));
  EXPECT_EQ(WTERMSIG(outcome.status), SIGINT);
  EXPECT_TRUE(IsThere("app:v1") && IsThere("web:v1"));
}

TEST_F(PrunePromptTest, YesRemovesThem) {
  const Outcome some = Answer("y\n", {"-a", "--filter", "reference=web"});
  EXPECT_EQ(some.status, 0);
  EXPECT_THAT(some.output, AllOf(HasSubstr("\r\nDeleted Images:\r\nuntagged: web:v1\r\n"),
                                 HasSubstr("\r\nTotal reclaimed space: ")));
  EXPECT_FALSE(IsThere("web:v1"));
  const Outcome rest = Answer("yes\n");
  EXPECT_EQ(rest.status, 0);
  EXPECT_THAT(rest.output, HasSubstr("hold on them: 1 image with 2 tags, "));
  EXPECT_FALSE(IsThere("app:v1"));
}

TEST_F(PrunePromptTest, OnlyDanglingImagesNeedNoCount) {
  const Outcome outcome = Answer("n\n", {});
  EXPECT_THAT(outcome.output, HasSubstr("WARNING! This will remove all dangling images.\r\n"));
}

TEST_F(PrunePromptTest, ADryRunAndForceAskNothing) {
  EXPECT_THAT(RunOnTerminal({"image", "prune", "-a", "--dry-run"}).output,
              AllOf(HasSubstr("would untag: app:v1"), Not(HasSubstr(kQuestion))));
  EXPECT_TRUE(IsThere("app:v1"));
  const Outcome forced = RunOnTerminal({"image", "prune", "-a", "--force"});
  EXPECT_THAT(forced.output, AllOf(HasSubstr("untagged: app:v1"), Not(HasSubstr(kQuestion))));
  EXPECT_FALSE(IsThere("app:v1"));
}

}  // namespace
}  // namespace varve

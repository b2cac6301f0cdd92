// `varve` on a terminal, which a pseudo terminal stands in for, and how it ends.
#include <pty.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

#include "gmock/gmock.h"
#include "tests/client/daemon_fixture.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

class CliTerminalTest : public DaemonTest {
 protected:
  struct Outcome {
    std::string output;
    int status = 0;  // as waitpid gives it
  };

  // Runs `varve arguments…` on a terminal of that kind and presses Ctrl-C once `interrupt_at`
  // appears, if that is not empty.
  Outcome RunOnTerminal(const std::vector<std::string>& arguments, const char* term = "xterm",
                        const std::string& interrupt_at = "") {
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
    bool interrupted = interrupt_at.empty();
    char buffer[4096];
    for (;;) {
      const ssize_t count = read(terminal, buffer, sizeof(buffer));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) break;  // EIO: the child has ended
      outcome.output.append(buffer, static_cast<size_t>(count));
      if (!interrupted && outcome.output.find(interrupt_at) != std::string::npos) {
        interrupted = true;
        EXPECT_EQ(write(terminal, "\x03", 1), 1);
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

}  // namespace
}  // namespace varve

// Runs the `varve` binary as a script would.
#ifndef VARVE_TESTS_CLIENT_VARVE_COMMAND_H_
#define VARVE_TESTS_CLIENT_VARVE_COMMAND_H_

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <string>
#include <vector>

#include "tests/client/connected_fixture.h"

namespace varve {

struct CommandOutcome {
  int exit_code = -1;
  std::string out;
  std::string err;
};

class CommandTest : public ConnectedTest {
 protected:
  // `varve arguments…` against the daemon, with `input` on standard input and standard output to
  // `output_path` if there is one.
  CommandOutcome Run(const std::vector<std::string>& arguments, const std::string& input = "",
                     const std::string& output_path = "") {
    const std::string out = output_path.empty() ? Path("stdout") : output_path;
    const std::string in = WriteFile("stdin", input);
    std::vector<std::string> words = {VARVE_BINARY};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::vector<std::string> variables = environment_;
    variables.push_back("VARVE_ADDRESS=" + Address());
    std::vector<char*> environment;
    for (std::string& variable : variables) environment.push_back(variable.data());
    environment.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, in.c_str(), O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, Path("stderr").c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t child = 0;
    EXPECT_EQ(posix_spawn(&child, VARVE_BINARY, &actions, nullptr, argv.data(), environment.data()),
              0);
    posix_spawn_file_actions_destroy(&actions);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            .out = output_path.empty() ? ReadFile(out) : "",
            .err = ReadFile(Path("stderr"))};
  }

  // What a command prints that must not fail, nor complain.
  std::string OutputOf(const std::vector<std::string>& arguments) {
    const CommandOutcome outcome = Run(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    return outcome.out;
  }

  size_t FilesBeside(const std::string& prefix) const {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      if (entry.path().filename().string().rfind(prefix, 0) == 0) ++count;
    }
    return count;
  }

  std::vector<std::string> environment_;  // "NAME=value" for Run
};

}  // namespace varve

#endif  // VARVE_TESTS_CLIENT_VARVE_COMMAND_H_

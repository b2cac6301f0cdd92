// Help, suggestions, the man page and bash completion: of the binary, as people and shells meet
// them.
#include "client/cli/help.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "gmock/gmock.h"
#include "tests/client/connected_fixture.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// What `command` prints, standard error included, and its exit code on the last line.
std::string Shell(const std::string& command) {
  const std::string whole = "exec </dev/null 2>&1; " + command + "\necho \"exit $?\"";
  FILE* const pipe = popen(("bash -c '" + whole + "'").c_str(), "re");
  EXPECT_NE(pipe, nullptr);
  std::string output;
  std::array<char, 4096> buffer;
  for (size_t count = 0; (count = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    output.append(buffer.data(), count);
  }
  pclose(pipe);
  return output;
}

std::string Varve(const std::string& arguments) { return Shell(VARVE_BINARY " " + arguments); }

TEST(NearestWordTest, FindsSlipsAndNoStrangers) {
  const std::vector<std::string> words = {"image", "images", "inspect", "tag", "untag", "load"};
  EXPECT_EQ(NearestWord("imagse", words), "images");
  EXPECT_EQ(NearestWord("lod", words), "load");
  EXPECT_EQ(NearestWord("insp", words), "inspect");
  EXPECT_EQ(NearestWord("tga", words), "tag");
  EXPECT_EQ(NearestWord("xyzzy", words), "");
  EXPECT_EQ(NearestWord("", words), "");
  EXPECT_EQ(NearestWord(std::string(100'000, 'i'), words), "");
  EXPECT_EQ(NearestWord("load", {}), "");
}

TEST(CliHelpTest, AMistypedCommandOrOptionIsRecognised) {
  EXPECT_EQ(Varve("imagse"),
            "varve: there is no command \"imagse\"; did you mean images? (see varve --help)\n"
            "exit 2\n");
  EXPECT_THAT(Varve("image lss"), HasSubstr("did you mean ls?"));
  EXPECT_THAT(Varve("blob put --quite x"), HasSubstr("did you mean --quiet?"));
  EXPECT_THAT(Varve("images --adress x"), HasSubstr("did you mean --address?"));
  EXPECT_THAT(Varve("xyzzy"), Not(HasSubstr("did you mean")));
  EXPECT_THAT(Varve("images a b"), HasSubstr("varve images does not take \"b\""));
  EXPECT_THAT(Varve("$(printf \"\\033[2J\")"), Not(HasSubstr("\033")));
}

TEST(CliHelpTest, ACommandThatOthersFollowPrintsItsHelpWhenItStandsAlone) {
  EXPECT_EQ(Varve(""), Varve("--help"));
  for (const char* group : {"image", "system", "repo", "hold", "lease", "blob", "upload"}) {
    const std::string help = Varve(group);
    EXPECT_THAT(help, AllOf(HasSubstr(std::string("Usage: varve ") + group + " [OPTIONS] COMMAND"),
                            HasSubstr("\nexit 0\n")));
    EXPECT_EQ(help, Varve(std::string(group) + " --help"));
  }
}

TEST(CliHelpTest, HelpIsACommandToo) {
  EXPECT_EQ(Varve("help"), Varve("--help"));
  EXPECT_EQ(Varve("help image"), Varve("image --help"));
  EXPECT_EQ(Varve("help image ls"), Varve("image ls --help"));
  EXPECT_EQ(Varve("help image list"), Varve("image ls --help"));
  EXPECT_EQ(Varve("help imagse"),
            "varve: there is no command \"imagse\"; did you mean images? (see varve --help)\n"
            "exit 2\n");
  EXPECT_THAT(Varve("help images x"), HasSubstr("there is no command \"x\""));
}

TEST(CliHelpTest, DockersOtherNamesAndShortForms) {
  for (const char* command : {"image list", "image remove", "hold list", "hold remove",
                              "lease remove", "upload list", "repo list", "blob list"}) {
    EXPECT_THAT(Varve(std::string(command) + " --help"),
                AllOf(HasSubstr("\nAliases:\n  varve " + std::string(command) + "\n"),
                      HasSubstr("\nexit 0\n")));
  }
  for (const char* command : {"info", "df", "events", "prune", "system prune", "version"}) {
    EXPECT_THAT(Varve(std::string(command) + " --help"),
                AllOf(HasSubstr("Usage: varve " + std::string(command)), HasSubstr("Examples:\n"),
                      HasSubstr("\nexit 0\n")));
  }
}

TEST(CliHelpTest, TheRootTellsWhatPeopleNeed) {
  const std::string help = Varve("--help");
  for (const char* part : {"Usage: varve [OPTIONS] COMMAND", "Commands:\n", "Short forms:\n",
                           "VARVE_ADDRESS", "Exit codes:\n", "Corruption found", "Examples:\n"}) {
    EXPECT_THAT(help, HasSubstr(part));
  }
  EXPECT_THAT(help, Not(HasSubstr("\n  man ")));
}

// The commands as completion lists them, found by walking down from the root.
std::vector<std::string> Leaves(const std::string& script, const std::string& path = "") {
  const std::string head = "    '" + path + "')\n";
  const size_t at = script.find(head);
  EXPECT_NE(at, std::string::npos) << path;
  const std::string block = script.substr(at, script.find(";;", at) - at);
  const size_t commands = block.find("commands='");
  if (commands == std::string::npos) return {path};
  const size_t start = commands + std::string("commands='").size();
  std::istringstream words(block.substr(start, block.find('\'', start) - start));
  std::vector<std::string> leaves;
  for (std::string word; words >> word;) {
    const std::string inner_path = path.empty() ? word : path + " " + word;
    for (const std::string& leaf : Leaves(script, inner_path)) leaves.push_back(leaf);
  }
  return leaves;
}

TEST(CliHelpTest, EveryCommandHasHelpWithAnExampleThatFits) {
  const std::vector<std::string> leaves = Leaves(Varve("completion bash"));
  EXPECT_GE(leaves.size(), 15u);
  for (const std::string& leaf : leaves) {
    const std::string help = Varve(leaf + " --help");
    EXPECT_THAT(help, AllOf(HasSubstr("Usage: varve " + leaf + " [OPTIONS]"),
                            HasSubstr("\nExamples:\n  # "), HasSubstr("\nexit 0\n")));
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 85u) << line;
  }
}

TEST(CliHelpTest, TheManPageIsCleanRoff) {
  const std::string page = Varve("man");
  for (const char* part : {".TH VARVE 1", ".SH SYNOPSIS", ".SH COMMANDS", "varve image ls",
                           ".SH ENVIRONMENT", ".SH EXIT STATUS", ".SH EXAMPLES"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
  EXPECT_EQ(std::count_if(page.begin(), page.end(), [](char c) { return c < 0; }), 0)
      << "not ASCII";
  if (std::system("command -v groff >/dev/null") != 0) {
    GTEST_SKIP() << "groff is not installed: the page is not formatted";
  }
  EXPECT_EQ(Shell(VARVE_BINARY " man | groff -ww -man -Tascii >/dev/null"), "exit 0\n");
}

class CompletionTest : public ConnectedTest {
 protected:
  // The candidates for `line`, with the cursor at its end, one a line, by the real bash.
  std::string Complete(const std::string& line, const std::string& before = "") const {
    std::string output =
        Shell("source <(" VARVE_BINARY " completion bash); " + before +
              "\nexport VARVE_ADDRESS=" + Address() + "\nCOMP_LINE=\"" VARVE_BINARY + line +
              "\"; COMP_POINT=${#COMP_LINE}"
              "\n_varve; for reply in \"${COMPREPLY[@]}\"; do echo \"$reply\"; done");
    EXPECT_THAT(output, testing::EndsWith("exit 0\n"));
    return output.substr(0, output.rfind("exit "));
  }
};

TEST_F(CompletionTest, CommandsAndOptions) {
  EXPECT_EQ(Complete(" im"), "image\nimages\nimport\n");
  EXPECT_EQ(Complete(" image l"), "ls\nload\n");
  EXPECT_EQ(Complete(" --address x blob "), "put\nget\nstat\nls\n");
  EXPECT_EQ(Complete(" images --for"), "--format\n");
  EXPECT_EQ(Complete(" images --a"), "--all\n--address\n");
  EXPECT_EQ(Complete(" image list --for"), "--format\n");
  EXPECT_EQ(Complete(" lease remove --js"), "--json\n");
  EXPECT_EQ(Complete(" xyzzy z"), "");
  EXPECT_EQ(Complete(" blob put "), "");  // readline's own file names
}

TEST_F(CompletionTest, Images) {
  PutImage("app", {"v1", "v2"}, 1);
  PutImage("team/base", {"latest"}, 2);
  EXPECT_EQ(Complete(" tag "), "app:v1\napp:v2\nteam/base:latest\n");
  EXPECT_EQ(Complete(" image inspect te"), "team/base:latest\n");
  // Behind a colon readline replaces only the rest, unless the user took it out of COMP_WORDBREAKS.
  EXPECT_EQ(Complete(" tag app:v", "COMP_WORDBREAKS=\" :\""), "v1\nv2\n");
  EXPECT_EQ(Complete(" tag app:v", "COMP_WORDBREAKS=\" \""), "app:v1\napp:v2\n");
  PutImage("reg__5000/a", {"v1"}, 3);
  EXPECT_EQ(Complete(" tag reg"), "reg:5000/a:v1\n");
  EXPECT_EQ(Complete(" tag reg:5000/a:", "COMP_WORDBREAKS=\" :\""), "v1\n");
  EXPECT_EQ(Complete(" tag reg:5", "COMP_WORDBREAKS=\" :\""), "5000/a:v1\n");
  EXPECT_EQ(Complete(" --address unix:///nowhere tag "), "");
  EXPECT_EQ(Complete(" --address=unix:///nowhere tag "), "");
}

TEST_F(CompletionTest, WhatADaemonSaysIsNotRun) {
  WriteFile("varve", "#!/bin/sh\necho 'app:v1'\necho '$(touch " + Path("pwned") +
                         "):x'\necho '`touch " + Path("pwned") + "`'\necho '<none>:<none>'\n");
  ASSERT_EQ(chmod(Path("varve").c_str(), 0700), 0);
  const std::string output =
      Shell("source <(" VARVE_BINARY " completion bash); COMP_LINE=\"" + Path("varve") +
            " tag \"; COMP_POINT=${#COMP_LINE}; _varve; echo \"${COMPREPLY[@]}\"");
  EXPECT_EQ(output, "app:v1\nexit 0\n");
  EXPECT_FALSE(std::filesystem::exists(Path("pwned")));
}

TEST(CliPipeTest, AReaderThatLeavesIsNoError) {
  EXPECT_EQ(Shell(VARVE_BINARY " completion bash | true; echo \"${PIPESTATUS[0]}\""),
            "141\nexit 0\n");
}

}  // namespace
}  // namespace varve

// varve: the command line for people and scripts. Exit codes: 0 done, 1 failed, 2 wrong usage,
// 3 something in the store is damaged.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/help.h"
#include "client/cli/session.h"
#include "client/cli/terminal.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitCorrupt = 3;

volatile std::sig_atomic_t pipe_broken = 0;

void NoteBrokenPipe(int /*signal*/) { pipe_broken = 1; }

// The exit code for what the command came to, after telling why.
int Finish(const Session& session, const absl::Status& status) {
  if (status.ok()) return 0;
  if (pipe_broken != 0) {
    // Nobody reads on: end as every program in a pipe does, though only after cleaning up.
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
  }
  if (!session.told) PrintError(session.Explain(status));
  return absl::IsDataLoss(status) ? kExitCorrupt : kExitFailed;
}

int Main(int argc, char** argv) {
  // The library's own notes on connections are not for the person at the terminal.
  setenv("GRPC_VERBOSITY", "NONE", 0);
  CLI::App app("Varve keeps container images, each blob once. This is its command line.", "varve");
  Session session;
  app.set_version_flag("--version", "varve " VARVE_VERSION, "Print the version");
  app.add_option("--address", session.address,
                 "The daemon: unix:///PATH or HOST:PORT (default: unix:///run/varve/varve.sock, or "
                 "$XDG_RUNTIME_DIR/varve.sock of a varved that you run yourself)")
      ->envname("VARVE_ADDRESS")
      ->check(CheckAddress);
  app.require_subcommand(0, 1);
  app.fallthrough();
  AddCommands(app, session);
  std::signal(SIGPIPE, NoteBrokenPipe);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    const std::vector<std::string> unknown = app.remaining(true);
    PrintError(StrCat(unknown.empty() ? error.what() : ExplainUnknown(app, unknown[0]),
                      " (see varve --help)"));
    return kExitUsage;
  }
  absl::Status status;
  try {
    // A group of commands that is named alone tells what it has, as Docker's do.
    if (session.action == nullptr) {
      Print(HelpText(ChosenCommand(app)));
    } else {
      status = session.action();
    }
  } catch (const std::exception& error) {
    // Only what no function here expects: no memory, no threads. Unwinding has cleaned up.
    status = absl::InternalError(error.what());
  }
  // What a command printed before it failed is part of its answer.
  status.Update(FlushOutput());
  // Without taking the connection apart: after a broken one that can last ten seconds.
  std::_Exit(Finish(session, status));
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) { return varve::Main(argc, argv); }

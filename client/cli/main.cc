// varve: the command line for people and scripts. Exit codes: 0 done, 1 failed, 2 wrong usage.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/session.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

int Main(int argc, char** argv) {
  // The library's own notes on connections are not for the person at the terminal.
  setenv("GRPC_VERBOSITY", "NONE", 0);
  CLI::App app("Varve keeps container images, each byte once. This is its command line.", "varve");
  Session session;
  app.set_version_flag("--version", "varve " VARVE_VERSION);
  app.add_option("--address", session.address, "The daemon: unix:///PATH or HOST:PORT")
      ->envname("VARVE_ADDRESS")
      ->capture_default_str()
      ->check(CheckAddress);
  app.require_subcommand(1);
  app.fallthrough();
  AddImageCommands(app, session);
  AddInspectCommands(app, session);
  AddRemovalCommands(app, session);
  AddImportCommand(app, session);
  AddLoadCommand(app, session);
  AddSaveCommand(app, session);
  AddBlobCommands(app, session);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    const std::vector<std::string> unknown = app.remaining(true);
    const std::string reason = unknown.empty()
                                   ? error.what()
                                   : StrCat("there is no command or option \"", unknown[0], "\"");
    std::fprintf(stderr, "varve: %s (see varve --help)\n", reason.c_str());
    return kExitUsage;
  }
  absl::Status status = session.action();
  if (status.ok()) status = FlushOutput();
  if (!status.ok()) std::fprintf(stderr, "varve: %s\n", session.Explain(status).c_str());
  // Without taking the connection apart: after a broken one that can last ten seconds.
  std::_Exit(status.ok() ? 0 : kExitFailed);
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) { return varve::Main(argc, argv); }

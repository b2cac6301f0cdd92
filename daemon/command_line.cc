#include "daemon/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>

#include "absl/status/status.h"
#include "storage/base/str_cat.h"

namespace varve {

absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments) {
  CommandLine line;
  bool version = false;
  CLI::App app("Varve image store daemon: an OCI registry and a gRPC API over one store.",
               "varved");
  app.add_option("--config", line.config_file, "Configuration file (TOML); also VARVE_CONFIG")
      ->type_name("FILE");
  app.add_option("--accept-loss", line.accept_loss,
                 "Start although the log of the index is damaged: the ID that the refusal names")
      ->type_name("ID");
  std::deque<std::string> values;  // CLI11 keeps their addresses
  std::vector<std::pair<std::string, const CLI::Option*>> options;
  for (const ConfigFlag& flag : ConfigFlags()) {
    const std::string name(flag.name);
    options.emplace_back(
        name, app.add_option(name, values.emplace_back(), std::string(flag.documentation))
                  ->type_name(std::string(flag.value_name)));
  }
  app.add_flag("--print-config", line.print_config,
               "Print every key with its value, meaning and where the value came from");
  app.add_flag("--version", version, "Print the version");
  app.footer(
      "A flag wins over the environment (VARVE_<SECTION>_<KEY>, such as VARVE_STORE_DATA_DIR), "
      "the\n"
      "environment over the file, the file over the default.");
  // CLI11 takes arguments last first. Its errors are exceptions; none leaves this function.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    line.answer = app.help();
    return line;
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(
        StrCat(std::string_view(error.what()), "; varved --help lists the flags"));
  }
  if (version) line.answer = StrCat("varved ", VARVE_VERSION, "\n");
  for (size_t i = 0; i < options.size(); ++i) {
    if (options[i].second->count() > 0) line.flags.emplace_back(options[i].first, values[i]);
  }
  return line;
}

}  // namespace varve

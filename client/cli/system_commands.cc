// `system info`, and `info` and `version`.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/action.h"
#include "client/cli/commands.h"
#include "client/cli/format_template.h"
#include "client/cli/listing.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

struct InfoArguments {
  bool json = false;
  std::string format;
};

FormatValue Bytes(uint64_t bytes) { return FormatValue::Number(static_cast<int64_t>(bytes)); }

// What --format can show.
const std::vector<std::string>& InfoFields() {
  static const auto& fields = *new std::vector<std::string>{
      "BlobBytes",     "DiskFreeBytes", "DiskTotalBytes", "FormatVersion", "MaxBytes",
      "ServerVersion", "Started",       "StoreCreated",   "StoreUUID"};
  return fields;
}

FormatValue InfoValue(const DaemonInfo& info) {
  const StoreInfo& store = info.store;
  return FormatValue::Object({{"BlobBytes", Bytes(store.blob_bytes)},
                              {"DiskFreeBytes", Bytes(store.disk_free_bytes)},
                              {"DiskTotalBytes", Bytes(store.disk_total_bytes)},
                              {"FormatVersion", FormatValue::Number(store.format_version)},
                              {"MaxBytes", Bytes(store.max_bytes)},
                              {"ServerVersion", info.version},
                              {"Started", TimeText(info.started_nanos)},
                              {"StoreCreated", TimeText(store.created_nanos)},
                              {"StoreUUID", store.uuid}});
}

absl::Status ShowInfo(Session& session, const InfoArguments& arguments) {
  ASSIGN_OR_RETURN(const FormatTemplate wanted,
                   FormatTemplate::ParseRow(arguments.format, InfoFields()));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const DaemonInfo info, client->Info());
  const StoreInfo& store = info.store;
  if (!arguments.format.empty()) {
    ASSIGN_OR_RETURN(const std::string line, wanted.Render(InfoValue(info)));
    Print(line + "\n");
    return absl::OkStatus();
  }
  if (arguments.json) {
    Print(JsonObject()
              .Add("version", info.version)
              .Add("started", TimeText(info.started_nanos))
              .Add("store_uuid", store.uuid)
              .Add("store_created", TimeText(store.created_nanos))
              .Add("format_version", uint64_t{store.format_version})
              .Add("blob_bytes", store.blob_bytes)
              .Add("max_bytes", store.max_bytes)
              .Add("disk_total_bytes", store.disk_total_bytes)
              .Add("disk_free_bytes", store.disk_free_bytes)
              .Line());
    return absl::OkStatus();
  }
  const std::string limit =
      store.max_bytes == 0 ? "no limit but the disk" : "of " + HumanSize(store.max_bytes);
  const int64_t now = SystemClock().WallNanos();
  std::string text = StrCat("Version:  ", Printable(info.version), "\n");
  text += StrCat("Started:  ", AgeAndTime(info.started_nanos, now), "\n");
  text += StrCat("Store:    ", Printable(store.uuid), "\n");
  text += StrCat("Created:  ", AgeAndTime(store.created_nanos, now), "\n");
  text += StrCat("Format:   ", store.format_version, "\n");
  text += StrCat("Blobs:    ", HumanSize(store.blob_bytes), " (", limit, ")\n");
  text += StrCat("Disk:     ", HumanSize(store.disk_free_bytes), " free of ",
                 HumanSize(store.disk_total_bytes), "\n");
  Print(text);
  return absl::OkStatus();
}

const std::vector<std::string>& VersionFields() {
  static const auto& fields = *new std::vector<std::string>{"Client", "Server"};
  return fields;
}

// Of this command line, and of the daemon; an unreachable one has none.
FormatValue VersionValue(const std::string& client, const DaemonInfo* daemon) {
  FormatValue::Members of_server = {{"Version", FormatValue()}};
  if (daemon != nullptr) of_server = {{"Version", daemon->version}};
  return FormatValue::Object({{"Client", FormatValue::Object({{"Version", client}})},
                              {"Server", FormatValue::Object(std::move(of_server))}});
}

absl::Status ShowVersion(Session& session, const std::string& version,
                         const InfoArguments& arguments) {
  ASSIGN_OR_RETURN(const FormatTemplate wanted,
                   FormatTemplate::ParseRow(arguments.format, VersionFields()));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  const absl::StatusOr<DaemonInfo> daemon = client->Info();
  // As Docker's, the half that is known is shown also when the other one is not.
  if (!arguments.format.empty()) {
    ASSIGN_OR_RETURN(const std::string line,
                     wanted.Render(VersionValue(version, daemon.ok() ? &*daemon : nullptr)));
    Print(line + "\n");
    return daemon.status();
  }
  Print(StrCat("Client:\n Version:  ", version, "\n"));
  RETURN_IF_ERROR(daemon.status());
  Print(StrCat("\nServer:\n Version:  ", Printable(daemon->version), "\n Started:  ",
               TimeText(daemon->started_nanos), "\n Store:    ", Printable(daemon->store.uuid),
               " (format ", daemon->store.format_version, ")\n"));
  return absl::OkStatus();
}

void SetUpInfo(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<InfoArguments>();
  CLI::Option* const json = command.add_flag("--json", arguments->json, "Print a JSON object");
  AddFormatOption(command, "-f,--format", arguments->format, /*table=*/false)->excludes(json);
  SetAction(command, session, arguments, ShowInfo, [](const InfoArguments& checked) {
    CheckUsage(FormatTemplate::ParseRow(checked.format, InfoFields()).status());
  });
}

void SetUpVersion(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<InfoArguments>();
  CLI::Option* const json = command.add_flag("--json", arguments->json, "Print a JSON object");
  AddFormatOption(command, "-f,--format", arguments->format, /*table=*/false)->excludes(json);
  command.callback([&command, &session, arguments] {
    if (arguments->json) arguments->format = "{{json .}}";
    CheckUsage(FormatTemplate::ParseRow(arguments->format, VersionFields()).status());
    // "varve 1.2" without the name.
    const std::string named = command.get_parent()->version();
    const std::string version = named.substr(named.rfind(' ') + 1);
    session.action = [&session, version, arguments] {
      return ShowVersion(session, version, *arguments);
    };
  });
}

}  // namespace

CommandGroup SystemCommands() {
  return {.name = "system",
          .help = "Look at the daemon and its store",
          .commands = {
              {.name = "info",
               .help = "Show what daemon and store these are",
               .examples = {{"varve system info", "The daemon and its store"},
                            {"varve info -f '{{.ServerVersion}}'", "One figure, for a script"}},
               .set_up = SetUpInfo,
               .short_forms = {"info"}}}};
}

CommandGroup VersionCommand() {
  return {.commands = {{.name = "version",
                        .help = "Show the versions of this command line and of the daemon",
                        .examples = {{"varve version", "Of this command line and of the daemon"}},
                        .set_up = SetUpVersion}}};
}

}  // namespace varve

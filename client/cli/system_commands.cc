#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "client/cli/commands.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/catalog/names.h"

namespace varve {
namespace {

struct UsageArguments {
  bool verbose = false;
  bool json = false;
};

struct EventArguments {
  std::string since;
  std::vector<std::string> filters;
  bool follow = true;
  bool json = false;
};

absl::Status ShowInfo(Session& session, bool json) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const DaemonInfo info, client->Info());
  const StoreInfo& store = info.store;
  if (json) {
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
  std::string text = StrCat("Version:  ", Printable(info.version), "\n");
  text += StrCat("Started:  ", TimeText(info.started_nanos), "\n");
  text += StrCat("Store:    ", Printable(store.uuid), "\n");
  text += StrCat("Created:  ", TimeText(store.created_nanos), "\n");
  text += StrCat("Format:   ", store.format_version, "\n");
  text += StrCat("Blobs:    ", HumanSize(store.blob_bytes), " (", limit, ")\n");
  text += StrCat("Disk:     ", HumanSize(store.disk_free_bytes), " free of ",
                 HumanSize(store.disk_total_bytes), "\n");
  Print(text);
  return absl::OkStatus();
}

std::string PartJson(const DiskUsage::Part& part) {
  return JsonObject()
      .Add("count", part.count)
      .Add("logical_bytes", part.logical_bytes)
      .Add("disk_bytes", part.disk_bytes)
      .Text();
}

std::string UsageJson(const DiskUsage& usage) {
  return JsonObject()
      .Add("repositories", usage.repositories)
      .Add("tags", usage.tags)
      .AddJson("tagged", PartJson(usage.tagged))
      .AddJson("dangling", PartJson(usage.dangling))
      .AddJson("loose", PartJson(usage.loose))
      .AddJson("inlined", PartJson(usage.inlined))
      .AddJson("unreferenced", PartJson(usage.unreferenced))
      .AddJson("uploads", PartJson(usage.uploads))
      .AddJson("orphans", PartJson(usage.orphans))
      .Add("index_disk_bytes", usage.index_disk_bytes)
      .Add("reserve_disk_bytes", usage.reserve_disk_bytes)
      .Line();
}

// "40MB (33%)", as Docker shows it.
std::string Reclaimable(uint64_t bytes, uint64_t of_bytes) {
  if (of_bytes == 0) return HumanSize(bytes);
  const double percent = 100.0 * static_cast<double>(bytes) / static_cast<double>(of_bytes);
  return StrCat(HumanSize(bytes), absl::StrFormat(" (%.0f%%)", percent));
}

std::string Counted(uint64_t count, std::string_view one, std::string_view many) {
  return StrCat(count, " ", count == 1 ? one : many);
}

// Sizes are what the disk gives back when the files go.
std::string UsageTable(const DiskUsage& usage) {
  const uint64_t image_bytes = usage.tagged.disk_bytes + usage.dangling.disk_bytes;
  const uint64_t loose_reclaimable = usage.dangling.disk_bytes + usage.unreferenced.disk_bytes;
  Table table({"TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"});
  std::vector<std::vector<std::string>> rows = {
      {"Images", StrCat(usage.tagged.count + usage.dangling.count), StrCat(usage.tagged.count),
       HumanSize(image_bytes), Reclaimable(usage.dangling.disk_bytes, image_bytes)},
      {"Blobs (files)", StrCat(usage.loose.count), "-", HumanSize(usage.loose.disk_bytes),
       Reclaimable(loose_reclaimable, usage.loose.disk_bytes)},
      {"Blobs (index)", StrCat(usage.inlined.count), "-", HumanSize(usage.index_disk_bytes), "-"},
      {"Uploads", StrCat(usage.uploads.count), StrCat(usage.uploads.count),
       HumanSize(usage.uploads.disk_bytes), "-"}};
  if (usage.reserve_disk_bytes > 0) {
    rows.push_back({"Reserve", "-", "-", HumanSize(usage.reserve_disk_bytes), "-"});
  }
  // Only after damage of the index.
  if (usage.orphans.count > 0) {
    rows.push_back({"Orphans", StrCat(usage.orphans.count), "-",
                    HumanSize(usage.orphans.disk_bytes),
                    Reclaimable(usage.orphans.disk_bytes, usage.orphans.disk_bytes)});
  }
  return table.Format(rows);
}

std::vector<std::string> PartRow(const std::string& name, const DiskUsage::Part& part) {
  return {name, StrCat(part.count), HumanSize(part.logical_bytes), HumanSize(part.disk_bytes)};
}

std::string DetailedUsageTable(const DiskUsage& usage) {
  Table table({"PART", "COUNT", "AS PUSHED", "ON DISK"});
  std::vector<std::vector<std::string>> rows = {
      PartRow("Tagged images", usage.tagged),
      PartRow("Dangling images", usage.dangling),
      PartRow("Blobs (files)", usage.loose),
      PartRow("Blobs (index)", usage.inlined),
      PartRow("Unreferenced blobs", usage.unreferenced),
      PartRow("Uploads", usage.uploads),
      {"Index", "-", "-", HumanSize(usage.index_disk_bytes)}};
  if (usage.reserve_disk_bytes > 0) {
    rows.push_back({"Reserve", "-", "-", HumanSize(usage.reserve_disk_bytes)});
  }
  if (usage.orphans.count > 0) rows.push_back(PartRow("Orphans", usage.orphans));
  return StrCat(Counted(usage.repositories, "repository, ", "repositories, "),
                Counted(usage.tags, "tag\n\n", "tags\n\n"), table.Format(rows));
}

// "10m0s": exactly, where HumanDuration would say "About a minute".
std::string SpanText(int64_t nanos) { return absl::FormatDuration(absl::Nanoseconds(nanos)); }

std::string UsageSummary(const DiskUsage& usage, int64_t promise_nanos) {
  return StrCat(
      "\n`varve image prune` would remove ", Counted(usage.dangling.count, "image", "images"),
      " and give back ", HumanSize(usage.dangling.disk_bytes), ". ",
      Counted(usage.unreferenced.count, "blob", "blobs"), " of ",
      HumanSize(usage.unreferenced.disk_bytes), " on disk ",
      usage.unreferenced.count == 1 ? "waits" : "wait", " for the reclaimer.",
      promise_nanos == 0
          ? "\n"
          : StrCat(" Both leave for later what was pushed, pulled or asked for less than ",
                   SpanText(promise_nanos), " ago (`--now` does not).\n"),
      usage.reserve_disk_bytes == 0
          ? ""
          : "The reserve is set aside, so that deletions work on a full disk.\n");
}

absl::Status ShowUsage(Session& session, const UsageArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const DiskUsage usage, client->MeasureDiskUsage());
  if (arguments.json) {
    Print(UsageJson(usage));
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const DaemonInfo daemon, client->Info());
  Print((arguments.verbose ? DetailedUsageTable(usage) : UsageTable(usage)) +
        UsageSummary(usage, daemon.store.promise_nanos));
  return absl::OkStatus();
}

constexpr std::array<Event::Type, 6> kEventTypes = {Event::Type::kPush,   Event::Type::kPull,
                                                    Event::Type::kTag,    Event::Type::kUntag,
                                                    Event::Type::kDelete, Event::Type::kPrune};

std::optional<Event::Type> ParseEventType(std::string_view name) {
  const auto* const found =
      std::find_if(kEventTypes.begin(), kEventTypes.end(),
                   [name](Event::Type type) { return EventTypeName(type) == name; });
  if (found == kEventTypes.end()) return std::nullopt;
  return *found;
}

// Adds one "key=value" to what is watched.
absl::Status AddFilter(const std::string& filter, WatchOptions* options) {
  const size_t equals = filter.find('=');
  const std::string key = filter.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : filter.substr(equals + 1);
  if (key == "type" || key == "event") {
    const std::optional<Event::Type> type = ParseEventType(value);
    if (!type) {
      return absl::InvalidArgumentError(
          StrCat("there are no events of type \"", value,
                 "\", but of push, pull, tag, untag, delete and prune"));
    }
    options->types.push_back(*type);
    return absl::OkStatus();
  }
  if (key != "repository") {
    return absl::InvalidArgumentError(
        StrCat("the filter \"", filter, "\" is neither type=TYPE nor repository=NAME"));
  }
  RETURN_IF_ERROR(ValidateRepositoryName(value));
  if (!options->repository.empty() && options->repository != value) {
    return absl::InvalidArgumentError("only one repository can be watched at a time");
  }
  options->repository = value;
  return absl::OkStatus();
}

std::string EventJson(const Event& event, const std::string& token) {
  if (event.type == Event::Type::kPrune) {
    return JsonObject()
        .Add("time", TimeText(event.time_nanos))
        .Add("type", EventTypeName(event.type))
        .Add("freed_bytes", event.freed_bytes)
        .Add("token", token)
        .Line();
  }
  return JsonObject()
      .Add("time", TimeText(event.time_nanos))
      .Add("type", EventTypeName(event.type))
      .Add("repository", event.repository)
      .Add("tag", event.tag)
      .Add("digest", event.digest.ToString())
      .Add("token", token)
      .Line();
}

// As Docker writes an event.
std::string EventLine(const Event& event) {
  if (event.type == Event::Type::kPrune) {
    return StrCat(TimeText(event.time_nanos), " image prune  (reclaimed=", event.freed_bytes,
                  ")\n");
  }
  const std::string name =
      event.tag.empty() ? event.repository : StrCat(event.repository, ":", event.tag);
  return StrCat(TimeText(event.time_nanos), " image ", EventTypeName(event.type), " ",
                Printable(name), " (digest=", event.digest.ToString(), ")\n");
}

absl::Status ShowEvents(Session& session, const EventArguments& arguments) {
  WatchOptions options;
  for (const std::string& filter : arguments.filters) RETURN_IF_ERROR(AddFilter(filter, &options));
  options.token = arguments.since;
  options.follow = arguments.follow;
  // Without following, there is nothing to see but what has been.
  options.from_oldest = !arguments.follow;
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  bool heard = false;
  const auto show = [&](const Event& event, const std::string& token) {
    heard = true;
    options.token = token;
    // Each at once: whoever reads waits for it.
    return Print(arguments.json ? EventJson(event, token) : EventLine(event)) && FlushOutput().ok();
  };
  for (;;) {
    const absl::Status status = client->WatchEvents(options, show);
    // A daemon that starts again has another log: what it keeps of it is all new.
    const bool token_of_person = !arguments.since.empty() && !heard;
    if (!absl::IsOutOfRange(status) || !arguments.follow || token_of_person) return status;
    PrintError("the daemon was started again; events may have been missed in between");
    options.token.clear();
    options.from_oldest = true;
    heard = true;
  }
}

void AddInfo(CLI::App& group, Session& session) {
  auto json = std::make_shared<bool>(false);
  CLI::App* const command = group.add_subcommand("info", "Show what daemon and store these are");
  command->add_flag("--json", *json, "Print a JSON object");
  command->callback(
      [&session, json] { session.action = [&session, json] { return ShowInfo(session, *json); }; });
}

void AddUsage(CLI::App& group, Session& session) {
  auto arguments = std::make_shared<UsageArguments>();
  CLI::App* const command = group.add_subcommand(
      "df",
      "Show what the disk space is used for. SIZE is what it takes of the disk, each blob once; "
      "ACTIVE images are those that have a tag; RECLAIMABLE is what a prune and the reclaimer "
      "give back");
  command->add_flag("-v,--verbose", arguments->verbose,
                    "Show every part, with the bytes as they were pushed and those on disk");
  command->add_flag("--json", arguments->json, "Print a JSON object");
  command->callback([&session, arguments] {
    session.action = [&session, arguments] { return ShowUsage(session, *arguments); };
  });
}

void AddEvents(CLI::App& group, Session& session) {
  auto arguments = std::make_shared<EventArguments>();
  CLI::App* const command =
      group.add_subcommand("events", "Show what happens to images, as it happens");
  command->add_option("--since", arguments->since,
                      "Go on after the event with this token, which --json shows");
  command
      ->add_option("-f,--filter", arguments->filters,
                   "type=push|pull|tag|untag|delete or repository=NAME; several types add up")
      ->check([](const std::string& filter) {
        WatchOptions ignored;
        return std::string(AddFilter(filter, &ignored).message());
      });
  command->add_flag("--follow,!--no-follow", arguments->follow,
                    "Wait for new events (default); or show those that are kept, and end");
  command->add_flag("--json", arguments->json, "One JSON object an event, one a line");
  command->callback([&session, arguments] {
    session.action = [&session, arguments] { return ShowEvents(session, *arguments); };
  });
}

}  // namespace

void AddSystemCommands(CLI::App& app, Session& session) {
  CLI::App* const group = app.add_subcommand("system", "Look at the daemon and its store");
  group->require_subcommand(1);
  AddInfo(*group, session);
  AddUsage(*group, session);
  AddEvents(*group, session);
}

}  // namespace varve

// `system df`, and its short form `df`.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "client/cli/action.h"
#include "client/cli/commands.h"
#include "client/cli/listing.h"
#include "client/cli/text.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

struct UsageArguments {
  bool verbose = false;
  bool json = false;
  std::string format;
};

using Rows = std::vector<std::vector<std::string>>;

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
      .Add("images", usage.images)
      .AddJson("tagged", PartJson(usage.tagged))
      .AddJson("in_use", PartJson(usage.in_use))
      .AddJson("dangling", PartJson(usage.dangling))
      .AddJson("unused", PartJson(usage.unused))
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

const std::vector<FormatColumn>& UsageColumns() {
  static const auto& columns = *new std::vector<FormatColumn>{{"Type", "TYPE"},
                                                              {"TotalCount", "TOTAL"},
                                                              {"Tagged", "TAGGED"},
                                                              {"Active", "ACTIVE"},
                                                              {"Size", "SIZE"},
                                                              {"Dangling", "DANGLING"},
                                                              {"Reclaimable", "RECLAIMABLE"}};
  return columns;
}

// Sizes are what the disk gives back when the files go.
Rows UsageRows(const DiskUsage& usage) {
  const uint64_t image_bytes = usage.tagged.disk_bytes + usage.dangling.disk_bytes;
  const uint64_t waiting_bytes = usage.unreferenced.disk_bytes;
  const uint64_t loose_bytes = usage.loose.disk_bytes;
  Rows rows = {
      {"Images", StrCat(usage.images), StrCat(usage.tagged.count), StrCat(usage.in_use.count),
       HumanSize(image_bytes), Reclaimable(usage.dangling.disk_bytes, image_bytes),
       Reclaimable(usage.unused.disk_bytes, image_bytes)},
      {"Blobs (files)", StrCat(usage.loose.count), "-", "-", HumanSize(loose_bytes),
       Reclaimable(usage.dangling.disk_bytes + waiting_bytes, loose_bytes),
       Reclaimable(usage.unused.disk_bytes + waiting_bytes, loose_bytes)},
      {"Blobs (small)", StrCat(usage.inlined.count), "-", "-",
       HumanSize(usage.inlined.logical_bytes), "-", "-"},
      {"Index", "-", "-", "-", HumanSize(usage.index_disk_bytes), "-", "-"},
      {"Uploads", StrCat(usage.uploads.count), "-", StrCat(usage.uploads.count),
       HumanSize(usage.uploads.disk_bytes), "-", "-"}};
  if (usage.reserve_disk_bytes > 0) {
    rows.push_back({"Reserve", "-", "-", "-", HumanSize(usage.reserve_disk_bytes), "-", "-"});
  }
  // Only after damage of the index. How much of it nothing needs is known once it is hashed.
  if (usage.orphans.count > 0) {
    rows.push_back({"Orphans", StrCat(usage.orphans.count), "-", "-",
                    HumanSize(usage.orphans.disk_bytes), "-", "-"});
  }
  return rows;
}

const std::vector<FormatColumn>& PartColumns() {
  static const auto& columns = *new std::vector<FormatColumn>{
      {"Part", "PART"}, {"Count", "COUNT"}, {"LogicalSize", "AS PUSHED"}, {"DiskSize", "ON DISK"}};
  return columns;
}

std::vector<std::string> PartRow(const std::string& name, const DiskUsage::Part& part) {
  return {name, StrCat(part.count), HumanSize(part.logical_bytes), HumanSize(part.disk_bytes)};
}

Rows PartRows(const DiskUsage& usage) {
  Rows rows = {PartRow("Tagged images", usage.tagged),
               PartRow("Images in use", usage.in_use),
               PartRow("Dangling images", usage.dangling),
               PartRow("Unused images", usage.unused),
               PartRow("Blobs (files)", usage.loose),
               {"Blobs (small)", StrCat(usage.inlined.count),
                HumanSize(usage.inlined.logical_bytes), "in the index"},
               PartRow("Unreferenced blobs", usage.unreferenced),
               PartRow("Uploads", usage.uploads),
               {"Index", "-", "-", HumanSize(usage.index_disk_bytes)}};
  if (usage.reserve_disk_bytes > 0) {
    rows.push_back({"Reserve", "-", "-", HumanSize(usage.reserve_disk_bytes)});
  }
  if (usage.orphans.count > 0) rows.push_back(PartRow("Orphans", usage.orphans));
  return rows;
}

// "10m0s": exactly, where HumanDuration would say "About a minute".
std::string SpanText(int64_t nanos) { return absl::FormatDuration(absl::Nanoseconds(nanos)); }

std::string UsageSummary(const DiskUsage& usage, int64_t promise_nanos) {
  return StrCat(
      "\n`varve image prune` would remove ", Counted(usage.dangling.count, "image", "images"),
      " and give back ", HumanSize(usage.dangling.disk_bytes), ", `varve image prune -a` ",
      Counted(usage.unused.count, "image", "images"), " and ", HumanSize(usage.unused.disk_bytes),
      ". ", Counted(usage.unreferenced.count, "blob", "blobs"), " of ",
      HumanSize(usage.unreferenced.disk_bytes), " on disk ",
      usage.unreferenced.count == 1 ? "waits" : "wait", " for the reclaimer.",
      promise_nanos == 0
          ? "\n"
          : StrCat(" All leave for later what was pushed, pulled or asked for less than ",
                   SpanText(promise_nanos), " ago (`--now` does not).\n"),
      usage.inlined.count == 0 ? ""
                               : "Small blobs are kept in the index: their size is as pushed, and "
                                 "part of the index's.\n",
      usage.reserve_disk_bytes == 0
          ? ""
          : "The reserve is what is set aside, so that deletions work on a full disk.\n",
      usage.orphans.count == 0
          ? ""
          : "Orphans are files that the index lost: `varve fsck --adopt` gives "
            "back what is needed, --drop-orphans then removes the rest.\n");
}

const std::vector<FormatColumn>& ColumnsOf(const UsageArguments& arguments) {
  return arguments.verbose ? PartColumns() : UsageColumns();
}

absl::Status ShowUsage(Session& session, const UsageArguments& arguments) {
  const std::vector<FormatColumn>& columns = ColumnsOf(arguments);
  ASSIGN_OR_RETURN(FormattedListing listing, CreateListing(arguments.format, columns));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const DiskUsage usage, client->MeasureDiskUsage());
  if (arguments.json) {
    Print(UsageJson(usage));
    return absl::OkStatus();
  }
  std::vector<FormatValue> values;
  for (std::vector<std::string>& row : arguments.verbose ? PartRows(usage) : UsageRows(usage)) {
    values.push_back(RowValue(columns, std::move(row)));
  }
  ASSIGN_OR_RETURN(const std::string table, listing.Format(values));
  if (!arguments.format.empty()) {
    Print(table);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const DaemonInfo daemon, client->Info());
  const std::string counts =
      arguments.verbose ? StrCat(Counted(usage.repositories, "repository, ", "repositories, "),
                                 Counted(usage.tags, "tag\n\n", "tags\n\n"))
                        : "";
  Print(StrCat(counts, table, UsageSummary(usage, daemon.store.promise_nanos)));
  return absl::OkStatus();
}

void SetUpUsage(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<UsageArguments>();
  command.add_flag("-v,--verbose", arguments->verbose,
                   "Show every part, with the bytes as they were pushed and those on disk");
  CLI::Option* const json =
      command.add_flag("--json", arguments->json, "Print a JSON object, sizes in bytes");
  AddFormatOption(command, "--format", arguments->format, /*table=*/true)->excludes(json);
  SetAction(command, session, arguments, ShowUsage, [](const UsageArguments& checked) {
    CheckUsage(CreateListing(checked.format, ColumnsOf(checked)).status());
  });
}

constexpr char kHelp[] =
    "Show what the disk space is used for. SIZE is what it takes of the disk, each blob once; "
    "ACTIVE images are those that a hold keeps; DANGLING is what a prune and the reclaimer give "
    "back, RECLAIMABLE what a prune of all images and the reclaimer do";

}  // namespace

CommandGroup UsageCommand() {
  return {.name = "system",
          .commands = {
              {.name = "df",
               .help = kHelp,
               .examples = {{"varve system df", "What the disk is used for"},
                            {"varve system df -v", "By part, as pushed and on disk"},
                            {"varve df --format '{{.Type}}: {{.Reclaimable}}'", "For a script"}},
               .set_up = SetUpUsage,
               .short_forms = {"df"}}}};
}

}  // namespace varve

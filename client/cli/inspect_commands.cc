// `image inspect` and `image history`.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/action.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/format_template.h"
#include "client/cli/image_description.h"
#include "client/cli/inspect_value.h"
#include "client/cli/listing.h"
#include "client/cli/text.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

struct InspectArguments {
  std::vector<std::string> names;
  std::string platform;
  std::string format;
  bool json = false;
  bool raw = false;
};

struct HistoryArguments {
  std::string name;
  std::string platform;
  bool human = true;
  bool no_trunc = false;
  bool quiet = false;
  bool json = false;
  std::string format;
};

// Where an image that was found by name is, and by what to ask for it.
struct Place {
  std::string repository;
  ManifestReference reference;
};

absl::StatusOr<Place> FindPlace(Client& client, const std::string& name) {
  ASSIGN_OR_RETURN(const ImageMatch match, client.FindImage(name));
  if (!match.tag.empty()) return Place{match.places[0].repository, match.tag};
  return Place{match.places[0].repository, match.manifest};
}

absl::StatusOr<ImageDetails> Details(Client& client, const std::string& name,
                                     const std::string& platform) {
  ASSIGN_OR_RETURN(const Place place, FindPlace(client, name));
  return client.InspectImage(place.repository, place.reference, platform);
}

absl::StatusOr<std::string> Render(const FormatTemplate& wanted, const std::string& json) {
  ASSIGN_OR_RETURN(const FormatValue value, InspectValue(json));
  ASSIGN_OR_RETURN(std::string line, wanted.Render(value));
  return line + "\n";
}

absl::Status Inspect(Session& session, const InspectArguments& arguments) {
  ASSIGN_OR_RETURN(const FormatTemplate wanted, FormatTemplate::ParseRow(arguments.format));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  std::string all;
  std::vector<absl::Status> failures;
  for (const std::string& name : arguments.names) {
    const absl::StatusOr<ImageDetails> details = Details(*client, name, arguments.platform);
    if (!details.ok()) {
      failures.push_back(details.status());
      continue;
    }
    const std::string description = DescribeImageJson(*details);
    if (!arguments.format.empty()) {
      const absl::StatusOr<std::string> line = Render(wanted, description);
      if (line.ok()) Print(*line);
      if (!line.ok()) failures.push_back(line.status());
    } else if (arguments.json) {
      Print(description + "\n");
    } else {
      all += StrCat(all.empty() ? "" : ",", description);
    }
  }
  // As Docker does, what was found is shown also when other names are unknown.
  const bool as_array = !arguments.json && arguments.format.empty();
  if (as_array) Print(IndentJson(StrCat("[", all, "]")) + "\n");
  for (const absl::Status& failure : failures) session.Tell(failure);
  return failures.empty() ? absl::OkStatus() : failures.front();
}

// The manifest as it was put: read as a blob, for looking at an image is no pull of it.
absl::Status PrintManifest(Session& session, const InspectArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const ImageMatch match, client->FindImage(arguments.names[0]));
  Digest manifest = match.manifest;
  if (!arguments.platform.empty()) {
    ASSIGN_OR_RETURN(
        const ImageDetails details,
        client->InspectImage(match.places[0].repository, manifest, arguments.platform));
    if (!details.described) {
      return absl::NotFoundError(StrCat(arguments.names[0], ": the image for ", arguments.platform,
                                        " is listed by the index, but is not here; push it"));
    }
    manifest = *details.described;
  }
  std::string bytes;
  const ByteSink sink = [&bytes](std::string_view piece) {
    bytes.append(piece);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(client->GetBlob(manifest, sink, GetBlobOptions()).status());
  Print(bytes);
  return absl::OkStatus();
}

std::string CreatedSince(const HistoryEntry& entry, bool human, int64_t now_nanos) {
  if (!entry.created_nanos) return "N/A";
  if (!human) return TimeText(*entry.created_nanos);
  return HumanAge(*entry.created_nanos, now_nanos);
}

std::string JsonRow(const std::string& id, const HistoryEntry& entry) {
  JsonObject row;
  row.Add("id", id).Add("created_by", entry.created_by);
  if (entry.created_nanos) row.Add("created", TimeText(*entry.created_nanos));
  return row.Add("size_bytes", entry.size_bytes)
      .Add("empty_layer", entry.empty_layer)
      .Add("author", entry.author)
      .Add("comment", entry.comment)
      .Line();
}

// One line, at most `limit` bytes of it, cut between characters.
std::string OneLine(const std::string& text, size_t limit) {
  std::string line;
  for (const char c : text) line.push_back(c == '\n' || c == '\t' ? ' ' : c);
  if (line.size() <= limit) return line;
  size_t end = limit - 3;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) --end;
  return line.substr(0, end) + "…";
}

// What --format can show: Docker's names.
const std::vector<FormatColumn>& HistoryColumns() {
  static const auto& columns = *new std::vector<FormatColumn>{{"ID", "IMAGE"},
                                                              {"CreatedSince", "CREATED"},
                                                              {"CreatedAt", "CREATED AT"},
                                                              {"CreatedBy", "CREATED BY"},
                                                              {"Size", "SIZE"},
                                                              {"Comment", "COMMENT"}};
  return columns;
}

FormatValue HistoryRow(const std::string& id, const HistoryEntry& entry,
                       const HistoryArguments& arguments, int64_t now_nanos) {
  constexpr size_t kCommandBytes = 45;  // as wide as Docker's column
  const size_t limit = arguments.no_trunc ? std::string::npos : kCommandBytes;
  return RowValue(
      HistoryColumns(),
      {id, CreatedSince(entry, arguments.human, now_nanos),
       entry.created_nanos ? TimeText(*entry.created_nanos) : "N/A",
       OneLine(entry.created_by, limit),
       arguments.human ? HumanSize(entry.size_bytes) : StrCat(entry.size_bytes), entry.comment});
}

absl::StatusOr<FormattedListing> HistoryListing(const HistoryArguments& arguments) {
  return FormattedListing::Create(
      arguments.quiet ? "{{.ID}}" : arguments.format, HistoryColumns(),
      "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}");
}

absl::Status History(Session& session, const HistoryArguments& arguments) {
  ASSIGN_OR_RETURN(FormattedListing listing, HistoryListing(arguments));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const Place place, FindPlace(*client, arguments.name));
  ASSIGN_OR_RETURN(const ManifestInfo manifest,
                   client->StatManifest(place.repository, place.reference));
  ASSIGN_OR_RETURN(const std::vector<HistoryEntry> history,
                   client->ImageHistory(place.repository, place.reference, arguments.platform));
  const int64_t now_nanos = SystemClock().WallNanos();
  std::vector<FormatValue> rows;
  std::string text;
  for (auto entry = history.rbegin(); entry != history.rend(); ++entry) {
    // Only the newest step has an image of its own; the others came with it.
    const bool newest = entry == history.rbegin();
    const Digest& id = manifest.digest;
    const std::string shown = !newest                                ? "<missing>"
                              : arguments.no_trunc || arguments.json ? id.ToString()
                                                                     : ShortId(id);
    if (arguments.json) {
      text += JsonRow(shown, *entry);
    } else {
      rows.push_back(HistoryRow(shown, *entry, arguments, now_nanos));
    }
  }
  if (!arguments.json) {
    ASSIGN_OR_RETURN(text, listing.Format(rows));
  }
  Print(text);
  return absl::OkStatus();
}

void SetUpInspect(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<InspectArguments>();
  command.add_option("IMAGE", arguments->names, "REPOSITORY[:TAG], REPOSITORY@DIGEST or image id")
      ->required();
  command.add_option("--platform", arguments->platform,
                     "Of a multi-platform image: which one, OS/ARCH[/VARIANT]");
  CLI::Option* const json = command.add_flag("--json", arguments->json, "One JSON object a line");
  command.add_option("-f,--format", arguments->format, "For instance '{{json .Config.Env}}'")
      ->type_name("TEMPLATE")
      ->excludes(json);
  command.add_flag("--raw", arguments->raw, "Print the manifest of one image, byte for byte")
      ->excludes("--json")
      ->excludes("--format");
  command.callback([&session, arguments] {
    const absl::Status format = FormatTemplate::ParseRow(arguments->format).status();
    if (!format.ok()) throw CLI::ValidationError(std::string(format.message()));
    if (arguments->raw && arguments->names.size() > 1) {
      throw CLI::ValidationError("--raw", "prints the manifest of one image at a time");
    }
    session.action = [&session, arguments] {
      return arguments->raw ? PrintManifest(session, *arguments) : Inspect(session, *arguments);
    };
  });
}

void SetUpHistory(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<HistoryArguments>();
  command.add_option("IMAGE", arguments->name, "REPOSITORY[:TAG], REPOSITORY@DIGEST or image id")
      ->required();
  command.add_option("--platform", arguments->platform,
                     "Of a multi-platform image: which one, OS/ARCH[/VARIANT]");
  command.add_flag("-H,--human,!--no-human", arguments->human, "Sizes and times for people");
  command.add_flag("--no-trunc", arguments->no_trunc, "Show commands and ids in full");
  CLI::Option* const quiet = command.add_flag("-q,--quiet", arguments->quiet, "Show ids only");
  CLI::Option* const json = command.add_flag("--json", arguments->json, "One JSON object a line");
  AddFormatOption(command, "--format", arguments->format, /*table=*/true)
      ->excludes(quiet)
      ->excludes(json);
  SetAction(command, session, arguments, History,
            [](const HistoryArguments& checked) { CheckUsage(HistoryListing(checked).status()); });
}

}  // namespace

CommandGroup InspectCommands() {
  return {
      .name = "image",
      .commands = {
          {.name = "inspect",
           .help = "Show everything known about images",
           .examples = {{"varve image inspect app:v1", "All that is known about an image, as JSON"},
                        {"varve image inspect --platform linux/arm64 app:v1",
                         "One platform of several"},
                        {"varve image inspect --raw app:v1 | sha256sum", "The manifest itself"},
                        {"varve inspect $(varve images -q)", "All images"}},
           .set_up = SetUpInspect,
           .short_forms = {"inspect"}},
          {.name = "history",
           .help = "Show how an image was made",
           .examples = {{"varve image history app:v1", "The steps that made an image"},
                        {"varve history --format '{{.Size}} {{.CreatedBy}}' app:v1",
                         "For a script"}},
           .set_up = SetUpHistory,
           .short_forms = {"history"}}}};
}

}  // namespace varve

// `system events`, and its short form `events`.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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
#include "storage/image/canonical_name.h"
#include "storage/image/time_text.h"

namespace varve {
namespace {

struct EventArguments {
  std::string since;
  std::string until;
  std::vector<std::string> filters;
  bool follow = true;
  bool json = false;
  std::string format;
};

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
  ASSIGN_OR_RETURN(std::string repository, StoredName(value));
  if (!options->repository.empty() && options->repository != repository) {
    return absl::InvalidArgumentError("only one repository can be watched at a time");
  }
  options->repository = std::move(repository);
  return absl::OkStatus();
}

// "repository:tag" as people see it, or the repository alone.
std::string NameOf(const Event& event) {
  const std::string repository = ShownName(event.repository);
  return event.tag.empty() ? repository : StrCat(repository, ":", event.tag);
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
      .Add("repository", ShownName(event.repository))
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
  const std::string name = NameOf(event);
  return StrCat(TimeText(event.time_nanos), " image ", EventTypeName(event.type), " ",
                Printable(name), " (digest=", event.digest.ToString(), ")\n");
}

// What --format can show: Docker's names, and Varve's own.
const std::vector<std::string>& EventFields() {
  static const auto& fields = *new std::vector<std::string>{
      "Action", "Actor", "Digest", "FreedBytes", "ID",    "Repository", "Scope",
      "Status", "Tag",   "Time",   "TimeNano",   "Token", "Type"};
  return fields;
}

FormatValue EventValue(const Event& event, const std::string& token) {
  const bool of_image = event.type != Event::Type::kPrune;
  const std::string name = NameOf(event);
  const std::string digest = of_image ? event.digest.ToString() : "";
  const std::string freed = StrCat(event.freed_bytes);
  FormatValue::Members attributes;
  if (of_image) {
    attributes = {{"digest", digest}, {"name", name}};
  } else {
    attributes = {{"reclaimed", freed}};
  }
  return FormatValue::Object(
      {{"Action", EventTypeName(event.type)},
       {"Actor", FormatValue::Object(
                     {{"ID", name}, {"Attributes", FormatValue::Map(std::move(attributes))}})},
       {"Digest", digest},
       {"FreedBytes", FormatValue::Number(static_cast<int64_t>(event.freed_bytes))},
       {"ID", name},
       {"Repository", ShownName(event.repository)},
       {"Scope", "local"},
       {"Status", EventTypeName(event.type)},
       {"Tag", event.tag},
       {"Time", FormatValue::Number(event.time_nanos / kNanosPerSecond)},
       {"TimeNano", FormatValue::Number(event.time_nanos)},
       {"Token", token},
       {"Type", "image"}});
}

// From when to when events are shown.
struct EventSpan {
  int64_t since_nanos = INT64_MIN;
  int64_t until_nanos = INT64_MAX;
};

// What --since and --until say, in `options` too.
absl::StatusOr<EventSpan> SpanOf(const EventArguments& arguments, WatchOptions* options) {
  EventSpan span;
  const TimeReference now = LocalTimeReference(SystemClock());
  options->follow = arguments.follow;
  if (!arguments.until.empty()) {
    ASSIGN_OR_RETURN(span.until_nanos, ParseTimeOrDuration(arguments.until, now));
    if (span.until_nanos > now.now_nanos) {
      return absl::InvalidArgumentError("--until takes a time that has passed, such as 0s");
    }
    options->follow = false;
  }
  if (const absl::StatusOr<int64_t> since = ParseTimeOrDuration(arguments.since, now); since.ok()) {
    span.since_nanos = *since;
  } else {
    options->token = arguments.since;
  }
  // Without following, there is nothing to see but what has been.
  options->from_oldest = !options->follow || span.since_nanos != INT64_MIN;
  return span;
}

absl::Status ShowEvents(Session& session, const EventArguments& arguments) {
  WatchOptions options;
  for (const std::string& filter : arguments.filters) RETURN_IF_ERROR(AddFilter(filter, &options));
  ASSIGN_OR_RETURN(const EventSpan span, SpanOf(arguments, &options));
  ASSIGN_OR_RETURN(const FormatTemplate wanted,
                   FormatTemplate::ParseRow(arguments.format, EventFields()));
  const bool token_of_person = !options.token.empty();
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  absl::Status unfit;  // what is seen for the template
  bool heard = false;
  const auto show = [&](const Event& event, const std::string& token) {
    heard = true;
    options.token = token;
    if (event.time_nanos < span.since_nanos || event.time_nanos > span.until_nanos) return true;
    std::string text = arguments.json ? EventJson(event, token) : EventLine(event);
    if (!arguments.format.empty()) {
      const absl::StatusOr<std::string> line = wanted.Render(EventValue(event, token));
      unfit = line.status();
      if (!unfit.ok()) return false;
      text = *line + "\n";
    }
    // Each at once: whoever reads waits for it.
    return Print(text) && FlushOutput().ok();
  };
  for (;;) {
    const absl::Status status = client->WatchEvents(options, show);
    RETURN_IF_ERROR(unfit);
    // A daemon that starts again has another log: what it keeps of it is all new.
    const bool unknown_token = token_of_person && !heard;
    if (!absl::IsOutOfRange(status) || !options.follow || unknown_token) return status;
    PrintError("the daemon was started again; events may have been missed in between");
    options.token.clear();
    options.from_oldest = true;
    heard = true;
  }
}

void SetUpEvents(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<EventArguments>();
  command.add_option("--since", arguments->since,
                     "From this time or so long ago on (10m), as far as they are kept; or go on "
                     "after the event with this token, which --json shows");
  command.add_option("--until", arguments->until,
                     "Up to this time, which has passed (0s: now), and end");
  command
      .add_option("-f,--filter", arguments->filters,
                  "type=push|pull|tag|untag|delete or repository=NAME; several types add up")
      ->check([](const std::string& filter) {
        WatchOptions ignored;
        return std::string(AddFilter(filter, &ignored).message());
      });
  command.add_flag("--follow,!--no-follow", arguments->follow,
                   "Wait for new events (default); or show those that are kept, and end");
  CLI::Option* const json =
      command.add_flag("--json", arguments->json, "One JSON object an event, one a line");
  AddFormatOption(command, "--format", arguments->format, /*table=*/false)->excludes(json);
  SetAction(command, session, arguments, ShowEvents, [](const EventArguments& checked) {
    CheckUsage(FormatTemplate::ParseRow(checked.format, EventFields()).status());
  });
}

}  // namespace

CommandGroup EventsCommand() {
  return {
      .name = "system",
      .commands = {
          {.name = "events",
           .help = "Show what happens to images, as it happens",
           .examples = {{"varve system events", "Pushes, pulls, tags and deletions as they happen"},
                        {"varve events --since 1h --until 0s", "Those of the last hour"}},
           .set_up = SetUpEvents,
           .short_forms = {"events"}}}};
}

}  // namespace varve

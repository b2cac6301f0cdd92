// `image prune`, and its short forms `prune` and `system prune`.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/ascii.h"
#include "client/cli/action.h"
#include "client/cli/commands.h"
#include "client/cli/image_description.h"
#include "client/cli/listing.h"
#include "client/cli/progress.h"
#include "client/cli/removal_text.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"
#include "storage/api/pruning.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/image_filter.h"
#include "storage/image/time_text.h"

namespace varve {
namespace {

struct PruneArguments {
  std::vector<std::string> filters;
  bool all = false;
  bool dry_run = false;
  bool force = false;
  bool now = false;
  bool detach = false;
  bool list = false;
  std::string attach;  // a job
  std::string cancel;
  bool json = false;
  std::string format;          // of list
  bool is_short_form = false;  // `prune` or `system prune`

  PruneRequest Request() const { return {filters, dry_run, all, now}; }
};

// Whether the filters say what -a says.
bool MeansAll(const PruneArguments& arguments) {
  return arguments.all || std::any_of(arguments.filters.begin(), arguments.filters.end(),
                                      [](const std::string& filter) {
                                        return filter == "dangling=false" || filter == "dangling=0";
                                      });
}

std::string FilterText(const std::vector<std::string>& filters) {
  std::string text;
  for (const std::string& filter : filters) {
    text += StrCat(text.empty() ? "  Images to be pruned will be filtered with:\n" : "", "  - ",
                   filter, "\n");
  }
  return text;
}

// What a prune would do. At a terminal it shows how far it is: on a large store it takes seconds.
absl::StatusOr<PruneReport> Count(Client& client, const PruneArguments& arguments) {
  PruneRequest request = arguments.Request();
  request.dry_run = true;
  Progress progress(ProgressOnStandardError(/*quiet=*/!IsTerminal(STDERR_FILENO)));
  const Progress::Row row = progress.Add("images", std::nullopt, "counting");
  uint64_t going = 0;
  uint64_t looked_at = 0;
  absl::StatusOr<PruneReport> plan = client.Prune(request, [&](const PruneStep& step) {
    if (step.kind == PruneStep::Kind::kRemoved) ++going;
    looked_at = std::max(looked_at, step.looked_at);
    progress.SetState(row, StrCat(going, " would go, ", looked_at, " looked at"));
    return true;
  });
  progress.Complete(row, plan.ok() ? "counted" : "failed");
  return plan;
}

// What the prune is about to do; for all images, how much that is.
absl::StatusOr<std::string> Warning(Client& client, const PruneArguments& arguments) {
  const std::string filters = FilterText(arguments.filters);
  if (!MeansAll(arguments)) {
    return StrCat("WARNING! This will remove all dangling images.\n", filters);
  }
  ASSIGN_OR_RETURN(const PruneReport plan, Count(client, arguments));
  ASSIGN_OR_RETURN(const HoldPage holds, client.ListHolds("", 1));
  std::string text =
      StrCat("WARNING! This will remove all images without at least one hold on them: ",
             Plural(plan.images, "image"), " with ", Plural(plan.untagged, "tag"), ", ",
             HumanSize(plan.content_bytes), ".\n", filters);
  if (holds.holds.empty()) {
    text += "There are no holds: nothing says which images containers use.\n";
  }
  return text;
}

// Asks whoever is at standard input, which may be a pipe.
absl::StatusOr<bool> Confirm(Client& client, const PruneArguments& arguments) {
  ASSIGN_OR_RETURN(const std::string warning, Warning(client, arguments));
  const std::string note =
      arguments.is_short_form
          ? "This is `varve image prune`: only images, and what only they keep, can be pruned.\n"
          : "";
  const std::string question = StrCat(note, warning, "Are you sure you want to continue? [y/N] ");
  if (arguments.json) {
    PrintWarning(question);  // what is printed is for a program
  } else {
    Print(question);
  }
  RETURN_IF_ERROR(FlushOutput());
  std::string answer;
  if (!std::getline(std::cin, answer) && answer.empty()) {
    if (!arguments.json) Print("\n");
    if (IsTerminal(STDIN_FILENO)) return false;
    return absl::InvalidArgumentError(
        "there is nobody to ask, so nothing was removed: use --force, or --dry-run to look");
  }
  absl::StripAsciiWhitespace(&answer);
  absl::AsciiStrToLower(&answer);
  return answer == "y" || answer == "yes";
}

std::string StepJson(const PruneStep& step, bool dry_run) {
  if (step.kind == PruneStep::Kind::kStarted || step.kind == PruneStep::Kind::kQueued) return {};
  const std::string name =
      StrCat(ShownName(step.image.repository), "@", step.image.manifest.digest.ToString());
  JsonObject object;
  if (step.kind == PruneStep::Kind::kRemoved) {
    object.Add(dry_run ? "would_delete" : "deleted", name)
        .Add("image_id", step.image.manifest.digest.ToString())
        .Add("size_bytes", step.image.total_bytes)
        .Add(dry_run ? "would_untag" : "untagged", ShownNames(step.untagged));
    return object.Line();
  }
  object.Add(step.kind == PruneStep::Kind::kSkipped ? "skipped" : "deferred", name)
      .Add("reason", step.reason);
  if (step.until_nanos != 0) object.Add("until", TimeText(step.until_nanos));
  return object.Line();
}

std::string ReportJson(const PruneReport& report, bool dry_run) {
  JsonObject object;
  object.Add("dry_run", dry_run)
      .Add("images", report.images)
      .Add("untagged", report.untagged)
      .Add("content_bytes", report.content_bytes)
      .Add("freed_bytes", report.freed_bytes)
      .Add("deferred", report.deferred)
      .Add("deferred_bytes", report.deferred_bytes)
      .Add("skipped", report.skipped);
  if (report.deferred_until_nanos != 0) {
    object.Add("deferred_until", TimeText(report.deferred_until_nanos));
  }
  return object.Line();
}

volatile std::sig_atomic_t interrupted = 0;

void NoteInterrupt(int /*signal*/) { interrupted = 1; }

// From now on Ctrl-C leaves the prune, which then says what it did; a second one ends the process.
void LeaveOnInterrupt() {
  struct sigaction action {};
  action.sa_handler = NoteInterrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
}

// The job once it has ended, or as it stands while others follow it; nullopt when the daemon knows
// no such job any more.
absl::StatusOr<std::optional<PruneJob>> AwaitEnd(Client& client, const std::string& id) {
  constexpr int kTries = 50;
  constexpr std::chrono::milliseconds kPause{200};
  for (int i = 0;; ++i) {
    ASSIGN_OR_RETURN(const std::vector<PruneJob> jobs, client.ListPrunes());
    const auto job =
        std::find_if(jobs.begin(), jobs.end(), [&](const PruneJob& one) { return one.id == id; });
    if (job == jobs.end()) return std::optional<PruneJob>();
    if (job->ended_nanos != 0 || i == kTries) return std::optional<PruneJob>(*job);
    std::this_thread::sleep_for(kPause);
  }
}

// What a prune did that was cut short.
absl::Status TellCutShort(Client& client, const PruneArguments& arguments, const std::string& id,
                          const PruneText& lines) {
  ASSIGN_OR_RETURN(const std::optional<PruneJob> job, AwaitEnd(client, id));
  if (!job.has_value()) return absl::OkStatus();
  Print(arguments.json ? ReportJson(job->report, /*dry_run=*/false) : lines.Report(job->report));
  if (job->ended_nanos == 0) {
    PrintWarning(StrCat("The prune ", id, " goes on; varve image prune --list shows it.\n"));
  }
  return absl::OkStatus();
}

absl::Status Show(Client& client, const PruneArguments& arguments,
                  const std::function<absl::StatusOr<PruneReport>(const PruneObserver&)>& prune) {
  PruneText lines(arguments.dry_run);
  std::string job;
  bool unread = false;  // nobody takes what is printed
  if (!arguments.dry_run) LeaveOnInterrupt();
  const absl::StatusOr<PruneReport> report = prune([&](const PruneStep& step) {
    if (step.kind == PruneStep::Kind::kStarted) job = step.job;
    const std::string text = arguments.json ? StepJson(step, arguments.dry_run) : lines.Step(step);
    unread = !text.empty() && !Print(text);
    return !unread && interrupted == 0;
  });
  if (absl::IsCancelled(report.status()) && !unread && !job.empty()) {
    RETURN_IF_ERROR(TellCutShort(client, arguments, job, lines));
  }
  if (interrupted != 0 && !report.ok()) {
    (void)FlushOutput();
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  }
  RETURN_IF_ERROR(report.status());
  Print(arguments.json ? ReportJson(*report, arguments.dry_run) : lines.Report(*report));
  return absl::OkStatus();
}

std::string_view StateName(PruneJob::State state) {
  switch (state) {
    case PruneJob::State::kQueued:
      return "queued";
    case PruneJob::State::kRunning:
      return "running";
    case PruneJob::State::kDone:
      return "done";
    case PruneJob::State::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

const std::vector<FormatColumn>& JobColumns() {
  static const auto& columns = *new std::vector<FormatColumn>{{"ID", "JOB"},
                                                              {"State", "STATE"},
                                                              {"Filters", "FILTERS"},
                                                              {"Images", "IMAGES"},
                                                              {"QueuedAt", "ASKED FOR"}};
  return columns;
}

std::string JobJson(const PruneJob& job) {
  return JsonObject()
      .Add("job", job.id)
      .Add("state", StateName(job.state))
      .Add("all", job.request.all)
      .Add("now", job.request.now)
      .Add("filters", job.request.filters)
      .Add("queued", TimeText(job.queued_nanos))
      .Add("images", job.report.images)
      .Add("freed_bytes", job.report.freed_bytes)
      .Add("error", job.error)
      .Line();
}

absl::Status ListJobs(Client& client, const PruneArguments& arguments) {
  ASSIGN_OR_RETURN(FormattedListing listing, CreateListing(arguments.format, JobColumns()));
  ASSIGN_OR_RETURN(const std::vector<PruneJob> jobs, client.ListPrunes());
  std::string text;
  std::vector<FormatValue> rows;
  for (const PruneJob& job : jobs) {
    text += JobJson(job);
    std::string filters = job.request.all ? "-a" : "";
    if (job.request.now) filters += filters.empty() ? "--now" : " --now";
    for (const std::string& filter : job.request.filters) {
      filters += StrCat(filters.empty() ? "" : " ", filter);
    }
    rows.push_back(RowValue(JobColumns(), {job.id, std::string(StateName(job.state)), filters,
                                           StrCat(job.report.images),
                                           HumanAge(job.queued_nanos, SystemClock().WallNanos())}));
  }
  if (!arguments.json) {
    ASSIGN_OR_RETURN(text, listing.Format(rows));
  }
  Print(text);
  return absl::OkStatus();
}

absl::Status Prune(Session& session, const PruneArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  if (arguments.list) return ListJobs(*client, arguments);
  if (!arguments.cancel.empty()) return client->CancelPrune(arguments.cancel);
  if (!arguments.attach.empty()) {
    return Show(*client, arguments, [&](const PruneObserver& observer) {
      return client->AttachPrune(arguments.attach, observer);
    });
  }
  // Before anybody is asked or warned.
  RETURN_IF_ERROR(
      ParseImageFilter(arguments.filters, PruneFilterKeys(), LocalTimeReference(SystemClock()))
          .status());
  if (arguments.now && !arguments.dry_run) {
    ASSIGN_OR_RETURN(const RecentActivity activity, client->ListActivity());
    PrintWarning(EarlyEndText(activity, SystemClock().WallNanos()));
  }
  if (!arguments.force && !arguments.dry_run) {
    ASSIGN_OR_RETURN(const bool agreed, Confirm(*client, arguments));
    if (!agreed) return absl::OkStatus();
  }
  if (arguments.detach) {
    ASSIGN_OR_RETURN(const std::string job, client->StartPrune(arguments.Request()));
    Print(arguments.json ? JsonObject().Add("job", job).Line() : job + "\n");
    return absl::OkStatus();
  }
  return Show(*client, arguments, [&](const PruneObserver& observer) {
    return client->Prune(arguments.Request(), observer);
  });
}

constexpr char kWhatGoes[] = " images that no tag names and nothing needs";

void SetUpPrune(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<PruneArguments>();
  arguments->is_short_form = command.get_parent()->get_name() != "image";
  if (arguments->is_short_form) command.description(StrCat("As image prune: remove", kWhatGoes));
  command.add_flag("-a,--all", arguments->all, "Every image that is not in use, with its tags");
  command.add_option("--filter", arguments->filters,
                     "until=, label=, label!=, reference=, unused-for=, keep-last=");
  command.add_flag("--dry-run", arguments->dry_run, "Show what would be removed");
  command.add_flag("-f,--force", arguments->force, "Do not ask");
  command.add_flag("--now", arguments->now,
                   "Also what clients were promised: end all promises first");
  CLI::Option* const detach =
      command.add_flag("-d,--detach", arguments->detach, "Print the job's id and let it work");
  CLI::Option* const list =
      command.add_flag("--list", arguments->list, "The prunes that run, wait, or ended lately");
  CLI::Option* const attach =
      command.add_option("--attach", arguments->attach, "Follow the prune with this id");
  CLI::Option* const cancel =
      command.add_option("--cancel", arguments->cancel, "End the prune with this id");
  CLI::Option* const json =
      command.add_flag("--json", arguments->json, "One JSON object a line, the report last");
  AddFormatOption(command, "--format", arguments->format, /*table=*/true)
      ->needs(list)
      ->excludes(json);
  list->excludes(attach)->excludes(cancel)->excludes(detach);
  attach->excludes(cancel)->excludes(detach);
  cancel->excludes(detach);
  SetAction(command, session, arguments, Prune, [](const PruneArguments& checked) {
    CheckUsage(CreateListing(checked.format, JobColumns()).status());
  });
}

}  // namespace

CommandGroup PruneCommand() {
  return {
      .name = "image",
      .commands = {
          {.name = "prune",
           .help = StrCat("Remove", kWhatGoes),
           .examples =
               {{"varve image prune -a --dry-run", "What would go of all that is not in use"},
                {"varve image prune --filter until=24h", "Only what is older than a day"},
                {"varve image prune --attach 01234567…", "Follow one that runs; Ctrl-C leaves it"},
                {"varve image prune --now", "The disk is full and nobody pushes or pulls"}},
           .set_up = SetUpPrune,
           .short_forms = {"system prune", "prune"}}}};
}

}  // namespace varve

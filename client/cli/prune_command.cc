// `image prune`.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/commands.h"
#include "client/cli/image_description.h"
#include "client/cli/removal_text.h"
#include "client/cli/text.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

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

  PruneRequest Request() const { return {filters, dry_run, all, now}; }
};

// Whether the filters say what -a says.
bool MeansAll(const PruneArguments& arguments) {
  return arguments.all || std::any_of(arguments.filters.begin(), arguments.filters.end(),
                                      [](const std::string& filter) {
                                        return filter == "dangling=false" || filter == "dangling=0";
                                      });
}

// What the prune is about to do; for all images, how much that is.
absl::StatusOr<std::string> Warning(Client& client, const PruneArguments& arguments) {
  if (!MeansAll(arguments)) return std::string("WARNING! This will remove all dangling images.\n");
  PruneRequest request = arguments.Request();
  request.dry_run = true;
  ASSIGN_OR_RETURN(const PruneReport plan, client.Prune(request, nullptr));
  ASSIGN_OR_RETURN(const HoldPage holds, client.ListHolds("", 1));
  std::string text =
      StrCat("WARNING! This will remove all images without at least one hold on them: ",
             Plural(plan.images, "image"), " with ", Plural(plan.untagged, "tag"), ", ",
             HumanSize(plan.content_bytes), ".\n");
  if (holds.holds.empty()) {
    text += "There are no holds: nothing says which images containers use.\n";
  }
  return text;
}

// Asks the person at the terminal. Without one nobody can answer: use --force.
absl::StatusOr<bool> Confirm(Client& client, const PruneArguments& arguments) {
  if (isatty(STDIN_FILENO) == 0) {
    return absl::InvalidArgumentError("there is nobody to ask: use --force, or --dry-run to look");
  }
  ASSIGN_OR_RETURN(const std::string warning, Warning(client, arguments));
  Print(StrCat(warning, "Are you sure you want to continue? [y/N] "));
  RETURN_IF_ERROR(FlushOutput());
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

std::string StepJson(const PruneStep& step, bool dry_run) {
  if (step.kind == PruneStep::Kind::kStarted || step.kind == PruneStep::Kind::kQueued) return {};
  const std::string name =
      StrCat(step.image.repository, "@", step.image.manifest.digest.ToString());
  JsonObject object;
  if (step.kind == PruneStep::Kind::kRemoved) {
    object.Add(dry_run ? "would_delete" : "deleted", name)
        .Add("image_id", ImageId(step.image.manifest).ToString())
        .Add("size_bytes", step.image.total_bytes)
        .Add(dry_run ? "would_untag" : "untagged", step.untagged);
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

absl::Status Show(const PruneArguments& arguments,
                  const std::function<absl::StatusOr<PruneReport>(const PruneObserver&)>& prune) {
  PruneText lines(arguments.dry_run);
  const auto show = [&](const PruneStep& step) {
    const std::string text = arguments.json ? StepJson(step, arguments.dry_run) : lines.Step(step);
    return text.empty() || Print(text);
  };
  ASSIGN_OR_RETURN(const PruneReport report, prune(show));
  Print(arguments.json ? ReportJson(report, arguments.dry_run) : lines.Report(report));
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

absl::Status ListJobs(Client& client, bool json) {
  ASSIGN_OR_RETURN(const std::vector<PruneJob> jobs, client.ListPrunes());
  std::string text;
  std::vector<std::vector<std::string>> rows;
  for (const PruneJob& job : jobs) {
    std::string filters = job.request.all ? "-a" : "";
    if (job.request.now) filters += filters.empty() ? "--now" : " --now";
    for (const std::string& filter : job.request.filters) {
      filters += StrCat(filters.empty() ? "" : " ", filter);
    }
    rows.push_back({job.id, std::string(StateName(job.state)), filters, StrCat(job.report.images),
                    TimeText(job.queued_nanos)});
    text += JsonObject()
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
  Print(json ? text : Table({"JOB", "STATE", "FILTERS", "IMAGES", "ASKED FOR"}).Format(rows));
  return absl::OkStatus();
}

absl::Status Prune(Session& session, const PruneArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  if (arguments.list) return ListJobs(*client, arguments.json);
  if (!arguments.cancel.empty()) return client->CancelPrune(arguments.cancel);
  if (!arguments.attach.empty()) {
    return Show(arguments, [&](const PruneObserver& observer) {
      return client->AttachPrune(arguments.attach, observer);
    });
  }
  if (arguments.now && !arguments.dry_run) {
    ASSIGN_OR_RETURN(const RecentActivity activity, client->ListActivity());
    PrintWarning(EarlyEndText(activity));
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
  return Show(arguments, [&](const PruneObserver& observer) {
    return client->Prune(arguments.Request(), observer);
  });
}

}  // namespace

void AddPruneCommand(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<PruneArguments>();
  CLI::App* const command = app.get_subcommand("image")->add_subcommand(
      "prune", "Remove images that no tag names and nothing needs");
  command->add_flag("-a,--all", arguments->all, "Every image that is not in use, with its tags");
  command->add_option("--filter", arguments->filters,
                      "until=, label=, label!=, reference=, unused-for=, keep-last=");
  command->add_flag("--dry-run", arguments->dry_run, "Show what would be removed");
  command->add_flag("-f,--force", arguments->force, "Do not ask");
  command->add_flag("--now", arguments->now,
                    "Also what clients were promised: end all promises first");
  CLI::Option* const detach =
      command->add_flag("-d,--detach", arguments->detach, "Print the job's id and let it work");
  CLI::Option* const list =
      command->add_flag("--list", arguments->list, "The prunes that run, wait, or ended lately");
  CLI::Option* const attach =
      command->add_option("--attach", arguments->attach, "Follow the prune with this id");
  CLI::Option* const cancel =
      command->add_option("--cancel", arguments->cancel, "End the prune with this id");
  list->excludes(attach)->excludes(cancel)->excludes(detach);
  attach->excludes(cancel)->excludes(detach);
  cancel->excludes(detach);
  command->add_flag("--json", arguments->json, "One JSON object a line, the report last");
  command->callback([&session, arguments] {
    session.action = [&session, arguments] { return Prune(session, *arguments); };
  });
}

}  // namespace varve

// `image rm` and `image prune`.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/commands.h"
#include "client/cli/image_description.h"
#include "client/cli/text.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

struct RemoveArguments {
  std::vector<std::string> names;
  bool force = false;
  bool json = false;
};

struct PruneArguments {
  std::vector<std::string> filters;
  bool dry_run = false;
  bool force = false;
  bool json = false;
};

void PrintRemoved(const RemovedImage& removed, bool json) {
  std::string text;
  for (const std::string& name : removed.untagged) {
    text += json ? JsonObject().Add("untagged", name).Line() : StrCat("Untagged: ", name, "\n");
  }
  for (const std::string& name : removed.deleted) {
    text += json ? JsonObject().Add("deleted", name).Line() : StrCat("Deleted: ", name, "\n");
  }
  Print(text);
}

absl::Status Remove(Session& session, const RemoveArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  absl::Status first_error;
  // Every name is tried, as Docker does, and the first failure decides about the exit code.
  for (const std::string& name : arguments.names) {
    const absl::StatusOr<RemovedImage> removed = client->RemoveImage(name, arguments.force);
    if (removed.ok()) {
      PrintRemoved(*removed, arguments.json);
      continue;
    }
    if (absl::IsNotFound(removed.status()) && arguments.force) {
      PrintError(session.Explain(removed.status()));
    } else if (first_error.ok()) {
      first_error = removed.status();
    } else {
      PrintError(session.Explain(removed.status()));
    }
  }
  return first_error;
}

// Asks the person at the terminal. Without one nobody can answer: use --force.
absl::StatusOr<bool> Confirm() {
  if (isatty(STDIN_FILENO) == 0) {
    return absl::InvalidArgumentError("there is nobody to ask: use --force, or --dry-run to look");
  }
  Print(
      "WARNING! This will remove all dangling images.\n"
      "Are you sure you want to continue? [y/N] ");
  RETURN_IF_ERROR(FlushOutput());
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

std::string PrunedLine(const ImageInfo& image, const PruneArguments& arguments) {
  const std::string name = StrCat(image.repository, "@", image.manifest.digest.ToString());
  if (!arguments.json)
    return StrCat(arguments.dry_run ? "would delete: " : "deleted: ", name, "\n");
  return JsonObject()
      .Add(arguments.dry_run ? "would_delete" : "deleted", name)
      .Add("image_id", ImageId(image.manifest).ToString())
      .Add("size_bytes", image.total_bytes)
      .Line();
}

std::string ReportText(const PruneReport& report, bool dry_run) {
  std::string text = dry_run
                         ? StrCat("\nWould remove ", report.images, " images and the ",
                                  HumanSize(report.content_bytes), " that only they keep\n")
                         : StrCat("\nTotal reclaimed space: ", HumanSize(report.freed_bytes), "\n");
  if (report.deferred > 0) {
    text +=
        StrCat(report.deferred,
               " images or blobs were pushed or asked for a short time ago; they go when nobody "
               "can be relying on them any more (ten minutes)\n");
  }
  return text;
}

absl::Status Prune(Session& session, const PruneArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  if (!arguments.force && !arguments.dry_run) {
    ASSIGN_OR_RETURN(const bool agreed, Confirm());
    if (!agreed) return absl::OkStatus();
  }
  bool first = true;
  const auto show = [&](const ImageInfo& image) {
    if (first && !arguments.json && !arguments.dry_run) Print("Deleted Images:\n");
    first = false;
    return Print(PrunedLine(image, arguments));
  };
  ASSIGN_OR_RETURN(const PruneReport report,
                   client->Prune({arguments.filters, arguments.dry_run}, show));
  if (!arguments.json) {
    Print(ReportText(report, arguments.dry_run).substr(first ? 1 : 0));
    return absl::OkStatus();
  }
  Print(JsonObject()
            .Add("dry_run", arguments.dry_run)
            .Add("images", report.images)
            .Add("content_bytes", report.content_bytes)
            .Add("freed_bytes", report.freed_bytes)
            .Add("deferred", report.deferred)
            .Line());
  return absl::OkStatus();
}

void AddRemove(CLI::App& group, const std::string& name, Session& session) {
  auto arguments = std::make_shared<RemoveArguments>();
  CLI::App* const command = group.add_subcommand(name, "Remove images");
  command->add_option("IMAGE", arguments->names, "REPOSITORY[:TAG], REPOSITORY@DIGEST or image id")
      ->required();
  command->add_flag("-f,--force", arguments->force, "Also when other tags name the image");
  command->add_flag("--json", arguments->json, "One JSON object a line");
  command->callback([&session, arguments] {
    session.action = [&session, arguments] { return Remove(session, *arguments); };
  });
}

void AddPrune(CLI::App& group, Session& session) {
  auto arguments = std::make_shared<PruneArguments>();
  CLI::App* const command =
      group.add_subcommand("prune", "Remove images that no tag names and nothing needs");
  command->add_option("--filter", arguments->filters, "until=TIME, label=KEY[=VALUE], label!=…");
  command->add_flag("--dry-run", arguments->dry_run, "Show what would be removed");
  command->add_flag("-f,--force", arguments->force, "Do not ask");
  command->add_flag("--json", arguments->json, "One JSON object a line, the report last");
  command->callback([&session, arguments] {
    session.action = [&session, arguments] { return Prune(session, *arguments); };
  });
}

}  // namespace

void AddRemovalCommands(CLI::App& app, Session& session) {
  CLI::App& image_group = *app.get_subcommand("image");
  AddRemove(image_group, "rm", session);
  AddPrune(image_group, session);
  AddRemove(app, "rmi", session);
}

}  // namespace varve

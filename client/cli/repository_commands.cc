#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/action.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/listing.h"
#include "client/cli/text.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/limits.h"

namespace varve {
namespace {

std::string JsonRow(const RepositoryInfo& repository) {
  return JsonObject()
      .Add("repository", ShownName(repository.name))
      .Add("tags", repository.tags)
      .Add("manifests", repository.manifests)
      .Add("created", TimeText(repository.created_nanos))
      .Line();
}

std::vector<std::string> TableRow(const RepositoryInfo& repository, const TimeWords& times) {
  return {ShownName(repository.name), StrCat(repository.tags), StrCat(repository.manifests),
          times.Past(repository.created_nanos)};
}

RowForms<RepositoryInfo> Forms() {
  return {{{"Name", "REPOSITORY"},
           {"Tags", "TAGS"},
           {"Manifests", "MANIFESTS"},
           {"CreatedSince", "CREATED"}},
          TableRow,
          [](const RepositoryInfo& repository) { return ShownName(repository.name); },
          JsonRow};
}

struct InspectArguments {
  std::vector<std::string> names;
  bool json = false;
};

absl::Status Inspect(Session& session, const InspectArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  return ForEachName(session, arguments.names, [&](const std::string& name) -> absl::Status {
    ASSIGN_OR_RETURN(const std::string stored, StoredName(name));
    ASSIGN_OR_RETURN(const RepositoryInfo info, client->DescribeRepository(stored));
    Print(arguments.json ? JsonRow(info)
                         : StrCat("Repository: ", ShownName(info.name), "\nTags:       ", info.tags,
                                  "\nManifests:  ", info.manifests, "\nCreated:    ",
                                  AgeAndTime(info.created_nanos, SystemClock().WallNanos()), "\n"));
    return absl::OkStatus();
  });
}

void SetUpInspect(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<InspectArguments>();
  command.add_option("REPOSITORY", arguments->names, "Names of repositories")
      ->required()
      ->check(CheckRepository);
  command.add_flag("--json", arguments->json, "One JSON object a repository, one a line");
  SetAction(command, session, arguments, Inspect);
}

struct MergeArguments {
  std::string from;
  std::string into;
  bool force = false;
  bool json = false;
};

std::string CollisionsJson(const std::vector<RepositoryMerge::Collision>& collisions) {
  std::string list;
  for (const RepositoryMerge::Collision& collision : collisions) {
    list += StrCat(list.empty() ? "" : ",", JsonObject()
                                                .Add("tag", collision.tag)
                                                .Add("from", collision.from.ToString())
                                                .Add("into", collision.into.ToString())
                                                .Add("from_stays", collision.from_stays)
                                                .Text());
  }
  return StrCat("[", list, "]");
}

std::string MergeJson(const RepositoryMerge& merge) {
  return JsonObject()
      .Add("from", ShownName(merge.from))
      .Add("into", ShownName(merge.into))
      .Add("merged", merge.merged)
      .Add("manifests", merge.manifests)
      .AddJson("collisions", CollisionsJson(merge.collisions))
      .Add("more_collisions", merge.more_collisions)
      .Line();
}

std::string CollisionTable(const RepositoryMerge& merge) {
  if (merge.collisions.empty()) return {};
  const std::string from = ShownName(merge.from);
  const std::string into = ShownName(merge.into);
  std::vector<std::vector<std::string>> rows;
  for (const RepositoryMerge::Collision& collision : merge.collisions) {
    rows.push_back({collision.tag, ShortId(collision.from), ShortId(collision.into),
                    collision.from_stays ? from : into});
  }
  std::string text = Table({"TAG", from, into, "SET LAST IN"}).Format(rows);
  if (merge.more_collisions > 0) text += StrCat("and ", merge.more_collisions, " more tags\n");
  return text;
}

absl::Status Merge(Session& session, const MergeArguments& arguments) {
  ASSIGN_OR_RETURN(const std::string from, StoredName(arguments.from));
  ASSIGN_OR_RETURN(const std::string into, StoredName(arguments.into));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const RepositoryMerge merge,
                   client->MergeRepositories(from, into, arguments.force));
  Print(arguments.json ? MergeJson(merge) : CollisionTable(merge));
  const std::string names = StrCat(ShownName(merge.from), " into ", ShownName(merge.into));
  if (merge.merged) {
    if (!arguments.json) Print(StrCat("Merged ", names, "\n"));
    return absl::OkStatus();
  }
  const uint64_t collisions = merge.collisions.size() + merge.more_collisions;
  return absl::FailedPreconditionError(
      StrCat(collisions, collisions == 1 ? " tag names" : " tags name",
             " another image in each of the two; nothing was changed. --force merges ", names,
             " so that each tag names the image that got it last, and the other image has no such "
             "tag any more"));
}

void SetUpMerge(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<MergeArguments>();
  command.add_option("FROM", arguments->from, "The repository that goes")
      ->required()
      ->check(CheckRepository);
  command.add_option("INTO", arguments->into, "The repository that stays")
      ->required()
      ->check(CheckRepository);
  command.add_flag("-f,--force", arguments->force,
                   "Of each tag that both have, what was set last stays");
  command.add_flag("--json", arguments->json, "One JSON object");
  SetAction(command, session, arguments, Merge);
}

constexpr char kMergeHelp[] =
    "Make all of one repository part of another: images with their tags, holds and times. The "
    "first is gone then, and its name means what is canonical, such as debian for library/debian. "
    "When there is no other, the first gets its name. Pushes and pulls go on meanwhile; "
    "interrupted, the same command goes on. Tags that name another image in each are shown, and "
    "nothing is changed without --force";

}  // namespace

CommandGroup RepositoryCommands() {
  return {
      .name = "repo",
      .help = "List, inspect and merge repositories",
      .commands = {
          ListingCommand({"List the repositories that have images", "Show names only",
                          "One JSON object a repository, one a line"},
                         {{"varve repo ls", "All repositories"}}, Forms(),
                         &Client::ListRepositories, &RepositoryPage::repositories),
          {.name = "inspect",
           .help = "Show what repositories have",
           .examples = {{"varve repo inspect debian",
                         "How many tags and manifests, and since when"}},
           .set_up = SetUpInspect},
          {.name = "merge",
           .help = kMergeHelp,
           .examples = {{"varve repo merge library/debian debian", "One name for what has two"},
                        {"varve repo merge -f old/app team/app", "The tag that was set last wins"}},
           .set_up = SetUpMerge}}};
}

}  // namespace varve

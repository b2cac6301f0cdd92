#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/commands.h"
#include "client/cli/text.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

struct ListArguments {
  bool quiet = false;
  bool json = false;
};

std::string JsonRow(const RepositoryInfo& repository) {
  return JsonObject()
      .Add("repository", repository.name)
      .Add("tags", repository.tags)
      .Add("manifests", repository.manifests)
      .Add("created", TimeText(repository.created_nanos))
      .Line();
}

absl::Status List(Session& session, const ListArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  Table table({"REPOSITORY", "TAGS", "MANIFESTS", "CREATED"});
  std::string page_token;
  do {
    ASSIGN_OR_RETURN(const RepositoryPage page, client->ListRepositories(page_token, kMaxPageRows));
    std::string text;
    std::vector<std::vector<std::string>> rows;
    const int64_t now = SystemClock().WallNanos();
    for (const RepositoryInfo& repository : page.repositories) {
      if (arguments.json) {
        text += JsonRow(repository);
      } else if (arguments.quiet) {
        text += repository.name + "\n";
      } else {
        rows.push_back({repository.name, StrCat(repository.tags), StrCat(repository.manifests),
                        HumanDuration(now - repository.created_nanos) + " ago"});
      }
    }
    if (!arguments.json && !arguments.quiet) text = table.Format(rows);
    if (!Print(text)) break;
    page_token = page.next_page_token;
  } while (!page_token.empty());
  return absl::OkStatus();
}

}  // namespace

void AddRepositoryCommands(CLI::App& app, Session& session) {
  CLI::App* const group = app.add_subcommand("repo", "List repositories");
  group->require_subcommand(1);
  auto arguments = std::make_shared<ListArguments>();
  CLI::App* const command = group->add_subcommand("ls", "List the repositories that have images");
  command->add_flag("-q,--quiet", arguments->quiet, "Show names only");
  command->add_flag("--json", arguments->json, "One JSON object a repository, one a line");
  command->callback([&session, arguments] {
    session.action = [&session, arguments] { return List(session, *arguments); };
  });
}

}  // namespace varve

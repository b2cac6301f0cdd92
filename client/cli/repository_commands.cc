#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/commands.h"
#include "client/cli/listing.h"
#include "client/cli/text.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

std::string JsonRow(const RepositoryInfo& repository) {
  return JsonObject()
      .Add("repository", repository.name)
      .Add("tags", repository.tags)
      .Add("manifests", repository.manifests)
      .Add("created", TimeText(repository.created_nanos))
      .Line();
}

std::vector<std::string> TableRow(const RepositoryInfo& repository) {
  return {repository.name, StrCat(repository.tags), StrCat(repository.manifests),
          HumanAge(repository.created_nanos, SystemClock().WallNanos())};
}

absl::Status List(Session& session, const ListingArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  const RowForms<RepositoryInfo> forms = {
      {"REPOSITORY", "TAGS", "MANIFESTS", "CREATED"},
      TableRow,
      [](const RepositoryInfo& repository) { return repository.name; },
      JsonRow,
  };
  return PrintListing(
      arguments,
      [&](const std::string& token) { return client->ListRepositories(token, kMaxPageRows); },
      &RepositoryPage::repositories, forms);
}

}  // namespace

void AddRepositoryCommands(CLI::App& app, Session& session) {
  CLI::App* const group = app.add_subcommand("repo", "List repositories");
  group->require_subcommand(1);
  auto arguments = std::make_shared<ListingArguments>();
  CLI::App* const command = group->add_subcommand("ls", "List the repositories that have images");
  command->add_flag("-q,--quiet", arguments->quiet, "Show names only");
  command->add_flag("--json", arguments->json, "One JSON object a repository, one a line");
  command->callback([&session, arguments] {
    session.action = [&session, arguments] { return List(session, *arguments); };
  });
}

}  // namespace varve

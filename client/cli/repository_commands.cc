#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/commands.h"
#include "client/cli/listing.h"
#include "client/cli/text.h"
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

std::vector<std::string> TableRow(const RepositoryInfo& repository, const TimeWords& times) {
  return {repository.name, StrCat(repository.tags), StrCat(repository.manifests),
          times.Past(repository.created_nanos)};
}

RowForms<RepositoryInfo> Forms() {
  return {{{"Name", "REPOSITORY"},
           {"Tags", "TAGS"},
           {"Manifests", "MANIFESTS"},
           {"CreatedSince", "CREATED"}},
          TableRow,
          [](const RepositoryInfo& repository) { return repository.name; },
          JsonRow};
}

}  // namespace

void AddRepositoryCommands(CLI::App& app, Session& session) {
  CLI::App* const group = app.add_subcommand("repo", "List repositories");
  group->require_subcommand(0, 1);
  AddListing(*group, session,
             {"List the repositories that have images", "Show names only",
              "One JSON object a repository, one a line"},
             Forms(), &Client::ListRepositories, &RepositoryPage::repositories);
}

}  // namespace varve

#include "client/cli/listing.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <utility>

#include "storage/base/str_cat.h"

namespace varve {

CLI::Option* AddFormatOption(CLI::App& command, const std::string& names, std::string& format,
                             bool table) {
  return command
      .add_option(names, format,
                  StrCat(table ? "table, json, 'table TEMPLATE'" : "json",
                         " or 'TEMPLATE'; one with a wrong field is answered with the fields"))
      ->type_name("TEMPLATE");
}

void CheckUsage(const absl::Status& status) {
  if (!status.ok()) throw CLI::ValidationError(std::string(status.message()));
}

void SetUpListing(CLI::App& command, Session& session, const ListingWords& words,
                  const std::vector<FormatColumn>& columns,
                  const std::function<absl::Status(const ListingArguments&)>& print) {
  auto arguments = std::make_shared<ListingArguments>();
  CLI::Option* const quiet = command.add_flag("-q,--quiet", arguments->quiet, words.quiet);
  CLI::Option* const json = command.add_flag("--json", arguments->json, words.json);
  command.add_flag("--no-trunc", arguments->no_trunc, "Show times in full");
  AddFormatOption(command, "--format", arguments->format, /*table=*/true)
      ->excludes(quiet)
      ->excludes(json);
  command.callback([&session, arguments, columns, print] {
    CheckUsage(CreateListing(arguments->format, columns).status());
    session.action = [arguments, print] { return print(*arguments); };
  });
}

absl::StatusOr<FormattedListing> CreateListing(const std::string& format,
                                               const std::vector<FormatColumn>& columns) {
  std::string table;
  for (const FormatColumn& column : columns) {
    table += StrCat(table.empty() ? "" : "\t", "{{.", column.field, "}}");
  }
  return FormattedListing::Create(format, columns, table);
}

FormatValue RowValue(const std::vector<FormatColumn>& columns, std::vector<std::string> cells) {
  FormatValue::Members members;
  for (size_t i = 0; i < columns.size(); ++i) {
    // A tab would begin another cell.
    std::replace(cells[i].begin(), cells[i].end(), '\t', ' ');
    members.emplace_back(columns[i].field, std::move(cells[i]));
  }
  return FormatValue::Object(std::move(members));
}

}  // namespace varve

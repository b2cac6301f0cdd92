// What `ls` of everything that comes in pages does: rows of a table, names, JSON or what --format
// asks for, printed a page at a time.
#ifndef VARVE_CLIENT_CLI_LISTING_H_
#define VARVE_CLIENT_CLI_LISTING_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/command.h"
#include "client/cli/format_template.h"
#include "client/cli/session.h"
#include "client/cli/text.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/limits.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace varve {

// --format of a command, which may have a letter too ("-f,--format"); `table`: that it takes the
// forms of a table.
CLI::Option* AddFormatOption(CLI::App& command, const std::string& names, std::string& format,
                             bool table);

// For the callback of a command: wrong usage unless `status` is OK, before the daemon is asked.
void CheckUsage(const absl::Status& status);

// The rows of a table of all columns, in the form that --format wants; and one row of it.
absl::StatusOr<FormattedListing> CreateListing(const std::string& format,
                                               const std::vector<FormatColumn>& columns);
FormatValue RowValue(const std::vector<FormatColumn>& columns, std::vector<std::string> cells);

struct ListingArguments {
  bool quiet = false;
  bool json = false;
  bool no_trunc = false;
  std::string format;
};

// What an `ls` says about itself and its flags.
struct ListingWords {
  const char* description;
  const char* quiet;
  const char* json;
};

// The flags of an `ls`; `print` does it.
void SetUpListing(CLI::App& command, Session& session, const ListingWords& words,
                  const std::vector<FormatColumn>& columns,
                  const std::function<absl::Status(const ListingArguments&)>& print);

// How one row is shown.
template <typename Row>
struct RowForms {
  std::vector<FormatColumn> columns;
  std::function<std::vector<std::string>(const Row&, const TimeWords&)> cells;  // one a column
  std::function<std::string(const Row&)> name;  // all that --quiet shows
  std::function<std::string(const Row&)> json;  // an object, one line
};

// Prints all pages that `read` gives for their tokens, from the first ("") on; `rows` is where a
// page has its rows. Stops without an error when nobody reads the output any more.
template <typename Page, typename Row, typename ReadPage>
absl::Status PrintListing(const ListingArguments& arguments, const ReadPage& read,
                          std::vector<Row> Page::*rows, const RowForms<Row>& forms) {
  ASSIGN_OR_RETURN(FormattedListing listing, CreateListing(arguments.format, forms.columns));
  const TimeWords times(arguments.no_trunc, SystemClock().WallNanos());
  std::string page_token;
  do {
    ASSIGN_OR_RETURN(const Page page, read(page_token));
    std::string text;
    std::vector<FormatValue> values;
    for (const Row& row : page.*rows) {
      if (arguments.json) {
        text += forms.json(row);
      } else if (arguments.quiet) {
        text += forms.name(row) + "\n";
      } else {
        values.push_back(RowValue(forms.columns, forms.cells(row, times)));
      }
    }
    if (!arguments.json && !arguments.quiet) {
      ASSIGN_OR_RETURN(text, listing.Format(values));
    }
    if (!Print(text)) break;
    page_token = page.next_page_token;
  } while (!page_token.empty());
  return absl::OkStatus();
}

// The whole `ls` of what `read` lists.
template <typename Page, typename Row>
Command ListingCommand(const ListingWords& words, const std::vector<HelpEntry>& examples,
                       const RowForms<Row>& forms,
                       absl::StatusOr<Page> (Client::*read)(const std::string& token, size_t limit),
                       std::vector<Row> Page::*rows) {
  const auto set_up = [words, forms, read, rows](CLI::App& command, Session& session) {
    SetUpListing(
        command, session, words, forms.columns,
        [&session, forms, read, rows](const ListingArguments& arguments) -> absl::Status {
          ASSIGN_OR_RETURN(Client* const client, session.Connect());
          return PrintListing(
              arguments,
              [&](const std::string& token) { return (client->*read)(token, kMaxPageRows); }, rows,
              forms);
        });
  };
  return {.name = "ls", .help = words.description, .examples = examples, .set_up = set_up};
}

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_LISTING_H_

// What `ls` of everything that comes in pages does: rows of a table, names, or JSON, printed a page
// at a time.
#ifndef VARVE_CLIENT_CLI_LISTING_H_
#define VARVE_CLIENT_CLI_LISTING_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/session.h"
#include "client/cli/text.h"
#include "storage/base/status.h"

namespace varve {

struct ListingArguments {
  bool quiet = false;
  bool json = false;
};

// How one row is shown.
template <typename Row>
struct RowForms {
  std::vector<std::string> header;
  std::function<std::vector<std::string>(const Row&)> cells;
  std::function<std::string(const Row&)> name;  // all that --quiet shows
  std::function<std::string(const Row&)> json;  // an object, one line
};

// Prints all pages that `read` gives for their tokens, from the first ("") on; `rows` is where a
// page has its rows. Stops without an error when nobody reads the output any more.
template <typename Page, typename Row, typename ReadPage>
absl::Status PrintListing(const ListingArguments& arguments, const ReadPage& read,
                          std::vector<Row> Page::*rows, const RowForms<Row>& forms) {
  Table table(forms.header);
  std::string page_token;
  do {
    ASSIGN_OR_RETURN(const Page page, read(page_token));
    std::string text;
    std::vector<std::vector<std::string>> cells;
    for (const Row& row : page.*rows) {
      if (arguments.json) {
        text += forms.json(row);
      } else if (arguments.quiet) {
        text += forms.name(row) + "\n";
      } else {
        cells.push_back(forms.cells(row));
      }
    }
    if (!arguments.json && !arguments.quiet) text = table.Format(cells);
    if (!Print(text)) break;
    page_token = page.next_page_token;
  } while (!page_token.empty());
  return absl::OkStatus();
}

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_LISTING_H_

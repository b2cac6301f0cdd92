// How `varve` writes figures, times and tables. Pure, but for the clock that the caller
// reads.
#ifndef VARVE_CLIENT_CLI_TEXT_H_
#define VARVE_CLIENT_CLI_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/json_text.h"  // IWYU pragma: export
#include "storage/image/short_id.h"

namespace varve {

// Decimal units with four significant digits, as Docker writes them: "0B", "8.736kB", "1.5GB".
std::string HumanSize(uint64_t bytes);

// A span of time as Docker writes it: "Less than a second", "5 minutes", "About an hour", "3
// weeks".
std::string HumanDuration(int64_t nanos);

// How long ago `then_nanos`, any number, was: "3 weeks ago".
std::string HumanAge(int64_t then_nanos, int64_t now_nanos);

// How long it is until `then_nanos`, rounded up: "in 7 minutes", "in about an hour"; "now" when it
// has passed.
std::string HumanWait(int64_t then_nanos, int64_t now_nanos);

// "2026-11-23T18:00:00.123456789Z".
std::string TimeText(int64_t nanos);

// "3 weeks ago (2026-11-23 18:00:00 +0000 UTC)".
std::string AgeAndTime(int64_t then_nanos, int64_t now_nanos);

// Words that begin a cell, within a sentence: "less than a second ago".
std::string MidSentence(std::string words);

// Times as one command shows them: as people say them, or, with --no-trunc, in full.
class TimeWords {
 public:
  TimeWords(bool in_full, int64_t now_nanos) : in_full_(in_full), now_nanos_(now_nanos) {}
  std::string Past(int64_t nanos) const {
    return in_full_ ? TimeText(nanos) : HumanAge(nanos, now_nanos_);
  }
  std::string Future(int64_t nanos) const {
    return in_full_ ? TimeText(nanos) : HumanWait(nanos, now_nanos_);
  }

 private:
  bool in_full_;
  int64_t now_nanos_;
};

// "2026-11-23 18:00:00 +0000 UTC", as Docker lists times.
std::string DockerTimeText(int64_t nanos);

// ShownName of each: names of repositories, or of images in them.
std::vector<std::string> ShownNames(std::vector<std::string> stored);

// A table in Docker's layout: columns padded to their widest cell, at least 10 wide, 3 spaces
// apart, the last cell of a row unpadded. Rows are given in batches, so that a long table needs no
// memory: each batch is aligned in itself and at least as wide as the batches before. Cells are
// cleaned (client/cli/terminal.h), for they would also break the alignment.
class Table {
 public:
  explicit Table(std::vector<std::string> header);
  // The text of the next batch; the header comes with the first one. Rows may differ in length.
  std::string Format(const std::vector<std::vector<std::string>>& rows);

 private:
  using Row = std::vector<std::string>;

  void Widen(const Row& row);
  void AppendRow(const Row& row, std::string* text) const;

  Row header_;
  std::vector<size_t> widths_;
  bool header_written_ = false;
};

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_TEXT_H_

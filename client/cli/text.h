// How `varve` writes figures, times, tables and JSON. Pure, but for the clock that the caller
// reads.
#ifndef VARVE_CLIENT_CLI_TEXT_H_
#define VARVE_CLIENT_CLI_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/digest/digest.h"

namespace varve {

// Decimal units with four significant digits, as Docker writes them: "0B", "8.736kB", "1.5GB".
std::string HumanSize(uint64_t bytes);

// A span of time as Docker writes it: "Less than a second", "5 minutes", "About an hour", "3
// weeks".
std::string HumanDuration(int64_t nanos);

// "2026-11-23T18:00:00.123456789Z".
std::string TimeText(int64_t nanos);

// The first 12 hexadecimal digits.
std::string ShortId(const Digest& digest);

// A table in Docker's layout: columns padded to their widest cell, at least 10 wide, 3 spaces
// apart, the last one unpadded. Rows are given in batches, so that a long table needs no memory:
// each batch is aligned in itself and at least as wide as the batches before.
class Table {
 public:
  explicit Table(std::vector<std::string> header);
  // The text of the next batch; the header comes with the first one.
  std::string Format(const std::vector<std::vector<std::string>>& rows);

 private:
  void AppendRow(const std::vector<std::string>& row, std::string* text) const;

  std::vector<std::string> header_;
  std::vector<size_t> widths_;
  bool header_written_ = false;
};

// Builds one JSON object on one line.
class JsonObject {
 public:
  JsonObject& Add(std::string_view key, std::string_view value);
  JsonObject& Add(std::string_view key, uint64_t value);
  // "{…}" and a newline.
  std::string Line() const;

 private:
  void AddKey(std::string_view key);

  std::string members_;
};

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_TEXT_H_

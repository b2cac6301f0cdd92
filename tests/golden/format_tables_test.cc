// storage/FORMAT.md and the code name the same tables: each with its byte, its name and what its
// values are.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "storage/index/tables.h"

namespace varve {
namespace {

// A line of the table in FORMAT.md; several lines may be of one table.
struct Line {
  char byte = '\0';
  std::string name;
  std::string row;

  friend bool operator==(const Line& a, const Line& b) {
    return a.byte == b.byte && a.name == b.name && a.row == b.row;
  }
};

void PrintTo(const Line& line, std::ostream* out) {
  *out << line.byte << " " << line.name << ": " << line.row;
}

std::vector<Line> LinesOfFormat() {
  std::ifstream file(VARVE_FORMAT_FILE);
  std::vector<Line> lines;
  bool inside = false;
  for (std::string text; std::getline(file, text);) {
    if (text.rfind("## ", 0) == 0) inside = text == "## Index keys";
    if (!inside || text.rfind("| `", 0) != 0) continue;
    const std::vector<std::string> cells = absl::StrSplit(text, " | ");
    if (cells.size() < 4) continue;
    Line line{cells[0][3], cells[1], cells[2] == "–" ? "" : cells[2]};
    if (lines.empty() || !(lines.back() == line)) lines.push_back(std::move(line));
  }
  return lines;
}

TEST(FormatTablesTest, FormatAndCodeNameTheSameTables) {
  std::vector<Line> lines;
  for (const TableInfo& table : kTables) {
    lines.push_back(
        {static_cast<char>(table.table), std::string(table.name), std::string(table.row)});
  }
  EXPECT_EQ(LinesOfFormat(), lines);
}

TEST(FormatTablesTest, TablesStandInTheOrderOfTheirKeys) {
  EXPECT_TRUE(
      std::is_sorted(std::begin(kTables), std::end(kTables),
                     [](const TableInfo& a, const TableInfo& b) { return a.table < b.table; }));
}

}  // namespace
}  // namespace varve

#include "client/cli/text.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "absl/strings/str_format.h"
#include "client/cli/terminal.h"
#include "storage/base/clock.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"

namespace varve {
namespace {

constexpr size_t kMinColumnWidth = 10;
constexpr size_t kColumnGap = 3;

}  // namespace

std::vector<std::string> ShownNames(std::vector<std::string> stored) {
  for (std::string& name : stored) name = ShownName(name);
  return stored;
}

std::string HumanSize(uint64_t bytes) {
  constexpr std::array<const char*, 7> kUnits = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1000.0 && unit + 1 < kUnits.size()) {
    value /= 1000.0;
    ++unit;
  }
  return absl::StrFormat("%.4g%s", value, kUnits[unit]);
}

std::string HumanDuration(int64_t nanos) {
  const int64_t seconds = nanos / kNanosPerSecond;
  const int64_t minutes = seconds / 60;
  const int64_t hours = (minutes + 30) / 60;
  if (seconds < 1) return "Less than a second";
  if (seconds == 1) return "1 second";
  if (seconds < 60) return StrCat(seconds, " seconds");
  if (minutes == 1) return "About a minute";
  if (minutes < 60) return StrCat(minutes, " minutes");
  if (hours == 1) return "About an hour";
  if (hours < 48) return StrCat(hours, " hours");
  if (hours < 24 * 7 * 2) return StrCat(hours / 24, " days");
  if (hours < 24 * 30 * 2) return StrCat(hours / 24 / 7, " weeks");
  if (hours < 24 * 365 * 2) return StrCat(hours / 24 / 30, " months");
  return StrCat(hours / 24 / 365, " years");
}

std::string HumanAge(int64_t then_nanos, int64_t now_nanos) {
  int64_t age_nanos = 0;
  if (__builtin_sub_overflow(now_nanos, then_nanos, &age_nanos)) age_nanos = INT64_MAX;
  return HumanDuration(age_nanos) + " ago";
}

std::string HumanWait(int64_t then_nanos, int64_t now_nanos) {
  int64_t wait_nanos = 0;
  if (__builtin_sub_overflow(then_nanos, now_nanos, &wait_nanos)) {
    wait_nanos = then_nanos < now_nanos ? 0 : INT64_MAX;
  }
  if (wait_nanos <= 0) return "now";
  // So that what was just given for ten minutes does not end "in 9 minutes".
  int64_t seconds = (wait_nanos - 1) / kNanosPerSecond + 1;
  if (seconds > 60) seconds = (seconds + 59) / 60 * 60;
  seconds = std::min(seconds, INT64_MAX / kNanosPerSecond);
  return StrCat("in ", MidSentence(HumanDuration(seconds * kNanosPerSecond)));
}

std::string TimeText(int64_t nanos) {
  const int64_t fraction = (nanos % kNanosPerSecond + kNanosPerSecond) % kNanosPerSecond;
  const time_t seconds = nanos / kNanosPerSecond - (nanos % kNanosPerSecond < 0 ? 1 : 0);
  tm parts{};
  gmtime_r(&seconds, &parts);
  return absl::StrFormat("%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", parts.tm_year + 1900,
                         parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                         fraction);
}

std::string DockerTimeText(int64_t nanos) {
  const std::string text = TimeText(nanos);
  return StrCat(text.substr(0, 10), " ", text.substr(11, 8), " +0000 UTC");
}

std::string MidSentence(std::string words) {
  if (!words.empty() && words[0] >= 'A' && words[0] <= 'Z')
    words[0] = static_cast<char>(words[0] - 'A' + 'a');
  return words;
}

std::string AgeAndTime(int64_t then_nanos, int64_t now_nanos) {
  return StrCat(HumanAge(then_nanos, now_nanos), " (", DockerTimeText(then_nanos), ")");
}

Table::Table(std::vector<std::string> header) : header_(std::move(header)) {
  for (std::string& head : header_) head = Printable(head);
  Widen(header_);
}

std::string Table::Format(const std::vector<std::vector<std::string>>& rows) {
  std::vector<Row> printable;
  for (const Row& row : rows) {
    Row& cells = printable.emplace_back();
    for (const std::string& cell : row) cells.push_back(Printable(cell));
    Widen(cells);
  }
  std::string text;
  if (!header_written_) AppendRow(header_, &text);
  header_written_ = true;
  for (const Row& row : printable) AppendRow(row, &text);
  return text;
}

void Table::Widen(const Row& row) {
  if (widths_.size() < row.size()) widths_.resize(row.size(), kMinColumnWidth);
  for (size_t i = 0; i < row.size(); ++i) {
    widths_[i] = std::max(widths_[i], ColumnsOf(row[i]) + kColumnGap);
  }
}

void Table::AppendRow(const Row& row, std::string* text) const {
  for (size_t i = 0; i < row.size(); ++i) {
    text->append(row[i]);
    if (i + 1 < row.size()) text->append(widths_[i] - ColumnsOf(row[i]), ' ');
  }
  text->push_back('\n');
}

}  // namespace varve

#include "storage/image/time_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <limits>
#include <optional>
#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr int64_t kFirstNanos = std::numeric_limits<int64_t>::min();
constexpr int64_t kLastNanos = std::numeric_limits<int64_t>::max();
constexpr size_t kMaxQuotedBytes = 64;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

int64_t SaturatedNanos(int64_t seconds, int64_t nanos) {
  int64_t total = 0;
  if (__builtin_mul_overflow(seconds, kNanosPerSecond, &total) ||
      __builtin_add_overflow(total, nanos, &total)) {
    return seconds < 0 ? kFirstNanos : kLastNanos;
  }
  return total;
}

// Days since 1970-01-01 in the proleptic Gregorian calendar; `month` is 1 to 12.
int64_t DaysFromCivil(int64_t year, int64_t month, int64_t day) {
  // Years begin in March, so that the leap day is their last.
  const int64_t shifted = month <= 2 ? year - 1 : year;
  const int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
  const int64_t year_of_era = shifted - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

int64_t DaysInMonth(int64_t year, int64_t month) {
  constexpr std::array<int64_t, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : kDays[static_cast<size_t>(month - 1)];
}

// Which parts a text has, in the order of Go's reference time.
struct TimeLayout {
  int clock_parts = 3;  // 0: the date only; 1: hours; 2: and minutes; 3: and seconds
  bool zone = true;     // "Z" or "±hh:mm" at the end

  std::string Text() const {
    constexpr std::array<std::string_view, 4> kClock = {"", "T15", "T15:04", "T15:04:05"};
    return StrCat("2006-01-02", kClock[static_cast<size_t>(clock_parts)], zone ? "Z07:00" : "");
  }
};

// Reads one text along a layout. The first thing that is wrong is what Finish tells.
class TimeReader {
 public:
  TimeReader(std::string_view text, const TimeLayout& layout)
      : text_(text), rest_(text), layout_(layout) {}

  absl::StatusOr<int64_t> Read(int64_t local_offset_seconds) {
    const int64_t year = Number("2006", 4, 4);
    Literal('-');
    const int64_t month = InRange(Number("01", 2, 2), 1, 12, "month");
    Literal('-');
    const int64_t day = Number("02", 2, 2);
    int64_t clock_seconds = 0;
    int64_t nanos = 0;
    if (layout_.clock_parts > 0) {
      Literal('T');
      clock_seconds = 3600 * InRange(Number("15", 1, 2), 0, 23, "hour");
    }
    if (layout_.clock_parts > 1) {
      Literal(':');
      clock_seconds += 60 * InRange(Number("04", 2, 2), 0, 59, "minute");
    }
    if (layout_.clock_parts > 2) {
      Literal(':');
      clock_seconds += InRange(Number("05", 2, 2), 0, 59, "second");
      nanos = Fraction();
    }
    const int64_t offset = layout_.zone ? Zone() : local_offset_seconds;
    RETURN_IF_ERROR(status_);
    if (!rest_.empty()) {
      return absl::InvalidArgumentError(
          StrCat("parsing time ", QuotedForError(text_), ": extra text: ", QuotedForError(rest_)));
    }
    InRange(day, 1, DaysInMonth(year, month), "day");
    RETURN_IF_ERROR(status_);
    return SaturatedNanos(DaysFromCivil(year, month, day) * 86'400 + clock_seconds - offset, nanos);
  }

 private:
  void Fail(std::string_view element) {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(StrCat("parsing time ", QuotedForError(text_), " as \"",
                                                layout_.Text(), "\": cannot parse ",
                                                QuotedForError(rest_), " as \"", element, "\""));
  }
  int64_t InRange(int64_t value, int64_t first, int64_t last, std::string_view what) {
    if (value >= first && value <= last) return value;
    if (status_.ok()) {
      status_ = absl::InvalidArgumentError(
          StrCat("parsing time ", QuotedForError(text_), ": ", what, " out of range"));
    }
    return first;
  }
  int64_t Number(std::string_view element, size_t min_digits, size_t max_digits) {
    size_t digits = 0;
    int64_t value = 0;
    while (digits < max_digits && digits < rest_.size() && IsDigit(rest_[digits])) {
      value = value * 10 + (rest_[digits++] - '0');
    }
    if (digits < min_digits) {
      Fail(element);
      return 0;
    }
    rest_.remove_prefix(digits);
    return value;
  }
  void Literal(char c) {
    if (rest_.empty() || rest_.front() != c) return Fail(std::string_view(&c, 1));
    rest_.remove_prefix(1);
  }
  // Nanoseconds; digits past the ninth do not count.
  int64_t Fraction() {
    if (rest_.size() < 2 || (rest_[0] != '.' && rest_[0] != ',') || !IsDigit(rest_[1])) return 0;
    rest_.remove_prefix(1);
    int64_t nanos = 0;
    int64_t unit = kNanosPerSecond / 10;
    for (; !rest_.empty() && IsDigit(rest_.front()); rest_.remove_prefix(1), unit /= 10) {
      nanos += unit * (rest_.front() - '0');
    }
    return nanos;
  }
  int64_t Zone() {
    if (!rest_.empty() && rest_.front() == 'Z') {
      rest_.remove_prefix(1);
      return 0;
    }
    if (rest_.empty() || (rest_.front() != '+' && rest_.front() != '-')) {
      Fail("Z07:00");
      return 0;
    }
    const int64_t sign = rest_.front() == '-' ? -1 : 1;
    rest_.remove_prefix(1);
    const int64_t hours = InRange(Number("Z07:00", 2, 2), 0, 24, "time zone offset hour");
    Literal(':');
    const int64_t minutes = InRange(Number("Z07:00", 2, 2), 0, 59, "time zone offset minute");
    return sign * (hours * 3600 + minutes * 60);
  }

  const std::string_view text_;
  std::string_view rest_;
  const TimeLayout layout_;
  absl::Status status_;
};

// Takes the unit of a duration off the front of `*text`; 0 when there is none. In nanoseconds.
int64_t TakeUnit(std::string_view* text) {
  constexpr std::array<std::pair<std::string_view, int64_t>, 8> kUnits = {{
      {"ns", 1},
      {"us", 1'000},
      {"\xc2\xb5s", 1'000},  // the micro sign
      {"\xce\xbcs", 1'000},  // the Greek letter mu
      {"ms", 1'000'000},
      {"s", kNanosPerSecond},
      {"m", 60 * kNanosPerSecond},
      {"h", 3600 * kNanosPerSecond},
  }};
  const auto ends = [](char c) { return IsDigit(c) || c == '.'; };
  const auto length =
      static_cast<size_t>(std::find_if(text->begin(), text->end(), ends) - text->begin());
  const std::string_view name = text->substr(0, length);
  text->remove_prefix(length);
  for (const auto& [unit, nanos] : kUnits) {
    if (unit == name) return nanos;
  }
  return 0;
}

// One "1.5h" off the front of `*text`, in nanoseconds.
std::optional<int64_t> TakeDurationTerm(std::string_view* text) {
  int64_t whole = 0;
  size_t digits = 0;
  for (; !text->empty() && IsDigit(text->front()); text->remove_prefix(1), ++digits) {
    if (__builtin_mul_overflow(whole, 10, &whole) ||
        __builtin_add_overflow(whole, text->front() - '0', &whole)) {
      return std::nullopt;
    }
  }
  double fraction = 0;
  if (!text->empty() && text->front() == '.') {
    text->remove_prefix(1);
    for (double unit = 0.1; !text->empty() && IsDigit(text->front());
         text->remove_prefix(1), ++digits, unit /= 10) {
      fraction += unit * (text->front() - '0');
    }
  }
  if (digits == 0) return std::nullopt;
  const int64_t unit = TakeUnit(text);
  int64_t nanos = 0;
  if (unit == 0 || __builtin_mul_overflow(whole, unit, &nanos) ||
      __builtin_add_overflow(nanos, std::llround(fraction * static_cast<double>(unit)), &nanos)) {
    return std::nullopt;
  }
  return nanos;
}

// Go's durations, without its special case: nullopt for what is none or too long.
std::optional<int64_t> Duration(std::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  int64_t total = 0;
  while (!text.empty()) {
    const std::optional<int64_t> term = TakeDurationTerm(&text);
    if (!term.has_value() || __builtin_add_overflow(total, *term, &total)) return std::nullopt;
  }
  return negative ? -total : total;
}

// A signed number that takes the whole text.
std::optional<int64_t> ParseInteger(std::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  if (text.empty() || !std::all_of(text.begin(), text.end(), IsDigit)) return std::nullopt;
  int64_t value = 0;
  for (const char c : text) {
    if (__builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, c - '0', &value)) {
      return std::nullopt;
    }
  }
  return negative ? -value : value;
}

// Seconds since 1970 with an optional fraction.
std::optional<int64_t> ParseUnixTime(std::string_view text) {
  const size_t point = text.find('.');
  const std::optional<int64_t> seconds = ParseInteger(text.substr(0, point));
  if (!seconds.has_value()) return std::nullopt;
  if (point == std::string_view::npos) return SaturatedNanos(*seconds, 0);
  const std::string_view digits = text.substr(point + 1);
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), IsDigit)) return std::nullopt;
  int64_t nanos = 0;
  int64_t unit = kNanosPerSecond / 10;
  for (const char digit : digits.substr(0, 9)) {
    nanos += unit * (digit - '0');
    unit /= 10;
  }
  return SaturatedNanos(*seconds, nanos);
}

// The layout that Docker tries for `text`, which it tells from single characters of it.
TimeLayout GuessLayout(std::string_view text) {
  const bool utc = text.find_first_of("zZ") != std::string_view::npos;
  TimeLayout layout;
  layout.zone = utc || text.find('+') != std::string_view::npos ||
                std::count(text.begin(), text.end(), '-') == 3;
  if (text.find('.') != std::string_view::npos) return layout;
  if (text.find('T') == std::string_view::npos) {
    layout.clock_parts = 0;
    return layout;
  }
  auto colons = std::count(text.begin(), text.end(), ':');
  if (layout.zone && !utc && colons > 0) --colons;  // that of the offset
  layout.clock_parts = colons >= 2 ? 3 : static_cast<int>(colons) + 1;
  return layout;
}

}  // namespace

TimeReference LocalTimeReference(Clock& clock) {
  TimeReference reference{clock.WallNanos(), 0};
  const auto seconds = static_cast<time_t>(reference.now_nanos / kNanosPerSecond);
  struct tm local = {};
  if (localtime_r(&seconds, &local) != nullptr) {
    reference.utc_offset_seconds = static_cast<int32_t>(local.tm_gmtoff);
  }
  return reference;
}

absl::StatusOr<int64_t> ParseRfc3339(std::string_view text) {
  return TimeReader(text, TimeLayout()).Read(0);
}

absl::StatusOr<int64_t> ParseTimeOrDuration(std::string_view text, const TimeReference& reference) {
  const std::optional<int64_t> before = text == "0" ? std::nullopt : Duration(text);
  if (before.has_value()) {
    int64_t nanos = 0;
    if (__builtin_sub_overflow(reference.now_nanos, *before, &nanos)) {
      return *before < 0 ? kLastNanos : kFirstNanos;
    }
    return nanos;
  }
  absl::StatusOr<int64_t> time =
      TimeReader(text, GuessLayout(text)).Read(reference.utc_offset_seconds);
  if (time.ok() || text.find('-') != std::string_view::npos) return time;
  const std::optional<int64_t> unix_time = ParseUnixTime(text);
  if (unix_time.has_value()) return *unix_time;
  return absl::InvalidArgumentError(
      StrCat("failed to parse value as time or duration: ", QuotedForError(text)));
}

absl::StatusOr<int64_t> ParseDuration(std::string_view text) {
  const std::optional<int64_t> nanos = Duration(text);
  if (nanos.has_value()) return *nanos;
  return absl::InvalidArgumentError(StrCat(
      "failed to parse value as duration: ", QuotedForError(text), "; write it like 90m or 720h"));
}

std::string QuotedForError(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text.substr(0, kMaxQuotedBytes)) {
    if (c == '"' || c == '\\') quoted.push_back('\\');
    quoted.push_back(c >= ' ' && c <= '~' ? c : '?');
  }
  return StrCat(quoted, text.size() > kMaxQuotedBytes ? "...\"" : "\"");
}

}  // namespace varve

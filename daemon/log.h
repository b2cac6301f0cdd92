// One log line an event, as text for people or JSON for machines, to standard error or a file.
// Thread-safe.
//
//   Log(LogLevel::kInfo, "push", {{"request", id}, {"repository", name}, {"bytes", 123}});
//   text: 2026-11-23T18:00:00.123Z info push request=7f3a… repository=library/debian bytes=123
//   JSON: {"time":"…","level":"info","event":"push","request":"7f3a…",…,"bytes":123}
// Values are escaped: client input cannot forge a line.
#ifndef VARVE_DAEMON_LOG_H_
#define VARVE_DAEMON_LOG_H_

#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"

namespace varve {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

struct LogField {
  LogField(std::string_view name, std::string text) : key(name), value(std::move(text)) {}
  template <typename Number, typename = std::enable_if_t<std::is_arithmetic_v<Number>>>
  LogField(std::string_view name, Number number)
      : key(name), value(NumberText(number)), is_number(true) {}

  std::string_view key;
  std::string value;
  bool is_number = false;  // `value` stands as it is in JSON

 private:
  static std::string NumberText(double number);  // one decimal place
  template <typename Integer>
  static std::enable_if_t<std::is_integral_v<Integer>, std::string> NumberText(Integer number) {
    return std::to_string(number);
  }
};

// Call before the first thread starts; the default is text at level info.
void ConfigureLog(LogFormat format, LogLevel level);
// From now on lines go to the end of this file, which is made when it is absent; an empty path is
// standard error. Unavailable, naming it, when it cannot be opened: then they go where they went.
absl::Status OpenLogFile(const std::string& path);
// Opens the file of OpenLogFile again, by its name: somebody has moved the old one away. No line is
// lost or cut meanwhile. Errors of OpenLogFile.
absl::Status ReopenLogFile();

// False when Log would write nothing: what a line costs to make can be saved.
bool LogsAt(LogLevel level);

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

}  // namespace varve

#endif  // VARVE_DAEMON_LOG_H_

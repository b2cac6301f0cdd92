// One log line an event, as text for people or JSON for machines, to standard error. Thread-safe.
//
//   Log(LogLevel::kInfo, "push", {{"request", id}, {"repository", name}, {"bytes", "123"}});
//   text: 2026-11-23T18:00:00.123Z info push request=7f3a… repository=library/debian bytes=123
//   JSON: {"time":"…","level":"info","event":"push","request":"7f3a…",…}
// Values are escaped: client input cannot forge a line.
#ifndef VARVE_DAEMON_LOG_H_
#define VARVE_DAEMON_LOG_H_

#include <initializer_list>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace varve {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

struct LogField {
  std::string_view key;
  std::string value;
};

// Call before the first thread starts; the default is text at level info.
void ConfigureLog(LogFormat format, LogLevel level);

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

}  // namespace varve

#endif  // VARVE_DAEMON_LOG_H_

#include "daemon/log.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "daemon/second_text.h"
#include "storage/base/json_text.h"
#include "storage/base/mutex.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

// A value longer than this is cut: a header or path of a hostile client must not fill the log.
constexpr size_t kMaxValueBytes = 2048;
// Room that a line about a pull or push takes.
constexpr size_t kUsualLineBytes = 512;

std::atomic<LogFormat> g_format{LogFormat::kText};
std::atomic<LogLevel> g_level{LogLevel::kInfo};

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warning", "error"};

// Code points beyond U+001F that end a line, move the cursor or reorder what a terminal shows.
bool IsControl(uint32_t c) {
  return (c >= 0x7F && c <= 0x9F) || (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF;
}

// A value is escaped as in JSON in both formats; in text, bytes that are not UTF-8 lose nothing.
constexpr JsonEscapes kJsonEscapes{
    .by_letter = "\n\r\t", .hidden = IsControl, .bad_bytes = JsonEscapes::BadBytes::kReplaced};
constexpr JsonEscapes kTextEscapes{
    .by_letter = "\n\r\t", .hidden = IsControl, .bad_bytes = JsonEscapes::BadBytes::kHex};

std::string_view Cut(std::string_view value, std::string& storage) {
  if (value.size() <= kMaxValueBytes) return value;
  size_t end = kMaxValueBytes;
  while (end > kMaxValueBytes - 4 && (static_cast<unsigned char>(value[end]) & 0xC0) == 0x80) {
    --end;
  }
  storage = std::string(value.substr(0, end)) + "…(" + std::to_string(value.size()) + " bytes)";
  return storage;
}

void AppendNow(std::string& out) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const auto ms = static_cast<int>(now.tv_nsec / 1'000'000);
  thread_local SecondText text([](char* buffer, size_t size, const std::tm& utc) {
    return std::strftime(buffer, size, "%Y-%m-%dT%H:%M:%S", &utc);
  });
  out.append(text.At(now.tv_sec));
  out += '.';
  for (const int digit : {ms / 100, ms / 10 % 10, ms % 10}) out += static_cast<char>('0' + digit);
  out += 'Z';
}

// In quotes unless nobody can mistake where it ends: then nothing of it was escaped either, which
// would have made it longer.
void AppendTextValue(std::string* line, std::string_view value) {
  const size_t start = line->size();
  AppendJsonEscaped(line, value, kTextEscapes);
  const bool plain = !value.empty() && line->size() - start == value.size() &&
                     value.find_first_of(" =") == std::string_view::npos;
  if (plain) return;
  line->insert(start, 1, '"');
  line->push_back('"');
}

std::string TextLine(LogLevel level, std::string_view event,
                     std::initializer_list<LogField> fields) {
  std::string line;
  line.reserve(kUsualLineBytes);
  AppendNow(line);
  line.append(" ").append(kLevelNames[static_cast<size_t>(level)]).append(" ");
  AppendJsonEscaped(&line, event, kTextEscapes);
  for (const LogField& field : fields) {
    std::string storage;
    const std::string_view value = Cut(field.value, storage);
    line += ' ';
    AppendJsonEscaped(&line, field.key, kTextEscapes);
    line += '=';
    AppendTextValue(&line, value);
  }
  return line;
}

std::string JsonLine(LogLevel level, std::string_view event,
                     std::initializer_list<LogField> fields) {
  std::string line;
  line.reserve(kUsualLineBytes);
  line += "{\"time\":\"";
  AppendNow(line);
  line.append("\",\"level\":\"")
      .append(kLevelNames[static_cast<size_t>(level)])
      .append("\",\"event\":");
  AppendJsonString(&line, event, kJsonEscapes);
  for (const LogField& field : fields) {
    std::string storage;
    line += ',';
    AppendJsonString(&line, field.key, kJsonEscapes);
    line += ':';
    if (field.is_number) {
      line += field.value;
    } else {
      AppendJsonString(&line, Cut(field.value, storage), kJsonEscapes);
    }
  }
  line += '}';
  return line;
}

constexpr int kAppend = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;

// Where lines go. Lives as long as the process: threads may log while it ends.
class Output {
 public:
  // One write a line. The lock keeps the rest of a short write (a full pipe) behind its beginning.
  void WriteLine(std::string_view line) {
    const MutexLock lock(mutex_);
    while (!line.empty()) {
      const ssize_t written = ::write(descriptor_, line.data(), line.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return;  // nobody reads the log: the daemon goes on
      line.remove_prefix(static_cast<size_t>(written));
    }
  }

  absl::Status Open(const std::string& path) {
    const int file = path.empty() ? STDERR_FILENO : ::open(path.c_str(), kAppend, 0640);
    if (file < 0) {
      return absl::UnavailableError(StrCat("cannot open the log file ", path, ": ",
                                           std::string_view(std::strerror(errno)),
                                           "; [log] file says where it is"));
    }
    const MutexLock lock(mutex_);
    if (descriptor_ != STDERR_FILENO) ::close(descriptor_);
    descriptor_ = file;
    path_ = path;
    return absl::OkStatus();
  }

  std::string path() {
    const MutexLock lock(mutex_);
    return path_;
  }

 private:
  Mutex mutex_;
  int descriptor_ ABSL_GUARDED_BY(mutex_) = STDERR_FILENO;
  std::string path_ ABSL_GUARDED_BY(mutex_);  // empty: standard error
};

Output& TheOutput() {
  static auto* const output = new Output();
  return *output;
}

}  // namespace

std::string LogField::NumberText(double number) {
  std::array<char, 32> buffer;
  const int length = std::snprintf(buffer.data(), buffer.size(), "%.1f", number);
  return std::string(buffer.data(), static_cast<size_t>(length));
}

void ConfigureLog(LogFormat format, LogLevel level) {
  g_format = format;
  g_level = level;
}

absl::Status OpenLogFile(const std::string& path) { return TheOutput().Open(path); }

absl::Status ReopenLogFile() { return TheOutput().Open(TheOutput().path()); }

bool LogsAt(LogLevel level) { return level >= g_level.load(std::memory_order_relaxed); }

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!LogsAt(level)) return;
  std::string line = g_format.load(std::memory_order_relaxed) == LogFormat::kText
                         ? TextLine(level, event, fields)
                         : JsonLine(level, event, fields);
  line += '\n';
  TheOutput().WriteLine(line);
}

}  // namespace varve

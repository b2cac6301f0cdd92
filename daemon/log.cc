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

struct CodePoint {
  uint32_t value = 0;
  size_t length_bytes = 0;  // 0: not valid UTF-8
};

// Decodes the first code point of `text` (not empty): the shortest form only, no surrogates.
CodePoint Decode(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  size_t length = 0;
  uint32_t value = 0;
  uint32_t smallest = 0;
  if ((lead & 0xE0) == 0xC0) {
    length = 2, value = lead & 0x1F, smallest = 0x80;
  } else if ((lead & 0xF0) == 0xE0) {
    length = 3, value = lead & 0x0F, smallest = 0x800;
  } else if ((lead & 0xF8) == 0xF0) {
    length = 4, value = lead & 0x07, smallest = 0x10000;
  }
  if (length == 0 || text.size() < length) return {};
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = (value << 6) | (byte(i) & 0x3F);
  }
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < smallest || value > 0x10FFFF || surrogate) return {};
  return {value, length};
}

// Code points that end a line, move the cursor or reorder what a terminal shows.
bool IsControl(uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF;
}

// The printable characters of ASCII but for those that end a value, quoted or not: most of what is
// logged, and copied as it stands.
constexpr std::array<bool, 256> kOrdinary = [] {
  std::array<bool, 256> ordinary{};
  for (size_t c = 0x21; c < 0x7F; ++c) ordinary[c] = c != '"' && c != '\\' && c != '=';
  return ordinary;
}();

size_t CountOrdinary(std::string_view text) {
  size_t count = 0;
  while (count < text.size() && kOrdinary[static_cast<unsigned char>(text[count])]) ++count;
  return count;
}

void AppendHex(std::string& out, const char* prefix, uint32_t value, int digits) {
  std::array<char, 16> buffer;
  const int length = std::snprintf(buffer.data(), buffer.size(), "%s%0*x", prefix, digits, value);
  out.append(buffer.data(), static_cast<size_t>(length));
}

// Appends `text` as the inside of a JSON string. Bytes that are not UTF-8 become \xNN in text,
// which loses nothing, and U+FFFD in JSON, which has no way to say them.
void AppendEscaped(std::string& out, std::string_view text, LogFormat format) {
  while (true) {
    const size_t ordinary = CountOrdinary(text);
    out.append(text.substr(0, ordinary));
    text.remove_prefix(ordinary);
    if (text.empty()) return;
    const CodePoint c = Decode(text);
    const size_t length = c.length_bytes == 0 ? 1 : c.length_bytes;
    if (c.length_bytes == 0) {
      if (format == LogFormat::kText) {
        AppendHex(out, "\\x", static_cast<unsigned char>(text[0]), 2);
      } else {
        out += "\\ufffd";
      }
    } else if (c.value == '"' || c.value == '\\') {
      out += '\\';
      out += text[0];
    } else if (c.value == '\n') {
      out += "\\n";
    } else if (c.value == '\r') {
      out += "\\r";
    } else if (c.value == '\t') {
      out += "\\t";
    } else if (IsControl(c.value)) {
      AppendHex(out, "\\u", c.value, 4);
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
}

// True when text format can show `text` without quotes and nobody mistakes where it ends.
bool IsPlain(std::string_view text) {
  if (text.empty()) return false;
  while (true) {
    text.remove_prefix(CountOrdinary(text));
    if (text.empty()) return true;
    const CodePoint c = Decode(text);
    if (c.length_bytes == 0 || IsControl(c.value)) return false;
    if (c.value == ' ' || c.value == '"' || c.value == '\\' || c.value == '=') return false;
    text.remove_prefix(c.length_bytes);
  }
}

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

std::string TextLine(LogLevel level, std::string_view event,
                     std::initializer_list<LogField> fields) {
  std::string line;
  line.reserve(kUsualLineBytes);
  AppendNow(line);
  line.append(" ").append(kLevelNames[static_cast<size_t>(level)]).append(" ");
  AppendEscaped(line, event, LogFormat::kText);
  for (const LogField& field : fields) {
    std::string storage;
    const std::string_view value = Cut(field.value, storage);
    line += ' ';
    AppendEscaped(line, field.key, LogFormat::kText);
    line += '=';
    if (IsPlain(value)) {
      line.append(value);
      continue;
    }
    line += '"';
    AppendEscaped(line, value, LogFormat::kText);
    line += '"';
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
      .append("\",\"event\":\"");
  AppendEscaped(line, event, LogFormat::kJson);
  line += '"';
  for (const LogField& field : fields) {
    std::string storage;
    line += ",\"";
    AppendEscaped(line, field.key, LogFormat::kJson);
    line += "\":";
    if (field.is_number) {
      line += field.value;
      continue;
    }
    line += '"';
    AppendEscaped(line, Cut(field.value, storage), LogFormat::kJson);
    line += '"';
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

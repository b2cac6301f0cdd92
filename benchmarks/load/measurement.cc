#include "benchmarks/load/measurement.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "absl/strings/str_format.h"
#include "storage/base/mutex.h"
#include "storage/base/str_cat.h"

namespace varve::load {
namespace {

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

struct ProcessStat {
  pid_t parent = 0;
  double cpu_seconds = 0;
};

// Fields of /proc/PID/stat after the name, which may hold anything but a closing parenthesis last.
ProcessStat ReadStat(pid_t pid) {
  const std::string text = ReadText(StrCat("/proc/", pid, "/stat"));
  ProcessStat stat;
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return stat;
  std::istringstream fields(text.substr(name_end + 1));
  std::string state, skipped;
  uint64_t user = 0, system = 0;
  fields >> state >> stat.parent;
  for (int i = 0; i < 9; ++i) fields >> skipped;
  fields >> user >> system;
  stat.cpu_seconds = static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  return stat;
}

// The number after `key` in a text of "key: number" lines.
uint64_t NumberAfter(const std::string& text, const std::string& key) {
  const size_t at = text.find(key);
  return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + key.size(), nullptr, 10);
}

std::vector<pid_t> WithDescendants(pid_t pid) {
  std::multimap<pid_t, pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const pid_t other = static_cast<pid_t>(std::atoi(entry.path().filename().c_str()));
    if (other > 0) children.emplace(ReadStat(other).parent, other);
  }
  std::vector<pid_t> tree = {pid};
  for (size_t i = 0; i < tree.size(); ++i) {
    const auto [begin, end] = children.equal_range(tree[i]);
    for (auto child = begin; child != end; ++child) tree.push_back(child->second);
  }
  return tree;
}

}  // namespace

double Percentile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const size_t at = static_cast<size_t>(share * static_cast<double>(sorted.size() - 1) + 0.5);
  return sorted[at];
}

ServerUsage ReadServerUsage(pid_t pid) {
  ServerUsage usage;
  for (const pid_t one : WithDescendants(pid)) {
    usage.cpu_seconds += ReadStat(one).cpu_seconds;
    usage.written_bytes += NumberAfter(ReadText(StrCat("/proc/", one, "/io")), "\nwrite_bytes: ");
    usage.peak_rss_bytes +=
        1024 * NumberAfter(ReadText(StrCat("/proc/", one, "/status")), "VmHWM:");
  }
  return usage;
}

void ResetPeakRss(pid_t pid) {
  for (const pid_t one : WithDescendants(pid)) {
    std::ofstream(StrCat("/proc/", one, "/clear_refs")) << "5";
  }
}

uint64_t CountDiskFlushes(const std::string& diskstats,
                          const std::function<bool(std::string_view name)>& is_disk) {
  // Documentation/admin-guide/iostats: flush requests completed are field 16 after the name, which
  // follows major and minor number.
  constexpr int kNameField = 3, kFlushesField = 19;
  std::istringstream lines(diskstats);
  std::string line;
  uint64_t flushes = 0;
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string field, name;
    for (int i = 1; i <= kFlushesField && fields >> field; ++i) {
      if (i == kNameField) name = field;
    }
    if (fields && is_disk(name)) flushes += std::strtoull(field.c_str(), nullptr, 10);
  }
  return flushes;
}

uint64_t ReadDiskFlushes() {
  return CountDiskFlushes(ReadText("/proc/diskstats"), [](std::string_view name) {
    // Only hardware has this: no partition, loop, device mapper or RAID.
    std::error_code error;
    return std::filesystem::exists(StrCat("/sys/block/", name, "/device"), error);
  });
}

std::string Measurement::Json() const {
  std::vector<double> sorted = latencies_ms;
  std::sort(sorted.begin(), sorted.end());
  std::string extra;
  for (const auto& [key, value] : more) absl::StrAppendFormat(&extra, ",\"%s\":%.15g", key, value);
  return absl::StrFormat(
      "{\"name\":\"%s\",\"connections\":%d,\"operations\":%d,\"bytes\":%d,\"wall_seconds\":%.6f,"
      "\"cpu_seconds\":%.3f,\"written_bytes\":%d,\"peak_rss_bytes\":%d,\"disk_flushes\":%d,"
      "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f%s}",
      name, connections, operations, bytes, wall_seconds, used.cpu_seconds, used.written_bytes,
      used.peak_rss_bytes, disk_flushes, Percentile(sorted, 0.5), Percentile(sorted, 0.99),
      Percentile(sorted, 0.999), extra);
}

absl::StatusOr<Measurement> Measure(const std::string& name, pid_t server, int connections,
                                    size_t operations, const Operation& operation) {
  using Clock = std::chrono::steady_clock;
  Measurement result;
  result.name = name;
  result.connections = connections;
  ResetPeakRss(server);
  const ServerUsage before = ReadServerUsage(server);
  const uint64_t flushes_before = ReadDiskFlushes();
  std::atomic<size_t> next = 0;
  Mutex mutex;
  absl::Status error;
  const Clock::time_point begin = Clock::now();
  const auto work = [&](int connection) {
    std::vector<double> latencies;
    uint64_t bytes = 0;
    for (size_t i = 0; (i = next.fetch_add(1)) < operations;) {
      const Clock::time_point started = Clock::now();
      const absl::StatusOr<uint64_t> done = operation(connection, i);
      if (!done.ok()) {
        next = operations;
        MutexLock lock(mutex);
        if (error.ok()) error = done.status();
        return;
      }
      latencies.push_back(
          std::chrono::duration<double, std::milli>(Clock::now() - started).count());
      bytes += *done;
    }
    MutexLock lock(mutex);
    result.bytes += bytes;
    result.latencies_ms.insert(result.latencies_ms.end(), latencies.begin(), latencies.end());
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < connections; ++i) threads.emplace_back(work, i);
  work(0);
  for (std::thread& thread : threads) thread.join();
  if (!error.ok()) return error;
  result.wall_seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const ServerUsage after = ReadServerUsage(server);
  result.operations = operations;
  result.used = {after.cpu_seconds - before.cpu_seconds, after.written_bytes - before.written_bytes,
                 after.peak_rss_bytes};
  result.disk_flushes = ReadDiskFlushes() - flushes_before;
  return result;
}

}  // namespace varve::load

// What one timed part of a workload took: its operations, and what the server's processes used of
// the machine meanwhile, from /proc.
#ifndef VARVE_BENCHMARKS_LOAD_MEASUREMENT_H_
#define VARVE_BENCHMARKS_LOAD_MEASUREMENT_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace varve::load {

// Of a process and all its descendants that live.
struct ServerUsage {
  double cpu_seconds = 0;       // user and system
  uint64_t written_bytes = 0;   // that it caused to be written to disks
  uint64_t peak_rss_bytes = 0;  // the largest of each since its start or ResetPeakRss, added up
};
ServerUsage ReadServerUsage(pid_t pid);

// From now on the peaks of the process and its descendants are those of what follows.
void ResetPeakRss(pid_t pid);

// Flush requests that the disks completed since the machine started: of whole devices that
// `is_disk` knows, so that neither a partition nor a device on top of another counts twice.
// `diskstats` is the text of /proc/diskstats.
uint64_t CountDiskFlushes(const std::string& diskstats,
                          const std::function<bool(std::string_view name)>& is_disk);
uint64_t ReadDiskFlushes();

// Of an ascending list, 0 when it is empty; `share` between 0 and 1.
double Percentile(const std::vector<double>& sorted, double share);

struct Measurement {
  std::string name;
  int connections = 1;
  uint64_t operations = 0;
  uint64_t bytes = 0;  // of payload
  double wall_seconds = 0;
  ServerUsage used;  // differences, but the peak
  uint64_t disk_flushes = 0;
  std::vector<double> latencies_ms;                  // one per operation, in no order
  std::vector<std::pair<std::string, double>> more;  // further figures, by their key in the JSON

  // One JSON object.
  std::string Json() const;
};

// Runs `operation(connection number, i)` for every i < operations, on `connections` threads that
// take the next i when they are ready. The first error ends it. The result of an operation is its
// payload in bytes.
using Operation = std::function<absl::StatusOr<uint64_t>(int connection, size_t i)>;
absl::StatusOr<Measurement> Measure(const std::string& name, pid_t server, int connections,
                                    size_t operations, const Operation& operation);

}  // namespace varve::load

#endif  // VARVE_BENCHMARKS_LOAD_MEASUREMENT_H_

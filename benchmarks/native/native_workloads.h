// The workloads of the native API and of a store that varve_fill_store made, by name.
// benchmarks/README.md says what each means.
#ifndef VARVE_BENCHMARKS_NATIVE_NATIVE_WORKLOADS_H_
#define VARVE_BENCHMARKS_NATIVE_NATIVE_WORKLOADS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "benchmarks/load/measurement.h"

namespace varve::load {

enum class Protocol { kVarve, kContainerd };

struct NativeTarget {
  std::string socket;
  Protocol protocol = Protocol::kVarve;
  int port = 0;  // of the registry on 127.0.0.1
  pid_t server = 0;
  uint64_t seed = 0;
  uint64_t blobs = 0;  // of the filled store
  size_t operations = 1000;
  int connections = 1;
};

// InvalidArgument for a name that is none; Unimplemented when it is not for servers of this kind.
absl::StatusOr<std::vector<Measurement>> RunNative(const std::string& workload,
                                                   const NativeTarget& target);

}  // namespace varve::load

#endif  // VARVE_BENCHMARKS_NATIVE_NATIVE_WORKLOADS_H_

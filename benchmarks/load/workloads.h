// The workloads that any OCI registry can run, by name. benchmarks/README.md says what each means.
#ifndef VARVE_BENCHMARKS_LOAD_WORKLOADS_H_
#define VARVE_BENCHMARKS_LOAD_WORKLOADS_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "benchmarks/load/measurement.h"
#include "benchmarks/load/registry.h"

namespace varve::load {

struct Target {
  std::string host = "127.0.0.1";
  int port = 0;
  pid_t server = 0;
  std::string static_root;  // of a server of plain files: where they go; it can only be pulled from
  uint64_t seed = 0;  // another one for each round: what is pushed is never in the store before
};

// `count` connections to one repository of the target.
std::vector<std::unique_ptr<Registry>> Connect(const Target& target, int count,
                                               const std::string& repository);

struct Workload {
  std::string name;
  bool plain_files;  // a server of plain files can take part
  std::function<absl::StatusOr<std::vector<Measurement>>(const Target&)> run;
};
const std::vector<Workload>& Workloads();

// mixed_trace.cc: reads and writes in the proportions and sizes of the IBM registry traces.
absl::StatusOr<std::vector<Measurement>> MixedTrace(const Target& target);

}  // namespace varve::load

#endif  // VARVE_BENCHMARKS_LOAD_WORKLOADS_H_

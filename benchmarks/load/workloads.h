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

// What a server can do, each also what those before it can.
enum class Kind {
  kStatic,    // serves plain files; the workload puts them below Target::static_root
  kBlobs,     // takes and gives blobs, nothing else
  kRegistry,  // all of the distribution protocol
};

struct Target {
  Kind kind = Kind::kRegistry;
  std::string host = "127.0.0.1";
  int port = 0;
  pid_t server = 0;
  std::string static_root;  // where files for a Kind::kStatic server go
  uint64_t seed = 0;  // another one for each round: what is pushed is never in the store before
};

// `count` connections to one repository of the target.
std::vector<std::unique_ptr<Registry>> Connect(const Target& target, int count,
                                               const std::string& repository);

struct Workload {
  std::string name;
  std::vector<std::string> measurements;  // that it gives, as far as the server can
  Kind least;                             // the least able kind of server that takes part
  std::function<absl::StatusOr<std::vector<Measurement>>(const Target&)> run;
};
const std::vector<Workload>& Workloads();

// mixed_trace.cc: reads and writes in the proportions and sizes of the IBM registry traces.
absl::StatusOr<std::vector<Measurement>> MixedTrace(const Target& target);

}  // namespace varve::load

#endif  // VARVE_BENCHMARKS_LOAD_WORKLOADS_H_

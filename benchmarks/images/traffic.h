// Clients that push and pull images at a fixed rate, whatever the server does: operation i is due
// i / rate seconds after the start, and its latency counts from then on, so that one that had to
// wait for a connection, because those before it were slow, has waited.
#ifndef VARVE_BENCHMARKS_IMAGES_TRAFFIC_H_
#define VARVE_BENCHMARKS_IMAGES_TRAFFIC_H_

#include <cstddef>
#include <functional>
#include <vector>

#include "absl/status/status.h"

namespace varve::load {

struct PacedOperation {
  double due_seconds = 0;  // CLOCK_MONOTONIC, as the programs around it read it
  double latency_ms = 0;
  size_t number = 0;
  absl::Status status;
};

// Runs operations 0, 1, … on `connections` threads, `per_second` in all, until `stopped` says so.
// `prepare` comes before an operation is due and gives what does it; the time of that call is what
// counts. An operation that fails is one of the results, and the others go on. In no order.
using PreparedOperation = std::function<absl::Status()>;
std::vector<PacedOperation> RunAtRate(
    double per_second, int connections, const std::function<bool()>& stopped,
    const std::function<PreparedOperation(int connection, size_t number)>& prepare);

}  // namespace varve::load

#endif  // VARVE_BENCHMARKS_IMAGES_TRAFFIC_H_

// varve_load_native: runs one workload of the native API, or of a large store, against a server
// that is running already, and prints one JSON object a measurement, as varve_load does.
// benchmarks/native_workloads.py starts it.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "benchmarks/native/native_workloads.h"

namespace varve::load {
namespace {

constexpr int kNotForThisServer = 3;

int Main(int argc, char** argv) {
  CLI::App app("Runs one native workload against a running server", "varve_load_native");
  NativeTarget target;
  std::string workload;
  bool containerd = false;
  app.add_option("--socket", target.socket, "Of the gRPC API");
  app.add_flag("--containerd", containerd, "The socket is containerd's, not varved's");
  app.add_option("--port", target.port, "Of the registry, for reads");
  app.add_option("--server-pid", target.server, "Whose CPU and memory are measured")->required();
  app.add_option("--seed", target.seed, "Of what is written");
  app.add_option("--blobs", target.blobs, "That varve_fill_store made, for reads");
  app.add_option("--operations", target.operations, "Of reads")->capture_default_str();
  app.add_option("--connections", target.connections, "Of reads")->capture_default_str();
  app.add_option("WORKLOAD", workload, "grpc_write, grpc_read, find_missing or reads")->required();
  CLI11_PARSE(app, argc, argv);
  target.protocol = containerd ? Protocol::kContainerd : Protocol::kVarve;
  const absl::StatusOr<std::vector<Measurement>> done = RunNative(workload, target);
  if (absl::IsUnimplemented(done.status())) return kNotForThisServer;
  if (!done.ok()) {
    std::fprintf(stderr, "varve_load_native: %s\n", std::string(done.status().message()).c_str());
    return 1;
  }
  for (const Measurement& measurement : *done) std::printf("%s\n", measurement.Json().c_str());
  return 0;
}

}  // namespace
}  // namespace varve::load

int main(int argc, char** argv) { return varve::load::Main(argc, argv); }

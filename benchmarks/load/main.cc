// varve_load: runs one workload against a registry that is running already, and prints one JSON
// object a measurement. benchmarks/run starts the servers, alternates them and compares.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>

#include "benchmarks/load/workloads.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve::load {
namespace {

constexpr int kNotForThisServer = 3;

int Main(int argc, char** argv) {
  CLI::App app("Runs one workload against a running registry", "varve_load");
  Target target;
  std::string workload;
  app.add_option("--host", target.host, "An IPv4 address")->capture_default_str();
  app.add_option("--port", target.port)->required();
  app.add_option("--server-pid", target.server, "Whose CPU and memory are measured")->required();
  app.add_option("--kind", target.kind, "What the server can do")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Kind>{
          {"static", Kind::kStatic}, {"blobs", Kind::kBlobs}, {"registry", Kind::kRegistry}}));
  app.add_option("--static-root", target.static_root, "A static server serves files from here");
  app.add_option("--seed", target.seed, "Of what is pushed")->required();
  app.add_option("WORKLOAD", workload, "\"list\" prints their names and measurements")->required();
  CLI11_PARSE(app, argc, argv);
  for (const Workload& candidate : Workloads()) {
    if (workload == "list") {
      std::printf("%s", candidate.name.c_str());
      for (const std::string& name : candidate.measurements) std::printf(" %s", name.c_str());
      std::printf("\n");
    } else if (candidate.name == workload) {
      if (target.kind < candidate.least) return kNotForThisServer;
      const absl::StatusOr<std::vector<Measurement>> done = candidate.run(target);
      if (!done.ok()) {
        std::fprintf(stderr, "varve_load: %s\n", std::string(done.status().message()).c_str());
        return 1;
      }
      for (const Measurement& measurement : *done) std::printf("%s\n", measurement.Json().c_str());
      return 0;
    }
  }
  if (workload == "list") return 0;
  std::fprintf(stderr, "varve_load: there is no workload \"%s\"; try list\n", workload.c_str());
  return 2;
}

}  // namespace
}  // namespace varve::load

int main(int argc, char** argv) { return varve::load::Main(argc, argv); }

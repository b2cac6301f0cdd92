// varved: composition only. Configuration, store, maintenance, doors; then wait for a signal,
// drain.

#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "daemon/command_line.h"
#include "daemon/config.h"
#include "daemon/grpc/server.h"
#include "daemon/http/server.h"
#include "daemon/log.h"
#include "daemon/maintenance.h"
#include "daemon/scheduled_prune.h"
#include "daemon/service_manager.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/engine.h"

namespace varve {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

// SIGTERM and SIGINT are taken by the main thread alone; every later thread inherits the mask.
sigset_t BlockStopSignals() {
  std::signal(SIGPIPE, SIG_IGN);
  // A shell starts background jobs with SIGINT ignored: the second one would not end the process.
  std::signal(SIGINT, SIG_DFL);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// The C library gives threads up to eight arenas a processor, and memory freed in one is of no use
// in the others: with a million blobs read at random, 300 MB were taken for 154 MB in use.
void LimitMallocArenas() {
  const unsigned processors = std::thread::hardware_concurrency();
  mallopt(M_ARENA_MAX, static_cast<int>(std::clamp(processors, 2u, 8u)));
}

EngineOptions EngineOptionsOf(const Config& config) {
  EngineOptions options;
  options.max_bytes = config.max_bytes;
  options.min_free_bytes = config.min_free_bytes;
  options.reserve_bytes = config.reserve_bytes;
  options.promise_nanos = config.promise.count();
  options.ingest_expiry_nanos = config.upload_expiry.count();
  options.accept_sparse_index = config.accept_sparse_index;
  return options;
}

std::string HostAndPort(const std::string& host, uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return v6 ? StrCat("[", host, "]:", port) : StrCat(host, ":", port);
}

absl::Status Serve(const Config& config, const sigset_t& stop_signals) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Store> store,
                   OpenEngine(config.data_dir, EngineOptionsOf(config)));
  auto maintenance = std::make_unique<Maintenance>(*store, config.reclaim_interval);
  std::unique_ptr<ScheduledPrune> prunes;
  if (config.prune_every != std::chrono::nanoseconds(0)) {
    prunes = std::make_unique<ScheduledPrune>(
        *store, config.prune_every, PruneRequest{config.prune_filters, false, config.prune_all});
  }
  ASSIGN_OR_RETURN(
      const std::unique_ptr<GrpcServer> grpc,
      GrpcServer::Start(*store, {.socket_path = config.socket_path, .listen = config.grpc}));
  HttpServerOptions http_options;
  http_options.host = config.registry.host;
  http_options.port = config.registry.port;
  ASSIGN_OR_RETURN(const std::unique_ptr<HttpServer> http, HttpServer::Start(*store, http_options));
  Log(LogLevel::kInfo, "ready",
      {{"version", VARVE_VERSION},
       {"registry", HostAndPort(config.registry.host, http->port())},
       {"socket", config.socket_path},
       {"grpc", config.grpc ? HostAndPort(config.grpc->host, static_cast<uint16_t>(grpc->port()))
                            : std::string("off")},
       {"data_dir", config.data_dir},
       {"pid", StrCat(getpid())}});
  NotifyServiceManager("READY=1");

  int signal = 0;
  sigwait(&stop_signals, &signal);
  // From here on the signals have their default action: a second one ends the process at once.
  pthread_sigmask(SIG_UNBLOCK, &stop_signals, nullptr);
  const auto grace = std::chrono::duration_cast<std::chrono::milliseconds>(config.drain_timeout);
  Log(LogLevel::kInfo, "draining",
      {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}, {"timeout_ms", StrCat(grace.count())}});
  NotifyServiceManager("STOPPING=1");
  std::thread grpc_stop([&grpc, grace] { grpc->Stop(grace); });
  http->Stop(grace);
  grpc_stop.join();
  prunes.reset();
  maintenance.reset();
  RETURN_IF_ERROR(store->CheckpointIngests());
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  const absl::StatusOr<CommandLine> line =
      ParseCommandLine(std::vector<std::string>(argv + 1, argv + argc));
  if (!line.ok()) {
    std::fprintf(stderr, "varved: %s\n", std::string(line.status().message()).c_str());
    return kExitUsage;
  }
  if (!line->answer.empty()) {
    std::fputs(line->answer.c_str(), stdout);
    return 0;
  }
  const absl::StatusOr<Config> config =
      LoadConfig({line->config_file, ProcessEnvironment(), line->flags});
  if (!config.ok()) {
    std::fprintf(stderr, "varved: %s\n", std::string(config.status().message()).c_str());
    return kExitUsage;
  }
  if (line->print_config) {
    std::fputs(config->effective_toml.c_str(), stdout);
    return 0;
  }
  ConfigureLog(config->log_format, config->log_level);
  LimitMallocArenas();
  const sigset_t stop_signals = BlockStopSignals();
  umask(027);  // images may contain secrets: nothing is readable by others
  RaiseFileLimit();
  const absl::Status status = Serve(*config, stop_signals);
  if (!status.ok()) {
    Log(LogLevel::kError, "failed", {{"error", std::string(status.message())}});
    return kExitFailed;
  }
  Log(LogLevel::kInfo, "stopped");
  return 0;
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) { return varve::Main(argc, argv); }

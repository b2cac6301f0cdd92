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
#include <initializer_list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "daemon/command_line.h"
#include "daemon/config.h"
#include "daemon/grpc/server.h"
#include "daemon/health_watch.h"
#include "daemon/http/server.h"
#include "daemon/log.h"
#include "daemon/maintenance.h"
#include "daemon/own_hosts.h"
#include "daemon/scheduled_prune.h"
#include "daemon/service_manager.h"
#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/engine.h"

namespace varve {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
// Starting again cannot help: RestartPreventExitStatus of the unit.
constexpr int kExitDamaged = 3;

constexpr std::chrono::seconds kHealthInterval{1};

sigset_t SignalSet(std::initializer_list<int> members) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : members) sigaddset(&signals, signal);
  return signals;
}

// SIGTERM, SIGINT and SIGHUP are taken by the main thread alone; every later thread inherits the
// mask.
void BlockSignals() {
  std::signal(SIGPIPE, SIG_IGN);
  // A shell starts background jobs with SIGINT ignored: the second one would not end the process.
  // And nohup ignores SIGHUP, which ends nothing here.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGHUP, SIG_DFL);
  const sigset_t signals = SignalSet({SIGTERM, SIGINT, SIGHUP});
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

// The log was moved away, and its place is to be filled. A terminal that is gone is no reason to
// end: who started the daemon there without nohup still has clients.
void HandleHangup(const std::string& log_file) {
  const absl::Status reopened = ReopenLogFile();
  if (!reopened.ok()) {
    Log(LogLevel::kWarning, "hangup", {{"reason", std::string(reopened.message())}});
  } else {
    Log(LogLevel::kInfo, "hangup", {{"log_file", log_file.empty() ? "none" : log_file}});
  }
}

// Waits for SIGTERM or SIGINT, which have their default action from then on: a second one ends the
// process at once.
int WaitForStop(const std::string& log_file) {
  const sigset_t all = SignalSet({SIGTERM, SIGINT, SIGHUP});
  int signal = SIGHUP;
  while (sigwait(&all, &signal) != 0 || signal == SIGHUP) HandleHangup(log_file);
  const sigset_t stops = SignalSet({SIGTERM, SIGINT});
  pthread_sigmask(SIG_UNBLOCK, &stops, nullptr);
  return signal;
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

EngineOptions EngineOptionsOf(const Config& config, const std::string& accept_loss) {
  EngineOptions options;
  options.max_bytes = config.max_bytes;
  options.min_free_bytes = config.min_free_bytes;
  options.reserve_bytes = config.reserve_bytes;
  options.promise_nanos = config.promise.count();
  options.renew_nanos = config.renew.count();
  options.upload_expiry_nanos = config.upload_expiry.count();
  options.accept_sparse_index = config.accept_sparse_index;
  options.names = {config.canonical_names,
                   OwnHosts(config.registry, config.hostnames, MachineName())};
  options.accept_loss = accept_loss;
  options.alarm = [](std::string_view sentence) {
    Log(LogLevel::kError, "store", {{"message", std::string(sentence)}});
  };
  options.warn = [](std::string_view sentence) {
    Log(LogLevel::kWarning, "store", {{"message", std::string(sentence)}});
  };
  return options;
}

std::string HostAndPort(const std::string& host, uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return v6 ? StrCat("[", host, "]:", port) : StrCat(host, ":", port);
}

// The OCI door, or null when the configuration wants none.
absl::StatusOr<std::unique_ptr<HttpServer>> StartRegistry(const Store& store,
                                                          const Config& config) {
  if (!config.registry && config.registry_socket.empty()) return nullptr;
  HttpServerOptions options;
  options.socket_path = config.registry_socket;
  if (config.registry) {
    options.host = config.registry->host;
    options.port = config.registry->port;
  }
  options.hostnames = config.hostnames;
  options.trusted_proxies = config.trusted_proxies;
  options.read_only = config.read_only;
  return HttpServer::Start(store, options);
}

// Where clients reach it, for the log.
std::string RegistryAddress(const Config& config, const HttpServer* http) {
  if (http == nullptr) return "off";
  if (!config.registry) return "unix:" + config.registry_socket;
  return HostAndPort(config.registry->host, http->port());
}

absl::Status Serve(const Config& config, const Store& store) {
  auto maintenance = std::make_unique<Maintenance>(store.system, config.reclaim_interval);
  std::unique_ptr<ScheduledPrune> prunes;
  if (config.prune_every != std::chrono::nanoseconds(0)) {
    prunes = std::make_unique<ScheduledPrune>(
        store.images, config.prune_every,
        PruneRequest{config.prune_filters, false, config.prune_all});
  }
  ASSIGN_OR_RETURN(
      const std::unique_ptr<GrpcServer> grpc,
      GrpcServer::Start(store, {.socket_path = config.socket_path, .listen = config.grpc}));
  ASSIGN_OR_RETURN(const std::unique_ptr<HttpServer> http, StartRegistry(store, config));
  Log(LogLevel::kInfo, "ready",
      {{"version", VARVE_VERSION},
       {"registry", RegistryAddress(config, http.get())},
       {"socket", config.socket_path},
       {"grpc", config.grpc ? HostAndPort(config.grpc->host, static_cast<uint16_t>(grpc->port()))
                            : std::string("off")},
       {"data_dir", config.data_dir},
       {"pid", getpid()}});
  NotifyServiceManager("READY=1");
  // A store that cannot go on ends the daemon as a signal does.
  auto health = std::make_unique<HealthWatch>(
      store.system, kHealthInterval, [&grpc](bool serving) { grpc->SetServing(serving); },
      [] { kill(getpid(), SIGTERM); });

  const int signal = WaitForStop(config.log_file);
  const bool store_lost = health->gave_up();
  health.reset();
  const auto grace = std::chrono::duration_cast<std::chrono::milliseconds>(config.drain_timeout);
  Log(LogLevel::kInfo, "draining",
      {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}, {"timeout_ms", grace.count()}});
  NotifyServiceManager("STOPPING=1");
  std::thread grpc_stop([&grpc, grace] { grpc->Stop(grace); });
  if (http != nullptr) http->Stop(grace);
  grpc_stop.join();
  prunes.reset();
  maintenance.reset();
  if (store_lost) {
    return absl::UnavailableError("the store cannot go on; see the lines about its health");
  }
  return store.system.CheckpointUploads();
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
  BlockSignals();
  umask(027);  // images may contain secrets: nothing is readable by others
  const absl::Status opened = OpenLogFile(config->log_file);
  if (!opened.ok()) {
    std::fprintf(stderr, "varved: %s\n", std::string(opened.message()).c_str());
    return kExitFailed;
  }
  SetInvariantHook([](const char* sentence) {
    Log(LogLevel::kError, "bug", {{"message", sentence}});
  });
  RaiseFileLimit();
  const absl::StatusOr<std::unique_ptr<Engine>> store =
      OpenEngine(config->data_dir, EngineOptionsOf(*config, line->accept_loss));
  if (!store.ok()) {
    Log(LogLevel::kError, "failed", {{"error", std::string(store.status().message())}});
    return absl::IsDataLoss(store.status()) ? kExitDamaged : kExitFailed;
  }
  const absl::Status status = Serve(*config, **store);
  if (!status.ok()) {
    // Who starts it by hand is not looking at the file.
    if (!config->log_file.empty()) {
      std::fprintf(stderr, "varved: %s\n", std::string(status.message()).c_str());
    }
    Log(LogLevel::kError, "failed", {{"error", std::string(status.message())}});
    return kExitFailed;
  }
  Log(LogLevel::kInfo, "stopped");
  return 0;
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) { return varve::Main(argc, argv); }

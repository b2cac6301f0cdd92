// A real varved in a process of its own, which tests kill and start again on the same store. One
// thread at a time.
#ifndef VARVE_TESTS_SUPPORT_VARVED_PROCESS_H_
#define VARVE_TESTS_SUPPORT_VARVED_PROCESS_H_

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace varve {

// Starts a program with its output in files; gives the process, or -1.
inline pid_t Spawn(std::vector<std::string> words, const std::string& out_path,
                   const std::string& error_path) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  constexpr int kAppend = O_WRONLY | O_CREAT | O_APPEND;
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, out_path.c_str(), kAppend, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, error_path.c_str(), kAppend, 0600);
  pid_t child = -1;
  const bool started = posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ) == 0;
  posix_spawn_file_actions_destroy(&actions);
  return started ? child : -1;
}

// Sends `signal` to a process that Spawn gave and waits for its end; gives its status, as waitpid
// does. Does nothing, and gives -1, for what is no process: kill(-1) would be for everybody.
inline int EndProcess(pid_t process, int signal) {
  if (process <= 0) return -1;
  kill(process, signal);
  int status = -1;
  waitpid(process, &status, 0);
  return status;
}

class VarvedProcess {
 public:
  explicit VarvedProcess(std::string directory) : directory_(std::move(directory)) {}
  ~VarvedProcess() { End(SIGKILL); }
  VarvedProcess(const VarvedProcess&) = delete;
  VarvedProcess& operator=(const VarvedProcess&) = delete;

  std::string socket_path() const { return directory_ + "/s"; }
  std::string address() const { return "unix://" + socket_path(); }

  // False when it does not listen within ten seconds.
  bool Start() {
    process_ = Spawn({VARVED_BINARY, "--data-dir", directory_ + "/data", "--socket", socket_path(),
                      "--registry", "127.0.0.1:0", "--log-level", "debug"},
                     "/dev/null", log_path());
    for (int i = 0; i < 1000 && process_ > 0; ++i) {
      if (Listens()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  // Ends it by `signal`; gives its status, as waitpid does.
  int End(int signal) { return EndProcess(std::exchange(process_, -1), signal); }

  size_t OpenDescriptors() const {
    const std::filesystem::directory_iterator entries("/proc/" + std::to_string(process_) + "/fd");
    return static_cast<size_t>(std::distance(begin(entries), end(entries)));
  }

  // A field of its /proc/PID/status, such as "VmHWM" (in KiB).
  uint64_t StatusField(const std::string& name) const {
    std::ifstream status("/proc/" + std::to_string(process_) + "/status");
    std::string line;
    while (std::getline(status, line)) {
      if (line.rfind(name + ":", 0) == 0) return std::stoull(line.substr(name.size() + 1));
    }
    return 0;
  }

  // The port of its registry, as its log says; 0 when it does not.
  uint16_t RegistryPort() const {
    std::ifstream log(log_path());
    uint16_t port = 0;
    std::string line;
    while (std::getline(log, line)) {
      const size_t at = line.find(" registry=127.0.0.1:");
      if (at != std::string::npos) port = static_cast<uint16_t>(std::stoul(line.substr(at + 20)));
    }
    return port;
  }

  // The bytes of all finished calls named `call`, as the log counts them.
  uint64_t LoggedBytes(const std::string& call) const {
    std::ifstream log(log_path());
    uint64_t bytes = 0;
    std::string line;
    while (std::getline(log, line)) {
      const size_t at = line.find(" bytes=");
      if (line.find(" " + call + " ") != std::string::npos && at != std::string::npos) {
        bytes += std::stoull(line.substr(at + 7));
      }
    }
    return bytes;
  }

 private:
  std::string log_path() const { return directory_ + "/varved.log"; }

  bool Listens() const {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket_path().c_str(), sizeof(address.sun_path) - 1);
    const bool listens =
        connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    close(fd);
    return listens;
  }

  const std::string directory_;
  pid_t process_ = -1;
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_VARVED_PROCESS_H_

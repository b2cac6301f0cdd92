#include "client/cli/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "client/file_error.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr int kEndingSignals[] = {SIGINT, SIGTERM, SIGHUP};

// The partial file that a signal must remove; the string outlives the pointer.
std::atomic<const char*> partial_of_process{nullptr};

void RemovePartialAndEnd(int signal) {
  if (const char* path = partial_of_process.load()) unlink(path);
  std::signal(signal, SIG_DFL);
  raise(signal);
}

void SetEndingHandlers(bool remove_partial) {
  for (const int signal : kEndingSignals) {
    struct sigaction current {};
    // What the parent had ignored, as nohup does, stays ignored.
    if (sigaction(signal, nullptr, &current) != 0 || current.sa_handler == SIG_IGN) continue;
    std::signal(signal, remove_partial ? RemovePartialAndEnd : SIG_DFL);
  }
}

mode_t ModeOfNewFiles() {
  const mode_t mask = umask(0);
  umask(mask);
  return static_cast<mode_t>(0666) & ~mask;
}

}  // namespace

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError(errno, "write to " + name);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<OutputFile>> OutputFile::Create(const std::string& path) {
  struct stat info {};
  const bool exists = stat(path.c_str(), &info) == 0;
  if (exists && !S_ISREG(info.st_mode)) {
    const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return FileError(errno, "open " + path);
    return std::unique_ptr<OutputFile>(new OutputFile(path, "", fd));
  }
  // Under a name of 64 random bits that nobody else has. A signal finds the name in place before
  // the file exists, so there is no moment in which it would be left behind.
  std::string partial = StrCat(path, ".", absl::StrFormat("%016x", SystemRandom().Next()));
  std::unique_ptr<OutputFile> file(new OutputFile(path, std::move(partial), -1));
  const int fd = open(file->partial_path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return FileError(errno, "create a file beside " + path);
  file->fd_ = fd;
  if (fchmod(fd, exists ? info.st_mode & 07777 : ModeOfNewFiles()) != 0) {
    return FileError(errno, "set the mode of " + path);
  }
  return file;
}

OutputFile::OutputFile(std::string path, std::string partial_path, int fd)
    : path_(std::move(path)), partial_path_(std::move(partial_path)), fd_(fd) {
  if (partial_path_.empty()) return;
  partial_of_process = partial_path_.c_str();
  SetEndingHandlers(true);
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) close(fd_);
  if (partial_path_.empty()) return;
  unlink(partial_path_.c_str());
  SetEndingHandlers(false);
  partial_of_process = nullptr;
}

absl::Status OutputFile::Write(std::string_view bytes) { return WriteAll(fd_, bytes, path_); }

absl::Status OutputFile::Complete() {
  const int fd = std::exchange(fd_, -1);
  if (close(fd) != 0) return FileError(errno, "write to " + path_);
  if (partial_path_.empty()) return absl::OkStatus();
  if (rename(partial_path_.c_str(), path_.c_str()) != 0) {
    return FileError(errno, "give the file its name " + path_);
  }
  SetEndingHandlers(false);
  partial_of_process = nullptr;
  partial_path_.clear();
  return absl::OkStatus();
}

}  // namespace varve

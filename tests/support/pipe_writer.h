// Bytes as a pipe gives them: a thread writes, the test reads.
#ifndef VARVE_TESTS_SUPPORT_PIPE_WRITER_H_
#define VARVE_TESTS_SUPPORT_PIPE_WRITER_H_

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <string_view>
#include <thread>

#include "gtest/gtest.h"

namespace varve {

// Writes all bytes, which must outlive it, unless its reader goes; gives the end to read.
class PipeWriter {
 public:
  explicit PipeWriter(const std::string& bytes) {
    std::signal(SIGPIPE, SIG_IGN);
    EXPECT_EQ(pipe2(ends_, O_CLOEXEC), 0);
    thread_ = std::thread([this, &bytes] {
      std::string_view rest = bytes;
      while (!rest.empty()) {
        const ssize_t written = write(ends_[1], rest.data(), rest.size());
        if (written <= 0) break;
        rest.remove_prefix(static_cast<size_t>(written));
      }
      close(ends_[1]);
    });
  }
  ~PipeWriter() {
    close(ends_[0]);
    thread_.join();
  }
  PipeWriter(const PipeWriter&) = delete;
  PipeWriter& operator=(const PipeWriter&) = delete;
  int fd() const { return ends_[0]; }

 private:
  int ends_[2] = {-1, -1};
  std::thread thread_;
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_PIPE_WRITER_H_

// A file that appears under its name only when it is complete. Until then its bytes are in a file
// beside it, which is removed on failure and also when the process is ended by SIGINT, SIGTERM or
// SIGHUP. One at a time in a process.
#ifndef VARVE_CLIENT_CLI_OUTPUT_FILE_H_
#define VARVE_CLIENT_CLI_OUTPUT_FILE_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace varve {

// Writes all of `bytes` to descriptor `fd`, called `name` in the error.
absl::Status WriteAll(int fd, std::string_view bytes, const std::string& name);

class OutputFile {
 public:
  // A device or a pipe at `path` is written directly, for there nothing can be replaced.
  static absl::StatusOr<std::unique_ptr<OutputFile>> Create(const std::string& path);
  ~OutputFile();  // removes what is not complete
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  absl::Status Write(std::string_view bytes);
  // Gives the file its name, replacing a file of that name.
  absl::Status Complete();

 private:
  OutputFile(std::string path, std::string partial_path, int fd);

  const std::string path_;
  std::string partial_path_;  // empty when written directly, and after Complete
  int fd_;
};

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_OUTPUT_FILE_H_

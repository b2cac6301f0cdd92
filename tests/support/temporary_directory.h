// A new directory that goes with the object, and with it all that is inside. Its path is short:
// that of a unix socket is limited to 107 bytes.
#ifndef VARVE_TESTS_SUPPORT_TEMPORARY_DIRECTORY_H_
#define VARVE_TESTS_SUPPORT_TEMPORARY_DIRECTORY_H_

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace varve {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    if (mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/varveXXXXXX";
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_TEMPORARY_DIRECTORY_H_

#include "client/file_error.h"

#include <cerrno>
#include <cstring>

#include "storage/base/str_cat.h"

namespace varve {

absl::Status FileError(int error, std::string_view operation) {
  const std::string message = StrCat(operation, ": ", std::string_view(std::strerror(error)));
  return error == ENOENT ? absl::NotFoundError(message) : absl::FailedPreconditionError(message);
}

}  // namespace varve

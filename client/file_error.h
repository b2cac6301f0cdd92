// What went wrong with a file or pipe of this machine, where the client runs.
#ifndef VARVE_CLIENT_FILE_ERROR_H_
#define VARVE_CLIENT_FILE_ERROR_H_

#include <string_view>

#include "absl/status/status.h"

namespace varve {

// NotFound or FailedPrecondition, "operation: reason": never a code that would be about the daemon
// (Unavailable) or its disk (ResourceExhausted).
absl::Status FileError(int error, std::string_view operation);

}  // namespace varve

#endif  // VARVE_CLIENT_FILE_ERROR_H_

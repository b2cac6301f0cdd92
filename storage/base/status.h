// Error vocabulary of the engine: absl::Status with a code and a sentence for the person.
//
// Codes as the engine uses them; daemon/status_mapping.h turns them into gRPC and OCI errors:
//   kInvalidArgument     the request is malformed; repeating it cannot help
//   kNotFound            the thing named does not exist, or is not visible in that repository
//   kAlreadyExists       the thing exists with other content
//   kFailedPrecondition  the request is well formed but the store's state forbids it
//   kOutOfRange          an offset does not continue the upload, or a range lies outside the blob
//   kResourceExhausted   a limit or the disk is full; a later attempt may succeed
//   kAborted             somebody else is working on the same upload; try again
//   kUnavailable         the outcome is unknown or the device failed; try again
//   kDataLoss            the disk gave back something that was not written
//   kInternal            the directory of the store was replaced or removed under the daemon
#ifndef VARVE_STORAGE_BASE_STATUS_H_
#define VARVE_STORAGE_BASE_STATUS_H_

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace varve {

// Returns `status` with "context: " before its message; OK stays OK. Payloads are kept.
absl::Status Annotate(const absl::Status& status, std::string_view context);
// With the message of another failure before its own; private when either is.
absl::Status Annotate(const absl::Status& status, const absl::Status& other);

// Marks a status whose message names files of this machine: it is for the log, not for clients.
// Survives Annotate; a status made of its message must be marked again.
absl::Status Private(absl::Status status);
bool IsPrivate(const absl::Status& status);

// Turns errno `error` of `operation` (e.g. "open blobs/0/5") into a status: ENOENT is NotFound,
// EEXIST AlreadyExists, ENOSPC and EDQUOT ResourceExhausted with a sentence for the client,
// anything else (no descriptors, no memory, I/O errors) Unavailable. Private, but for the disk that
// is full.
absl::Status ErrnoToStatus(int error, std::string_view operation);

}  // namespace varve

#define VARVE_STATUS_CONCAT_INNER_(a, b) a##b
#define VARVE_STATUS_CONCAT_(a, b) VARVE_STATUS_CONCAT_INNER_(a, b)

// Returns from the calling function when `expression` is a non-OK status.
#define RETURN_IF_ERROR(expression) \
  VARVE_RETURN_IF_ERROR_(VARVE_STATUS_CONCAT_(varve_status_, __COUNTER__), expression)
#define VARVE_RETURN_IF_ERROR_(status, expression) \
  do {                                             \
    absl::Status status = (expression);            \
    if (!status.ok()) return status;               \
  } while (false)

// ASSIGN_OR_RETURN(auto value, StatusOrExpression()): assigns, or returns the error.
#define ASSIGN_OR_RETURN(lhs, expression) \
  VARVE_ASSIGN_OR_RETURN_(VARVE_STATUS_CONCAT_(varve_status_or_, __COUNTER__), lhs, expression)
#define VARVE_ASSIGN_OR_RETURN_(result, lhs, expression) \
  auto result = (expression);                            \
  if (!result.ok()) return std::move(result).status();   \
  lhs = std::move(result).value()

#endif  // VARVE_STORAGE_BASE_STATUS_H_

#include "storage/base/status.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/cord.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr char kPrivatePayload[] = "varve/private";

}  // namespace

absl::Status Annotate(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), StrCat(context, ": ", status.message()));
  status.ForEachPayload([&annotated](absl::string_view type_url, const absl::Cord& payload) {
    annotated.SetPayload(type_url, payload);
  });
  return annotated;
}

absl::Status Annotate(const absl::Status& status, const absl::Status& other) {
  if (other.ok()) return status;
  absl::Status annotated = Annotate(status, ToStd(other.message()));
  return IsPrivate(other) ? Private(std::move(annotated)) : annotated;
}

absl::Status Private(absl::Status status) {
  if (!status.ok()) status.SetPayload(kPrivatePayload, absl::Cord());
  return status;
}

bool IsPrivate(const absl::Status& status) {
  return status.GetPayload(kPrivatePayload).has_value();
}

absl::Status ErrnoToStatus(int error, std::string_view operation) {
  const std::string message = StrCat(operation, ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
      return Private(absl::NotFoundError(message));
    case EEXIST:
      return Private(absl::AlreadyExistsError(message));
    case ENOSPC:
    case EDQUOT:
      // Goes to clients as it is, so it names no path.
      return absl::ResourceExhaustedError("the disk is full; prune images or add space");
    case ENOTEMPTY:
      return absl::FailedPreconditionError(message);
    default:
      return Private(absl::UnavailableError(message));
  }
}

}  // namespace varve

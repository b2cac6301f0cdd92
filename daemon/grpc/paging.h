// The page that a request of varve.v1 asks for. Pure.
#ifndef VARVE_DAEMON_GRPC_PAGING_H_
#define VARVE_DAEMON_GRPC_PAGING_H_

#include <algorithm>
#include <cstddef>

#include "absl/status/statusor.h"
#include "storage/api/page.h"
#include "storage/limits.h"

namespace varve {

inline constexpr size_t kDefaultPageRows = 100;  // as the .proto files say

template <typename Request>
PageRequest PageOf(const Request& request) {
  return {request.page_token(), request.page_size() == 0
                                    ? kDefaultPageRows
                                    : std::min<size_t>(request.page_size(), kMaxPageRows)};
}

// InvalidArgument: `request` has a token that a listing of names that pass `validate` never gave.
template <typename Request, typename Validate>
absl::StatusOr<PageRequest> PageOfNames(const Request& request, const Validate& validate) {
  PageRequest page = PageOf(request);
  if (!page.after.empty() && !validate(page.after).ok()) {
    return absl::InvalidArgumentError("the page token is not one that this listing gave");
  }
  return page;
}

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_PAGING_H_

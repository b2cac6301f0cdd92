// The page that a request of varve.v1 asks for. Pure.
#ifndef VARVE_DAEMON_GRPC_PAGING_H_
#define VARVE_DAEMON_GRPC_PAGING_H_

#include <algorithm>
#include <cstddef>

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

}  // namespace varve

#endif  // VARVE_DAEMON_GRPC_PAGING_H_
